//! What is kept, and until when. The keys of what has outlived its rule are destroyed, with an event in the record
//! that says by which rule; the record itself stays and verifies. A legal hold beats every rule.
//!
//! Setting and lifting holds are events of a record of its own, [`HOLDS`], one per tenant. A destruction names the
//! length that this record had when it was decided, and the store refuses it at any other: no key goes while
//! somebody says "hold".

use std::collections::BTreeMap;

use selvedge_policy::Retention;
use selvedge_record::{Draft, Event, Head};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::fact::Fact;
use crate::ports::Micros;
use crate::ports::store::{Destruction, Kept, RunId};
use crate::signal::Who;
use crate::switches::a_reason;

/// The name of each tenant's record of legal holds.
pub const HOLDS: &str = "holds";
/// How many interactions one look at the store takes up.
const PAGE: u32 = 256;
/// How often another writer may be quicker.
const MAX_TRIES: u32 = 5;
/// How often what is due is destroyed.
const SWEEP_EVERY: Micros = 86_400_000_000;
/// How long a sweep that failed waits.
const TRY_AGAIN: Micros = 60_000_000;
/// The purpose of an event that destroys something.
const PURPOSE: &str = "retention";

/// A legal hold in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// `hold-3`: its place in the record of holds.
    pub id: String,
    /// The interaction, or the customer with all interactions, present and future.
    pub on: String,
    /// Who set it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Micros,
}

/// One event of the record of holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum HoldFact {
    #[serde(rename = "hold.set")]
    Set { on: String, reason: String },
    #[serde(rename = "hold.lifted")]
    Lifted { hold: String, reason: String },
}

/// The holds of a tenant, and how many events their record has.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// Those in force, oldest first.
    pub in_force: Vec<Hold>,
    length: u64,
}

impl Holds {
    /// The hold that keeps an interaction of this customer, if there is one.
    fn over(&self, kept: &Kept) -> Option<&Hold> {
        self.in_force.iter().find(|hold| hold.on == kept.interaction || hold.on == kept.customer)
    }
}

/// A class of an interaction's values that has outlived its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The interaction.
    pub interaction: String,
    /// Its workflow.
    pub workflow: String,
    /// The class.
    pub class: String,
    /// The rule that kept it longest.
    pub rule: String,
    /// The law behind the rule.
    pub cite: String,
    /// How long that is: `6y`.
    pub keep: String,
    /// When the interaction closed.
    pub closed: Micros,
    /// Since when it is due.
    pub since: Micros,
    /// The hold that keeps it all the same.
    pub held: Option<String>,
}

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Keys that were destroyed: one per interaction and class.
    pub destroyed: usize,
    /// Keys that are due and held.
    pub held: usize,
}

impl Engine {
    /// The legal holds in force.
    pub async fn holds(&self, tenant: &str) -> Result<Holds, EngineError> {
        let record = self.store().record(&holds_of(tenant)).await?;
        let mut in_force: BTreeMap<u64, Hold> = BTreeMap::new();
        for stored in &record {
            let event = Event::parse(&stored.canonical)?;
            match HoldFact::read(&event)? {
                HoldFact::Set { on, reason } => {
                    let hold = Hold { id: hold_id(event.seq), on, by: event.actor, reason, at: event.time };
                    in_force.insert(event.seq, hold);
                }
                HoldFact::Lifted { hold, .. } => in_force.retain(|_, known| known.id != hold),
            }
        }
        Ok(Holds { in_force: in_force.into_values().collect(), length: record.len() as u64 })
    }

    /// Holds an interaction, or a customer with all of theirs. Returns the hold's id once it is durable.
    ///
    /// Errors: E501 or E503 where there is no such interaction or customer, E511 without a reason.
    pub async fn set_hold(&self, tenant: &str, who: &Who, on: &str, reason: &str) -> Result<String, EngineError> {
        let id = RunId { tenant: tenant.into(), interaction: on.into() };
        let is_interaction = id.is_well_formed();
        if is_interaction && self.store().last(&id).await?.is_none() {
            return Err(EngineError::NoSuchInteraction { interaction: on.into() });
        }
        if !is_interaction && self.store().customer(tenant, on).await?.is_none() {
            return Err(EngineError::NoSuchField { customer: on.into(), field: "record".into() });
        }
        let fact = HoldFact::Set { on: on.into(), reason: a_reason(reason)? };
        Ok(hold_id(self.append_hold(tenant, who, fact).await?))
    }

