//! What must happen next? Pure functions of the plan, the run and the time: [`next`] says what the run asks
//! for, [`on_signal`] and [`after`] turn what came of it into facts. Nothing here waits, reads or writes.

mod effect;
mod rules;
mod signal;

use selvedge_policy::{Verdict, assess};
use selvedge_workflow::plan::{Amount, Ending, Exit, Node, Op, Plan, Target};

pub(crate) use self::effect::reported;
pub use self::effect::{Before, MAX_ASKED, MAX_ATTEMPTS, MAX_PAUSE, SETTLE, after, asked, before, card_node};
pub use self::rules::{condition_decided, contact_decided, stale_target};
pub use self::signal::{MAX_PROOFS, on_signal};
use crate::error::EngineError;
use crate::fact::{Commitment, Fact};
use crate::ports::{Charged, Micros, Observed, Signal as Finds};
use crate::run::{Cursor, Effect, Phase, Run};

/// What a run asks for. `node` is where it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<'p> {
    /// These facts follow from the state and the time alone.
    Take(Vec<Fact>),
    /// May this contact be made? Then [`contact_decided`].
    AskContact(&'p Node),
    /// Commit to the node's fields and show them. The decision that allows it is a fact already.
    Disclose(&'p Node),
    /// Open what the node's condition reads, ask it, then [`condition_decided`].
    Decide(&'p Node),
    /// Work out terms and offer them.
    Offer(&'p Node),
    /// Intend this effect, then try it.
    Try(&'p Node, Effect),
    /// Ask the vendor what became of this effect; it has been asked so many times.
    Ask(&'p Node, Effect, u32),
    /// Nothing until then, or until something arrives.
    Park,
    /// Nothing ever again.
    Over,
}

/// What an attempt gave, as the engine needs it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A channel's.
    Sent(Observed<String>),
    /// A verifier's.
    Checked(Observed<Finds>),
    /// A gateway's.
    Charged(Observed<Charged>),
    /// A service's; the text of the answer is sealed already.
    Answered(Observed<Commitment>),
}

/// The function of a connector that an op calls.
pub fn function(op: &Op) -> &str {
    match op {
        Op::Call { function, .. } => function,
        Op::Check { .. } => "check",
        Op::Charge { .. } => "charge",
        _ => "send",
    }
}

/// The effect class of what a node calls: the one that the connector declares, or the narrower one of the workflow.
pub fn class(plan: &Plan, node: &Node, class_of: &dyn Fn(&str, &str) -> String) -> String {
    match &node.op {
        Op::Call { class: Some(class), .. } => class.clone(),
        op => class_of(connector(plan, node), function(op)),
    }
}

/// Where an exit leads, as the record writes it.
pub fn target(plan: &Plan, node: &Node, exit: Exit) -> String {
    write_target(plan, node.target(exit))
}

/// A target as the record writes it.
pub fn write_target(plan: &Plan, target: Target) -> String {
    match target {
        Target::Node(index) => plan.nodes.get(index).map_or_else(|| "end:failed".into(), |n| n.name.clone()),
        Target::End(Ending::Completed) => "end:completed".into(),
        Target::End(Ending::Declined) => "end:declined".into(),
        Target::End(Ending::Failed) => "end:failed".into(),
    }
}

/// The node of a place.
pub fn node<'p>(plan: &'p Plan, place: &str) -> Result<&'p Node, EngineError> {
    let broken = || EngineError::Broken { what: format!("the plan of `{}` has no node `{place}`", plan.workflow) };
    plan.nodes.iter().find(|node| node.name == place).ok_or_else(broken)
}

/// The nodes that a run stands at, each with how far it got there.
pub fn standing<'p, 'r>(plan: &'p Plan, run: &'r Run) -> Result<Vec<(&'p Node, &'r Cursor)>, EngineError> {
    run.cursors.iter().map(|cursor| Ok((node(plan, &cursor.place)?, cursor))).collect()
}

/// What `run` asks for at `now`. `class_of` gives the effect class of (connector, function).
pub fn next<'p>(
    plan: &'p Plan,
    run: &Run,
    class_of: &dyn Fn(&str, &str) -> String,
    now: Micros,
) -> Result<Next<'p>, EngineError> {
    for cursor in &run.cursors {
        match next_at(plan, run, cursor, class_of, now)? {
            Next::Park => {}
            next => return Ok(next),
        }
    }
    Ok(match &run.ended {
        Some(ending) if !run.closed => Next::Take(vec![Fact::Closed { ending: ending.clone() }]),
        Some(_) => Next::Over,
        None => Next::Park,
    })
}

/// What it asks for at one of the places where it stands.
pub fn next_at<'p>(
    plan: &'p Plan,
    run: &Run,
    cursor: &Cursor,
    class_of: &dyn Fn(&str, &str) -> String,
    now: Micros,
) -> Result<Next<'p>, EngineError> {
    let node = node(plan, &cursor.place)?;
    if run.is_paused() {
        return Ok(Next::Park);
    }
    if run.cancelled
        && let Some(next) = effect::clear_up(node, &cursor.phase, &class(plan, node, class_of), now)
    {
        return Ok(next);
    }
    Ok(match &cursor.phase {
        Phase::Entered => entered(plan, run, node, now),
        Phase::Permitted => permitted(run, node, now),
        Phase::Deferred(until) if now >= *until => Next::AskContact(node),
        Phase::Waiting(until) if now >= *until => Next::Take(vec![in_time(plan, node)]),
        Phase::Intended(effect) => effect::resume(node, effect, &class(plan, node, class_of), now),
        Phase::Postponed(effect, at) if now >= *at => {
            Next::Try(node, Effect { attempt: effect.attempt + 1, ..effect.clone() })
        }
        Phase::Unclear(effect, asked, at) if now >= *at => Next::Ask(node, effect.clone(), *asked),
        Phase::Deferred(_) | Phase::Waiting(_) | Phase::Postponed(..) | Phase::Unclear(..) | Phase::NeedsPerson(..) => {
            Next::Park
        }
    })
}

