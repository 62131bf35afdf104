//! The stories that every store passes, in memory.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod stories;

use selvedge_store::MemoryStore;
use stories::support::Place;

impl Place for MemoryStore {
    type Store = MemoryStore;

    async fn fresh() -> MemoryStore {
        MemoryStore::new()
    }

    async fn open(&self) -> MemoryStore {
        self.restarted()
    }

    async fn close(&self, store: MemoryStore) {
        drop(store);
    }
}

stories::on_each!(selvedge_store::MemoryStore);
