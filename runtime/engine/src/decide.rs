//! What must happen next? Pure functions of the plan, the run and the time: [`next`] says what the run asks
//! for, [`on_signal`] and [`after`] turn what came of it into facts. Nothing here waits, reads or writes.

mod effect;
mod rules;
mod signal;

use std::borrow::Cow;

use selvedge_policy::Verdict;
use selvedge_workflow::dictionary::of_item;
use selvedge_workflow::plan::{Amount, Ending, Exit, Node, Op, Plan, Target, undo_of};

pub use self::effect::{Before, MAX_ASKED, MAX_ATTEMPTS, MAX_PAUSE, SETTLE, after, asked, before, card_node};
pub(crate) use self::effect::{left, reported};
pub use self::rules::{condition_decided, contact_decided, noted, place, risk_decided, stale_target};
pub(crate) use self::signal::ANOTHER_BROWSER;
pub use self::signal::{MAX_PROOFS, on_signal};
use crate::error::EngineError;
use crate::fact::{Commitment, Fact, Items};
use crate::ports::{Charged, Micros, Observed, Signal as Finds, Validity};
use crate::run::{Branches, Cursor, Effect, Phase, Run, item_of, step_of};

/// The node of a place; of an item under the name of that place.
pub type Here<'p> = Cow<'p, Node>;

