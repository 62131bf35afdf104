//! What is known of a customer, as far as rules ask: words on consent, clues to the time zone, flags, notes, and what is
//! on file to be charged.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::rules::{AMOUNT_NOTICE, SAME_AMOUNT, covers};

/// Area code, then every time zone in it; `data/area_codes.py` says where it is from.
const AREA_CODES: &str = include_str!("../data/area-codes.txt");
/// The digits of an area code.
const AREA_CODE: usize = 3;

/// What is known of a customer. As JSON it is what the store keeps; keys that are absent are empty.
///
/// Absent on purpose: the history of contacts. The store counts it, and a decision gets the sums
/// ([`Tally`](crate::Tally)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomerState {
    /// Everything that was ever said about consent, in any order.
    pub consents: Vec<Consent>,
    /// Where the customer's clock may be. When clues conflict, all of them have to be satisfied (12 CFR 1006.6(b)).
    pub zones: Vec<ZoneEvidence>,
    /// Whose law applies: `US`, `US-IL`, `US-NY-NYC`.
    pub jurisdictions: Vec<String>,
    /// What else holds until somebody takes it away: `opted-out`, `attorney`, `dispute`.
    pub flags: Vec<String>,
    /// What happened to be noted, each with its moment: `reassignment-check`, `refusal`.
    pub notes: Vec<Note>,
    /// The hours that the customer called convenient; absent where they said nothing.
    pub convenient: Option<Convenient>,
    /// The language that they want to be spoken with in: `es`. No contact rule asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Risks that were found with this customer, on whatever channel. No contact rule asks for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<RiskFound>,
    /// What may be charged while the customer is not there; absent where nothing is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
}

impl CustomerState {
    /// The method on file at this moment, in UTC microseconds.
    #[must_use]
    pub fn method_at(&self, at: i64) -> Option<&Method> {
        self.method.as_ref().filter(|method| at < method.until)
    }

    /// The same with what rules may know of a debit of this amount, a keyed hash: whether it was charged last, or told.
    #[must_use]
    pub fn before_debit(mut self, amount: &str, at: i64) -> CustomerState {
        // Whoever else noted it, of whatever amount: it is not what these notes mean.
        self.notes.retain(|note| ![SAME_AMOUNT, AMOUNT_NOTICE].contains(&note.what.as_str()));
        let method = self.method_at(at).cloned().unwrap_or_default();
        if method.charged.as_deref() == Some(amount) {
            self.notes.push(Note { what: SAME_AMOUNT.into(), at });
        } else if let Some(told) = method.told.filter(|told| told.amount == amount) {
            self.notes.push(Note { what: AMOUNT_NOTICE.into(), at: told.at });
        }
        self
    }
}

/// The purpose of a consent that was taken away for every purpose at once.
pub const ALL: &str = "all";

impl CustomerState {
    /// Whether the customer wants nothing more by this channel, for whatever purpose: they said so, and have agreed to
    /// nothing by it since.
    #[must_use]
    pub fn refuses_all(&self, channel: &str) -> bool {
        let newest = |granted: bool| {
            let by = self.consents.iter().filter(|c| c.channel == channel && c.granted == granted);
            by.filter(|c| granted || c.purpose == ALL).map(|c| c.at).max()
        };
        newest(false).is_some_and(|refused| newest(true).is_none_or(|agreed| agreed <= refused))
    }
}

impl CustomerState {
    /// What the customer has agreed to and not taken back, at this moment: for each purpose, channel and sender the newest
    /// word. No decision rests on it; the rules weigh consents by themselves.
    #[must_use]
    pub fn agreed_to(&self, at: i64) -> Vec<&Consent> {
        let said = || self.consents.iter().filter(|consent| consent.at <= at);
        let same = |one: &Consent, other: &Consent| {
            (&one.purpose, &one.channel, &one.sender) == (&other.purpose, &other.channel, &other.sender)
        };
        let taken_back = |given: &Consent| {
            said().any(|no| {
                let purpose = no.purpose == given.purpose || no.purpose == ALL;
                let sender = no.sender.is_empty() || given.sender.is_empty() || no.sender == given.sender;
                !no.granted && purpose && sender && covers(&no.channel, &given.channel) && no.at >= given.at
            })
        };
        let newer = |given: &Consent| said().any(|other| other.granted && same(other, given) && other.at > given.at);
        said().filter(|given| given.granted && !taken_back(given) && !newer(given)).collect()
    }
}

