//! The node's writer. Whatever waits is written in one transaction, a few statements with many rows each, and nobody
//! is told "done" before the database has it. Which turns may be written is decided by the rows that the update finds,
//! one turn apart from the other: one that is refused costs its neighbours nothing.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Commit, Lease, RunId};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::sync::{mpsc, oneshot};

use super::leases::Leases;
use super::{contacts, switches};
use crate::bodies::Packer;
use crate::rows::{Cells, as_i64, run_id};

/// How many turns one transaction takes at most.
const MAX_BATCH: usize = 256;
/// How many turns may wait; a caller beyond that waits itself.
const MAX_QUEUE: usize = 4096;

const DOING: &str = "write a turn";

const OPEN: &str = "INSERT INTO runs \
    (tenant, interaction, workflow, controls, customer, opened, updated, at, over, busy, wake, halted, closed, length, owner, token) \
    SELECT n.tenant, n.interaction, workflow, controls, customer, opened, updated, at, over, busy, wake, halted, \
        CASE WHEN over THEN updated END, length, \
        CASE WHEN release THEN NULL ELSE $1 END, lease \
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], \
        $10::bool[], $11::bool[], $12::bigint[], $13::bigint[], $14::bool[], $15::bigint[], $16::text[]) \
        AS n(tenant, interaction, workflow, controls, customer, opened, updated, at, over, busy, wake, length, release, lease, halted) \
    ON CONFLICT (tenant, interaction) DO NOTHING RETURNING tenant, interaction";
/// The right to write and the length of the record are looked at where they are changed.
const GO_ON: &str = "UPDATE runs SET length = runs.length + n.events, updated = n.updated, at = n.at, over = n.over, \
        busy = n.busy, wake = n.wake, halted = n.halted, \
        closed = coalesce(runs.closed, CASE WHEN n.over THEN n.updated END), owner = CASE WHEN n.release THEN NULL ELSE runs.owner END \
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bool[], $7::bool[], $8::bigint[], $9::bigint[], \
        $10::bool[], $11::bigint[], $12::bigint[], $13::text[]) \
        AS n(tenant, interaction, updated, at, over, busy, wake, events, release, lease, first, halted) \
    WHERE runs.tenant = n.tenant AND runs.interaction = n.interaction \
        AND runs.owner = $1 AND runs.token = n.lease AND (n.first IS NULL OR runs.length = n.first) \
    RETURNING runs.tenant, runs.interaction";
const KNOWN: &str = "SELECT tenant, customer, version FROM customers \
    WHERE (tenant, customer) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY tenant, customer FOR UPDATE";
/// Those of some turns that this node drives.
const DRIVEN: &str = "SELECT runs.tenant, runs.interaction FROM unnest($2::text[], $3::text[], $4::bigint[]) \
        AS n(tenant, interaction, lease) \
    JOIN runs ON runs.tenant = n.tenant AND runs.interaction = n.interaction \
    WHERE runs.owner = $1 AND runs.token = n.lease";

/// A turn on its way, and who waits for it.
struct Job {
    commit: Commit,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the writer.
pub struct Writer {
    queue: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the writer; it ends when nobody can send it anything any more.
    pub fn start(pool: PgPool, leases: Arc<Leases>) -> Result<Writer, StoreError> {
        let (queue, jobs) = mpsc::channel(MAX_QUEUE);
        tokio::spawn(serve(Desk { pool, leases, packer: Packer::new()?, connection: None }, jobs));
        Ok(Writer { queue })
    }

