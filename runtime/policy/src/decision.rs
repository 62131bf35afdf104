//! What every door answers: a verdict and all its reasons.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Yes, no, or not yet. As JSON `{"kind":"permit"}`, `{"kind":"deny"}`, `{"kind":"defer","until":…}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// It may happen.
    Permit,
    /// It may not happen before an instant; ask again then.
    Defer {
        /// UTC microseconds.
        until: i64,
    },
    /// It may not happen.
    Deny,
}

/// Why one rule said what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's id: `tcpa.hours`; `default` where nothing permits.
    pub rule: String,
    /// The law or policy behind it: `47 CFR 64.1200(c)(1)`; may be empty.
    pub cite: String,
    /// What this rule alone says.
    pub verdict: Verdict,
    /// The facts that it used. Never a customer's value; the name of a time zone is none.
    pub facts: BTreeMap<String, String>,
    /// One sentence for people.
    pub says: String,
}

impl Reason {
    pub(crate) fn new(rule: &str, cite: &str, verdict: Verdict, says: impl Into<String>) -> Self {
        let (rule, cite) = (rule.to_owned(), cite.to_owned());
        Reason { rule, cite, verdict, facts: BTreeMap::new(), says: says.into() }
    }

    pub(crate) fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// A verdict and the reasons that make it. Serialises to strings and integers only, so it has a canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The verdict over all reasons.
    pub verdict: Verdict,
    /// Every rule that was asked, in the order of the files.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Is the verdict a plain yes?
    #[must_use]
    pub fn is_permit(&self) -> bool {
        self.verdict == Verdict::Permit
    }

    /// A no besides all that was said: nothing is on file that could be charged.
    #[must_use]
    pub fn without_method(mut self) -> Self {
        let says = "no method is on file, or it was not to be kept for so long";
        self.reasons.push(Reason::new("method", "12 CFR 1005.10(b)", Verdict::Deny, says));
        Decision::deny(self.reasons)
    }

    pub(crate) fn permit(reasons: Vec<Reason>) -> Self {
        Decision { verdict: Verdict::Permit, reasons }
    }

    pub(crate) fn deny(reasons: Vec<Reason>) -> Self {
        Decision { verdict: Verdict::Deny, reasons }
    }
}
