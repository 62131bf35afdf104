//! What came of a run, read from its record.

use selvedge_engine::Fact;
use selvedge_engine::ports::Micros;
use selvedge_engine::run::{step_of, undoes};
use selvedge_policy::{Decision, Reason, Verdict};
use selvedge_record::Event;

/// A decision that was no plain yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The step that asked.
    pub step: String,
    /// `deny` or `defer`.
    pub verdict: &'static str,
    /// The rules that said so, in the order of the files.
    pub rules: Vec<String>,
    /// The earliest time, of a `defer`.
    pub until: Option<Micros>,
}

/// The steps that events speak of, each once in a row.
pub fn path(events: &[Event]) -> Vec<String> {
    let nodes = events.iter().filter_map(|event| event.data["node"].as_str());
    let mut path: Vec<String> = nodes.map(|node| step_of(node).into_owned()).collect();
    path.dedup();
    path
}

/// The steps that were undone, in that order.
pub fn undone(events: &[Event]) -> Vec<String> {
    let facts = events.iter().filter_map(|event| Fact::from_kind_and_data(&event.kind, event.data.clone()).ok());
    let undone = facts.filter_map(|fact| match fact {
        Fact::Done { node, exit, .. } if exit == "done" && undoes(&node) => Some(step_of(&node).into_owned()),
        _ => None,
    });
    undone.collect()
}

/// Every decision that was no plain yes, in their order.
pub fn decisions(events: &[Event]) -> Vec<Decided> {
    let facts = events.iter().filter_map(|event| Fact::from_kind_and_data(&event.kind, event.data.clone()).ok());
    let decided = facts.filter_map(|fact| match fact {
        Fact::ContactDecided { node, decision, .. }
        | Fact::AssuranceDecided { node, decision, .. }
        | Fact::RiskDecided { node, decision, .. } => no_plain_yes(&node, &decision),
        _ => None,
    });
    decided.collect()
}

fn no_plain_yes(node: &str, decision: &Decision) -> Option<Decided> {
    let (verdict, until) = match decision.verdict {
        Verdict::Permit => return None,
        Verdict::Deny => ("deny", None),
        Verdict::Defer { until } => ("defer", Some(until)),
    };
    // Of a no the rules that say no; those that would only have waited do not matter any more.
    let says = |reason: &Reason| match decision.verdict {
        Verdict::Deny => reason.verdict == Verdict::Deny,
        _ => reason.verdict != Verdict::Permit,
    };
    let against = decision.reasons.iter().filter(|reason| says(reason));
    let mut rules: Vec<String> = against.map(|reason| reason.rule.clone()).collect();
    rules.dedup();
    Some(Decided { step: step_of(node).into_owned(), verdict, rules, until })
}
