//! Campaigns: lists of customers. Who takes customers up is alone with the folder's one writer.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::campaigns::{Became, Campaigns, Enlisted, MINUTE, Pace, Progress, Remaining, STRANDED};
use sqlx::Row;

use super::writer::Desk;
use super::{SqliteStore, unavailable};
use crate::rows::{Cells, enlisted};

// Many customers come as one JSON text, so that a list is one statement.
const ENLIST: &str = "INSERT INTO enlisted (tenant, campaign, customer, interaction) \
    SELECT ?1, ?2, value ->> 0, value ->> 1 FROM json_each(?3) WHERE true ORDER BY key ON CONFLICT DO NOTHING";
const SETTLE: &str = "UPDATE enlisted SET state = n.state, why = n.why, \
        taken = CASE WHEN n.state = 'queued' THEN NULL ELSE taken END \
    FROM (SELECT value ->> 0 AS customer, value ->> 1 AS state, value ->> 2 AS why FROM json_each(?3)) AS n \
    WHERE enlisted.tenant = ?1 AND enlisted.campaign = ?2 AND enlisted.customer = n.customer AND enlisted.state = 'open'";

const REMAINING: &str = "SELECT \
    EXISTS (SELECT 1 FROM enlisted WHERE tenant = ?1 AND campaign = ?2 AND state = 'queued') AS queued, \
    EXISTS (SELECT 1 FROM enlisted WHERE tenant = ?1 AND campaign = ?2 AND state = 'open') AS open";

#[async_trait]
impl Campaigns for SqliteStore {
    async fn enlist(&self, tenant: &str, campaign: &str, customers: &[Enlisted]) -> Result<(), StoreError> {
        let listed: Vec<_> = customers.iter().map(|one| (&one.customer, &one.interaction)).collect();
        let (tenant, campaign, listed) =
            (tenant.to_owned(), campaign.to_owned(), serde_json::json!(listed).to_string());
        self.writer
            .run("keep a campaign's list", move |desk| {
                Box::pin(async move {
                    let no = || unavailable("keep a campaign's list");
                    let make = "INSERT INTO campaigns (tenant, campaign) VALUES (?, ?) ON CONFLICT DO NOTHING";
                    let make = sqlx::query(make).bind(&tenant).bind(&campaign);
                    make.execute(&mut desk.connection).await.map_err(no())?;
                    let query = sqlx::query(ENLIST).bind(tenant).bind(campaign).bind(listed);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(no())
                })
            })
            .await
    }

