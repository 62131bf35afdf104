//! Schedules at work. When a schedule's time has come, a campaign begins over its customers, under a name that follows from
//! schedule and time. What was decided of which times stands in the schedule's record, `schedule.<name>`: each event says
//! up to when, and the next decision begins there. Of several nodes exactly one writes an event at its place; the others
//! read what it decided. There is no leader.
//!
//! Read first: [`decide`], which is pure.

use selvedge_record::Event;
use selvedge_workflow::schedule::{Missed, Overlap, Schedule, Whom};
use serde::{Deserialize, Serialize};

use crate::campaign::{Campaign, Plan, record_of as campaign_record};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::ports::Micros;
use crate::ports::store::RunId;
use crate::signal::Who;
use crate::switches::{Reach, a_reason};

/// A time is on time for so long; after that nobody was there for it.
pub const ON_TIME: Micros = 60_000_000;
/// Times longer ago than that are not counted any more.
const MAX_AGO: Micros = 366 * 86_400_000_000;
/// How many campaigns of a schedule may wait for one another.
const MAX_WAITING: usize = 10;

/// One event of a schedule's record. `upto`: what becomes of times until then is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum ScheduleFact {
    /// It was seen for the first time.
    #[serde(rename = "schedule.began")]
    Began {
        /// Nothing before this is made up for.
        upto: Micros,
    },
    /// Times came.
    #[serde(rename = "schedule.fired")]
    Fired {
        /// Until when.
        upto: Micros,
        /// The campaigns that begin with it.
        campaigns: Vec<String>,
        /// So many times were missed and are not made up for.
        missed: u64,
        /// So many times came while the campaign before still went on, and begin none.
        overlapped: u64,
    },
    /// Somebody paused it.
    #[serde(rename = "schedule.paused")]
    Paused {
        /// Until when.
        upto: Micros,
        /// Why.
        reason: String,
    },
    /// Somebody resumed it: what came meanwhile was missed.
    #[serde(rename = "schedule.resumed")]
    Resumed {
        /// Until when.
        upto: Micros,
        /// Why.
        reason: String,
    },
}

impl ScheduleFact {
    /// What an event of a schedule's record says.
    pub fn of(event: &Event) -> Result<ScheduleFact, EngineError> {
        serde_json::from_value(serde_json::json!({ "type": event.kind, "data": event.data }))
            .map_err(|e| EngineError::Broken { what: format!("event `{}` cannot be read: {e}", event.kind) })
    }
}

/// Where a schedule is: what its last event says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What becomes of times until then is decided.
    pub upto: Micros,
    /// Who paused it, and why.
    pub paused: Option<(String, String)>,
    /// The campaigns that began last.
    pub campaigns: Vec<String>,
    #[serde(skip)]
    length: u64,
}

/// What is to become of times that have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// These begin a campaign.
    pub fire: Vec<Micros>,
    /// So many are not made up for.
    pub missed: u64,
    /// So many came while the one before still goes.
    pub overlapped: u64,
}

/// What is to become of the times `due` at `now`, while `going` campaigns of the schedule still go.
#[must_use]
pub fn decide(due: &[Micros], now: Micros, missed: Missed, overlap: Overlap, going: usize) -> Decided {
    let (late, on_time) = due.split_at(due.partition_point(|at| *at < now - ON_TIME));
    let made_up: &[Micros] = match missed {
        Missed::Skip => &[],
        Missed::Last if on_time.is_empty() => &late[late.len().saturating_sub(1)..],
        Missed::Last => &[],
        Missed::All(most) => &late[late.len().saturating_sub(most)..],
    };
    let mut fire = [made_up, on_time].concat();
    let come = fire.len();
    match overlap {
        Overlap::Allow => {}
        Overlap::Skip => fire.truncate(usize::from(going == 0)),
        Overlap::Queue => fire.truncate(MAX_WAITING.saturating_sub(going)),
    }
    Decided { missed: (late.len() - made_up.len()) as u64, overlapped: (come - fire.len()) as u64, fire }
}

