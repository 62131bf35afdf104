//! The store on SQLite: one file, one writer, a pool of readers.

pub mod backup;
mod customers;
mod definitions;
mod journal;
mod leases;
mod log;
mod open;
mod safe;
mod sessions;
pub mod writer;

use std::sync::Arc;

use leases::Leases;
use selvedge_engine::StoreError;
use sqlx::SqlitePool;
use writer::Writer;

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

/// Names what the store was doing when the database said no. SQLite's messages hold no bound values.
pub(crate) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match error.as_database_error().and_then(|e| e.code()) {
        Some(code) if DAMAGED.contains(&code.as_ref()) => {
            StoreError::Unreadable { what: format!("it could not {doing}: {error}") }
        }
        _ => StoreError::Unavailable { doing: doing.into(), why: error.to_string() },
    }
}
