//! Ends the process at a chosen commit, as `kill -9` would: what the crash tests are made of. Reached by hidden
//! options of `demo` alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use selvedge_store::sqlite::writer::{Moment, Watch};

/// On which side of the commit the process ends.
#[derive(Clone, Copy, ValueEnum)]
pub enum Side {
    /// Everything is written, nothing is durable.
    Before,
    /// It is durable, nobody was told.
    After,
}

/// Ends the process at the `nth` commit (from 1).
pub fn at_commit(nth: u64, side: Side) -> Watch {
    let wanted = match side {
        Side::Before => Moment::BeforeCommit,
        Side::After => Moment::AfterCommit,
    };
    let seen = AtomicU64::new(0);
    Arc::new(move |moment| {
        if moment == wanted && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            die();
        }
    })
}

/// SIGKILL to ourselves: no destructor runs, no buffer is flushed.
fn die() -> ! {
    let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    std::process::abort()
}
