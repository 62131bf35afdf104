//! Definitions in force.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Definitions, Threshold};
use sqlx::Row;

use super::{PostgresStore, unavailable};
use crate::rows::Cells;

const PUBLISH: &str = "WITH kept AS ( \
        INSERT INTO definitions (tenant, digest, workflow, files) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (tenant, digest) DO NOTHING) \
    INSERT INTO published (tenant, workflow, digest, at) VALUES ($1, $3, $2, $5) \
    ON CONFLICT (tenant, workflow) DO UPDATE SET digest = excluded.digest, at = excluded.at";

#[async_trait]
impl Definitions for PostgresStore {
    async fn publish(
        &self,
        tenant: &str,
        workflow: &str,
        digest: &str,
        files: &str,
        at: Micros,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(PUBLISH).bind(tenant).bind(digest).bind(workflow).bind(files).bind(at);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("publish"))
    }

    async fn definition(&self, tenant: &str, digest: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT files FROM definitions WHERE tenant = $1 AND digest = $2")
            .bind(tenant)
            .bind(digest);
        query.fetch_optional(self.pool()).await.map_err(unavailable("read a definition"))
    }

    async fn kept(&self, tenant: &str) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT workflow, digest FROM definitions WHERE tenant = $1 ORDER BY workflow COLLATE \"C\", digest COLLATE \"C\"";
        let rows = sqlx::query_as(sql).bind(tenant).fetch_all(self.pool()).await;
        rows.map_err(unavailable("read what is kept"))
    }

    async fn published(&self, tenant: &str, workflow: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT digest FROM published WHERE tenant = $1 AND workflow = $2")
            .bind(tenant)
            .bind(workflow);
        query.fetch_optional(self.pool()).await.map_err(unavailable("read what is published"))
    }

    async fn threshold(&self, tenant: &str, workflow: &str, customer: &str) -> Result<Threshold, StoreError> {
        let sql = "SELECT (SELECT digest FROM published WHERE tenant = $1 AND workflow = $2) AS published, \
                   EXISTS (SELECT 1 FROM customers WHERE tenant = $1 AND customer = $3) AS customer, \
                   coalesce((SELECT epoch FROM epochs WHERE tenant = $1), 0) AS epoch";
        let query = sqlx::query(sql).bind(tenant).bind(workflow).bind(customer);
        let row = query.fetch_one(self.pool()).await.map_err(unavailable("read what is published"))?;
        Ok(Threshold { published: row.get("published"), customer: row.get("customer"), epoch: row.count("epoch") })
    }
}
