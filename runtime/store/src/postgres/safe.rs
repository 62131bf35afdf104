//! Wrapped keys, sealed values, cards, links. Everything here is ciphertext or a hash. PostgreSQL keeps the bytes of a
//! deleted row until it is vacuumed; a card that is forgotten is unreadable at once, because its key goes with it.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{RunId, Safe, SealedValue};

use super::{PostgresStore, unavailable};
use crate::rows::{Cells, run_id, sealed_value};

const DATA_KEY: &str = "SELECT wrapped FROM data_keys WHERE tenant = $1 AND subject = $2 AND class = $3";
/// The one that is there, or else the one that is offered.
const TAKE_KEY: &str = "WITH kept AS (SELECT wrapped FROM data_keys WHERE tenant = $1 AND subject = $2 AND class = $3), \
    new AS (INSERT INTO data_keys (tenant, subject, class, wrapped) SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM kept) \
        ON CONFLICT (tenant, subject, class) DO NOTHING RETURNING wrapped) \
    SELECT wrapped FROM kept UNION ALL SELECT wrapped FROM new";
const FORGET: &str = "WITH card AS (DELETE FROM cards WHERE tenant = $1 AND token = $2) \
    DELETE FROM data_keys WHERE tenant = $1 AND subject = $2";

#[async_trait]
impl Safe for PostgresStore {
    async fn data_key(
        &self,
        tenant: &str,
        subject: &str,
        class: &str,
        candidate: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let query = sqlx::query_scalar(TAKE_KEY).bind(tenant).bind(subject).bind(class).bind(candidate);
        let taken = query.fetch_optional(self.pool()).await.map_err(unavailable("keep a data key"))?;
        if let Some(key) = taken {
            return Ok(key);
        }
        // Whoever was quicker has committed by now.
        let query = sqlx::query_scalar(DATA_KEY).bind(tenant).bind(subject).bind(class);
        query.fetch_one(self.pool()).await.map_err(unavailable("read a data key"))
    }

    async fn existing_data_key(&self, tenant: &str, subject: &str, class: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query_scalar(DATA_KEY).bind(tenant).bind(subject).bind(class);
        query.fetch_optional(self.pool()).await.map_err(unavailable("read a data key"))
    }

    async fn sealed(&self, id: &RunId, name: &str) -> Result<Option<SealedValue>, StoreError> {
        let sql = "SELECT name, class, blob FROM sealed WHERE tenant = $1 AND interaction = $2 AND name = $3";
        let row = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).bind(name).fetch_optional(self.pool()).await;
        Ok(row.map_err(unavailable("read a sealed value"))?.as_ref().map(sealed_value))
    }

    async fn put_card(&self, tenant: &str, token: &str, blob: &[u8], at: Micros) -> Result<(), StoreError> {
        let query = sqlx::query("INSERT INTO cards (tenant, token, blob, at) VALUES ($1, $2, $3, $4)")
            .bind(tenant)
            .bind(token)
            .bind(blob)
            .bind(at);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("keep a card"))
    }

    async fn card(&self, tenant: &str, token: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query =
            sqlx::query_scalar("SELECT blob FROM cards WHERE tenant = $1 AND token = $2").bind(tenant).bind(token);
        query.fetch_optional(self.pool()).await.map_err(unavailable("read a card"))
    }

    async fn forget_card(&self, tenant: &str, token: &str) -> Result<(), StoreError> {
        let query = sqlx::query(FORGET).bind(tenant).bind(token);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("forget a card"))
    }

    async fn link(&self, link: &str) -> Result<Option<(RunId, String)>, StoreError> {
        let sql = "SELECT tenant, interaction, step FROM links WHERE id = $1";
        let row = sqlx::query(sql).bind(link).fetch_optional(self.pool()).await;
        let row = row.map_err(unavailable("read a link"))?;
        Ok(row.map(|row| (run_id(&row), row.text("step"))))
    }
}
