//! Can this node take work? While the disk is full or cannot be written, while another process holds the database,
//! and while the machine's clock stands before what is in the records, it takes none: no turn begins, nothing leaves,
//! nobody is told "done". It says so, keeps what it has, and goes on by itself when it is over.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::ports::Micros;
use crate::ports::store::Trouble;

/// How often the store is made to write, only to see whether it can.
const LOOK_EVERY: Micros = 1_000_000;
/// How far the machine's clock may step back without anybody being told: what network time does to a clock.
pub const MAX_STEP_BACK: Micros = 60_000_000;

/// What is known of the store.
#[derive(Default)]
pub(crate) struct Condition {
    /// A write failed since the store was last seen to write.
    doubted: AtomicBool,
    looked: tokio::sync::Mutex<Option<Looked>>,
}

struct Looked {
    at: Micros,
    trouble: Option<Trouble>,
}

impl Looked {
    fn answer(&self) -> Result<(), EngineError> {
        self.trouble.map_or(Ok(()), |trouble| Err(EngineError::NotReady { why: trouble.to_string() }))
    }
}

impl Engine {
    /// Whether this node takes work now. Asked before each turn of a run; costs nothing while all is well.
    ///
    /// Errors: E520 with the reason.
    pub async fn ready(&self) -> Result<(), EngineError> {
        self.clock_goes_on()?;
        if self.inner.condition.doubted.load(Ordering::Acquire) { self.store_writes().await } else { Ok(()) }
    }

    /// The same, for who watches the node from outside: the store is made to write, at most once a second.
    ///
    /// Errors: E520 with the reason.
    pub async fn health(&self) -> Result<(), EngineError> {
        self.clock_goes_on()?;
        self.store_writes().await
    }

    /// Notes that the store failed; it is looked at before work is taken again.
    pub(crate) fn doubt(&self, error: &EngineError) {
        if matches!(error, EngineError::Store(StoreError::Unavailable { .. })) {
            self.inner.condition.doubted.store(true, Ordering::Release);
        }
    }

    fn clock_goes_on(&self) -> Result<(), EngineError> {
        let behind = self.inner.parts.clock.behind();
        if behind <= MAX_STEP_BACK {
            return Ok(());
        }
        let seconds = behind / 1_000_000;
        Err(EngineError::NotReady { why: format!("the machine's clock stands {seconds} s before the newest event") })
    }

    async fn store_writes(&self) -> Result<(), EngineError> {
        let condition = &self.inner.condition;
        let mut looked = condition.looked.lock().await;
        let now = self.now();
        if let Some(last) = looked.as_ref().filter(|last| now - last.at < LOOK_EVERY) {
            return last.answer();
        }
        let trouble = self.store().writable().await.err();
        condition.doubted.store(trouble.is_some(), Ordering::Release);
        match (looked.as_ref().and_then(|last| last.trouble), trouble) {
            (None, Some(why)) => tracing::error!(%why, "the node takes no work until this is over"),
            (Some(_), None) => tracing::warn!("the store writes again; the node goes on"),
            _ => {}
        }
        // A store that is held by another process takes its time to say so.
        looked.insert(Looked { at: self.now(), trouble }).answer()
    }
}
