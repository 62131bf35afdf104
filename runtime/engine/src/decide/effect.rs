//! Effects: try, try again, ask what became of one. Never blindly: what may have happened is asked about first.

use selvedge_workflow::plan::{Exit, Node, Op, Plan};

use super::{Here, Next, Outcome, target};
use crate::fact::Fact;
use crate::ports::{Access, Charged, Failure, Finding, Micros, Observed, Refusal, Report, ReportStatus, Validity};
use crate::run::{CANCELLED, Effect, Phase, Run};

/// How often an attempt that certainly did nothing is made again.
pub const MAX_ATTEMPTS: u32 = 6;
/// How often a vendor is asked what became of an effect before a person is.
pub const MAX_ASKED: u32 = 10;
/// "Never heard of it" is believed only this long after the attempt: a request may still be on its way.
pub const SETTLE: Micros = 60_000_000;
/// The longest pause between two attempts.
pub const MAX_PAUSE: Micros = 300_000_000;

/// An intent without an outcome: the process that made it is gone. What now depends on the effect's class.
pub(super) fn resume<'p>(node: &Here<'p>, effect: &Effect, class: &str, now: Micros) -> Next<'p> {
    let why = "the host stopped between the intent and the outcome";
    match class {
        "pure" | "idempotent" => Next::Try(node.clone(), Effect { attempt: effect.attempt + 1, ..effect.clone() }),
        "reconcile" => Next::Take(vec![unclear(node, effect, why.into(), Vec::new(), 0, now)]),
        _ => Next::Take(vec![needs_person(node, effect, why.into(), Vec::new())]),
    }
}

/// A cancelled run tries nothing any more: what certainly did nothing ends it, what may have happened is asked about.
pub(super) fn clear_up<'p>(node: &Node, phase: &Phase, class: &str, now: Micros) -> Option<Next<'p>> {
    match phase {
        Phase::Intended(effect) if class != "pure" => {
            let why = "the run was cancelled before the outcome was known";
            Some(Next::Take(vec![unclear(node, effect, why.into(), Vec::new(), 0, now)]))
        }
        Phase::Intended(_) | Phase::Postponed(..) => Some(Next::Take(vec![Fact::WaitEnded {
            node: node.name.clone(),
            why: "cancelled".into(),
            next: CANCELLED.into(),
        }])),
        _ => None,
    }
}

/// What an effect meets between its intent and its attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// Nothing: it leaves.
    Leave,
    /// The vendor is asked whether it knows the effect already; where it does not, it leaves.
    Ask,
    /// It does not leave.
    Take(Vec<Fact>),
}

/// A run that came out of a backup may have made this effect already, at any time since: longer ago than a vendor
/// remembers an idempotency key to answer it twice, so money is asked about by its name first.
pub fn before(run: &Run, node: &Node, effect: &Effect, class: &str) -> Before {
    match (run.restored, class) {
        (None, _) | (_, "pure" | "idempotent") => Before::Leave,
        (Some(_), "reconcile") => Before::Ask,
        (Some(_), _) => {
            let why = "the host was restored from a backup, and it may have been done since".into();
            Before::Take(vec![needs_person(node, effect, why, Vec::new())])
        }
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
        Outcome::Validated(Observed { result: Ok(Validity::Good(reference)), accesses, refusals }) => {
            vec![done(Exit::Done, reference, String::new(), accesses, refusals)]
        }
        Outcome::Charged(Observed { result: Ok(Charged::Declined(why)), accesses, refusals })
        | Outcome::Validated(Observed { result: Ok(Validity::Declined(why)), accesses, refusals }) => {
            vec![done(Exit::Declined, String::new(), why, accesses, refusals)]
        }
        Outcome::Answered(Observed { result: Ok(answer), accesses, refusals }) => {
            vec![done(Exit::Done, String::new(), String::new(), accesses, refusals).with_answer(answer)]
        }
        Outcome::Sent(Observed { result: Err(failure), accesses, refusals })
        | Outcome::Checked(Observed { result: Err(failure), accesses, refusals })
        | Outcome::Charged(Observed { result: Err(failure), accesses, refusals })
        | Outcome::Validated(Observed { result: Err(failure), accesses, refusals })
        | Outcome::Answered(Observed { result: Err(failure), accesses, refusals }) => match failure {
            Failure::Permanent(why) | Failure::Denied(why) => {
                vec![done(Exit::Failed, String::new(), why, accesses, refusals)]
            }
            Failure::Retry(why) if spends_code(&node.op) => {
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
        (Op::Charge { tries, .. } | Op::Validate { tries, .. }, Exit::Declined) if run.cards_declined + 1 >= *tries => {
            Exit::Failed
        }
        (_, exit) => exit,
    };
    if exit == Exit::Failed && node.undoes() {
        let (node, key) = (node.name.clone(), effect.key.clone());
        return Fact::UndoFailed { node, key, why: detail, accesses, refusals };
    }
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
        answer: None,
        accesses,
        refusals,
        next: target(plan, node, exit),
    }
}

/// What a step did stays as it is: a person says that nothing undoes it any more, and the others are undone all the same.
pub(crate) fn left(plan: &Plan, node: &Node, effect: &Effect, detail: String) -> Fact {
    Fact::Done {
        node: node.name.clone(),
        key: effect.key.clone(),
        exit: "failed".into(),
        reference: String::new(),
        detail,
        answer: None,
        accesses: Vec::new(),
        refusals: Vec::new(),
        next: target(plan, node, Exit::Failed),
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
        Ok(None) if run.cursor(&node.name).is_some_and(|cursor| cursor.stopped) => {
            let why = "it never left, and the contact rules do not permit it any more".into();
            settle(plan, run, node, effect, Exit::Refused, String::new(), why, answer.accesses.clone(), Vec::new())
        }
        Ok(None) => match &run.card {
            Some(card) if spends_code(&node.op) => Fact::CardForgotten {
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
pub(crate) fn reported(plan: &Plan, run: &Run, node: &Node, report: &Report, accesses: Vec<Access>) -> Option<Fact> {
    let effect = run.effect(&node.name).filter(|e| e.key == report.idempotency_key)?;
    let exit = match (report.status, &node.op) {
        (ReportStatus::Pending, _) => return None,
        (ReportStatus::Succeeded, _) => Exit::Done,
        (ReportStatus::Failed, op) if spends_code(op) => Exit::Declined,
        (ReportStatus::Failed, _) => Exit::Failed,
    };
    let (reference, detail) = (report.reference.clone(), report.detail.clone());
    Some(settle(plan, run, node, effect, exit, reference, detail, accesses, Vec::new()))
}

/// Whether an attempt spends the card's security code, so that there is no second one without the customer.
fn spends_code(op: &Op) -> bool {
    matches!(op, Op::Charge { .. } | Op::Validate { .. })
}

/// The node of this step that takes the card.
pub fn card_node(plan: &Plan, node: &Node) -> String {
    plan.nodes
        .iter()
        .find(|n| n.step == node.step && matches!(n.op, Op::Card { .. }))
        .map_or_else(|| "end:failed".into(), |n| n.name.clone())
}
