//! Does the checker refuse what it should? A shipped workflow is spoilt in every way in which people spoil workflows, one
//! change at a time, and each spoilt one is judged twice: by the checker, and by a judge that shares nothing with it but
//! the plan ([`judge`]). An unsafe mutant that the checker would publish is a hole in the proofs.

mod generate;
mod judge;
mod spent;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::compile::{ConnectorFacts, Files, Sources, bundle, compile};
use crate::source::{Diagnostic, Span};

pub use judge::RULES;

/// What came of spoiling one workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spoilt {
    /// The workflow.
    pub workflow: String,
    /// How many mutants there were.
    pub mutants: usize,
    /// How many of them are not even well formed, and so nothing to judge.
    pub malformed: usize,
    /// How many the judge found unsafe.
    pub unsafe_mutants: usize,
    /// How many were unsafe by each rule of the judge.
    pub unsafe_by_rule: BTreeMap<&'static str, usize>,
    /// The kinds of change by which each rule of the judge was broken.
    pub kinds_by_rule: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// How many of each kind of change were unsafe.
    pub unsafe_by_change: BTreeMap<&'static str, usize>,
    /// The unsafe ones that the checker would publish.
    pub published_unsafe: Vec<Survivor>,
}

/// An unsafe mutant that the checker would publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Survivor {
    /// Where the shipped workflow was changed.
    pub place: Span,
    /// What was changed: "`level` is `L1`".
    pub change: String,
    /// The rules of the judge that it breaks.
    pub breaks: BTreeSet<&'static str>,
}

/// One changed workflow with what it stands in.
struct Mutant {
    kind: &'static str,
    place: Span,
    change: String,
    files: Files,
    connectors: BTreeMap<String, ConnectorFacts>,
}

/// Spoils a workflow in every way and judges each.
///
/// # Errors
/// The workflow as it is does not compile.
pub fn spoil(
    files: &Files,
    name: &str,
    connectors: &BTreeMap<String, ConnectorFacts>,
) -> Result<Spoilt, Vec<Diagnostic>> {
    let files = bundle(files, name);
    let checked = compile(&files, name, connectors)?;
    let mutants = generate::mutants(&files, name, &checked.plan, connectors)?;
    let mut spoilt = Spoilt {
        workflow: name.to_owned(),
        mutants: mutants.len(),
        malformed: 0,
        unsafe_mutants: 0,
        unsafe_by_rule: RULES.iter().map(|rule| (*rule, 0)).collect(),
        kinds_by_rule: RULES.iter().map(|rule| (*rule, BTreeSet::new())).collect(),
        unsafe_by_change: BTreeMap::new(),
        published_unsafe: Vec::new(),
    };
    for Mutant { kind, place, change, files, connectors } in mutants {
        let Ok(sources) = Sources::read(&files, name) else {
            spoilt.malformed += 1;
            continue;
        };
        let breaks = judge::judge(&sources, &connectors);
        let counted = spoilt.unsafe_by_change.entry(kind).or_default();
        if breaks.is_empty() {
            continue;
        }
        *counted += 1;
        spoilt.unsafe_mutants += 1;
        for rule in &breaks {
            *spoilt.unsafe_by_rule.entry(rule).or_default() += 1;
            spoilt.kinds_by_rule.entry(rule).or_default().insert(kind);
        }
        if compile(&files, name, &connectors).is_ok() {
            spoilt.published_unsafe.push(Survivor { place, change, breaks });
        }
    }
    Ok(spoilt)
}

/// The rules that a workflow breaks as it is, by the judge alone; empty for a safe one.
///
/// # Errors
/// Mistakes of form.
pub fn judged(
    files: &Files,
    name: &str,
    connectors: &BTreeMap<String, ConnectorFacts>,
) -> Result<BTreeSet<&'static str>, Vec<Diagnostic>> {
    Ok(judge::judge(&Sources::read(&bundle(files, name), name)?, connectors))
}
