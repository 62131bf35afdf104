//! What changed between two workflows: in words, in what was proved, and in who gets to know what; and whether a run that
//! stands in the one could go on in the other.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::compile::Proof;
use crate::explain::{Explained, Reach, StepInWords};
use crate::moving::{Stuck, same};
use crate::plan::Plan;

/// One of the two.
pub struct Side<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// What was proved of it.
    pub proofs: &'a [Proof],
    /// It, in words.
    pub explained: &'a Explained,
}

/// Everything that differs. Nothing does where all lists are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// In words, in the order of the steps.
    pub changes: Vec<Change>,
    /// Claims that were proved and are not any more.
    pub proofs_lost: Vec<Proof>,
    /// Claims that were not proved before.
    pub proofs_gained: Vec<Proof>,
    /// Who does not get to know something any more.
    pub reaches_lost: Vec<Reach>,
    /// Who gets to know something new.
    pub reaches_gained: Vec<Reach>,
    /// Places of the first plan at which a run could not go on in the second, and why.
    pub stuck: Vec<Stuck>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The step, the template, or the part of the head.
    pub of: String,
    /// What it was; empty for what is new.
    pub before: Vec<String>,
    /// What it is; empty for what is gone.
    pub after: Vec<String>,
}

impl Difference {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What differs between `before` and `after`.
#[must_use]
pub fn diff(before: &Side<'_>, after: &Side<'_>) -> Difference {
    let mut changes = Vec::new();
    let mut note = |of: &str, before: Vec<String>, after: Vec<String>| {
        if before != after {
            changes.push(Change { of: of.to_owned(), before, after });
        }
    };
    note("title", vec![before.plan.title.clone()], vec![after.plan.title.clone()]);
    note("starts", vec![before.plan.starts.clone()], vec![after.plan.starts.clone()]);
    note("purpose", vec![before.plan.purpose.clone()], vec![after.plan.purpose.clone()]);
    note("uses", uses(before.plan), uses(after.plan));
    let (ours, theirs) = (&before.explained.steps, &after.explained.steps);
    for step in ours {
        let again = theirs.iter().find(|other| other.id == step.id);
        let (before, after) = (sentences(step), again.map(sentences).unwrap_or_default());
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|sentence| !those.contains(sentence)).cloned().collect()
        };
        note(&format!("step `{}`", step.id), only(&before, &after), only(&after, &before));
    }
    for step in theirs.iter().filter(|step| ours.iter().all(|other| other.id != step.id)) {
        note(&format!("step `{}`", step.id), Vec::new(), sentences(step));
    }
    let both = |these: &[StepInWords], those: &[StepInWords]| -> Vec<String> {
        let kept = these.iter().filter(|step| those.iter().any(|other| other.id == step.id));
        kept.map(|step| step.id.clone()).collect()
    };
    note("order", both(ours, theirs), both(theirs, ours));
    let names: BTreeSet<&String> = before.plan.templates.keys().chain(after.plan.templates.keys()).collect();
    for name in names {
        let text = |plan: &Plan| plan.templates.get(name).map(|template| template.text.trim_end().to_owned());
        let (before, after) = (text(before.plan), text(after.plan));
        note(&format!("template `{name}`"), before.into_iter().collect(), after.into_iter().collect());
    }
    Difference {
        changes,
        proofs_lost: without(before.proofs, |proof| after.proofs.iter().any(|other| other.claim == proof.claim)),
        proofs_gained: without(after.proofs, |proof| before.proofs.iter().any(|other| other.claim == proof.claim)),
        reaches_lost: only_in(&before.explained.reaches, &after.explained.reaches),
        reaches_gained: only_in(&after.explained.reaches, &before.explained.reaches),
        stuck: before.plan.nodes.iter().filter_map(|node| same(before.plan, after.plan, &node.name).err()).collect(),
    }
}

fn uses(plan: &Plan) -> Vec<String> {
    plan.uses.iter().map(|(own, installed)| format!("`{own}` is {installed}")).collect()
}

fn sentences(step: &StepInWords) -> Vec<String> {
    let otherwise = step.otherwise.iter().map(|other| format!("{} → {}", other.when, other.leads.in_words()));
    step.does.iter().cloned().chain(otherwise).collect()
}

fn without<T: Clone>(all: &[T], known: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|item| !known(item)).cloned().collect()
}

/// What these get to know that those do not, field by field.
fn only_in(these: &[Reach], those: &[Reach]) -> Vec<Reach> {
    let only = these.iter().map(|reach| {
        let same = those.iter().filter(|other| other.whom == reach.whom && other.class == reach.class);
        let known: BTreeSet<&String> = same.flat_map(|other| &other.fields).collect();
        let fields = reach.fields.iter().filter(|field| !known.contains(field)).cloned().collect();
        Reach { fields, ..reach.clone() }
    });
    only.filter(|reach| !reach.fields.is_empty()).collect()
}