/// The campaign that a schedule begins at a time: `morning.20261123t153000z`.
#[must_use]
pub fn campaign_of(schedule: &str, at: Micros) -> String {
    let time = selvedge_record::time::to_rfc3339(at).unwrap_or_default();
    let digits = |range: std::ops::Range<usize>| time.get(range).unwrap_or_default().replace(['-', ':'], "");
    format!("{schedule}.{}t{}z", digits(0..10), digits(11..19))
}

impl Engine {
    /// Where a schedule is; `None` before any node has seen it.
    pub async fn schedule(&self, tenant: &str, name: &str) -> Result<Option<Standing>, EngineError> {
        let Some(last) = self.store().last(&record_of(tenant, name)).await? else { return Ok(None) };
        let event = Event::parse(&last.canonical)?;
        let by = event.function.as_ref().map_or(event.actor.clone(), |f| format!("{} ({f})", event.actor));
        let (upto, paused, campaigns) = match ScheduleFact::of(&event)? {
            ScheduleFact::Began { upto } | ScheduleFact::Resumed { upto, .. } => (upto, None, Vec::new()),
            ScheduleFact::Fired { upto, campaigns, .. } => (upto, None, campaigns),
            ScheduleFact::Paused { upto, reason } => (upto, Some((by, reason)), Vec::new()),
        };
        Ok(Some(Standing { upto, paused, campaigns, length: last.seq + 1 }))
    }

    /// One look at all schedules: begins what is due, on this node or another.
    pub async fn keep_schedules(&self, tenant: &str, schedules: &[Schedule]) -> Result<(), EngineError> {
        self.ready().await?;
        let mut all = Ok(());
        for schedule in schedules {
            // One that cannot begin does not hold the others.
            all = all.and(self.keep_schedule(tenant, schedule).await);
        }
        all
    }

    async fn keep_schedule(&self, tenant: &str, schedule: &Schedule) -> Result<(), EngineError> {
        let (id, now) = (record_of(tenant, &schedule.name), self.now());
        let Some(standing) = self.schedule(tenant, &schedule.name).await? else {
            self.add_at(&id, &Who::host(), &ScheduleFact::Began { upto: now }, 0).await?;
            return Ok(());
        };
        // What was decided and did not begin, because a node went down in between, begins now.
        self.begin(tenant, schedule, &standing.campaigns).await?;
        let reach = Reach { tenant: tenant.into(), workflow: schedule.workflow.clone(), ..Reach::default() };
        if standing.paused.is_some() || self.read_board(tenant).await?.stopping(&reach).is_some() {
            return Ok(());
        }
        let due: Vec<Micros> = schedule.times(standing.upto.max(now - MAX_AGO)).take_while(|at| *at <= now).collect();
        if due.is_empty() {
            return Ok(());
        }
        let going = self.going_of(tenant, schedule).await?.len();
        let Decided { fire, missed, overlapped } = decide(&due, now, schedule.missed, schedule.overlap, going);
        let campaigns: Vec<String> = fire.iter().map(|at| campaign_of(&schedule.name, *at)).collect();
        let fact = ScheduleFact::Fired { upto: now, campaigns: campaigns.clone(), missed, overlapped };
        // Where another node was quicker, the next look goes on from what it decided.
        if self.add_at(&id, &Who::host(), &fact, standing.length).await? {
            self.begin(tenant, schedule, &campaigns).await?;
        }
        Ok(())
    }