/// How a consent was given. The greater one includes the lesser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// In whatever words, spoken or typed: prior express consent.
    #[default]
    Express,
    /// Signed, with the disclosures of 47 CFR 64.1200(f)(9): prior express written consent.
    Written,
}

/// A consent that was given or taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// For this purpose alone.
    pub purpose: String,
    /// By this channel alone.
    pub channel: String,
    /// Given, or taken away.
    pub granted: bool,
    /// When, in UTC microseconds. The latest counts.
    pub at: i64,
    /// The words.
    pub words: String,
    /// To this sender alone; empty: to all of this organisation's.
    #[serde(default)]
    pub sender: String,
    /// By which act: `reply`, `web form`, `signature`, `call`.
    #[serde(default)]
    pub act: String,
    /// How formally it was given.
    #[serde(default)]
    pub given: Given,
}

/// One clue to the customer's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneEvidence {
    /// The zone's IANA name: `America/Chicago`.
    pub zone: String,
    /// What it was concluded from: `address`, `phone`, `stated`.
    pub source: String,
}

impl ZoneEvidence {
    /// The clues in a phone number in international form (`+13125550142`): every zone of its area code, because a
    /// number says no more exactly where it is. Empty for numbers outside +1 and for toll-free ones.
    #[must_use]
    pub fn of_phone(number: &str) -> Vec<ZoneEvidence> {
        static ZONES: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
            let lines = AREA_CODES.lines().filter(|line| !line.starts_with('#'));
            lines
                .filter_map(|line| line.split_once(' '))
                .map(|(code, zones)| (code, zones.split(' ').collect()))
                .collect()
        });
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let code = number.trim_start().starts_with('+').then(|| digits.strip_prefix('1')?.get(..AREA_CODE)).flatten();
        let zones = code.and_then(|code| ZONES.get(code)).into_iter().flatten();
        zones.map(|zone| ZoneEvidence { zone: (*zone).to_owned(), source: "phone".to_owned() }).collect()
    }
}

/// Something that was done or said once, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `reassignment-check`, `own-text`, `do-not-call-scrub`, `refusal`, `opt-out`, `help-request`.
    pub what: String,
    /// When, in UTC microseconds.
    pub at: i64,
}

/// A risk that was found. Until it ends, every later try of the customer inherits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskFound {
    /// What found it: `sim-swap`.
    pub signal: String,
    /// When, in UTC microseconds.
    pub at: i64,
    /// From when on it no longer counts, in UTC microseconds.
    pub until: i64,
    /// The interaction in which it was found.
    pub found_in: String,
}

/// The customer's method on file: a card that they let us keep. What can be shown of it stands here, its number in the
/// vault alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Method {
    /// What stands for it.
    pub token: String,
    /// `Visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// The interaction whose record has the words that the customer agreed to, and under whose key the number lies.
    pub given_in: String,
    /// Since when, in UTC microseconds.
    pub since: i64,
    /// From when on no longer, in UTC microseconds.
    pub until: i64,
    /// The amount that was charged to it last, as a keyed hash: enough to see that the next one is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charged: Option<String>,
    /// The amount that the customer was told of last, the same way, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// An amount that a customer was told of before it is charged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// As a keyed hash.
    pub amount: String,
    /// When, in UTC microseconds.
    pub at: i64,
}

