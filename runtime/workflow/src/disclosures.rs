//! What has to be said, in which order and in which words, before a workflow may do more: the disclosure rules
//! (`policies/disclosures.yaml`). Law as dated data; the checker proves it on every path.
//!
//! Absent on purpose: a clock. A rule counts from the day on which it stands in the file, before its first day too, for
//! what is published now is still in use then; a rule that has ended is taken out.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dictionary::{Level, word};
use crate::source::{Diagnostic, Document, Item, Reader, Spanned, code};
use crate::syntax::Kind;
use crate::template::is_language;

/// The place of a demand on words: every electronic message, also one with a code. The ones of `communicate` steps alone
/// are told by that name.
pub const MESSAGE: &str = "message";

/// All rules about disclosures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Disclosures {
    /// Who answers for them.
    pub owner: String,
    /// `unreviewed` until counsel signs.
    pub status: String,
    /// The rules, in their order.
    pub rules: Vec<DisclosureRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DisclosureRule {
    /// Its name in refusals and proofs: `regf.mini-miranda`.
    pub id: String,
    /// The law.
    pub cite: String,
    /// How the law was seen: `primary`, `secondary`, `unconfirmed`; empty where the file does not say.
    pub seen: String,
    /// One sentence for people.
    pub about: String,
    /// Whose law it is. A workflow serves customers everywhere, so each rule counts wherever it is from.
    pub jurisdiction: String,
    /// Its first day.
    pub effective: String,
    /// The purposes that it is about.
    pub purposes: Vec<String>,
    /// What it asks for.
    pub then: Demand,
}

/// What a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Somebody is proved at this level before these words are said.
    Verified {
        /// The level.
        level: Level,
        /// The words, by their names.
        before: Vec<String>,
    },
    /// These words are said before these other words, or before steps of these kinds.
    Said {
        /// The words.
        words: String,
        /// Words by their names, and kinds of steps.
        before: Vec<String>,
    },
    /// These words follow those, whatever happens.
    Follows {
        /// The words.
        words: String,
        /// Those.
        after: String,
        /// In microseconds.
        within: i64,
    },
    /// A text has certain phrases in it, whatever the case of their letters, and names certain fields.
    Holds {
        /// The words that it is asked of, [`MESSAGE`] or `communicate`.
        place: String,
        /// Every one of these.
        every: Vec<String>,
        /// At least one of these, where there are any.
        one_of: Vec<String>,
        /// Every one of these fields.
        fields: Vec<String>,
        /// The phrases in further languages. A text in one that is not here lacks them.
        languages: BTreeMap<String, Phrases>,
    },
}

/// Phrases of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Phrases {
    /// Every one of these.
    pub every: Vec<String>,
    /// At least one of these, where there are any.
    pub one_of: Vec<String>,
}

impl Disclosures {
    /// Reads `policies/disclosures.yaml`.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let tree = Document::parse(file, text)?;
        let reader = Reader::new();
        let top = reader.item(&tree, "the disclosure rules").map(&["owner", "status", "rules"]);
        let owner = top.required("owner").text();
        let status = top.required("status").one_of(&["unreviewed", "reviewed"]);
        let mut ids: Vec<Spanned<String>> = Vec::new();
        let items = top.required("rules").items();
        let rules = items.iter().filter_map(|item| rule(item, &reader, &mut ids)).collect();
        let read = || Some(Self { owner: owner?.value, status: status?.value, rules });
        reader.finish(read())
    }

    /// The level that somebody has to be proved at before these words are said, and the rule that asks for the most.
    #[must_use]
    pub fn level(&self, words: &str) -> Option<(Level, &DisclosureRule)> {
        let levels = self.rules.iter().filter_map(|rule| match &rule.then {
            Demand::Verified { level, before } if before.iter().any(|before| before == words) => Some((*level, rule)),
            _ => None,
        });
        levels.max_by_key(|(level, _)| *level)
    }
}

