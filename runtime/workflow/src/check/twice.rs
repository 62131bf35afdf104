//! A warning, and no proof: on one path two steps `pay` the same amount, the second after the first was paid. It may be
//! meant, where the system of record lowers the field in between; a `choose` whose branches both pay and then go on to a
//! step that pays again is not. `debit` is not asked: its instalments are the same amount on purpose.

use std::collections::{BTreeSet, VecDeque};

use super::{Context, Findings};
use crate::plan::{Amount, Exit, Node, Op, Target};
use crate::source::{Diagnostic, code};

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    let mut told = BTreeSet::new();
    for node in context.nodes {
        let Some(amount) = charged(node) else { continue };
        for again in charged_after(context.nodes, node, amount) {
            if told.insert(again) {
                findings.warnings.push(warning(context, node, again, amount));
            }
        }
    }
}

fn charged(node: &Node) -> Option<&Amount> {
    match &node.op {
        Op::Charge { amount, .. } => Some(amount),
        _ => None,
    }
}

/// The other steps that charge the same, and that a run can come to once this one has charged it.
fn charged_after<'a>(nodes: &'a [Node], first: &Node, amount: &Amount) -> BTreeSet<&'a str> {
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    let mut open: VecDeque<&Target> =
        first.exits.iter().filter(|(exit, _)| *exit == Exit::Done).map(|(_, to)| to).collect();
    while let Some(target) = open.pop_front() {
        let Target::Node(at) = target else { continue };
        let Some(node) = nodes.get(*at).filter(|_| seen.insert(*at)) else { continue };
        if charged(node) == Some(amount) && node.step != first.step {
            found.insert(node.step.as_str());
        }
        open.extend(node.exits.iter().map(|(_, to)| to));
    }
    found
}

fn warning(context: &Context<'_>, first: &Node, again: &str, amount: &Amount) -> Diagnostic {
    let what = match amount {
        Amount::FirstPart { offer } => format!("{offer}.first"),
        Amount::Field(field) => field.clone(),
    };
    let message = format!("`{again}` charges `{what}`, which `{}` has charged before on this path", first.step);
    let mut path = context.path_to(&first.step);
    path.push(again.to_owned());
    Diagnostic::new(code::PAID_TWICE, message)
        .at(&context.span_of(again))
        .along(path)
        .help("let one step pay it, or name what is still due")
}
