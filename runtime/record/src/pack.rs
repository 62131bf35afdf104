//! The evidence file: one interaction taken out of the log, with all that a stranger needs to check it.
//!
//! A pack is text, one canonical JSON object per line:
//!
//! 1. `{checkpoint, controls, events, format, interaction, key, tenant}`, the manifest;
//! 2. `{event, index, proof}` for each event, in order, with its place in the log;
//! 3. `{control: {digest, files}}` for each control that an event names: the definitions that were in force;
//! 4. `{opening: {pointer, salt, seq, value}}` for each commitment that is opened to the reader;
//! 5. `{seal: {digest, lines, signature}}` over all bytes above it.
//!
//! [`write()`] makes one and [`verify()`] checks one.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::{Checkpoint, Event, Fault, Hash, LogKey, LogVerifier, RecordError, canonical};

mod chain;
mod rows;
pub mod stretch;
mod verify;

pub use verify::verify;

/// What a manifest calls its file's form.
pub const FORMAT: &str = "selvedge.pack/1";
/// The largest pack.
pub const MAX_PACK_BYTES: usize = 64 * 1024 * 1024;
/// The most lines in a pack.
pub const MAX_LINES: usize = 1_000_000;
/// The longest line of a pack, its newline included.
pub const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;
/// How deep a line may nest: an event's data, its envelope, the line.
const MAX_LINE_DEPTH: usize = crate::event::MAX_DATA_DEPTH + 2;

const SEAL_DOMAIN: &str = "selvedge.pack/1 seal\n";
const COMMITMENT_DOMAIN: &str = "selvedge.commitment/1\n";

/// What goes into a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackSource {
    /// Whose record it is.
    pub tenant: String,
    /// The interaction.
    pub interaction: String,
    /// A signed checkpoint of the log that holds every event.
    pub checkpoint: String,
    /// All events of the interaction, in order.
    pub events: Vec<PackEvent>,
    /// The files of each control that an event names, by [`control_digest`].
    pub controls: BTreeMap<String, BTreeMap<String, String>>,
    /// The commitments that are opened, in any order.
    pub openings: Vec<Opening>,
}

/// An event and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackEvent {
    /// The event's text.
    pub canonical: String,
    /// Its leaf index in the log.
    pub index: u64,
    /// Its inclusion proof in the tree of the checkpoint.
    pub proof: Vec<Hash>,
}

/// A value that an event only commits to, shown to the reader of the pack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// The event's sequence.
    pub seq: u64,
    /// JSON pointer, within the event's data, to the [`commitment`].
    pub pointer: String,
    /// The salt of the commitment.
    pub salt: [u8; 32],
    /// The value.
    pub value: String,
}

/// A pack that holds.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Whose record it is.
    pub tenant: String,
    /// The interaction.
    pub interaction: String,
    /// All its events, in order.
    pub events: Vec<Event>,
    /// The checkpoint that each of them was proved against.
    pub checkpoint: Checkpoint,
    /// The key that signed the checkpoint and sealed the file.
    pub key: LogVerifier,
    /// Whether the reader gave that key. If not, the file only proves that it agrees with itself: the key came
    /// out of it.
    pub key_was_given: bool,
    /// The files of each control that an event names, by digest.
    pub controls: BTreeMap<String, BTreeMap<String, String>>,
    /// The commitments that were opened, and match.
    pub openings: Vec<Opening>,
}

/// The digest of a control: the files (by path) of a workflow bundle, rules, policies or grants.
///
/// `sha256:` and the hex SHA-256 of the canonical JSON object of path to text.
#[expect(clippy::expect_used, reason = "a map of strings always serialises")]
pub fn control_digest(files: &BTreeMap<String, String>) -> String {
    // INVARIANT: serialising fails for keys that are not strings and for floats; here are neither.
    let text = serde_jcs::to_vec(files).expect("a map of strings");
    format!("sha256:{}", Hash::of(&[&text]))
}

