//! How long is it kept? Dated by nothing but the law behind it: rules read from `workflows/policies/retention.yaml`.
//!
//! ```yaml
//! owner: Chief privacy officer
//! status: unreviewed
//! rules:
//!   - id: retention.disclosures
//!     cite: 45 CFR 164.528
//!     about: One sentence for people.
//!     classes: [PHI]
//!     workflows: [healthcare-balance]   # left out: all of them
//!     keep: 6y                          # or 90d, after the interaction closed
//! ```

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use selvedge_workflow::dictionary::Class;
use selvedge_workflow::source::code::DUPLICATE;
use selvedge_workflow::source::{Diagnostic, Document, Item, Reader, Spanned};

use crate::rules::is_name;

/// The longest that a rule can ask for, in years and in days; beyond it somebody mistyped.
const MAX_YEARS: i32 = 100;
const MAX_DAYS: i32 = 36_500;

/// One rule about what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// Unique: `retention.disclosures`.
    pub id: String,
    /// The law.
    pub cite: String,
    /// One sentence for people.
    pub about: String,
    /// The classes that it is about.
    pub classes: Vec<Class>,
    /// The workflows that it is about; empty: all.
    pub workflows: Vec<String>,
    /// How long after the interaction closed.
    pub keep: Keep,
}

/// A time in whole days or calendar years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// `90d`
    Days(i32),
    /// `6y`
    Years(i32),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keep::Days(days) => write!(f, "{days}d"),
            Keep::Years(years) => write!(f, "{years}y"),
        }
    }
}

impl Keep {
    fn read(text: &str) -> Option<Keep> {
        let number = |digits: &str, most: i32| {
            let number = digits.parse().ok().filter(|n| (1..=most).contains(n))?;
            (digits == i32::to_string(&number)).then_some(number)
        };
        match (text.strip_suffix('d'), text.strip_suffix('y')) {
            (Some(days), _) => number(days, MAX_DAYS).map(Keep::Days),
            (_, Some(years)) => number(years, MAX_YEARS).map(Keep::Years),
            _ => None,
        }
    }

    fn span(self) -> Span {
        match self {
            Keep::Days(days) => days.days(),
            Keep::Years(years) => years.years(),
        }
    }

    /// When what was closed at `closed` is not kept any more, in UTC microseconds. A time beyond the calendar never
    /// comes.
    fn after(self, closed: i64) -> i64 {
        let end = Timestamp::from_microsecond(closed).ok().and_then(|at| {
            let end = at.to_zoned(TimeZone::UTC).checked_add(self.span()).ok()?;
            Some(end.timestamp().as_microsecond())
        });
        end.unwrap_or(i64::MAX)
    }
}

/// The retention rules of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    rules: Vec<RetentionRule>,
}

impl Retention {
    /// Reads the policy. Errors: every mistake, each with its line and column.
    pub fn load(name: &str, text: &str) -> Result<Retention, Vec<Diagnostic>> {
        let tree = Document::parse(name, text)?;
        let reader = Reader::new();
        let file = reader.item(&tree, "a retention policy").map(&["owner", "status", "rules"]);
        // For people who read the file; nothing is decided by them.
        let _ = (file.required("owner").text(), file.required("status").one_of(&["unreviewed", "reviewed"]));
        let mut rules: Vec<RetentionRule> = Vec::new();
        for item in file.required("rules").items() {
            let Some((id, rule)) = read_rule(&item) else { continue };
            if rules.iter().any(|known| known.id == rule.id) {
                let message = format!("the rule `{}` is there twice", rule.id);
                reader.report(Diagnostic::new(DUPLICATE, message).at(&id.span).help("give one of them another id"));
            }
            rules.push(rule);
        }
        reader.finish(Some(rules)).map(|rules| Retention { rules })
    }

    /// Until when a class of a workflow's interaction that closed at `closed` is kept, in UTC microseconds, and by
    /// which rule: the one that keeps it longest. `None`: no rule speaks of it, so it is kept.
    #[must_use]
    pub fn until(&self, workflow: &str, class: &str, closed: i64) -> Option<(&RetentionRule, i64)> {
        let about = |rule: &&RetentionRule| {
            rule.classes.iter().any(|known| known.name() == class)
                && (rule.workflows.is_empty() || rule.workflows.iter().any(|known| known == workflow))
        };
        let ends = self.rules.iter().filter(about).map(|rule| (rule, rule.keep.after(closed)));
        // Of two that end at the same time, the first in the file.
        ends.rev().max_by_key(|(_, end)| *end)
    }

    /// Before this time an interaction must have closed, or nothing of it can be due at `now`. `None`: no rule.
    #[must_use]
    pub fn closed_before(&self, now: i64) -> Option<i64> {
        let back = |keep: Keep| {
            let at = Timestamp::from_microsecond(now).ok()?.to_zoned(TimeZone::UTC);
            Some(at.checked_sub(keep.span()).ok()?.timestamp().as_microsecond())
        };
        // A leap day makes a year back and a year forth differ; what is a day too young is looked at for nothing.
        self.rules.iter().filter_map(|rule| back(rule.keep)).max().map(|at| at.saturating_add(86_400_000_000))
    }
}

