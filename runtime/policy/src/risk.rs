//! How risky is this? Named rules give points for what a signal found, the sum gives an action. Written in
//! `workflows/policies/risk.yaml`; its tables are in `workflows/policies/tests/`.
//!
//! Nothing takes points away, so no signal lowers a risk. A signal that is missing is not a clear one: it has points of
//! its own. A voice has none when it is missing, or a matching one would count as less risk than silence
//! (NIST SP 800-63B-4: a voice is no proof).

mod weigh;

use selvedge_workflow::source::{DAY, Diagnostic, Document, HOUR, Item, Reader};
use serde::{Deserialize, Serialize};

pub use self::weigh::{Place, Weighed, Weighing};
use crate::code;

/// The most points that one rule can give.
pub const MAX_POINTS: i64 = 100;
/// The longest that a risk which was found can count.
pub const MAX_HOLDS: i64 = 90 * DAY;
/// How long one counts of which no rule says it.
const HOLDS: i64 = 72 * HOUR;
/// Signals whose name begins with one of these words can only raise a risk.
const ONLY_RAISE: [&str; 2] = ["voice", "attestation"];

/// What a signal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Could not tell, or nobody asked.
    Missing,
    /// Looked, found nothing.
    Clear,
    /// Looked, found a risk.
    Raised,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Go on.
    Allow,
    /// Prove again who it is, by a stronger or another way.
    StepUp,
    /// Not this time.
    Refuse,
    /// Not before a person has looked at it.
    Person,
}

const ACTIONS: [(&str, Action); 4] =
    [("allow", Action::Allow), ("step-up", Action::StepUp), ("refuse", Action::Refuse), ("person", Action::Person)];

impl Action {
    /// As policies write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        ACTIONS.iter().find(|(_, action)| *action == self).map_or("refuse", |(name, _)| name)
    }

    /// The action of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Action> {
        ACTIONS.iter().find(|(known, _)| *known == name).map(|(_, action)| *action)
    }

    /// All names.
    #[must_use]
    pub fn names() -> [&'static str; 4] {
        ACTIONS.map(|(name, _)| name)
    }
}

/// One rule of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskRule {
    /// `risk.sim-swap`.
    pub id: String,
    /// One sentence for people.
    pub about: String,
    /// Whose finding counts: `sim-swap`.
    pub signal: String,
    /// Points when it found a risk.
    pub raised: u32,
    /// Points when it could not tell.
    pub missing: u32,
    /// How long a risk that it found counts for later tries, in microseconds.
    pub holds: i64,
}

/// The policy. Without a rule nothing is a risk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    rules: Vec<RiskRule>,
    /// From so many points on, this; ascending, the first from 0.
    levels: Vec<(u32, Action)>,
    cite: String,
}

/// The answer: an action and what led to it. Serialises to strings and integers only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// What is to be done.
    pub action: Action,
    /// The sum.
    pub points: u32,
    /// Every rule, in the order of the file.
    pub reasons: Vec<RiskReason>,
}

/// What one rule added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskReason {
    /// The rule's id.
    pub rule: String,
    /// Why such a thing counts.
    pub cite: String,
    /// Its points.
    pub points: u32,
    /// What its signal found.
    pub finding: Finding,
    /// One sentence for people.
    pub says: String,
}

impl Default for Risk {
    fn default() -> Risk {
        Risk { rules: Vec::new(), levels: vec![(0, Action::Allow)], cite: String::new() }
    }
}

impl Risk {
    /// Reads `policies/risk.yaml`.
    ///
    /// # Errors
    /// Every mistake, with its line and column.
    pub fn load(name: &str, text: &str) -> Result<Risk, Vec<Diagnostic>> {
        let tree = Document::parse(name, text)?;
        let reader = Reader::new();
        let file = reader.item(&tree, "the risk policy").map(&["owner", "status", "cite", "rules", "levels"]);
        let owner = file.required("owner").text();
        let status = file.required("status").one_of(&["unreviewed", "reviewed"]);
        let cite = file.required("cite").text();
        let rules = file.required("rules").items().iter().filter_map(|item| rule(item, &reader)).collect();
        let levels = levels(&file.required("levels"), &reader);
        let cite = owner.and(status).and(cite);
        reader.finish(cite.map(|cite| Risk { rules, levels, cite: cite.value }))
    }

