//! How a story is written. `workflows/<name>/tests/*.yaml` holds what all stories of the file share under `given:`, and
//! the stories; a story's own `given:` goes over the shared one, key by key, and its fields field by field.
//!
//! ```yaml
//! given:
//!   now: "2026-11-23 10:04 America/Chicago"
//!   sender: { sender.name: Riverside Clinic }
//!   customer:
//!     fields: { patient.mobile: "+13125550142", account.balance: "$375.50" }
//!     zones: [America/Chicago]
//!     jurisdictions: [US, US-IL]
//!     consents: [{ purpose: billing, channel: sms }]
//! stories:
//!   - story: The first card is declined, the second one is good
//!     given: { vendors: { cards: [declined, paid] } }   # in turn; after the last one, as asked
//!     when:                                             # what people do, each as soon as the run asks for it
//!       - code: right
//!       - offer: accepted
//!       - wait: 2d
//!       - link: opened
//!     then:
//!       ending: completed
//!       money: [{ step: first-payment, amount: "$125.17" }]
//! ```

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use selvedge_engine::Definition;
use selvedge_engine::money::Money;
use selvedge_engine::ports::Micros;
use selvedge_policy::{Consent, CustomerState, Note, ZoneEvidence};
use selvedge_workflow::ConnectorKind;
use selvedge_workflow::dictionary::{FieldType, Source};
use selvedge_workflow::plan::{CHAT, OUTGOING_CALL};
use selvedge_workflow::source::{DAY, Diagnostic, Document, Fields, Item, Reader, Span, Spanned, code, did_you_mean};
use selvedge_workflow::template::is_language;

use super::super::rehearsal::{Cast, Reply};

/// Most stories in one file.
const MAX_STORIES: usize = 200;
/// A consent was given so long before the story, unless it says when.
const EARLIER: i64 = 90 * DAY;

/// One story.
#[derive(Debug)]
pub struct Story {
    /// `story:`.
    pub name: String,
    /// When it begins, and where its clock hangs.
    pub begins: Moment,
    /// Who is in it.
    pub cast: Cast,
    /// What each connector answers, in turn.
    pub vendors: BTreeMap<String, Vec<Reply>>,
    /// What people do.
    pub when: Vec<Spanned<Act>>,
    /// What is expected.
    pub then: Then,
}

/// A time in a zone.
#[derive(Clone, Debug)]
pub struct Moment {
    /// UTC microseconds.
    pub at: Micros,
    /// The zone of every time in the story.
    pub zone: TimeZone,
}

/// What people do.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// `code: right` or `code: wrong`.
    Code(bool),
    /// `offer: accepted` or `offer: declined`.
    Offer(bool),
    /// `link: opened`.
    Link,
    /// `card: entered`.
    Card,
    /// `question: disputes`: a colleague answers.
    Question(String),
    /// `approval: approved`, `refused` or `by-requester`.
    Approval(Approves),
    /// `handoff: call`: the conversation goes on there.
    Handoff(String),
    /// `wait: 2d`.
    Wait(i64),
    /// `text: STOP`: the customer writes to us.
    Text(String),
    /// `customer: {…}`: what is on file changes, its fields with it.
    Customer(Box<CustomerState>, BTreeMap<String, String>),
}

/// Who says what to terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approves {
    /// A colleague in the function that is asked: yes or no.
    Colleague(bool),
    /// Who opened the interaction tries to, which has to be refused.
    Requester,
}

impl Act {
    /// Every key that says an act.
    const NAMES: [&'static str; 10] =
        ["code", "offer", "link", "card", "question", "approval", "handoff", "wait", "text", "customer"];
}

/// What is expected. What is left out is not looked at.
#[derive(Debug)]
pub struct Then {
    /// How it ends: `completed`, `failed`, `declined`; `open` where it never does.
    pub ending: Spanned<String>,
    /// The steps that the run came to, in their order.
    pub path: Option<Spanned<Vec<String>>>,
    /// All messages that went out.
    pub messages: Option<Spanned<Vec<Message>>>,
    /// All money that moved.
    pub money: Option<Spanned<Vec<Paid>>>,
    /// The steps that were undone, the newest first.
    pub undone: Option<Spanned<Vec<String>>>,
    /// All decisions that were no plain yes.
    pub decisions: Option<Spanned<Vec<Decided>>>,
}

/// A message that went out.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The step that sent it.
    pub step: String,
    /// When, in the zone of the story.
    pub at: Option<String>,
    /// The whole text, with `[code]` and `[link]` in the place of those.
    pub text: String,
}

