//! Campaigns: lists of customers. Whoever takes customers up holds the campaign's row, so that the pace is one over all
//! nodes.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::campaigns::{Became, Campaigns, Enlisted, MINUTE, Pace, Progress, Remaining, STRANDED};

use super::{PostgresStore, unavailable};
use crate::rows::{Cells, enlisted};

const ENLIST: &str = "WITH made AS (INSERT INTO campaigns (tenant, campaign) VALUES ($1, $2) ON CONFLICT DO NOTHING) \
    INSERT INTO enlisted (tenant, campaign, customer, interaction) \
    SELECT $1, $2, customer, interaction FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS n(customer, interaction, place) \
    ORDER BY place ON CONFLICT DO NOTHING";
const HOLD: &str = "SELECT campaign FROM campaigns WHERE tenant = $1 AND campaign = $2 FOR UPDATE";
const AGAIN: &str = "UPDATE enlisted SET taken = $3 FROM ( \
        SELECT e.customer FROM enlisted AS e WHERE e.tenant = $1 AND e.campaign = $2 AND e.state = 'open' AND e.taken <= $4 \
            AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.tenant = e.tenant AND runs.interaction = e.interaction) \
        ORDER BY e.number LIMIT $5) AS n \
    WHERE enlisted.tenant = $1 AND enlisted.campaign = $2 AND enlisted.customer = n.customer \
    RETURNING enlisted.number, enlisted.customer, enlisted.interaction";
const COUNT: &str = "SELECT (SELECT count(*) FROM enlisted WHERE tenant = $1 AND campaign = $2 AND taken > $3) AS lately, \
    (SELECT count(*) FROM enlisted WHERE tenant = $1 AND campaign = $2 AND state = 'open') AS open";
const NEXT: &str = "UPDATE enlisted SET state = 'open', taken = $3 FROM ( \
        SELECT customer FROM enlisted WHERE tenant = $1 AND campaign = $2 AND state = 'queued' \
        ORDER BY number LIMIT $4) AS n \
    WHERE enlisted.tenant = $1 AND enlisted.campaign = $2 AND enlisted.customer = n.customer \
    RETURNING enlisted.number, enlisted.customer, enlisted.interaction";
const ENDED: &str = "SELECT e.customer, e.interaction FROM enlisted AS e \
    JOIN runs ON runs.tenant = e.tenant AND runs.interaction = e.interaction \
    WHERE e.tenant = $1 AND e.campaign = $2 AND e.state = 'open' AND runs.over ORDER BY e.number LIMIT $3";
const SETTLE: &str = "UPDATE enlisted SET state = n.state, why = n.why, \
        taken = CASE WHEN n.state = 'queued' THEN NULL ELSE taken END \
    FROM unnest($3::text[], $4::text[], $5::text[]) AS n(customer, state, why) \
    WHERE enlisted.tenant = $1 AND enlisted.campaign = $2 AND enlisted.customer = n.customer AND enlisted.state = 'open'";
const REMAINING: &str = "SELECT \
    EXISTS (SELECT 1 FROM enlisted WHERE tenant = $1 AND campaign = $2 AND state = 'queued') AS queued, \
    EXISTS (SELECT 1 FROM enlisted WHERE tenant = $1 AND campaign = $2 AND state = 'open') AS open";
const PROGRESS: &str = "SELECT e.state, coalesce(NOT runs.busy, false) AS waits, count(*) AS customers \
    FROM enlisted AS e LEFT JOIN runs ON e.state = 'open' AND runs.tenant = e.tenant AND runs.interaction = e.interaction \
    WHERE e.tenant = $1 AND e.campaign = $2 GROUP BY 1, 2";