    /// Lifts a hold. Errors: E521 where no such hold is in force, E511 without a reason.
    pub async fn lift_hold(&self, tenant: &str, who: &Who, hold: &str, reason: &str) -> Result<(), EngineError> {
        if !self.holds(tenant).await?.in_force.iter().any(|known| known.id == hold) {
            return Err(EngineError::NoSuchHold { hold: hold.into() });
        }
        let fact = HoldFact::Lifted { hold: hold.into(), reason: a_reason(reason)? };
        self.append_hold(tenant, who, fact).await.map(|_| ())
    }

    async fn append_hold(&self, tenant: &str, who: &Who, fact: HoldFact) -> Result<u64, EngineError> {
        let id = holds_of(tenant);
        for attempt in 1.. {
            let (mut head, after) = match self.store().last(&id).await? {
                None => (Head::start(tenant, HOLDS), self.now()),
                Some(last) => head_after(&last.canonical)?,
            };
            let seq = head.seq;
            let event = head.append(Draft {
                device: who.device.clone(),
                function: who.function.clone(),
                session: who.session.clone(),
                ..fact.clone().draft(self.now().max(after), &who.actor)?
            })?;
            match self.store().append(&id, event).await {
                Err(StoreError::Conflict { .. }) if attempt < MAX_TRIES => {}
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(seq),
            }
        }
        Err(EngineError::Broken { what: "the record of holds was never free".into() })
    }

