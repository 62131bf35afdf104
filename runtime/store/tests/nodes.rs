//! Three nodes over one PostgreSQL, each a process: killed, paused for longer than their leases, and their database
//! crashed under them, or its primary killed for good and the standby promoted. Nothing is lost, and no customer gets a
//! message twice by the vendor's count.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

#[allow(dead_code, reason = "of a node of other stories only the clinic is needed")]
mod node;
#[allow(dead_code, reason = "shared with the stories of the store")]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use node::{MONDAY, TENANT};
use selvedge_engine::ports::store::RunId;
use selvedge_engine::ports::*;
use selvedge_engine::run::Phase;
use selvedge_engine::{Engine, Parts, Settings, Who};
use selvedge_record::LogKey;
use selvedge_store::PostgresStore;
use selvedge_vault::{MasterKey, Vault};
use server::Database;
use sqlx::{PgPool, Row};

const WORKFLOW: &str = "healthcare-balance";
/// A node that says nothing for so long loses its runs.
const LEASE: Duration = Duration::from_secs(2);
/// Longer than that.
const PAUSE: Duration = Duration::from_secs(3);
/// How many nodes there are, and how often something happens to one of them.
const NODES: usize = 3;
const BLOWS: u32 = 9;
/// How long the nodes may take afterwards.
const PATIENCE: Duration = Duration::from_secs(120);

/// Microseconds of the machine, which all these processes share.
#[allow(clippy::disallowed_methods, reason = "this file is the wiring of its nodes")]
fn machine_time() -> Micros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

/// Monday, from the moment at which the story began.
struct Monday {
    began: Micros,
}

#[async_trait]
impl Clock for Monday {
    fn now(&self) -> Micros {
        MONDAY + machine_time() - self.began
    }
    async fn sleep_until(&self, until: Micros) {
        let left = u64::try_from(until - self.now()).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(left)).await;
    }
}

struct Dice;

impl Random for Dice {
    fn fill(&self, out: &mut [u8]) {
        std::fs::File::open("/dev/urandom").unwrap().read_exact(out).unwrap();
    }
}

/// The vendor: a table of its own. Like the real one it does a thing once for each idempotency key, and it takes its
/// time before and after.
struct Vendor {
    ledger: PgPool,
}

fn seen<T>(result: Result<T, Failure>) -> Observed<T> {
    Observed { result, accesses: Vec::new(), refusals: Vec::new() }
}

