//! Reading rule files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use selvedge_workflow::source::Span as Place;
use selvedge_workflow::source::code::{DUPLICATE, WRONG_TYPE};
use selvedge_workflow::source::{DAY, Diagnostic, Document, Fields, Item, Node, Reader, Spanned, did_you_mean};

use super::{CHANNELS, Force, Law, Needs, Obligation, Pack, Rule, Then};
use crate::code;
use crate::customer::Given;
use crate::history::{MAX_COUNTED, MAX_WINDOW_DAYS, Past, Span, Window};
use crate::hours::{DAYS, Hours, Open};

/// The consequences that a rule can have.
const THENS: [&str; 6] = ["hours", "consent", "not-flagged", "noted", "quiet", "at-most"];
/// Who can see to an obligation.
const ENFORCERS: [&str; 7] = ["checker", "engine", "record", "vault", "host", "server", "nobody yet"];
/// Where a day begins first and where it ends last, in hours from UTC.
const FIRST_MIDNIGHT: i8 = 14;
const LAST_MIDNIGHT: i8 = -12;
/// What `quiet` looks for among the contacts; everything else is a note.
const CONVERSATION: &str = "conversation";

/// Where each id was used first.
type Ids = BTreeMap<String, Place>;

pub(super) fn file(name: &str, text: &str, ids: &mut Ids) -> Result<(Vec<Rule>, Vec<Obligation>), Vec<Diagnostic>> {
    let tree = Document::parse(name, text)?;
    let reader = Reader::new();
    let file = reader.item(&tree, "a rule file").map(&["pack", "owner", "status", "rules", "obligations"]);
    let title = file.required("pack").text();
    let owner = file.required("owner").text();
    let status = file.required("status").one_of(&["unreviewed", "reviewed"]);
    // Rules are read even when the head is wrong, so that their mistakes are told as well.
    let or_empty = |text: Option<Spanned<String>>| text.map(|text| text.value).unwrap_or_default();
    let pack = Pack { title: or_empty(title), owner: or_empty(owner), status: or_empty(status) };
    let asked = file.optional("obligations");
    let rules = if asked.is_given() { file.optional("rules") } else { file.required("rules") };
    let rules = rules.items().iter().filter_map(|item| rule(item, &pack, &reader, ids)).collect();
    let asked = asked.items().iter().filter_map(|item| obligation(item, &pack, &reader, ids)).collect();
    reader.finish(Some((rules, asked)))
}

fn rule(item: &Item<'_, '_>, pack: &Pack, reader: &Reader, ids: &mut Ids) -> Option<Rule> {
    let keys = ["id", "cite", "seen", "about", "jurisdiction", "effective", "until", "applies", "then"];
    let rule = item.map(&keys);
    let law = law(&rule, pack, reader, ids);
    let applies = rule.required("applies").map(&["channels", "purposes", "unless-purposes"]);
    let channels = some(&applies.required("channels"), reader, |channel| channel.one_of(&CHANNELS));
    let purposes = names(&applies, "purposes");
    let unless_purposes = names(&applies, "unless-purposes");
    let then = then(&rule.required("then"), reader);
    Some(Rule { law: law?, channels, purposes, unless_purposes, then: then? })
}

fn obligation(item: &Item<'_, '_>, pack: &Pack, reader: &Reader, ids: &mut Ids) -> Option<Obligation> {
    let keys = ["id", "cite", "seen", "about", "jurisdiction", "effective", "until", "enforced-by", "places"];
    let fields = item.map(&keys);
    let law = law(&fields, pack, reader, ids);
    let enforced_by = fields.required("enforced-by").one_of(&ENFORCERS);
    let places = names(&fields, "places");
    Some(Obligation { law: law?, enforced_by: enforced_by?.value, places })
}

fn law(fields: &Fields<'_, '_>, pack: &Pack, reader: &Reader, ids: &mut Ids) -> Option<Law> {
    let id = fields.required("id").parsed("an id such as `tcpa.hours`", |text| is_name(text).then(|| text.to_owned()));
    let cite = fields.required("cite").text();
    let seen = fields.optional("seen").one_of(&["primary", "secondary", "unconfirmed"]);
    let about = fields.required("about").text();
    let jurisdictions = some(&fields.required("jurisdiction"), reader, |place| {
        place.parsed("a jurisdiction such as `US` or `US-FL`", |text| is_place(text).then(|| text.to_owned()))
    });
    let effective = date(&fields.required("effective"));
    let until = date(&fields.optional("until"));

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
    Some(Law {
        id: id.value,
        cite: cite?.value,
        about: about?.value,
        seen: seen.map(|seen| seen.value).unwrap_or_default(),
        pack: pack.clone(),
        jurisdictions,
        force: force(effective?.0, until.map(|(date, _)| date)),
    })
}

