//! **Keep it.** The engine's ports on a database: SQLite for one node, PostgreSQL for many; and in memory ([`memory`]), for
//! rehearsals that nobody needs afterwards.
//!
//! The path of the main thing: a [`Commit`](selvedge_engine::ports::store::Commit) joins the queue of the node's one
//! writer. On SQLite ([`sqlite::writer`]) it writes turns together and all else in savepoints, and commits
//! once with `synchronous=FULL`; on PostgreSQL (`postgres/writer.rs`) it writes all turns that wait in a few statements and
//! commits once. Only then does it acknowledge them. Reads go through a pool beside it.
//!
//! Read first: `sqlite/journal.rs`, where a turn of a run becomes rows; then `postgres/leases.rs`, on which several
//! nodes rest. What all have in common are their tests: `tests/stories`. The one in memory says in the fewest words what a
//! store does; the same acts, drawn at random, get the same answers from all three (`tests/alike`).
//!
//! Absent on purpose: SQL made of strings at run time (but for the names of databases that a measurement makes for
//! itself), and any decision about a run.

mod bodies;
mod floor;
mod leases;
pub mod memory;
pub mod postgres;
mod rows;
pub mod sqlite;

pub use floor::Floor;
pub use memory::MemoryStore;
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
