//! Proof 1 across branches: every path through one of them counts like any other path, so what holds after they have met
//! holds on each. What paths cannot say is said here: the customer is spoken with in one place at a time, an item of a
//! list is named only where there is one, and no more is under way at once than was written.

use std::collections::BTreeSet;

use super::{Context, Findings, PAGE};
use crate::dictionary::MAX_ITEMS;
use crate::plan::{Amount, Node, Op};
use crate::source::{Diagnostic, code, did_you_mean};
use crate::syntax::{ForEach, Kind, Parallel, Step};

/// The rules of this file, for proofs: they are the house's own, not the law's.
const CITE: &str = "design: one conversation";

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    within(context, &context.workflow.steps, None, findings);
}

/// Steps inside a `for-each` over `list`, or in none.
fn within(context: &Context<'_>, steps: &[Step], list: Option<&str>, findings: &mut Findings) {
    for step in steps {
        items_named(context, step, list, findings);
        let mut inner = list;
        match &step.kind {
            Kind::Parallel(parallel) => branches(step, parallel, findings),
            Kind::ForEach(each) => {
                items(context, step, each, findings);
                inner = Some(&each.every.value);
            }
            _ => {}
        }
        step.kind.inner().into_iter().for_each(|steps| within(context, steps, inner, findings));
    }
}

/// The customer is spoken with in at most one of the branches.
fn branches(step: &Step, parallel: &Parallel, findings: &mut Findings) {
    let spoken = parallel.branches.iter().map(|steps| Step::every(steps).into_iter().find(|step| speaks(step)));
    let spoken: Vec<&Step> = spoken.flatten().collect();
    let id = &step.id.value;
    if let [first, second, ..] = spoken[..] {
        let (first, second) = (&first.id.value, &second.id);
        let message = format!("`{first}` and `{}` speak with the customer in two branches of `{id}`", second.value);
        let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&second.span).cite(CITE);
        let help = "bring both into one branch: a customer has one conversation at a time";
        findings.refuse(refusal.along([id.clone(), second.value.clone()].to_vec()).help(help));
        return;
    }
    let because = match spoken.first() {
        Some(only) => format!("only the branch of `{}` speaks with the customer", only.id.value),
        None => "none of them speaks with the customer".to_owned(),
    };
    findings.proved(format!("the branches of `{id}` do not get into each other's way"), "plan.branches", CITE, because);
}

/// What is gone through is a list of the customer's, and what is done for each item asks nobody anything.
fn items(context: &Context<'_>, step: &Step, each: &ForEach, findings: &mut Findings) {
    let (id, list) = (&step.id.value, &each.every);
    let lists: BTreeSet<&str> =
        context.dictionary.fields.keys().filter_map(|p| context.dictionary.list_of(p)).collect();
    if !lists.contains(list.value.as_str()) {
        let message = format!("`{}` is no list of the data dictionary", list.value);
        let help = did_you_mean(&list.value, lists.iter().copied());
        let help =
            help.unwrap_or_else(|| "give the fields of its group `list: true` in `workflows/fields.yaml`".into());
        findings.refuse(Diagnostic::new(code::UNKNOWN_FIELD, message).at(&list.span).help(help));
        return;
    }
    let before = findings.refusals.len();
    for inner in Step::every(&each.steps) {
        let kind = inner.kind.name();
        let message = match &inner.kind {
            Kind::Communicate(message) if message.link.is_none() => continue,
            Kind::Communicate(_) => format!("`{}` sends a link for each `{}`", inner.id.value, list.value),
            Kind::Call(_) | Kind::Wait(_) | Kind::Choose(_) | Kind::Subworkflow(_) => continue,
            _ => format!("`{}` is a `{kind}` step, and is there once, not for each `{}`", inner.id.value, list.value),
        };
        let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&inner.id.span).cite(CITE);
        let refusal = refusal.along(vec![id.clone(), inner.id.value.clone()]);
        findings
            .refuse(refusal.help(format!("move it before or after `{id}`; messages, calls, waits and choices stay")));
    }
    if findings.refusals.len() == before {
        let claim = format!("`{id}` has at most {} of its items under way at once", each.at_once.value);
        let because =
            format!("a customer has at most {MAX_ITEMS} of `{}`, and the next begins when one is over", list.value);
        findings.proved(claim, "plan.items", CITE, because);
    }
}

/// A field of an item is named only where there is an item.
fn items_named(context: &Context<'_>, step: &Step, list: Option<&str>, findings: &mut Findings) {
    let own = context.nodes.iter().filter(|node| node.step == step.id.value);
    let named: BTreeSet<&str> = own.flat_map(|node| named(context, node)).collect();
    for path in named {
        let Some(group) = context.dictionary.list_of(path).filter(|group| list != Some(group)) else { continue };
        let message = format!("`{path}` is there for each `{group}`, and `{}` has no `{group}`", step.id.value);
        let refusal = Diagnostic::new(code::MISPLACED_VARIABLE, message).at(&step.id.span);
        findings.refuse(refusal.help(format!("move the step into a `for-each` with `every: {group}`")));
    }
}

/// Every field that a node names, those of its text with them.
fn named<'a>(context: &Context<'a>, node: &'a Node) -> Vec<&'a str> {
    let text = |name: &str, medium: &str| {
        let template = context.template(name, medium);
        template.into_iter().flat_map(|template| template.variables.iter().map(String::as_str))
    };
    match &node.op {
        Op::Check { subject, .. } => vec![subject],
        Op::Send { to, template, .. } => text(template, super::MESSAGE).chain([to.as_str()]).collect(),
        Op::Disclose { fields, .. } => fields.iter().map(String::as_str).collect(),
        Op::Offer { total, .. } | Op::Charge { amount: Amount::Field(total), .. } => vec![total],
        Op::Debit { amount: Amount::Field(total), .. } => vec![total],
        Op::Card { authorization, .. } => text(authorization, PAGE).collect(),
        Op::Call { with, .. } => with.iter().map(|(_, path)| path.as_str()).collect(),
        Op::When { condition } => condition.reads.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a step speaks with the customer.
fn speaks(step: &Step) -> bool {
    matches!(step.kind, Kind::Verify(_) | Kind::Disclose(_) | Kind::Offer(_) | Kind::Handoff(_))
        || step.kind.page().is_some()
}
