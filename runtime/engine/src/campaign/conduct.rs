//! What every node does for campaigns, again and again: complete lists, take customers up, open their interactions, and
//! say what became of those that ended. Nodes need not speak with one another: the store gives each customer to one of
//! them, and an interaction that is there already is not opened again.

use selvedge_policy::Verdict;
use selvedge_workflow::schedule::Schedule;
use tokio::task::JoinSet;

use super::{BATCH, Campaign, CampaignFact, Stage, condition, record_of};
use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::fact::Fact;
use crate::ports::Micros;
use crate::ports::campaigns::{Became, Enlisted};
use crate::ports::store::RunId;
use crate::signal::Who;
use crate::switches::Reach;

/// How many customers one look takes up or settles.
const AT_A_LOOK: u32 = 128;
/// How soon it looks again while there is something to do, and while there is not.
const SOON: Micros = 250_000;
const IDLE: Micros = 2_000_000;

impl Engine {
    /// Keeps schedules and carries campaigns on, for as long as the node lives. Never returns; a store that is away only
    /// makes it wait.
    pub async fn conduct(&self, tenant: &str, schedules: &[Schedule]) {
        loop {
            match self.keep_schedules(tenant, schedules).await {
                Ok(()) | Err(EngineError::NotReady { .. }) => {}
                Err(error) => tracing::error!(%error, "schedules could not be kept; it is tried again"),
            }
            let pause = match self.conduct_once(tenant).await {
                Ok(true) => SOON,
                Ok(false) => IDLE,
                Err(EngineError::NotReady { .. }) => IDLE,
                Err(error) => {
                    tracing::error!(%error, "campaigns could not go on; it is tried again");
                    IDLE
                }
            };
            self.inner.parts.clock.sleep_until(self.now() + pause).await;
        }
    }

    /// One look at all campaigns; whether there was anything to do.
    pub async fn conduct_once(&self, tenant: &str) -> Result<bool, EngineError> {
        self.ready().await?;
        let mut busy = false;
        for name in self.store().going(tenant).await? {
            // A list whose campaign was never started lies there until it is started again.
            let record = self.store().record(&record_of(tenant, &name)).await?;
            if let Some(campaign) = Campaign::fold(&name, &record)? {
                busy |= self.carry_campaign(tenant, &campaign).await?;
            }
        }
        Ok(busy)
    }

    async fn carry_campaign(&self, tenant: &str, campaign: &Campaign) -> Result<bool, EngineError> {
        let mut busy = self.settle_ended(tenant, campaign).await?;
        if campaign.stage == Stage::Listing {
            self.complete_list(tenant, campaign).await?;
            busy = true;
        } else if campaign.stage == Stage::Going && self.may_go(tenant, campaign).await? {
            busy |= self.take_up_customers(tenant, campaign).await?;
        }
        if !busy {
            self.finish(tenant, campaign).await?;
        }
        Ok(busy)
    }

    /// Whether nothing stands before it: no kill switch, and no campaign that it comes after.
    async fn may_go(&self, tenant: &str, campaign: &Campaign) -> Result<bool, EngineError> {
        let reach = Reach { tenant: tenant.into(), workflow: campaign.plan.workflow.clone(), ..Reach::default() };
        if self.read_board(tenant).await?.stopping(&reach).is_some() {
            return Ok(false);
        }
        match &campaign.plan.after {
            Some(before) => Ok(!self.store().going(tenant).await?.contains(before)),
            None => Ok(true),
        }
    }

    /// Asks all customers whether the condition holds for them. Doing it twice puts nobody on the list twice.
    async fn complete_list(&self, tenant: &str, campaign: &Campaign) -> Result<(), EngineError> {
        let Some(text) = &campaign.plan.customers else { return Ok(()) };
        let Some(definition) = self.in_force(tenant, &campaign.plan.workflow).await? else { return Ok(()) };
        let condition = condition(&definition.dictionary, text)?;
        let (mut after, mut asked, mut listed) = (String::new(), 0, 0);
        loop {
            let page = self.store().customers_after(tenant, &after, BATCH as u32).await?;
            let Some(last) = page.last() else { break };
            (after, asked) = (last.clone(), asked + page.len() as u64);
            let mut meant = Vec::new();
            for customer in page {
                if self.holds_for(&definition.dictionary, tenant, &customer, &condition).await? {
                    meant.push(customer);
                }
            }
            listed += self.enlist(tenant, &campaign.name, meant.into_iter()).await?;
        }
        let fact = CampaignFact::Listed { asked, listed, reads: condition.reads.iter().cloned().collect() };
        self.add_at(&record_of(tenant, &campaign.name), &Who::host(), &fact, campaign.length).await?;
        Ok(())
    }

