//! A node to be measured: a data folder, the sandbox with `spindle` in it, one customer, and workflows that call it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use miette::IntoDiagnostic;
use secrecy::SecretString;
use selvedge_engine::ports::store::{Journal, RunId};
use selvedge_engine::run::At;
use selvedge_engine::{Engine, Settings, Who};
use selvedge_host::{Connection, Connections, Host, HostConfig, Package, Registry, build_workspace};
use selvedge_policy::CustomerState;
use selvedge_workflow::Files;
use tokio::task::JoinHandle;

use crate::clock::StoryClock;
use crate::failure::Failure;
use crate::home;
use crate::node::Folder;
use crate::record::TENANT;

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

/// Steps of one execution, as in the peers' harness.
pub const STEPS: usize = 10;

/// The steps of [`Work::Orders`] that order.
pub const ORDERS: [&str; 2] = ["one", "two"];

/// What an execution does.
#[derive(Clone, Copy)]
pub enum Work {
    /// [`STEPS`] calls, one after the other.
    Steps,
    /// A call, an order at the vendor, a call, an order.
    Orders,
    /// Waits for an hour.
    Sleep,
}

impl Work {
    const ALL: [Work; 3] = [Work::Steps, Work::Orders, Work::Sleep];

    fn name(self) -> &'static str {
        match self {
            Work::Steps => "bench-steps",
            Work::Orders => "bench-orders",
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
            Work::Orders => ORDERS.map(|id| spin(&format!("before-{id}")) + &order(id)).concat(),
            Work::Sleep => "  - wait: { id: nap, for: 1h }\n".into(),
        };

        let name = self.name();
        format!(
            "workflow: {name}\ntitle: A measurement\npurpose: billing\nstarts: call\nuses:\n  spindle: spindle\nsteps:\n{steps}"
        )
    }
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

/// A node at work.
pub struct Stage {
    /// The engine.
    pub engine: Engine,
    /// The data folder.
    pub folder: Folder,
    keeping_time: JoinHandle<()>,
    who: Who,
}

impl Stage {
    /// Opens a folder and starts a node in it that can do all kinds of [`Work`].
    pub async fn set(home: &Path, path: &Path, registry: &Arc<Registry>) -> miette::Result<Stage> {
        let folder = Folder::open(path, None).await?;
        let clock = Arc::new(StoryClock::at(folder.newest().await?.unwrap_or(DAY).max(DAY)));
        let mut files: Files = home::definitions(home)?;
        let opt_out = home::opt_out(&files)?;
        let settings = Settings { sender: BTreeMap::new(), public_url: String::new(), opt_out };
        let engine = folder.engine(registry.clone(), clock, settings);
        for work in Work::ALL {
            files.insert(format!("{}/workflow.yaml", work.name()), work.text());
            let published = engine.publish(TENANT, &files, work.name(), &registry.connector_facts()).await?;
            let definition = published.map_err(|findings| Failure::Findings { findings })?;
            let mobile = ("patient.mobile".to_owned(), SecretString::from("+13125550142"));
            let state = CustomerState::default();
            engine.put_customer(&definition.dictionary, TENANT, CUSTOMER, &state, &[mobile]).await?;
        }
        let keeping_time = tokio::spawn({
            let engine = engine.clone();
            async move { engine.run().await }
        });
        Ok(Stage { engine, folder, keeping_time, who: Who { actor: "host".into(), ..Who::default() } })
    }

    /// Starts an execution.
    pub async fn open(&self, work: Work) -> miette::Result<RunId> {
        Ok(self.engine.open(TENANT, work.name(), CUSTOMER, "call", &self.who).await?)
    }

    /// Whether an execution is under way.
    pub async fn is_busy(&self) -> miette::Result<bool> {
        // Those that were started last are shown first, and are the last to be put down.
        Ok(self.folder.store.runs(TENANT, 512).await?.iter().any(|run| run.summary.busy))
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

    /// Stops the node, so that the database is written back into its one file.
    pub async fn stop(self) {
        self.keeping_time.abort();
        // It answers with "cancelled", which is what was asked for.
        let _ = self.keeping_time.await;
    }
}
