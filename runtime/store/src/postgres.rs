//! The store on PostgreSQL: many equal nodes over one database. Writers do not wait for one another: events are
//! committed without a place in the log, and a sequencer gives them one afterwards, in batches.

mod campaigns;
mod contacts;
mod customers;
mod definitions;
mod floor;
mod journal;
mod leases;
mod log;
mod news;
mod open;
mod retention;
mod safe;
mod sessions;
mod switches;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use leases::Leases;
use news::News;
use selvedge_engine::StoreError;
use sqlx::PgPool;
use tokio::task::AbortHandle;
use writer::Writer;

pub use open::{Address, SCHEMA};

/// How long a node that is not heard of keeps its runs. A node that is paused for longer loses them.
pub const LEASE: Duration = Duration::from_secs(10);

/// One node's store. Cheap to clone.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    writer: Writer,
    leases: Arc<Leases>,
    news: News,
    /// One at a time in this process; between processes the database's lock decides.
    sequencing: tokio::sync::Mutex<()>,
    /// What this node does by itself; ends with it.
    tasks: Vec<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl PostgresStore {
    /// Says nothing any more, as a node that is paused: its leases end, and it does not know. For those who test what
    /// becomes of its runs.
    pub fn fall_silent(&self) {
        self.inner.tasks.iter().for_each(AbortHandle::abort);
    }

    fn pool(&self) -> &PgPool {
        &self.inner.pool
    }
}

/// Names what the store was doing when the database said no. Neither the server's messages nor these hold bound
/// values: of an error of the server only its main line is kept, not its detail.
pub(crate) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| {
        let damaged = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code.starts_with("XX"));
        let why = error.as_database_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
        match damaged {
            true => StoreError::Unreadable { what: format!("it could not {doing}: {why}") },
            false => StoreError::Unavailable { doing: doing.into(), why },
        }
    }
}