/// Money that moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Paid {
    /// The step that charged it.
    pub step: String,
    /// How much.
    pub amount: Money,
}

/// A decision that was no plain yes.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The step that asked.
    pub step: String,
    /// `deny` or `defer`.
    pub verdict: String,
    /// The rules that said so, in the order of the files.
    pub rules: Vec<String>,
    /// The earliest time, of a `defer`, in the zone of the story.
    pub until: Option<String>,
}

/// Reads one file of stories.
///
/// # Errors
/// Every mistake in it.
pub fn read(file: &str, text: &str, definition: &Definition) -> Result<Vec<Story>, Vec<Diagnostic>> {
    let tree = Document::parse(file, text)?;
    let reader = Reader::new();
    let reading = Reading { reader: &reader, definition };
    let top = reader.item(&tree, "a file of stories").map(&["given", "stories"]);
    let shared = reading.given(&top.optional("given"));
    let list = top.required("stories");
    let items = list.items();
    if let (true, Some(span)) = (items.len() > MAX_STORIES, list.span()) {
        let message = format!("{} stories; at most {MAX_STORIES} are taken", items.len());
        reader.report(Diagnostic::new(code::BEYOND_LIMITS, message).at(&span).help("divide the file"));
        return reader.finish(None);
    }
    let stories = items.iter().filter_map(|item| reading.story(item, &shared)).collect();
    reader.finish(Some(stories))
}

/// `given:`, as far as it is written.
#[derive(Clone, Default)]
struct Given {
    now: Option<Moment>,
    /// Whether `now` is written, be it well or not.
    dated: bool,
    sender: BTreeMap<String, String>,
    fields: BTreeMap<String, String>,
    zones: Option<Vec<ZoneEvidence>>,
    jurisdictions: Option<Vec<String>>,
    consents: Option<Vec<Written>>,
    flags: Option<Vec<String>>,
    /// The language that the customer wants.
    language: Option<String>,
    /// What was noted, and how long before the story.
    notes: Option<Vec<(String, i64)>>,
    vendors: BTreeMap<String, Vec<Reply>>,
}

/// A consent before it is known when the story begins.
#[derive(Clone)]
struct Written {
    purpose: String,
    channel: String,
    granted: bool,
    before: i64,
}

impl Given {
    /// This one where it says something, the other one otherwise.
    fn over(&self, shared: &Given) -> Given {
        let both = |ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>| {
            theirs.iter().chain(ours).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let vendors = shared.vendors.iter().chain(&self.vendors).map(|(name, replies)| (name.clone(), replies.clone()));
        Given {
            now: self.now.clone().or_else(|| shared.now.clone()),
            dated: self.dated || shared.dated,
            sender: both(&self.sender, &shared.sender),
            fields: both(&self.fields, &shared.fields),
            zones: self.zones.clone().or_else(|| shared.zones.clone()),
            jurisdictions: self.jurisdictions.clone().or_else(|| shared.jurisdictions.clone()),
            consents: self.consents.clone().or_else(|| shared.consents.clone()),
            flags: self.flags.clone().or_else(|| shared.flags.clone()),
            language: self.language.clone().or_else(|| shared.language.clone()),
            notes: self.notes.clone().or_else(|| shared.notes.clone()),
            vendors: vendors.collect(),
        }
    }

    fn customer(&self, now: Micros) -> CustomerState {
        let consent = |written: &Written| Consent {
            purpose: written.purpose.clone(),
            channel: written.channel.clone(),
            granted: written.granted,
            at: now - written.before,
            words: "Given in the story.".into(),
            ..Consent::default()
        };
        CustomerState {
            consents: self.consents.iter().flatten().map(consent).collect(),
            zones: self.zones.clone().unwrap_or_default(),
            jurisdictions: self.jurisdictions.clone().unwrap_or_default(),
            flags: self.flags.clone().unwrap_or_default(),
            language: self.language.clone(),
            notes: self
                .notes
                .iter()
                .flatten()
                .map(|(what, before)| Note { what: what.clone(), at: now - before })
                .collect(),
            ..CustomerState::default()
        }
    }
}

struct Reading<'r> {
    reader: &'r Reader,
    definition: &'r Definition,
}

