//! Events: the envelope, its canonical form and the chain.
//!
//! An event is a CloudEvents 1.0 structured-mode JSON object in RFC 8785 canonical form. [`Head`] appends;
//! [`Event::parse`] reads back and refuses every text that [`Head::append`] would not have written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Hash, RecordError, canonical, time};

/// The largest event, as canonical text.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;
/// How deep an event's data may nest.
pub const MAX_DATA_DEPTH: usize = 16;
/// The longest tenant, interaction or kind.
pub const MAX_NAME_BYTES: usize = 128;
/// The longest of the other attributes; `controls` holds some twenty digests.
pub const MAX_ATTRIBUTE_BYTES: usize = 2048;

const NAME_FORM: &str = "1 to 128 of the characters `A-Z a-z 0-9 . _ : -`";
const KIND_FORM: &str = "1 to 128 of the characters `a-z 0-9 . _ -`, such as `effect.intended`";
const TEXT_FORM: &str = "1 to 2048 bytes of text without control characters";
const CONTROLS_FORM: &str = "digests such as `sha256:` and 64 hex digits, with one space between them";

/// What happened, before it has its place in the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What kind of thing happened, such as `effect.intended`.
    pub kind: String,
    /// When, in UTC microseconds since 1970.
    pub time: i64,
    /// Who did it: `host`, `person:maria`, `customer:c_1`, `connector:brightline-sms@sha256:…`.
    pub actor: String,
    /// The device of the person.
    pub device: Option<String>,
    /// The function in which the person acted.
    pub function: Option<String>,
    /// The session it was part of.
    pub session: Option<String>,
    /// The purpose it served.
    pub purpose: Option<String>,
    /// The [`control_digest`](crate::control_digest)s of the definitions in force, with one space between them.
    pub controls: Option<String>,
    /// The particulars: an object. Sensitive values are ciphertext or commitments, never plain.
    pub data: Value,
}

/// The end of one interaction's record: what the next event hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whose record it is.
    pub tenant: String,
    /// The interaction.
    pub interaction: String,
    /// Number of events so far, so the next event's sequence.
    pub seq: u64,
    /// The hash of the last event; [`Hash::ZERO`] before the first.
    pub hash: Hash,
}

/// An event that has its place: what the store keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its sequence in the interaction, from 0.
    pub seq: u64,
    /// Its time in UTC microseconds.
    pub time: i64,
    /// Its kind, such as `effect.intended`.
    pub kind: String,
    /// Its hash, which is also its leaf hash in the log.
    pub hash: Hash,
    /// Its text; every byte counts.
    pub canonical: String,
}

/// An event as read back from its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Whose record it is in.
    pub tenant: String,
    /// The interaction.
    pub interaction: String,
    /// Its sequence in the interaction, from 0.
    pub seq: u64,
    /// The hash of the event before it.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// Its kind, such as `effect.intended`.
    pub kind: String,
    /// UTC microseconds.
    pub time: i64,
    /// Who did it.
    pub actor: String,
    /// The device of the person.
    pub device: Option<String>,
    /// The function in which the person acted.
    pub function: Option<String>,
    /// The session it was part of.
    pub session: Option<String>,
    /// The purpose it served.
    pub purpose: Option<String>,
    /// The digests of the definitions in force, with one space between them.
    pub controls: Option<String>,
    /// The particulars.
    pub data: Value,
}

impl Draft {
    /// A draft with the attributes that every event has; set the others as fields.
    pub fn new(kind: impl Into<String>, time: i64, actor: impl Into<String>, data: Value) -> Draft {
        Draft {
            kind: kind.into(),
            time,
            actor: actor.into(),
            device: None,
            function: None,
            session: None,
            purpose: None,
            controls: None,
            data,
        }
    }
}

impl Head {
    /// The head of a record without events.
    pub fn start(tenant: impl Into<String>, interaction: impl Into<String>) -> Head {
        Head { tenant: tenant.into(), interaction: interaction.into(), seq: 0, hash: Hash::ZERO }
    }

    /// Makes the draft the record's next event and moves on to it.
    ///
    /// Errors: R301 (a value that the record cannot hold), R302 (too large), R303 (an attribute), R304 (the
    /// time). The head stays where it was then.
    pub fn append(&mut self, draft: Draft) -> Result<Sealed, RecordError> {
        let mut event = Event {
            tenant: self.tenant.clone(),
            interaction: self.interaction.clone(),
            seq: self.seq,
            prev: self.hash,
            hash: Hash::ZERO,
            kind: draft.kind,
            time: draft.time,
            actor: draft.actor,
            device: draft.device,
            function: draft.function,
            session: draft.session,
            purpose: draft.purpose,
            controls: draft.controls,
            data: draft.data,
        };
        let canonical = event.canonical()?;
        event.hash = Hash::leaf(&canonical);
        self.seq += 1;
        self.hash = event.hash;
        Ok(Sealed { seq: event.seq, time: event.time, kind: event.kind, hash: event.hash, canonical })
    }
}

impl Event {
    /// Reads an event's text.
    ///
    /// Errors: R302 (too large), R305 (not byte for byte what this room writes), or what [`Head::append`]
    /// refuses.
    pub fn parse(canonical: &str) -> Result<Event, RecordError> {
        if canonical.len() > MAX_EVENT_BYTES {
            return Err(RecordError::TooLarge { bytes: canonical.len() });
        }
        let value: Value = serde_json::from_str(canonical).map_err(|error| not_canonical(error.to_string()))?;
        let event = Event::from_value(value, Hash::leaf(canonical))?;
        if event.canonical()? != canonical {
            return Err(not_canonical("writing it again gives other bytes"));
        }
        Ok(event)
    }