impl DisclosureRule {
    /// Whether it is about this purpose.
    #[must_use]
    pub fn is_about(&self, purpose: &str) -> bool {
        self.purposes.iter().any(|known| known == purpose)
    }
}

/// Whether a text has a phrase in it, whatever the case of its letters and the breaks of its lines.
#[must_use]
pub fn holds(text: &str, phrase: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    plain(text).contains(&plain(phrase))
}

fn rule(item: &Item<'_, '_>, reader: &Reader, ids: &mut Vec<Spanned<String>>) -> Option<DisclosureRule> {
    let keys =
        item.named("a rule").map(&["id", "cite", "seen", "about", "jurisdiction", "effective", "purposes", "then"]);
    let id =
        keys.required("id").parsed("an id such as `regf.mini-miranda`", |text| is_id(text).then(|| text.to_owned()));
    let cite = keys.required("cite").text();
    let seen = keys.optional("seen").one_of(&["primary", "secondary", "unconfirmed"]);
    let about = keys.required("about").text();
    let jurisdiction = keys.required("jurisdiction").text();
    let effective =
        keys.required("effective").parsed("a date such as `2021-11-30`", |text| is_date(text).then(|| text.to_owned()));
    let purposes = some(&keys.required("purposes"), reader);
    let then = demand(&keys.required("then"), reader);
    let id = id?;
    if let Some(first) = ids.iter().find(|earlier| earlier.value == id.value) {
        let message = format!("the rule `{}` is there twice; first on line {}", id.value, first.span.line);
        reader.report(Diagnostic::new(code::DUPLICATE, message).at(&id.span).help("give one of them another id"));
    }
    ids.push(id.clone());
    Some(DisclosureRule {
        id: id.value,
        cite: cite?.value,
        seen: seen.map(|seen| seen.value).unwrap_or_default(),
        about: about?.value,
        jurisdiction: jurisdiction?.value,
        effective: effective?.value,
        purposes,
        then: then?,
    })
}

/// What a rule asks for is told by the key that it begins with.
fn demand(item: &Item<'_, '_>, reader: &Reader) -> Option<Demand> {
    const KEYS: [&str; 10] =
        ["verified", "said", "before", "after", "within", "in", "every", "one-of", "fields", "languages"];
    let keys = item.map(&KEYS);
    let only = |allowed: &[&str]| {
        for place in KEYS.iter().filter(|key| !allowed.contains(key)).filter_map(|key| keys.optional(key).span()) {
            let message = format!("a rule with `{}` has no such key", allowed[0]);
            let help = format!("its keys are `{}`", allowed.join("`, `"));
            reader.report(Diagnostic::new(code::UNKNOWN_KEY, message).at(&place).help(help));
        }
    };
    if keys.optional("verified").is_given() {
        only(&["verified", "before"]);
        let level = word(&keys.required("verified"), &Level::ALL);
        let before = some(&keys.required("before"), reader);
        if let (Some(kind), Some(span)) = (before.iter().find(|name| is_kind(name)), keys.required("before").span()) {
            let message = format!("`{kind}` is a kind of step, and what steps need says `policies/assurance.yaml`");
            reader.report(Diagnostic::new(code::WRONG_KIND, message).at(&span).help("name words that are said"));
        }
        return Some(Demand::Verified { level: level?, before });
    }
    if keys.optional("in").is_given() {
        only(&["in", "every", "one-of", "fields", "languages"]);
        let place = keys.required("in").text();
        let texts = |key: &str| keys.optional(key).texts().into_iter().map(|text| text.value).collect::<Vec<_>>();
        let (every, one_of, fields) = (texts("every"), texts("one-of"), texts("fields"));
        if let (true, Some(span)) = (every.is_empty() && one_of.is_empty() && fields.is_empty(), item.span()) {
            let refusal = Diagnostic::new(code::MISSING_KEY, "the rule asks for nothing").at(&span);
            reader.report(refusal.help("add `every:`, `one-of:` or `fields:`"));
        }
        let languages = phrases(&keys.optional("languages"), reader);
        return Some(Demand::Holds { place: place?.value, every, one_of, fields, languages });
    }
    let words = keys.required("said").text();
    if keys.optional("after").is_given() || keys.optional("within").is_given() {
        only(&["said", "after", "within"]);
        let after = keys.required("after").text();
        let within = keys.required("within").duration();
        return Some(Demand::Follows { words: words?.value, after: after?.value, within: within?.value });
    }
    only(&["said", "before"]);
    let before = some(&keys.required("before"), reader);
    Some(Demand::Said { words: words?.value, before })
}

