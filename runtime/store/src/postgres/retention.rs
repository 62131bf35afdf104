//! What can still be opened, and its end.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Destruction, Keeping, Kept};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::journal::{add, one_by_one};
use super::{PostgresStore, unavailable};
use crate::rows::{Cells, as_i64};

const OPENABLE: &str = "SELECT r.interaction, r.workflow, r.customer, r.closed, \
        array_agg(k.class ORDER BY k.class COLLATE \"C\") AS classes \
    FROM runs r JOIN data_keys k ON k.tenant = r.tenant AND k.subject = r.interaction \
    WHERE r.tenant = $1 AND r.closed < $2 AND (r.closed, r.interaction) > ($3, $4) \
    GROUP BY r.interaction, r.workflow, r.customer, r.closed ORDER BY r.closed, r.interaction LIMIT $5";
const LENGTH: &str = "SELECT coalesce((SELECT seq + events FROM turns WHERE tenant = $1 AND interaction = $2 \
    ORDER BY seq DESC LIMIT 1), 0)";
const GROW: &str = "UPDATE runs SET length = length + $3 WHERE tenant = $1 AND interaction = $2 AND length = $4";
const DESTROY: &str = "WITH keys AS (DELETE FROM data_keys WHERE tenant = $1 AND subject = $2 AND class = ANY ($3)) \
    DELETE FROM sealed WHERE tenant = $1 AND interaction = $2 AND class = ANY ($3)";

#[async_trait]
impl Keeping for PostgresStore {
    async fn openable(
        &self,
        tenant: &str,
        before: Micros,
        after: Option<&(Micros, String)>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let (closed, interaction) = after.map_or((i64::MIN, ""), |(closed, interaction)| (*closed, interaction));
        let query = sqlx::query(OPENABLE).bind(tenant).bind(before).bind(closed).bind(interaction);
        let rows = query.bind(i64::from(limit)).fetch_all(self.pool()).await;
        let kept = |row: &PgRow| Kept {
            interaction: row.text("interaction"),
            workflow: row.text("workflow"),
            customer: row.text("customer"),
            closed: row.number("closed"),
            classes: row.get("classes"),
        };
        Ok(rows.map_err(unavailable("look for what is due"))?.iter().map(kept).collect())
    }

    async fn destroy(&self, destruction: Destruction) -> Result<(), StoreError> {
        let no = || unavailable("destroy data keys");
        let Destruction { id, events, classes, holds: (holds, known) } = destruction;
        let mut transaction = self.pool().begin().await.map_err(no())?;
        // Nobody sets a hold between this look and the end of the keys.
        one_by_one(&mut transaction, &holds).await?;
        let length = sqlx::query_scalar(LENGTH).bind(&holds.tenant).bind(&holds.interaction);
        let length: i64 = length.fetch_one(&mut *transaction).await.map_err(no())?;
        if length != as_i64(known) {
            return Err(StoreError::Conflict { interaction: holds.interaction });
        }
        let follow = events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1);
        let grow = sqlx::query(GROW)
            .bind(&id.tenant)
            .bind(&id.interaction)
            .bind(as_i64(events.len() as u64))
            .bind(events.first().map(|event| as_i64(event.seq)));
        let grown = grow.execute(&mut *transaction).await.map_err(no())?.rows_affected() == 1;
        if !(grown && follow) {
            return Err(StoreError::Conflict { interaction: id.interaction });
        }
        add(&mut transaction, &id, &events).await?;
        let destroy = sqlx::query(DESTROY).bind(&id.tenant).bind(&id.interaction).bind(classes);
        destroy.execute(&mut *transaction).await.map_err(no())?;
        transaction.commit().await.map_err(no())
    }
}
