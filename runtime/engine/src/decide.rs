//! What must happen next? Pure functions of the plan, the run and the time: [`next`] says what the run asks
//! for, [`on_signal`] and [`after`] turn what came of it into facts. Nothing here waits, reads or writes.

use selvedge_policy::{Assertion, Decision, Verdict, assess};
use selvedge_workflow::dictionary::Level;
use selvedge_workflow::plan::{Amount, Ending, Exit, Node, Op, Plan, Target};

use crate::error::EngineError;
use crate::fact::{Fact, Moment};
use crate::ports::{
    Access, Charged, Failure, Finding, Micros, Observed, Refusal, Report, ReportStatus, Signal as Finds,
};
use crate::run::{At, Effect, Phase, Run};
use crate::signal::{Delivered, Signal};

/// How often an attempt that certainly did nothing is made again.
pub const MAX_ATTEMPTS: u32 = 6;
/// How often a vendor is asked what became of an effect before a person is.
pub const MAX_ASKED: u32 = 10;
/// "Never heard of it" is believed only this long after the attempt: a request may still be on its way.
pub const SETTLE: Micros = 60_000_000;
/// The longest pause between two attempts.
pub const MAX_PAUSE: Micros = 300_000_000;
/// How often a page may be proved again in another browser.
pub const MAX_PROOFS: u32 = 5;

/// What a run asks for. `node` is where it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<'p> {
    /// These facts follow from the state and the time alone.
    Take(Vec<Fact>),
    /// May this contact be made? Then [`contact_decided`].
    AskContact(&'p Node),
    /// Commit to the node's fields and show them. The decision that allows it is a fact already.
    Disclose(&'p Node),
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
}

/// The function of a connector that an op calls.
pub fn function(op: &Op) -> &'static str {
    match op {
        Op::Check { .. } => "check",
        Op::Charge { .. } => "charge",
        _ => "send",
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

/// The node that a run stands at.
pub fn node<'p>(plan: &'p Plan, run: &Run) -> Result<Option<&'p Node>, EngineError> {
    let At::Node(name) = &run.at else { return Ok(None) };
    match plan.nodes.iter().find(|n| n.name == *name) {
        Some(node) => Ok(Some(node)),
        None => Err(EngineError::Broken { what: format!("the plan of `{}` has no node `{name}`", run.workflow) }),
    }
}

/// What `run` asks for at `now`. `class_of` gives the effect class of (connector, function).
pub fn next<'p>(
    plan: &'p Plan,
    run: &Run,
    class_of: &dyn Fn(&str, &str) -> String,
    now: Micros,
) -> Result<Next<'p>, EngineError> {
    let Some(node) = node(plan, run)? else {
        return Ok(match (&run.at, run.closed) {
            (At::End(ending), false) => Next::Take(vec![Fact::Closed { ending: ending.clone() }]),
            _ => Next::Over,
        });
    };
    Ok(match &run.phase {
        Phase::Entered => entered(plan, run, node, now),
        Phase::Permitted => permitted(run, node, now),
        Phase::Deferred(until) if now >= *until => Next::AskContact(node),
        Phase::Waiting(until) if now >= *until => Next::Take(vec![Fact::WaitEnded {
            node: node.name.clone(),
            why: "time ran out".into(),
            next: target(plan, node, Exit::Timeout),
        }]),
        Phase::Intended(effect) => resume(node, effect, &class_of(connector(plan, node), function(&node.op)), now),
        Phase::Postponed(effect, at) if now >= *at => {
            Next::Try(node, Effect { attempt: effect.attempt + 1, ..effect.clone() })
        }
        Phase::Unclear(effect, asked, at) if now >= *at => Next::Ask(node, effect.clone(), *asked),
        Phase::Deferred(_) | Phase::Waiting(_) | Phase::Postponed(..) | Phase::Unclear(..) | Phase::NeedsPerson(..) => {
            Next::Park
        }
    })
}

/// The connector's own name behind the name that the workflow gives it.
pub fn connector<'p>(plan: &'p Plan, node: &'p Node) -> &'p str {
    match &node.op {
        Op::Check { connector, .. } | Op::Send { connector, .. } | Op::Charge { connector, .. } => {
            plan.uses.get(connector).map_or(connector.as_str(), String::as_str)
        }
        _ => "",
    }
}

