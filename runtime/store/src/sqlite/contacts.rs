//! Contacts and conversations, counted for the rules that bound them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Commit, ContactChange, Contacts, RunId};
use selvedge_policy::{Contacted, Count, Tally};
use sqlx::Row;

use super::rows::{self, Rows, rows};
use super::writer::Desk;
use super::{SqliteStore, unavailable};

/// The newest that count, no more than the limit, and of these the number and the oldest.
const TALLY: &str = "SELECT count(*) AS count, min(at) AS oldest FROM ( \
        SELECT at FROM contacts WHERE tenant = ?1 AND customer = ?2 AND past = ?3 AND at >= ?4 AND key <> ?5 \
        AND channel IN (SELECT value FROM json_each(?6)) \
        AND (?7 = '[]' OR purpose IN (SELECT value FROM json_each(?7))) \
        AND purpose NOT IN (SELECT value FROM json_each(?8)) \
        AND (?9 IS NULL OR account IS NULL OR account = ?9) \
        ORDER BY at DESC LIMIT ?10)";

const MADE: Rows = rows!(
    "INSERT INTO contacts (tenant, customer, key, at, past, channel, purpose, account)",
    "(?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (tenant, customer, key) DO UPDATE SET at = excluded.at"
);
const CHANGED: Rows = rows!(
    "UPDATE customers SET version = version + 1 FROM (",
    "(?, ?)",
    ") WHERE tenant = column1 AND customer = column2"
);

#[async_trait]
impl Contacts for SqliteStore {
    async fn tally(&self, tenant: &str, customer: &str, except: &str, count: &Count) -> Result<Tally, StoreError> {
        let Count { rule, past, channels, purposes, unless_purposes, account, since, limit } = count;
        let query = sqlx::query(TALLY)
            .bind(tenant)
            .bind(customer)
            .bind(past.name())
            .bind(since)
            .bind(except)
            .bind(list(channels))
            .bind(list(purposes))
            .bind(list(unless_purposes))
            .bind(account)
            .bind(limit);
        let row = query.fetch_one(&self.read).await.map_err(unavailable("count contacts"))?;
        Ok(Tally { rule: rule.clone(), count: row.get("count"), oldest: row.get("oldest") })
    }
}

fn list(names: &[String]) -> String {
    serde_json::json!(names).to_string()
}

/// Keeps what is made and removes what was taken back.
pub(super) async fn keep<'c>(desk: &mut Desk, turns: impl Iterator<Item = &'c Commit>) -> Result<(), StoreError> {
    let (mut all, mut changed) = (Vec::new(), BTreeSet::new());
    for Commit { id: RunId { tenant, .. }, contacts, .. } in turns {
        for ContactChange { customer, key, made } in contacts {
            if let Some(made) = made {
                all.push((tenant, customer, key, made));
                changed.insert((tenant, customer));
                continue;
            }
            let sql = "DELETE FROM contacts WHERE tenant = ? AND customer = ? AND key = ?";
            let query = sqlx::query(sql).bind(tenant).bind(customer).bind(key);
            query.execute(&mut desk.connection).await.map_err(unavailable("take a contact back"))?;
        }
    }
    rows::write(&mut desk.connection, &MADE, &all, |query, (tenant, customer, key, made)| {
        let Contacted { past, channel, purpose, account, at } = made;
        let query = query.bind(*tenant).bind(*customer).bind(*key).bind(at).bind(past.name());
        query.bind(channel).bind(purpose).bind(account)
    })
    .await
    .map_err(unavailable("keep a contact"))?;
    let changed = Vec::from_iter(changed);
    rows::write(&mut desk.connection, &CHANGED, &changed, |query, (tenant, customer)| {
        query.bind(*tenant).bind(*customer)
    })
    .await
    .map_err(unavailable("keep a contact"))
}
