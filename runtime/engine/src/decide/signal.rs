//! Signals: what arrives from outside, and what it means where the run stands.

use selvedge_policy::Assertion;
use selvedge_workflow::plan::{Exit, Node, Op, Plan};

use super::effect::reported;
use super::rules::stale_target;
use super::{connector, standing, target, terms_of};
use crate::error::EngineError;
use crate::fact::{Fact, Revoked, Text};
use crate::operate;
use crate::run::{Cursor, Phase, Run};
use crate::signal::{Delivered, Signal};

/// How often a page may be proved again in another browser.
pub const MAX_PROOFS: u32 = 5;
/// Why a wait ended at which somebody has to prove again who they are.
pub(crate) const ANOTHER_BROWSER: &str = "another browser";
/// What a signal means to the run where it stands. No facts: it came too late, or for somebody else.
pub fn on_signal(plan: &Plan, run: &Run, delivered: &Delivered) -> Result<Vec<Fact>, EngineError> {
    if run.ended.is_some() {
        return Ok(late(run, delivered));
    }
    let standing = standing(plan, run)?;
    Ok(match &delivered.signal {
        Signal::Reported { connection, connector: reader, report } => {
            let told = Fact::Reported { connection: connection.clone(), report: report.clone() };
            // A vendor speaks for its own effects: the SMS vendor cannot say that a card was charged.
            let own = standing.into_iter().filter(|(node, _)| connector(plan, node) == reader);
            let settled = own.into_iter().find_map(|(node, _)| reported(plan, run, &node, report, Vec::new()));
            std::iter::once(told).chain(settled).collect()
        }
        Signal::Text { text, revoked, .. } => written(text, revoked),
        Signal::Operate { act, reason } => operate::facts(plan, run, act, reason, &delivered.who)?,
        Signal::Read { step } => read(run, step),
        // What else is said is said to the place that waits for it.
        _ => {
            let told = standing.into_iter().map(|(node, cursor)| at_wait(plan, run, &node, cursor, delivered));
            told.into_iter().find(|facts| !facts.is_empty()).unwrap_or_default()
        }
    })
}

/// What a signal means to the place where it finds the run waiting.
fn at_wait(plan: &Plan, run: &Run, node: &Node, cursor: &Cursor, delivered: &Delivered) -> Vec<Fact> {
    let name = node.name.clone();
    let waiting = matches!(&cursor.phase, Phase::Waiting(until) if delivered.at < *until);
    match (&delivered.signal, &node.op) {
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
                let left = tries.saturating_sub(cursor.wrong + 1);
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
        (Signal::Told { step, answer }, Op::Ask { of, answers, .. })
            if waiting && *step == node.step && answers.contains(answer) && is_of(delivered, of) =>
        {
            let next = target(plan, node, Exit::Done);
            vec![Fact::QuestionAnswered { node: name, answer: answer.clone(), in_time: true, next }]
        }
        (Signal::Approval { step, terms, approved }, Op::Approve { of, .. })
            if waiting
                && *step == node.step
                && run.approvals.get(step).is_some_and(|asked| asked.terms == *terms)
                && is_of(delivered, of)
                // Nobody approves what they asked for themselves.
                && ![&run.opened_by, &run.held_by].contains(&&delivered.who.actor) =>
        {
            let next = target(plan, node, if *approved { Exit::Done } else { Exit::Refused });
            vec![Fact::ApprovalDecided { node: name, approved: *approved, terms: terms.clone(), next }]
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
                Some(next) => vec![Fact::WaitEnded { node: name, why: ANOTHER_BROWSER.into(), next }],
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
                    terms: amount.as_ref().and_then(|amount| terms_of(run, amount)),
                    copy: match amount {
                        Some(_) => "shown on the page and sent as a receipt".into(),
                        None => "shown on the page".into(),
                    },
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
        _ => Vec::new(),
    }
}

fn is_of(delivered: &Delivered, function: &str) -> bool {
    delivered.who.function.as_deref() == Some(function)
}

/// What may still be said of a run that is over.
fn late(run: &Run, delivered: &Delivered) -> Vec<Fact> {
    match &delivered.signal {
        Signal::Read { step } => read(run, step),
        Signal::Text { text, revoked, .. } => written(text, revoked),
        Signal::Reported { connection, report, .. } => {
            vec![Fact::Reported { connection: connection.clone(), report: report.clone() }]
        }
        _ => Vec::new(),
    }
}

fn written(text: &Text, revoked: &Option<Revoked>) -> Vec<Fact> {
    let revoked = revoked.iter().cloned().map(Fact::ConsentRevoked);
    std::iter::once(Fact::TextReceived(text.clone())).chain(revoked).collect()
}

fn read(run: &Run, step: &str) -> Vec<Fact> {
    let mut fields: Vec<String> = run.disclosed.get(step).into_iter().flatten().map(|f| f.name.clone()).collect();
    fields.extend(run.offers.contains_key(step).then(|| format!("{step}/terms")));
    if fields.is_empty() { Vec::new() } else { vec![Fact::Read { step: step.into(), fields }] }
}
fn message_channel(plan: &Plan, answer: &Node) -> String {
    let sent = plan.nodes.iter().find_map(|n| match &n.op {
        Op::Send { template, .. } if n.step == answer.step => plan.templates.get(template),
        _ => None,
    });
    sent.map_or_else(|| "unknown".into(), |t| t.medium.clone())
}
