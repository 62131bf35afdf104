//! The Merkle log: its edge, its leaves, its signed checkpoints.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Log, RunId};
use selvedge_record::{Frontier, Hash};
use sqlx::{Row, SqliteConnection, SqliteExecutor};

use super::journal::{as_i64, run_id};
use super::{SqliteStore, unavailable};

#[async_trait]
impl Log for SqliteStore {
    async fn places(&self, id: &RunId) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT idx FROM events WHERE tenant = ? AND interaction = ? ORDER BY seq";
        let places = sqlx::query_scalar(sql).bind(&id.tenant).bind(&id.interaction).fetch_all(&self.read).await;
        let places: Vec<i64> = places.map_err(unavailable("read the log"))?;
        Ok(places.into_iter().map(|place| u64::try_from(place).unwrap_or(0)).collect())
    }

    async fn written_since(&self, index: u64) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT DISTINCT tenant, interaction FROM events WHERE idx >= ? ORDER BY tenant, interaction";
        let rows = sqlx::query(sql).bind(as_i64(index)).fetch_all(&self.read).await;
        Ok(rows.map_err(unavailable("read the log"))?.iter().map(run_id).collect())
    }

    async fn frontier(&self) -> Result<Frontier, StoreError> {
        edge(&self.read).await
    }

    async fn leaves(&self, size: u64) -> Result<Vec<Hash>, StoreError> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM events WHERE idx < ? ORDER BY idx")
            .bind(as_i64(size))
            .fetch_all(&self.read)
            .await
            .map_err(unavailable("read the log"))?;
        let leaf = |bytes: Vec<u8>| {
            <[u8; 32]>::try_from(bytes)
                .map(Hash)
                .map_err(|_| StoreError::Unreadable { what: "a leaf of the log".into() })
        };
        rows.into_iter().map(leaf).collect()
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
    let kept: Option<String> = kept.map_err(unavailable("read the log"))?;
    let Some(text) = kept else { return Ok(Frontier::new()) };
    serde_json::from_str(&text).map_err(|e| StoreError::Unreadable { what: format!("the edge of the log: {e}") })
}

/// Keeps the edge, in the transaction that wrote the leaves.
pub(super) async fn move_edge(connection: &mut SqliteConnection, edge: &Frontier) -> Result<(), StoreError> {
    let text = serde_json::to_string(edge).map_err(|e| StoreError::Unreadable { what: e.to_string() })?;
    let sql = "INSERT INTO log_edge (one, edge) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET edge = excluded.edge";
    sqlx::query(sql).bind(text).execute(connection).await.map(|_| ()).map_err(unavailable("move the log"))
}