fn force(effective: Date, until: Option<Date>) -> Force {
    let begins = midnight(effective, FIRST_MIDNIGHT).unwrap_or(Timestamp::MAX);
    let ends = until.and_then(|last| midnight(last.saturating_add(1.day()), LAST_MIDNIGHT)).unwrap_or(Timestamp::MAX);
    Force { effective, until, since: effective.to_string(), begins, ends }
}

fn midnight(date: Date, hours_from_utc: i8) -> Option<Timestamp> {
    let zone = TimeZone::fixed(Offset::from_hours(hours_from_utc).ok()?);
    date.to_zoned(zone).ok().map(|zoned| zoned.timestamp())
}

fn then(item: &Item<'_, '_>, reader: &Reader) -> Option<Then> {
    let (kind, value) = item.tagged()?;
    match kind.value.as_str() {
        "hours" => match value.value().map(|value| &value.node) {
            Some(Node::Text(_)) => value.one_of(&["convenient"]).map(|_| Then::Convenient),
            _ => hours(&value, reader).map(|hours| Then::Hours(Box::new(hours))),
        },
        "consent" => value.one_of(&["not-revoked", "express", "written"]).map(|word| {
            Then::Consent(match word.value.as_str() {
                "written" => Needs::Given(Given::Written),
                "express" => Needs::Given(Given::Express),
                _ => Needs::NotRevoked,
            })
        }),
        "not-flagged" => value.text().map(|flag| Then::NotFlagged(flag.value)),
        "noted" => {
            let noted = value.map(&["any", "within"]);
            let any = some(&noted.required("any"), reader, |note| note.text());
            Some(Then::Noted { any, within: noted.required("within").duration()?.value })
        }
        "quiet" => quiet(&value, reader),
        "at-most" => {
            let window = value.map(&["contacts", "of", "within", "days", "per"]);
            let limit = window.required("contacts").count(1..=MAX_COUNTED);
            self::window(&window, Past::Contact, limit.map(|limit| limit.value), reader).map(Then::Count)
        }
        other => {
            let message = format!("`{other}` is nothing that a rule can ask for");
            let complaint = Diagnostic::new(code::UNKNOWN_THEN, message).at(&kind.span);
            reader.report(complaint.maybe_help(did_you_mean(other, THENS)));
            None
        }
    }
}

fn quiet(item: &Item<'_, '_>, reader: &Reader) -> Option<Then> {
    let quiet = item.map(&["after", "of", "within", "days", "per"]);
    let after = quiet.required("after").text()?;
    if after.value == CONVERSATION {
        return window(&quiet, Past::Conversation, Some(1), reader).map(Then::Count);
    }
    for place in ["of", "per"].iter().filter_map(|key| quiet.optional(key).span()) {
        let message = format!("`{}` is noted of the customer, whatever the channel or the account", after.value);
        reader.report(Diagnostic::new(WRONG_TYPE, message).at(&place).help("leave `of` and `per` out"));
    }
    Some(Then::Quiet { after: after.value, span: span(&quiet, reader)? })
}

fn window(fields: &Fields<'_, '_>, past: Past, limit: Option<i64>, reader: &Reader) -> Option<Window> {
    let of = some(&fields.required("of"), reader, |channel| channel.one_of(&CHANNELS));
    let span = span(fields, reader);
    let per = fields.required("per").one_of(&["account", "customer"]);
    let limit = u32::try_from(limit?).ok()?;
    Some(Window { past, of, span: span?, per_account: per?.value == "account", limit })
}

