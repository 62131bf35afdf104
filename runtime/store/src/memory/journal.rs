//! Records, runs, the inbox, and the switches that stop runs.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{
    Asked, BETWEEN, Claim, Commit, Delivery, Journal, Lease, Listed, RecordKey, RunId, Stored, Switchboard, Trouble,
};
use selvedge_record::Sealed;

use super::{Letter, MemoryStore, Row, Tables, key, stored, twice};

#[async_trait]
impl Journal for MemoryStore {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let (id, lease, release) = (commit.id.clone(), commit.lease, commit.release);
        let opening = commit.events.first().is_some_and(|event| event.seq == 0);
        let opens = opening && self.leases.open(&id, lease);
        if !opening {
            self.leases.check(&id, lease)?;
        }
        let written = self.tables().write(commit);
        if (written.is_ok() && release) || (written.is_err() && opens) {
            self.leases.give_back(&id, lease);
        }
        written
    }

    async fn record(&self, id: &RunId) -> Result<Vec<Stored>, StoreError> {
        Ok(self.tables().records.get(id).into_iter().flatten().enumerate().map(stored).collect())
    }

    async fn last(&self, id: &RunId) -> Result<Option<Stored>, StoreError> {
        Ok(self.tables().records.get(id).and_then(|record| record.iter().enumerate().next_back()).map(stored))
    }

    async fn append(&self, id: &RunId, event: Sealed) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let events = vec![event];
        tables.follow(id, &events)?;
        tables.add(id, events);
        Ok(())
    }

    async fn deliver(&self, id: &RunId, dedupe: &str, body: &str, at: Micros) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let number = tables.letters + 1;
        let mail = tables.mail.entry(id.clone()).or_default();
        if mail.iter().any(|letter| letter.dedupe == dedupe) {
            return Ok(false);
        }
        mail.push(Letter { number, dedupe: dedupe.to_owned(), body: body.to_owned(), at, taken: false });
        tables.letters = number;
        Ok(true)
    }

    async fn inbox(&self, id: &RunId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let tables = self.tables();
        let waiting = tables.waiting(id).take(limit as usize);
        Ok(waiting.map(|letter| Delivery { number: letter.number, body: letter.body.clone() }).collect())
    }

    async fn claim(&self, now: Micros, limit: u32) -> Result<Vec<Claim>, StoreError> {
        let tables = self.tables();
        let mut wanted: Vec<(Micros, &RunId)> =
            tables.runs.iter().filter_map(|(id, row)| Some((tables.wanted_since(id, row, now)?, id))).collect();
        wanted.sort();
        Ok(wanted.into_iter().filter_map(|(_, id)| self.leases.take(id.clone())).take(limit as usize).collect())
    }

    async fn claim_one(&self, id: &RunId, now: Micros) -> Result<Asked, StoreError> {
        let wanted = {
            let tables = self.tables();
            tables.runs.get(id).is_some_and(|row| tables.wanted_since(id, row, now).is_some())
        };
        Ok(match self.leases.holds(id) {
            true => Asked::Elsewhere,
            false if !wanted => Asked::Idle,
            false => self.leases.take(id.clone()).map_or(Asked::Elsewhere, |claim| Asked::Leased(claim.lease)),
        })
    }

    async fn release(&self, id: &RunId, lease: Lease) -> Result<(), StoreError> {
        self.leases.give_back(id, lease);
        Ok(())
    }

    async fn next_wake(&self) -> Result<Option<Micros>, StoreError> {
        let tables = self.tables();
        let free = tables.runs.iter().filter(|(id, _)| !self.leases.holds(id));
        Ok(free.filter_map(|(_, row)| row.summary.wake).min())
    }

    async fn runs(&self, tenant: &str, limit: u32) -> Result<Vec<Listed>, StoreError> {
        let tables = self.tables();
        let mut runs: Vec<_> = tables.runs.iter().filter(|(id, _)| id.tenant == tenant).collect();
        // They stand in the order of their interactions, which stays among those of one time.
        runs.sort_by_key(|(_, row)| std::cmp::Reverse(row.summary.opened));
        let listed =
            |(id, row): (&RunId, &Row)| Listed { interaction: id.interaction.clone(), summary: row.summary.clone() };
        Ok(runs.into_iter().take(limit as usize).map(listed).collect())
    }

    async fn writable(&self) -> Result<(), Trouble> {
        Ok(())
    }

    async fn newest(&self) -> Result<Option<Micros>, StoreError> {
        Ok(self.tables().runs.values().map(|row| row.summary.updated).max())
    }
}