impl Reading<'_> {
    fn story(&self, item: &Item<'_, '_>, shared: &Given) -> Option<Story> {
        let keys = item.named("a story").map(&["story", "given", "when", "then"]);
        let name = keys.required("story").text();
        let given = self.given(&keys.optional("given")).over(shared);
        if let (false, Some(span)) = (given.dated, keys.span()) {
            let message = "nothing says when this story begins";
            let help = "add `now: \"2026-11-23 10:04 America/Chicago\"` to `given:`";
            self.reader.report(Diagnostic::new(code::MISSING_KEY, message).at(span).help(help));
        }
        let when = keys.optional("when").items();
        let when = when.iter().filter_map(|act| self.act(act, &given)).collect();
        let then = self.then(&keys.required("then"));
        let begins = given.now.clone()?;
        let customer = given.customer(begins.at);
        let cast = Cast { sender: given.sender, customer, fields: given.fields };
        Some(Story { name: name?.value, begins, cast, vendors: given.vendors, when, then: then? })
    }

    fn given(&self, item: &Item<'_, '_>) -> Given {
        let keys = item.map(&["now", "sender", "customer", "vendors"]);
        let now = keys.optional("now");
        let dated = now.is_given();
        let now = now.parsed("a time such as \"2026-11-23 10:04 America/Chicago\"", moment);
        let sender = self.fields(&keys.optional("sender"), Source::Sender);
        let vendors = keys.optional("vendors").entries();
        let vendors = vendors.iter().filter_map(|(name, replies)| self.vendor(name, replies)).collect();
        let customer = self.customer(&keys.optional("customer"));
        Given { now: now.map(|now| now.value), dated, sender, vendors, ..customer }
    }

    fn customer(&self, item: &Item<'_, '_>) -> Given {
        let keys = item.map(&["fields", "zones", "jurisdictions", "consents", "flags", "language", "notes"]);
        let texts = |key: &str| {
            let item = keys.optional(key);
            item.is_given().then(|| item.texts().into_iter().map(|text| text.value).collect::<Vec<_>>())
        };
        let zones = texts("zones").map(|zones| {
            zones.into_iter().map(|zone| ZoneEvidence { zone, source: "address".into() }).collect::<Vec<_>>()
        });
        let consents = keys.optional("consents");
        let consents = consents.is_given().then(|| consents.items().iter().filter_map(consent).collect());
        Given {
            fields: self.fields(&keys.optional("fields"), Source::Customer),
            zones,
            jurisdictions: texts("jurisdictions"),
            language: keys.optional("language").parsed("two letters such as `es`", language).map(|read| read.value),
            consents,
            flags: texts("flags"),
            notes: list(&keys, "notes", note).map(|notes| notes.value),
            ..Given::default()
        }
    }

    /// Values of fields, money as the store keeps it.
    fn fields(&self, item: &Item<'_, '_>, source: Source) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for (path, value) in item.entries() {
            let Some(info) = self.definition.dictionary.at(&path.value) else {
                self.reader.report(self.definition.dictionary.unknown(&path.value).at(&path.span));
                continue;
            };
            if info.source != source {
                let message = format!("`{}` is no field of the {}", path.value, words_of(source));
                self.reader.report(Diagnostic::new(code::WRONG_KIND, message).at(&path.span));
            }
            let value = match info.ty {
                FieldType::Money => amount(&value).map(|money| stored(&money.value)),
                _ => value.text().map(|text| text.value),
            };
            values.extend(value.map(|value| (path.value, value)));
        }
        values
    }

    /// A vendor by the workflow's own name for it, and its answers.
    fn vendor(&self, name: &Spanned<String>, replies: &Item<'_, '_>) -> Option<(String, Vec<Reply>)> {
        let uses = &self.definition.plan.uses;
        let Some(installed) = uses.get(&name.value) else {
            let message = format!("`{}` is no name from the workflow's `uses:`", name.value);
            let help = did_you_mean(&name.value, uses.keys().map(String::as_str));
            self.reader.report(Diagnostic::new(code::UNKNOWN_NAME, message).at(&name.span).maybe_help(help));
            return None;
        };
        let kind = self.definition.connectors.get(installed).map(|facts| facts.kind);
        let words = replies_of(kind);
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let reply = |item: &Item<'_, '_>| {
            let chosen = item.one_of(&names)?;
            words.iter().find(|(word, _)| *word == chosen.value).map(|(_, reply)| *reply)
        };
        Some((installed.clone(), replies.items_or_one().iter().filter_map(reply).collect()))
    }

    fn act(&self, item: &Item<'_, '_>, given: &Given) -> Option<Spanned<Act>> {
        let (kind, body) = item.named("an act").tagged()?;
        let yes = |words: [&str; 2]| Some(body.one_of(&words)?.value == words[0]);
        let act = match kind.value.as_str() {
            "code" => Act::Code(yes(["right", "wrong"])?),
            "offer" => Act::Offer(yes(["accepted", "declined"])?),
            "link" => body.one_of(&["opened"]).map(|_| Act::Link)?,
            "card" => body.one_of(&["entered"]).map(|_| Act::Card)?,
            "question" => Act::Question(body.text()?.value),
            "approval" => Act::Approval(match body.one_of(&["approved", "refused", "by-requester"])?.value.as_str() {
                "approved" => Approves::Colleague(true),
                "refused" => Approves::Colleague(false),
                _ => Approves::Requester,
            }),
            "handoff" => Act::Handoff(body.one_of(&["call", CHAT])?.value),
            "wait" => Act::Wait(body.duration()?.value),
            "text" => Act::Text(body.text()?.value),
            "customer" => {
                let now = given.now.as_ref().map_or(0, |now| now.at);
                let changed = self.customer(&body).over(given);
                Act::Customer(Box::new(changed.customer(now)), changed.fields)
            }
            other => {
                let message = format!("nobody can do `{other}` in a story");
                let help = did_you_mean(other, Act::NAMES);
                self.reader.report(Diagnostic::new(code::UNKNOWN_KIND, message).at(&kind.span).maybe_help(help));
                return None;
            }
        };
        Some(Spanned::new(act, kind.span))
    }

    fn then(&self, item: &Item<'_, '_>) -> Option<Then> {
        let keys = item.map(&["ending", "path", "messages", "money", "undone", "decisions"]);
        let ending = keys.required("ending").one_of(&["completed", "failed", "declined", "open"]);
        let path = list(&keys, "path", |item| self.step(item));
        let messages = list(&keys, "messages", |item| {
            let keys = item.named("a message").map(&["step", "at", "text"]);
            let (step, at) = (self.step(&keys.required("step")), local(&keys.optional("at")));
            let text = keys.required("text").text();
            Some(Message { step: step?, at, text: text?.value })
        });
        let money = list(&keys, "money", |item| {
            let keys = item.named("a payment").map(&["step", "amount"]);
            let (step, amount) = (self.step(&keys.required("step")), amount(&keys.required("amount")));
            Some(Paid { step: step?, amount: amount?.value })
        });
        let undone = list(&keys, "undone", |item| self.step(item));
        let decisions = list(&keys, "decisions", |item| {
            let keys = item.named("a decision").map(&["step", "verdict", "rules", "until"]);
            let step = self.step(&keys.required("step"));
            let verdict = keys.required("verdict").one_of(&["deny", "defer"]);
            let rules = keys.required("rules").texts().into_iter().map(|rule| rule.value).collect();
            let until = local(&keys.optional("until"));
            Some(Decided { step: step?, verdict: verdict?.value, rules, until })
        });
        Some(Then { ending: ending?, path, messages, money, undone, decisions })
    }

    /// The id of a step of the workflow, or `call` for the call that it begins with where we place it.
    fn step(&self, item: &Item<'_, '_>) -> Option<String> {
        let step = item.text()?;
        let plan = &self.definition.plan;
        let placed = (plan.starts == OUTGOING_CALL).then_some("call");
        let known = || placed.into_iter().chain(plan.nodes.iter().map(|node| node.step.as_str()));
        // Of an item with its number: `due#2`.
        let named = step.value.split_once('#').map_or(step.value.as_str(), |(step, _)| step);
        if !known().any(|id| id == named) {
            let message = format!("`{}` is no step of the workflow", step.value);
            let mut steps: Vec<&str> = known().collect();
            steps.dedup();
            let help = did_you_mean(&step.value, steps);
            self.reader.report(Diagnostic::new(code::UNKNOWN_NAME, message).at(&step.span).maybe_help(help));
        }
        Some(step.value)
    }
}

