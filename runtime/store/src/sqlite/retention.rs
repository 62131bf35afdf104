//! What can still be opened, and its end.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Destruction, Keeping, Kept};
use sqlx::Row;

use super::turns::{append, length};
use super::{SqliteStore, unavailable};

#[async_trait]
impl Keeping for SqliteStore {
    async fn openable(
        &self,
        tenant: &str,
        before: Micros,
        after: Option<&(Micros, String)>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let sql = "SELECT interaction, workflow, customer, closed, group_concat(class) AS classes \
                   FROM runs r JOIN records USING (record) JOIN data_keys k ON k.tenant = r.tenant AND subject = interaction \
                   WHERE r.tenant = ?1 AND closed < ?2 AND closed >= ?3 AND (closed, interaction) > (?3, ?4) \
                   GROUP BY closed, interaction ORDER BY closed, interaction LIMIT ?5";
        let (closed, interaction) = after.map_or((i64::MIN, ""), |(closed, interaction)| (*closed, interaction));
        let query = sqlx::query(sql).bind(tenant).bind(before).bind(closed).bind(interaction).bind(limit);
        let rows = query.fetch_all(&self.read).await.map_err(unavailable("look for what is due"))?;
        let kept = |row: &sqlx::sqlite::SqliteRow| Kept {
            interaction: row.get("interaction"),
            workflow: row.get("workflow"),
            customer: row.get("customer"),
            closed: row.get("closed"),
            classes: row.get::<&str, _>("classes").split(',').map(str::to_owned).collect(),
        };
        Ok(rows.iter().map(kept).collect())
    }

    async fn destroy(&self, destruction: Destruction) -> Result<(), StoreError> {
        self.writer
            .run("destroy data keys", move |desk| {
                Box::pin(async move {
                    let Destruction { id, events, classes, holds: (holds, known) } = destruction;
                    if length(desk, &holds).await? != known {
                        return Err(StoreError::Conflict { interaction: holds.interaction });
                    }
                    append(desk, &id, &events).await?;
                    let both = [
                        "DELETE FROM data_keys WHERE tenant = ? AND subject = ? AND class = ?",
                        "DELETE FROM sealed WHERE class = ?3 AND record = \
                         (SELECT record FROM records WHERE tenant = ?1 AND interaction = ?2)",
                    ];
                    for class in &classes {
                        for sql in both {
                            let query = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).bind(class);
                            query.execute(&mut desk.connection).await.map_err(unavailable("destroy a data key"))?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }
}
