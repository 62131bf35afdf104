//! The Merkle log: its edge, its leaves, its signed checkpoints.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Log, RunId};
use selvedge_record::{Frontier, Hash};
use sqlx::{Row, SqliteConnection, SqliteExecutor};

use super::{SqliteStore, unavailable};
use crate::rows::{Cells, as_i64, run_id};

#[async_trait]
impl Log for SqliteStore {
    async fn places(&self, id: &RunId) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT idx, length(hashes) / 32 AS events FROM turns JOIN records USING (record) \
                   WHERE tenant = ? AND interaction = ? ORDER BY seq";
        let turns = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).fetch_all(&self.read).await;
        let turns = turns.map_err(unavailable("read the log"))?;
        Ok(turns.iter().flat_map(|turn| (turn.count("idx")..).take(turn.count("events") as usize)).collect())
    }

    async fn written_since(&self, index: u64) -> Result<Vec<RunId>, StoreError> {
        // A turn may begin before the place and reach beyond it.
        let sql = "SELECT DISTINCT tenant, interaction FROM turns JOIN records USING (record) \
                   WHERE idx >= coalesce((SELECT max(idx) FROM turns WHERE idx <= ?1), 0) \
                   AND idx + length(hashes) / 32 > ?1 ORDER BY tenant, interaction";
        let rows = sqlx::query(sql).bind(as_i64(index)).fetch_all(&self.read).await;
        Ok(rows.map_err(unavailable("read the log"))?.iter().map(run_id).collect())
    }

    async fn frontier(&self) -> Result<Frontier, StoreError> {
        edge(&self.read).await
    }

    async fn leaves(&self, size: u64) -> Result<Vec<Hash>, StoreError> {
        let turns: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hashes FROM turns WHERE idx < ? ORDER BY idx")
            .bind(as_i64(size))
            .fetch_all(&self.read)
            .await
            .map_err(unavailable("read the log"))?;
        let mut leaves = Vec::new();
        for hashes in turns {
            leaves.extend(hashes_of(&hashes)?);
        }
        leaves.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(leaves)
    }

    async fn put_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError> {
        let note = note.to_owned();
        self.writer
            .run("keep a checkpoint", move |desk| {
                Box::pin(async move {
                    // The first checkpoint of a size stays: exporting twice gives the same bytes.
                    let sql = "INSERT INTO checkpoints (size, note) VALUES (?, ?) ON CONFLICT (size) DO NOTHING";
                    let query = sqlx::query(sql).bind(as_i64(size)).bind(note);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("keep a checkpoint"))
                })
            })
            .await
    }

    async fn checkpoint_over(&self, index: u64) -> Result<Option<(u64, String)>, StoreError> {
        let row = sqlx::query("SELECT size, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT 1")
            .bind(as_i64(index))
            .fetch_optional(&self.read)
            .await
            .map_err(unavailable("read a checkpoint"))?;
        Ok(row.map(|r| (u64::try_from(r.get::<i64, _>("size")).unwrap_or(0), r.get("note"))))
    }
}

/// The edge as it is kept; before the first event there is none.
pub(super) async fn edge(database: impl SqliteExecutor<'_>) -> Result<Frontier, StoreError> {
    let kept = sqlx::query_scalar("SELECT edge FROM log_edge WHERE one = 1").fetch_optional(database).await;
    frontier(kept.map_err(unavailable("read the log"))?)
}

fn frontier(kept: Option<String>) -> Result<Frontier, StoreError> {
    let Some(text) = kept else { return Ok(Frontier::new()) };
    serde_json::from_str(&text).map_err(|e| StoreError::Unreadable { what: format!("the edge of the log: {e}") })
}

/// The newest time of a run.
pub(super) async fn newest(database: impl SqliteExecutor<'_>) -> Result<Option<Micros>, StoreError> {
    let kept = sqlx::query_scalar("SELECT newest FROM log_edge WHERE one = 1").fetch_optional(database).await;
    Ok(kept.map_err(unavailable("read the newest time"))?.flatten())
}

/// The leaves of a turn.
pub(super) fn hashes_of(bytes: &[u8]) -> Result<Vec<Hash>, StoreError> {
    let leaf = |bytes: &[u8]| {
        let hash = <[u8; 32]>::try_from(bytes).map(Hash);
        hash.map_err(|_| StoreError::Unreadable { what: "a leaf of the log".into() })
    };
    bytes.chunks(32).map(leaf).collect()
}

/// Begins a transaction; the edge, the newest time and the number of the next record as they are in it. One statement to
/// the driver, because each costs a change of threads.
pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<(Frontier, Option<Micros>, i64), StoreError> {
    const BEGIN: &str = concat!(
        "BEGIN IMMEDIATE; ",
        "SELECT edge, newest, (SELECT coalesce(max(record), 0) + 1 FROM records) AS record \
         FROM (SELECT 1) LEFT JOIN log_edge ON one = 1"
    );
    let row = sqlx::query(BEGIN).fetch_one(connection).await.map_err(unavailable("begin"))?;
    Ok((frontier(row.get("edge"))?, row.get("newest"), row.get("record")))
}

/// The edge as it is kept.
pub(super) fn text(edge: &Frontier) -> Result<String, StoreError> {
    serde_json::to_string(edge).map_err(|e| StoreError::Unreadable { what: e.to_string() })
}

/// Keeps the edge and the newest time, in the transaction that wrote the leaves, and commits it. The edge's text.
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    edge: &Frontier,
    newest: Option<Micros>,
) -> Result<String, StoreError> {
    const COMMIT: &str = concat!(
        "INSERT INTO log_edge (one, edge, newest) VALUES (1, ?, ?) \
         ON CONFLICT (one) DO UPDATE SET edge = excluded.edge, newest = excluded.newest",
        "; COMMIT"
    );
    let text = text(edge)?;
    let query = sqlx::query(COMMIT).bind(&text).bind(newest);
    query.execute(connection).await.map_err(unavailable("commit"))?;
    Ok(text)
}