/// What a vendor of this kind can answer.
fn replies_of(kind: Option<ConnectorKind>) -> &'static [(&'static str, Reply)] {
    match kind {
        Some(ConnectorKind::Verifier) => &[
            ("clear", Reply::Does),
            ("raised", Reply::Raises),
            ("missing", Reply::Misses),
            ("busy", Reply::Busy),
            ("failed", Reply::Fails),
            ("silent", Reply::Silent),
        ],
        Some(ConnectorKind::Gateway) => &[
            ("paid", Reply::Does),
            ("good", Reply::Does),
            ("declined", Reply::Declines),
            ("busy", Reply::Busy),
            ("failed", Reply::Fails),
            ("silent", Reply::Silent),
            ("lost", Reply::Lost),
        ],
        Some(ConnectorKind::Service) => &[
            ("answered", Reply::Does),
            ("busy", Reply::Busy),
            ("failed", Reply::Fails),
            ("silent", Reply::Silent),
            ("lost", Reply::Lost),
        ],
        Some(ConnectorKind::Channel) | None => &[
            ("sent", Reply::Does),
            ("busy", Reply::Busy),
            ("failed", Reply::Fails),
            ("silent", Reply::Silent),
            ("lost", Reply::Lost),
        ],
    }
}

fn words_of(source: Source) -> &'static str {
    match source {
        Source::Customer => "customer",
        Source::Sender => "sender",
        Source::Host => "host",
    }
}

