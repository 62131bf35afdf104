//! Definitions in force.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Definitions, Threshold};
use selvedge_engine::switches::SWITCHES;
use sqlx::Row;

use super::{SqliteStore, unavailable};

#[async_trait]
impl Definitions for SqliteStore {
    async fn publish(
        &self,
        tenant: &str,
        workflow: &str,
        digest: &str,
        files: &str,
        at: Micros,
    ) -> Result<(), StoreError> {
        let (tenant, workflow, digest, files) =
            (tenant.to_owned(), workflow.to_owned(), digest.to_owned(), files.to_owned());
        self.writer
            .run("publish", move |desk| {
                Box::pin(async move {
                    let keep = "INSERT INTO definitions (tenant, digest, workflow, files) VALUES (?, ?, ?, ?) ON CONFLICT (tenant, digest) DO NOTHING";
                    let query = sqlx::query(keep).bind(&tenant).bind(&digest).bind(&workflow).bind(files);
                    query.execute(&mut desk.connection).await.map_err(unavailable("keep a definition"))?;
                    let point = "INSERT INTO published (tenant, workflow, digest, at) VALUES (?, ?, ?, ?) \
                                 ON CONFLICT (tenant, workflow) DO UPDATE SET digest = excluded.digest, at = excluded.at";
                    let query = sqlx::query(point).bind(&tenant).bind(&workflow).bind(&digest).bind(at);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("publish"))
                })
            })
            .await
    }

    async fn definition(&self, tenant: &str, digest: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT files FROM definitions WHERE tenant = ? AND digest = ?")
            .bind(tenant)
            .bind(digest);
        query.fetch_optional(&self.read).await.map_err(unavailable("read a definition"))
    }

    async fn kept(&self, tenant: &str) -> Result<Vec<(String, String)>, StoreError> {
        let rows =
            sqlx::query_as("SELECT workflow, digest FROM definitions WHERE tenant = ? ORDER BY workflow, digest")
                .bind(tenant)
                .fetch_all(&self.read)
                .await;
        rows.map_err(unavailable("read what is kept"))
    }

    async fn published(&self, tenant: &str, workflow: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT digest FROM published WHERE tenant = ? AND workflow = ?")
            .bind(tenant)
            .bind(workflow);
        query.fetch_optional(&self.read).await.map_err(unavailable("read what is published"))
    }

    async fn threshold(&self, tenant: &str, workflow: &str, customer: &str) -> Result<Threshold, StoreError> {
        let sql = "SELECT (SELECT digest FROM published WHERE tenant = ?1 AND workflow = ?2) AS published, \
                   EXISTS (SELECT 1 FROM customers WHERE tenant = ?1 AND customer = ?3) AS customer, \
                   (SELECT seq + length(hashes) / 32 FROM turns JOIN records USING (record) \
                    WHERE tenant = ?1 AND interaction = ?4 ORDER BY seq DESC LIMIT 1) AS epoch";
        let query = sqlx::query(sql).bind(tenant).bind(workflow).bind(customer).bind(SWITCHES);
        let row = query.fetch_one(&self.read).await.map_err(unavailable("read what is published"))?;
        let epoch: Option<i64> = row.get("epoch");
        let epoch = epoch.map_or(0, |epoch| u64::try_from(epoch).unwrap_or(0));
        Ok(Threshold { published: row.get("published"), customer: row.get("customer"), epoch })
    }
}
