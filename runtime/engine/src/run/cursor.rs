//! Where a run stands: at one place of its plan, or at several while branches are under way.

use super::Run;
use crate::ports::Micros;

/// Where the main line of a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// At this place.
    Node(String),
    /// At an end: `completed`, `failed`, `declined`.
    End(String),
}

/// How far it got with the node that it stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Just arrived.
    Entered,
    /// A policy said yes; the effect may be intended.
    Permitted,
    /// The contact rules said: not before then.
    Deferred(Micros),
    /// The intent is durable, the outcome is not.
    Intended(Effect),
    /// The last attempt certainly did nothing; the next is at this time.
    Postponed(Effect, Micros),
    /// Maybe done; asked so many times; asked next at this time.
    Unclear(Effect, u32, Micros),
    /// Maybe done, and nobody can be asked any more.
    NeedsPerson(Effect, String),
    /// What a step did could not be undone; a person decides.
    UndoFailed(Effect, String),
    /// Waiting for somebody until then.
    Waiting(Micros),
    /// Branches are under way, and meet here.
    Branched(Branches),
}

/// Branches that meet at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branches {
    /// Where the next item of a list begins.
    pub first: String,
    /// How many items have begun, of how many.
    pub begun: u32,
    /// How many items there are.
    pub items: u32,
    /// What the first branch ended with that did not come here: `failed`.
    pub ending: Option<String>,
}

/// An effect under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its name for the vendor.
    pub key: String,
    /// The attempt.
    pub attempt: u32,
    /// When it was first intended.
    pub since: Micros,
}

/// What halts a run, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The switch: `kill-3`.
    pub switch: String,
    /// What it stops.
    pub scope: String,
    /// Who set it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When the run met it.
    pub since: Micros,
}

/// A place where a run stands, and how far it got there. Every fact about a node names its place, so that of several
/// cursors the one is meant that stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The node's name, and in a `for-each` the item: `reminder#3`.
    pub place: String,
    /// Where the branch meets the others; the main line has none.
    pub join: Option<String>,
    /// How far it got there.
    pub phase: Phase,
    /// The contact rules said no to a message that may have left already.
    pub stopped: bool,
    /// The risk of what it stands before was weighed, and it may go on.
    pub weighed: bool,
    /// Wrong codes given at this wait.
    pub wrong: u32,
    /// The kill switch that halts it here.
    pub halted: Option<Halt>,
}

impl Cursor {
    /// One that has just arrived.
    pub(super) fn at(place: &str, join: Option<String>) -> Cursor {
        Cursor {
            place: place.to_owned(),
            join,
            phase: Phase::Entered,
            stopped: false,
            weighed: false,
            wrong: 0,
            halted: None,
        }
    }

    /// The effect that is under way here.
    pub fn effect(&self) -> Option<&Effect> {
        match &self.phase {
            Phase::Intended(e) | Phase::Postponed(e, _) | Phase::Unclear(e, _, _) => Some(e),
            Phase::NeedsPerson(e, _) | Phase::UndoFailed(e, _) => Some(e),
            _ => None,
        }
    }

    /// Whether somebody is awaited here.
    pub fn waits(&self) -> bool {
        matches!(self.phase, Phase::Waiting(_))
    }

    /// When it wants to be looked at if nothing arrives, and whether it is in the middle of something.
    pub(super) fn wake(&self) -> (Option<Micros>, bool) {
        if self.halted.is_some() {
            return (None, false);
        }
        match &self.phase {
            Phase::Waiting(at) | Phase::Deferred(at) | Phase::Postponed(_, at) | Phase::Unclear(_, _, at) => {
                (Some(*at), false)
            }
            Phase::NeedsPerson(..) | Phase::UndoFailed(..) | Phase::Branched(_) => (None, false),
            Phase::Entered | Phase::Permitted | Phase::Intended(_) => (None, true),
        }
    }

    /// Why a person is waited for here.
    pub fn needs_person(&self) -> Option<&str> {
        match &self.phase {
            Phase::NeedsPerson(_, why) | Phase::UndoFailed(_, why) => Some(why),
            _ => None,
        }
    }

    pub(super) fn under_way(&mut self, to: impl FnOnce(Effect) -> Phase) {
        if let Some(effect) = self.effect().cloned() {
            self.phase = to(effect);
        }
    }
}

impl Run {
    /// The kill switches that halt it, each at one of its places or at several.
    pub fn halts(&self) -> Vec<&Halt> {
        let mut halts: Vec<&Halt> = Vec::new();
        for halt in self.cursors.iter().filter_map(|cursor| cursor.halted.as_ref()) {
            if !halts.iter().any(|known| known.switch == halt.switch) {
                halts.push(halt);
            }
        }
        halts
    }
}
