//! **What happened?** The record is the answer that a hostile expert can check.
//!
//! The main path: a [`Draft`] says what happened; [`Head::append`] makes it an event of one interaction, a
//! CloudEvents envelope in canonical JSON that names the hash of the event before it. That hash is the event's
//! leaf hash in a Merkle tree over all records ([`merkle`]), whose root is signed as a [`Checkpoint`]. A
//! [`pack`] takes one interaction out of the log as a file, with proofs, and [`pack::verify()`] checks it with
//! nothing but the file and a public key, naming the line where it stops being true.
//!
//! Read the test `a_pack_is_written_and_verified` in `pack/tests.rs` first: it walks the whole path.
//!
//! Absent on purpose: I/O, clocks and randomness (time is in the draft, seeds are arguments); floats and
//! `null` (money is minor units, an absent attribute is absent); encryption (the vault's business: what comes
//! here is ciphertext or a salted [`pack::commitment`]).

mod canonical;
pub mod checkpoint;
mod error;
pub mod event;
mod hash;
pub mod merkle;
pub mod pack;
pub mod time;

pub use checkpoint::{Checkpoint, LogKey, LogVerifier};
pub use error::{Fault, RecordError};
pub use event::{Draft, Event, Head, Sealed};
pub use hash::Hash;
pub use merkle::Frontier;
pub use pack::{Opening, PackEvent, PackSource, Verified, commitment, control_digest};
