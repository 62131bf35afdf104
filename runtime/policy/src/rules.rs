//! Contact rules: dated data, read from `workflows/rules/*.yaml`. A new law is a new rule in a file.
//!
//! ```yaml
//! pack: TCPA
//! owner: Compliance counsel
//! status: unreviewed              # until counsel signs: reviewed
//! rules:
//!   - id: tcpa.hours
//!     cite: 47 CFR 64.1200(c)(1)
//!     about: One sentence for people.
//!     jurisdiction: US            # or a list: [US-FL, US-OK]
//!     effective: 1991-12-20       # the first day, and `until:` the last one
//!     applies: { channels: [call, sms], unless-purposes: [identity] }   # or `purposes: [billing]`
//!     then: { hours: { from: "08:00", to: "21:00" } }   # or { consent: express } or { not-flagged: opted-out }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use selvedge_workflow::source::code::{DUPLICATE, WRONG_TYPE};
use selvedge_workflow::source::{Diagnostic, Document, Fields, Item, Reader, Span, Spanned, did_you_mean};

use crate::code;
use crate::contact::Contact;
use crate::decision::{Reason, Verdict};
use crate::hours::Hours;

/// The channels that a rule can speak of.
const CHANNELS: [&str; 3] = ["call", "sms", "email"];
/// The consequences that a rule can have.
const THENS: [&str; 3] = ["hours", "consent", "not-flagged"];
/// Where a day begins first and where it ends last, in hours from UTC. A rule is in force from the moment that its
/// first day begins anywhere until its last one has ended everywhere.
const FIRST_MIDNIGHT: i8 = 14;
const LAST_MIDNIGHT: i8 = -12;

/// One contact rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique over all files: `tcpa.hours`.
    pub id: String,
    /// The law.
    pub cite: String,
    /// One sentence for people.
    pub about: String,
    /// The file's title: `TCPA`.
    pub pack: String,
    /// Who answers for the file.
    pub owner: String,
    /// `unreviewed` or `reviewed`, by counsel.
    pub status: String,
    /// Where it applies; `US` includes `US-FL`.
    pub jurisdictions: Vec<String>,
    /// The first day.
    pub effective: Date,
    /// The last day.
    pub until: Option<Date>,
    /// By which channels.
    pub channels: Vec<String>,
    /// For which purposes; empty: for all.
    pub purposes: Vec<String>,
    /// For which purposes not.
    pub unless_purposes: Vec<String>,
    /// What it asks for.
    pub then: Then,
}

/// What a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The customer's local time is inside these hours.
    Hours(Hours),
    /// The customer's express consent to this channel for this purpose.
    Consent,
    /// The customer does not have this flag.
    NotFlagged(String),
}

impl Rule {
    pub(crate) fn applies(&self, contact: &Contact<'_>, at: Timestamp) -> bool {
        let here = |place: &String| self.jurisdictions.iter().any(|wider| includes(wider, place));
        let purpose = |list: &[String]| list.iter().any(|known| known == contact.purpose);
        self.in_force(at)
            && self.channels.iter().any(|channel| channel == contact.channel)
            && (self.purposes.is_empty() || purpose(&self.purposes))
            && !purpose(&self.unless_purposes)
            && contact.customer.jurisdictions.iter().any(here)
    }

    pub(crate) fn reason(&self, verdict: Verdict, says: impl Into<String>) -> Reason {
        // The date tells the versions of a rule apart.
        Reason::new(&self.id, &self.cite, verdict, says).fact("effective", self.effective.to_string())
    }

    fn in_force(&self, at: Timestamp) -> bool {
        let begun = midnight(self.effective, FIRST_MIDNIGHT).is_some_and(|begin| begin <= at);
        let ended = self.until.is_some_and(|last| {
            let after = last.saturating_add(1.day());
            midnight(after, LAST_MIDNIGHT).is_some_and(|end| end <= at)
        });
        begun && !ended
    }
}