    /// Writes a turn and returns once it is durable.
    pub async fn write(&self, commit: Commit) -> Result<(), StoreError> {
        let gone = || StoreError::Unavailable { doing: DOING.into(), why: "the writer has stopped".into() };
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job { commit, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// What the writer works with.
struct Desk {
    pool: PgPool,
    leases: Arc<Leases>,
    packer: Packer,
    /// Kept from batch to batch; dropped when it failed.
    connection: Option<PoolConnection<Postgres>>,
}

async fn serve(mut desk: Desk, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && jobs.recv_many(&mut waiting, MAX_BATCH).await == 0 {
            return;
        }
        while waiting.len() < MAX_BATCH
            && let Ok(job) = jobs.try_recv()
        {
            waiting.push(job);
        }
        let mut together = Together::default();
        let (batch, later): (Vec<Job>, Vec<Job>) = waiting.into_iter().partition(|job| together.takes(&job.commit));
        waiting = later;
        desk.write(batch).await;
    }
}

/// What one transaction may hold: of turns that stand on one another, only the first.
#[derive(Default)]
struct Together {
    runs: BTreeSet<RunId>,
    /// Customers whose state is rested on, and those whose state is changed.
    known: BTreeSet<Customer>,
    changed: BTreeSet<Customer>,
}

impl Together {
    fn takes(&mut self, commit: &Commit) -> bool {
        if self.runs.contains(&commit.id) {
            return false;
        }
        let (rests, changes) = (customer(commit), changes(commit));
        // Contacts of one customer only add up, as long as nobody rests on how many there were.
        let overtakes = changes.iter().any(|customer| self.known.contains(customer));
        if overtakes || rests.iter().any(|customer| self.changed.contains(customer)) {
            return false;
        }
        self.known.extend(rests);
        self.changed.extend(changes);
        self.runs.insert(commit.id.clone())
    }
}

/// Tenant and customer.
type Customer = (String, String);

/// The customers whose state a turn changes.
fn changes(commit: &Commit) -> Vec<Customer> {
    let known = commit.known.iter().filter(|known| known.becomes.is_some()).map(|known| &known.customer);
    let contacts = commit.contacts.iter().filter(|change| change.made.is_some()).map(|change| &change.customer);
    known.chain(contacts).map(|customer| (commit.id.tenant.clone(), customer.clone())).collect()
}

/// The customer on whose state a turn rests.
fn customer(commit: &Commit) -> Option<Customer> {
    Some((commit.id.tenant.clone(), commit.known.as_ref()?.customer.clone()))
}

impl Desk {
    async fn write(&mut self, batch: Vec<Job>) {
        let commits: Vec<&Commit> = batch.iter().map(|job| &job.commit).collect();
        let (outcomes, alone) = match self.write_all(&commits).await {
            Ok(outcomes) => (outcomes, false),
            // Something in one of them is impossible (a sealed value twice): each is written for itself.
            Err(error) if batch.len() > 1 && is_about_a_row(&error) => (Vec::new(), true),
            Err(error) => (self.fail_all(&commits, error), false),
        };
        if alone {
            for job in batch {
                Box::pin(self.write(vec![job])).await;
            }
            return;
        }
        for (Job { commit, answer }, outcome) in batch.into_iter().zip(outcomes) {
            match &outcome {
                Ok(()) if commit.release => self.leases.drop_held(&commit.id, commit.lease),
                Ok(()) => self.leases.hold(&commit.id, commit.lease),
                Err(StoreError::Stale { .. }) => self.leases.drop_held(&commit.id, commit.lease),
                Err(_) => {}
            }
            // A caller that went away needs no answer.
            let _ = answer.send(outcome);
        }
    }

    /// One outcome for each, in their order; an error where nobody knows whether any was kept.
    async fn write_all(&mut self, commits: &[&Commit]) -> Result<Vec<Result<(), StoreError>>, sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        let written = write_batch(&mut connection, &mut self.packer, self.leases.node(), commits).await?;
        self.connection = Some(connection);
        Ok(written)
    }

    fn fail_all(&self, commits: &[&Commit], error: sqlx::Error) -> Vec<Result<(), StoreError>> {
        let why = self.leases.in_doubt(DOING, error).to_string();
        tracing::warn!(turns = commits.len(), why, "turns were not kept");
        let words = why.split_once(": ").map_or(why.as_str(), |(_, words)| words);
        let no = || StoreError::Unavailable { doing: DOING.into(), why: words.into() };
        commits.iter().map(|_| Err(no())).collect()
    }
}

/// Whether something is wrong with a value: the database says so (classes 22 and 23), or it could not be packed.
fn is_about_a_row(error: &sqlx::Error) -> bool {
    if matches!(error, sqlx::Error::Encode(_)) {
        return true;
    }
    let code = error.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// One transaction: who may write is found out, and written in full.
async fn write_batch(
    connection: &mut PgConnection,
    packer: &mut Packer,
    node: &str,
    commits: &[&Commit],
) -> Result<Vec<Result<(), StoreError>>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let switched = switched(&mut transaction, commits).await?;
    let overtaken = overtaken(&mut transaction, commits).await?;
    let stands = |id: &RunId| !switched.contains(id) && !overtaken.contains(id);
    let whole = commits.iter().copied().filter(|commit| has_no_gap(commit) && stands(&commit.id));
    let (opening, going): (Vec<&Commit>, Vec<&Commit>) = whole.partition(|commit| first(commit) == Some(0));
    let mut taken = opened(&mut transaction, node, &opening).await?;
    taken.extend(gone_on(&mut transaction, node, &going).await?);
    let left = commits.iter().copied().filter(|c| first(c) != Some(0) && !taken.contains(&c.id)).collect::<Vec<_>>();
    let stale = stale(&mut transaction, node, &left).await?;
    let written: Vec<&Commit> = commits.iter().copied().filter(|commit| taken.contains(&commit.id)).collect();
    rows::write(&mut transaction, packer, &written).await?;
    contacts::keep(&mut transaction, &written).await?;
    transaction.commit().await?;
    let outcome = |commit: &&Commit| {
        let interaction = commit.id.interaction.clone();
        if taken.contains(&commit.id) {
            return Ok(());
        }
        Err(match &commit.known {
            _ if stale.contains(&commit.id) => StoreError::Stale { interaction },
            _ if switched.contains(&commit.id) => StoreError::Switched(Box::new((*commit).clone())),
            Some(known) if overtaken.contains(&commit.id) => StoreError::Overtaken { customer: known.customer.clone() },
            _ => StoreError::Conflict { interaction },
        })
    };
    Ok(commits.iter().map(outcome).collect())
}

/// The place of a turn's first event; a turn without events follows on whatever is there.
fn first(commit: &Commit) -> Option<i64> {
    commit.events.first().map(|event| as_i64(event.seq))
}

fn has_no_gap(commit: &Commit) -> bool {
    commit.events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1)
}

/// The turns that were decided at an epoch of their tenant's kill switches that is not the one in force.
async fn switched(connection: &mut PgConnection, commits: &[&Commit]) -> Result<BTreeSet<RunId>, sqlx::Error> {
    let resting: Vec<(&Commit, u64)> = commits.iter().filter_map(|commit| Some((*commit, commit.epoch?))).collect();
    if resting.is_empty() {
        return Ok(BTreeSet::new());
    }
    let tenants: BTreeSet<&str> = resting.iter().map(|(commit, _)| commit.id.tenant.as_str()).collect();
    let epochs = switches::epochs(connection, &Vec::from_iter(tenants)).await?;
    let over = resting.into_iter().filter(|(commit, epoch)| epochs.get(&commit.id.tenant) != Some(epoch));
    Ok(over.map(|(commit, _)| commit.id.clone()).collect())
}

/// The turns that were decided on a state of their customer that is not the one in force. Those states stay as they are
/// until this transaction is over.
async fn overtaken(connection: &mut PgConnection, commits: &[&Commit]) -> Result<BTreeSet<RunId>, sqlx::Error> {
    let resting: Vec<(&Commit, Customer, i64)> = commits
        .iter()
        .filter_map(|commit| Some((*commit, customer(commit)?, commit.known.as_ref()?.version)))
        .collect();
    if resting.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (tenants, customers): (Vec<&str>, Vec<&str>) =
        resting.iter().map(|(_, (tenant, customer), _)| (tenant.as_str(), customer.as_str())).unzip();
    let rows = sqlx::query(KNOWN).bind(tenants).bind(customers).fetch_all(connection).await?;
    let versions: BTreeMap<Customer, i64> =
        rows.iter().map(|row| ((row.text("tenant"), row.text("customer")), row.number("version"))).collect();
    let over = resting.into_iter().filter(|(_, customer, version)| versions.get(customer) != Some(version));
    Ok(over.map(|(commit, _, _)| commit.id.clone()).collect())
}

/// The records that these turns opened: those that were not there.
async fn opened(connection: &mut PgConnection, node: &str, turns: &[&Commit]) -> Result<BTreeSet<RunId>, sqlx::Error> {
    if turns.is_empty() {
        return Ok(BTreeSet::new());
    }
    let query = sqlx::query(OPEN)
        .bind(node)
        .bind(column(turns, |c| c.id.tenant.clone()))
        .bind(column(turns, |c| c.id.interaction.clone()))
        .bind(column(turns, |c| c.summary.workflow.clone()))
        .bind(column(turns, |c| c.summary.controls.clone()))
        .bind(column(turns, |c| c.summary.customer.clone()))
        .bind(column(turns, |c| c.summary.opened))
        .bind(column(turns, |c| c.summary.updated))
        .bind(column(turns, |c| c.summary.at.clone()))
        .bind(column(turns, |c| c.summary.over))
        .bind(column(turns, |c| c.summary.busy))
        .bind(column(turns, |c| c.summary.wake))
        .bind(column(turns, |c| as_i64(c.events.len() as u64)))
        .bind(column(turns, |c| c.release))
        .bind(column(turns, |_| Lease::OPENING.0))
        .bind(column(turns, |c| c.summary.halted.clone()));
    Ok(query.fetch_all(connection).await?.iter().map(run_id).collect())
}

/// The runs that these turns moved on: those that this node drives and that stood where the turn begins.
async fn gone_on(connection: &mut PgConnection, node: &str, turns: &[&Commit]) -> Result<BTreeSet<RunId>, sqlx::Error> {
    if turns.is_empty() {
        return Ok(BTreeSet::new());
    }
    let query = sqlx::query(GO_ON)
        .bind(node)
        .bind(column(turns, |c| c.id.tenant.clone()))
        .bind(column(turns, |c| c.id.interaction.clone()))
        .bind(column(turns, |c| c.summary.updated))
        .bind(column(turns, |c| c.summary.at.clone()))
        .bind(column(turns, |c| c.summary.over))
        .bind(column(turns, |c| c.summary.busy))
        .bind(column(turns, |c| c.summary.wake))
        .bind(column(turns, |c| as_i64(c.events.len() as u64)))
        .bind(column(turns, |c| c.release))
        .bind(column(turns, |c| c.lease.0))
        .bind(column(turns, first))
        .bind(column(turns, |c| c.summary.halted.clone()));
    Ok(query.fetch_all(connection).await?.iter().map(run_id).collect())
}

/// Of the turns that were not taken, those whose lease is not this node's any more.
async fn stale(connection: &mut PgConnection, node: &str, turns: &[&Commit]) -> Result<BTreeSet<RunId>, sqlx::Error> {
    if turns.is_empty() {
        return Ok(BTreeSet::new());
    }
    let query = sqlx::query(DRIVEN)
        .bind(node)
        .bind(column(turns, |c| c.id.tenant.clone()))
        .bind(column(turns, |c| c.id.interaction.clone()))
        .bind(column(turns, |c| c.lease.0));
    let driven: BTreeSet<RunId> = query.fetch_all(connection).await?.iter().map(run_id).collect();
    Ok(turns.iter().map(|turn| turn.id.clone()).filter(|id| !driven.contains(id)).collect())
}

fn column<T>(turns: &[&Commit], cell: impl Fn(&Commit) -> T) -> Vec<T> {
    turns.iter().map(|turn| cell(turn)).collect()
}
