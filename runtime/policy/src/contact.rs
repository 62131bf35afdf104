//! May this customer be contacted, by this channel, for this purpose, at this moment?

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::decision::{Decision, Reason, Verdict};
use crate::hours::{Hours, MAX_DEFER_DAYS, earliest_for_all};
use crate::rules::{Rule, RuleSet, Then};

/// A contact that is wanted. It is decided twice: when it is queued and when it is about to leave.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// Why: `billing`, `identity`.
    pub purpose: &'a str,
    /// By what: `sms`, `call`, `email`.
    pub channel: &'a str,
    /// When, in UTC microseconds.
    pub at: i64,
    /// What is known of the customer.
    pub customer: &'a CustomerState,
}

/// What is known of a customer, as far as contact rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerState {
    /// Everything that was ever said about consent, in any order.
    pub consents: Vec<Consent>,
    /// Where the customer's clock may be. When clues conflict, all of them have to be satisfied (12 CFR 1006.6(b)).
    pub zones: Vec<ZoneEvidence>,
    /// Whose law applies: `US`, `US-IL`.
    pub jurisdictions: Vec<String>,
    /// What else is known: `opted-out`.
    pub flags: Vec<String>,
}

/// A consent that was given or taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// For this purpose alone.
    pub purpose: String,
    /// By this channel alone.
    pub channel: String,
    /// Given, or taken away.
    pub granted: bool,
    /// When, in UTC microseconds. The latest counts.
    pub at: i64,
    /// The words or the act.
    pub words: String,
}

/// One clue to the customer's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneEvidence {
    /// The zone's IANA name: `America/Chicago`.
    pub zone: String,
    /// What it was concluded from: `address`, `phone`.
    pub source: String,
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
        let rules: Vec<&Rule> = self.rules().iter().filter(|rule| rule.applies(contact, at)).collect();
        if rules.is_empty() {
            return Decision::deny(vec![no_rule(contact)]);
        }

        let zones = Zones::of(contact.customer);
        let mut reasons: Vec<Reason> = rules
            .iter()
            .flat_map(|rule| match &rule.then {
                Then::Hours(hours) => judge_hours(rule, *hours, &zones, at),
                Then::Consent => vec![judge_consent(rule, contact)],
                Then::NotFlagged(flag) => vec![judge_flag(rule, flag, contact.customer)],
            })
            .collect();

        let denied = reasons.iter().any(|reason| reason.verdict == Verdict::Deny);
        let deferred = reasons.iter().any(|reason| reason.verdict != Verdict::Permit);
        let verdict = if denied {
            Verdict::Deny
        } else if deferred {
            match earliest_for_all(&windows(&rules, &zones), at) {
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

/// The zones that the clues name, each with all its sources, and the names that no zone has.
#[derive(Default)]
struct Zones {
    known: BTreeMap<String, (TimeZone, Vec<String>)>,
    unknown: Vec<String>,
}

impl Zones {
    fn of(customer: &CustomerState) -> Self {
        let mut zones = Zones::default();
        for clue in &customer.zones {
            match TimeZone::get(&clue.zone) {
                Ok(zone) => {
                    let (_, sources) = zones.known.entry(clue.zone.clone()).or_insert((zone, Vec::new()));
                    sources.push(clue.source.clone());
                }
                Err(_) => zones.unknown.push(clue.source.clone()),
            }
        }
        zones
    }
}

fn windows(rules: &[&Rule], zones: &Zones) -> Vec<(Hours, TimeZone)> {
    let hours = rules.iter().filter_map(|rule| match rule.then {
        Then::Hours(hours) => Some(hours),
        Then::Consent | Then::NotFlagged(_) => None,
    });
    hours.flat_map(|hours| zones.known.values().map(move |(zone, _)| (hours, zone.clone()))).collect()
}

fn judge_hours(rule: &Rule, hours: Hours, zones: &Zones, at: Timestamp) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let window = format!("{} to {}", hours.from.strftime("%H:%M"), hours.to.strftime("%H:%M"));
    for (name, (zone, sources)) in &zones.known {
        let verdict = match hours.earliest(at, zone) {
            Some(moment) if moment == at => Verdict::Permit,
            Some(moment) => Verdict::Defer { until: moment.as_microsecond() },
            None => Verdict::Deny,
        };
        let local = at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
        let place = if verdict == Verdict::Permit { "inside" } else { "outside" };
        let says = format!("{local} where the customer is, by their {}, is {place} {window}", sources.join(" and "));
        let reason = rule.reason(verdict, says).fact("hours", &window).fact("local-time", local);
        reasons.push(reason.fact("zone", name).fact("zone-source", sources.join(", ")));
    }
    for source in &zones.unknown {
        let says = format!("the time zone by the customer's {source} is none that exists, so the hour is not known");
        reasons.push(rule.reason(Verdict::Deny, says).fact("hours", &window).fact("zone-source", source));
    }
    if reasons.is_empty() {
        let says = "nothing says in which time zone the customer is: an address or a phone number would";
        reasons.push(rule.reason(Verdict::Deny, says).fact("hours", &window).fact("missing", "time zone"));
    }
    reasons
}

/// The latest word counts; of two at the same moment, the one that takes the consent away.
fn judge_consent(rule: &Rule, contact: &Contact<'_>) -> Reason {
    let Contact { purpose, channel, at, customer } = *contact;
    let latest = customer
        .consents
        .iter()
        .filter(|consent| consent.purpose == purpose && consent.channel == channel && consent.at <= at)
        .max_by_key(|consent| (consent.at, !consent.granted));
    let reason = match latest {
        None => {
            let says = format!("there is no consent to `{channel}` for `{purpose}`");
            rule.reason(Verdict::Deny, says).fact("missing", "consent")
        }
        Some(consent) => {
            let when =
                Timestamp::from_microsecond(consent.at).map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
            let when = when.unwrap_or_default();
            let (verdict, name, done) = if consent.granted {
                (Verdict::Permit, "given", "was given")
            } else {
                (Verdict::Deny, "revoked", "was taken away")
            };
            rule.reason(verdict, format!("the consent to `{channel}` for `{purpose}` {done} on {when}"))
                .fact(name, when)
        }
    };
    reason.fact("purpose", purpose).fact("channel", channel)
}

fn judge_flag(rule: &Rule, flag: &str, customer: &CustomerState) -> Reason {
    let set = customer.flags.iter().any(|known| known == flag);
    let (verdict, says) = if set { (Verdict::Deny, "is") } else { (Verdict::Permit, "is not") };
    let answer = if set { "yes" } else { "no" };
    rule.reason(verdict, format!("the customer {says} flagged `{flag}`")).fact(flag, answer)
}

fn no_rule(contact: &Contact<'_>) -> Reason {
    let Contact { purpose, channel, customer, .. } = *contact;
    let places = customer.jurisdictions.join(", ");
    let places = if places.is_empty() { "nowhere known".to_owned() } else { places };
    let says = format!("no rule in force speaks of `{channel}` for `{purpose}` in {places}");
    let reason = Reason::new("default", "", Verdict::Deny, says);
    reason.fact("purpose", purpose).fact("channel", channel).fact("jurisdictions", places)
}

fn no_moment() -> Reason {
    let says = format!("no moment of the next {MAX_DEFER_DAYS} days is inside all the hours in all the zones");
    Reason::new("default", "", Verdict::Deny, says)
}
