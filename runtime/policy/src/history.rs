//! How often, and how lately? A rule says what to count, whoever keeps the contacts counts it, and a decision looks
//! at the sum alone, so that its work does not grow with the history.
//!
//! ```text
//! RuleSet::counts  ->  Vec<Count>   what has to be counted before this contact can be decided
//! the store        ->  Tally        one per count, from one bounded query
//! RuleSet::decide  <-  the tallies
//! ```

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::contact::Contact;

/// How many contacts a window may permit at most; a count never looks at more rows than that.
pub const MAX_COUNTED: i64 = 100;
/// The longest time that a rule may look back over contacts, in days.
pub const MAX_WINDOW_DAYS: i64 = 400;

/// What kind of past event is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Past {
    /// We got in touch, or tried to: a call placed, a message sent.
    Contact,
    /// We spoke with the customer, whoever called whom.
    Conversation,
}

impl Past {
    /// As it is stored and written: `contact`, `conversation`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Past::Contact => "contact",
            Past::Conversation => "conversation",
        }
    }
}

/// How far back a rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// So many microseconds; what is exactly so old no longer counts.
    Rolling(i64),
    /// So many days of the customer's calendar, the day of the event being the first (12 CFR 1006.14(b)(2)(ii)).
    Days(i64),
}

impl Span {
    /// From when on events count, seen from `at`; with several zones, the earliest of all. `None`: calendar days of a
    /// customer without a calendar.
    pub(crate) fn since(self, at: Timestamp, zones: &[&TimeZone]) -> Option<i64> {
        match self {
            Span::Rolling(micros) => Some(at.as_microsecond() - micros + 1),
            Span::Days(days) => zones.iter().filter_map(|zone| midnight(at, 1 - days, zone)).min(),
        }
    }

    /// From when on an event of `then` no longer counts; with several zones, the latest of all.
    pub(crate) fn over(self, then: i64, zones: &[&TimeZone]) -> Option<i64> {
        match self {
            Span::Rolling(micros) => then.checked_add(micros),
            Span::Days(days) => {
                let then = Timestamp::from_microsecond(then).ok()?;
                zones.iter().filter_map(|zone| midnight(then, days, zone)).max()
            }
        }
    }

    /// `7 days`, `24 hours`; a span of calendar days says so.
    pub(crate) fn in_words(self) -> String {
        match self {
            Span::Rolling(micros) => selvedge_workflow::source::duration_in_words(micros),
            Span::Days(1) => "1 calendar day".to_owned(),
            Span::Days(days) => format!("{days} calendar days"),
        }
    }
}

/// The first moment of the day that is `days` after the one of `at`, in this zone.
fn midnight(at: Timestamp, days: i64, zone: &TimeZone) -> Option<i64> {
    let day = zone.to_datetime(at).date().checked_add(days.days()).ok()?;
    day.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp().as_microsecond())
}

/// What a rule counts, and how many are too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Contacts or conversations.
    pub past: Past,
    /// By these channels.
    pub of: Vec<String>,
    /// How far back.
    pub span: Span,
    /// Those about one account, or all of the customer's.
    pub per_account: bool,
    /// So many in the window, and there is room for none more.
    pub limit: u32,
}

/// One thing to be counted: past events of one customer since a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The rule that wants to know.
    pub rule: String,
    /// Contacts or conversations.
    pub past: Past,
    /// By these channels; a call that a machine makes is a call as well.
    pub channels: Vec<String>,
    /// For these purposes alone; empty: for all.
    pub purposes: Vec<String>,
    /// But not for these.
    pub unless_purposes: Vec<String>,
    /// About this account, or about none that is known; `None`: about any.
    pub account: Option<String>,
    /// In UTC microseconds, inclusive.
    pub since: i64,
    /// No more than so many need to be looked at.
    pub limit: u32,
}

/// The sum of a [`Count`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The rule that wanted to know.
    pub rule: String,
    /// How many there are, at most the count's limit.
    pub count: u32,
    /// The time of the oldest of these, in UTC microseconds: when it leaves the window, there is room again.
    pub oldest: Option<i64>,
}

/// A past contact or conversation, as whoever keeps them writes it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contacted {
    /// Contact or conversation.
    pub past: Past,
    /// `call`, `auto-call`, `sms`, `email`.
    pub channel: String,
    /// `billing`.
    pub purpose: String,
    /// The account; `None`: not known, and then it counts for each.
    pub account: Option<String>,
    /// UTC microseconds.
    pub at: i64,
}

impl Count {
    pub(crate) fn of(rule: &crate::Rule, window: &Window, contact: &Contact<'_>, since: i64) -> Self {
        let calls = window.of.iter().any(|channel| channel == "call");
        let channels: BTreeSet<String> = window.of.iter().cloned().chain(calls.then(|| "auto-call".into())).collect();
        Count {
            rule: rule.law.id.clone(),
            past: window.past,
            channels: channels.into_iter().collect(),
            purposes: rule.purposes.clone(),
            unless_purposes: rule.unless_purposes.clone(),
            account: contact.account.filter(|_| window.per_account).map(str::to_owned),
            since,
            limit: window.limit,
        }
    }

    /// The sum over contacts in memory: what a store's query has to give as well.
    #[must_use]
    pub fn tally(&self, contacts: &[Contacted]) -> Tally {
        let counts = |made: &&Contacted| {
            made.past == self.past
                && made.at >= self.since
                && self.channels.contains(&made.channel)
                && (self.purposes.is_empty() || self.purposes.contains(&made.purpose))
                && !self.unless_purposes.contains(&made.purpose)
                && (self.account.is_none() || made.account.is_none() || made.account == self.account)
        };
        let mut newest: Vec<i64> = contacts.iter().filter(counts).map(|made| made.at).collect();
        newest.sort_unstable_by(|a, b| b.cmp(a));
        newest.truncate(self.limit as usize);
        let count = u32::try_from(newest.len()).unwrap_or(self.limit);
        Tally { rule: self.rule.clone(), count, oldest: newest.last().copied() }
    }
}
