//! Campaigns: lists of customers.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::campaigns::{Became, Campaigns, Enlisted, MINUTE, Pace, Progress, Remaining, STRANDED};
use selvedge_engine::ports::store::RunId;

use super::{MemoryStore, Row, Tables, key};

/// A campaign, and its list in order.
#[derive(Default)]
pub(super) struct List {
    over: bool,
    customers: Vec<OnList>,
}

struct OnList {
    who: Enlisted,
    state: &'static str,
    taken: Option<Micros>,
}

impl Tables {
    fn run_of(&self, tenant: &str, who: &Enlisted) -> Option<&Row> {
        self.runs.get(&RunId { tenant: tenant.to_owned(), interaction: who.interaction.clone() })
    }
}

#[async_trait]
impl Campaigns for MemoryStore {
    async fn enlist(&self, tenant: &str, campaign: &str, customers: &[Enlisted]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let list = tables.campaigns.entry(key(tenant, campaign)).or_default();
        for who in customers {
            if !list.customers.iter().any(|there| there.who.customer == who.customer) {
                list.customers.push(OnList { who: who.clone(), state: "queued", taken: None });
            }
        }
        Ok(())
    }

    async fn campaigns(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<(String, bool)>, StoreError> {
        let tables = self.tables();
        let of = tables.campaigns.iter().filter(|((of, name), _)| of == tenant && name.as_str() > after);
        Ok(of.take(limit as usize).map(|((_, name), list)| (name.clone(), list.over)).collect())
    }

    async fn going(&self, tenant: &str) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let of = tables.campaigns.iter().filter(|((of, _), list)| of == tenant && !list.over);
        Ok(of.map(|((_, name), _)| name.clone()).collect())
    }

    async fn take(
        &self,
        tenant: &str,
        campaign: &str,
        pace: Pace,
        now: Micros,
        limit: u32,
    ) -> Result<Vec<Enlisted>, StoreError> {
        let mut tables = self.tables();
        let Some(mut list) = tables.campaigns.remove(&key(tenant, campaign)) else { return Ok(Vec::new()) };
        let stranded = |one: &OnList| {
            one.state == "open"
                && one.taken.is_some_and(|taken| taken <= now - STRANDED)
                && tables.run_of(tenant, &one.who).is_none()
        };
        let mut taken: Vec<usize> = (0..list.customers.len()).filter(|at| stranded(&list.customers[*at])).collect();
        taken.truncate(limit as usize);
        taken.iter().for_each(|at| list.customers[*at].taken = Some(now));
        let lately = list.customers.iter().filter(|one| one.taken.is_some_and(|taken| taken > now - MINUTE)).count();
        let open = list.customers.iter().filter(|one| one.state == "open").count();
        let room = pace.room(lately as u64, open as u64, limit, taken.len());
        let queued = (0..list.customers.len()).filter(|at| list.customers[*at].state == "queued");
        let next: Vec<usize> = queued.take(usize::try_from(room).unwrap_or(0)).collect();
        for at in &next {
            (list.customers[*at].state, list.customers[*at].taken) = ("open", Some(now));
        }
        taken.extend(next);
        taken.sort_unstable();
        let taken = taken.into_iter().map(|at| list.customers[at].who.clone()).collect();
        tables.campaigns.insert(key(tenant, campaign), list);
        Ok(taken)
    }

    async fn ended(&self, tenant: &str, campaign: &str, limit: u32) -> Result<Vec<Enlisted>, StoreError> {
        let tables = self.tables();
        let list = tables.campaigns.get(&key(tenant, campaign)).into_iter().flat_map(|list| &list.customers);
        let over =
            |one: &&OnList| one.state == "open" && tables.run_of(tenant, &one.who).is_some_and(|row| row.summary.over);
        Ok(list.filter(over).take(limit as usize).map(|one| one.who.clone()).collect())
    }

    async fn settle(&self, tenant: &str, campaign: &str, became: &[(String, Became)]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Some(list) = tables.campaigns.get_mut(&key(tenant, campaign)) else { return Ok(()) };
        for one in list.customers.iter_mut().filter(|one| one.state == "open") {
            if let Some((_, became)) = became.iter().find(|(customer, _)| *customer == one.who.customer) {
                one.state = became.kept().0;
                one.taken = one.taken.filter(|_| *became != Became::Queued);
            }
        }
        Ok(())
    }

    async fn remaining(&self, tenant: &str, campaign: &str) -> Result<Remaining, StoreError> {
        let tables = self.tables();
        let list = tables.campaigns.get(&key(tenant, campaign));
        let any = |state: &str| list.is_some_and(|list| list.customers.iter().any(|one| one.state == state));
        Ok(Remaining { queued: any("queued"), open: any("open") })
    }

    async fn progress(&self, tenant: &str, campaign: &str) -> Result<Progress, StoreError> {
        let tables = self.tables();
        let mut progress = Progress::default();
        for one in tables.campaigns.get(&key(tenant, campaign)).into_iter().flat_map(|list| &list.customers) {
            let waits = tables.run_of(tenant, &one.who).is_some_and(|row| !row.summary.busy);
            progress.add(one.state, waits, 1);
        }
        Ok(progress)
    }

    async fn close_campaign(&self, tenant: &str, campaign: &str) -> Result<(), StoreError> {
        if let Some(list) = self.tables().campaigns.get_mut(&key(tenant, campaign)) {
            list.over = true;
        }
        Ok(())
    }

    async fn customers_after(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let of = tables
            .customers
            .iter()
            .filter(|((of, name), one)| of == tenant && name.as_str() > after && one.state.is_some());
        Ok(of.take(limit as usize).map(|((_, name), _)| name.clone()).collect())
    }
}
