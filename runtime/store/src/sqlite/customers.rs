//! Customers: contact state, sealed fields.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Customers, SealedField};
use sqlx::Row;

use super::{SqliteStore, unavailable};

#[async_trait]
impl Customers for SqliteStore {
    async fn put_customer(
        &self,
        tenant: &str,
        customer: &str,
        state: &str,
        fields: &[SealedField],
    ) -> Result<(), StoreError> {
        let (tenant, customer, state, fields) =
            (tenant.to_owned(), customer.to_owned(), state.to_owned(), fields.to_vec());
        self.writer
            .run("keep a customer", move |desk| {
                Box::pin(async move {
                    let sql = "INSERT INTO customers (tenant, customer, state) VALUES (?, ?, ?) \
                               ON CONFLICT (tenant, customer) DO UPDATE SET state = excluded.state";
                    let query = sqlx::query(sql).bind(&tenant).bind(&customer).bind(state);
                    query.execute(&mut desk.connection).await.map_err(unavailable("keep a customer"))?;
                    for field in fields {
                        let sql = "INSERT INTO fields (tenant, customer, path, class, blob) VALUES (?, ?, ?, ?, ?) \
                                   ON CONFLICT (tenant, customer, path) DO UPDATE SET class = excluded.class, blob = excluded.blob";
                        let query = sqlx::query(sql).bind(&tenant).bind(&customer).bind(field.path).bind(field.class).bind(field.blob);
                        query.execute(&mut desk.connection).await.map_err(unavailable("keep a customer's field"))?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn customer_state(&self, tenant: &str, customer: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT state FROM customers WHERE tenant = ? AND customer = ?")
            .bind(tenant)
            .bind(customer);
        query.fetch_optional(&self.read).await.map_err(unavailable("read a customer"))
    }

    async fn field(&self, tenant: &str, customer: &str, path: &str) -> Result<Option<SealedField>, StoreError> {
        let sql = "SELECT path, class, blob FROM fields WHERE tenant = ? AND customer = ? AND path = ?";
        let row = sqlx::query(sql).bind(tenant).bind(customer).bind(path).fetch_optional(&self.read).await;
        let row = row.map_err(unavailable("read a customer's field"))?;
        Ok(row.map(|r| SealedField { path: r.get("path"), class: r.get("class"), blob: r.get("blob") }))
    }
}