#[async_trait]
impl Connectors for Vendor {
    fn digests(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    async fn send(&self, call: &Call, _: Field, _: Field) -> Observed<String> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let sql = "INSERT INTO sent (key, asked) VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET asked = sent.asked + 1";
        // Its server shares the crash of ours; it does not lose what it was asked for.
        while sqlx::query(sql).bind(&call.idempotency_key).execute(&self.ledger).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen(Ok("msg_1".into()))
    }
    async fn check(&self, _: &Call, _: Field) -> Observed<Signal> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen(Ok(Signal { name: "sim-swap".into(), finding: Finding::Clear, reason: "none".into() }))
    }
    async fn validate(&self, _: &Call, _: CardFields) -> Observed<Validity> {
        unreachable!("nobody pays in these stories")
    }
    async fn charge(&self, _: &Call, _: i64, _: &str, _: CardFields) -> Observed<Charged> {
        unreachable!("nobody pays in these stories")
    }
    async fn lookup(&self, call: &Call) -> Observed<Option<Report>> {
        let sql = "SELECT key FROM sent WHERE key = $1";
        let found = loop {
            match sqlx::query_scalar(sql).bind(&call.idempotency_key).fetch_optional(&self.ledger).await {
                Ok(found) => break found,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let report = |key: String| Report {
            event_id: key.clone(),
            idempotency_key: key,
            status: ReportStatus::Succeeded,
            reference: "msg_1".into(),
            detail: "sent".into(),
        };
        seen(Ok(found.map(report)))
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

fn engine(store: PostgresStore, ledger: PgPool, keys: &Path, began: Micros) -> Engine {
    let random = |out: &mut [u8]| Dice.fill(out);
    Engine::new(Parts {
        store: Arc::new(store),
        connectors: Arc::new(Vendor { ledger }),
        clock: Arc::new(Monday { began }),
        random: Arc::new(Dice),
        vault: Arc::new(Vault::new(MasterKey::load_or_create(keys, &random).unwrap())),
        log_key: Arc::new(LogKey::from_seed("selvedge.test/log", &[1; 32]).unwrap()),
        settings: Settings {
            sender: BTreeMap::from(["sender.name", "sender.phone"].map(|name| (name.into(), "Clinic".into()))),
            public_url: "https://pay.example.org".into(),
            opt_out: selvedge_policy::OptOut::default(),
        },
    })
}

/// What a node's process is told, in its environment.
const DATABASE: &str = "SELVEDGE_TEST_DATABASE";
const LEDGER: &str = "SELVEDGE_TEST_LEDGER";
const KEYS: &str = "SELVEDGE_TEST_KEYS";
const BEGAN: &str = "SELVEDGE_TEST_BEGAN";

/// One node: opens interactions until its stdin is closed, says which ones are durable, and drives whatever it can get.
#[test]
#[ignore = "a process of the story below"]
fn a_node() {
    let told = |name: &str| std::env::var(name).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = loop {
            match PostgresStore::open_leased(&told(DATABASE).parse().unwrap(), LEASE).await {
                Ok(store) => break store,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        let ledger = PgPool::connect_lazy(&told(LEDGER)).unwrap();
        let engine = engine(store, ledger, Path::new(&told(KEYS)), told(BEGAN).parse().unwrap());
        let driving = tokio::spawn({
            let engine = engine.clone();
            async move { engine.run().await }
        });
        let opening = Arc::new(AtomicBool::new(true));
        std::thread::spawn({
            let opening = opening.clone();
            move || {
                let _ = std::io::stdin().read_to_end(&mut Vec::new());
                opening.store(false, Ordering::Release);
            }
        });
        let who = Who { actor: "person:maria".into(), ..Who::default() };
        while opening.load(Ordering::Acquire) {
            if let Ok(id) = engine.open(TENANT, WORKFLOW, "c_ada", "call", &who).await {
                println!("opened {}", id.interaction);
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        driving.await.unwrap();
    });
}

/// A node's process and what it said.
struct Node {
    process: Child,
    stdin: Option<ChildStdin>,
}

impl Node {
    fn start(environment: &[(&str, String)], opened: &Arc<Mutex<BTreeSet<String>>>) -> Node {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_node", "--ignored", "--nocapture"])
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdout, opened) = (process.stdout.take().unwrap(), opened.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, id)) = line.split_once("opened ") {
                    opened.lock().unwrap().insert(id.to_owned());
                }
            }
        });
        let stdin = process.stdin.take();
        Node { process, stdin }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Nodes at work over a database, a vendor who counts, and what befalls them.
struct Story {
    seed: u64,
    random: Draw,
    database: Database,
    /// The vendor's own.
    ledger: PgPool,
    _keys: tempfile::TempDir,
    /// A node that only looks.
    here: Engine,
    environment: [(&'static str, String); 4],
    opened: Arc<Mutex<BTreeSet<String>>>,
    nodes: Vec<Node>,
}

impl Story {
    async fn begin(database: Database) -> Story {
        let seed = std::env::var("SELVEDGE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        eprintln!("SELVEDGE_SEED={seed}");
        let (vendor, keys) = (Database::of_vendor().await, tempfile::tempdir().unwrap());
        let ledger = PgPool::connect(&vendor.url()).await.unwrap();
        sqlx::query("CREATE TABLE sent (key text PRIMARY KEY, asked int NOT NULL)").execute(&ledger).await.unwrap();
        let began = machine_time();
        let store = PostgresStore::open_leased(&database.address(), LEASE).await.unwrap();
        let here = engine(store, ledger.clone(), keys.path(), began);
        let published = here.publish(TENANT, &node::definitions(), WORKFLOW, &node::connectors()).await.unwrap();
        let dictionary = &published.unwrap_or_else(|found| panic!("{found:?}")).dictionary;
        here.put_customer(dictionary, TENANT, "c_ada", &node::consents(), &node::fields()).await.unwrap();
        let environment = [
            (DATABASE, database.url()),
            (LEDGER, vendor.url()),
            (KEYS, keys.path().display().to_string()),
            (BEGAN, began.to_string()),
        ];
        let opened = Arc::new(Mutex::new(BTreeSet::new()));
        let nodes: Vec<Node> = (0..NODES).map(|_| Node::start(&environment, &opened)).collect();
        until_more_are_opened(&opened).await;
        let random = Draw(seed);
        Story { seed, random, database, ledger, _keys: keys, here, environment, opened, nodes }
    }

    /// Nothing that was acknowledged is lost, and the vendor was asked for each message once.
    async fn end(mut self) {
        let seed = self.seed;
        self.nodes.iter_mut().for_each(|node| drop(node.stdin.take()));
        all_come_to_rest(&self.here, &self.database, seed).await;
        let opened = self.opened.lock().unwrap().clone();
        let mut beside = self.database.beside().await;
        let runs = sqlx::query("SELECT interaction FROM runs").fetch_all(&mut beside).await.unwrap();
        let runs: BTreeSet<String> = runs.iter().map(|row| row.get(0)).collect();
        assert!(opened.is_subset(&runs), "SELVEDGE_SEED={seed}: an interaction that was acknowledged is lost");
        let sent = sqlx::query("SELECT key FROM sent ORDER BY key").fetch_all(&self.ledger).await.unwrap();
        let sent: Vec<String> = sent.iter().map(|row| row.get(0)).collect();
        let each_once: Vec<String> = runs.iter().map(|run| format!("{run}.identity.challenge.1")).collect();
        assert_eq!(sent, each_once, "SELVEDGE_SEED={seed}: by the vendor's ledger");
        eprintln!("{} interactions", runs.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_are_killed_and_paused_lose_nothing_and_repeat_nothing() {
    let mut story = Story::begin(Database::create().await).await;
    for blow in 0..BLOWS {
        tokio::time::sleep(Duration::from_millis(story.random.below(700))).await;
        let hit = story.random.below(NODES as u64) as usize;
        match blow % 3 {
            0 => story.nodes[hit] = Node::start(&story.environment, &story.opened),
            1 => {
                story.nodes[hit].signal("-STOP");
                tokio::time::sleep(PAUSE).await;
                story.nodes[hit].signal("-CONT");
            }
            _ => tokio::task::spawn_blocking(server::crash).await.unwrap(),
        }
        until_more_are_opened(&story.opened).await;
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_promoted_has_all_and_nothing_is_repeated() {
    let mut story = Story::begin(Database::create_with_standby().await).await;
    tokio::time::sleep(Duration::from_millis(story.random.below(700))).await;
    tokio::task::spawn_blocking(server::fail_over).await.unwrap();
    until_more_are_opened(&story.opened).await;
    story.end().await;
}

/// The nodes are at work: a few more interactions than before are durable.
async fn until_more_are_opened(opened: &Mutex<BTreeSet<String>>) {
    let (before, begun) = (opened.lock().unwrap().len(), Instant::now());
    while opened.lock().unwrap().len() < before + 5 {
        assert!(begun.elapsed() < PATIENCE, "the nodes open nothing any more");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every run waits for its code, and nobody drives any.
async fn all_come_to_rest(engine: &Engine, database: &Database, seed: u64) {
    let (mut beside, begun) = (database.beside().await, Instant::now());
    let moving = "SELECT count(*) FROM runs WHERE busy OR owner IS NOT NULL";
    loop {
        let moving: i64 = sqlx::query_scalar(moving).fetch_one(&mut beside).await.unwrap();
        if moving == 0 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "SELVEDGE_SEED={seed}: {moving} runs do not come to rest");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for listed in engine.list(TENANT, 100_000).await.unwrap() {
        let id = RunId { tenant: TENANT.into(), interaction: listed.interaction };
        let run = engine.run_state(&id).await.unwrap();
        assert!(matches!(run.phase(), Phase::Waiting(_)), "SELVEDGE_SEED={seed}: {:?} {:?}", run.at(), run.phase());
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
