//! Kill switches: the epoch that a commit was decided at is compared in the transaction that writes it.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{RunId, Switchboard};
use selvedge_engine::switches::SWITCHES;
use selvedge_record::Sealed;

use super::journal::run_id;
use super::turns::{append, length};
use super::writer::Desk;
use super::{SqliteStore, unavailable};

/// What stands between the switches is `BETWEEN` of the port.
const FREE: &str = "UPDATE runs SET wake = ?1 WHERE tenant = ?2 AND halted IS NOT NULL \
    AND instr(', ' || halted || ', ', ', ' || ?3 || ', ') > 0";

#[async_trait]
impl Switchboard for SqliteStore {
    async fn switch(&self, id: &RunId, event: Sealed, frees: Option<&str>, at: Micros) -> Result<(), StoreError> {
        let (id, frees) = (id.clone(), frees.map(str::to_owned));
        self.writer
            .run("write a kill switch", move |desk| {
                Box::pin(async move {
                    desk.epochs.clear();
                    append(desk, &id, &[event]).await?;
                    let Some(switch) = frees else { return Ok(()) };
                    let query = sqlx::query(FREE).bind(at).bind(&id.tenant).bind(switch);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("free halted runs"))
                })
            })
            .await
    }

    async fn busy_of(&self, tenant: &str) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT records.tenant, interaction FROM runs JOIN records USING (record) WHERE busy = 1 AND runs.tenant = ?";
        let rows = sqlx::query(sql).bind(tenant).fetch_all(&self.read).await;
        Ok(rows.map_err(unavailable("look for effects under way"))?.iter().map(run_id).collect())
    }
}

/// The tenant's epoch: how many events its record of switches has. Read once in each transaction.
pub(super) async fn epoch(desk: &mut Desk, tenant: &str) -> Result<u64, StoreError> {
    if let Some(epoch) = desk.epochs.get(tenant) {
        return Ok(*epoch);
    }
    let id = RunId { tenant: tenant.to_owned(), interaction: SWITCHES.to_owned() };
    let epoch = length(desk, &id).await?;
    desk.epochs.insert(id.tenant, epoch);
    Ok(epoch)
}
