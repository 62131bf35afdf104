//! **Keep it.** The engine's ports on a database.
//!
//! The path of the main thing: a [`Commit`](selvedge_engine::ports::store::Commit) joins the queue of the one
//! writer ([`sqlite::writer`]); the writer drains the queue, writes turns together and all else in savepoints, commits
//! once with `synchronous=FULL`, and only then acknowledges them all. Reads go through a pool beside it.
//!
//! Read first: `sqlite/journal.rs`, where a turn of a run becomes rows.
//!
//! Absent on purpose: SQL made of strings at run time, and any decision about a run.

pub mod sqlite;

pub use sqlite::SqliteStore;