    async fn campaigns(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<(String, bool)>, StoreError> {
        let sql = "SELECT campaign, over FROM campaigns WHERE tenant = ? AND campaign > ? ORDER BY campaign LIMIT ?";
        let rows = sqlx::query(sql).bind(tenant).bind(after).bind(limit).fetch_all(&self.read).await;
        let rows = rows.map_err(unavailable("list campaigns"))?;
        Ok(rows.iter().map(|row| (row.text("campaign"), row.flag("over"))).collect())
    }

    async fn going(&self, tenant: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT campaign FROM campaigns WHERE tenant = ? AND over = 0 ORDER BY campaign";
        let query = sqlx::query_scalar(sql).bind(tenant);
        query.fetch_all(&self.read).await.map_err(unavailable("look for campaigns"))
    }

    async fn take(
        &self,
        tenant: &str,
        campaign: &str,
        pace: Pace,
        now: Micros,
        limit: u32,
    ) -> Result<Vec<Enlisted>, StoreError> {
        let (tenant, campaign) = (tenant.to_owned(), campaign.to_owned());
        self.writer
            .run("take customers up", move |desk| {
                Box::pin(async move {
                    take(desk, &tenant, &campaign, pace, now, limit).await.map_err(unavailable("take customers up"))
                })
            })
            .await
    }

    async fn ended(&self, tenant: &str, campaign: &str, limit: u32) -> Result<Vec<Enlisted>, StoreError> {
        let sql = "SELECT e.customer, e.interaction FROM enlisted AS e JOIN records USING (tenant, interaction) \
                       JOIN runs USING (record) \
                   WHERE e.tenant = ? AND e.campaign = ? AND e.state = 'open' AND runs.over = 1 \
                   ORDER BY e.number LIMIT ?";
        let rows = sqlx::query(sql).bind(tenant).bind(campaign).bind(limit).fetch_all(&self.read).await;
        Ok(rows.map_err(unavailable("look for who came to an end"))?.iter().map(enlisted).collect())
    }

    async fn settle(&self, tenant: &str, campaign: &str, became: &[(String, Became)]) -> Result<(), StoreError> {
        if became.is_empty() {
            return Ok(());
        }
        let kept = became.iter().map(|(customer, became)| (customer, became.kept().0, became.kept().1));
        let became: Vec<_> = kept.collect();
        let (tenant, campaign, became) =
            (tenant.to_owned(), campaign.to_owned(), serde_json::json!(became).to_string());
        self.writer
            .run("keep what became of customers", move |desk| {
                Box::pin(async move {
                    let query = sqlx::query(SETTLE).bind(tenant).bind(campaign).bind(became);
                    let done = query.execute(&mut desk.connection).await;
                    done.map(|_| ()).map_err(unavailable("keep what became of customers"))
                })
            })
            .await
    }

    async fn remaining(&self, tenant: &str, campaign: &str) -> Result<Remaining, StoreError> {
        let row = sqlx::query(REMAINING).bind(tenant).bind(campaign).fetch_one(&self.read).await;
        let row = row.map_err(unavailable("look what is left of a campaign"))?;
        Ok(Remaining { queued: row.flag("queued"), open: row.flag("open") })
    }

    async fn progress(&self, tenant: &str, campaign: &str) -> Result<Progress, StoreError> {
        let sql = "SELECT e.state, coalesce(runs.busy = 0, 0) AS waits, count(*) AS customers \
                   FROM enlisted AS e LEFT JOIN records AS r ON e.state = 'open' AND r.tenant = e.tenant \
                       AND r.interaction = e.interaction LEFT JOIN runs USING (record) \
                   WHERE e.tenant = ? AND e.campaign = ? GROUP BY 1, 2";
        let rows = sqlx::query(sql).bind(tenant).bind(campaign).fetch_all(&self.read).await;
        let mut progress = Progress::default();
        for row in rows.map_err(unavailable("count a campaign's customers"))? {
            progress.add(&row.text("state"), row.flag("waits"), row.count("customers"));
        }
        Ok(progress)
    }

    async fn close_campaign(&self, tenant: &str, campaign: &str) -> Result<(), StoreError> {
        let (tenant, campaign) = (tenant.to_owned(), campaign.to_owned());
        self.writer
            .run("close a campaign", move |desk| {
                Box::pin(async move {
                    let sql = "UPDATE campaigns SET over = 1 WHERE tenant = ? AND campaign = ?";
                    let query = sqlx::query(sql).bind(tenant).bind(campaign);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("close a campaign"))
                })
            })
            .await
    }

    async fn customers_after(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT customer FROM customers WHERE tenant = ? AND customer > ? ORDER BY customer LIMIT ?";
        let query = sqlx::query_scalar(sql).bind(tenant).bind(after).bind(limit);
        query.fetch_all(&self.read).await.map_err(unavailable("list customers"))
    }
}

async fn take(
    desk: &mut Desk,
    tenant: &str,
    campaign: &str,
    pace: Pace,
    now: Micros,
    limit: u32,
) -> Result<Vec<Enlisted>, sqlx::Error> {
    let sql = "UPDATE enlisted SET taken = ? WHERE number IN ( \
                   SELECT e.number FROM enlisted AS e WHERE e.tenant = ? AND e.campaign = ? AND e.state = 'open' \
                       AND e.taken <= ? AND NOT EXISTS (SELECT 1 FROM records \
                           WHERE records.tenant = e.tenant AND records.interaction = e.interaction) \
                   ORDER BY e.number LIMIT ?) RETURNING number, customer, interaction";
    let again = sqlx::query(sql).bind(now).bind(tenant).bind(campaign).bind(now - STRANDED).bind(limit);
    let mut taken = again.fetch_all(&mut desk.connection).await?;
    let sql = "SELECT (SELECT count(*) FROM enlisted WHERE tenant = ?1 AND campaign = ?2 AND taken > ?3) AS lately, \
                   (SELECT count(*) FROM enlisted WHERE tenant = ?1 AND campaign = ?2 AND state = 'open') AS open";
    let counted = sqlx::query(sql).bind(tenant).bind(campaign).bind(now - MINUTE);
    let counted = counted.fetch_one(&mut desk.connection).await?;
    let room = pace.room(counted.count("lately"), counted.count("open"), limit, taken.len());
    let sql = "UPDATE enlisted SET state = 'open', taken = ? WHERE number IN ( \
                   SELECT number FROM enlisted WHERE tenant = ? AND campaign = ? AND state = 'queued' \
                   ORDER BY number LIMIT ?) RETURNING number, customer, interaction";
    let next = sqlx::query(sql).bind(now).bind(tenant).bind(campaign).bind(room);
    taken.extend(next.fetch_all(&mut desk.connection).await?);
    // What is returned has no order of its own.
    taken.sort_by_key(|row| row.get::<i64, _>("number"));
    Ok(taken.iter().map(enlisted).collect())
}
