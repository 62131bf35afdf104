//! The floors: what this machine allows, measured in the same run and in the same process as what stands beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use selvedge_engine::ports::{Call, Connectors};
use selvedge_host::Registry;
use selvedge_store::{PostgresStore, SqliteStore};
use serde_json::{Value, json};

use super::Place;
use super::ground::Ground;
use super::meter::{percentile, round};
use super::stage::STEPS;

/// A step leaves two events in the record, of about this many bytes each.
const ROW: usize = 800;
/// Events of one step.
pub const ROWS_PER_STEP: usize = 2;

/// The floors of one run.
pub struct Floor {
    /// Bare rows of the size of an event, made durable in groups for 64 waiting producers.
    pub group_commit_rows_per_s: f64,
    /// [`STEPS`] bare commits, one after the other: the median.
    pub ten_commits_p50_ms: f64,
    /// A fresh instance of the component and one call, one after the other on one thread.
    pub wasm_calls_per_s: f64,
}

impl Floor {
    /// Measures them at a place of their own.
    pub async fn measure(ground: &Ground, registry: &Arc<Registry>, rows: usize) -> miette::Result<Floor> {
        let place = ground.place("floor").await?;
        let many = reach(&place, "many", rows, 64).await?;
        let few = reach(&place, "few", rows.div_ceil(20).max(STEPS), 1).await?;
        let mut tens: Vec<Duration> = few.waits.chunks_exact(STEPS).map(|ten| ten.iter().sum()).collect();
        Ok(Floor {
            group_commit_rows_per_s: many.rows_per_s,
            ten_commits_p50_ms: percentile(&mut tens, 0.5),
            wasm_calls_per_s: calls_per_s(registry, rows.div_ceil(4)).await,
        })
    }

    /// As it is printed.
    pub fn json(&self) -> Value {
        json!({
            "group_commit_rows_per_s": round(self.group_commit_rows_per_s),
            "group_commit_steps_per_s": round(self.steps_per_s()),
            "ten_commits_p50_ms": self.ten_commits_p50_ms,
            "wasm_calls_per_s_1thread": round(self.wasm_calls_per_s),
        })
    }

    /// Steps that could be written.
    pub fn steps_per_s(&self) -> f64 {
        self.group_commit_rows_per_s / ROWS_PER_STEP as f64
    }
}

/// Bare rows for so many producers.
pub async fn reach(place: &Place, name: &str, rows: usize, producers: usize) -> miette::Result<selvedge_store::Floor> {
    let folder = place.path.join(name);
    crate::node::create(&folder)?;
    Ok(match &place.database {
        Some(database) => PostgresStore::floor(database, rows, ROW, producers).await?,
        None => SqliteStore::floor(&folder, rows, ROW, producers).await?,
    })
}

async fn calls_per_s(registry: &Arc<Registry>, calls: usize) -> f64 {
    let digest = registry.get("spindle").map(|spindle| spindle.digest().to_owned()).unwrap_or_default();
    let call = Call {
        connector: "spindle".into(),
        digest,
        interaction: "int_00000000000000000000000000000000".into(),
        step: "step-1".into(),
        idempotency_key: "int_00000000000000000000000000000000.step-1.call.1".into(),
        purpose: "billing".into(),
        attempt: 1,
    };
    let registry = registry.clone();
    let counted = tokio::spawn(async move {
        let started = Instant::now();
        let mut answered = 0;
        for _ in 0..calls {
            answered += usize::from(registry.perform(&call, "spin", Vec::new()).await.result.is_ok());
        }
        answered as f64 / started.elapsed().as_secs_f64()
    });
    counted.await.unwrap_or(0.0)
}
