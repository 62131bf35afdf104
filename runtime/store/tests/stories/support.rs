//! A place for a store, and an author who writes records.

use std::future::Future;

use selvedge_engine::ports::store::{Commit, Journal, Lease, Link, RunId, SealedValue, Store, Summary};
use selvedge_record::{Draft, Head, Sealed};
use serde_json::json;

/// Where a store's data are; it can be opened more than once.
pub trait Place: Send + Sync {
    /// The back end.
    type Store: Store + Clone + 'static;
    /// A new, empty one.
    fn fresh() -> impl Future<Output = Self> + Send;
    /// Opens the store that is there, or makes it.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;
    /// Ends a node in order: what it drove is free for others.
    fn close(&self, store: Self::Store) -> impl Future<Output = ()> + Send;
}

/// The tenant of these stories.
pub const TENANT: &str = "riverside";

/// Writes one record, as an engine would.
#[derive(Clone)]
pub struct Author {
    pub id: RunId,
    pub head: Head,
}

impl Author {
    pub fn new(interaction: &str) -> Author {
        Author::of(TENANT, interaction)
    }

    pub fn of(tenant: &str, interaction: &str) -> Author {
        let id = RunId { tenant: tenant.into(), interaction: interaction.into() };
        Author { id, head: Head::start(tenant, interaction) }
    }

    /// The next `events` events, with nothing else; the run stays with whoever opened it.
    pub fn turn(&mut self, events: usize) -> Commit {
        let events = (0..events).map(|_| self.event()).collect();
        Commit {
            id: self.id.clone(),
            lease: Lease::OPENING,
            release: false,
            events,
            summary: summary("owed"),
            consumed: vec![],
            sealed: vec![],
            links: vec![],
            forget_card: None,
            known: None,
            epoch: None,
            contacts: vec![],
            keys: vec![],
        }
    }

    fn event(&mut self) -> Sealed {
        let n = self.head.seq;
        self.head.append(Draft::new("step.entered", 1_000_000 + n as i64, "host", json!({ "n": n }))).unwrap()
    }
}

/// What a node would drive now. It lets go of it again.
pub async fn wanted(store: &impl Journal, now: i64, limit: u32) -> Vec<RunId> {
    let claims = store.claim(now, limit).await.unwrap();
    for claim in &claims {
        store.release(&claim.id, claim.lease).await.unwrap();
    }
    claims.into_iter().map(|claim| claim.id).collect()
}

/// A summary that stands at `at`.
pub fn summary(at: &str) -> Summary {
    Summary {
        workflow: "healthcare-balance".into(),
        controls: "sha256:00".into(),
        customer: "c_ada".into(),
        opened: 10,
        updated: 20,
        at: at.into(),
        over: false,
        busy: false,
        wake: None,
        halted: None,
    }
}

pub fn sealed(name: &str, blob: &[u8]) -> SealedValue {
    SealedValue { name: name.into(), class: "PII".into(), blob: blob.into() }
}

pub fn link(id: &str) -> Link {
    Link { id: id.into(), step: "first-payment".into() }
}