#[async_trait]
impl Switchboard for MemoryStore {
    async fn switch(&self, id: &RunId, event: Sealed, frees: Option<&str>, at: Micros) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let events = vec![event];
        tables.follow(id, &events)?;
        tables.add(id, events);
        let halted = |row: &&mut Row| {
            let by = row.summary.halted.iter().flat_map(|halted| halted.split(BETWEEN));
            by.into_iter().any(|switch| Some(switch) == frees)
        };
        let of_tenant = tables.runs.iter_mut().filter(|(run, _)| run.tenant == id.tenant);
        of_tenant.map(|(_, row)| row).filter(halted).for_each(|row| row.summary.wake = Some(at));
        Ok(())
    }

    async fn busy_of(&self, tenant: &str) -> Result<Vec<RunId>, StoreError> {
        let tables = self.tables();
        let busy = tables.runs.iter().filter(|(id, row)| id.tenant == tenant && row.summary.busy);
        Ok(busy.map(|(id, _)| id.clone()).collect())
    }
}

impl Tables {
    /// Letters that nobody has answered.
    fn waiting(&self, id: &RunId) -> impl Iterator<Item = &Letter> {
        self.mail.get(id).into_iter().flatten().filter(|letter| !letter.taken)
    }

    /// Since when a run wants to be driven, if it does.
    fn wanted_since(&self, id: &RunId, row: &Row, now: Micros) -> Option<Micros> {
        let due = row.summary.wake.filter(|wake| *wake <= now);
        let busy = row.summary.busy.then_some(row.summary.updated);
        let mail = self.waiting(id).map(|letter| letter.at).min();
        [due, busy, mail].into_iter().flatten().min()
    }

    /// A turn of a run: refused before anything of it is written, or written whole.
    fn write(&mut self, commit: Commit) -> Result<(), StoreError> {
        let tenant = commit.id.tenant.clone();
        if commit.epoch.is_some_and(|epoch| epoch != self.epoch(&tenant)) {
            return Err(StoreError::Switched(Box::new(commit)));
        }
        if let Some(known) = &commit.known {
            self.newest(&tenant, &known.customer, Some(known.version))?;
        }
        self.follow(&commit.id, &commit.events)?;
        let values = self.sealed.get(&commit.id);
        if commit.sealed.iter().any(|value| values.is_some_and(|values| values.contains_key(&value.name))) {
            return Err(twice("seal values"));
        }

        let Commit { id, events, summary, consumed, sealed, links, forget_card, known, contacts, keys, .. } = commit;
        self.add(&id, events);
        self.keep_summary(&id, summary);
        if let Some(known) = known {
            self.know(&tenant, known);
        }
        if !sealed.is_empty() {
            let values = self.sealed.entry(id.clone()).or_default();
            values.extend(sealed.into_iter().map(|value| (value.name.clone(), value)));
        }
        contacts.into_iter().for_each(|change| self.count(&tenant, change));
        for RecordKey { class, wrapped } in keys {
            self.data_keys.entry(key(&tenant, &id.interaction)).or_default().insert(class, wrapped);
        }
        for letter in self.mail.get_mut(&id).into_iter().flatten().filter(|l| consumed.contains(&l.number)) {
            (letter.taken, letter.body) = (true, String::new());
        }
        for link in links {
            self.links.entry(link.id).or_insert((id.clone(), link.step));
        }
        if let Some(token) = forget_card {
            self.forget_card(&tenant, &token);
        }
        Ok(())
    }

    /// What a run is from the beginning stays as its first turn has it.
    fn keep_summary(&mut self, id: &RunId, summary: selvedge_engine::ports::store::Summary) {
        let closed = summary.over.then_some(summary.updated);
        match self.runs.get_mut(id) {
            None => drop(self.runs.insert(id.clone(), Row { summary, closed })),
            Some(row) => {
                row.closed = row.closed.or(closed);
                let kept = &mut row.summary;
                (kept.updated, kept.at, kept.over) = (summary.updated, summary.at, summary.over);
                (kept.busy, kept.wake, kept.halted) = (summary.busy, summary.wake, summary.halted);
            }
        }
    }
}
