//! What one rule says of one contact.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Contact, Whereabouts, not_before};
use crate::customer::{ALL, Consent, Given, Note};
use crate::decision::{Reason, Verdict};
use crate::history::{Past, Span, Window};
use crate::hours::Hours;
use crate::rules::{Needs, Rule, Then, covers};

/// Adds the rule's reasons: one, or one for each zone where it is about hours.
pub(super) fn ask(rule: &Rule, contact: &Contact<'_>, here: &Whereabouts<'_>, at: Timestamp, into: &mut Vec<Reason>) {
    match &rule.then {
        Then::Hours(hours) => by_hours(rule, hours, here, at, into),
        Then::Convenient => convenient(rule, contact, here, at, into),
        Then::Consent(needs) => into.push(consent(rule, *needs, contact)),
        Then::NotFlagged(flag) => into.push(not_flagged(rule, flag, contact)),
        Then::Noted { any, within } => into.push(noted(rule, any, *within, contact)),
        Then::Quiet { after, span } => into.push(quiet(rule, after, *span, contact, here)),
        Then::Count(window) => into.push(counted(rule, window, contact, here)),
    }
}

fn by_hours(rule: &Rule, hours: &Hours, here: &Whereabouts<'_>, at: Timestamp, into: &mut Vec<Reason>) {
    for place in &here.places {
        let verdict = if hours.permit_local(place.local) {
            Verdict::Permit
        } else {
            hours
                .earliest(at, &place.zone)
                .map_or(Verdict::Deny, |moment| not_before(moment.as_microsecond(), at.as_microsecond()))
        };
        let side = if verdict == Verdict::Permit { "inside" } else { "outside" };
        let (local, sources, window) = (&place.text, &place.sources, hours.in_words(place.local.weekday()));
        let says = format!("{local} where the customer is, by their {sources}, is {side} {window}");
        let reason = rule.reason(verdict, says).fact("hours", window).fact("local-time", local);
        into.push(reason.fact("zone", place.name).fact("zone-source", sources));
    }
    let hours = hours.in_words(jiff::civil::Weekday::Monday);
    for source in &here.unknown {
        let says = format!("the time zone by the customer's {source} is none that exists, so the hour is not known");
        into.push(rule.reason(Verdict::Deny, says).fact("hours", hours).fact("zone-source", *source));
    }
    if here.places.is_empty() && here.unknown.is_empty() {
        let says = "nothing says in which time zone the customer is: an address or a phone number would";
        into.push(rule.reason(Verdict::Deny, says).fact("hours", hours).fact("missing", "time zone"));
    }
}

fn convenient(rule: &Rule, contact: &Contact<'_>, here: &Whereabouts<'_>, at: Timestamp, into: &mut Vec<Reason>) {
    match (&contact.customer.convenient, &here.convenient) {
        (None, _) => into.push(rule.reason(Verdict::Permit, "the customer called no hours inconvenient")),
        (Some(_), Ok(hours)) => by_hours(rule, hours, here, at, into),
        (Some(_), Err(())) => {
            let says = "the customer named convenient hours, and what is on file cannot be read";
            into.push(rule.reason(Verdict::Deny, says));
        }
    }
}

/// A consent holds until it is taken away, and what was given in writing is not lessened by a later, simpler yes. Of
/// two words at the same moment, the one that takes the consent away counts.
fn consent(rule: &Rule, needs: Needs, contact: &Contact<'_>) -> Reason {
    let Contact { purpose, channel, sender, at, customer, .. } = *contact;
    let meant = |consent: &Consent| consent.purpose == purpose || !consent.granted && consent.purpose == ALL;
    let said = || customer.consents.iter().filter(|consent| meant(consent) && consent.at <= at);
    // A yes has to be to exactly this; a no reaches further.
    let refuses = |c: &&Consent| {
        let sender = c.sender.is_empty() || sender.is_empty() || c.sender == sender;
        !c.granted && covers(&c.channel, channel) && sender
    };
    let revoked = said().filter(refuses).map(|consent| consent.at).max();
    let agrees = |c: &&Consent| c.granted && c.channel == channel && (c.sender.is_empty() || c.sender == sender);
    let holds = || said().filter(agrees).filter(|consent| revoked.is_none_or(|revoked| consent.at > revoked));
    let least = match needs {
        Needs::NotRevoked => Given::Express,
        Needs::Given(least) => least,
    };
    let enough = holds().filter(|consent| consent.given >= least).map(|consent| consent.at).max();
    let weaker = holds().map(|consent| consent.at).max();

    let reason = match (enough, weaker, revoked) {
        (Some(given), _, _) => {
            let when = utc(given);
            let says = format!("the consent to `{channel}` for `{purpose}` was given on {when}");
            rule.reason(Verdict::Permit, says).fact("given", when)
        }
        (None, Some(given), _) => {
            let when = utc(given);
            let says = format!("the consent to `{channel}` for `{purpose}` of {when} was not given in writing");
            rule.reason(Verdict::Deny, says).fact("given", when).fact("missing", "written consent")
        }
        (None, None, Some(revoked)) => {
            let when = utc(revoked);
            let says = format!("the consent to `{channel}` for `{purpose}` was taken away on {when}");
            rule.reason(Verdict::Deny, says).fact("revoked", when)
        }
        (None, None, None) if needs == Needs::NotRevoked => {
            let says = format!("nobody took `{channel}` for `{purpose}` away");
            rule.reason(Verdict::Permit, says).fact("revoked", "never")
        }
        (None, None, None) => {
            let says = format!("there is no consent to `{channel}` for `{purpose}`");
            rule.reason(Verdict::Deny, says).fact("missing", "consent")
        }
    };
    reason.fact("purpose", purpose).fact("channel", channel)
}