fn read_rule(item: &Item<'_, '_>) -> Option<(Spanned<String>, RetentionRule)> {
    let rule = item.map(&["id", "cite", "about", "classes", "workflows", "keep"]);
    let id = rule.required("id").parsed("an id such as `retention.messages`", |t| is_name(t).then(|| t.to_owned()));
    let cite = rule.required("cite").text();
    let about = rule.required("about").text();
    let names = Class::ALL.map(|(name, _)| name);
    let classes: Vec<Class> = rule
        .required("classes")
        .items()
        .iter()
        .filter_map(|class| class.one_of(&names))
        .filter_map(|name| Class::named(&name.value))
        .collect();
    let workflows = rule.optional("workflows").texts().into_iter().map(|text| text.value).collect();
    let keep = rule.required("keep").parsed("days or years such as `90d` or `6y`", Keep::read);
    let id = id?;
    let read = RetentionRule {
        id: id.value.clone(),
        cite: cite?.value,
        about: about?.value,
        classes,
        workflows,
        keep: keep?.value,
    };
    Some((id, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29T12:00:00Z
    const LEAP_DAY: i64 = 1_709_208_000_000_000;
    const DAY: i64 = 86_400_000_000;

    const POLICY: &str = "owner: Privacy
status: reviewed
rules:
  - { id: r.short, cite: A, about: a, classes: [PII, PHI], keep: 90d }
  - { id: r.health, cite: B, about: b, classes: [PHI], keep: 6y }
  - { id: r.clinic, cite: C, about: c, classes: [PII], workflows: [clinic], keep: 91d }
";

    fn rule(workflow: &str, class: &str, closed: i64) -> Option<(String, i64)> {
        let policy = Retention::load("retention.yaml", POLICY).unwrap();
        policy.until(workflow, class, closed).map(|(rule, end)| (rule.id.clone(), end))
    }

    #[test]
    fn the_longest_rule_that_speaks_of_it_wins() {
        assert_eq!(rule("shop", "PII", 0), Some(("r.short".into(), 90 * DAY)));
        assert_eq!(rule("clinic", "PII", 0), Some(("r.clinic".into(), 91 * DAY)));
        assert_eq!(rule("clinic", "PHI", 0).unwrap().0, "r.health");
    }

    #[test]
    fn a_class_that_no_rule_names_is_kept() {
        assert_eq!(rule("clinic", "COMMS", 0), None);
    }

    #[test]
    fn years_are_those_of_the_calendar() {
        // 2030-02-28T12:00:00Z: six years after a day that 2030 does not have.
        assert_eq!(rule("clinic", "PHI", LEAP_DAY).unwrap().1, 1_898_510_400_000_000);
        assert_eq!(rule("clinic", "PHI", i64::MAX).unwrap().1, i64::MAX);
    }

    #[test]
    fn whatever_is_due_closed_before_the_limit() {
        let policy = Retention::load("retention.yaml", POLICY).unwrap();
        for days in [0, 89, 90, 91, 2191, 2192] {
            let closed = LEAP_DAY - days * DAY;
            let due = ["PII", "PHI"].iter().any(|class| policy.until("shop", class, closed).unwrap().1 <= LEAP_DAY);
            assert!(!due || closed <= policy.closed_before(LEAP_DAY).unwrap(), "{days} days");
        }
        assert_eq!(Retention::default().closed_before(LEAP_DAY), None);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let wrong = POLICY
            .replace("90d", "90")
            .replace("[PHI]", "[PHY]")
            .replace("r.clinic", "r.health")
            .replace("cite: C", "sight: C");
        let found = Retention::load("retention.yaml", &wrong).unwrap_err();
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        let places: Vec<&str> = told.iter().filter_map(|text| text.split(": ").next()).collect();
        assert_eq!(
            places,
            [
                "W104 retention.yaml:4:66",
                "W104 retention.yaml:5:50",
                "W102 retention.yaml:6:21",
                "W103 retention.yaml:6:5"
            ],
            "{told:#?}"
        );
        let twice = POLICY.replace("r.clinic", "r.health");
        let found = Retention::load("retention.yaml", &twice).unwrap_err();
        assert!(found[0].to_string().starts_with("W106 retention.yaml:6:11"), "{}", found[0]);
        for keep in ["0d", "06y", "101y", "-1d", "6m", "6 y"] {
            assert_eq!(Keep::read(keep), None, "{keep}");
        }
    }

    #[test]
    fn the_house_s_own_policy_loads() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/policies/retention.yaml");
        let policy = Retention::load("policies/retention.yaml", &std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(policy.until("healthcare-balance", "PHI", 0).unwrap().0.id, "retention.disclosures");
        assert_eq!(policy.until("healthcare-balance", "COMMS", 0).unwrap().0.keep, Keep::Years(3));
    }
}
