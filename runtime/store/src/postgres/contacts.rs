//! Contacts and conversations, counted for the rules that bound them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Commit, Contacts};
use selvedge_policy::{Contacted, Count, Tally};
use sqlx::PgConnection;

use super::{PostgresStore, unavailable};
use crate::rows::Cells;

/// The newest that count, no more than the limit, and of these the number and the oldest.
const TALLY: &str = "SELECT count(*) AS count, min(at) AS oldest FROM ( \
        SELECT at FROM contacts WHERE tenant = $1 AND customer = $2 AND past = $3 AND at >= $4 AND key <> $5 \
        AND channel = ANY ($6) AND (cardinality($7::text[]) = 0 OR purpose = ANY ($7)) AND NOT purpose = ANY ($8) \
        AND ($9::text IS NULL OR account IS NULL OR account = $9) \
        ORDER BY at DESC LIMIT $10) AS newest";
const TAKE_BACK: &str = "DELETE FROM contacts USING unnest($1::text[], $2::text[], $3::text[]) AS n(tenant, customer, key) \
    WHERE contacts.tenant = n.tenant AND contacts.customer = n.customer AND contacts.key = n.key";
/// Each contact is also a change of what is known of its customer.
const KEEP: &str = "WITH kept AS ( \
        INSERT INTO contacts (tenant, customer, key, at, past, channel, purpose, account) \
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[]) \
        ON CONFLICT (tenant, customer, key) DO UPDATE SET at = excluded.at) \
    UPDATE customers SET version = version + n.times FROM ( \
        SELECT tenant, customer, count(*) AS times FROM unnest($9::text[], $10::text[]) AS made(tenant, customer) \
        GROUP BY tenant, customer) AS n \
    WHERE customers.tenant = n.tenant AND customers.customer = n.customer";

#[async_trait]
impl Contacts for PostgresStore {
    async fn tally(&self, tenant: &str, customer: &str, except: &str, count: &Count) -> Result<Tally, StoreError> {
        let Count { rule, past, channels, purposes, unless_purposes, account, since, limit } = count;
        let query = sqlx::query(TALLY)
            .bind(tenant)
            .bind(customer)
            .bind(past.name())
            .bind(since)
            .bind(except)
            .bind(channels)
            .bind(purposes)
            .bind(unless_purposes)
            .bind(account)
            .bind(i64::from(*limit));
        let row = query.fetch_one(self.pool()).await.map_err(unavailable("count contacts"))?;
        let count = u32::try_from(row.number("count")).unwrap_or(u32::MAX);
        Ok(Tally { rule: rule.clone(), count, oldest: row.maybe_number("oldest") })
    }
}

/// Keeps what these turns make and removes what they take back. Of several words on one contact the last counts.
pub(super) async fn keep(connection: &mut PgConnection, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let changes = turns.iter().flat_map(|turn| turn.contacts.iter().map(|change| (turn.id.tenant.as_str(), change)));
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return Ok(());
    }
    let mut last: BTreeMap<(&str, &str, &str), Option<&Contacted>> = BTreeMap::new();
    for (tenant, change) in &changes {
        last.insert((tenant, &change.customer, &change.key), change.made.as_ref());
    }
    let back: Vec<_> = last.iter().filter(|(_, made)| made.is_none()).map(|(key, _)| *key).collect();
    if !back.is_empty() {
        let query = sqlx::query(TAKE_BACK)
            .bind(back.iter().map(|(tenant, _, _)| *tenant).collect::<Vec<_>>())
            .bind(back.iter().map(|(_, customer, _)| *customer).collect::<Vec<_>>())
            .bind(back.iter().map(|(_, _, key)| *key).collect::<Vec<_>>());
        query.execute(&mut *connection).await?;
    }
    let kept: Vec<_> = last.iter().filter_map(|(key, made)| Some((key, (*made)?))).collect();
    let made: Vec<_> = changes.iter().filter(|(_, change)| change.made.is_some()).collect();
    if made.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(KEEP)
        .bind(kept.iter().map(|((tenant, _, _), _)| *tenant).collect::<Vec<_>>())
        .bind(kept.iter().map(|((_, customer, _), _)| *customer).collect::<Vec<_>>())
        .bind(kept.iter().map(|((_, _, key), _)| *key).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, made)| made.at).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, made)| made.past.name()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, made)| made.channel.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, made)| made.purpose.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, made)| made.account.as_deref()).collect::<Vec<_>>())
        .bind(made.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
        .bind(made.iter().map(|(_, change)| change.customer.as_str()).collect::<Vec<_>>());
    query.execute(connection).await.map(|_| ())
}