    async fn take_up_customers(&self, tenant: &str, campaign: &Campaign) -> Result<bool, EngineError> {
        let taken = self.store().take(tenant, &campaign.name, campaign.pace(), self.now(), AT_A_LOOK).await?;
        if taken.is_empty() {
            return Ok(false);
        }
        let (mut opening, mut became) = (JoinSet::new(), Vec::new());
        for Enlisted { customer, interaction } in taken {
            let (engine, id) = (self.clone(), RunId { tenant: tenant.into(), interaction });
            let (name, plan) = (campaign.name.clone(), campaign.plan.clone());
            opening.spawn(async move {
                let who = Who { actor: format!("campaign:{name}"), ..Who::default() };
                let opened = engine.open_as(&id, &plan.workflow, &customer, &plan.channel, &who).await;
                (customer, opened)
            });
        }
        while let Some(opened) = opening.join_next().await {
            let (customer, opened) = opened.map_err(|e| EngineError::Broken { what: e.to_string() })?;
            match opened {
                // There already: opened by a node that did not live to see it.
                Ok(_) | Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(EngineError::NoSuchField { .. }) => became.push((customer, Became::Failed("not on file".into()))),
                // Nothing was opened, or nobody knows: whoever is taken up anew finds out.
                Err(EngineError::Stopped { .. } | EngineError::NotReady { .. }) => {
                    became.push((customer, Became::Queued));
                }
                Err(error @ EngineError::Store(_)) => {
                    tracing::warn!(%error, "an interaction of a campaign was not opened; it is tried again");
                }
                Err(error) => {
                    tracing::error!(%error, "an interaction of a campaign cannot be opened");
                    became.push((customer, Became::Failed("it could not be opened; the node's log says why".into())));
                }
            }
        }
        self.store().settle(tenant, &campaign.name, &became).await?;
        Ok(true)
    }

    async fn settle_ended(&self, tenant: &str, campaign: &Campaign) -> Result<bool, EngineError> {
        let ended = self.store().ended(tenant, &campaign.name, AT_A_LOOK).await?;
        let mut became = Vec::new();
        for Enlisted { customer, interaction } in ended {
            let id = RunId { tenant: tenant.into(), interaction };
            became.push((customer, self.what_became(&id).await?));
        }
        self.store().settle(tenant, &campaign.name, &became).await?;
        Ok(!became.is_empty())
    }

    async fn what_became(&self, id: &RunId) -> Result<Became, EngineError> {
        let events = self.events(id).await?;
        let facts = events.into_iter().filter_map(|e| Fact::from_kind_and_data(&e.kind, e.data).ok());
        let (mut refused, mut ending) = (None, String::new());
        for fact in facts {
            match fact {
                Fact::ContactDecided { decision, .. } if decision.verdict == Verdict::Deny => {
                    refused = decision.reasons.iter().find(|r| r.verdict == Verdict::Deny).map(|r| r.rule.clone());
                }
                Fact::Closed { ending: how } => ending = how,
                _ => {}
            }
        }
        Ok(match (ending.as_str(), refused) {
            ("completed", _) => Became::Done,
            (_, Some(rule)) => Became::Refused(rule),
            (other, None) => Became::Failed(other.to_owned()),
        })
    }

    /// When nobody is left on the list and nothing is open, it is over; a stopped one when nothing is open.
    async fn finish(&self, tenant: &str, campaign: &Campaign) -> Result<(), EngineError> {
        let remaining = self.store().remaining(tenant, &campaign.name).await?;
        if remaining.open {
            return Ok(());
        }
        match campaign.stage {
            Stage::Going if !remaining.queued => {
                let progress = self.store().progress(tenant, &campaign.name).await?;
                let fact =
                    CampaignFact::Finished { done: progress.done, refused: progress.refused, failed: progress.failed };
                if self.add_at(&record_of(tenant, &campaign.name), &Who::host(), &fact, campaign.length).await? {
                    self.store().close_campaign(tenant, &campaign.name).await?;
                }
            }
            Stage::Stopped | Stage::Finished => self.store().close_campaign(tenant, &campaign.name).await?,
            _ => {}
        }
        Ok(())
    }
}