/// Is `place` the same as `wider`, or a part of it? `US-FL` is a part of `US`.
fn includes(wider: &str, place: &str) -> bool {
    place.strip_prefix(wider).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn midnight(date: Date, hours_from_utc: i8) -> Option<Timestamp> {
    let zone = TimeZone::fixed(Offset::from_hours(hours_from_utc).ok()?);
    date.to_zoned(zone).ok().map(|zoned| zoned.timestamp())
}

/// All contact rules of an installation.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Reads the rule files: name to content.
    ///
    /// # Errors
    /// Every mistake in every file, each with its line and column.
    pub fn load(files: &BTreeMap<String, String>) -> Result<RuleSet, Vec<Diagnostic>> {
        let mut rules = Vec::new();
        let mut ids = BTreeMap::new();
        let mut mistakes = Vec::new();
        for (name, text) in files {
            match read_file(name, text, &mut ids) {
                Ok(read) => rules.extend(read),
                Err(found) => mistakes.extend(found),
            }
        }
        if rules.is_empty() && mistakes.is_empty() {
            let message = "there is no contact rule, so no contact would ever be permitted";
            let help = "put at least one rule into `workflows/rules/`";
            mistakes.push(Diagnostic::new(code::NO_RULES, message).help(help));
        }
        if mistakes.is_empty() { Ok(RuleSet { rules }) } else { Err(mistakes) }
    }

    /// The rules, in the order of the files.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// What all rules of a file share.
struct Pack {
    pack: String,
    owner: String,
    status: String,
}

fn read_file(name: &str, text: &str, ids: &mut BTreeMap<String, Span>) -> Result<Vec<Rule>, Vec<Diagnostic>> {
    let tree = Document::parse(name, text)?;
    let reader = Reader::new();
    let file = reader.item(&tree, "a rule file").map(&["pack", "owner", "status", "rules"]);
    let pack = file.required("pack").text();
    let owner = file.required("owner").text();
    let status = file.required("status").one_of(&["unreviewed", "reviewed"]);
    // Rules are read even when the head is wrong, so that their mistakes are told as well.
    let or_empty = |text: Option<Spanned<String>>| text.map(|text| text.value).unwrap_or_default();
    let head = Pack { pack: or_empty(pack), owner: or_empty(owner), status: or_empty(status) };
    let rules = file.required("rules").items();
    let rules: Vec<Rule> = rules.iter().filter_map(|item| read_rule(item, &head, &reader, ids)).collect();
    reader.finish(Some(rules))
}

fn read_rule(item: &Item<'_, '_>, head: &Pack, reader: &Reader, ids: &mut BTreeMap<String, Span>) -> Option<Rule> {
    let rule = item.map(&["id", "cite", "about", "jurisdiction", "effective", "until", "applies", "then"]);
    let id = rule.required("id").parsed("an id such as `tcpa.hours`", |text| is_name(text).then(|| text.to_owned()));
    let cite = rule.required("cite").text();
    let about = rule.required("about").text();
    let jurisdictions = some(&rule.required("jurisdiction"), reader, |place| {
        place.parsed("a jurisdiction such as `US` or `US-FL`", |text| is_place(text).then(|| text.to_owned()))
    });
    let effective = date(&rule.required("effective"));
    let until = date(&rule.optional("until"));
    let applies = rule.required("applies").map(&["channels", "purposes", "unless-purposes"]);
    let channels = some(&applies.required("channels"), reader, |channel| channel.one_of(&CHANNELS));
    let purposes = names(&applies, "purposes");
    let unless_purposes = names(&applies, "unless-purposes");
    let then = read_then(&rule.required("then"), reader);

    let id = id?;
    if let Some(first) = ids.get(&id.value) {
        let message = format!("the rule `{}` is there twice; first at {first}", id.value);
        reader.report(Diagnostic::new(DUPLICATE, message).at(&id.span).help("give one of them another id"));
    } else {
        ids.insert(id.value.clone(), id.span.clone());
    }
    if let (Some((begin, _)), Some((end, span))) = (&effective, &until)
        && end < begin
    {
        let message = format!("`{}` ends on {end}, before it begins on {begin}", id.value);
        let help = "`effective` is the first day and `until` the last one";
        reader.report(Diagnostic::new(code::DATES_REVERSED, message).at(span).help(help));
    }
    Some(Rule {
        id: id.value,
        cite: cite?.value,
        about: about?.value,
        pack: head.pack.clone(),
        owner: head.owner.clone(),
        status: head.status.clone(),
        jurisdictions,
        effective: effective?.0,
        until: until.map(|(date, _)| date),
        channels,
        purposes,
        unless_purposes,
        then: then?,
    })
}

fn read_then(item: &Item<'_, '_>, reader: &Reader) -> Option<Then> {
    let (kind, value) = item.tagged()?;
    match kind.value.as_str() {
        "hours" => {
            let hours = value.map(&["from", "to"]);
            let from = hours.required("from").parsed("a time such as \"08:00\"", time);
            let to = hours.required("to").parsed("a time such as \"21:00\"", time);
            let (from, to) = (from?, to?);
            if from.value >= to.value {
                let message = "these hours never begin: `from` is not before `to`";
                let help = "both are times of the same day, `from` the earlier one";
                reader.report(Diagnostic::new(code::EMPTY_HOURS, message).at(&from.span).help(help));
            }
            Some(Then::Hours(Hours { from: from.value, to: to.value }))
        }
        "consent" => value.one_of(&["express"]).map(|_| Then::Consent),
        "not-flagged" => value.text().map(|flag| Then::NotFlagged(flag.value)),
        other => {
            let message = format!("`{other}` is nothing that a rule can ask for");
            let complaint = Diagnostic::new(code::UNKNOWN_THEN, message).at(&kind.span);
            reader.report(complaint.maybe_help(did_you_mean(other, THENS)));
            None
        }
    }
}

/// A list, or one value in its place, that must not be empty: an empty one would switch the rule off silently.
fn some(item: &Item<'_, '_>, reader: &Reader, read: impl Fn(&Item<'_, '_>) -> Option<Spanned<String>>) -> Vec<String> {
    let items = item.items_or_one();
    if let (true, Some(span)) = (items.is_empty(), item.span()) {
        let message = "an empty list switches the rule off";
        reader.report(Diagnostic::new(WRONG_TYPE, message).at(&span).help("name at least one, or take the rule out"));
    }
    let read: BTreeSet<String> = items.iter().filter_map(read).map(|text| text.value).collect();
    read.into_iter().collect()
}

fn names(applies: &Fields<'_, '_>, key: &str) -> Vec<String> {
    applies.optional(key).texts().into_iter().map(|text| text.value).collect()
}

fn date(item: &Item<'_, '_>) -> Option<(Date, Span)> {
    let read = item.parsed("a date such as `2025-04-11`", |text| {
        let date: Date = Date::strptime("%Y-%m-%d", text).ok()?;
        // Only the plain form, of a year that can be meant.
        (date.to_string() == text && (1900..=2999).contains(&date.year())).then_some(date)
    });
    read.map(|date| (date.value, date.span))
}

fn time(text: &str) -> Option<Time> {
    let time = Time::strptime("%H:%M", text).ok()?;
    (time.strftime("%H:%M").to_string() == text).then_some(time)
}

pub(crate) fn is_name(text: &str) -> bool {
    let known = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '.' || letter == '-';
    text.len() <= 64 && text.starts_with(|letter: char| letter.is_ascii_lowercase()) && text.chars().all(known)
}

fn is_place(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    text.len() <= 16 && text.split('-').all(part)
}