fn entered<'p>(plan: &'p Plan, run: &Run, node: &'p Node, now: Micros) -> Next<'p> {
    let wait = |what: &str, until: Micros| {
        Next::Take(vec![Fact::WaitBegan { node: node.name.clone(), what: what.into(), until }])
    };
    match &node.op {
        Op::Check { .. } => first_try(run, node, now),
        Op::Send { .. } => Next::AskContact(node),
        Op::Answer { within, .. } => wait("the code", now + within),
        Op::Offer { .. } => Next::Offer(node),
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
        Op::Disclose { needs, .. } => assurance(plan, run, node, *needs, Exit::Refused, now),
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
            _ => assurance(plan, run, node, *needs, Exit::Failed, now),
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

fn assurance<'p>(plan: &Plan, run: &Run, node: &Node, needs: Level, otherwise: Exit, now: Micros) -> Next<'p> {
    let decision = assess(needs, &run.id.interaction, &run.assertions, now);
    let next = (decision.verdict != Verdict::Permit).then(|| target(plan, node, otherwise));
    Next::Take(vec![Fact::AssuranceDecided { node: node.name.clone(), needs: needs.name().into(), decision, next }])
}

fn link_expires(run: &Run, node: &Node) -> Micros {
    run.links.get(&node.step).map_or(run.updated, |l| l.expires)
}

/// Where the step of this node asks again who it is: the stale exit of its `Fresh` node.
pub fn stale_target(plan: &Plan, node: &Node) -> Option<String> {
    let fresh = plan.nodes.iter().find(|n| n.step == node.step && matches!(n.op, Op::Fresh { .. }))?;
    Some(target(plan, fresh, Exit::Stale))
}

/// An intent without an outcome: the process that made it is gone. What now depends on the effect's class.
fn resume<'p>(node: &'p Node, effect: &Effect, class: &str, now: Micros) -> Next<'p> {
    let why = "the host stopped between the intent and the outcome";
    match class {
        "pure" | "idempotent" => Next::Try(node, Effect { attempt: effect.attempt + 1, ..effect.clone() }),
        "reconcile" => Next::Take(vec![unclear(node, effect, why.into(), Vec::new(), 0, now)]),
        _ => Next::Take(vec![needs_person(node, effect, why.into(), Vec::new())]),
    }
}

fn unclear(node: &Node, effect: &Effect, why: String, accesses: Vec<Access>, asked: u32, at: Micros) -> Fact {
    Fact::Unclear { node: node.name.clone(), key: effect.key.clone(), why, accesses, asked, at }
}

fn needs_person(node: &Node, effect: &Effect, why: String, accesses: Vec<Access>) -> Fact {
    Fact::NeedsPerson { node: node.name.clone(), key: effect.key.clone(), why, accesses }
}

