//! What the engine needs from outside, as traits: a store, the connectors, a clock, randomness.
//! Each is implemented in the room that owns the means (`store`, `host`, the wiring in `cli`).

pub mod campaigns;
pub mod store;

use std::collections::BTreeMap;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// The time, as the engine may know it. Nothing in the engine reads a clock of its own.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in UTC microseconds. Never earlier than an instant that it returned before.
    fn now(&self) -> Micros;
    /// How far the machine's clock stands before the newest time that [`Clock::now`] gave out: it was stepped back.
    fn behind(&self) -> Micros {
        0
    }
    /// Returns when `now()` has reached `until`, at the latest.
    async fn sleep_until(&self, until: Micros);
}

/// Randomness for ids, salts and keys.
pub trait Random: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    fn fill(&self, out: &mut [u8]);
}

/// A value on its way to a connector, as a handle: the connector gets the right to name it, not to see it.
#[derive(Clone)]
pub struct Field {
    /// The field's name in the data dictionary: `patient.mobile`, `message.text`, `card.number`.
    pub path: String,
    /// Its class in the data dictionary: `PII`, `PAN`, ...
    pub class: String,
    /// The value itself. Only the host's egress door opens it.
    pub value: SecretString,
}

/// The circumstances of one call of a connector; mirrors `selvedge:connector/types.call`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The connector's name, as granted: `brightline-sms`.
    pub connector: String,
    /// The digest that the run pinned, `sha256:<hex>`. The host refuses when it has another one loaded.
    pub digest: String,
    /// The interaction's id.
    pub interaction: String,
    /// The step's id.
    pub step: String,
    /// Stable over all attempts at one effect.
    pub idempotency_key: String,
    /// The purpose of the step.
    pub purpose: String,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// Why a call of a connector did not give an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "why", rename_all = "kebab-case")]
pub enum Failure {
    /// Certainly not done; may be tried again.
    Retry(String),
    /// Certainly not done; never will be.
    Permanent(String),
    /// Refused by the host; nothing left.
    Denied(String),
    /// Maybe done.
    Unknown(String),
}

/// One use of a field by a connector, as the record keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The field's path.
    pub field: String,
    /// The field's class.
    pub class: String,
    /// `egress` (the host put it into a request; the connector saw a handle) or `reveal`.
    pub how: String,
    /// For `egress`: `connection METHOD /path slot`. For `reveal`: the reason given.
    pub place: String,
}

/// Something that a connector tried and was not granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The grant that is missing, as the line that would give it.
    pub missing: String,
    /// What was tried, free of values.
    pub tried: String,
}

/// A result together with everything the connector did on the way.
#[derive(Clone, Debug)]
pub struct Observed<T> {
    /// The connector's answer.
    pub result: Result<T, Failure>,
    /// Fields that left or were read.
    pub accesses: Vec<Access>,
    /// What the host refused.
    pub refusals: Vec<Refusal>,
}

/// A verifier's finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Looked, found nothing.
    Clear,
    /// Looked, found a risk.
    Raised,
    /// Could not tell.
    Missing,
}

/// A verifier's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The signal's name: `sim-swap`.
    pub name: String,
    /// What was found.
    pub finding: Finding,
    /// The vendor's reason.
    pub reason: String,
}

/// A gateway's explicit answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charged {
    /// Money was taken; the vendor's reference.
    Paid(String),
    /// It was not; the vendor's word for why.
    Declined(String),
}

/// A gateway's explicit answer about a card that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It can be charged; the vendor's reference.
    Good(String),
    /// It cannot; the vendor's word for why.
    Declined(String),
}

/// What a vendor says of an effect, asked or unasked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The vendor's id of this piece of news.
    pub event_id: String,
    /// The effect's idempotency key.
    pub idempotency_key: String,
    /// What is explicit.
    pub status: ReportStatus,
    /// The vendor's id of the message or payment.
    pub reference: String,
    /// The vendor's word.
    pub detail: String,
}

/// What a webhook tells.
#[derive(Clone, Debug)]
pub enum News {
    /// Of an effect of ours.
    Report(Report),
    /// Of a message to us.
    Received(Received),
}

/// A message that somebody sent us. Its sender and its words no connector has seen.
#[derive(Clone, Debug)]
pub struct Received {
    /// The vendor's id of this piece of news.
    pub event_id: String,
    /// `sms`.
    pub channel: String,
    /// The address that it came from; `None`: none could be read.
    pub sender: Option<SecretString>,
    /// What it says; `None`: nothing that could be read.
    pub words: Option<SecretString>,
}

/// Only `Succeeded` is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportStatus {
    /// Explicitly done.
    Succeeded,
    /// Explicitly not done.
    Failed,
    /// Anything else.
    Pending,
}

/// The parts of a card as handles.
#[derive(Clone)]
pub struct CardFields {
    /// `card.number`, class PAN.
    pub number: Field,
    /// `card.expiry-month`, class PAN.
    pub expiry_month: Field,
    /// `card.expiry-year`, class PAN.
    pub expiry_year: Field,
    /// `card.code`, class SAD; absent when the host no longer has it.
    pub code: Option<Field>,
}

/// A webhook as it arrived.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The connection that the URL names.
    pub connection: String,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// Why a webhook was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookFault {
    /// No such connection, or it takes no webhooks.
    NoSuchConnection,
    /// The signature is missing, wrong or too old.
    BadSignature(String),
    /// The connector could not read the body.
    Unreadable(String),
}

/// The connectors, behind the host's door.
#[async_trait]
pub trait Connectors: Send + Sync {
    /// The digest of each loaded connector by name, for a new run to pin.
    fn digests(&self) -> BTreeMap<String, String>;
    /// A channel's `send`.
    async fn send(&self, call: &Call, to: Field, text: Field) -> Observed<String>;
    /// A verifier's `check`.
    async fn check(&self, call: &Call, subject: Field) -> Observed<Signal>;
    /// A gateway's `validate`: whether a card is good. No money moves.
    async fn validate(&self, call: &Call, card: CardFields) -> Observed<Validity>;
    /// A gateway's `charge`; `amount` in minor units of `currency` (ISO 4217).
    async fn charge(&self, call: &Call, amount: i64, currency: &str, card: CardFields) -> Observed<Charged>;
    /// A function of a service, which gets each field by a name; its answer, bounded by the host.
    async fn perform(&self, call: &Call, function: &str, with: Vec<(String, Field)>) -> Observed<String>;
    /// A channel's or gateway's `lookup`.
    async fn lookup(&self, call: &Call) -> Observed<Option<Report>>;
    /// The connector that reads the webhooks of a connection.
    fn reader(&self, connection: &str) -> Option<String>;
    /// Verifies a webhook's signature over the raw body and lets the connector read it. `now` bounds the
    /// age of the signature.
    async fn receive(&self, webhook: Webhook, now: Micros) -> Result<Vec<News>, WebhookFault>;
}
