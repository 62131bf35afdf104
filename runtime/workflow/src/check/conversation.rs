//! Proof 1, the place of it: a step speaks on a conversation that is there. The one that a workflow starts with is over
//! once it waited, or asked a colleague for longer than anybody holds the line; it goes on in another channel after a
//! handoff; a page is there only after a link was opened.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Findings, PAGE};
use crate::plan::{CHAT, Exit, Node, Op, Target};
use crate::source::{Diagnostic, MINUTE, code};

/// How long somebody holds the line while a colleague is asked.
pub const MAX_HOLD: i64 = 15 * MINUTE;

/// Where a conversation was, and a wait has passed since.
const OVER: &str = "nothing";

/// Which media a node may be reached on, and from which node and its medium first.
type Reached<'a> = BTreeMap<&'a str, Option<(usize, &'a str)>>;

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    let starts = context.workflow.medium();
    let reached = reached(context.nodes, starts);
    let mut held = Vec::new();
    for (at, node) in context.nodes.iter().enumerate() {
        let over = match &node.op {
            Op::Disclose { over, .. } => over.as_str(),
            Op::Offer { .. } => context.workflow.offers_on(),
            Op::Handoff { to, .. } => {
                handed_over(context, &reached, at, to, findings);
                continue;
            }
            _ => continue,
        };
        let wrong = reached[at].keys().find(|medium| **medium != over);
        let Some(wrong) = wrong else {
            held.push(format!("`{}` on the {over}", node.step));
            continue;
        };
        let path = path(&reached, at, wrong);
        let (message, help) = if over == PAGE {
            let message = format!("`{}` shows on a page, and a path to it opened none", node.step);
            (message, "move it after the step that a link opens, or show on the call".to_owned())
        } else if ["call", CHAT].contains(wrong) {
            let message = format!("`{}` speaks on the {over}, and a path gets to it on the {wrong}", node.step);
            (message, format!("put a `handoff` step with `to: {over}` before it"))
        } else {
            let message = format!("`{}` speaks on the {over}, which is over when a path gets to it", node.step);
            (message, format!("move `{}` before the step that waits", node.step))
        };
        let refusal = Diagnostic::new(code::CONVERSATION_OVER, message).at(&context.span_of(&node.step));
        findings.refuse(refusal.along(context.steps_along(&path)).help(help));
    }
    if !held.is_empty() && held.len() == context.nodes.iter().filter(|node| speaks(node)).count() {
        let claim = "whatever is said is said while the conversation lasts";
        findings.proved(claim, "plan.conversation", "45 CFR 164.522(b)", held.join("; "));
    }
}

/// Only a conversation that goes on elsewhere can be handed over.
fn handed_over(context: &Context<'_>, reached: &[Reached<'_>], at: usize, to: &str, findings: &mut Findings) {
    let Some(wrong) = reached[at].keys().find(|medium| [OVER, PAGE, to].contains(medium)) else { return };
    let step = &context.nodes[at].step;
    let found = match *wrong {
        OVER => "after the conversation is over".to_owned(),
        on => format!("while it is on the {on}"),
    };
    let message = format!("`{step}` hands the conversation over to a {to}, and a path gets to it {found}");
    let refusal = Diagnostic::new(code::CONVERSATION_OVER, message).at(&context.span_of(step));
    let help = "hand over where the customer is spoken with on another channel, before any wait";
    findings.refuse(refusal.along(context.steps_along(&path(reached, at, wrong))).help(help));
}

/// The nodes on the way to this one on this medium, which it was first reached by. Each node and medium was first
/// reached from one that was reached before it, so the way back ends.
fn path(reached: &[Reached<'_>], at: usize, medium: &str) -> Vec<usize> {
    let mut nodes = vec![at];
    let mut before = reached[at].get(medium).copied().flatten();
    while let Some((node, medium)) = before {
        nodes.push(node);
        before = reached[node].get(medium).copied().flatten();
    }
    nodes.reverse();
    nodes
}

fn speaks(node: &Node) -> bool {
    matches!(node.op, Op::Disclose { .. } | Op::Offer { .. })
}

fn reached<'a>(nodes: &'a [Node], starts: &'a str) -> Vec<Reached<'a>> {
    let mut reached: Vec<Reached<'a>> = vec![BTreeMap::new(); nodes.len()];
    let mut work = BTreeSet::new();
    if let Some(entry) = reached.first_mut() {
        entry.insert(starts, None);
        work.insert(0);
    }
    while let Some(at) = work.pop_first() {
        let node = &nodes[at];
        let here: Vec<&str> = reached[at].keys().copied().collect();
        for (exit, target) in &node.exits {
            let Target::Node(next) = *target else { continue };
            for &medium in &here {
                let then = match (&node.op, exit) {
                    (Op::Open, Exit::Done) => PAGE,
                    (Op::Handoff { to, .. }, Exit::Done) => to,
                    (Op::Wait { .. }, _) => OVER,
                    (Op::Ask { within, .. } | Op::Approve { within, .. }, _) if *within > MAX_HOLD => OVER,
                    _ => medium,
                };
                if !reached[next].contains_key(then) {
                    reached[next].insert(then, Some((at, medium)));
                    work.insert(next);
                }
            }
        }
    }
    reached
}
