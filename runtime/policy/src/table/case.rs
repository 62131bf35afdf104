//! A customer as people write one: in a table, or in a file for `selvedge policy explain`.

use jiff::Timestamp;
use selvedge_workflow::source::{Diagnostic, Document, Fields, Item, Reader, Spanned};

use crate::contact::Contact;
use crate::customer::{Consent, Convenient, CustomerState, Given, Note, ZoneEvidence};
use crate::decision::Decision;
use crate::history::{Contacted, Past, Tally};
use crate::rules::{CHANNELS, RuleSet};

/// What can be said of a customer.
pub(super) const CASE: [&str; 8] =
    ["jurisdictions", "zones", "phone", "consents", "flags", "notes", "convenient", "contacts"];

/// A customer with the contacts that were made, so that whoever plays a table can count them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// What is known.
    pub state: CustomerState,
    /// What happened before.
    pub contacts: Vec<Contacted>,
    /// In whose name; empty: the organisation's.
    pub sender: String,
    /// About which account.
    pub account: Option<String>,
}

impl Case {
    /// Reads a customer from a file of its own.
    ///
    /// # Errors
    /// Every mistake, with its line and column.
    pub fn load(name: &str, text: &str) -> Result<Case, Vec<Diagnostic>> {
        let tree = Document::parse(name, text)?;
        let reader = Reader::new();
        let case = Case::read(&reader.item(&tree, "a customer").map(&CASE), &Case::default());
        reader.finish(Some(case))
    }

    /// What these keys say, and of everything else what `base` says.
    pub(super) fn read(fields: &Fields<'_, '_>, base: &Case) -> Case {
        let mut case = base.clone();
        let given = |key: &str| Some(fields.optional(key)).filter(Item::is_given);
        if let Some(item) = given("jurisdictions") {
            case.state.jurisdictions = item.items_or_one().iter().filter_map(Item::text).map(|t| t.value).collect();
        }
        if given("zones").is_some() || given("phone").is_some() {
            let zones = fields.optional("zones").entries();
            let clue = |(source, zone): (Spanned<String>, Item<'_, '_>)| {
                Some(ZoneEvidence { zone: zone.text()?.value, source: source.value })
            };
            case.state.zones = zones.into_iter().filter_map(clue).collect();
            let phone = fields.optional("phone").text();
            case.state.zones.extend(phone.iter().flat_map(|phone| ZoneEvidence::of_phone(&phone.value)));
        }
        if let Some(item) = given("consents") {
            case.state.consents = item.items().iter().filter_map(consent).collect();
        }
        if let Some(item) = given("flags") {
            case.state.flags = item.texts().into_iter().map(|flag| flag.value).collect();
        }
        if let Some(item) = given("notes") {
            let note =
                |(what, at): (Spanned<String>, Item<'_, '_>)| Some(Note { what: what.value, at: moment(&at)?.value });
            case.state.notes = item.entries().into_iter().filter_map(note).collect();
        }
        if let Some(item) = given("convenient") {
            let hours = item.map(&["from", "to"]);
            let (from, to) = (hours.required("from").text(), hours.required("to").text());
            case.state.convenient = from.zip(to).map(|(from, to)| Convenient { from: from.value, to: to.value });
        }
        if let Some(item) = given("contacts") {
            case.contacts = item.items().iter().flat_map(contacted).collect();
        }
        case
    }
}

impl RuleSet {
    /// Decides a case, counting its contacts as a store would.
    #[must_use]
    pub fn decide_case(&self, case: &Case, purpose: &str, channel: &str, at: i64) -> Decision {
        let account = case.account.as_deref();
        let contact = Contact { sender: &case.sender, account, ..Contact::new(purpose, channel, at, &case.state) };
        let tallies: Vec<Tally> = self.counts(&contact).iter().map(|count| count.tally(&case.contacts)).collect();
        self.decide(&Contact { tallies: &tallies, ..contact })
    }
}

fn consent(item: &Item<'_, '_>) -> Option<Consent> {
    let consent = item.map(&["purpose", "channel", "at", "granted", "given", "words", "act", "sender"]);
    let (purpose, channel) = (consent.required("purpose").text(), consent.required("channel").one_of(&CHANNELS));
    let at = moment(&consent.required("at"));
    let granted = consent.optional("granted").flag();
    let given = consent.optional("given").one_of(&["express", "written"]);
    let text = |key: &str| consent.optional(key).text().map(|text| text.value).unwrap_or_default();
    let (words, act, sender) = (text("words"), text("act"), text("sender"));
    Some(Consent {
        purpose: purpose?.value,
        channel: channel?.value,
        granted: granted.is_none_or(|granted| granted.value),
        at: at?.value,
        words,
        sender,
        act,
        given: if given.is_some_and(|given| given.value == "written") { Given::Written } else { Given::Express },
    })
}

/// One line may stand for several contacts, one at each moment.
fn contacted(item: &Item<'_, '_>) -> Vec<Contacted> {
    let fields = item.map(&["past", "channel", "purpose", "account", "at"]);
    let past = fields.optional("past").one_of(&["contact", "conversation"]);
    let past =
        past.map_or(Past::Contact, |past| if past.value == "contact" { Past::Contact } else { Past::Conversation });
    let (channel, purpose) = (fields.required("channel").one_of(&CHANNELS), fields.required("purpose").text());
    let account = fields.optional("account").text().map(|account| account.value);
    let moments = fields.required("at").items_or_one();
    let (Some(channel), Some(purpose)) = (channel, purpose) else { return Vec::new() };
    let one = |at: Spanned<i64>| Contacted {
        past,
        channel: channel.value.clone(),
        purpose: purpose.value.clone(),
        account: account.clone(),
        at: at.value,
    };
    moments.iter().filter_map(moment).map(one).collect()
}

/// A moment with its offset, in UTC microseconds.
pub(super) fn moment(item: &Item<'_, '_>) -> Option<Spanned<i64>> {
    item.parsed("a moment such as `2026-03-02T08:00:00-06:00`", |text| {
        text.parse::<Timestamp>().ok().map(|at| at.as_microsecond())
    })
}

/// A moment as failures write it.
pub(super) fn utc(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|at| at.to_string()).unwrap_or_default()
}