/// The part of every day that the customer called convenient, by their own clock, as `HH:MM`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convenient {
    /// Inside.
    pub from: String,
    /// No longer inside.
    pub to: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(number: &str) -> Vec<String> {
        ZoneEvidence::of_phone(number).into_iter().map(|clue| clue.zone).collect()
    }

    #[test]
    fn what_is_agreed_to_is_the_newest_word_that_was_not_taken_back() {
        let word = |purpose: &str, granted: bool, at: i64| Consent {
            purpose: purpose.into(),
            channel: "sms".into(),
            granted,
            at,
            ..Consent::default()
        };
        let agreed = |consents: &[Consent]| -> Vec<(String, i64)> {
            let state = CustomerState { consents: consents.to_vec(), ..CustomerState::default() };
            state.agreed_to(10).into_iter().map(|consent| (consent.purpose.clone(), consent.at)).collect()
        };
        let twice = [word("billing", true, 1), word("billing", true, 3), word("outage", true, 2)];
        assert_eq!(agreed(&twice), [("billing".into(), 3), ("outage".into(), 2)]);
        assert_eq!(agreed(&[word("billing", true, 1), word("billing", false, 1)]), [], "of two at once the no counts");
        assert_eq!(agreed(&[word("billing", false, 1), word("billing", true, 2)]), [("billing".into(), 2)]);
        assert_eq!(agreed(&[word("billing", true, 1), word(ALL, false, 2)]), [], "a no to all takes each back");
        assert_eq!(agreed(&[word("billing", true, 11)]), [], "not yet");
    }

    #[test]
    fn a_number_is_in_every_zone_of_its_area_code() {
        assert_eq!(zones("+1 312 555 0142"), ["America/Chicago"]);
        assert_eq!(zones("+12705550142"), ["America/Chicago", "America/New_York"], "Kentucky has two");
        assert_eq!(zones("+19075550142").len(), 4, "Alaska and its islands");
    }

    #[test]
    fn a_number_that_says_nothing_gives_no_clue() {
        for number in ["+18005550142", "+442071838750", "3125550142", "+1", "", "+1٣١٢5550142"] {
            assert_eq!(zones(number), [""; 0], "{number}");
        }
    }

    #[test]
    fn twenty_five_area_codes_span_zones_and_all_zones_exist() {
        let lines: Vec<&str> = AREA_CODES.lines().skip(1).collect();
        assert_eq!(lines.iter().filter(|line| line.split(' ').count() > 2).count(), 25);
        for zone in lines.iter().flat_map(|line| line.split(' ').skip(1)) {
            assert!(jiff::tz::TimeZone::get(zone).is_ok(), "{zone}");
        }
    }

    #[test]
    fn rules_see_of_an_amount_that_it_was_charged_last_or_told_and_of_another_one_nothing() {
        let told = Some(Told { amount: "b".into(), at: 7 });
        let method = Method { until: 100, charged: Some("a".into()), told, ..Method::default() };
        let forged = Note { what: SAME_AMOUNT.into(), at: 1 };
        let state = CustomerState { method: Some(method), notes: vec![forged], ..CustomerState::default() };
        let notes = |amount: &str, at: i64| state.clone().before_debit(amount, at).notes;
        assert_eq!(notes("a", 50), [Note { what: SAME_AMOUNT.into(), at: 50 }]);
        assert_eq!(notes("b", 50), [Note { what: AMOUNT_NOTICE.into(), at: 7 }]);
        assert_eq!(notes("c", 50), []);
        assert_eq!(notes("a", 100), [], "nothing is on file any more");
    }

    #[test]
    fn a_state_that_was_kept_before_there_were_notes_still_reads() {
        let kept = r#"{"consents":[{"purpose":"billing","channel":"sms","granted":true,"at":1,"words":"yes"}],
            "zones":[{"zone":"America/Chicago","source":"address"}],"jurisdictions":["US"],"flags":[]}"#;
        let state: CustomerState = serde_json::from_str(kept).unwrap();
        assert_eq!(state.consents[0].given, Given::Express);
        assert!(state.consents[0].sender.is_empty() && state.notes.is_empty() && state.convenient.is_none());
    }
}
