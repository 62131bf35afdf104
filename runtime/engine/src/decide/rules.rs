//! What is answered before the run goes on, as facts: may this contact be made, are we sure enough of who it is, is the
//! risk too high, does a condition hold?

use selvedge_policy::{Action, Decision, Place, Verdict, Weighed, assess, assess_anew};
use selvedge_workflow::dictionary::Level;
use selvedge_workflow::plan::{Carries, Exit, Node, Op, Plan};

use super::{Next, target};
use crate::fact::{Fact, Moment};
use crate::ports::{Access, Micros};
use crate::run::Run;

pub(super) fn assurance<'p>(
    plan: &Plan,
    run: &Run,
    node: &Node,
    needs: Level,
    otherwise: Exit,
    now: Micros,
) -> Next<'p> {
    let decision = proved(run, node, needs, now);
    let next = (decision.verdict != Verdict::Permit).then(|| target(plan, node, otherwise));
    Next::Take(vec![Fact::AssuranceDecided { node: node.name.clone(), needs: needs.name().into(), decision, next }])
}
/// Are we sure enough of who it is for this node? What is asked for anew counts from when the step's link was opened.
pub(super) fn proved(run: &Run, node: &Node, needs: Level, now: Micros) -> Decision {
    match &node.op {
        Op::Fresh { anew: true, .. } | Op::Validate { .. } => {
            let before = run.links.get(&node.step).and_then(|link| link.opened).unwrap_or(usize::MAX);
            assess_anew(before, needs, &run.id.interaction, &run.assertions, now)
        }
        _ => assess(needs, &run.id.interaction, &run.assertions, now),
    }
}
/// Where the step of this node asks again who it is: the stale exit of its `Fresh` node.
pub fn stale_target(plan: &Plan, node: &Node) -> Option<String> {
    let fresh = plan.nodes.iter().find(|n| n.step == node.step && matches!(n.op, Op::Fresh { .. }))?;
    Some(target(plan, fresh, Exit::Stale))
}
/// The contact rules answered.
///
/// A no to a message that may have left already leads nowhere yet: the vendor is asked first.
pub fn contact_decided(
    plan: &Plan,
    run: &Run,
    node: &Node,
    moment: Moment,
    purpose: &str,
    channel: &str,
    decision: Decision,
) -> Fact {
    let refused = decision.verdict == Verdict::Deny && run.effect(&node.name).is_none();
    let next = refused.then(|| target(plan, node, Exit::Refused));
    Fact::ContactDecided {
        node: node.name.clone(),
        moment,
        purpose: purpose.into(),
        channel: channel.into(),
        decision,
        next,
    }
}

/// What a node is for those who weigh its risk; `None`: nobody pretends to be somebody else for it.
pub fn place(op: &Op) -> Option<Place> {
    match op {
        Op::Send { carries: Carries::Code, .. } => Some(Place::Code),
        Op::Disclose { needs, .. } | Op::Charge { needs, .. } if *needs != Level::L0 => Some(Place::Action),
        Op::Validate { needs, .. } if *needs != Level::L0 => Some(Place::Action),
        _ => None,
    }
}

/// The risk was weighed.
pub fn risk_decided(plan: &Plan, node: &Node, weighed: Weighed) -> Fact {
    let Weighed { action, points, decision } = weighed;
    let again = || stale_target(plan, node).filter(|_| action == Action::StepUp);
    let refused = || match &node.op {
        Op::Charge { .. } | Op::Validate { .. } => again().unwrap_or_else(|| target(plan, node, Exit::Failed)),
        _ => target(plan, node, Exit::Refused),
    };
    // A check that is not clear goes on by its own outcome.
    let decides = place(&node.op).is_some() && decision.verdict != Verdict::Permit;
    let next = decides.then(refused);
    Fact::RiskDecided { node: node.name.clone(), action: action.name().into(), points, decision, next }
}

/// A condition was asked; `Err` says why it has no answer.
pub fn condition_decided(plan: &Plan, node: &Node, answer: Result<bool, String>, accesses: Vec<Access>) -> Fact {
    let (answer, why, exit) = match answer {
        Ok(true) => ("yes", String::new(), Exit::Yes),
        Ok(false) => ("no", String::new(), Exit::No),
        Err(why) => ("none", why, Exit::Failed),
    };
    let next = target(plan, node, exit);
    Fact::ConditionDecided { node: node.name.clone(), answer: answer.into(), why, accesses, next }
}

/// What a node writes down of the customer.
pub fn noted(plan: &Plan, node: &Node) -> Vec<Fact> {
    let Op::Record { what } = &node.op else { return Vec::new() };
    vec![Fact::Noted { node: node.name.clone(), what: what.clone(), next: target(plan, node, Exit::Done) }]
}
