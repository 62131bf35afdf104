//! How much a run may take: steps, tries, time on the line, time until its end. The limits are data
//! (`policies/budget.yaml`); what a plan takes at most is added up here, and `check` holds the one against the other.
//!
//! What is added up is what stands in the workflow: its waits and deadlines, its tries, the items of its lists, and a
//! night for each message that follows a wait, for contact rules hold it so long. Not counted: the time that a vendor
//! takes, and days for which a rule about how often somebody is contacted holds a message.

mod most;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::{Diagnostic, Document, Item, MAX_DURATION, Reader, code, duration_in_words};

pub use most::{Most, Part, most};

/// The largest number of steps that can be written as a limit.
const MAX_STEPS: i64 = 1_000_000;
/// The largest number of tries that can be written as a limit.
const MAX_TRIES: i64 = 1_000;

/// What is measured of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Steps of the plan, each code, each card and each item of a list counted.
    Steps,
    /// Codes and cards that a customer may try.
    Tries,
    /// How long somebody is kept on the line, in microseconds.
    Held,
    /// How long a run may stay open, in microseconds.
    Open,
}

impl Measure {
    /// All of them, with the keys of `limits:`.
    pub const ALL: [(&'static str, Measure); 4] =
        [("steps", Measure::Steps), ("tries", Measure::Tries), ("held", Measure::Held), ("open", Measure::Open)];

    /// Its key.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// So much of it: `22`, `25m`.
    #[must_use]
    pub fn amount(self, much: i64) -> String {
        match self {
            _ if much == i64::MAX => "no end of it".to_owned(),
            Measure::Steps | Measure::Tries => much.to_string(),
            Measure::Held | Measure::Open => duration_in_words(much),
        }
    }

    /// What is proved of a run that stays within its limit.
    #[must_use]
    pub fn claim(self) -> &'static str {
        match self {
            Measure::Steps => "no run takes more steps than are allowed",
            Measure::Tries => "no customer tries more codes and cards than are allowed",
            Measure::Held => "nobody is kept on the line for longer than is allowed",
            Measure::Open => "every run is over in the time that is allowed",
        }
    }

    /// What a run can take, as a sentence: "a run may stay open for 71d".
    #[must_use]
    pub fn in_words(self, much: i64) -> String {
        let much = self.amount(much);
        match self {
            Measure::Steps => format!("a run may take {much} steps"),
            Measure::Tries => format!("a customer may try {much} codes and cards"),
            Measure::Held => format!("a customer may be kept on the line for {much}"),
            Measure::Open => format!("a run may stay open for {much}"),
        }
    }
}

/// The limits of all workflows. Without a file there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Who answers for them.
    pub owner: String,
    limits: BTreeMap<Measure, i64>,
    exceptions: BTreeMap<String, BTreeMap<Measure, i64>>,
}

/// A limit that counts for a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Steps, tries or microseconds.
    pub most: i64,
    /// Its name in proofs and refusals: `budget.limits.open`.
    pub rule: String,
}

impl Budget {
    /// Reads `policies/budget.yaml`.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let tree = Document::parse(file, text)?;
        let reader = Reader::new();
        let top = reader.item(&tree, "the budget").map(&["owner", "limits", "exceptions"]);
        let owner = top.required("owner").text();
        let all = top.required("limits").map(&Measure::ALL.map(|(key, _)| key));
        let limits = Measure::ALL.map(|(key, measure)| (measure, limit(&all.required(key), measure)));
        let mut exceptions = BTreeMap::new();
        for (workflow, item) in top.optional("exceptions").entries() {
            let keys = item.map(&["because", "steps", "tries", "held", "open"]);
            // Said for those who read the file: an exception without a reason is a hole.
            let _ = keys.required("because").text();
            let own = Measure::ALL.map(|(key, measure)| (measure, limit(&keys.optional(key), measure)));
            let own: BTreeMap<Measure, i64> = own.into_iter().filter_map(|(key, most)| Some((key, most?))).collect();
            if let (true, Some(span)) = (own.is_empty(), item.span()) {
                let refusal = Diagnostic::new(code::MISSING_KEY, format!("{} excepts nothing", item.name())).at(&span);
                reader.report(refusal.help("add `steps:`, `tries:`, `held:` or `open:`, or take it out"));
            }
            exceptions.insert(workflow.value, own);
        }
        let limits = limits.into_iter().filter_map(|(measure, most)| Some((measure, most?))).collect();
        let read = || Some(Self { owner: owner?.value, limits, exceptions });
        reader.finish(read())
    }

    /// The limit that counts for a workflow: its own exception, or that of all.
    #[must_use]
    pub fn limit(&self, workflow: &str, measure: Measure) -> Option<Limit> {
        let key = measure.name();
        match self.exceptions.get(workflow).and_then(|own| own.get(&measure)) {
            Some(most) => Some(Limit { most: *most, rule: format!("budget.exceptions.{workflow}.{key}") }),
            None => self.limits.get(&measure).map(|most| Limit { most: *most, rule: format!("budget.limits.{key}") }),
        }
    }
}

fn limit(item: &Item<'_, '_>, measure: Measure) -> Option<i64> {
    let most = match measure {
        Measure::Steps => item.count(1..=MAX_STEPS),
        Measure::Tries => item.count(1..=MAX_TRIES),
        Measure::Held | Measure::Open => item.duration(),
    };
    most.map(|most| most.value.min(MAX_DURATION))
}
