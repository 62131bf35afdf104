//! A node to be measured: a data folder, the sandbox with `spindle` in it, one customer, and workflows that call it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use miette::IntoDiagnostic;
use secrecy::SecretString;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Journal, RunId};
use selvedge_engine::run::At;
use selvedge_engine::{Engine, Settings, Who};
use selvedge_host::{Connection, Connections, Host, HostConfig, Package, Registry, build_workspace};
use selvedge_policy::CustomerState;
use selvedge_store::PostgresStore;
use selvedge_workflow::Files;
use selvedge_workflow::dictionary::Dictionary;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::StoryClock;
use crate::failure::Failure;
use crate::home;
use crate::node::{self, Folder, Keys};
use crate::record::TENANT;

use super::Place;
use super::meter::on_disk;

/// The connector, and its folder below [`CONNECTORS`].
const SPINDLE: &str = "spindle";
/// The workspace that it is built in.
const CONNECTORS: &str = "tests/connectors";
/// The customer of every execution.
const CUSTOMER: &str = "c_bench";
/// When it is: any day serves.
const DAY: i64 = 1_795_449_840_000_000;
/// What the vendor's double wants to see.
pub const KEY: &str = "sk_test_bench";

/// Where no vendor listens, for work that calls none.
pub const NOBODY: &str = "http://127.0.0.1:9";

/// Steps of one execution, as in the peers' harness.
pub const STEPS: usize = 10;

/// The steps of [`Work::Orders`] that order.
pub const ORDERS: [&str; 2] = ["one", "two"];

/// Items of [`Work::Each`].
pub const ITEMS: usize = 100;

/// How long [`Work::Sleep`] waits, in microseconds.
pub const NAP: Micros = 3_600_000_000;

/// What an execution does.
#[derive(Clone, Copy)]
pub enum Work {
    /// [`STEPS`] calls, one after the other.
    Steps,
    /// One call.
    Step,
    /// A call, an order at the vendor, a call, an order.
    Orders,
    /// A call for each of [`ITEMS`] items, all at once.
    Each,
    /// Waits for an hour.
    Sleep,
}

impl Work {
    const ALL: [Work; 5] = [Work::Steps, Work::Step, Work::Orders, Work::Each, Work::Sleep];

    /// The workflow.
    pub fn name(self) -> &'static str {
        match self {
            Work::Steps => "bench-steps",
            Work::Step => "bench-step",
            Work::Orders => "bench-orders",
            Work::Each => "bench-each",
            Work::Sleep => "bench-sleep",
        }
    }

    fn text(self) -> String {
        let spin = |id: &str| format!("  - call: {{ id: {id}, through: spindle, function: spin }}\n");
        let order = |id: &str| {
            format!("  - call: {{ id: {id}, through: spindle, function: order, with: {{ to: patient.mobile }} }}\n")
        };
        let steps: String = match self {
            Work::Steps => (1..=STEPS).map(|n| spin(&format!("step-{n}"))).collect(),
            Work::Step => spin("step"),
            Work::Orders => ORDERS.map(|id| spin(&format!("before-{id}")) + &order(id)).concat(),
            Work::Each => format!(
                "  - for-each:\n      id: items\n      every: contract\n      at-once: {ITEMS}\n      steps:\n      {}",
                spin("step")
            ),
            Work::Sleep => "  - wait: { id: nap, for: 1h }\n".into(),
        };

        let name = self.name();
        format!(
            "workflow: {name}\ntitle: A measurement\npurpose: billing\nstarts: call\nuses:\n  spindle: spindle\nsteps:\n{steps}"
        )
    }
}

/// The customer of a number.
pub fn customer(n: usize) -> String {
    format!("c_{n}")
}

/// Builds `spindle`; what is up to date is not built again.
pub async fn build(home: &Path) -> miette::Result<Vec<u8>> {
    let folder = home.join(CONNECTORS);
    let built = tokio::task::spawn_blocking(move || build_workspace(&folder, &mut |line| eprintln!("  {line}")));
    let missing = || Failure::NoGrant { connector: SPINDLE.into() };
    Ok(built.await.into_diagnostic()??.remove(SPINDLE).ok_or_else(missing)?)
}

