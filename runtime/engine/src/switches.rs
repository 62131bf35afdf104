//! Kill switches. A switch stops a workflow, a connector, a vendor, a channel or a tenant: from the moment that it is
//! set, no effect within its reach leaves, from any node, and the record proves it.
//!
//! Setting and lifting are events of a record of its own, [`SWITCHES`], one per tenant. Its length is the *epoch*.
//! The path of the main thing: the driver looks at the [`Board`] before it takes up an effect; the intent carries the
//! epoch that it was decided at, and the store refuses to write it at any other one, in the same transaction
//! ([`Commit::epoch`](crate::ports::store::Commit)); right before the call the driver looks once more. So what is
//! still under way when a switch is set was intended before it, and [`Engine::kill`](crate::Engine::kill) waits for each
//! of these and says what became of it. [`prove`] shows all of that to who does not believe us, from the log alone.
//!
//! Read first: [`Board::stopping`]. Absent on purpose: messages between nodes. The store is where they meet.

mod kill;
pub mod prove;
mod silence;

pub(crate) use kill::a_reason;
pub use kill::is_id;

use std::fmt;
use std::str::FromStr;

use selvedge_record::{Event, Head};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::kill::reach;
use crate::error::EngineError;
use crate::ports::Micros;
use crate::ports::store::Stored;

/// The name of each tenant's record of switches.
pub const SWITCHES: &str = "switches";
/// The longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 500;
/// How many effects an answer and its event list by name.
pub const MAX_LISTED: usize = 200;

/// What a switch stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// All runs of a workflow.
    Workflow,
    /// All calls of a connector.
    Connector,
    /// All calls of a vendor's connectors.
    Vendor,
    /// All messages over a channel: `sms`.
    Channel,
    /// Everything.
    Tenant,
}

impl Over {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Over::Workflow => "workflow",
            Over::Connector => "connector",
            Over::Vendor => "vendor",
            Over::Channel => "channel",
            Over::Tenant => "tenant",
        }
    }
}

impl FromStr for Over {
    type Err = ();

    fn from_str(word: &str) -> Result<Over, ()> {
        let all = [Over::Workflow, Over::Connector, Over::Vendor, Over::Channel, Over::Tenant];
        all.into_iter().find(|over| over.name() == word).ok_or(())
    }
}

/// What exactly: `connector:brightline-sms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The kind of thing.
    pub over: Over,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.over.name(), self.name)
    }
}

/// A switch, set and perhaps lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// `kill-3`: the epoch that it began.
    pub id: String,
    /// What it stops.
    pub scope: Scope,
    /// Who set it, and as what.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Micros,
    /// The epoch that it began: an intent with this one or a later one was decided under it.
    pub epoch: u64,
    /// Set when it was lifted.
    pub lifted: Option<Lifted>,
}

/// The end of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lifted {
    /// Who lifted it, and as what.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Micros,
    /// The epoch that began with it.
    pub epoch: u64,
}

/// One event of the record of switches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum SwitchFact {
    /// A switch was set.
    #[serde(rename = "switch.set")]
    Set {
        /// What it stops.
        scope: Scope,
        /// Why.
        reason: String,
    },
    /// What had been intended before a switch was set, and what became of it.
    #[serde(rename = "switch.settled")]
    Settled {
        /// The switch.
        switch: String,
        /// What became of it.
        under_way: UnderWay,
    },
    /// A switch was lifted.
    #[serde(rename = "switch.lifted")]
    Lifted {
        /// The switch.
        switch: String,
        /// Why.
        reason: String,
    },
}

/// Effects that had been intended when a switch was set, by their keys; at most [`MAX_LISTED`] of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// They had left; their outcome is in their record.
    pub left: Vec<String>,
    /// They were stopped before they left.
    pub stopped: Vec<String>,
    /// Nobody has said in time: the call still hangs, or the node that made it is gone.
    pub unknown: Vec<String>,
}

/// What setting a switch came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Killed {
    /// The switch.
    pub switch: Switch,
    /// What was under way.
    pub under_way: UnderWay,
}

/// What an effect would touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The tenant.
    pub tenant: String,
    /// The workflow.
    pub workflow: String,
    /// The connector that would be called; empty where none is.
    pub connector: String,
    /// Its vendor.
    pub vendor: String,
    /// The channel of a message; empty where there is none.
    pub channel: String,
}

impl Reach {
    fn within(&self, scope: &Scope) -> bool {
        let touched = match scope.over {
            Over::Workflow => &self.workflow,
            Over::Connector => &self.connector,
            Over::Vendor => &self.vendor,
            Over::Channel => &self.channel,
            Over::Tenant => &self.tenant,
        };
        *touched == scope.name
    }
}

/// A tenant's switches as they stand: the fold of their record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    head: Head,
    switches: Vec<Switch>,
}

impl Board {
    /// Folds the record.
    pub fn fold(tenant: &str, record: &[Stored]) -> Result<Board, EngineError> {
        let mut board = Board { head: Head::start(tenant, SWITCHES), switches: Vec::new() };
        for stored in record {
            board.apply(&Event::parse(&stored.canonical)?)?;
        }
        Ok(board)
    }

    fn apply(&mut self, event: &Event) -> Result<(), EngineError> {
        let epoch = event.seq + 1;
        self.head = Head { seq: epoch, hash: event.hash, ..self.head.clone() };
        let (by, at) = (by(event), event.time);
        match SwitchFact::of(event)? {
            SwitchFact::Set { scope, reason } => {
                self.switches.push(Switch { id: format!("kill-{epoch}"), scope, by, reason, at, epoch, lifted: None });
            }
            SwitchFact::Lifted { switch, reason } => {
                for switch in self.switches.iter_mut().filter(|s| s.id == switch) {
                    switch.lifted = Some(Lifted { by: by.clone(), reason: reason.clone(), at, epoch });
                }
            }
            SwitchFact::Settled { .. } => {}
        }
        Ok(())
    }

    /// The epoch: how many events the record has.
    pub fn epoch(&self) -> u64 {
        self.head.seq
    }

    /// The switch that stops what would reach so far, the oldest first.
    pub fn stopping(&self, reach: &Reach) -> Option<&Switch> {
        self.switches.iter().find(|switch| switch.lifted.is_none() && reach.within(&switch.scope))
    }

    /// All switches, the oldest first.
    pub fn switches(&self) -> &[Switch] {
        &self.switches
    }

    /// A switch by its id.
    pub fn switch(&self, id: &str) -> Option<&Switch> {
        self.switches.iter().find(|switch| switch.id == id)
    }
}

impl SwitchFact {
    /// What an event of the record of switches says.
    pub fn of(event: &Event) -> Result<SwitchFact, EngineError> {
        serde_json::from_value(serde_json::json!({ "type": event.kind, "data": event.data }))
            .map_err(|e| EngineError::Broken { what: format!("event `{}` cannot be read: {e}", event.kind) })
    }

    fn kind_and_data(&self) -> Result<(String, Value), EngineError> {
        let broken = || EngineError::Broken { what: "a switch could not be written".into() };
        let mut value = serde_json::to_value(self).map_err(|_| broken())?;
        match (value["type"].take(), value["data"].take()) {
            (Value::String(kind), data) => Ok((kind, data)),
            _ => Err(broken()),
        }
    }
}

/// `person:sam (supervisor)`.
fn by(event: &Event) -> String {
    match &event.function {
        Some(function) => format!("{} ({function})", event.actor),
        None => event.actor.clone(),
    }
}