    async fn begin(&self, tenant: &str, schedule: &Schedule, campaigns: &[String]) -> Result<(), EngineError> {
        for name in campaigns {
            if self.store().last(&campaign_record(tenant, name)).await?.is_some() {
                continue;
            }
            let before = self.going_of(tenant, schedule).await?.into_iter().filter(|going| going < name).max();
            let (customers, condition) = match &schedule.whom {
                Whom::Listed(customers) => (customers.clone(), None),
                Whom::Where(condition) => (Vec::new(), Some(condition.clone())),
            };
            let plan = Plan {
                workflow: schedule.workflow.clone(),
                channel: schedule.channel.clone(),
                per_minute: schedule.per_minute,
                at_once: schedule.at_once,
                customers: condition,
                after: before.filter(|_| schedule.overlap == Overlap::Queue),
            };
            let who = Who { actor: format!("schedule:{}", schedule.name), ..Who::default() };
            match self.start_campaign(tenant, name, plan, customers.into_iter(), &who).await {
                Ok(Campaign { .. }) | Err(EngineError::CampaignThere { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Campaigns of a schedule that still go.
    async fn going_of(&self, tenant: &str, schedule: &Schedule) -> Result<Vec<String>, EngineError> {
        let prefix = format!("{}.", schedule.name);
        Ok(self.store().going(tenant).await?.into_iter().filter(|name| name.starts_with(&prefix)).collect())
    }

    /// Pauses a schedule, or lets it go on: what came meanwhile was missed.
    ///
    /// Errors: E511 (no reason), E534 (it is, or is not, paused), E535 (no node has seen it).
    pub async fn pause_schedule(
        &self,
        tenant: &str,
        name: &str,
        pause: bool,
        reason: &str,
        who: &Who,
    ) -> Result<(), EngineError> {
        let reason = a_reason(reason)?;
        loop {
            let unknown = || EngineError::NoSchedule { schedule: name.into() };
            let Standing { upto, paused, length, .. } = self.schedule(tenant, name).await?.ok_or_else(unknown)?;
            let why = match (pause, paused) {
                (true, Some(_)) => Some("it is paused"),
                (false, None) => Some("it is not paused"),
                _ => None,
            };
            if let Some(why) = why {
                return Err(EngineError::CampaignNot { campaign: name.into(), why: why.into() });
            }
            let reason = reason.clone();
            let fact =
                if pause { ScheduleFact::Paused { upto, reason } } else { ScheduleFact::Resumed { upto, reason } };
            if self.add_at(&record_of(tenant, name), who, &fact, length).await? {
                return Ok(());
            }
        }
    }
}

fn record_of(tenant: &str, name: &str) -> RunId {
    RunId { tenant: tenant.into(), interaction: format!("schedule.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = 3_600_000_000;
    const NOW: Micros = 100 * HOUR;

    fn decided(hours_ago: &[Micros], missed: Missed, overlap: Overlap, going: usize) -> (Vec<Micros>, u64, u64) {
        let due: Vec<Micros> = hours_ago.iter().map(|ago| NOW - ago * HOUR).collect();
        let Decided { fire, missed, overlapped } = decide(&due, NOW, missed, overlap, going);
        (fire.iter().map(|at| (NOW - at) / HOUR).collect(), missed, overlapped)
    }

    #[test]
    fn what_is_missed_is_made_up_for_as_it_says() {
        let at = |hours: &[Micros], missed| decided(hours, missed, Overlap::Allow, 0);
        assert_eq!(at(&[3, 2, 1], Missed::Skip), (vec![], 3, 0));
        assert_eq!(at(&[3, 2, 0], Missed::Skip), (vec![0], 2, 0), "what is on time is not missed");
        assert_eq!(at(&[3, 2, 1], Missed::Last), (vec![1], 2, 0));
        assert_eq!(at(&[3, 2, 0], Missed::Last), (vec![0], 2, 0), "the one on time makes up for them");
        assert_eq!(at(&[3, 2, 1], Missed::All(2)), (vec![2, 1], 1, 0));
        assert_eq!(at(&[3, 0], Missed::All(5)), (vec![3, 0], 0, 0));
    }

    #[test]
    fn what_overlaps_does_as_it_says() {
        let at = |overlap, going| decided(&[2, 1], Missed::All(9), overlap, going);
        assert_eq!(at(Overlap::Allow, 3), (vec![2, 1], 0, 0));
        assert_eq!(at(Overlap::Skip, 1), (vec![], 0, 2));
        assert_eq!(at(Overlap::Skip, 0), (vec![2], 0, 1));
        assert_eq!(at(Overlap::Queue, 1), (vec![2, 1], 0, 0));
        assert_eq!(at(Overlap::Queue, MAX_WAITING), (vec![], 0, 2), "no queue without an end");
    }

    #[test]
    fn a_campaign_is_named_after_its_time() {
        assert_eq!(campaign_of("morning", 1_795_449_840_000_000), "morning.20261123t160400z");
    }
}
