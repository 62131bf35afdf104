//! What a disk and a database allow: bare rows in group commits, under the very settings that the store opens with and
//! through the same driver. No record, no run, no log. A store can only be slower; `selvedge bench` says by how much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use selvedge_engine::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Rows that one transaction takes at most.
pub(crate) const MAX_BATCH: usize = 512;

/// Who waits until one row is durable.
pub(crate) type Waiting = oneshot::Sender<()>;

/// What was reached.
pub struct Floor {
    /// Durable rows in a second.
    pub rows_per_s: f64,
    /// How long each producer waited for each of its rows.
    pub waits: Vec<Duration>,
}

/// Has `writer` write `rows` rows for `producers` who each wait for the durability of one row before they send the next.
pub(crate) async fn reach<W>(
    rows: usize,
    producers: usize,
    writer: impl FnOnce(mpsc::Receiver<Waiting>) -> W,
) -> Result<Floor, StoreError>
where
    W: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let (queue, jobs) = mpsc::channel(4 * MAX_BATCH);
    let writer = tokio::spawn(writer(jobs));
    let (started, left) = (Instant::now(), Arc::new(AtomicUsize::new(rows)));
    let mut waiting = JoinSet::new();
    for _ in 0..producers {
        waiting.spawn(produce(queue.clone(), left.clone()));
    }
    let waits: Vec<Duration> = waiting.join_all().await.into_iter().flatten().collect();
    let rows_per_s = waits.len() as f64 / started.elapsed().as_secs_f64();
    drop(queue);
    let stopped = |error: tokio::task::JoinError| StoreError::Unavailable {
        doing: "measure the floor".into(),
        why: error.to_string(),
    };
    writer.await.map_err(stopped)??;
    Ok(Floor { rows_per_s, waits })
}

async fn produce(queue: mpsc::Sender<Waiting>, left: Arc<AtomicUsize>) -> Vec<Duration> {
    let mut waits = Vec::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let (sent, (done, durable)) = (Instant::now(), oneshot::channel());
        // Either fails only when the writer stopped, which is told by the writer itself.
        if queue.send(done).await.is_err() || durable.await.is_err() {
            break;
        }
        waits.push(sent.elapsed());
    }
    waits
}