fn not_flagged(rule: &Rule, flag: &str, contact: &Contact<'_>) -> Reason {
    let set = contact.customer.flags.iter().any(|known| known == flag);
    let (verdict, says) = if set { (Verdict::Deny, "is") } else { (Verdict::Permit, "is not") };
    let answer = if set { "yes" } else { "no" };
    rule.reason(verdict, format!("the customer {says} flagged `{flag}`")).fact(flag, answer)
}

fn newest(contact: &Contact<'_>, wanted: impl Fn(&Note) -> bool) -> Option<i64> {
    let notes = contact.customer.notes.iter().filter(|note| note.at <= contact.at && wanted(note));
    notes.map(|note| note.at).max()
}

fn noted(rule: &Rule, any: &[String], within: i64, contact: &Contact<'_>) -> Reason {
    let what = any.join("` or `");
    let words = selvedge_workflow::source::duration_in_words(within);
    let reason = match newest(contact, |note| any.contains(&note.what)) {
        None => rule.reason(Verdict::Deny, format!("no `{what}` is on file")).fact("missing", &*what),
        Some(at) => {
            let when = utc(at);
            let (verdict, says) = if contact.at - at <= within {
                (Verdict::Permit, format!("`{what}` was noted on {when}, within {words}"))
            } else {
                (Verdict::Deny, format!("`{what}` was noted last on {when}, more than {words} ago"))
            };
            rule.reason(verdict, says).fact("noted", when)
        }
    };
    reason.fact("within", words)
}

fn quiet(rule: &Rule, after: &str, span: Span, contact: &Contact<'_>, here: &Whereabouts<'_>) -> Reason {
    let words = span.in_words();
    let Some(since) = newest(contact, |note| note.what == after) else {
        return rule.reason(Verdict::Permit, format!("there was no `{after}`")).fact("quiet", words);
    };
    let when = utc(since);
    let over = span.over(since, &here.zones());
    let (verdict, says) = match over.map(|over| (over, not_before(over, contact.at))) {
        None => (Verdict::Deny, format!("how long the quiet after the `{after}` of {when} lasts is not known")),
        Some((_, Verdict::Permit)) => (Verdict::Permit, format!("the `{after}` of {when} is longer ago than {words}")),
        Some((over, verdict)) => (verdict, format!("after the `{after}` of {when} it is quiet until {}", utc(over))),
    };
    rule.reason(verdict, says).fact("quiet", words).fact("noted", when)
}

fn counted(rule: &Rule, window: &Window, contact: &Contact<'_>, here: &Whereabouts<'_>) -> Reason {
    let words = window.span.in_words();
    let per = if window.per_account && contact.account.is_some() { "account" } else { "customer" };
    let Some(tally) = contact.tallies.iter().find(|tally| tally.rule == rule.law.id) else {
        let says = "nobody counted the contacts that were made, so there may be no room for another";
        return rule.reason(Verdict::Deny, says).fact("missing", "count").fact("within", words);
    };
    let (count, limit, channels) = (tally.count, window.limit, window.of.join("` or `"));
    let room = count < limit;
    let over = tally.oldest.filter(|_| !room).and_then(|oldest| window.span.over(oldest, &here.zones()));
    let (verdict, until) = match over {
        _ if room => (Verdict::Permit, None),
        None => (Verdict::Deny, None),
        Some(over) => (not_before(over, contact.at), Some(utc(over))),
    };
    let says = match window.past {
        Past::Contact if room => {
            format!("{count} of at most {limit} contacts by `{channels}` were made within {words}")
        }
        Past::Contact => format!("{count} contacts by `{channels}` were made within {words}, and {limit} are the most"),
        Past::Conversation if room => format!("there was no conversation by `{channels}` within {words}"),
        Past::Conversation => format!("there was a conversation by `{channels}` within {words}"),
    };
    let reason = rule.reason(verdict, says).fact("counted", count.to_string()).fact("within", words).fact("per", per);
    match until {
        Some(until) => reason.fact("room-from", until),
        None => reason,
    }
}

/// The local time in a zone, and how decisions write it: `2026-03-02 12:00:00 CST`.
pub(super) fn local_time(at: Timestamp, zone: &TimeZone) -> (DateTime, String) {
    let info = zone.to_offset_info(at);
    let local = info.offset().to_datetime(at);
    let text = format!("{} {}", digits(local), info.abbreviation());
    (local, text)
}

/// An instant as decisions write it: `2026-03-02 18:00:00 UTC`.
pub(crate) fn utc(micros: i64) -> String {
    let at = Timestamp::from_microsecond(micros);
    at.map(|at| format!("{} UTC", digits(TimeZone::UTC.to_datetime(at)))).unwrap_or_default()
}

fn digits(local: DateTime) -> String {
    let (y, mo, d) = (local.year(), local.month(), local.day());
    let (h, mi, s) = (local.hour(), local.minute(), local.second());
    format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}")
}
