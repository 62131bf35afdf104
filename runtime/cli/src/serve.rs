//! `selvedge serve`: a node. Its keys and settings are in a data folder; its records there too, on SQLite, or in a
//! PostgreSQL that many nodes share.

pub mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use miette::IntoDiagnostic;
use selvedge_engine::ports::store::{Journal, Store};
use selvedge_engine::{Engine, Settings};
use selvedge_policy::Access;
use selvedge_server::{ServerParts, router, serve};
use selvedge_store::PostgresStore;
use selvedge_store::postgres::Address;
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::source::{Diagnostic, code};
use selvedge_workflow::{DICTIONARY, Files, schedule};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::node::{self, DATABASE, Folder, Keys};
use crate::{connector, home, log, retention};
use settings::NodeSettings;

/// Who may do what.
pub const ACCESS: &str = "policies/access.cedar";

#[derive(Args)]
pub struct Arguments {
    /// The data folder: `node.yaml`, the keys, the log, and without `--database` the records.
    #[arg(long)]
    data: PathBuf,
    /// `postgres://user@host:port/database`, which many nodes may share. `SELVEDGE_DATABASE` when left out, and
    /// SQLite in the data folder when there is none.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the API, the console and the payment page are served.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let home = home::find()?;
    let settings = NodeSettings::load(&arguments.data)?;
    let address = arguments.database.or_else(|| std::env::var(DATABASE).ok());
    let address = address.map(|url| url.parse::<Address>()).transpose()?;
    // A port that is taken is known before anything is built or opened.
    let listener = TcpListener::bind(arguments.listen).await;
    let listener =
        listener.map_err(|error| Failure::Listen { address: arguments.listen.to_string(), why: error.to_string() })?;
    match address {
        Some(address) => {
            node::create(&arguments.data)?;
            let store = PostgresStore::open(&address).await?;
            let keys = Keys::load(&arguments.data, store.newest().await?.is_some())?;
            eprintln!("records in the database {address}");
            at_work(&home, &arguments.data, settings, listener, Arc::new(store.clone()), &keys).await?;
            store.close().await?;
        }
        None => {
            let folder = Folder::open(&arguments.data, None).await?;
            eprintln!("records in {}", arguments.data.display());
            at_work(&home, &arguments.data, settings, listener, Arc::new(folder.store.clone()), &folder.keys).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves and drives until the process is told to end.
async fn at_work(
    home: &Path,
    data: &Path,
    settings: NodeSettings,
    listener: TcpListener,
    store: Arc<dyn Store>,
    keys: &Keys,
) -> miette::Result<()> {
    log::to(data)?;
    let registry = connector::load(home, connector::build(home).await?, settings.connections).await?;
    let facts = registry.connector_facts();
    let clock = Arc::new(SystemClock::not_before(store.newest().await?.unwrap_or(0)));
    let files = home::definitions(home)?;
    let schedules = schedule::read(&files).map_err(|findings| Failure::Findings { findings })?;
    let words = Settings { opt_out: home::opt_out(&files)?, ..settings.engine };
    fitting(&words.sender, &files)?;
    let engine = keys.engine(store, Arc::new(registry), clock, words.clone());
    publish(&engine, &settings.tenant, &files, &facts).await?;
    let access = Access::load(ACCESS, files.get(ACCESS).map_or("", String::as_str))
        .map_err(|findings| Failure::Findings { findings })?;
    let sender_name = words.sender.get("sender.name").cloned().unwrap_or_else(|| settings.tenant.clone());
    let parts = ServerParts {
        engine: engine.clone(),
        access,
        schedules: schedules.clone(),
        tenant: settings.tenant.clone(),
        sender_name,
        public_url: words.public_url,
        test_mode: false,
    };
    let tenant = settings.tenant;
    let driving = tokio::spawn({
        let engine = engine.clone();
        async move { engine.run().await }
    });
    let sweeping = tokio::spawn({
        let (engine, tenant, policy) = (engine.clone(), tenant.clone(), retention::policy(&files)?);
        async move { engine.sweep(&tenant, &policy).await }
    });
    let conducting = tokio::spawn(async move { engine.conduct(&tenant, &schedules).await });
    eprintln!("listening on http://{}", listener.local_addr().into_diagnostic()?);
    let mut terminate = signal(SignalKind::terminate()).into_diagnostic()?;
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let served = serve(listener, router(parts), end).await;
    driving.abort();
    sweeping.abort();
    conducting.abort();
    served.into_diagnostic()
}

/// The organisation's own texts are as long as was counted with when the messages that name them were proved.
fn fitting(sender: &BTreeMap<String, String>, files: &Files) -> Result<(), Failure> {
    let dictionary = Dictionary::read(DICTIONARY, files.get(DICTIONARY).map_or("", String::as_str));
    let dictionary = dictionary.map_err(|findings| Failure::Findings { findings })?;
    let beyond = sender.iter().filter_map(|(path, value)| {
        let longest = dictionary.get(path)?.longest.filter(|longest| value.chars().count() > *longest)?;
        let message = format!("`{path}` in the node's settings has more than {longest} characters");
        let help = "shorten it, or write a greater `longest:` at the field in `workflows/fields.yaml`";
        Some(Diagnostic::new(code::BEYOND_LIMITS, message).help(help))
    });
    let findings: Vec<Diagnostic> = beyond.collect();
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings { findings }) }
}

/// Makes every workflow of the checkout the one that new runs take.
async fn publish(
    engine: &Engine,
    tenant: &str,
    files: &Files,
    facts: &BTreeMap<String, selvedge_workflow::ConnectorFacts>,
) -> miette::Result<()> {
    for workflow in files.keys().filter_map(|path| path.strip_suffix("/workflow.yaml")) {
        let published = engine.publish(tenant, files, workflow, facts).await?;
        published.map_err(|findings| Failure::Findings { findings })?;
    }
    Ok(())
}