/// What follows when nothing came in time.
fn in_time(plan: &Plan, node: &Node) -> Fact {
    let (name, next) = (node.name.clone(), target(plan, node, Exit::Timeout));
    match &node.op {
        Op::Wait { .. } => {
            Fact::WaitEnded { node: name, why: "it is time".into(), next: target(plan, node, Exit::Done) }
        }
        Op::Ask { otherwise, .. } => {
            Fact::QuestionAnswered { node: name, answer: otherwise.clone(), in_time: false, next }
        }
        _ => Fact::WaitEnded { node: name, why: "time ran out".into(), next },
    }
}

/// The connector's own name behind the name that the workflow gives it.
pub fn connector<'p>(plan: &'p Plan, node: &'p Node) -> &'p str {
    match &node.op {
        Op::Check { connector, .. }
        | Op::Send { connector, .. }
        | Op::Charge { connector, .. }
        | Op::Call { connector, .. } => plan.uses.get(connector).map_or(connector.as_str(), String::as_str),
        _ => "",
    }
}

fn entered<'p>(plan: &'p Plan, run: &Run, node: &'p Node, now: Micros) -> Next<'p> {
    let wait = |what: &str, until: Micros| {
        Next::Take(vec![Fact::WaitBegan { node: node.name.clone(), what: what.into(), until }])
    };
    match &node.op {
        Op::Check { .. } | Op::Call { .. } => first_try(run, node, now),
        Op::Send { .. } => Next::AskContact(node),
        Op::Answer { within, .. } => wait("the code", now + within),
        Op::Offer { .. } => Next::Offer(node),
        Op::Wait { lasts } => wait("its time", now + lasts),
        Op::When { .. } => Next::Decide(node),
        Op::Ask { question, of, answers, within, .. } => Next::Take(vec![Fact::QuestionAsked {
            node: node.name.clone(),
            question: question.clone(),
            of: of.clone(),
            answers: answers.clone(),
            until: now + within,
        }]),
        Op::Approve { terms: about, of, within } => Next::Take(vec![match run.offers.get(about) {
            Some(offer) => Fact::ApprovalAsked {
                node: node.name.clone(),
                of: of.clone(),
                about: about.clone(),
                terms: offer.terms.clone(),
                until: now + within,
            },
            None => Fact::WaitEnded {
                node: node.name.clone(),
                why: "there are no terms to approve".into(),
                next: target(plan, node, Exit::Refused),
            },
        }]),
        Op::Open => wait("the link to be opened", link_expires(run, node)),
        Op::Card { .. } => wait("the card", link_expires(run, node)),
        Op::Fresh { needs } => {
            let decision = assess(*needs, &run.id.interaction, &run.assertions, now);
            let exit = if decision.verdict == Verdict::Permit { Exit::Fresh } else { Exit::Stale };
            Next::Take(vec![Fact::AssuranceDecided {
                node: node.name.clone(),
                needs: needs.name().into(),
                decision,
                next: Some(target(plan, node, exit)),
            }])
        }
        Op::Disclose { needs, .. } => rules::assurance(plan, run, node, *needs, Exit::Refused, now),
        Op::Charge { needs, .. } => match stale_target(plan, node) {
            // Too long on the page: the customer proves again who they are, and no card is charged.
            Some(again) if assess(*needs, &run.id.interaction, &run.assertions, now).verdict != Verdict::Permit => {
                Next::Take(vec![Fact::AssuranceDecided {
                    node: node.name.clone(),
                    needs: needs.name().into(),
                    decision: assess(*needs, &run.id.interaction, &run.assertions, now),
                    next: Some(again),
                }])
            }
            _ => rules::assurance(plan, run, node, *needs, Exit::Failed, now),
        },
    }
}

fn permitted<'p>(run: &Run, node: &'p Node, now: Micros) -> Next<'p> {
    match &node.op {
        Op::Disclose { .. } => Next::Disclose(node),
        _ => first_try(run, node, now),
    }
}

fn first_try<'p>(run: &Run, node: &'p Node, now: Micros) -> Next<'p> {
    Next::Try(node, Effect { key: run.key(&node.name), attempt: 1, since: now })
}
fn link_expires(run: &Run, node: &Node) -> Micros {
    run.links.get(&node.step).map_or(run.updated, |l| l.expires)
}
/// The commitment of the terms that an amount comes from.
pub fn terms_of(run: &Run, amount: &Amount) -> Option<String> {
    match amount {
        Amount::FirstPart { offer } => run.offers.get(offer).map(|o| o.terms.clone()),
        Amount::Field(_) => None,
    }
}
#[cfg(test)]
mod tests;