fn language(text: &str) -> Option<String> {
    is_language(text).then(|| text.to_owned())
}

fn consent(item: &Item<'_, '_>) -> Option<Written> {
    let keys = item.named("a consent").map(&["purpose", "channel", "granted", "before"]);
    let (purpose, channel) = (keys.required("purpose").text(), keys.required("channel").text());
    let (granted, before) = (keys.optional("granted").flag(), keys.optional("before").duration());
    Some(Written {
        purpose: purpose?.value,
        channel: channel?.value,
        granted: granted.is_none_or(|granted| granted.value),
        before: before.map_or(EARLIER, |before| before.value),
    })
}

fn note(item: &Item<'_, '_>) -> Option<(String, i64)> {
    let keys = item.named("a note").map(&["what", "before"]);
    let (what, before) = (keys.required("what").text(), keys.required("before").duration());
    Some((what?.value, before?.value))
}

/// A list that may be left out; one that is there is looked at even when it is empty.
fn list<T>(keys: &Fields<'_, '_>, key: &str, read: impl Fn(&Item<'_, '_>) -> Option<T>) -> Option<Spanned<Vec<T>>> {
    let item = keys.optional(key);
    let span: Span = item.span()?;
    Some(Spanned::new(item.items().iter().filter_map(read).collect(), span))
}

fn amount(item: &Item<'_, '_>) -> Option<Spanned<Money>> {
    item.parsed("an amount such as \"$375.50\" or \"EUR 12.00\"", Money::from_words)
}

fn stored(money: &Money) -> String {
    serde_json::json!({ "minor": money.minor, "currency": money.currency }).to_string()
}

/// `2026-11-23 10:04 America/Chicago`.
fn moment(text: &str) -> Option<Moment> {
    let (time, zone) = text.rsplit_once(' ')?;
    let zone = TimeZone::get(zone).ok()?;
    let time = DateTime::strptime("%Y-%m-%d %H:%M", time).ok()?;
    Some(Moment { at: time.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond(), zone })
}

/// A time in the zone of the story, in its one form.
fn local(item: &Item<'_, '_>) -> Option<String> {
    let read = item.parsed("a time such as \"2026-11-24 08:00\", in the zone of the story", |text| {
        let time = DateTime::strptime("%Y-%m-%d %H:%M", text).ok()?;
        (time.strftime("%Y-%m-%d %H:%M").to_string() == text).then(|| text.to_owned())
    });
    read.map(|time| time.value)
}

#[cfg(test)]
mod tests;
