//! Records, runs and the inbox.

use async_trait::async_trait;
use futures_core::future::BoxFuture;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{
    Asked, Claim, Commit, Delivery, Journal, Lease, Listed, RunId, Stored, Summary, Trouble,
};
use selvedge_record::Sealed;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::customers::keep_known;
use super::open::set_version;
use super::safe::forget;
use super::writer::Desk;
use super::{SqliteStore, switches, turns, unavailable};
use crate::rows::stored;

#[async_trait]
impl Journal for SqliteStore {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let (id, lease, release) = (commit.id.clone(), commit.lease, commit.release);
        // A record that is being opened is nobody's yet. Its lease is there before its row is, or else the scheduler
        // would find the run with nobody to drive it.
        let opening = commit.events.first().is_some_and(|event| event.seq == 0);
        let opens = opening && self.leases.open(&id, lease);
        if !opening {
            self.leases.check(&id, lease)?;
        }
        let written = self.writer.turn(commit).await;
        match &written {
            Ok(()) if release => self.leases.give_back(&id, lease),
            Err(_) if opens => self.leases.give_back(&id, lease),
            _ => {}
        }
        written
    }

    async fn record(&self, id: &RunId) -> Result<Vec<Stored>, StoreError> {
        let sql = "SELECT seq, bodies FROM turns JOIN records USING (record) WHERE tenant = ? AND interaction = ? ORDER BY seq";
        let rows = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).fetch_all(&self.read).await;
        stored(&rows.map_err(unavailable("read a record"))?)
    }

    async fn last(&self, id: &RunId) -> Result<Option<Stored>, StoreError> {
        let sql = "SELECT seq, bodies FROM turns JOIN records USING (record) WHERE tenant = ? AND interaction = ? \
                   ORDER BY seq DESC LIMIT 1";
        let rows = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).fetch_all(&self.read).await;
        Ok(stored(&rows.map_err(unavailable("read a record"))?)?.pop())
    }

    async fn append(&self, id: &RunId, event: Sealed) -> Result<(), StoreError> {
        let id = id.clone();
        self.writer
            .run("add to a record", move |desk| Box::pin(async move { turns::append(desk, &id, &[event]).await }))
            .await
    }

    async fn deliver(&self, id: &RunId, dedupe: &str, body: &str, at: Micros) -> Result<bool, StoreError> {
        let (id, dedupe, body) = (id.clone(), dedupe.to_owned(), body.to_owned());
        self.writer
            .run("take in a signal", move |desk| {
                Box::pin(async move {
                    let sql = "INSERT INTO inbox (tenant, interaction, dedupe, body, at) VALUES (?, ?, ?, ?, ?) \
                               ON CONFLICT (tenant, interaction, dedupe) DO NOTHING";
                    let done = sqlx::query(sql).bind(id.tenant).bind(id.interaction).bind(dedupe).bind(body).bind(at);
                    let done = done.execute(&mut desk.connection).await.map_err(unavailable("take in a signal"))?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }

    async fn inbox(&self, id: &RunId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let sql =
            "SELECT number, body FROM inbox WHERE tenant = ? AND interaction = ? AND taken = 0 ORDER BY number LIMIT ?";
        let rows = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).bind(limit).fetch_all(&self.read).await;
        let rows = rows.map_err(unavailable("read the inbox"))?;
        Ok(rows.iter().map(|r| Delivery { number: r.get("number"), body: r.get("body") }).collect())
    }

    async fn claim(&self, now: Micros, limit: u32) -> Result<Vec<Claim>, StoreError> {
        // Whoever waits longest comes first: beyond the limit nobody is passed over for ever. Mail for a record
        // that is not there wakes nobody.
        let sql = "SELECT tenant, interaction FROM ( \
                       SELECT record, wake AS since FROM runs WHERE wake <= ?1 \
                       UNION ALL SELECT record, updated FROM runs WHERE busy = 1 \
                       UNION ALL SELECT record, inbox.at FROM inbox JOIN records USING (tenant, interaction) \
                           JOIN runs USING (record) WHERE taken = 0 \
                   ) JOIN records USING (record) GROUP BY record ORDER BY min(since), tenant, interaction LIMIT ?2";
        let rows = sqlx::query(sql).bind(now).bind(self.beyond_those_held(limit)).fetch_all(&self.read).await;
        let rows = rows.map_err(unavailable("look for work"))?;
        Ok(rows.iter().filter_map(|row| self.leases.take(run_id(row))).take(limit as usize).collect())
    }

    async fn claim_one(&self, id: &RunId, now: Micros) -> Result<Asked, StoreError> {
        let sql = "SELECT busy OR coalesce(wake <= ?3, 0) OR EXISTS \
                       (SELECT 1 FROM inbox WHERE tenant = ?1 AND interaction = ?2 AND taken = 0) \
                   FROM records JOIN runs USING (record) WHERE records.tenant = ?1 AND interaction = ?2";
        let wanted = sqlx::query_scalar(sql).bind(&id.tenant).bind(&id.interaction).bind(now);
        let wanted: Option<bool> = wanted.fetch_optional(&self.read).await.map_err(unavailable("look for work"))?;
        Ok(match self.leases.holds(id) {
            true => Asked::Elsewhere,
            false if wanted != Some(true) => Asked::Idle,
            false => self.leases.take(id.clone()).map_or(Asked::Elsewhere, |claim| Asked::Leased(claim.lease)),
        })
    }

    async fn release(&self, id: &RunId, lease: Lease) -> Result<(), StoreError> {
        self.leases.give_back(id, lease);
        Ok(())
    }

    async fn next_wake(&self) -> Result<Option<Micros>, StoreError> {
        let sql = "SELECT records.tenant, interaction, wake FROM runs JOIN records USING (record) \
                   WHERE wake IS NOT NULL ORDER BY wake LIMIT ?";
        let rows = sqlx::query(sql).bind(self.beyond_those_held(1)).fetch_all(&self.read).await;
        let rows = rows.map_err(unavailable("look for work"))?;
        Ok(rows.iter().find(|row| !self.leases.holds(&run_id(row))).map(|row| row.get("wake")))
    }

    async fn runs(&self, tenant: &str, limit: u32) -> Result<Vec<Listed>, StoreError> {
        let sql = "SELECT runs.*, interaction FROM runs JOIN records USING (record) WHERE runs.tenant = ? \
                   ORDER BY opened DESC, interaction LIMIT ?";
        let rows = sqlx::query(sql)
            .bind(tenant)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(unavailable("list interactions"))?;
        Ok(rows.iter().map(|r| Listed { interaction: r.get("interaction"), summary: summary(r) }).collect())
    }

    async fn writable(&self) -> Result<(), Trouble> {
        let written = self.writer.run("write to the disk", |desk| Box::pin(set_version(&mut desk.connection))).await;
        written.map_err(|error| super::trouble(&error))
    }

    async fn newest(&self) -> Result<Option<Micros>, StoreError> {
        super::log::newest(&self.read).await
    }
}

impl SqliteStore {
    /// How many rows hold `limit` runs that nobody drives.
    fn beyond_those_held(&self, limit: u32) -> i64 {
        i64::from(limit).saturating_add(i64::try_from(self.leases.count()).unwrap_or(i64::MAX))
    }
}

pub(super) fn run_id(row: &SqliteRow) -> RunId {
    RunId { tenant: row.get("tenant"), interaction: row.get("interaction") }
}

fn summary(row: &SqliteRow) -> Summary {
    Summary {
        workflow: row.get("workflow"),
        controls: row.get("controls"),
        customer: row.get("customer"),
        opened: row.get("opened"),
        updated: row.get("updated"),
        at: row.get("at"),
        over: row.get("over"),
        busy: row.get("busy"),
        wake: row.get("wake"),
        halted: row.get("halted"),
    }
}

/// A turn as rows.
pub(super) fn write_turn(desk: &mut Desk, commit: Commit) -> BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async move {
        if let Some(epoch) = commit.epoch
            && switches::epoch(desk, &commit.id.tenant).await? != epoch
        {
            return Err(StoreError::Switched(Box::new(commit)));
        }
        if let Some(known) = commit.known.clone() {
            keep_known(desk, &commit.id.tenant, known).await?;
        }
        desk.places.forget(&commit.id);
        let Some(Some(place)) = turns::follow(desk, &[&commit]).await?.pop() else {
            return Err(StoreError::Conflict { interaction: commit.id.interaction });
        };
        turns::write(desk, &[(&commit, place)]).await?;
        let Commit { id, consumed, links, forget_card, .. } = commit;
        for number in consumed {
            let sql = "UPDATE inbox SET taken = 1, body = '' WHERE number = ? AND tenant = ? AND interaction = ?";
            sqlx::query(sql)
                .bind(number)
                .bind(&id.tenant)
                .bind(&id.interaction)
                .execute(&mut desk.connection)
                .await
                .map_err(unavailable("empty the inbox"))?;
        }
        for link in links {
            let sql =
                "INSERT INTO links (id, tenant, interaction, step) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
            let query = sqlx::query(sql).bind(link.id).bind(&id.tenant).bind(&id.interaction).bind(link.step);
            query.execute(&mut desk.connection).await.map_err(unavailable("keep a link"))?;
        }
        match forget_card {
            Some(token) => forget(desk, &id.tenant, &token).await,
            None => Ok(()),
        }
    })
}
