//! Checkpoints: what a log commits itself to, signed.
//!
//! The text is a [tlog-checkpoint](https://c2sp.org/tlog-checkpoint) in a
//! [signed note](https://c2sp.org/signed-note): origin, size and root, a blank line, then signature lines. Ours
//! is Ed25519 (RFC 8032); outside witnesses may add theirs, which are not ours to judge.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::{Hash, RecordError};

/// The longest checkpoint that is read.
pub const MAX_NOTE_BYTES: usize = 16 * 1024;
/// The most signatures a checkpoint may carry.
pub const MAX_SIGNATURES: usize = 64;
/// The longest name of a log.
pub const MAX_KEY_NAME_BYTES: usize = 128;

/// The signed note's number for Ed25519.
const ED25519_KIND: u8 = 0x01;
const SIGNATURE_PREFIX: &str = "— ";

/// What a log commits itself to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is also its key's, such as `selvedge.demo/log`.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// The key that signs a log's checkpoints and evidence files. It has no `Debug`.
pub struct LogKey {
    pair: Ed25519KeyPair,
    verifier: LogVerifier,
}

/// The public half of a [`LogKey`], written `name+8 hex digits+base64` as signed notes have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogVerifier {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.0))
    }

    fn parse(text: &str) -> Result<Checkpoint, RecordError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ""] = lines[..] else {
            return Err(unreadable("it needs three lines: origin, size, root"));
        };
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok());
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| unreadable("its size is not a number"))?,
            root: Hash(root.ok_or_else(|| unreadable("its root is not 32 bytes in base64"))?),
        };
        // Writing it again refuses `+5` and `007`.
        if checkpoint.text() == text { Ok(checkpoint) } else { Err(unreadable("its size is oddly written")) }
    }
}

impl LogKey {
    /// The key that comes from a 32-byte seed. The name is the log's origin, such as `selvedge.demo/log`.
    ///
    /// Errors: R310 for a name with spaces or `+`, or a seed that is refused.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<LogKey, RecordError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| unusable("the seed is refused"))?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| unusable("the seed is refused"))?;
        Ok(LogKey { pair, verifier: LogVerifier::new(name, public)? })
    }

    /// The public half.
    pub fn verifier(&self) -> LogVerifier {
        self.verifier.clone()
    }

    /// A checkpoint of this key's log.
    pub fn checkpoint(&self, size: u64, root: Hash) -> Checkpoint {
        Checkpoint { origin: self.verifier.name.clone(), size, root }
    }

    /// Signs a checkpoint as a note; same checkpoint, same bytes. A checkpoint of another origin is signed
    /// too, but [`LogVerifier::open`] refuses it: take it from [`LogKey::checkpoint`].
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text();
        let mut signature = self.verifier.id.to_vec();
        signature.extend_from_slice(&self.sign_bytes(text.as_bytes()));
        format!("{text}\n{SIGNATURE_PREFIX}{} {}\n", self.verifier.name, BASE64.encode(signature))
    }

    /// Signs a text that is no checkpoint, such as the manifest of a backup, as base64. A signature over one `kind`
    /// of text holds for no other.
    pub fn sign_text(&self, kind: &str, text: &str) -> String {
        BASE64.encode(self.sign_bytes(text_message(kind, text).as_bytes()))
    }

    /// The bare signature. Callers begin their message with a domain of its own that holds a space, so that
    /// no message is a checkpoint: the first line of one is a key name, which has none.
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl LogVerifier {
    fn new(name: &str, public: [u8; 32]) -> Result<LogVerifier, RecordError> {
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if !(1..=MAX_KEY_NAME_BYTES).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(unusable("its name must have 1 to 128 bytes without spaces or `+`"));
        }
        let digest = Hash::of(&[name.as_bytes(), b"\n", &[ED25519_KIND], &public]);
        let [a, b, c, d, ..] = digest.0;
        Ok(LogVerifier { name: name.to_owned(), id: [a, b, c, d], public })
    }

    /// The key's name, which is the origin of the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a signed checkpoint of this key's log.
    ///
    /// Errors: R311 (not a signed checkpoint, or of another log), R312 (no valid signature by this key).
    pub fn open(&self, note: &str) -> Result<Checkpoint, RecordError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(unreadable("it is longer than 16384 bytes"));
        }
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(unreadable("it holds control characters"));
        }
        let Some((text, signatures)) = note.split_once("\n\n") else {
            return Err(unreadable("it has no blank line between text and signatures"));
        };
        // The signed text includes its last newline.
        let text = &note[..text.len() + 1];
        if !self.has_signed(text, signatures)? {
            return Err(RecordError::Signature { name: self.name.clone() });
        }
        let checkpoint = Checkpoint::parse(text)?;
        if checkpoint.origin != self.name {
            return Err(unreadable("its origin is not the key's name"));
        }
        Ok(checkpoint)
    }

    /// Whether this key signed the text with [`LogKey::sign_text`].
    pub fn has_signed_text(&self, kind: &str, text: &str, signature: &str) -> bool {
        let signature = BASE64.decode(signature).unwrap_or_default();
        self.verify_bytes(text_message(kind, text).as_bytes(), &signature)
    }

    /// Whether the lines hold this key's signature. Each line must be well-formed, whoever signed it.
    fn has_signed(&self, text: &str, lines: &str) -> Result<bool, RecordError> {
        let Some(lines) = lines.strip_suffix('\n') else {
            return Err(unreadable("it does not end with a whole line"));
        };
        let mut signed = false;
        for (count, line) in lines.split('\n').enumerate() {
            if count == MAX_SIGNATURES {
                return Err(unreadable("it has more than 64 signatures"));
            }
            let (name, signature) = signature_line(line).ok_or_else(|| unreadable("a signature line is malformed"))?;
            if name != self.name || signature[..4] != self.id {
                continue;
            }
            if signed || !self.verify_bytes(text.as_bytes(), &signature[4..]) {
                return Ok(false);
            }
            signed = true;
        }
        Ok(signed)
    }

    pub(crate) fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
    }
}

/// The first line holds a space, so it is never the text of a checkpoint, nor of a pack's seal.
fn text_message(kind: &str, text: &str) -> String {
    format!("selvedge.text/1 {kind}\n{text}")
}

/// `— name base64`, the bytes being a four-byte key id and the signature.
fn signature_line(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, signature) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let signature = BASE64.decode(signature).ok()?;
    (!name.is_empty() && !name.contains('+') && signature.len() > 4).then_some((name, signature))
}

impl fmt::Display for LogVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_KIND];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), BASE64.encode(key))
    }
}

impl FromStr for LogVerifier {
    type Err = RecordError;

    /// Reads exactly what `Display` writes. Errors: R310.
    fn from_str(text: &str) -> Result<LogVerifier, RecordError> {
        // Base64 may hold `+`, a name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unusable("it does not read `name+8 hex digits+base64`"));
        };
        let key = BASE64.decode(key).map_err(|_| unusable("its last part is not base64"))?;
        let public = match key.split_first() {
            Some((&ED25519_KIND, public)) => public.try_into().map_err(|_| unusable("it has not 32 bytes"))?,
            _ => return Err(unusable("it is not an Ed25519 key")),
        };
        let verifier = LogVerifier::new(name, public)?;
        if verifier.to_string() == text {
            Ok(verifier)
        } else {
            Err(unusable("its digits do not fit its name and bytes"))
        }
    }
}

fn unusable(why: &'static str) -> RecordError {
    RecordError::Key { why }
}

fn unreadable(why: &'static str) -> RecordError {
    RecordError::Checkpoint { why }
}

#[cfg(test)]
mod tests;