/// The sandbox with `spindle` loaded; its orders go to `vendor`.
pub async fn sandbox(home: &Path, component: Vec<u8>, vendor: &str) -> miette::Result<Arc<Registry>> {
    let connection =
        Connection { base_url: vendor.to_owned(), credential: SecretString::from(KEY), webhook_secret: None };
    let paper = |name: &str| {
        let path = format!("{CONNECTORS}/{SPINDLE}/{name}");
        Ok::<_, Failure>((path.clone(), home::text(&home.join(path))?))
    };
    let package = Package { wasm: component, manifest: paper("connector.yaml")?, grant: paper("grant.yaml")? };
    let loaded = tokio::task::spawn_blocking(move || -> miette::Result<Registry> {
        let mut registry = Registry::new(Host::new(HostConfig::default())?);
        let connector = registry.host().load(package, &Connections::from([("vendor".into(), connection)]))?;
        registry.add(connector)?;
        Ok(registry)
    });
    Ok(Arc::new(loaded.await.into_diagnostic()??))
}

/// What a node keeps its records in.
enum Kept {
    Folder(Folder),
    Database { store: PostgresStore, keys: Keys },
}

impl Kept {
    async fn open(place: &Place) -> miette::Result<Kept> {
        let Some(address) = &place.database else { return Ok(Kept::Folder(Folder::open(&place.path, None).await?)) };
        node::create(&place.path)?;
        let store = PostgresStore::open(address).await?;
        let keys = Keys::load(&place.path, store.newest().await?.is_some())?;
        Ok(Kept::Database { store, keys })
    }

    fn engine(&self, connectors: Arc<Registry>, clock: Arc<StoryClock>, settings: Settings) -> Engine {
        match self {
            Kept::Folder(folder) => folder.engine(connectors, clock, settings),
            Kept::Database { store, keys } => keys.engine(Arc::new(store.clone()), connectors, clock, settings),
        }
    }

    async fn newest(&self) -> miette::Result<Option<Micros>> {
        match self {
            Kept::Folder(folder) => folder.newest().await,
            Kept::Database { store, .. } => Ok(store.newest().await?),
        }
    }
}

/// A node at work.
pub struct Stage {
    /// The engine.
    pub engine: Engine,
    clock: Arc<StoryClock>,
    kept: Kept,
    keeping_time: JoinHandle<()>,
    /// Who opens executions.
    pub who: Who,
    dictionary: Dictionary,
}

impl Stage {
    /// Starts a node at a place that can do all kinds of [`Work`].
    pub async fn set(home: &Path, place: &Place, registry: &Arc<Registry>) -> miette::Result<Stage> {
        let kept = Kept::open(place).await?;
        let clock = Arc::new(StoryClock::at(kept.newest().await?.unwrap_or(DAY).max(DAY)));
        let mut files: Files = home::definitions(home)?;
        let opt_out = home::opt_out(&files)?;
        let settings = Settings { sender: BTreeMap::new(), public_url: String::new(), opt_out };
        let engine = kept.engine(registry.clone(), clock.clone(), settings);
        for work in Work::ALL {
            files.insert(format!("{}/workflow.yaml", work.name()), work.text());
            let published = engine.publish(TENANT, &files, work.name(), &registry.connector_facts()).await?;
            published.map_err(|findings| Failure::Findings { findings })?;
        }
        let dictionary = crate::customer::dictionary()?;
        let items = (1..=ITEMS).map(|n| (format!("contract.address#{n}"), SecretString::from(format!("{n} Elm"))));
        let mobile = ("patient.mobile".to_owned(), SecretString::from("+13125550142"));
        let fields: Vec<_> = items.chain([mobile]).collect();
        engine.put_customer(&dictionary, TENANT, CUSTOMER, &CustomerState::default(), &fields).await?;
        let keeping_time = tokio::spawn({
            let engine = engine.clone();
            async move { engine.run().await }
        });
        Ok(Stage { engine, clock, kept, keeping_time, who: Who { actor: "host".into(), ..Who::default() }, dictionary })
    }

