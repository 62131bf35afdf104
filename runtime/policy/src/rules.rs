//! Contact rules: dated data, read from `workflows/rules/*.yaml`. A new law is a new rule in a file; the words that a
//! rule can use are in `workflows/rules/README.md`, and [`Then`] lists what it can ask for.
//!
//! ```yaml
//! pack: TCPA
//! owner: Compliance counsel
//! status: unreviewed              # until counsel signs: reviewed
//! rules:
//!   - id: tcpa.hours
//!     cite: 47 CFR 64.1200(c)(1)
//!     seen: primary               # in the law's own text; or secondary, or unconfirmed
//!     about: One sentence for people.
//!     jurisdiction: US            # or a list: [US-FL, US-OK]
//!     effective: 1991-12-20       # the first day, and `until:` the last one
//!     applies: { channels: [call, sms], unless-purposes: [identity] }   # or `purposes: [billing]`
//!     then: { hours: { from: "08:00", to: "21:00" } }
//! obligations:                    # what the law asks for besides, and who sees to it
//!   - id: tcpa.abandoned
//!     enforced-by: nobody yet
//! ```

mod read;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use selvedge_workflow::source::Diagnostic;

use crate::code;
use crate::contact::Contact;
use crate::customer::Given;
use crate::decision::{Reason, Verdict};
use crate::history::{Count, Span, Window};
use crate::hours::Hours;

pub(crate) use read::{is_name, time};

/// The channels that a rule can speak of. An `auto-call` is dialled by a machine or spoken by an artificial voice; what
/// is said of a `call` holds for it too. By `debit` the customer's money is reached instead of themselves.
pub const CHANNELS: [&str; 5] = ["call", "auto-call", "sms", "email", DEBIT];

/// What stands in the place of a channel where the customer's money is reached instead of themselves: a charge of their
/// method on file while they are not there. Consent to it is given and taken away as to any channel.
pub const DEBIT: &str = "debit";
/// What rules find noted before a debit: its amount is the one that was charged last; or the customer was told of it, when.
/// Whoever asks for a debit notes one of them, or none; nobody else does.
pub const SAME_AMOUNT: &str = "same-amount";
/// The other of them.
pub const AMOUNT_NOTICE: &str = "amount-notice";

/// What a rule or an obligation says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Law {
    /// Unique over all files: `tcpa.hours`.
    pub id: String,
    /// The law.
    pub cite: String,
    /// One sentence for people.
    pub about: String,
    /// How the law was seen: `primary`, `secondary`, `unconfirmed`; empty where the file does not say.
    pub seen: String,
    /// The file's title, owner and status.
    pub pack: Pack,
    /// Where it applies; `US` includes `US-FL`.
    pub jurisdictions: Vec<String>,
    /// From when until when.
    pub force: Force,
}

/// One contact rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it comes from, where and when it holds.
    pub law: Law,
    /// By which channels.
    pub channels: Vec<String>,
    /// For which purposes; empty: for all.
    pub purposes: Vec<String>,
    /// For which purposes not.
    pub unless_purposes: Vec<String>,
    /// What it asks for.
    pub then: Then,
}

/// What all rules of a file share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pack {
    /// `TCPA`.
    pub title: String,
    /// Who answers for it.
    pub owner: String,
    /// `unreviewed` or `reviewed`, by counsel.
    pub status: String,
}

/// The days on which a rule is in force, and the moments that they come to: from the first moment of the first day
/// anywhere until the last one has ended everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Force {
    /// The first day.
    pub effective: Date,
    /// The last day.
    pub until: Option<Date>,
    /// The first day, as decisions write it.
    since: String,
    begins: Timestamp,
    ends: Timestamp,
}

/// What a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The customer's local time is inside these hours.
    Hours(Box<Hours>),
    /// The customer's local time is inside the hours that they called convenient, if they did.
    Convenient,
    /// The customer's word on this channel for this purpose.
    Consent(Needs),
    /// The customer does not have this flag.
    NotFlagged(String),
    /// One of these was noted, at most so many microseconds ago.
    Noted {
        /// Any one of these.
        any: Vec<String>,
        /// In microseconds.
        within: i64,
    },
    /// This was not noted so lately.
    Quiet {
        /// What asks for quiet.
        after: String,
        /// For how long.
        span: Span,
    },
    /// Fewer than the limit lie in the window.
    Count(Window),
}

/// Which word on consent is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// None, but what was taken away stays away.
    NotRevoked,
    /// At least this.
    Given(Given),
}