    /// What has outlived its rule and can still be opened, those that closed first first, at most `limit`.
    pub async fn due(&self, tenant: &str, retention: &Retention, limit: usize) -> Result<Vec<Due>, EngineError> {
        let (holds, mut found, mut after) = (self.holds(tenant).await?, Vec::new(), None);
        while let Some(page) = self.kept(tenant, retention, &mut after).await? {
            found.extend(page.iter().flat_map(|kept| self.due_of(kept, retention, &holds)));
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }

    /// Destroys what is due and not held. Each record says what, by which rule, and who did it.
    pub async fn destroy_due(&self, tenant: &str, who: &Who, retention: &Retention) -> Result<Swept, EngineError> {
        let (mut swept, mut after) = (Swept::default(), None);
        while let Some(page) = self.kept(tenant, retention, &mut after).await? {
            for kept in &page {
                let one = self.destroy_of(tenant, who, kept, retention).await?;
                swept.destroyed += one.destroyed;
                swept.held += one.held;
            }
        }
        Ok(swept)
    }

    /// Destroys what is due now and once a day from then on. Never returns; a store that is away only makes it wait.
    pub async fn sweep(&self, tenant: &str, retention: &Retention) {
        loop {
            let next = match self.destroy_due(tenant, &Who::host(), retention).await {
                Ok(swept) => {
                    if swept != Swept::default() {
                        tracing::info!(destroyed = swept.destroyed, held = swept.held, "retention");
                    }
                    SWEEP_EVERY
                }
                Err(error) => {
                    tracing::error!(%error, "what is due could not be destroyed; it is tried again");
                    TRY_AGAIN
                }
            };
            let until = self.now() + next;
            while self.now() < until {
                self.inner.parts.clock.sleep_until(until).await;
            }
        }
    }

    /// The next page of interactions of which something may be due.
    async fn kept(
        &self,
        tenant: &str,
        retention: &Retention,
        after: &mut Option<(Micros, String)>,
    ) -> Result<Option<Vec<Kept>>, EngineError> {
        let Some(before) = retention.closed_before(self.now()) else { return Ok(None) };
        let page = self.store().openable(tenant, before, after.as_ref(), PAGE).await?;
        *after = page.last().map(|kept| (kept.closed, kept.interaction.clone()));
        Ok((!page.is_empty()).then_some(page))
    }

    fn due_of(&self, kept: &Kept, retention: &Retention, holds: &Holds) -> Vec<Due> {
        let now = self.now();
        let due = |class: &String| {
            let (rule, since) = retention.until(&kept.workflow, class, kept.closed)?;
            (since <= now).then(|| Due {
                interaction: kept.interaction.clone(),
                workflow: kept.workflow.clone(),
                class: class.clone(),
                rule: rule.id.clone(),
                cite: rule.cite.clone(),
                keep: rule.keep.to_string(),
                closed: kept.closed,
                since,
                held: holds.over(kept).map(|hold| hold.id.clone()),
            })
        };
        kept.classes.iter().filter_map(due).collect()
    }

    /// One interaction's. Holds are read anew, and once more by the store when it writes.
    async fn destroy_of(
        &self,
        tenant: &str,
        who: &Who,
        kept: &Kept,
        retention: &Retention,
    ) -> Result<Swept, EngineError> {
        let id = RunId { tenant: tenant.into(), interaction: kept.interaction.clone() };
        for attempt in 1.. {
            let holds = self.holds(tenant).await?;
            let due = self.due_of(kept, retention, &holds);
            if due.is_empty() {
                return Ok(Swept::default());
            }
            if due.iter().any(|due| due.held.is_some()) {
                return Ok(Swept { destroyed: 0, held: due.len() });
            }
            let Some(last) = self.store().last(&id).await? else { return Ok(Swept::default()) };
            let (mut head, after) = head_after(&last.canonical)?;
            let mut events = Vec::new();
            for (rule, classes) in by_rule(&due) {
                let fact = Fact::Destroyed {
                    classes,
                    rule: rule.rule.clone(),
                    cite: rule.cite.clone(),
                    keep: rule.keep.clone(),
                    closed: kept.closed,
                };
                let (kind, data) = fact.kind_and_data()?;
                events.push(head.append(Draft {
                    function: who.function.clone(),
                    purpose: Some(PURPOSE.into()),
                    ..Draft::new(kind, self.now().max(after), who.actor.clone(), data)
                })?);
            }
            let classes: Vec<String> = due.iter().map(|due| due.class.clone()).collect();
            let destroyed = classes.len();
            let destruction = Destruction { id: id.clone(), events, classes, holds: (holds_of(tenant), holds.length) };
            match self.store().destroy(destruction).await {
                Err(StoreError::Conflict { .. }) if attempt < MAX_TRIES => {}
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(Swept { destroyed, held: 0 }),
            }
        }
        Ok(Swept::default())
    }
}

impl HoldFact {
    fn draft(self, time: Micros, actor: &str) -> Result<Draft, EngineError> {
        let broken = |why: String| EngineError::Broken { what: format!("a hold could not be written: {why}") };
        let mut value = serde_json::to_value(self).map_err(|e| broken(e.to_string()))?;
        let kind = value["type"].as_str().unwrap_or_default().to_owned();
        Ok(Draft { purpose: Some(PURPOSE.into()), ..Draft::new(kind, time, actor, value["data"].take()) })
    }

    fn read(event: &Event) -> Result<HoldFact, EngineError> {
        serde_json::from_value(serde_json::json!({ "type": event.kind, "data": event.data })).map_err(|e| {
            EngineError::Broken { what: format!("event `{}` of the holds cannot be read: {e}", event.kind) }
        })
    }
}

fn holds_of(tenant: &str) -> RunId {
    RunId { tenant: tenant.into(), interaction: HOLDS.into() }
}

fn hold_id(seq: u64) -> String {
    format!("hold-{}", seq + 1)
}

/// Where the next event joins a record, and the time that it must not be before.
fn head_after(canonical: &str) -> Result<(Head, Micros), EngineError> {
    let last = Event::parse(canonical)?;
    let head = Head { tenant: last.tenant, interaction: last.interaction, seq: last.seq + 1, hash: last.hash };
    Ok((head, last.time))
}

/// What is due, gathered by the rule that it was kept under.
fn by_rule(due: &[Due]) -> Vec<(&Due, Vec<String>)> {
    let mut rules: Vec<(&Due, Vec<String>)> = Vec::new();
    for one in due {
        match rules.iter_mut().find(|(known, _)| known.rule == one.rule) {
            Some((_, classes)) => classes.push(one.class.clone()),
            None => rules.push((one, vec![one.class.clone()])),
        }
    }
    rules
}
