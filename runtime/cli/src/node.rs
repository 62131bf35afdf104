//! A node: a data folder opened and every room wired to the others.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use miette::IntoDiagnostic;
use selvedge_engine::ports::store::{Journal, Store};
use selvedge_engine::ports::{
    Call, CardFields, Charged, Clock, Connectors, Failure, Field, Micros, News, Observed, Random, Report, Signal,
    Validity, Webhook, WebhookFault,
};
use selvedge_engine::{Engine, Parts, Settings};
use selvedge_policy::OptOut;
use selvedge_record::LogKey;
use selvedge_store::SqliteStore;
use selvedge_store::sqlite::writer::Watch;
use selvedge_vault::{MasterKey, Scope, Vault, WrappedKey, load_or_create_seed};

use crate::clock::SystemRandom;
use crate::failure::Failure as Fault;

/// Where a database's address is looked for when it is not on the command line.
pub const DATABASE: &str = "SELVEDGE_DATABASE";
/// The file that a running node holds a lock on.
pub const LOCK: &str = "node.lock";
/// Where the node's public key is kept for whoever verifies.
pub const PUBLIC_KEY: &str = "log.pub";

/// A data folder in use: its lock, store and keys.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The store.
    pub store: SqliteStore,
    /// The keys.
    pub keys: Keys,
    _lock: Option<File>,
}

/// The keys of a data folder. Nodes over one database have the same ones.
pub struct Keys {
    vault: Arc<Vault>,
    /// Signs checkpoints and packs.
    pub log_key: Arc<LogKey>,
}

impl Keys {
    /// The keys in `path`, made on the first call; `used`: there are records that were made with them.
    pub fn load(path: &Path, used: bool) -> miette::Result<Keys> {
        let keys = path.join("keys");
        // New keys under old records would read nothing and sign what nobody can check.
        if used && !(keys.join("master.key").is_file() && keys.join("log.key").is_file()) {
            return Err(Fault::NoKeys { folder: path.display().to_string() }.into());
        }
        let random = |out: &mut [u8]| SystemRandom.fill(out);
        let vault = Arc::new(Vault::new(MasterKey::load_or_create(&keys, &random)?));
        let log_key = Arc::new(log_key(&keys)?);
        let public = path.join(PUBLIC_KEY);
        if !public.exists() {
            std::fs::write(&public, format!("{}\n", log_key.verifier())).map_err(|e| Fault::write(&public, &e))?;
        }
        Ok(Keys { vault, log_key })
    }

    /// Keys that go with the process, for what nobody opens afterwards.
    pub fn passing() -> miette::Result<Keys> {
        let random = |out: &mut [u8]| SystemRandom.fill(out);
        let mut seed = [0; 32];
        random(&mut seed);
        let log_key = LogKey::from_seed(&log_name(&seed), &seed)?;
        Ok(Keys { vault: Arc::new(Vault::new(MasterKey::passing(&random))), log_key: Arc::new(log_key) })
    }