    /// The event's text.
    pub fn canonical(&self) -> Result<String, RecordError> {
        self.check()?;
        let text = self.envelope()?;
        if text.len() > MAX_EVENT_BYTES {
            return Err(RecordError::TooLarge { bytes: text.len() });
        }
        Ok(text)
    }

    /// The digests of the definitions that were in force.
    pub fn control_digests(&self) -> impl Iterator<Item = &str> {
        self.controls.iter().flat_map(|controls| controls.split(' '))
    }

    fn check(&self) -> Result<(), RecordError> {
        let require = |holds: bool, name, form| {
            if holds { Ok(()) } else { Err(RecordError::Attribute { name, form }) }
        };
        require(is_name(&self.tenant), "tenant", NAME_FORM)?;
        require(is_name(&self.interaction), "interaction", NAME_FORM)?;
        require(is_kind(&self.kind), "kind", KIND_FORM)?;
        require(is_text(&self.actor), "actor", TEXT_FORM)?;
        for (name, text) in self.optional() {
            require(text.as_ref().is_none_or(|text| is_text(text)), name, TEXT_FORM)?;
        }
        require(self.control_digests().all(is_control_digest), "controls", CONTROLS_FORM)?;
        require(self.data.is_object(), "data", "an object")?;
        canonical::check(&self.data, MAX_DATA_DEPTH, "/data")
    }

    fn optional(&self) -> [(&'static str, &Option<String>); 5] {
        [
            ("device", &self.device),
            ("function", &self.function),
            ("session", &self.session),
            ("purpose", &self.purpose),
            ("controls", &self.controls),
        ]
    }

    /// The text of an event that was checked.
    fn envelope(&self) -> Result<String, RecordError> {
        let mut envelope = Envelope(Vec::with_capacity(1024));
        envelope.text("actor", &self.actor)?;
        envelope.optional("controls", &self.controls)?;
        canonical::write(&self.data, envelope.named("data"))?;
        envelope.text("datacontenttype", "application/json")?;
        envelope.optional("device", &self.device)?;
        envelope.optional("function", &self.function)?;
        envelope.text("id", &format!("{}/{}", self.interaction, self.seq))?;
        envelope.text("prev", &self.prev.to_string())?;
        envelope.optional("purpose", &self.purpose)?;
        envelope.named("sequence").extend_from_slice(self.seq.to_string().as_bytes());
        envelope.optional("session", &self.session)?;
        envelope.text("source", &format!("selvedge/{}", self.tenant))?;
        envelope.text("specversion", "1.0")?;
        envelope.text("subject", &self.interaction)?;
        envelope.text("time", &time::to_rfc3339(self.time)?)?;
        envelope.text("type", &format!("selvedge.{}", self.kind))?;
        envelope.0.push(b'}');
        canonical::into_text(envelope.0)
    }

    /// Takes the attributes out of an envelope. What is left over or oddly spelled is found by
    /// [`Event::parse`], which writes the event again.
    fn from_value(value: Value, hash: Hash) -> Result<Event, RecordError> {
        let Value::Object(mut fields) = value else {
            return Err(not_canonical("it is not an object"));
        };
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            _ => Err(not_canonical(format!("`{name}` is missing or not a string"))),
        };
        let after = |name: &str, prefix: &str| match text(name)?.strip_prefix(prefix) {
            Some(rest) => Ok(rest.to_owned()),
            None => Err(not_canonical(format!("`{name}` does not begin with `{prefix}`"))),
        };
        let tenant = after("source", "selvedge/")?;
        let kind = after("type", "selvedge.")?;
        let interaction = text("subject")?.to_owned();
        let prev = text("prev")?.parse()?;
        let time = time::from_rfc3339(text("time")?)?;
        let actor = text("actor")?.to_owned();
        let Some(seq) = fields.get("sequence").and_then(Value::as_u64) else {
            return Err(not_canonical("`sequence` is missing or not a number from 0"));
        };
        Ok(Event {
            tenant,
            interaction,
            seq,
            prev,
            hash,
            kind,
            time,
            actor,
            device: take_text(&mut fields, "device")?,
            function: take_text(&mut fields, "function")?,
            session: take_text(&mut fields, "session")?,
            purpose: take_text(&mut fields, "purpose")?,
            controls: take_text(&mut fields, "controls")?,
            data: fields.remove("data").ok_or_else(|| not_canonical("`data` is missing"))?,
        })
    }
}

/// The attributes of an event as they are written: in the order of the alphabet, which is that of RFC 8785.
struct Envelope(Vec<u8>);

impl Envelope {
    /// Begins an attribute; what follows is its value.
    fn named(&mut self, name: &str) -> &mut Vec<u8> {
        self.0.extend_from_slice(if self.0.is_empty() { b"{\"" } else { b",\"" });
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        &mut self.0
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), RecordError> {
        canonical::write_text(text, self.named(name))
    }

    fn optional(&mut self, name: &str, text: &Option<String>) -> Result<(), RecordError> {
        text.as_ref().map_or(Ok(()), |text| self.text(name, text))
    }
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, RecordError> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(not_canonical(format!("`{name}` is not a string"))),
    }
}

fn not_canonical(why: impl Into<String>) -> RecordError {
    RecordError::NotCanonical { why: why.into() }
}

/// Whether a tenant or interaction can be named so: no slash, for ids are `interaction/sequence`.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_kind(text: &str) -> bool {
    is_name(text) && !text.bytes().any(|b| b.is_ascii_uppercase() || b == b':')
}

fn is_text(text: &str) -> bool {
    (1..=MAX_ATTRIBUTE_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Whether the text has the form of a [`control_digest`](crate::control_digest).
pub(crate) fn is_control_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.parse::<Hash>().is_ok())
}

#[cfg(test)]
mod tests;
