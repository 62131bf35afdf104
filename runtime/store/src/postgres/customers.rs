//! Customers: contact state, sealed fields, and who is found at a number.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{CustomerRow, Customers, RunId, SealedField};

use super::{PostgresStore, unavailable};
use crate::rows::{Cells, field, run_id};

/// The customer, new ($7 is null) or in the place of the version that was seen, and the fields that are given: all of
/// it or nothing.
const PUT: &str = "WITH opened AS ( \
        INSERT INTO customers (tenant, customer, state) SELECT $1, $2, $3 WHERE $7::bigint IS NULL \
        ON CONFLICT (tenant, customer) DO NOTHING RETURNING 1), \
    moved AS (UPDATE customers SET state = $3, version = version + 1 \
        WHERE tenant = $1 AND customer = $2 AND version = $7 RETURNING 1), \
    kept AS (SELECT 1 FROM opened UNION ALL SELECT 1 FROM moved), \
    given AS (INSERT INTO fields (tenant, customer, path, class, blob, number) \
        SELECT $1, $2, n.path, n.class, n.blob, n.number \
        FROM kept, unnest($4::text[], $5::text[], $6::bytea[], $8::bytea[]) AS n(path, class, blob, number) \
        ON CONFLICT (tenant, customer, path) DO UPDATE SET class = excluded.class, blob = excluded.blob, \
            number = excluded.number) \
    SELECT EXISTS (SELECT 1 FROM kept)";

#[async_trait]
impl Customers for PostgresStore {
    async fn put_customer(
        &self,
        tenant: &str,
        customer: &str,
        seen: Option<i64>,
        state: &str,
        fields: &[SealedField],
    ) -> Result<(), StoreError> {
        let query = sqlx::query_scalar(PUT)
            .bind(tenant)
            .bind(customer)
            .bind(state)
            .bind(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>())
            .bind(fields.iter().map(|field| field.class.as_str()).collect::<Vec<_>>())
            .bind(fields.iter().map(|field| field.blob.as_slice()).collect::<Vec<_>>())
            .bind(seen)
            .bind(fields.iter().map(|field| field.number.map(Vec::from)).collect::<Vec<_>>());
        match query.fetch_one(self.pool()).await.map_err(unavailable("keep a customer"))? {
            true => Ok(()),
            false => Err(StoreError::Overtaken { customer: customer.into() }),
        }
    }

    async fn customer(&self, tenant: &str, customer: &str) -> Result<Option<CustomerRow>, StoreError> {
        let query = sqlx::query("SELECT state, version FROM customers WHERE tenant = $1 AND customer = $2")
            .bind(tenant)
            .bind(customer);
        let row = query.fetch_optional(self.pool()).await.map_err(unavailable("read a customer"))?;
        Ok(row.map(|row| CustomerRow { state: row.text("state"), version: row.number("version") }))
    }

    async fn customers_at(&self, tenant: &str, number: &[u8; 32]) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT customer FROM fields WHERE tenant = $1 AND number = $2 ORDER BY customer";
        let query = sqlx::query_scalar(sql).bind(tenant).bind(number.as_slice());
        query.fetch_all(self.pool()).await.map_err(unavailable("look a number up"))
    }

    async fn open_interactions(&self, tenant: &str, customer: &str) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT tenant, interaction FROM runs WHERE tenant = $1 AND customer = $2 AND NOT over \
                   ORDER BY opened, interaction";
        let rows = sqlx::query(sql).bind(tenant).bind(customer).fetch_all(self.pool()).await;
        Ok(rows.map_err(unavailable("list a customer's interactions"))?.iter().map(run_id).collect())
    }

    async fn field(&self, tenant: &str, customer: &str, path: &str) -> Result<Option<SealedField>, StoreError> {
        let sql = "SELECT path, class, blob, number FROM fields WHERE tenant = $1 AND customer = $2 AND path = $3";
        let row = sqlx::query(sql).bind(tenant).bind(customer).bind(path).fetch_optional(self.pool()).await;
        Ok(row.map_err(unavailable("read a customer's field"))?.as_ref().map(field))
    }
}
