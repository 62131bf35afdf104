//! Who drives which run. A node says every few seconds that it lives; that renews all its leases at once. Whoever
//! finds a node silent for too long takes its runs over under a higher token, which every commit checks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Asked, Claim, Lease, RunId, Trouble};
use sqlx::PgPool;
use tokio::task::AbortHandle;

use super::unavailable;
use crate::rows::{Cells, run_id};

/// A node says this often in the time of one lease that it lives.
const BEATS: u32 = 3;

const LIVE: &str = "INSERT INTO nodes (node, until) VALUES ($1, now_micros() + $2) \
                    ON CONFLICT (node) DO UPDATE SET until = excluded.until";

/// Runs that nobody drives and that want it, and all runs of nodes that are gone; those that wait longest first. Each
/// part reads no more than an index on what waits, and what another node is just taking is passed over.
pub(super) const CLAIM: &str = "\
    WITH gone AS (SELECT node FROM nodes WHERE until < now_micros()), \
    wanted AS ( \
        (SELECT tenant, interaction, wake AS since FROM runs \
            WHERE owner IS NULL AND wake IS NOT NULL AND wake <= $2 ORDER BY wake LIMIT $3) \
        UNION ALL (SELECT tenant, interaction, updated FROM runs WHERE owner IS NULL AND busy ORDER BY updated LIMIT $3) \
        UNION ALL (SELECT tenant, interaction, updated FROM runs WHERE owner = ANY (ARRAY(SELECT node FROM gone)) LIMIT $3) \
        UNION ALL (SELECT i.tenant, i.interaction, min(i.at) FROM inbox i \
            JOIN LATERAL (SELECT 1 FROM runs r WHERE r.tenant = i.tenant AND r.interaction = i.interaction \
                AND r.owner IS NULL OFFSET 0) free ON true \
            WHERE NOT i.taken GROUP BY i.tenant, i.interaction ORDER BY min(i.at) LIMIT $3) \
    ), \
    each AS (SELECT tenant, interaction, min(since) AS since FROM wanted GROUP BY tenant, interaction \
        ORDER BY min(since), tenant, interaction LIMIT $3), \
    picked AS ( \
        SELECT r.tenant, r.interaction, each.since FROM each \
            JOIN LATERAL (SELECT tenant, interaction FROM runs WHERE tenant = each.tenant AND interaction = each.interaction \
                AND (owner IS NULL OR owner = ANY (ARRAY(SELECT node FROM gone))) FOR UPDATE SKIP LOCKED) r ON true \
    ) \
    UPDATE runs SET owner = $1, token = runs.token + 1 FROM picked \
        WHERE runs.tenant = picked.tenant AND runs.interaction = picked.interaction \
        RETURNING runs.tenant, runs.interaction, runs.token, picked.since";

const CLAIM_ONE: &str = "UPDATE runs SET owner = $1, token = token + 1 WHERE tenant = $2 AND interaction = $3 \
    AND (owner IS NULL OR owner IN (SELECT node FROM nodes WHERE until < now_micros())) \
    AND (busy OR owner IS NOT NULL OR wake <= $4 OR EXISTS \
        (SELECT 1 FROM inbox i WHERE i.tenant = $2 AND i.interaction = $3 AND NOT i.taken)) \
    RETURNING token";

const RELEASE: &str =
    "UPDATE runs SET owner = NULL WHERE tenant = $2 AND interaction = $3 AND owner = $1 AND token = $4";

/// Runs that the database says this node drives, and of which it knows nothing.
const FREE_UNKNOWN: &str = "UPDATE runs SET owner = NULL WHERE owner = $1 AND NOT EXISTS \
    (SELECT 1 FROM unnest($2::text[], $3::text[]) AS held(tenant, interaction) \
     WHERE held.tenant = runs.tenant AND held.interaction = runs.interaction)";

/// A node's name, its leases, and when it was last heard of.
pub struct Leases {
    node: String,
    length: Duration,
    state: Mutex<State>,
}

struct State {
    held: HashMap<RunId, Lease>,
    /// Until when nobody takes anything over.
    alive_until: Instant,
    /// An answer of the database was lost: it may hold leases that nobody here knows.
    doubt: bool,
}