fn pause(times: u32) -> Micros {
    (1_000_000_i64 << times.min(20)).min(MAX_PAUSE)
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
    let refused = decision.verdict == Verdict::Deny && run.effect().is_none();
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

/// What an attempt gave, as facts.
pub fn after(
    plan: &Plan,
    run: &Run,
    node: &Node,
    effect: &Effect,
    class: &str,
    outcome: Outcome,
    now: Micros,
) -> Vec<Fact> {
    let done = |exit: Exit, reference: String, detail: String, accesses, refusals| {
        settle(plan, run, node, effect, exit, reference, detail, accesses, refusals)
    };
    match outcome {
        Outcome::Sent(Observed { result: Ok(reference), accesses, refusals }) => {
            vec![done(Exit::Done, reference, String::new(), accesses, refusals)]
        }
        Outcome::Checked(Observed { result: Ok(signal), accesses, refusals }) => {
            // A missing signal is not a clear one.
            let exit = if signal.finding == Finding::Clear { Exit::Done } else { Exit::Failed };
            let found = match signal.finding {
                Finding::Clear => "clear",
                Finding::Raised => "raised",
                Finding::Missing => "missing",
            };
            vec![done(exit, String::new(), format!("{}: {found} ({})", signal.name, signal.reason), accesses, refusals)]
        }
        Outcome::Charged(Observed { result: Ok(Charged::Paid(reference)), accesses, refusals }) => {
            vec![done(Exit::Done, reference, String::new(), accesses, refusals)]
        }
        Outcome::Charged(Observed { result: Ok(Charged::Declined(why)), accesses, refusals }) => {
            vec![done(Exit::Declined, String::new(), why, accesses, refusals)]
        }
        Outcome::Sent(Observed { result: Err(failure), accesses, refusals })
        | Outcome::Checked(Observed { result: Err(failure), accesses, refusals })
        | Outcome::Charged(Observed { result: Err(failure), accesses, refusals }) => match failure {
            Failure::Permanent(why) | Failure::Denied(why) => {
                vec![done(Exit::Failed, String::new(), why, accesses, refusals)]
            }
            Failure::Retry(why) if matches!(node.op, Op::Charge { .. }) => {
                // Certainly not done, but the security code is spent: the customer enters the card again.
                vec![done(Exit::Declined, String::new(), why, accesses, refusals)]
            }
            Failure::Unknown(why) if class == "reconcile" => {
                vec![unclear(node, effect, why, accesses, 0, now + pause(1))]
            }
            Failure::Unknown(why) if class != "pure" && class != "idempotent" => {
                vec![needs_person(node, effect, why, accesses)]
            }
            Failure::Retry(why) | Failure::Unknown(why) if effect.attempt < MAX_ATTEMPTS => vec![Fact::Postponed {
                node: node.name.clone(),
                key: effect.key.clone(),
                attempt: effect.attempt,
                why,
                accesses,
                at: now + pause(effect.attempt - 1),
            }],
            Failure::Unknown(why) if class == "idempotent" => {
                vec![needs_person(node, effect, why, accesses)]
            }
            Failure::Retry(why) | Failure::Unknown(why) => {
                vec![done(Exit::Failed, String::new(), why, accesses, refusals)]
            }
        },
    }
}

#[expect(clippy::too_many_arguments, reason = "one event has that many parts")]
fn settle(
    plan: &Plan,
    run: &Run,
    node: &Node,
    effect: &Effect,
    exit: Exit,
    reference: String,
    detail: String,
    accesses: Vec<Access>,
    refusals: Vec<Refusal>,
) -> Fact {
    let exit = match (&node.op, exit) {
        (Op::Charge { tries, .. }, Exit::Declined) if run.cards_declined + 1 >= *tries => Exit::Failed,
        (_, exit) => exit,
    };
    let word = match exit {
        Exit::Done => "done",
        Exit::Declined => "declined",
        _ => "failed",
    };
    Fact::Done {
        node: node.name.clone(),
        key: effect.key.clone(),
        exit: word.into(),
        reference,
        detail,
        accesses,
        refusals,
        next: target(plan, node, exit),
    }
}

/// The vendor was asked what became of an effect.
pub fn asked(
    plan: &Plan,
    run: &Run,
    node: &Node,
    effect: &Effect,
    asked: u32,
    answer: Observed<Option<Report>>,
    now: Micros,
) -> Vec<Fact> {
    let again = |why: String, at: Micros| {
        if asked + 1 >= MAX_ASKED {
            needs_person(node, effect, why, answer.accesses.clone())
        } else {
            unclear(node, effect, why, answer.accesses.clone(), asked + 1, at)
        }
    };
    vec![match &answer.result {
        Ok(Some(report)) => match reported(plan, run, node, report, answer.accesses.clone()) {
            Some(fact) => fact,
            None => again(format!("the vendor says `{}`", report.detail), now + pause(asked + 1)),
        },
        Ok(None) if now < effect.since + SETTLE => {
            again("the vendor has not heard of it yet".into(), effect.since + SETTLE)
        }
        Ok(None) if run.stopped => {
            let why = "it never left, and the contact rules do not permit it any more".into();
            settle(plan, run, node, effect, Exit::Refused, String::new(), why, answer.accesses.clone(), Vec::new())
        }
        Ok(None) => match (&node.op, &run.card) {
            (Op::Charge { .. }, Some(card)) => Fact::CardForgotten {
                node: node.name.clone(),
                token: card.token.clone(),
                why: "the vendor never heard of it, and the security code is not kept".into(),
                next: card_node(plan, node),
            },
            _ => Fact::Postponed {
                node: node.name.clone(),
                key: effect.key.clone(),
                attempt: effect.attempt,
                why: "the vendor never heard of it".into(),
                accesses: answer.accesses.clone(),
                at: now,
            },
        },
        Err(Failure::Retry(why) | Failure::Permanent(why) | Failure::Denied(why) | Failure::Unknown(why)) => {
            again(why.clone(), now + pause(asked + 1))
        }
    }]
}

/// An explicit report ends the effect; anything else does not.
fn reported(plan: &Plan, run: &Run, node: &Node, report: &Report, accesses: Vec<Access>) -> Option<Fact> {
    let effect = run.effect().filter(|e| e.key == report.idempotency_key)?;
    let exit = match (report.status, &node.op) {
        (ReportStatus::Pending, _) => return None,
        (ReportStatus::Succeeded, _) => Exit::Done,
        (ReportStatus::Failed, Op::Charge { .. }) => Exit::Declined,
        (ReportStatus::Failed, _) => Exit::Failed,
    };
    let (reference, detail) = (report.reference.clone(), report.detail.clone());
    Some(settle(plan, run, node, effect, exit, reference, detail, accesses, Vec::new()))
}

/// The node of this step that takes the card.
pub fn card_node(plan: &Plan, node: &Node) -> String {
    plan.nodes
        .iter()
        .find(|n| n.step == node.step && matches!(n.op, Op::Card { .. }))
        .map_or_else(|| "end:failed".into(), |n| n.name.clone())
}

/// What a signal means to the run where it stands. No facts: it came too late, or for somebody else.
pub fn on_signal(plan: &Plan, run: &Run, delivered: &Delivered) -> Result<Vec<Fact>, EngineError> {
    let Some(node) = node(plan, run)? else { return Ok(late(run, delivered)) };
    let name = node.name.clone();
    let waiting = matches!(&run.phase, Phase::Waiting(until) if delivered.at < *until);
    Ok(match (&delivered.signal, &node.op) {
        (Signal::Code { key, matched }, Op::Answer { tries, level, valid, .. })
            if waiting && run.messages.get(&node.step) == Some(key) =>
        {
            if *matched {
                vec![Fact::AssertionIssued {
                    node: name,
                    assertion: Assertion {
                        method: "code".into(),
                        level: *level,
                        issued: delivered.at,
                        expires: delivered.at + valid,
                        channel: message_channel(plan, node),
                        scope: run.id.interaction.clone(),
                    },
                    next: target(plan, node, Exit::Done),
                }]
            } else {
                let left = tries.saturating_sub(run.wrong + 1);
                vec![Fact::CodeWrong { node: name, left, next: (left == 0).then(|| target(plan, node, Exit::Failed)) }]
            }
        }
        (Signal::Answer { step, accepted, terms }, Op::Offer { .. })
            if waiting && *step == node.step && run.offers.get(step).is_some_and(|o| o.terms == *terms) =>
        {
            let exit = if *accepted { Exit::Done } else { Exit::Declined };
            vec![Fact::Answered {
                node: name,
                accepted: *accepted,
                terms: terms.clone(),
                next: target(plan, node, exit),
            }]
        }
        (Signal::LinkOpened { link }, Op::Open)
            if waiting && run.links.get(&node.step).is_some_and(|l| l.id == *link) =>
        {
            vec![
                Fact::LinkOpened { link: link.clone() },
                Fact::WaitEnded { node: name, why: "opened".into(), next: target(plan, node, Exit::Done) },
            ]
        }
        (Signal::ProveAgain { step }, Op::Card { .. } | Op::Answer { .. })
            if waiting && *step == node.step && run.visits.values().max().copied().unwrap_or(0) < MAX_PROOFS =>
        {
            match stale_target(plan, node) {
                Some(next) => vec![Fact::WaitEnded { node: name, why: "another browser".into(), next }],
                None => Vec::new(),
            }
        }
        (Signal::Card { step, token, brand, last4, words, .. }, Op::Card { amount, .. })
            if waiting && *step == node.step =>
        {
            vec![
                Fact::Authorized {
                    node: name.clone(),
                    words: words.clone(),
                    terms: terms_of(run, amount),
                    copy: "shown on the page and sent as a receipt".into(),
                },
                Fact::CardCaptured {
                    node: name,
                    token: token.clone(),
                    brand: brand.clone(),
                    last4: last4.clone(),
                    next: target(plan, node, Exit::Done),
                },
            ]
        }
        (Signal::Reported { connection, connector: reader, report }, _) => {
            let told = Fact::Reported { connection: connection.clone(), report: report.clone() };
            // A vendor speaks for its own effects: the SMS vendor cannot say that a card was charged.
            let own = connector(plan, node) == reader && run.awaits_report(&report.idempotency_key, report.status);
            let settled = own.then(|| reported(plan, run, node, report, Vec::new())).flatten();
            std::iter::once(told).chain(settled).collect()
        }
        (Signal::Read { step }, _) => read(run, step),
        _ => Vec::new(),
    })
}

/// What may still be said of a run that is over.
fn late(run: &Run, delivered: &Delivered) -> Vec<Fact> {
    match &delivered.signal {
        Signal::Read { step } => read(run, step),
        Signal::Reported { connection, report, .. } => {
            vec![Fact::Reported { connection: connection.clone(), report: report.clone() }]
        }
        _ => Vec::new(),
    }
}

fn read(run: &Run, step: &str) -> Vec<Fact> {
    let mut fields: Vec<String> = run.disclosed.get(step).into_iter().flatten().map(|f| f.name.clone()).collect();
    fields.extend(run.offers.contains_key(step).then(|| format!("{step}/terms")));
    if fields.is_empty() { Vec::new() } else { vec![Fact::Read { step: step.into(), fields }] }
}

/// The commitment of the terms that an amount comes from.
pub fn terms_of(run: &Run, amount: &Amount) -> Option<String> {
    match amount {
        Amount::FirstPart { offer } => run.offers.get(offer).map(|o| o.terms.clone()),
        Amount::Field(_) => None,
    }
}

fn message_channel(plan: &Plan, answer: &Node) -> String {
    let sent = plan.nodes.iter().find_map(|n| match &n.op {
        Op::Send { template, .. } if n.step == answer.step => plan.templates.get(template),
        _ => None,
    });
    sent.map_or_else(|| "unknown".into(), |t| t.medium.clone())
}

#[cfg(test)]
mod tests;