/// `within: 7d`, to the microsecond, or `days: 7`, of the customer's calendar.
fn span(fields: &Fields<'_, '_>, reader: &Reader) -> Option<Span> {
    let within = fields.optional("within");
    let days = fields.optional("days");
    if days.is_given() == within.is_given() {
        let message = "a window has either `within: 7d`, to the second, or `days: 7`, of the customer's calendar";
        let diagnostic = Diagnostic::new(WRONG_TYPE, message);
        reader.report(fields.span().map_or(diagnostic.clone(), |span| diagnostic.at(span)));
        return None;
    }
    if days.is_given() {
        return days.count(1..=MAX_WINDOW_DAYS).map(|days| Span::Days(days.value));
    }
    let within = within.duration()?;
    if within.value > MAX_WINDOW_DAYS * DAY {
        let message = format!("a rule looks back {MAX_WINDOW_DAYS} days at most");
        reader.report(Diagnostic::new(WRONG_TYPE, message).at(&within.span));
    }
    Some(Span::Rolling(within.value))
}

/// `{ from: "08:00", to: "21:00" }` for every day, or that for `mon-sat`, `sun: none`, until the week is complete.
fn hours(item: &Item<'_, '_>, reader: &Reader) -> Option<Hours> {
    let entries = item.entries();
    let daily = entries.is_empty() || entries.iter().any(|(key, _)| ["from", "to"].contains(&key.value.as_str()));
    if daily {
        return open(item, reader).map(|Open { from, to }| Hours::daily(from, to));
    }
    let mut week = [None; 7];
    for (key, value) in &entries {
        let Some(days) = days(&key.value) else {
            let message = format!("`{}` is no day of the week and no span of days", key.value);
            let help = "write `mon`, `sat`, `mon-fri`, or `from` and `to` for every day";
            reader.report(Diagnostic::new(WRONG_TYPE, message).at(&key.span).help(help));
            continue;
        };
        let none = matches!(value.value(), Some(value) if value.node == Node::Text("none".to_owned()));
        let open = if none { None } else { Some(open(value, reader)?) };
        week[days].iter_mut().for_each(|day| *day = Some(open));
    }
    if let Some(missing) = week.iter().position(Option::is_none) {
        let message = format!("these hours do not say what holds on `{}`", DAYS[missing]);
        let diagnostic = Diagnostic::new(code::EMPTY_HOURS, message).help("name each day; `sun: none` closes one");
        reader.report(item.span().map_or(diagnostic.clone(), |span| diagnostic.at(&span)));
        return None;
    }
    let week = week.map(Option::flatten);
    if week.iter().all(Option::is_none) {
        let diagnostic = Diagnostic::new(code::EMPTY_HOURS, "these hours never begin: every day is `none`");
        reader.report(item.span().map_or(diagnostic.clone(), |span| diagnostic.at(&span)));
    }
    Some(Hours::by_day(week))
}

fn open(item: &Item<'_, '_>, reader: &Reader) -> Option<Open> {
    let hours = item.map(&["from", "to"]);
    let from = hours.required("from").parsed("a time such as \"08:00\"", time);
    let to = hours.required("to").parsed("a time such as \"21:00\"", time);
    let (from, to) = (from?, to?);
    if from.value >= to.value {
        let message = "these hours never begin: `from` is not before `to`";
        let help = "both are times of the same day, `from` the earlier one";
        reader.report(Diagnostic::new(code::EMPTY_HOURS, message).at(&from.span).help(help));
    }
    Some(Open { from: from.value, to: to.value })
}

/// `sun`, or `mon-sat`, as places in a week.
fn days(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    (first <= last).then_some(first..=last)
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

fn names(fields: &Fields<'_, '_>, key: &str) -> Vec<String> {
    fields.optional(key).texts().into_iter().map(|text| text.value).collect()
}

fn date(item: &Item<'_, '_>) -> Option<(Date, Place)> {
    let read = item.parsed("a date such as `2025-04-11`", |text| {
        let date: Date = Date::strptime("%Y-%m-%d", text).ok()?;
        // Only the plain form, of a year that can be meant.
        (date.to_string() == text && (1900..=2999).contains(&date.year())).then_some(date)
    });
    read.map(|date| (date.value, date.span))
}

/// `08:00`, and in no other form.
pub(crate) fn time(text: &str) -> Option<Time> {
    let time = Time::strptime("%H:%M", text).ok()?;
    (time.strftime("%H:%M").to_string() == text).then_some(time)
}

/// An id such as `tcpa.hours`.
pub(crate) fn is_name(text: &str) -> bool {
    let known = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '.' || letter == '-';
    text.len() <= 64 && text.starts_with(|letter: char| letter.is_ascii_lowercase()) && text.chars().all(known)
}

fn is_place(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    text.len() <= 16 && text.split('-').all(part)
}