#[async_trait]
impl Campaigns for PostgresStore {
    async fn enlist(&self, tenant: &str, campaign: &str, customers: &[Enlisted]) -> Result<(), StoreError> {
        let query = sqlx::query(ENLIST)
            .bind(tenant)
            .bind(campaign)
            .bind(customers.iter().map(|one| one.customer.as_str()).collect::<Vec<_>>())
            .bind(customers.iter().map(|one| one.interaction.as_str()).collect::<Vec<_>>());
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("keep a campaign's list"))
    }

    async fn campaigns(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<(String, bool)>, StoreError> {
        let sql = "SELECT campaign, over FROM campaigns WHERE tenant = $1 AND campaign > $2 ORDER BY campaign LIMIT $3";
        let rows = sqlx::query(sql).bind(tenant).bind(after).bind(i64::from(limit)).fetch_all(self.pool()).await;
        let rows = rows.map_err(unavailable("list campaigns"))?;
        Ok(rows.iter().map(|row| (row.text("campaign"), row.flag("over"))).collect())
    }

    async fn going(&self, tenant: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT campaign FROM campaigns WHERE tenant = $1 AND NOT over ORDER BY campaign";
        let query = sqlx::query_scalar(sql).bind(tenant);
        query.fetch_all(self.pool()).await.map_err(unavailable("look for campaigns"))
    }

    async fn take(
        &self,
        tenant: &str,
        campaign: &str,
        pace: Pace,
        now: Micros,
        limit: u32,
    ) -> Result<Vec<Enlisted>, StoreError> {
        let no = || unavailable("take customers up");
        let mut transaction = self.pool().begin().await.map_err(no())?;
        let hold = sqlx::query(HOLD).bind(tenant).bind(campaign);
        hold.execute(&mut *transaction).await.map_err(no())?;
        let again =
            sqlx::query(AGAIN).bind(tenant).bind(campaign).bind(now).bind(now - STRANDED).bind(i64::from(limit));
        let mut taken = again.fetch_all(&mut *transaction).await.map_err(no())?;
        let counted = sqlx::query(COUNT).bind(tenant).bind(campaign).bind(now - MINUTE);
        let counted = counted.fetch_one(&mut *transaction).await.map_err(no())?;
        let room = pace.room(counted.count("lately"), counted.count("open"), limit, taken.len());
        let next = sqlx::query(NEXT).bind(tenant).bind(campaign).bind(now).bind(room);
        taken.extend(next.fetch_all(&mut *transaction).await.map_err(no())?);
        transaction.commit().await.map_err(no())?;
        // What is returned has no order of its own.
        taken.sort_by_key(|row| row.number("number"));
        Ok(taken.iter().map(enlisted).collect())
    }

    async fn ended(&self, tenant: &str, campaign: &str, limit: u32) -> Result<Vec<Enlisted>, StoreError> {
        let rows = sqlx::query(ENDED).bind(tenant).bind(campaign).bind(i64::from(limit)).fetch_all(self.pool()).await;
        Ok(rows.map_err(unavailable("look for who came to an end"))?.iter().map(enlisted).collect())
    }

    async fn settle(&self, tenant: &str, campaign: &str, became: &[(String, Became)]) -> Result<(), StoreError> {
        if became.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(SETTLE)
            .bind(tenant)
            .bind(campaign)
            .bind(became.iter().map(|(customer, _)| customer.as_str()).collect::<Vec<_>>())
            .bind(became.iter().map(|(_, became)| became.kept().0).collect::<Vec<_>>())
            .bind(became.iter().map(|(_, became)| became.kept().1).collect::<Vec<_>>());
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("keep what became of customers"))
    }

    async fn remaining(&self, tenant: &str, campaign: &str) -> Result<Remaining, StoreError> {
        let row = sqlx::query(REMAINING).bind(tenant).bind(campaign).fetch_one(self.pool()).await;
        let row = row.map_err(unavailable("look what is left of a campaign"))?;
        Ok(Remaining { queued: row.flag("queued"), open: row.flag("open") })
    }

    async fn progress(&self, tenant: &str, campaign: &str) -> Result<Progress, StoreError> {
        let rows = sqlx::query(PROGRESS).bind(tenant).bind(campaign).fetch_all(self.pool()).await;
        let mut progress = Progress::default();
        for row in rows.map_err(unavailable("count a campaign's customers"))? {
            progress.add(&row.text("state"), row.flag("waits"), row.count("customers"));
        }
        Ok(progress)
    }

    async fn close_campaign(&self, tenant: &str, campaign: &str) -> Result<(), StoreError> {
        let sql = "UPDATE campaigns SET over = true WHERE tenant = $1 AND campaign = $2";
        let query = sqlx::query(sql).bind(tenant).bind(campaign);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("close a campaign"))
    }

    async fn customers_after(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT customer FROM customers WHERE tenant = $1 AND customer COLLATE \"C\" > $2 \
            ORDER BY customer COLLATE \"C\" LIMIT $3";
        let query = sqlx::query_scalar(sql).bind(tenant).bind(after).bind(i64::from(limit));
        query.fetch_all(self.pool()).await.map_err(unavailable("list customers"))
    }
}