    /// The rules, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[RiskRule] {
        &self.rules
    }

    /// How long a risk counts that this signal found, in microseconds.
    #[must_use]
    pub fn holds(&self, signal: &str) -> i64 {
        let of = self.rules.iter().filter(|rule| rule.signal == signal).map(|rule| rule.holds);
        of.max().unwrap_or(HOLDS)
    }

    /// Adds up what the signals found. Of several findings of one signal the worst counts; a signal of which nothing
    /// is said is missing.
    #[must_use]
    pub fn assess(&self, signals: &[(&str, Finding)]) -> Assessment {
        let reason = |rule: &RiskRule| {
            let found = signals.iter().filter(|(name, _)| *name == rule.signal).map(|(_, finding)| *finding);
            let finding = found.max().unwrap_or(Finding::Missing);
            let (points, word) = match finding {
                Finding::Clear => (0, "found nothing"),
                Finding::Raised => (rule.raised, "found a risk"),
                Finding::Missing => (rule.missing, "could not tell"),
            };
            let says = format!("`{}` {word}: {points} points. {}", rule.signal, rule.about);
            RiskReason { rule: rule.id.clone(), cite: self.cite.clone(), points, finding, says }
        };
        let reasons: Vec<RiskReason> = self.rules.iter().map(reason).collect();
        let points = reasons.iter().map(|reason| reason.points).sum();
        let reached = self.levels.iter().rev().find(|(from, _)| *from <= points);
        Assessment { action: reached.map_or(Action::Person, |(_, action)| *action), points, reasons }
    }
}

fn rule(item: &Item<'_, '_>, reader: &Reader) -> Option<RiskRule> {
    let rule = item.map(&["id", "about", "signal", "raised", "missing", "holds"]);
    let (id, about, signal) =
        (rule.required("id").text(), rule.required("about").text(), rule.required("signal").text());
    let raised = rule.required("raised").count(1..=MAX_POINTS);
    let missing = rule.required("missing").count(0..=MAX_POINTS);
    let holds = rule.required("holds").duration();
    let (signal, missing, holds) = (signal?, missing?, holds?);
    if holds.value > MAX_HOLDS {
        let message = format!("`{}` would follow a customer for more than 90 days", signal.value);
        let help = "a risk that was found has an end: write at most `holds: 90d`";
        reader.report(Diagnostic::new(code::RISK_HOLDS, message).at(&holds.span).help(help));
    }
    let first = signal.value.split('-').next().unwrap_or_default();
    if ONLY_RAISE.contains(&first) && missing.value > 0 {
        let message = format!("`{}` would lower the risk by being clear", signal.value);
        let help = "a voice and a caller's attestation can only raise a risk: write `missing: 0`";
        reader.report(Diagnostic::new(code::RISK_LOWERED, message).at(&missing.span).help(help));
    }
    Some(RiskRule {
        id: id?.value,
        about: about?.value,
        signal: signal.value,
        raised: u32::try_from(raised?.value).ok()?,
        missing: u32::try_from(missing.value).ok()?,
        holds: holds.value,
    })
}