/// Something that the law asks for and that no contact decision can see to. It is there so that nobody takes the
/// contact rules for all of the law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obligation {
    /// Where it comes from, where and when it holds.
    pub law: Law,
    /// Who sees to it: `checker`, `record`, or `nobody yet`.
    pub enforced_by: String,
    /// Where that is written: paths in the project; a test holds that they exist.
    pub places: Vec<String>,
}

impl Rule {
    pub(crate) fn applies(&self, contact: &Contact<'_>, at: Timestamp) -> bool {
        let purpose = |list: &[String]| list.iter().any(|known| known == contact.purpose);
        self.channels.iter().any(|channel| covers(channel, contact.channel))
            && (self.purposes.is_empty() || purpose(&self.purposes))
            && !purpose(&self.unless_purposes)
            && self.law.force.at(at)
            && contact.customer.jurisdictions.iter().any(|place| self.law.reaches(place))
    }

    pub(crate) fn reason(&self, verdict: Verdict, says: impl Into<String>) -> Reason {
        // The date tells the versions of a rule apart.
        Reason::new(&self.law.id, &self.law.cite, verdict, says).fact("effective", &*self.law.force.since)
    }
}

impl Force {
    /// Is this moment inside?
    #[must_use]
    pub fn at(&self, at: Timestamp) -> bool {
        self.begins <= at && at < self.ends
    }
}

impl Law {
    /// Is it the law of `place`?
    #[must_use]
    pub fn reaches(&self, place: &str) -> bool {
        self.jurisdictions.iter().any(|wider| includes(wider, place))
    }
}

/// Is `place` the same as `wider`, or a part of it? `US-FL` is a part of `US`.
fn includes(wider: &str, place: &str) -> bool {
    place.strip_prefix(wider).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Does what is said of `channel` hold for a contact by `by`?
pub(crate) fn covers(channel: &str, by: &str) -> bool {
    channel == by || (channel == "call" && by == "auto-call")
}

/// All contact rules of an installation.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    obligations: Vec<Obligation>,
}

impl RuleSet {
    /// Reads the rule files: name to content.
    ///
    /// # Errors
    /// Every mistake in every file, each with its line and column.
    pub fn load(files: &BTreeMap<String, String>) -> Result<RuleSet, Vec<Diagnostic>> {
        let (mut rules, mut obligations) = (Vec::new(), Vec::new());
        let mut ids = BTreeMap::new();
        let mut mistakes = Vec::new();
        for (name, text) in files {
            match read::file(name, text, &mut ids) {
                Ok((read, asked)) => {
                    rules.extend(read);
                    obligations.extend(asked);
                }
                Err(found) => mistakes.extend(found),
            }
        }
        if rules.is_empty() && mistakes.is_empty() {
            let message = "there is no contact rule, so no contact would ever be permitted";
            let help = "put at least one rule into `workflows/rules/`";
            mistakes.push(Diagnostic::new(code::NO_RULES, message).help(help));
        }
        if mistakes.is_empty() { Ok(RuleSet { rules, obligations }) } else { Err(mistakes) }
    }

    /// The rules, in the order of the files.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the law asks for besides, in the order of the files.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// The flags that some rule asks about. Any other flag of a customer changes nothing.
    #[must_use]
    pub fn flags(&self) -> BTreeSet<&str> {
        let flags = self.rules.iter().filter_map(|rule| match &rule.then {
            Then::NotFlagged(flag) => Some(flag.as_str()),
            _ => None,
        });
        flags.collect()
    }

    /// The notes that some rule asks about.
    #[must_use]
    pub fn notes(&self) -> BTreeSet<&str> {
        let notes = self.rules.iter().flat_map(|rule| match &rule.then {
            Then::Noted { any, .. } => any.iter().map(String::as_str).collect(),
            Then::Quiet { after, .. } => vec![after.as_str()],
            _ => Vec::new(),
        });
        notes.collect()
    }

    /// What has to be counted before this contact can be decided. Each count is one bounded question to whoever keeps
    /// the contacts; most contacts need none.
    #[must_use]
    pub fn counts(&self, contact: &Contact<'_>) -> Vec<Count> {
        let Ok(at) = Timestamp::from_microsecond(contact.at) else { return Vec::new() };
        let zones = contact.customer.known_zones();
        let zones: Vec<_> = zones.iter().collect();
        let counted = self.rules.iter().filter_map(|rule| match &rule.then {
            Then::Count(window) if rule.applies(contact, at) => {
                Some(Count::of(rule, window, contact, window.span.since(at, &zones)?))
            }
            _ => None,
        });
        counted.collect()
    }
}
