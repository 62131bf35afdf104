//! A node whose store or clock is in trouble, on the real engine and the real store: it stops, says so, loses
//! nothing, and goes on by itself.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use secrecy::SecretString;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::ports::*;
use selvedge_engine::run::{Phase, Run};
use selvedge_engine::{Engine, EngineError, Parts, Settings, StoreError, Who};
use selvedge_policy::{Consent, CustomerState, ZoneEvidence};
use selvedge_record::LogKey;
use selvedge_store::SqliteStore;
use selvedge_vault::{MasterKey, Vault};
use selvedge_workflow::{ConnectorFacts, ConnectorKind, Files};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

const TENANT: &str = "riverside";
/// Monday 2026-11-23, 16:04 UTC: in Chicago, when texts may be sent.
const MONDAY: Micros = 1_795_449_840_000_000;
/// How long a node may take to go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that goes on by itself and can be said to stand behind.
struct Watch {
    start: Instant,
    behind: AtomicI64,
}

#[async_trait]
impl Clock for Watch {
    fn now(&self) -> Micros {
        MONDAY + i64::try_from(self.start.elapsed().as_micros()).unwrap()
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
struct Vendors {
    checking: tokio::sync::Semaphore,
    checks: AtomicUsize,
    sent: Mutex<Vec<String>>,
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
    async fn receive(&self, _: Webhook, _: Micros) -> Result<Vec<Report>, WebhookFault> {
        Err(WebhookFault::NoSuchConnection)
    }
}

/// A node at work on a store of its own.
struct Node {
    engine: Engine,
    clock: Arc<Watch>,
    vendors: Arc<Vendors>,
    folder: TempDir,
}

impl Node {
    async fn start() -> Node {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Watch { start: Instant::now(), behind: AtomicI64::new(0) });
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

    async fn open(&self) -> Result<RunId, EngineError> {
        let who = Who { actor: "person:maria".into(), ..Who::default() };
        self.engine.open(TENANT, "healthcare-balance", "c_ada", "call", &who).await
    }

    /// Waits until the run stands so; nobody does anything meanwhile.
    async fn becomes(&self, id: &RunId, stands: impl Fn(&Run) -> bool) {
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

    async fn checks(&self, count: usize) {
        let begun = Instant::now();
        while self.vendors.checks.load(Ordering::SeqCst) < count {
            assert!(begun.elapsed() < PATIENCE, "nobody asks the vendor");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Another process, such as a database shell that somebody left open.
    async fn beside(&self) -> SqliteConnection {
        let file = self.folder.path().join("selvedge.db");
        SqliteConnectOptions::new().filename(file).connect().await.unwrap()
    }
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

fn definitions() -> Files {
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

fn connectors() -> BTreeMap<String, ConnectorFacts> {
    let facts = |kind, fields: &[&str], function: &str, class: &str| ConnectorFacts {
        kind,
        vendor: String::new(),
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

fn consents() -> CustomerState {
    let zone = |source: &str| ZoneEvidence { zone: "America/Chicago".into(), source: source.into() };
    let consent = Consent {
        purpose: "billing".into(),
        channel: "sms".into(),
        granted: true,
        at: MONDAY - 1,
        words: "You may text me.".into(),
    };
    CustomerState {
        consents: vec![consent],
        zones: vec![zone("address"), zone("phone")],
        jurisdictions: vec!["US".into(), "US-IL".into()],
        flags: Vec::new(),
    }
}

fn fields() -> Vec<(String, SecretString)> {
    let field = |path: &str, value: &str| (path.to_owned(), SecretString::from(value.to_owned()));
    vec![
        field("patient.name", "Ada Example"),
        field("patient.mobile", "+13125550142"),
        field("account.balance", "{\"minor\":37550,\"currency\":\"USD\"}"),
        field("account.month", "2026-10"),
    ]
}

fn waits_for_the_code(run: &Run) -> bool {
    matches!(run.phase, Phase::Waiting(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_database_is_held_by_another_process_stops_says_so_and_goes_on() {
    let node = Node::start().await;
    node.engine.health().await.unwrap();
    let run = node.open().await.unwrap();
    node.checks(1).await;
    let mut other = node.beside().await;
    execute(&mut other, "BEGIN IMMEDIATE").await;

    // The vendor answers, and the answer cannot be kept.
    node.vendors.checking.add_permits(10);
    let refused = node.open().await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Store(StoreError::Unavailable { .. }) | EngineError::NotReady { .. }),
        "{refused}"
    );
    let why = node.engine.health().await.unwrap_err();
    assert!(matches!(&why, EngineError::NotReady { why } if why == "another process holds the database"), "{why}");
    assert!(matches!(node.open().await, Err(EngineError::NotReady { .. })), "it is refused at once");
    assert!(node.vendors.sent.lock().unwrap().is_empty(), "something left that could not be written down first");

    execute(&mut other, "ROLLBACK").await;

    node.becomes(&run, waits_for_the_code).await;
    node.engine.health().await.unwrap();
    let again = node.open().await.unwrap();
    node.becomes(&again, waits_for_the_code).await;
    let keys = [&run, &again].map(|id| format!("{}.identity.challenge.1", id.interaction));
    assert_eq!(*node.vendors.sent.lock().unwrap(), keys, "each code once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_steps_back_for_hours_waits_for_it() {
    let node = Node::start().await;
    let run = node.open().await.unwrap();
    node.checks(1).await;

    node.clock.behind.store(3 * 3_600_000_000, Ordering::SeqCst);
    node.vendors.checking.add_permits(10);
    let why = node.engine.health().await.unwrap_err();
    assert!(why.to_string().contains("10800 s before"), "{why}");
    assert!(matches!(node.open().await, Err(EngineError::NotReady { .. })));
    // What was on its way is written down; what would come next is not begun.
    node.becomes(&run, |run| matches!(&run.at, selvedge_engine::run::At::Node(node) if node != "identity.check")).await;
    assert!(node.vendors.sent.lock().unwrap().is_empty(), "a message left at a time that nobody knows");

    node.clock.behind.store(0, Ordering::SeqCst);

    node.becomes(&run, waits_for_the_code).await;
    assert_eq!(node.vendors.sent.lock().unwrap().len(), 1);
}