fn levels(item: &Item<'_, '_>, reader: &Reader) -> Vec<(u32, Action)> {
    let mut levels: Vec<(u32, Action)> = Vec::new();
    for item in item.items() {
        let level = item.map(&["from", "do"]);
        let (from, action) =
            (level.required("from").count(0..=10 * MAX_POINTS), level.required("do").one_of(&Action::names()));
        let (Some(from), Some(action)) = (from, action.and_then(|action| Action::of(&action.value))) else { continue };
        let points = u32::try_from(from.value).unwrap_or(0);
        let ascends = levels.last().map_or(points == 0, |(last, _)| *last < points);
        if !ascends {
            let message = "levels begin at 0 and ascend";
            let help = "write the lowest first; each begins where the one before it ends";
            reader.report(Diagnostic::new(code::LEVELS_DISORDERED, message).at(&from.span).help(help));
        }
        levels.push((points, action));
    }
    if let (true, Some(span)) = (levels.is_empty(), item.span()) {
        let diagnostic = Diagnostic::new(code::LEVELS_DISORDERED, "no points lead to any action").at(&span);
        reader.report(diagnostic.help("begin with `- { from: 0, do: allow }`"));
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shipped() -> Risk {
        Risk::load("risk.yaml", include_str!("../../../workflows/policies/risk.yaml")).unwrap()
    }

    fn mistakes(rules: &str, levels: &str) -> Vec<String> {
        let text = format!("owner: x\nstatus: unreviewed\ncite: y\nrules:\n{rules}levels:\n{levels}");
        let found = Risk::load("r.yaml", &text).err().unwrap_or_default();
        found.iter().map(|d| d.to_string().split(": ").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_policy_that_would_trust_a_voice_does_not_load() {
        let rule = |signal: &str, missing| {
            format!("  - {{ id: a, about: b, signal: {signal}, raised: 10, missing: {missing}, holds: 1d }}\n")
        };
        let levels = "  - { from: 0, do: allow }\n";
        assert_eq!(mistakes(&rule("sim-swap", 10), levels), [""; 0]);
        for signal in ["voice", "voice-match", "attestation-c"] {
            let found = mistakes(&rule(signal, 1), levels);
            assert!(found.len() == 1 && found[0].starts_with("P231 r.yaml:5:"), "{signal}: {found:?}");
            assert_eq!(mistakes(&rule(signal, 0), levels), [""; 0]);
        }
        assert_eq!(mistakes(&rule("sim-swap", -1), levels).len(), 1, "nothing takes points away");
    }

    #[test]
    fn a_risk_that_was_found_has_an_end() {
        let rule =
            |holds: &str| format!("  - {{ id: a, about: b, signal: c, raised: 10, missing: 0, holds: {holds} }}\n");
        let levels = "  - { from: 0, do: allow }\n";
        assert_eq!(mistakes(&rule("90d"), levels), [""; 0]);
        assert!(mistakes(&rule("91d"), levels)[0].starts_with("P233 r.yaml:5:"));
        assert_eq!((shipped().holds("sim-swap"), shipped().holds("of-nobody")), (72 * HOUR, HOLDS));
    }

    #[test]
    fn levels_begin_at_nothing_and_ascend() {
        let rule = "  - { id: a, about: b, signal: c, raised: 10, missing: 0, holds: 1d }\n";
        for levels in
            ["  - { from: 1, do: allow }\n", "  - { from: 0, do: allow }\n  - { from: 0, do: refuse }\n", "  []\n"]
        {
            let found = mistakes(rule, levels);
            assert!(found.len() == 1 && found[0].starts_with("P232"), "{levels}: {found:?}");
        }
    }

    proptest! {
        /// Hearing more from a voice, or any signal turning worse, never lowers the risk.
        #[test]
        fn no_finding_lowers_the_risk(findings in prop::collection::vec(0u8..3, 16), which in 0usize..16) {
            let risk = shipped();
            let finding = |dice: u8| [Finding::Missing, Finding::Clear, Finding::Raised][usize::from(dice)];
            let names: Vec<&str> = risk.rules().iter().map(|rule| rule.signal.as_str()).collect();
            let signals: Vec<(&str, Finding)> = names.iter().copied().zip(findings.iter().map(|d| finding(*d))).collect();
            let which = which % names.len();
            let before = risk.assess(&signals);
            let mut worse = signals.clone();
            worse[which].1 = Finding::Raised;
            prop_assert!(risk.assess(&worse).points >= before.points);
            let voiceless: Vec<_> = signals.iter().copied().filter(|(name, _)| !name.starts_with("voice")).collect();
            prop_assert!(before.points >= risk.assess(&voiceless).points, "a voice added trust");
        }
    }
}
