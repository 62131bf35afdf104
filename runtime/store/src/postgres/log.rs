//! The Merkle log. Leaves are committed without a place; whoever wants to read the log, or any node every second,
//! gives places to all that are there, in batches and one node at a time.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Log, RunId};
use selvedge_record::{Frontier, Hash};
use sqlx::{Connection, PgConnection, PgExecutor};

use super::{PostgresStore, unavailable};
use crate::rows::{Cells, as_i64, run_id};

/// How many batches get their place in one transaction.
const AT_ONCE: i64 = 64;

const UNPLACED: &str = "SELECT batch, hashes FROM batches WHERE first IS NULL ORDER BY batch LIMIT $1";
const PLACE: &str = "UPDATE batches SET first = placed.first \
    FROM unnest($1::bigint[], $2::bigint[]) AS placed(batch, first) WHERE batches.batch = placed.batch";

#[async_trait]
impl Log for PostgresStore {
    async fn places(&self, id: &RunId) -> Result<Vec<u64>, StoreError> {
        self.sequence().await?;
        let sql = "SELECT batches.first + turns.leaf AS first, turns.events::bigint AS events FROM turns \
                   JOIN batches USING (batch) WHERE tenant = $1 AND interaction = $2 AND first IS NOT NULL ORDER BY seq";
        let turns = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).fetch_all(self.pool()).await;
        let turns = turns.map_err(unavailable("read the log"))?;
        Ok(turns.iter().flat_map(|turn| (turn.count("first")..).take(turn.count("events") as usize)).collect())
    }

    async fn written_since(&self, index: u64) -> Result<Vec<RunId>, StoreError> {
        self.sequence().await?;
        // A batch stands where its first leaf does; the one that reaches over the place began before it.
        let sql = "WITH since AS (SELECT batch, first FROM batches \
                       WHERE first >= coalesce((SELECT max(first) FROM batches WHERE first <= $1), 0)) \
                   SELECT DISTINCT tenant, interaction FROM since JOIN turns USING (batch) \
                   WHERE turns.batch >= (SELECT min(batch) FROM since) AND first + leaf + events > $1 ORDER BY 1, 2";
        let rows = sqlx::query(sql).bind(as_i64(index)).fetch_all(self.pool()).await;
        Ok(rows.map_err(unavailable("read the log"))?.iter().map(run_id).collect())
    }

    async fn frontier(&self) -> Result<Frontier, StoreError> {
        self.sequence().await?;
        edge(self.pool()).await
    }

    async fn leaves(&self, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.sequence().await?;
        let sql = "SELECT hashes FROM batches WHERE first < $1 ORDER BY first";
        let batches: Vec<Vec<u8>> = sqlx::query_scalar(sql)
            .bind(as_i64(size))
            .fetch_all(self.pool())
            .await
            .map_err(unavailable("read the log"))?;
        let mut leaves = Vec::new();
        for batch in &batches {
            leaves.extend(hashes(batch)?);
        }
        leaves.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(leaves)
    }

    async fn put_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError> {
        // The first checkpoint of a size stays: exporting twice gives the same bytes.
        let sql = "INSERT INTO checkpoints (size, note) VALUES ($1, $2) ON CONFLICT (size) DO NOTHING";
        let query = sqlx::query(sql).bind(as_i64(size)).bind(note);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("keep a checkpoint"))
    }

    async fn checkpoint_over(&self, index: u64) -> Result<Option<(u64, String)>, StoreError> {
        let row = sqlx::query("SELECT size, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT 1")
            .bind(as_i64(index))
            .fetch_optional(self.pool())
            .await
            .map_err(unavailable("read a checkpoint"))?;
        Ok(row.map(|row| (row.count("size"), row.text("note"))))
    }
}

impl PostgresStore {
    /// Gives a place to every leaf that was committed before this call.
    async fn sequence(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.inner.sequencing.lock().await;
        let mut connection = self.pool().acquire().await.map_err(unavailable("read the log"))?;
        sequence(&mut connection).await
    }
}

async fn sequence(connection: &mut PgConnection) -> Result<(), StoreError> {
    let no = || unavailable("move the log");
    // What another node is just placing counts as without a place here: then this one waits for it.
    loop {
        let any = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM batches WHERE first IS NULL)");
        match any.fetch_one(&mut *connection).await.map_err(no())? {
            true => place(connection).await?,
            false => return Ok(()),
        }
    }
}

/// One batch, in one transaction with the edge that it leads to.
async fn place(connection: &mut PgConnection) -> Result<(), StoreError> {
    let no = || unavailable("move the log");
    let mut transaction = connection.begin().await.map_err(no())?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext('selvedge log'))");
    lock.execute(&mut *transaction).await.map_err(no())?;
    let mut edge = edge(&mut *transaction).await?;
    let batches = sqlx::query(UNPLACED).bind(AT_ONCE).fetch_all(&mut *transaction).await.map_err(no())?;
    let mut firsts = Vec::with_capacity(batches.len());
    for batch in &batches {
        firsts.push(as_i64(edge.size()));
        for hash in hashes(&batch.bytes("hashes"))? {
            edge.push(hash);
        }
    }
    let batches: Vec<i64> = batches.iter().map(|batch| batch.number("batch")).collect();
    let query = sqlx::query(PLACE).bind(batches).bind(firsts);
    query.execute(&mut *transaction).await.map_err(no())?;
    let text = serde_json::to_string(&edge).map_err(|e| StoreError::Unreadable { what: e.to_string() })?;
    let sql = "INSERT INTO log_edge (one, edge) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET edge = excluded.edge";
    sqlx::query(sql).bind(text).execute(&mut *transaction).await.map_err(no())?;
    transaction.commit().await.map_err(no())
}

/// The leaves of one batch.
fn hashes(bytes: &[u8]) -> Result<Vec<Hash>, StoreError> {
    let (leaves, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(StoreError::Unreadable { what: "a leaf of the log".into() });
    }
    Ok(leaves.iter().copied().map(Hash).collect())
}

/// The edge as it is kept; before the first event there is none.
pub(super) async fn edge(database: impl PgExecutor<'_>) -> Result<Frontier, StoreError> {
    let kept = sqlx::query_scalar("SELECT edge FROM log_edge WHERE one = 1").fetch_optional(database).await;
    let kept: Option<String> = kept.map_err(unavailable("read the log"))?;
    let Some(text) = kept else { return Ok(Frontier::new()) };
    serde_json::from_str(&text).map_err(|e| StoreError::Unreadable { what: format!("the edge of the log: {e}") })
}
