//! Proof 4: every effect says how "did it happen?" is answered, every wait has an end, every payment says how it is
//! undone, and every exit leads somewhere.

use std::collections::BTreeSet;

use super::{Context, Findings, ticked};
use crate::compile::ConnectorKind;
use crate::plan::{Carries, Exit, Node, Op};
use crate::source::{Diagnostic, code, duration_in_words};
use crate::syntax::{CALL_CLASSES, Kind, Undo};

/// How "did it happen?" can be answered. `pure` changes nothing outside and needs no answer.
pub const EFFECT_CLASSES: [&str; 4] = ["pure", "idempotent", "reconcile", "never-retry"];

/// The rules of this file, for proofs: they are the house's own, not the law's.
const CITE: &str = "design: one step, as it flows";

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    effects(context, findings);
    narrowed(context, findings);
    waits(context, findings);
    undos(context, findings);
}

/// A payment says how it is undone or why not, another step may say it; and what undoes it does something.
fn undos(context: &Context<'_>, findings: &mut Findings) {
    for step in context.workflow.every_step() {
        let id = &step.id.value;
        if let Kind::Debit(debit) = &step.kind {
            let because = format!("by no workflow: {}", debit.undo.value);
            findings.proved(format!("`{id}` says how its money is given back"), "plan.undo", CITE, because);
        }
        let because = match step.kind.undo() {
            None => continue,
            Some(Undo::None(why)) => format!("by no workflow: {}", why.value),
            Some(Undo::Call(call)) => {
                let service = context.fitting(&call.through.value, ConnectorKind::Service);
                let declared = service.and_then(|(_, facts)| facts.effects.get(&call.function.value));
                if declared.is_some_and(|class| class == "pure") {
                    let message =
                        format!("`{}` is pure: it changes nothing, and so cannot undo `{id}`", call.function.value);
                    let refusal = Diagnostic::new(code::NO_EFFECT_CLASS, message).at(&call.function.span);
                    findings.refuse(
                        refusal.help("name the function that takes it back, or write `undo: { none: \"why\" }`"),
                    );
                    continue;
                }
                let (function, through) = (&call.function.value, &call.through.value);
                format!("by `{function}` of `{through}`, when the run fails or is cancelled later")
            }
        };
        let what = if matches!(step.kind, Kind::Pay(_)) { "its money is given back" } else { "it is undone" };
        findings.proved(format!("`{id}` says how {what}"), "plan.undo", CITE, because);
    }
}

/// Every function that the plan calls has a class, and one that changes the world is not called pure.
fn effects(context: &Context<'_>, findings: &mut Findings) {
    let before = findings.refusals.len();
    let mut declared: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for node in context.nodes {
        let (own, kind, function) = match &node.op {
            Op::Check { connector, .. } => (connector, ConnectorKind::Verifier, "check"),
            Op::Send { connector, .. } => (connector, ConnectorKind::Channel, "send"),
            Op::Charge { connector, .. } | Op::Debit { connector, .. } => (connector, ConnectorKind::Gateway, "charge"),
            Op::Validate { connector, .. } => (connector, ConnectorKind::Gateway, "validate"),
            Op::Call { connector, function, .. } => (connector, ConnectorKind::Service, function.as_str()),
            _ => continue,
        };
        // What a service does is the vendor's affair; a question to it may well be pure.
        let changes = matches!(kind, ConnectorKind::Channel | ConnectorKind::Gateway);
        let Some((installed, facts)) = context.fitting(own, kind) else { continue };
        if !seen.insert((installed, function)) {
            continue;
        }
        let found = facts.effects.get(function).map(String::as_str);
        let message = match found {
            Some("pure") if changes => format!("`{installed}` calls `{function}` pure, and it changes the world"),
            Some(class) if EFFECT_CLASSES.contains(&class) => {
                declared.push(format!("`{function}` of `{installed}` is {class}"));
                continue;
            }
            Some(class) => format!("`{installed}` says `{class}` of `{function}`, which is no effect class"),
            // That a service has no such function is said elsewhere.
            None if kind == ConnectorKind::Service => continue,
            None => format!("`{installed}` does not say how \"did it happen?\" is answered for `{function}`"),
        };
        let words = if changes { &EFFECT_CLASSES[1..] } else { &EFFECT_CLASSES[..] };
        let help =
            format!("in the manifest of `{installed}` give `{function}` one of {}", ticked(words.iter().copied()));
        let refusal = Diagnostic::new(code::NO_EFFECT_CLASS, message).at(&context.span_of(&node.step));
        findings.refuse(refusal.along(context.path_to(&node.step)).help(help));
    }
    if findings.refusals.len() == before && !declared.is_empty() {
        findings.proved(
            "every effect says how \"did it happen?\" is answered",
            "plan.effects",
            CITE,
            declared.join("; "),
        );
    }
}