/// What a run asks for. `node` is where it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<'p> {
    /// These facts follow from the state and the time alone.
    Take(Vec<Fact>),
    /// May this contact be made? Then [`contact_decided`].
    AskContact(Here<'p>),
    /// How high is the risk of this? Then [`risk_decided`].
    AskRisk(Here<'p>),
    /// Commit to the node's fields and show them. The decision that allows it is a fact already.
    Disclose(Here<'p>),
    /// Write down what the node says, in the record and of the customer.
    Record(Here<'p>),
    /// Open what the node's condition reads, ask it, then [`condition_decided`].
    Decide(Here<'p>),
    /// Count the items that the node goes through, then [`forked`].
    Count(Here<'p>),
    /// Work out terms and offer them.
    Offer(Here<'p>),
    /// Make the captured card the customer's method on file.
    Keep(Here<'p>),
    /// Keep a hash of the amount with the method on file.
    Remember(Here<'p>),
    /// Intend this effect, then try it.
    Try(Here<'p>, Effect),
    /// Ask the vendor what became of this effect; it has been asked so many times.
    Ask(Here<'p>, Effect, u32),
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
    /// A gateway's, of a card that is to be kept.
    Validated(Observed<Validity>),
    /// A service's; the text of the answer is sealed already.
    Answered(Observed<Commitment>),
}

/// The function of a connector that an op calls.
pub fn function(op: &Op) -> &str {
    match op {
        Op::Call { function, .. } => function,
        Op::Check { .. } => "check",
        Op::Charge { .. } | Op::Debit { .. } => "charge",
        Op::Validate { .. } => "validate",
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
    let next = write_target(plan, node.target(exit));
    match (item_of(&node.name), node.target(exit)) {
        // An item keeps to its own places until all of them meet.
        (Some(item), Target::Node(at)) if plan.nodes.get(at).is_some_and(|node| node.op != Op::Join) => {
            of_item(&next, item)
        }
        _ => next,
    }
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
pub fn node<'p>(plan: &'p Plan, place: &str) -> Result<Here<'p>, EngineError> {
    let broken = || EngineError::Broken { what: format!("the plan of `{}` has no node `{place}`", plan.workflow) };
    let name = place.split_once('#').map_or(place, |(name, _)| name);
    let node = plan.nodes.iter().find(|node| node.name == name).ok_or_else(broken)?;
    Ok(match item_of(place) {
        None => Cow::Borrowed(node),
        Some(_) => Cow::Owned(Node { name: place.to_owned(), step: step_of(place).into_owned(), ..node.clone() }),
    })
}

/// The nodes that a run stands at, each with how far it got there.
pub fn standing<'p, 'r>(plan: &'p Plan, run: &'r Run) -> Result<Vec<(Here<'p>, &'r Cursor)>, EngineError> {
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
    Ok(at_end(plan, run))
}

/// What it asks for where no place asks for anything.
pub fn at_end<'p>(plan: &Plan, run: &Run) -> Next<'p> {
    match &run.ended {
        Some(ending) if !run.closed => {
            let (ending, places) = (ending.clone(), undos(plan, run));
            let last = if places.is_empty() { Fact::Closed { ending } } else { Fact::UndoBegan { ending, places } };
            Next::Take(vec![last])
        }
        Some(_) => Next::Over,
        None => Next::Park,
    }
}

/// Where what a failed or cancelled run did is undone: at the steps that say how, the newest first.
fn undos(plan: &Plan, run: &Run) -> Vec<String> {
    let failed = run.cancelled || run.ended.as_deref() == Some("failed");
    if !failed || run.undoing.is_some() {
        return Vec::new();
    }
    let places = run.done.iter().rev().map(|step| undo_of(step));
    places.filter(|place| node(plan, place).is_ok()).collect()
}

/// What it asks for at one of the places where it stands.
pub fn next_at<'p>(
    plan: &'p Plan,
    run: &Run,
    cursor: &Cursor,
    class_of: &dyn Fn(&str, &str) -> String,
    now: Micros,
) -> Result<Next<'p>, EngineError> {
    let node = &node(plan, &cursor.place)?;
    if run.is_paused() {
        return Ok(Next::Park);
    }
    if run.cancelled
        && !node.undoes()
        && let Some(next) = effect::clear_up(node, &cursor.phase, &class(plan, node, class_of), now)
    {
        return Ok(next);
    }
    Ok(match &cursor.phase {
        Phase::Entered if !cursor.weighed && place(&node.op).is_some() => Next::AskRisk(node.clone()),
        Phase::Entered => entered(plan, run, node, now),
        Phase::Permitted => permitted(run, node, now),
        Phase::Deferred(until) if now >= *until => Next::AskContact(node.clone()),
        Phase::Waiting(until) if now >= *until => Next::Take(vec![in_time(plan, node)]),
        Phase::Intended(effect) => effect::resume(node, effect, &class(plan, node, class_of), now),
        Phase::Postponed(effect, at) if now >= *at => {
            Next::Try(node.clone(), Effect { attempt: effect.attempt + 1, ..effect.clone() })
        }
        Phase::Unclear(effect, asked, at) if now >= *at => Next::Ask(node.clone(), effect.clone(), *asked),
        Phase::Branched(branches) if run.met(&cursor.place) => Next::Take(vec![joined(plan, node, branches)]),
        Phase::Branched(_) => Next::Park,
        Phase::Deferred(_)
        | Phase::Waiting(_)
        | Phase::Postponed(..)
        | Phase::Unclear(..)
        | Phase::NeedsPerson(..)
        | Phase::UndoFailed(..) => Next::Park,
    })
}

/// Where the run goes on when the last branch is over: to the end of the first one that did not come here, unless the
/// plan leads on all the same.
fn joined(plan: &Plan, node: &Node, branches: &Branches) -> Fact {
    let next = match (&branches.ending, node.target(Exit::Failed)) {
        (None, _) => target(plan, node, Exit::Done),
        (Some(ending), Target::End(_)) => format!("end:{ending}"),
        (Some(_), Target::Node(_)) => target(plan, node, Exit::Failed),
    };
    Fact::Joined { node: node.name.clone(), next }
}

/// The branches of a node begin; of a list the customer has `count` items.
pub fn forked(plan: &Plan, node: &Node, count: u32) -> Fact {
    let starts = node.exits.iter().map(|(exit, _)| target(plan, node, *exit)).collect();
    let (join, items) = match &node.op {
        Op::Fork { join, each } => (join.clone(), each.as_ref().map(|each| Items { count, at_once: each.at_once })),
        _ => (String::new(), None),
    };
    Fact::Forked { node: node.name.clone(), join, starts, items }
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
        | Op::Validate { connector, .. }
        | Op::Debit { connector, .. }
        | Op::Call { connector, .. } => plan.uses.get(connector).map_or(connector.as_str(), String::as_str),
        _ => "",
    }
}

fn entered<'p>(plan: &'p Plan, run: &Run, node: &Here<'p>, now: Micros) -> Next<'p> {
    let wait = |what: &str, until: Micros| {
        Next::Take(vec![Fact::WaitBegan { node: node.name.clone(), what: what.into(), until }])
    };
    match &node.op {
        Op::Check { .. } | Op::Call { .. } => first_try(run, node, now),
        Op::Send { .. } | Op::Debit { .. } => Next::AskContact(node.clone()),
        Op::Answer { within, .. } => wait("the code", now + within),
        Op::Offer { .. } => Next::Offer(node.clone()),
        Op::Keep { .. } => Next::Keep(node.clone()),
        Op::Remember { .. } => Next::Remember(node.clone()),
        Op::Wait { lasts } => wait("its time", now + lasts),
        Op::Handoff { to, within } => wait(&format!("the handoff to a {to}"), now + within),
        Op::Record { .. } => Next::Record(node.clone()),
        Op::Fork { each: None, .. } => Next::Take(vec![forked(plan, node, 0)]),
        Op::Fork { .. } => Next::Count(node.clone()),
        // Nobody comes here but by a fork, which leaves the run waiting.
        Op::Join => Next::Take(vec![joined(plan, node, &Branches::default())]),
        Op::When { .. } | Op::Changed { .. } => Next::Decide(node.clone()),
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
        Op::Fresh { needs, .. } => {
            let decision = rules::proved(run, node, *needs, now);
            let exit = if decision.verdict == Verdict::Permit { Exit::Fresh } else { Exit::Stale };
            Next::Take(vec![Fact::AssuranceDecided {
                node: node.name.clone(),
                needs: needs.name().into(),
                decision,
                next: Some(target(plan, node, exit)),
            }])
        }
        Op::Disclose { needs, .. } => rules::assurance(plan, run, node, *needs, Exit::Refused, now),
        Op::Charge { needs, .. } | Op::Validate { needs, .. } => match stale_target(plan, node) {
            // Too long on the page: the customer proves again who they are, and no card is charged or kept.
            Some(again) if rules::proved(run, node, *needs, now).verdict != Verdict::Permit => {
                Next::Take(vec![Fact::AssuranceDecided {
                    node: node.name.clone(),
                    needs: needs.name().into(),
                    decision: rules::proved(run, node, *needs, now),
                    next: Some(again),
                }])
            }
            _ => rules::assurance(plan, run, node, *needs, Exit::Failed, now),
        },
    }
}

fn permitted<'p>(run: &Run, node: &Here<'p>, now: Micros) -> Next<'p> {
    match &node.op {
        Op::Disclose { .. } => Next::Disclose(node.clone()),
        _ => first_try(run, node, now),
    }
}

fn first_try<'p>(run: &Run, node: &Here<'p>, now: Micros) -> Next<'p> {
    Next::Try(node.clone(), Effect { key: run.key(&node.name), attempt: 1, since: now })
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