    /// Takes in so many customers, each [`customer`] of a number.
    pub async fn enroll(self: &Arc<Stage>, customers: usize) -> miette::Result<()> {
        let (next, mut at_work) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        for _ in 0..64 {
            let (stage, next) = (self.clone(), next.clone());
            at_work.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= customers {
                        return Ok::<_, miette::Report>(());
                    }
                    let state = CustomerState::default();
                    stage.engine.put_customer(&stage.dictionary, TENANT, &customer(n), &state, &[]).await?;
                }
            });
        }
        while let Some(enrolled) = at_work.join_next().await {
            enrolled.into_diagnostic()??;
        }
        Ok(())
    }

    /// Starts an execution.
    pub async fn open(&self, work: Work) -> miette::Result<RunId> {
        Ok(self.engine.open(TENANT, work.name(), CUSTOMER, "web", &self.who).await?)
    }

    /// Whether an execution is under way.
    pub async fn is_busy(&self) -> miette::Result<bool> {
        // Those that were started last are shown first, and are the last to be put down.
        Ok(self.engine.store().runs(TENANT, 512).await?.iter().any(|run| run.summary.busy))
    }

    /// Waits until nothing is under way.
    pub async fn parked(&self) -> miette::Result<()> {
        while self.is_busy().await? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Moves the clock on.
    pub fn pass(&self, time: Micros) {
        self.clock.move_to(self.engine.now() + time);
    }

    /// Whether a run waits for its time that nobody has taken up.
    pub async fn is_waiting(&self) -> miette::Result<bool> {
        Ok(self.engine.store().next_wake().await?.is_some())
    }

    /// Whether the newest executions, so many, have all completed.
    pub async fn completed(&self, executions: usize) -> miette::Result<bool> {
        let limit = u32::try_from(executions).unwrap_or(u32::MAX);
        let runs = self.engine.store().runs(TENANT, limit).await?;
        Ok(runs.len() == executions && runs.iter().all(|run| run.summary.over && run.summary.at == "completed"))
    }

    /// Starts an execution and waits for its end.
    pub async fn execute(&self, work: Work) -> miette::Result<()> {
        let id = self.open(work).await?;
        let run = self.engine.settle(&id).await?;
        match run.at() {
            At::End(ending) if ending == "completed" && run.closed => Ok(()),
            at => {
                Err(Failure::Measurement { at: format!("{at:?}"), why: "an execution did not complete".into() }.into())
            }
        }
    }

    /// Bytes that its records take on the disk; of PostgreSQL those of the database, without the server's WAL.
    pub async fn size(&self) -> miette::Result<u64> {
        Ok(match &self.kept {
            Kept::Folder(folder) => on_disk(&folder.path),
            Kept::Database { store, .. } => store.size().await?,
        })
    }

    /// Stops the node, so that SQLite writes its log back into the one file. What the records take then.
    pub async fn stop(self) -> miette::Result<u64> {
        self.keeping_time.abort();
        // It answers with "cancelled", which is what was asked for.
        let _ = self.keeping_time.await;
        drop(self.engine);
        match self.kept {
            Kept::Folder(folder) => {
                let Folder { path, store, .. } = folder;
                store.close().await;
                Ok(on_disk(&path))
            }
            Kept::Database { store, .. } => {
                let size = store.size().await?;
                store.close().await?;
                Ok(size)
            }
        }
    }
}

/// Executes [`Work::Steps`] so many times, this many at once, and gives how long each took.
pub async fn execute(stage: &Arc<Stage>, executions: usize, clients: usize) -> miette::Result<Vec<Duration>> {
    spread(stage, Work::Steps, executions, clients).await
}

/// A closed loop: each client begins the next one when its last one is done.
pub async fn spread(stage: &Arc<Stage>, work: Work, n: usize, clients: usize) -> miette::Result<Vec<Duration>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut at_work = JoinSet::new();
    for _ in 0..clients {
        let (stage, next) = (stage.clone(), next.clone());
        at_work.spawn(async move {
            let mut waits = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < n {
                let begun = Instant::now();
                match work {
                    Work::Sleep => drop(stage.open(work).await?),
                    Work::Steps | Work::Step | Work::Orders | Work::Each => stage.execute(work).await?,
                }
                waits.push(begun.elapsed());
            }
            Ok::<_, miette::Report>(waits)
        });
    }
    let mut all = Vec::with_capacity(n);
    while let Some(waits) = at_work.join_next().await {
        all.extend(waits.into_diagnostic()??);
    }
    Ok(all)
}

/// Stops a node that nobody else holds any more, and says what its records take.
pub async fn put_down(stage: Arc<Stage>) -> miette::Result<u64> {
    let held = || Failure::Measurement { at: "the end".into(), why: "the node is still at work".into() };
    Arc::into_inner(stage).ok_or_else(held)?.stop().await
}