    /// An engine with these keys.
    pub fn engine(
        &self,
        store: Arc<dyn Store>,
        connectors: Arc<dyn Connectors>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Engine {
        let (random, vault, log_key) = (Arc::new(SystemRandom), self.vault.clone(), self.log_key.clone());
        Engine::new(Parts { store, connectors, clock, random, vault, log_key, settings })
    }

    /// An engine that reads and exports and calls nobody.
    pub fn reader(&self, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Engine {
        let settings = Settings { sender: BTreeMap::new(), public_url: String::new(), opt_out: OptOut::default() };
        self.engine(store, Arc::new(Nobody), clock, settings)
    }
}

impl Folder {
    /// Opens a data folder for a node: creates what is missing and keeps other nodes out.
    pub async fn open(path: &Path, watch: Option<Watch>) -> miette::Result<Folder> {
        create(path)?;
        let lock = lock(path)?;
        Folder::with(path, watch, Some(lock)).await
    }

    /// Whether records are in this folder.
    pub fn is_at(path: &Path) -> bool {
        path.join("selvedge.db").is_file()
    }

    /// Opens a data folder beside the node that may run in it; `new`: it need hold no records yet.
    pub async fn beside(path: &Path, new: bool) -> miette::Result<Folder> {
        if !new && !Folder::is_at(path) {
            return Err(Fault::NoData { folder: path.display().to_string() }.into());
        }
        Folder::with(path, None, None).await
    }

    async fn with(path: &Path, watch: Option<Watch>, lock: Option<File>) -> miette::Result<Folder> {
        // The store first: a folder from a newer version is refused before anything else is touched.
        let store = SqliteStore::open_watched(path, watch).await?;
        let keys = Keys::load(path, store.newest().await?.is_some())?;
        Ok(Folder { path: path.to_path_buf(), store, keys, _lock: lock })
    }

    /// Whether the master key here is the one that these data are sealed under; yes where nothing is sealed.
    pub fn opens(&self, data_key: Option<&(String, String, String, Vec<u8>)>) -> bool {
        let scope = |tenant: &String, subject: &String, class: &String| Scope {
            tenant: tenant.clone(),
            subject: subject.clone(),
            class: class.clone(),
        };
        data_key.is_none_or(|(tenant, subject, class, wrapped)| {
            self.keys.vault.unwrap(&scope(tenant, subject, class), &WrappedKey(wrapped.clone())).is_ok()
        })
    }

    /// The time of the newest event: the clock must not stand before it.
    pub async fn newest(&self) -> miette::Result<Option<Micros>> {
        Ok(self.store.newest().await?)
    }

    /// An engine over this folder.
    pub fn engine(&self, connectors: Arc<dyn Connectors>, clock: Arc<dyn Clock>, settings: Settings) -> Engine {
        self.keys.engine(Arc::new(self.store.clone()), connectors, clock, settings)
    }

    /// An engine that reads and exports and calls nobody.
    pub fn reader(&self, clock: Arc<dyn Clock>) -> Engine {
        self.keys.reader(Arc::new(self.store.clone()), clock)
    }
}

/// The log's key in a folder of keys, made on the first call.
pub fn log_key(keys: &Path) -> miette::Result<LogKey> {
    let seed = load_or_create_seed(keys, "log.key", &|out: &mut [u8]| SystemRandom.fill(out))?;
    Ok(LogKey::from_seed(&log_name(&seed), &seed)?)
}

/// A name that no other log has, as witnesses need it; 32 bits of a hash of the seed tell nothing about it.
fn log_name(seed: &[u8; 32]) -> String {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    hash.update(b"selvedge.log name\n");
    hash.update(seed);
    format!("selvedge.log/{}", hex::encode(&hash.finish().as_ref()[..4]))
}

/// Makes a folder that is its owner's alone.
pub fn create(path: &Path) -> miette::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| Fault::write(path, &e).into())
}

fn lock(path: &Path) -> miette::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path.join(LOCK)).into_diagnostic()?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Fault::InUse { folder: path.display().to_string() }.into()),
        Err(std::fs::TryLockError::Error(error)) => Err(Fault::write(&path.join(LOCK), &error).into()),
    }
}

/// No connectors: for an engine that only reads.
struct Nobody;

fn nobody<T>() -> Observed<T> {
    Observed {
        result: Err(Failure::Denied("this process only reads".into())),
        accesses: Vec::new(),
        refusals: Vec::new(),
    }
}

#[async_trait]
impl Connectors for Nobody {
    fn reader(&self, _: &str) -> Option<String> {
        None
    }
    fn digests(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    async fn send(&self, _: &Call, _: Field, _: Field) -> Observed<String> {
        nobody()
    }
    async fn check(&self, _: &Call, _: Field) -> Observed<Signal> {
        nobody()
    }
    async fn validate(&self, _: &Call, _: CardFields) -> Observed<Validity> {
        nobody()
    }
    async fn charge(&self, _: &Call, _: i64, _: &str, _: CardFields) -> Observed<Charged> {
        nobody()
    }
    async fn perform(&self, _: &Call, _: &str, _: Vec<(String, Field)>) -> Observed<String> {
        nobody()
    }
    async fn lookup(&self, _: &Call) -> Observed<Option<Report>> {
        nobody()
    }
    async fn receive(&self, _: Webhook, _: Micros) -> Result<Vec<News>, WebhookFault> {
        Err(WebhookFault::NoSuchConnection)
    }
}
