//! A node to tell stories about: the real engine on the real store, a clock that can be moved, and vendors that do what
//! they are asked and count it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use secrecy::SecretString;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::ports::*;
use selvedge_engine::run::Run;
use selvedge_engine::{Engine, EngineError, Parts, Settings, Who};
use selvedge_policy::{Consent, CustomerState, ZoneEvidence};
use selvedge_record::LogKey;
use selvedge_store::SqliteStore;
use selvedge_vault::{MasterKey, Vault};
use selvedge_workflow::{ConnectorFacts, ConnectorKind, Files};
use tempfile::TempDir;

pub const TENANT: &str = "riverside";
/// Monday 2026-11-23, 16:04 UTC: in Chicago, when texts may be sent.
pub const MONDAY: Micros = 1_795_449_840_000_000;
/// How long a node may take to go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that goes on by itself and can be said to stand behind.
pub struct Watch {
    start: Instant,
    skipped: AtomicI64,
    pub behind: AtomicI64,
}

impl Watch {
    /// Moves it on; who sleeps wakes.
    pub fn skip(&self, time: Micros) {
        self.skipped.fetch_add(time, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Watch {
    fn now(&self) -> Micros {
        MONDAY + self.skipped.load(Ordering::SeqCst) + i64::try_from(self.start.elapsed().as_micros()).unwrap()
    }
    fn behind(&self) -> Micros {
        self.behind.load(Ordering::SeqCst)
    }
    async fn sleep_until(&self, until: Micros) {
        let left = (until - self.now()).clamp(1_000, 20_000);
        tokio::time::sleep(Duration::from_micros(u64::try_from(left).unwrap())).await;
    }
}

struct Dice(AtomicUsize);

impl Random for Dice {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            *byte = u8::try_from(self.0.fetch_add(1, Ordering::SeqCst) % 251).unwrap();
        }
    }
}

/// Vendors that do what they are asked and count it. A check takes until it is let go.
pub struct Vendors {
    pub checking: tokio::sync::Semaphore,
    checks: AtomicUsize,
    pub sent: Mutex<Vec<String>>,
}

fn seen<T>(result: T) -> Observed<T> {
    Observed { result: Ok(result), accesses: Vec::new(), refusals: Vec::new() }
}

#[async_trait]
impl Connectors for Vendors {
    fn digests(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    async fn send(&self, call: &Call, _: Field, _: Field) -> Observed<String> {
        self.sent.lock().unwrap().push(call.idempotency_key.clone());
        seen("msg_1".into())
    }
    async fn check(&self, _: &Call, _: Field) -> Observed<Signal> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        self.checking.acquire().await.unwrap().forget();
        seen(Signal { name: "sim-swap".into(), finding: Finding::Clear, reason: "none".into() })
    }
    async fn validate(&self, _: &Call, _: CardFields) -> Observed<Validity> {
        unreachable!("nobody pays in these stories")
    }
    async fn charge(&self, _: &Call, _: i64, _: &str, _: CardFields) -> Observed<Charged> {
        unreachable!("nobody pays in these stories")
    }
    async fn lookup(&self, _: &Call) -> Observed<Option<Report>> {
        seen(None)
    }
    async fn perform(&self, _: &Call, _: &str, _: Vec<(String, Field)>) -> Observed<String> {
        unreachable!("no service is called in these stories")
    }
    fn reader(&self, _: &str) -> Option<String> {
        None
    }
    async fn receive(&self, _: Webhook, _: Micros) -> Result<Vec<News>, WebhookFault> {
        Err(WebhookFault::NoSuchConnection)
    }
}

/// A node at work on a store of its own.
pub struct Node {
    pub engine: Engine,
    pub clock: Arc<Watch>,
    pub vendors: Arc<Vendors>,
    pub folder: TempDir,
}

impl Node {
    pub async fn start() -> Node {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Watch { start: Instant::now(), skipped: AtomicI64::new(0), behind: AtomicI64::new(0) });
        let (checking, sent) = (tokio::sync::Semaphore::new(0), Mutex::default());
        let vendors = Arc::new(Vendors { checking, checks: AtomicUsize::new(0), sent });
        let random = |out: &mut [u8]| out.fill(3);
        let engine = Engine::new(Parts {
            store: Arc::new(SqliteStore::open(folder.path()).await.unwrap()),
            connectors: vendors.clone(),
            clock: clock.clone(),
            random: Arc::new(Dice(AtomicUsize::new(0))),
            vault: Arc::new(Vault::new(MasterKey::load_or_create(&folder.path().join("keys"), &random).unwrap())),
            log_key: Arc::new(LogKey::from_seed("selvedge.test/log", &[1; 32]).unwrap()),
            settings: Settings {
                sender: BTreeMap::from(["sender.name", "sender.phone"].map(|name| (name.into(), "Clinic".into()))),
                public_url: "https://pay.example.org".into(),
                opt_out: selvedge_policy::OptOut::default(),
            },
        });
        let definition = engine.publish(TENANT, &definitions(), "healthcare-balance", &connectors()).await.unwrap();
        let dictionary = &definition.unwrap_or_else(|found| panic!("{found:?}")).dictionary;
        engine.put_customer(dictionary, TENANT, "c_ada", &consents(), &fields()).await.unwrap();
        tokio::spawn({
            let engine = engine.clone();
            async move { engine.run().await }
        });
        Node { engine, clock, vendors, folder }
    }

