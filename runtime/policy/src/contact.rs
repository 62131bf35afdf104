//! May this customer be contacted, by this channel, for this purpose, at this moment?

mod judge;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use selvedge_workflow::source::DAY;

use crate::customer::CustomerState;
use crate::decision::{Decision, Reason, Verdict};
use crate::history::Tally;
use crate::hours::{Hours, MAX_DEFER_DAYS, earliest_for_all};
use crate::rules::{RuleSet, Then, time};

/// A contact that is wanted. It is decided twice: when it is queued and when it is about to leave.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// Why: `billing`, `identity`, `collections`.
    pub purpose: &'a str,
    /// By what: one of [`CHANNELS`](crate::CHANNELS).
    pub channel: &'a str,
    /// In whose name; empty: the organisation's.
    pub sender: &'a str,
    /// About which account or debt; `None`: about none in particular, and then what is counted per account is counted
    /// over all of the customer's.
    pub account: Option<&'a str>,
    /// When, in UTC microseconds.
    pub at: i64,
    /// What is known of the customer.
    pub customer: &'a CustomerState,
    /// The answers to [`RuleSet::counts`], in any order. Where one is missing, nothing is permitted.
    pub tallies: &'a [Tally],
}

impl<'a> Contact<'a> {
    /// A contact in the organisation's name, about no account in particular, of which nothing was counted.
    #[must_use]
    pub fn new(purpose: &'a str, channel: &'a str, at: i64, customer: &'a CustomerState) -> Self {
        Contact { purpose, channel, sender: "", account: None, at, customer, tallies: &[] }
    }
}

impl RuleSet {
    /// Asks every rule that is in force and applies. One that denies outweighs any that defers, one that defers
    /// any that permits; and where no rule applies at all, nothing is permitted.
    #[must_use]
    pub fn decide(&self, contact: &Contact<'_>) -> Decision {
        let Ok(at) = Timestamp::from_microsecond(contact.at) else {
            let says = "the moment of the contact is beyond every calendar";
            return Decision::deny(vec![Reason::new("default", "", Verdict::Deny, says)]);
        };
        let mut rules = self.rules().iter().filter(|rule| rule.applies(contact, at)).peekable();
        if rules.peek().is_none() {
            return Decision::deny(vec![no_rule(contact)]);
        }

        let here = Whereabouts::of(contact.customer, at);
        let mut reasons = Vec::with_capacity(2 * self.rules().len().min(16));
        // Where somebody says "not yet": the hours to be met, and a moment before which nothing else permits.
        let (mut windows, mut not_before) = (Vec::new(), at);
        for rule in rules {
            let first = reasons.len();
            judge::ask(rule, contact, &here, at, &mut reasons);
            match &rule.then {
                Then::Hours(hours) => windows.push(&**hours),
                Then::Convenient => windows.extend(&here.convenient),
                _ => not_before = reasons[first..].iter().fold(not_before, |latest, reason| latest.max(begin(reason))),
            }
        }

        let denied = reasons.iter().any(|reason| reason.verdict == Verdict::Deny);
        let deferred = reasons.iter().any(|reason| reason.verdict != Verdict::Permit);
        let verdict = if denied {
            Verdict::Deny
        } else if deferred {
            let places = here.places.iter().map(|place| &place.zone);
            let windows: Vec<_> = places.flat_map(|zone| windows.iter().map(move |hours| (*hours, zone))).collect();
            match earliest_for_all(&windows, not_before, at) {
                Some(until) => Verdict::Defer { until: until.as_microsecond() },
                None => {
                    reasons.push(no_moment());
                    Verdict::Deny
                }
            }
        } else {
            Verdict::Permit
        };
        Decision { verdict, reasons }
    }
}

/// The moment from which on this reason no longer stands in the way.
fn begin(reason: &Reason) -> Timestamp {
    match reason.verdict {
        Verdict::Defer { until } => Timestamp::from_microsecond(until).unwrap_or(Timestamp::MAX),
        Verdict::Permit | Verdict::Deny => Timestamp::MIN,
    }
}

/// Where the customer's clock may be, worked out once for all rules.
struct Whereabouts<'a> {
    /// One for each zone that the clues name, by name.
    places: Vec<Place<'a>>,
    /// The sources of clues whose zone does not exist.
    unknown: Vec<&'a str>,
    /// The customer's own hours; `Err`: they said some, and nobody can read them.
    convenient: Result<Hours, ()>,
}

/// One zone, with all its sources.
struct Place<'a> {
    name: &'a str,
    zone: TimeZone,
    sources: String,
    local: DateTime,
    /// The local time as decisions write it.
    text: String,
}

impl<'a> Whereabouts<'a> {
    fn of(customer: &'a CustomerState, at: Timestamp) -> Self {
        let mut clues: Vec<(&str, &str)> =
            customer.zones.iter().map(|clue| (clue.zone.as_str(), clue.source.as_str())).collect();
        clues.sort_unstable();
        clues.dedup();
        let (mut places, mut unknown): (Vec<Place<'a>>, Vec<&str>) = (Vec::new(), Vec::new());
        for (name, source) in clues {
            if let Some(place) = places.last_mut().filter(|place| place.name == name) {
                place.sources.push_str(" and ");
                place.sources.push_str(source);
                continue;
            }
            match TimeZone::get(name) {
                Ok(zone) => {
                    let (local, text) = judge::local_time(at, &zone);
                    places.push(Place { name, zone, sources: source.to_owned(), local, text });
                }
                Err(_) => unknown.push(source),
            }
        }
        let convenient = customer.convenient.as_ref().ok_or(()).and_then(|hours| {
            let (from, to) = (time(&hours.from).ok_or(())?, time(&hours.to).ok_or(())?);
            if from < to { Ok(Hours::daily(from, to)) } else { Err(()) }
        });
        Whereabouts { places, unknown, convenient }
    }

    fn zones(&self) -> Vec<&TimeZone> {
        self.places.iter().map(|place| &place.zone).collect()
    }
}

impl CustomerState {
    /// The zones that the clues name and that exist.
    pub(crate) fn known_zones(&self) -> Vec<TimeZone> {
        self.zones.iter().filter_map(|clue| TimeZone::get(&clue.zone).ok()).collect()
    }
}

fn no_rule(contact: &Contact<'_>) -> Reason {
    let Contact { purpose, channel, customer, .. } = *contact;
    let mut places: Vec<&str> = customer.jurisdictions.iter().map(String::as_str).collect();
    places.sort_unstable();
    let places = if places.is_empty() { "nowhere known".to_owned() } else { places.join(", ") };
    let says = format!("no rule in force speaks of `{channel}` for `{purpose}` in {places}");
    let reason = Reason::new("default", "", Verdict::Deny, says);
    reason.fact("purpose", purpose).fact("channel", channel).fact("jurisdictions", places)
}

fn no_moment() -> Reason {
    let says = format!("no moment of the next {MAX_DEFER_DAYS} days is inside all the hours in all the zones");
    Reason::new("default", "", Verdict::Deny, says)
}

/// Not before `until`, or not at all where that is too far away to wait for. Both in UTC microseconds.
fn not_before(until: i64, at: i64) -> Verdict {
    if until <= at {
        Verdict::Permit
    } else if until - at <= MAX_DEFER_DAYS * DAY {
        Verdict::Defer { until }
    } else {
        Verdict::Deny
    }
}
