//! Customers: contact state, sealed fields, and who is found at a number.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{CustomerRow, Customers, Known, RunId, SealedField};
use sqlx::Row;

use super::writer::Desk;
use super::{SqliteStore, unavailable};

#[async_trait]
impl Customers for SqliteStore {
    async fn put_customer(
        &self,
        tenant: &str,
        customer: &str,
        seen: Option<i64>,
        state: &str,
        fields: &[SealedField],
    ) -> Result<(), StoreError> {
        let (tenant, customer, state, fields) =
            (tenant.to_owned(), customer.to_owned(), state.to_owned(), fields.to_vec());
        self.writer
            .run("keep a customer", move |desk| {
                Box::pin(async move {
                    keep_state(desk, &tenant, &customer, seen, &state).await?;
                    for field in fields {
                        let sql = "INSERT INTO fields (tenant, customer, path, class, blob, number) VALUES (?, ?, ?, ?, ?, ?) \
                                   ON CONFLICT (tenant, customer, path) DO UPDATE SET class = excluded.class, \
                                   blob = excluded.blob, number = excluded.number";
                        let query = sqlx::query(sql)
                            .bind(&tenant)
                            .bind(&customer)
                            .bind(field.path)
                            .bind(field.class)
                            .bind(field.blob)
                            .bind(field.number.map(Vec::from));
                        query.execute(&mut desk.connection).await.map_err(unavailable("keep a customer's field"))?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn customer(&self, tenant: &str, customer: &str) -> Result<Option<CustomerRow>, StoreError> {
        let query = sqlx::query("SELECT state, version FROM customers WHERE tenant = ? AND customer = ?")
            .bind(tenant)
            .bind(customer);
        let row = query.fetch_optional(&self.read).await.map_err(unavailable("read a customer"))?;
        Ok(row.map(|r| CustomerRow { state: r.get("state"), version: r.get("version") }))
    }

    async fn customers_at(&self, tenant: &str, number: &[u8; 32]) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT customer FROM fields WHERE tenant = ? AND number = ? ORDER BY customer";
        let query = sqlx::query_scalar(sql).bind(tenant).bind(number.as_slice());
        query.fetch_all(&self.read).await.map_err(unavailable("look a number up"))
    }

    async fn open_interactions(&self, tenant: &str, customer: &str) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT interaction FROM runs JOIN records USING (record) WHERE runs.tenant = ? AND customer = ? AND over = 0 \
             ORDER BY opened, interaction";
        let rows = sqlx::query(sql).bind(tenant).bind(customer).fetch_all(&self.read).await;
        let rows = rows.map_err(unavailable("list a customer's interactions"))?;
        Ok(rows.iter().map(|r| RunId { tenant: tenant.into(), interaction: r.get("interaction") }).collect())
    }

    async fn field(&self, tenant: &str, customer: &str, path: &str) -> Result<Option<SealedField>, StoreError> {
        let sql = "SELECT path, class, blob, number FROM fields WHERE tenant = ? AND customer = ? AND path = ?";
        let row = sqlx::query(sql).bind(tenant).bind(customer).bind(path).fetch_optional(&self.read).await;
        let row = row.map_err(unavailable("read a customer's field"))?;
        Ok(row.map(|r| SealedField {
            path: r.get("path"),
            class: r.get("class"),
            blob: r.get("blob"),
            number: r.get::<Option<Vec<u8>>, _>("number").and_then(|n| n.try_into().ok()),
        }))
    }
}

/// Holds a commit to what it was decided on, and keeps what it changes of it.
pub(super) async fn keep_known(desk: &mut Desk, tenant: &str, known: Known) -> Result<(), StoreError> {
    let Known { customer, version, becomes } = known;
    match becomes {
        Some(state) => keep_state(desk, tenant, &customer, Some(version), &state).await,
        None if version_of(desk, tenant, &customer).await? == Some(version) => Ok(()),
        None => Err(StoreError::Overtaken { customer }),
    }
}

/// A new state in the place of the version that was `seen`.
async fn keep_state(
    desk: &mut Desk,
    tenant: &str,
    customer: &str,
    seen: Option<i64>,
    state: &str,
) -> Result<(), StoreError> {
    if version_of(desk, tenant, customer).await? != seen {
        return Err(StoreError::Overtaken { customer: customer.into() });
    }
    let sql = "INSERT INTO customers (tenant, customer, state) VALUES (?, ?, ?) \
               ON CONFLICT (tenant, customer) DO UPDATE SET state = excluded.state, version = version + 1";
    let query = sqlx::query(sql).bind(tenant).bind(customer).bind(state);
    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("keep a customer"))
}

async fn version_of(desk: &mut Desk, tenant: &str, customer: &str) -> Result<Option<i64>, StoreError> {
    let query = sqlx::query_scalar("SELECT version FROM customers WHERE tenant = ? AND customer = ?");
    let query = query.bind(tenant).bind(customer);
    query.fetch_optional(&mut desk.connection).await.map_err(unavailable("read a customer"))
}
