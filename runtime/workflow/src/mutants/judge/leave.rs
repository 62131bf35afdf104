//! What becomes of a state on the way out of a node: what was proved there, said, paid, and the time that it took.

use super::State;
use crate::compile::Sources;
use crate::dictionary::Level;
use crate::disclosures::{Demand, DisclosureRule};
use crate::plan::{Carries, Exit, Node, Op};
use crate::source::{HOUR, MINUTE};

/// How long the contact rules may hold a message: over a night.
const NIGHT: i64 = 24 * HOUR;
/// How long a customer holds the line.
const HELD: i64 = 15 * MINUTE;

pub(super) fn proved(state: &State, level: Level) -> bool {
    match level {
        Level::L0 => true,
        Level::L1 => state.left[0] > 0,
        Level::L2 => state.left[1] > 0,
    }
}

/// The states in which a node can be left by an exit: at once, and as late as may be.
pub(super) fn leave(node: &Node, exit: Exit, state: &State, sources: &Sources) -> Vec<State> {
    let link = || state.links.get(&node.step).copied().unwrap_or(0);
    let mut after = state.clone();
    let longest = match (&node.op, exit) {
        (Op::Check { subject, .. }, Exit::Done) => {
            after.checked = Some(subject.clone());
            0
        }
        (Op::Send { to, carries, .. }, Exit::Done) => {
            match carries {
                Carries::Code => after.code = Some(state.checked.as_ref() == Some(to)),
                Carries::Link { opens, lasts } => drop(after.links.insert(opens.clone(), *lasts)),
                Carries::Nothing => {}
            }
            // A code to a channel is worth what the check of it was worth, once.
            after.checked = None;
            NIGHT
        }
        (Op::Send { .. }, _) => NIGHT,
        (Op::Answer { within, level, valid, .. }, Exit::Done) => {
            after = pass(&after, *within);
            let by_channel = if state.code == Some(true) { Level::L2 } else { Level::L1 };
            let by_method = sources.assurance.methods.get("code").copied().unwrap_or(Level::L0);
            let level = (*level).min(by_channel).min(by_method);
            for (slot, proves) in after.left.iter_mut().zip([Level::L1, Level::L2]) {
                if level >= proves {
                    *slot = (*slot).max(*valid);
                }
            }
            after.code = None;
            0
        }
        (Op::Answer { within, .. }, _) => *within,
        (Op::Offer { within, .. }, exit) => {
            if exit == Exit::Done {
                after.accepted.insert(node.step.clone());
            }
            *within
        }
        (Op::Open, exit) => {
            after.page |= exit == Exit::Done;
            after.gone &= exit != Exit::Done;
            link()
        }
        (Op::Fresh { needs, .. }, Exit::Fresh) if !proved(state, *needs) => return Vec::new(),
        // What was proved before the link was opened is gone for who is asked anew, whatever is left of it.
        (Op::Fresh { anew: true, .. }, Exit::Stale) => {
            after.left = [0; 2];
            0
        }
        (Op::Fresh { needs, .. }, Exit::Stale) if proved(state, *needs) => return Vec::new(),
        (Op::Disclose { words: Some(words), .. }, Exit::Done) => {
            after.said.insert(words.clone());
            after.owed.remove(words);
            let about = |rule: &&DisclosureRule| rule.purposes.contains(&sources.workflow.purpose.value);
            for rule in sources.disclosures.rules.iter().filter(about) {
                if let Demand::Follows { words: next, after: first, within } = &rule.then
                    && first == words
                {
                    after.owed.insert(next.clone(), *within);
                }
            }
            0
        }
        // Who is proved when it comes to be said does not stop being so in that moment.
        (Op::Disclose { words: Some(_), .. }, _) => return Vec::new(),
        (Op::Card { .. }, Exit::Done) => {
            after.card = true;
            0
        }
        (Op::Charge { .. }, exit) => {
            after.card = false;
            if exit == Exit::Done {
                after.paid.insert(node.step.clone());
            }
            // A declined card brings the customer back to the page that asked who it is.
            if exit == Exit::Declined { 0 } else { link() }
        }
        (Op::Debit { .. }, Exit::Done) => {
            after.paid.insert(node.step.clone());
            0
        }
        (Op::Debit { .. } | Op::Changed { .. } | Op::Remember { .. }, _) => 0,
        (Op::Validate { .. }, exit) => {
            after.card = false;
            after.validated = exit == Exit::Done;
            if exit == Exit::Declined { 0 } else { link() }
        }
        (Op::Keep { .. }, _) => {
            after.kept = true;
            after.validated = false;
            0
        }
        (Op::Handoff { to, within }, exit) => {
            after.call = if exit == Exit::Done { to == "call" } else { state.call };
            *within
        }
        (Op::Wait { lasts }, _) => {
            after = pass(&after, *lasts);
            after.gone = true;
            0
        }
        (Op::Ask { within, .. } | Op::Approve { within, .. }, _) => {
            after.gone |= *within > HELD;
            after.answered.insert(node.step.clone());
            *within
        }
        (Op::Check { .. } | Op::Disclose { .. } | Op::Fresh { .. } | Op::Card { .. }, _) => 0,
        (Op::Call { .. } | Op::When { .. } | Op::Record { .. } | Op::Fork { .. } | Op::Join, _) => 0,
    };
    let late = pass(&after, longest);
    if late == after { vec![after] } else { vec![after, late] }
}

/// The same, so much later.
fn pass(state: &State, time: i64) -> State {
    let mut state = state.clone();
    for left in &mut state.left {
        *left = left.saturating_sub(time).max(0);
    }
    for left in state.owed.values_mut() {
        *left = left.saturating_sub(time).max(-1);
    }
    state
}
