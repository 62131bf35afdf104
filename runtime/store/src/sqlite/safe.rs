//! Wrapped keys, sealed values, cards, links. Everything here is ciphertext or a hash.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{RunId, Safe, SealedValue};
use sqlx::Row;

use super::writer::Desk;
use super::{SqliteStore, unavailable};

const DATA_KEY: &str = "SELECT wrapped FROM data_keys WHERE tenant = ? AND subject = ? AND class = ?";

#[async_trait]
impl Safe for SqliteStore {
    async fn data_key(
        &self,
        tenant: &str,
        subject: &str,
        class: &str,
        candidate: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        if let Some(kept) = self.existing_data_key(tenant, subject, class).await? {
            return Ok(kept);
        }
        let (tenant, subject, class, candidate) =
            (tenant.to_owned(), subject.to_owned(), class.to_owned(), candidate.to_vec());
        self.writer
            .run("keep a data key", move |desk| {
                Box::pin(async move {
                    let sql = "INSERT INTO data_keys (tenant, subject, class, wrapped) VALUES (?, ?, ?, ?) \
                               ON CONFLICT (tenant, subject, class) DO NOTHING";
                    let query = sqlx::query(sql).bind(&tenant).bind(&subject).bind(&class).bind(candidate);
                    query.execute(&mut desk.connection).await.map_err(unavailable("keep a data key"))?;
                    let query = sqlx::query_scalar(DATA_KEY).bind(&tenant).bind(&subject).bind(&class);
                    query.fetch_one(&mut desk.connection).await.map_err(unavailable("read a data key"))
                })
            })
            .await
    }

    async fn existing_data_key(&self, tenant: &str, subject: &str, class: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query_scalar(DATA_KEY).bind(tenant).bind(subject).bind(class);
        query.fetch_optional(&self.read).await.map_err(unavailable("read a data key"))
    }

    async fn sealed(&self, id: &RunId, name: &str) -> Result<Option<SealedValue>, StoreError> {
        let sql = "SELECT name, class, blob FROM sealed JOIN records USING (record) WHERE tenant = ? AND interaction = ? AND name = ?";
        let row = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).bind(name).fetch_optional(&self.read).await;
        let row = row.map_err(unavailable("read a sealed value"))?;
        Ok(row.map(|r| SealedValue { name: r.get("name"), class: r.get("class"), blob: r.get("blob") }))
    }

    async fn put_card(&self, tenant: &str, token: &str, blob: &[u8], at: Micros) -> Result<(), StoreError> {
        let (tenant, token, blob) = (tenant.to_owned(), token.to_owned(), blob.to_vec());
        self.writer
            .run("keep a card", move |desk| {
                Box::pin(async move {
                    let query = sqlx::query("INSERT INTO cards (tenant, token, blob, at) VALUES (?, ?, ?, ?)")
                        .bind(tenant)
                        .bind(token)
                        .bind(blob)
                        .bind(at);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("keep a card"))
                })
            })
            .await
    }

    async fn card(&self, tenant: &str, token: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query =
            sqlx::query_scalar("SELECT blob FROM cards WHERE tenant = ? AND token = ?").bind(tenant).bind(token);
        query.fetch_optional(&self.read).await.map_err(unavailable("read a card"))
    }

    async fn forget_card(&self, tenant: &str, token: &str) -> Result<(), StoreError> {
        let (tenant, token) = (tenant.to_owned(), token.to_owned());
        self.writer.run("forget a card", move |desk| Box::pin(async move { forget(desk, &tenant, &token).await })).await
    }

    async fn link(&self, link: &str) -> Result<Option<(RunId, String)>, StoreError> {
        let row = sqlx::query("SELECT tenant, interaction, step FROM links WHERE id = ?")
            .bind(link)
            .fetch_optional(&self.read)
            .await;
        let row = row.map_err(unavailable("read a link"))?;
        Ok(row.map(|r| (RunId { tenant: r.get("tenant"), interaction: r.get("interaction") }, r.get("step"))))
    }
}

/// Removes a card and the key that it lies under.
pub(super) async fn forget(desk: &mut Desk, tenant: &str, token: &str) -> Result<(), StoreError> {
    let both =
        ["DELETE FROM cards WHERE tenant = ? AND token = ?", "DELETE FROM data_keys WHERE tenant = ? AND subject = ?"];
    for sql in both {
        let query = sqlx::query(sql).bind(tenant).bind(token);
        query.execute(&mut desk.connection).await.map_err(unavailable("forget a card"))?;
    }
    Ok(())
}
