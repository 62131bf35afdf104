//! Records, runs and the inbox.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Asked, Claim, Commit, Delivery, Journal, Lease, Listed, RunId, Stored, Trouble};
use selvedge_record::Sealed;
use sqlx::PgConnection;

use super::{PostgresStore, unavailable};
use crate::bodies::Packer;
use crate::rows::{Cells, as_i64, run_id, stored, summary};

/// Who adds to a record that nobody drives, or rests on its length, does so one after the other.
const ONE_BY_ONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))";

/// An event of a record that nobody drives: it is the record's next, or nothing happens.
const APPEND: &str = "WITH batch AS ( \
        INSERT INTO batches (hashes) SELECT $5 WHERE $3 = coalesce((SELECT seq + events FROM turns \
            WHERE tenant = $1 AND interaction = $2 ORDER BY seq DESC LIMIT 1), 0) RETURNING batch), \
    length AS (UPDATE runs SET length = $3 + 1 FROM batch WHERE tenant = $1 AND interaction = $2) \
    INSERT INTO turns (tenant, interaction, seq, batch, leaf, events, bodies) SELECT $1, $2, $3, batch, 0, 1, $4 FROM batch \
    ON CONFLICT (tenant, interaction, seq) DO NOTHING";

const ADD: &str = "WITH batch AS (INSERT INTO batches (hashes) VALUES ($6) RETURNING batch) \
    INSERT INTO turns (tenant, interaction, seq, batch, leaf, events, bodies) SELECT $1, $2, $3, batch, 0, $4, $5 FROM batch";

#[async_trait]
impl Journal for PostgresStore {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.inner.writer.write(commit).await
    }

    async fn record(&self, id: &RunId) -> Result<Vec<Stored>, StoreError> {
        let sql = "SELECT seq, bodies FROM turns WHERE tenant = $1 AND interaction = $2 ORDER BY seq";
        let turns = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).fetch_all(self.pool()).await;
        stored(&turns.map_err(unavailable("read a record"))?)
    }

    async fn last(&self, id: &RunId) -> Result<Option<Stored>, StoreError> {
        let sql = "SELECT seq, bodies FROM turns WHERE tenant = $1 AND interaction = $2 ORDER BY seq DESC LIMIT 1";
        let turns = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).fetch_all(self.pool()).await;
        Ok(stored(&turns.map_err(unavailable("read a record"))?)?.pop())
    }

    async fn append(&self, id: &RunId, event: Sealed) -> Result<(), StoreError> {
        let no = || unavailable("add to a record");
        let mut transaction = self.pool().begin().await.map_err(no())?;
        one_by_one(&mut transaction, id).await?;
        let query = sqlx::query(APPEND)
            .bind(&id.tenant)
            .bind(&id.interaction)
            .bind(as_i64(event.seq))
            .bind(Packer::new()?.pack(std::slice::from_ref(&event))?)
            .bind(event.hash.0.as_slice());
        let done = query.execute(&mut *transaction).await.map_err(no())?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict { interaction: id.interaction.clone() });
        }
        transaction.commit().await.map_err(no())
    }

    async fn deliver(&self, id: &RunId, dedupe: &str, body: &str, at: Micros) -> Result<bool, StoreError> {
        let sql = "INSERT INTO inbox (tenant, interaction, dedupe, body, at) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (tenant, interaction, dedupe) DO NOTHING";
        let query = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).bind(dedupe).bind(body).bind(at);
        let done = query.execute(self.pool()).await.map_err(unavailable("take in a signal"))?;
        Ok(done.rows_affected() == 1)
    }

    async fn inbox(&self, id: &RunId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let sql = "SELECT number, body FROM inbox WHERE tenant = $1 AND interaction = $2 AND NOT taken ORDER BY number LIMIT $3";
        let query = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).bind(i64::from(limit));
        let rows = query.fetch_all(self.pool()).await.map_err(unavailable("read the inbox"))?;
        Ok(rows.iter().map(|row| Delivery { number: row.number("number"), body: row.text("body") }).collect())
    }

    async fn claim(&self, now: Micros, limit: u32) -> Result<Vec<Claim>, StoreError> {
        self.inner.leases.claim(self.pool(), now, limit).await
    }

    async fn claim_one(&self, id: &RunId, now: Micros) -> Result<Asked, StoreError> {
        self.inner.leases.claim_one(self.pool(), id, now).await
    }

    async fn release(&self, id: &RunId, lease: Lease) -> Result<(), StoreError> {
        self.inner.leases.release(self.pool(), id, lease).await
    }

    fn leases_run(&self) -> bool {
        self.inner.leases.run()
    }

    fn tell(&self, id: &RunId) {
        self.inner.news.tell(id);
    }

    async fn told(&self) -> Vec<RunId> {
        self.inner.news.told().await
    }

    async fn next_wake(&self) -> Result<Option<Micros>, StoreError> {
        sqlx::query_scalar("SELECT min(wake) FROM runs WHERE wake IS NOT NULL AND owner IS NULL")
            .fetch_one(self.pool())
            .await
            .map_err(unavailable("look for work"))
    }

    async fn runs(&self, tenant: &str, limit: u32) -> Result<Vec<Listed>, StoreError> {
        let sql = "SELECT * FROM runs WHERE tenant = $1 ORDER BY opened DESC, interaction LIMIT $2";
        let rows = sqlx::query(sql).bind(tenant).bind(i64::from(limit)).fetch_all(self.pool()).await;
        let rows = rows.map_err(unavailable("list interactions"))?;
        Ok(rows.iter().map(|row| Listed { interaction: run_id(row).interaction, summary: summary(row) }).collect())
    }

    async fn writable(&self) -> Result<(), Trouble> {
        self.inner.leases.write(self.pool()).await
    }

    async fn newest(&self) -> Result<Option<Micros>, StoreError> {
        sqlx::query_scalar("SELECT max(updated) FROM runs")
            .fetch_one(self.pool())
            .await
            .map_err(unavailable("read the newest time"))
    }
}

/// Until this transaction is over nobody else adds to the record.
pub(super) async fn one_by_one(connection: &mut PgConnection, id: &RunId) -> Result<(), StoreError> {
    let lock = sqlx::query(ONE_BY_ONE).bind(&id.tenant).bind(&id.interaction);
    lock.execute(connection).await.map(|_| ()).map_err(unavailable("add to a record"))
}

/// Events at the end of a record, and their leaves.
pub(super) async fn add(connection: &mut PgConnection, id: &RunId, events: &[Sealed]) -> Result<(), StoreError> {
    let leaves: Vec<u8> = events.iter().flat_map(|event| event.hash.0).collect();
    let query = sqlx::query(ADD)
        .bind(&id.tenant)
        .bind(&id.interaction)
        .bind(events.first().map(|event| as_i64(event.seq)))
        .bind(as_i64(events.len() as u64))
        .bind(Packer::new()?.pack(events)?)
        .bind(leaves);
    query.execute(connection).await.map(|_| ()).map_err(unavailable("add to a record"))
}