    pub async fn open(&self) -> Result<RunId, EngineError> {
        let who = Who { actor: "person:maria".into(), ..Who::default() };
        self.engine.open(TENANT, "healthcare-balance", "c_ada", "call", &who).await
    }

    /// Waits until the run stands so; nobody does anything meanwhile.
    pub async fn becomes(&self, id: &RunId, stands: impl Fn(&Run) -> bool) {
        let begun = Instant::now();
        loop {
            let run = self.engine.run_state(id).await;
            if run.as_ref().is_ok_and(&stands) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{run:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn checks(&self, count: usize) {
        let begun = Instant::now();
        while self.vendors.checks.load(Ordering::SeqCst) < count {
            assert!(begun.elapsed() < PATIENCE, "nobody asks the vendor");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn definitions() -> Files {
    let (root, mut files) = (Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows")), Files::new());
    for folder in ["", "policies", "rules", "healthcare-balance", "healthcare-balance/templates"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

pub fn connectors() -> BTreeMap<String, ConnectorFacts> {
    let facts = |kind, fields: &[&str], function: &str, class: &str| ConnectorFacts {
        kind,
        vendor: String::new(),
        signal: String::new(),
        fields: fields.iter().map(ToString::to_string).collect(),
        purposes: BTreeSet::from(["identity".into(), "billing".into()]),
        effects: BTreeMap::from([(function.into(), class.into()), ("lookup".into(), "pure".into())]),
        grant_file: "grants/x.yaml".into(),
    };
    let card = ["card.number", "card.expiry-month", "card.expiry-year", "card.code"];
    BTreeMap::from([
        (
            "brightline-sms".into(),
            facts(ConnectorKind::Channel, &["patient.mobile", "message.text"], "send", "idempotent"),
        ),
        ("brightline-sim".into(), facts(ConnectorKind::Verifier, &["patient.mobile"], "check", "pure")),
        ("northgate-cards".into(), facts(ConnectorKind::Gateway, &card, "charge", "reconcile")),
    ])
}

pub fn consents() -> CustomerState {
    let zone = |source: &str| ZoneEvidence { zone: "America/Chicago".into(), source: source.into() };
    let consent = Consent {
        purpose: "billing".into(),
        channel: "sms".into(),
        granted: true,
        at: MONDAY - 1,
        words: "You may text me.".into(),
        ..Consent::default()
    };
    CustomerState {
        consents: vec![consent],
        zones: vec![zone("address"), zone("phone")],
        jurisdictions: vec!["US".into(), "US-IL".into()],
        ..CustomerState::default()
    }
}

pub fn fields() -> Vec<(String, SecretString)> {
    let field = |path: &str, value: &str| (path.to_owned(), SecretString::from(value.to_owned()));
    vec![
        field("patient.name", "Ada Example"),
        field("patient.mobile", "+13125550142"),
        field("account.balance", "{\"minor\":37550,\"currency\":\"USD\"}"),
        field("account.month", "2026-10"),
    ]
}
