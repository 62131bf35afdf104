//! **Keep it.** The engine's ports on a database: SQLite for one node, PostgreSQL for many.
//!
//! The path of the main thing: a [`Commit`](selvedge_engine::ports::store::Commit) joins the queue of the node's one
//! writer. On SQLite ([`sqlite::writer`]) it writes turns together and all else in savepoints, and commits
//! once with `synchronous=FULL`; on PostgreSQL (`postgres/writer.rs`) it writes all turns that wait in a few statements and
//! commits once. Only then does it acknowledge them. Reads go through a pool beside it.
//!
//! Read first: `sqlite/journal.rs`, where a turn of a run becomes rows; then `postgres/leases.rs`, on which several
//! nodes rest. What both have in common is `rows.rs` and, above all, their tests: `tests/stories`.
//!
//! Absent on purpose: SQL made of strings at run time, and any decision about a run.

pub mod postgres;
mod rows;
pub mod sqlite;

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