/// The phrases of each further language.
fn phrases(item: &Item<'_, '_>, reader: &Reader) -> BTreeMap<String, Phrases> {
    let mut languages = BTreeMap::new();
    for (language, item) in item.entries() {
        let keys = item.map(&["every", "one-of"]);
        let texts = |key: &str| keys.optional(key).texts().into_iter().map(|text| text.value).collect::<Vec<_>>();
        let phrases = Phrases { every: texts("every"), one_of: texts("one-of") };
        if !is_language(&language.value) {
            let message = format!("`{}` is no language", language.value);
            reader
                .report(Diagnostic::new(code::WRONG_TYPE, message).at(&language.span).help("two letters such as `es`"));
        } else if phrases == Phrases::default() {
            let message = format!("the rule asks for nothing in `{}`", language.value);
            reader.report(
                Diagnostic::new(code::MISSING_KEY, message).at(&language.span).help("add `every:` or `one-of:`"),
            );
        }
        languages.insert(language.value, phrases);
    }
    languages
}

/// A list that must not be empty: an empty one would switch the rule off silently.
fn some(item: &Item<'_, '_>, reader: &Reader) -> Vec<String> {
    let texts = item.texts();
    if let (true, Some(span)) = (texts.is_empty(), item.span()) {
        let message = "an empty list switches the rule off";
        let refusal = Diagnostic::new(code::WRONG_TYPE, message).at(&span);
        reader.report(refusal.help("name at least one, or take the rule out"));
    }
    texts.into_iter().map(|text| text.value).collect()
}

/// Whether a name of `before:` is a kind of step; any other is the name of words.
pub(crate) fn is_kind(name: &str) -> bool {
    Kind::NAMES.contains(&name)
}

fn is_id(text: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(known)
}

/// `2021-11-30`.
fn is_date(text: &str) -> bool {
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    match text.split('-').collect::<Vec<_>>()[..] {
        [year, month, day] => digits(year, 4) && digits(month, 2) && digits(day, 2),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../workflows/policies/disclosures.yaml");

    #[test]
    fn the_shipped_rules_want_the_right_party_before_the_mini_miranda() {
        let rules = Disclosures::read("disclosures.yaml", SHIPPED).unwrap();
        let (level, rule) = rules.level("mini-miranda").unwrap();
        assert_eq!((level, rule.id.as_str()), (Level::L1, "regf.right-party"));
        assert!(rules.level("greeting").is_none());
        assert!(rule.is_about("collections") && !rule.is_about("billing"));
    }

    #[test]
    fn mistakes_are_told_together() {
        let text = SHIPPED
            .replacen("verified: L1", "verified: L7", 1)
            .replacen("within: 5d", "within: five days", 1)
            .replacen("effective: 2021-11-30", "effective: soon", 1)
            .replacen("purposes: [collections]", "purposes: []", 1);
        let found = Disclosures::read("d.yaml", &text).unwrap_err();
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told.iter().any(|line| line.contains("an empty list switches the rule off")), "{told:#?}");
    }

    #[test]
    fn a_phrase_is_found_over_lines_and_in_any_case() {
        assert!(holds("This is from\n a Debt  Collector.", "debt collector"));
        assert!(!holds("This is from a collector of debts.", "debt collector"));
    }
}