/// A workflow may narrow the class that a manifest declares and never widen it: what the vendor does not promise, no
/// workflow can.
fn narrowed(context: &Context<'_>, findings: &mut Findings) {
    let rank = |class: &str| CALL_CLASSES.iter().position(|known| *known == class);
    let steps = context.workflow.every_step();
    for (step, call) in steps.into_iter().flat_map(|step| step.kind.calls().into_iter().map(move |call| (step, call))) {
        let Some(class) = &call.class else { continue };
        let Some((installed, facts)) = context.fitting(&call.through.value, ConnectorKind::Service) else { continue };
        let (function, Some(declared)) = (&call.function.value, facts.effects.get(&call.function.value)) else {
            continue;
        };
        if rank(&class.value) >= rank(declared) {
            let claim = format!("`{}` takes `{function}` for {}", step.id.value, class.value);
            let because = format!("`{installed}` declares {declared}, which is no narrower");
            findings.proved(claim, "plan.effects", CITE, because);
            continue;
        }
        let message = format!("`{installed}` says that `{function}` is {declared}, which `{}` widens", class.value);
        let narrower = CALL_CLASSES.into_iter().filter(|known| rank(known) >= rank(declared));
        let refusal = Diagnostic::new(code::NO_EFFECT_CLASS, message).at(&class.span);
        findings.refuse(refusal.help(format!("remove the line, or write one of {}", ticked(narrower))));
    }
}

/// Every wait ends, and every way to leave a node leads somewhere. The lowering sees to both; this is the proof of it.
fn waits(context: &Context<'_>, findings: &mut Findings) {
    let before = findings.refusals.len();
    let mut ends: Vec<String> = Vec::new();
    for node in context.nodes {
        let open =
            node.op.exits().iter().find(|exit| node.exits.iter().filter(|(known, _)| known == *exit).count() != 1);
        if let Some(exit) = open {
            let message = format!("`{}` has no way on when it is left by `{exit:?}`", node.name);
            let refusal = Diagnostic::new(code::WRONG_KIND, message.to_lowercase()).at(&context.span_of(&node.step));
            findings.refuse(refusal.help("this is a mistake of ours; please report it"));
        }
        if node.op.exits().contains(&Exit::Timeout) || matches!(node.op, Op::Wait { .. }) {
            ends.extend(end_of(context, node).map(|after| format!("`{}` after {after}", node.name)));
        }
    }
    if findings.refusals.len() == before && !ends.is_empty() {
        findings.proved("every wait ends", "plan.waits", CITE, ends.join("; "));
    }
}

/// When a wait is over, in words.
fn end_of(context: &Context<'_>, node: &Node) -> Option<String> {
    match &node.op {
        Op::Answer { within, .. } | Op::Offer { within, .. } => Some(duration_in_words(*within)),
        Op::Ask { within, .. } | Op::Approve { within, .. } | Op::Handoff { within, .. } => {
            Some(duration_in_words(*within))
        }
        Op::Wait { lasts } => Some(duration_in_words(*lasts)),
        // What is written on the page ends with the link that opened it.
        _ => context.nodes.iter().find_map(|sender| match &sender.op {
            Op::Send { carries: Carries::Link { opens, lasts }, .. } if *opens == node.step => {
                Some(duration_in_words(*lasts))
            }
            _ => None,
        }),
    }
}
