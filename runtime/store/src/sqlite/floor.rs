//! What the disk and SQLite allow: bare rows in group commits, under the very settings that [`SqliteStore`] opens with
//! and through the same driver. No record, no run, no log. A store can only be slower; `selvedge bench` says by how much.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use selvedge_engine::StoreError;
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{SqliteStore, unavailable};

/// Rows that one transaction takes at most.
const MAX_BATCH: usize = 512;
/// Rows that one statement writes where so many are there.
const AT_ONCE: usize = 16;
const ONE: &str = "INSERT INTO floor (body) VALUES (?)";
const MANY: &str =
    "INSERT INTO floor (body) VALUES (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?)";

/// What was reached.
pub struct Floor {
    /// Durable rows in a second.
    pub rows_per_s: f64,
    /// How long each producer waited for each of its rows.
    pub waits: Vec<Duration>,
}

impl SqliteStore {
    /// Writes `rows` rows of `bytes` bytes into a database of their own in `folder`, from `producers` who each wait for
    /// the durability of one row before they send the next.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub async fn floor(folder: &Path, rows: usize, bytes: usize, producers: usize) -> Result<Floor, StoreError> {
        let mut connection = super::open::durable(&folder.join("floor.db")).await?;
        let make = "CREATE TABLE floor (idx INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT";
        sqlx::query(make).execute(&mut connection).await.map_err(unavailable(make))?;
        let (queue, jobs) = mpsc::channel(4 * MAX_BATCH);
        let writer = tokio::spawn(serve(connection, jobs, vec![9; bytes]));
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
}

async fn produce(queue: mpsc::Sender<oneshot::Sender<()>>, left: Arc<AtomicUsize>) -> Vec<Duration> {
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

async fn serve(
    mut connection: SqliteConnection,
    mut jobs: mpsc::Receiver<oneshot::Sender<()>>,
    body: Vec<u8>,
) -> Result<(), StoreError> {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let mut execute = async |sql: &'static str, bodies: usize| {
            let mut query = sqlx::query(sql);
            for _ in 0..bodies {
                query = query.bind(body.as_slice());
            }
            query.execute(&mut connection).await.map_err(unavailable(sql)).map(drop)
        };
        execute("BEGIN IMMEDIATE", 0).await?;
        for _ in 0..batch.len() / AT_ONCE {
            execute(MANY, AT_ONCE).await?;
        }
        for _ in 0..batch.len() % AT_ONCE {
            execute(ONE, 1).await?;
        }
        execute("COMMIT", 0).await?;
        for done in batch.drain(..) {
            // A producer that went away needs no answer.
            let _ = done.send(());
        }
    }
    Ok(())
}
