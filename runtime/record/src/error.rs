//! What can go wrong in the record: [`RecordError`] while writing and reading its parts, [`Fault`] where an
//! evidence file stops being true.

use std::fmt;

use miette::Diagnostic;
use thiserror::Error;

use crate::event;

/// A record, key or checkpoint that cannot be written or read. The messages name attributes and limits, never
/// the values: those may be a customer's.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum RecordError {
    /// A float, a `null`, an integer that other readers would round, or too much nesting.
    #[error("the value at `{pointer}` {why}")]
    #[diagnostic(
        code(R301),
        help(
            "write integers (money in minor units, time in microseconds), strings, booleans, arrays or objects; leave out what is absent"
        )
    )]
    Value {
        /// JSON pointer to the value.
        pointer: String,
        /// What is wrong with it.
        why: &'static str,
    },

    /// An event longer than [`event::MAX_EVENT_BYTES`].
    #[error("the event has {bytes} bytes, the limit is {}", event::MAX_EVENT_BYTES)]
    #[diagnostic(code(R302), help("keep the large part elsewhere, encrypted, and put its digest into the event"))]
    TooLarge {
        /// Size of the canonical text.
        bytes: usize,
    },

    /// An attribute of the envelope that does not have its form.
    #[error("the attribute `{name}` must be {form}")]
    #[diagnostic(code(R303), help("correct the attribute where the event is drafted"))]
    Attribute {
        /// The attribute's name.
        name: &'static str,
        /// The form that it must have.
        form: &'static str,
    },

    /// A time that RFC 3339 cannot write with a four-digit year, or text that is no such time.
    #[error("the time is not a UTC time with six decimals between the years 0000 and 9999")]
    #[diagnostic(
        code(R304),
        help("give microseconds since 1970-01-01 UTC, written like `2026-11-24T17:03:00.000000Z`")
    )]
    Time,

    /// Text that is not an event as this room writes it, byte for byte.
    #[error("this is not an event in canonical form: {why}")]
    #[diagnostic(
        code(R305),
        help("take the event's text from the store or the evidence file as it is, without reformatting it")
    )]
    NotCanonical {
        /// Where it differs.
        why: String,
    },

    /// A hash that is not 64 lower-case hex digits.
    #[error("a hash is written as 64 lower-case hex digits")]
    #[diagnostic(code(R306), help("copy the hash as it was printed"))]
    Hash,

    /// A tree whose stored parts do not fit one another.
    #[error("a log of {size} events has {} peaks, not {peaks}", size.count_ones())]
    #[diagnostic(code(R307), help("the stored frontier is damaged: rebuild it from the leaf hashes of the log"))]
    Frontier {
        /// The log's size as stored.
        size: u64,
        /// How many peaks were stored with it.
        peaks: usize,
    },

    /// A log's name, signing seed or public key that cannot be used.
    #[error("the log key cannot be used: {why}")]
    #[diagnostic(
        code(R310),
        help("a public key reads `name+8 hex digits+base64`; copy the whole line as the operator published it")
    )]
    Key {
        /// What is wrong with it.
        why: &'static str,
    },

    /// A checkpoint that is not a signed note of the expected form.
    #[error("the checkpoint cannot be read: {why}")]
    #[diagnostic(code(R311), help("a checkpoint is copied whole, with its blank line and its signature lines"))]
    Checkpoint {
        /// What is wrong with it.
        why: &'static str,
    },

    /// A checkpoint without a valid signature by the key that was asked.
    #[error("the checkpoint is not signed by `{name}`")]
    #[diagnostic(
        code(R312),
        help(
            "either the checkpoint was changed or the key is another log's: compare the key with the one the operator published"
        )
    )]
    Signature {
        /// The key's name.
        name: String,
    },

    /// An evidence file that would not verify is not written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pack(#[from] Fault),
}

/// The place where an evidence file stops being true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error's code, such as `R327`; each has a page under `runtime/docs/errors`.
    pub code: &'static str,
    /// The line in the file, from 1.
    pub line: usize,
    /// What stands there: `manifest`, `event 7 (effect.intended)`, `control sha256:…`, `opening 2`, `seal`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.place, self.what)
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }
}