impl Leases {
    /// Enters this node among the nodes, under a name that none had before.
    pub async fn start(pool: PgPool, length: Duration) -> Result<Leases, StoreError> {
        let name = sqlx::query_scalar("SELECT gen_random_uuid()::text").fetch_one(&pool).await;
        let node: String = name.map_err(unavailable("enter the node"))?;
        let state = State { held: HashMap::new(), alive_until: Instant::now(), doubt: false };
        let leases = Leases { node, length, state: Mutex::new(state) };
        leases.beat(&pool).await?;
        // Nodes that left nothing behind are forgotten.
        let forget =
            "DELETE FROM nodes WHERE until < now_micros() AND NOT EXISTS (SELECT 1 FROM runs WHERE owner = node)";
        sqlx::query(forget).execute(&pool).await.map_err(unavailable("enter the node"))?;
        Ok(leases)
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Keeps saying that the node lives.
    pub fn keep(self: &std::sync::Arc<Self>, pool: PgPool) -> AbortHandle {
        let leases = self.clone();
        let beats = tokio::spawn(async move {
            loop {
                tokio::time::sleep(leases.length / BEATS).await;
                if let Err(error) = leases.beat(&pool).await {
                    tracing::warn!(%error, "the node could not renew its leases");
                }
            }
        });
        beats.abort_handle()
    }

    async fn beat(&self, pool: &PgPool) -> Result<(), StoreError> {
        // From before the question: the database's answer runs longer, never shorter.
        let (asked, length) = (Instant::now(), i64::try_from(self.length.as_micros()).unwrap_or(i64::MAX));
        let live = sqlx::query(LIVE).bind(&self.node).bind(length).execute(pool).await;
        live.map_err(unavailable("renew the leases"))?;
        self.state().alive_until = asked + self.length;
        Ok(())
    }

    /// Writes what is there already, as durably as anything.
    pub async fn write(&self, pool: &PgPool) -> Result<(), Trouble> {
        let written =
            sqlx::query("UPDATE nodes SET until = until WHERE node = $1").bind(&self.node).execute(pool).await;
        written.map(|_| ()).map_err(|error| {
            let code = error.as_database_error().and_then(|e| e.code());
            match code.as_deref() {
                Some("53100") => Trouble::Full,
                Some("25006") => Trouble::ReadOnly,
                _ => Trouble::Away,
            }
        })
    }

    /// Whether nobody can have taken anything over yet.
    pub fn run(&self) -> bool {
        Instant::now() < self.state().alive_until
    }

    /// Claims of many.
    pub async fn claim(&self, pool: &PgPool, now: Micros, limit: u32) -> Result<Vec<Claim>, StoreError> {
        self.free_unknown(pool).await?;
        let rows = sqlx::query(CLAIM).bind(&self.node).bind(now).bind(i64::from(limit)).fetch_all(pool).await;
        let rows = rows.map_err(|e| self.in_doubt("look for work", e))?;
        let mut found: Vec<(i64, Claim)> = rows
            .iter()
            .map(|row| (row.number("since"), Claim { id: run_id(row), lease: Lease(row.number("token")) }))
            .collect();
        found.sort_by(|(a_since, a), (b_since, b)| (a_since, &a.id).cmp(&(b_since, &b.id)));
        Ok(found.into_iter().map(|(_, claim)| claim).inspect(|claim| self.hold(&claim.id, claim.lease)).collect())
    }

    /// A claim of one.
    pub async fn claim_one(&self, pool: &PgPool, id: &RunId, now: Micros) -> Result<Asked, StoreError> {
        let asked = sqlx::query_scalar(CLAIM_ONE).bind(&self.node).bind(&id.tenant).bind(&id.interaction).bind(now);
        let token: Option<i64> = asked.fetch_optional(pool).await.map_err(|e| self.in_doubt("claim a run", e))?;
        if let Some(token) = token {
            self.hold(id, Lease(token));
            return Ok(Asked::Leased(Lease(token)));
        }
        let sql = "SELECT owner IS NOT NULL FROM runs WHERE tenant = $1 AND interaction = $2";
        let driven = sqlx::query_scalar(sql).bind(&id.tenant).bind(&id.interaction).fetch_optional(pool).await;
        let driven: Option<bool> = driven.map_err(unavailable("claim a run"))?;
        Ok(if driven == Some(true) { Asked::Elsewhere } else { Asked::Idle })
    }

    /// Gives one back.
    pub async fn release(&self, pool: &PgPool, id: &RunId, lease: Lease) -> Result<(), StoreError> {
        self.drop_held(id, lease);
        let query = sqlx::query(RELEASE).bind(&self.node).bind(&id.tenant).bind(&id.interaction).bind(lease.0);
        query.execute(pool).await.map(|_| ()).map_err(|e| self.in_doubt("give a run back", e))
    }

    /// Gives all back, and leaves.
    pub async fn give_all_back(&self, pool: &PgPool) -> Result<(), StoreError> {
        for sql in ["UPDATE runs SET owner = NULL WHERE owner = $1", "DELETE FROM nodes WHERE node = $1"] {
            sqlx::query(sql).bind(&self.node).execute(pool).await.map_err(unavailable("give the runs back"))?;
        }
        Ok(())
    }

    /// What the database says this node drives, and what it does not know of: an answer was lost.
    async fn free_unknown(&self, pool: &PgPool) -> Result<(), StoreError> {
        let (tenants, interactions): (Vec<String>, Vec<String>) = {
            let mut state = self.state();
            if !std::mem::take(&mut state.doubt) {
                return Ok(());
            }
            state.held.keys().map(|id| (id.tenant.clone(), id.interaction.clone())).unzip()
        };
        let query = sqlx::query(FREE_UNKNOWN).bind(&self.node).bind(tenants).bind(interactions).execute(pool).await;
        query.map(|_| ()).map_err(|e| self.in_doubt("look for work", e))
    }

    /// An answer was lost on the way; what the database did is found out at the next look.
    pub fn in_doubt(&self, doing: &'static str, error: sqlx::Error) -> StoreError {
        self.state().doubt = true;
        unavailable(doing)(error)
    }

    /// This node drives the run.
    pub fn hold(&self, id: &RunId, lease: Lease) {
        self.state().held.insert(id.clone(), lease);
    }

    /// It does not any more.
    pub fn drop_held(&self, id: &RunId, lease: Lease) {
        let mut state = self.state();
        if state.held.get(id) == Some(&lease) {
            state.held.remove(id);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is done under this lock that can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