/// The salted commitment that an event carries in place of a value: hex SHA-256 over a domain, salt and value.
/// The salt must be secret and used once, or a low-entropy value can be guessed.
pub fn commitment(salt: &[u8; 32], value: &str) -> String {
    Hash::of(&[COMMITMENT_DOMAIN.as_bytes(), salt, value.as_bytes()]).to_string()
}

/// Writes a pack; same source and key, same bytes.
///
/// Errors: R305 and its like for an event that cannot be read, otherwise the [`Fault`] that the pack would
/// have: a pack that does not verify is not written.
pub fn write(source: &PackSource, key: &LogKey) -> Result<String, RecordError> {
    let mut pack = line(&manifest(source, key))?;
    for event in &source.events {
        pack += &event_line(event)?;
    }
    for (digest, files) in &source.controls {
        pack += &line(&json!({ "control": { "digest": digest, "files": files } }))?;
    }
    let mut openings: Vec<&Opening> = source.openings.iter().collect();
    openings.sort();
    for Opening { seq, pointer, salt, value } in openings {
        let opening = json!({ "seq": seq, "pointer": pointer, "salt": hex::encode(salt), "value": value });
        pack += &line(&json!({ "opening": opening }))?;
    }
    pack += &seal_line(&pack, key)?;
    verify(pack.as_bytes(), Some(&key.verifier()))?;
    Ok(pack)
}

fn manifest(source: &PackSource, key: &LogKey) -> Value {
    json!({
        "format": FORMAT,
        "tenant": source.tenant,
        "interaction": source.interaction,
        "events": source.events.len(),
        "key": key.verifier().to_string(),
        "checkpoint": source.checkpoint,
        "controls": source.controls.keys().collect::<Vec<_>>(),
    })
}

fn event_line(event: &PackEvent) -> Result<String, RecordError> {
    Event::parse(&event.canonical)?;
    let value: Value =
        serde_json::from_str(&event.canonical).map_err(|error| RecordError::NotCanonical { why: error.to_string() })?;
    line(&json!({ "event": value, "index": event.index, "proof": event.proof }))
}

fn seal_line(above: &str, key: &LogKey) -> Result<String, RecordError> {
    let digest = Hash::of(&[above.as_bytes()]);
    let signature = BASE64.encode(key.sign_bytes(seal_message(digest).as_bytes()));
    let lines = above.matches('\n').count();
    line(&json!({ "seal": { "digest": digest, "lines": lines, "signature": signature } }))
}

fn line(value: &Value) -> Result<String, RecordError> {
    let mut text = canonical::text(value, MAX_LINE_DEPTH)?;
    text.push('\n');
    Ok(text)
}

/// What the seal's signature is over. The domain holds a space, so it is never the text of a checkpoint.
fn seal_message(digest: Hash) -> String {
    format!("{SEAL_DOMAIN}{digest}\n")
}

/// A fault of this file; `place` is what stands in the line.
fn fault(code: &'static str, line: usize, place: impl Into<String>, what: impl Into<String>) -> Fault {
    let help = match code {
        "R320" => "ask for the file again: it is cut short, too large, or no evidence file",
        "R323" => "verify with the key that the operator published; if that one fails, the file is not theirs",
        "R324" | "R325" | "R326" | "R327" | "R328" | "R332" => {
            "the file was altered after it was sealed: ask the operator for a fresh export and compare this line"
        }
        "R333" | "R334" => {
            "an event was left out or altered: nothing can be said about what is not there; ask the operator for a fresh file"
        }
        "R329" => "the definitions in force must travel with the events: ask the operator for a fresh export",
        "R330" => "the value shown here is not the one that the event committed to: do not rely on it",
        _ => "the file was altered after it was sealed: ask the operator for a fresh export",
    };
    Fault { code, line, place: place.into(), what: what.into(), help: help.to_owned() }
}

#[cfg(test)]
mod tests;
