//! The store on SQLite: one file, one writer, a pool of readers.

pub mod backup;
mod campaigns;
mod contacts;
mod customers;
mod definitions;
mod floor;
mod journal;
mod log;
mod open;
mod retention;
mod rows;
mod safe;
mod sessions;
mod switches;
mod turns;
pub mod writer;

use std::sync::Arc;

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::Trouble;
use sqlx::SqlitePool;
use writer::Writer;

use crate::leases::Leases;

pub use open::SCHEMA;

/// A store in a data folder. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    read: SqlitePool,
    writer: Writer,
    leases: Arc<Leases>,
}

/// SQLite's primary result codes for a file that is damaged, and for one that is no database.
const DAMAGED: [&str; 2] = ["11", "26"];

/// What a failed write comes to, by SQLite's own words for its result codes 13, 8 and 5.
pub(crate) fn trouble(error: &StoreError) -> Trouble {
    let words = [
        ("database or disk is full", Trouble::Full),
        ("attempt to write a readonly database", Trouble::ReadOnly),
        ("database is locked", Trouble::Held),
    ];
    let said = error.to_string();
    words.iter().find(|(words, _)| said.contains(words)).map_or(Trouble::Away, |(_, trouble)| *trouble)
}

/// Names what the store was doing when the database said no. SQLite's messages hold no bound values.
pub(crate) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match error.as_database_error().and_then(|e| e.code()) {
        Some(code) if DAMAGED.contains(&code.as_ref()) => {
            StoreError::Unreadable { what: format!("it could not {doing}: {error}") }
        }
        _ => StoreError::Unavailable { doing: doing.into(), why: error.to_string() },
    }
}
