//! Kill switches: the epoch that a turn was decided at is compared in the transaction that writes it, on any node.
//! Writers share the row with the epoch; whoever sets or lifts a switch waits for them, and they for it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{RunId, Switchboard};
use selvedge_record::Sealed;
use sqlx::PgConnection;

use super::journal::add;
use super::{PostgresStore, unavailable};
use crate::rows::{Cells, as_i64, run_id};

const FIRST: &str = "INSERT INTO epochs (tenant, epoch) SELECT tenant, 0 FROM unnest($1::text[]) AS tenant \
    ON CONFLICT (tenant) DO NOTHING";
const READ: &str = "SELECT tenant, epoch FROM epochs WHERE tenant = ANY ($1) ORDER BY tenant FOR SHARE";
const MOVE: &str = "UPDATE epochs SET epoch = epoch + 1 WHERE tenant = $1 AND epoch = $2";
/// What stands between the switches is `BETWEEN` of the port.
const FREE: &str = "UPDATE runs SET wake = $1 WHERE tenant = $2 AND halted IS NOT NULL \
    AND $3 = ANY (string_to_array(halted, ', '))";

#[async_trait]
impl Switchboard for PostgresStore {
    async fn switch(&self, id: &RunId, event: Sealed, frees: Option<&str>, at: Micros) -> Result<(), StoreError> {
        let no = || unavailable("write a kill switch");
        let mut transaction = self.pool().begin().await.map_err(no())?;
        sqlx::query(FIRST).bind(vec![&id.tenant]).execute(&mut *transaction).await.map_err(no())?;
        // From here on nobody writes what was decided before.
        let moved = sqlx::query(MOVE).bind(&id.tenant).bind(as_i64(event.seq)).execute(&mut *transaction).await;
        if moved.map_err(no())?.rows_affected() == 0 {
            return Err(StoreError::Conflict { interaction: id.interaction.clone() });
        }
        add(&mut transaction, id, &[event]).await?;
        if let Some(switch) = frees {
            let query = sqlx::query(FREE).bind(at).bind(&id.tenant).bind(switch);
            query.execute(&mut *transaction).await.map_err(no())?;
        }
        transaction.commit().await.map_err(no())
    }

    async fn busy_of(&self, tenant: &str) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT tenant, interaction FROM runs WHERE tenant = $1 AND busy ORDER BY interaction";
        let rows = sqlx::query(sql).bind(tenant).fetch_all(self.pool()).await;
        Ok(rows.map_err(unavailable("look for effects under way"))?.iter().map(run_id).collect())
    }
}

/// The epochs of these tenants, which stay as they are until this transaction is over.
pub(super) async fn epochs(
    connection: &mut PgConnection,
    tenants: &[&str],
) -> Result<BTreeMap<String, u64>, sqlx::Error> {
    let mut epochs = read(connection, tenants).await?;
    if tenants.iter().any(|tenant| !epochs.contains_key(*tenant)) {
        // A row that is not there cannot be held.
        sqlx::query(FIRST).bind(tenants).execute(&mut *connection).await?;
        epochs = read(connection, tenants).await?;
    }
    Ok(epochs)
}

async fn read(connection: &mut PgConnection, tenants: &[&str]) -> Result<BTreeMap<String, u64>, sqlx::Error> {
    let rows = sqlx::query(READ).bind(tenants).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| (row.text("tenant"), row.count("epoch"))).collect())
}
