//! What the stories share: a data folder, a vendor who counts, a clock that only the story moves, and lives of a
//! process: at the end of one everything in memory is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use selvedge_engine::ports::store::RunId;
use selvedge_engine::ports::*;
use selvedge_engine::{Engine, Fact, Parts, Settings, Who};
use selvedge_policy::{Consent, CustomerState, ZoneEvidence};
use selvedge_record::LogKey;
use selvedge_store::SqliteStore;
use selvedge_store::sqlite::writer::Moment;
use selvedge_vault::{MasterKey, Vault};
use selvedge_workflow::{ConnectorFacts, ConnectorKind, Files};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

pub const TENANT: &str = "riverside";
pub const WORKFLOW: &str = "story";
pub const DAY: Micros = 86_400_000_000;
/// A Monday, ten in the morning in Chicago.
const MONDAY: Micros = 1_795_449_840_000_000;

/// What a story stands on. Outlives every process in it.
pub struct House {
    folder: TempDir,
    pub clock: Arc<Hands>,
    pub vendor: Arc<Vendor>,
    pub files: Files,
}

/// A clock whose hands the story moves.
pub struct Hands(AtomicI64);

impl Hands {
    pub fn advance(&self, by: Micros) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }
    async fn sleep_until(&self, until: Micros) {
        while self.now() < until {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

struct Dice(AtomicU8);

impl Random for Dice {
    fn fill(&self, out: &mut [u8]) {
        out.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::SeqCst));
        if let Some(first) = out.first_mut() {
            *first = self.0.fetch_add(7, Ordering::SeqCst);
        }
    }
}

/// The vendor: takes an order of a key once, as its idempotency says, and counts what it was asked.
#[derive(Default)]
pub struct Vendor {
    /// Key and text of every message that was taken, in order.
    pub taken: Mutex<Vec<(String, String)>>,
    /// How often somebody asked for something.
    pub asked: AtomicI64,
    /// Function, key and what was handed over of everything that the service did, in order.
    pub done: Mutex<Vec<(String, String, Vec<String>)>>,
    /// Functions of the service that are not possible.
    pub refuses: Mutex<BTreeSet<String>>,
    /// It reports the next message to this engine before it answers.
    pub early: Mutex<Option<Engine>>,
    /// There the one that reports early waits twice, and each call of the service once.
    pub meets: Mutex<Option<Arc<Barrier>>>,
    /// Whether the service leaves open what became of a call.
    pub vague: Mutex<bool>,
}

impl Vendor {
    /// The code in the newest text.
    pub fn code(&self) -> String {
        let taken = self.taken.lock().unwrap();
        taken.last().unwrap().1.chars().filter(char::is_ascii_digit).collect()
    }

    /// What the service did, in order: function and what it was handed.
    pub fn did(&self) -> Vec<String> {
        let done = self.done.lock().unwrap();
        done.iter().map(|(function, _, handed)| format!("{function} {}", handed.join(" ")).trim_end().into()).collect()
    }

    async fn meet(&self) {
        let meets = self.meets.lock().unwrap().clone();
        if let Some(meets) = meets {
            meets.wait().await;
        }
    }

    /// The steps whose messages were taken, in order.
    pub fn steps(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter_map(|(key, _)| Some(key.split('.').nth(1)?.to_owned())).collect()
    }
}

fn seen<T>(result: Result<T, Failure>) -> Observed<T> {
    Observed { result, accesses: Vec::new(), refusals: Vec::new() }
}

#[async_trait]
impl Connectors for Vendor {
    fn digests(&self) -> BTreeMap<String, String> {
        ["texts", "sim", "cards", "books"].map(|name| (name.to_owned(), format!("sha256:{}", "0".repeat(64)))).into()
    }
    async fn send(&self, call: &Call, _: Field, text: Field) -> Observed<String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let early = self.early.lock().unwrap().take();
        if let Some(engine) = early {
            let (connection, body) = ("texts".to_owned(), call.idempotency_key.clone().into_bytes());
            let webhook = Webhook { connection, headers: Vec::new(), body };
            assert_eq!(engine.webhook(TENANT, webhook).await.unwrap(), Ok(1));
            self.meet().await;
            self.meet().await;
        }
        let mut taken = self.taken.lock().unwrap();
        if taken.iter().all(|(key, _)| *key != call.idempotency_key) {
            taken.push((call.idempotency_key.clone(), text.value.expose_secret().to_owned()));
        }
        seen(Ok(format!("msg_{}", taken.len())))
    }
    async fn check(&self, _: &Call, _: Field) -> Observed<Signal> {
        seen(Ok(Signal { name: "sim-swap".into(), finding: Finding::Clear, reason: "old".into() }))
    }
    async fn validate(&self, _: &Call, _: CardFields) -> Observed<Validity> {
        seen(Ok(Validity::Good("ch_0".into())))
    }
    async fn charge(&self, _: &Call, _: i64, _: &str, _: CardFields) -> Observed<Charged> {
        seen(Ok(Charged::Paid("ch_1".into())))
    }
    async fn perform(&self, call: &Call, function: &str, with: Vec<(String, Field)>) -> Observed<String> {
        self.meet().await;
        if *self.vague.lock().unwrap() {
            return seen(Err(Failure::Unknown("no answer".into())));
        }
        if self.refuses.lock().unwrap().contains(function) {
            return seen(Err(Failure::Permanent("not possible".into())));
        }
        let handed = with.iter().map(|(_, field)| field.value.expose_secret().to_owned()).collect();
        let mut done = self.done.lock().unwrap();
        if done.iter().all(|(_, key, _)| *key != call.idempotency_key) {
            done.push((function.into(), call.idempotency_key.clone(), handed));
        }
        seen(Ok("{}".into()))
    }
    async fn lookup(&self, _: &Call) -> Observed<Option<Report>> {
        seen(Ok(None))
    }
    fn reader(&self, connection: &str) -> Option<String> {
        Some(connection.to_owned())
    }
    /// Its reports are the key of a message that was delivered.
    async fn receive(&self, webhook: Webhook, _: Micros) -> Result<Vec<News>, WebhookFault> {
        let idempotency_key = String::from_utf8(webhook.body).unwrap();
        let report = Report {
            event_id: "ev_1".into(),
            idempotency_key,
            status: ReportStatus::Succeeded,
            reference: "msg_1".into(),
            detail: "delivered".into(),
        };
        Ok(vec![News::Report(report)])
    }
}

impl House {
    /// A workflow with these steps. Its templates: `note` and `code`, texts without a field.
    pub fn new(steps: &str) -> House {
        let head = "workflow: story\ntitle: A story\npurpose: billing\nstarts: call\nuses: { texts: texts, sim: sim, cards: cards, books: books }\nsteps:\n";
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
        let read = |path: &str| (path.to_owned(), std::fs::read_to_string(shipped.join(path)).unwrap());
        let mut files: Files =
            ["fields.yaml", "policies/assurance.yaml", "rules/tcpa.yaml", "rules/state.yaml"].map(read).into();
        files.insert(format!("{WORKFLOW}/workflow.yaml"), format!("{head}{steps}"));
        let code = "{{ sender.name }}: your code is {{ challenge.code }}.";
        files.insert(format!("{WORKFLOW}/templates/code.sms.txt"), code.into());
        for name in ["note", "other"] {
            files.insert(
                format!("{WORKFLOW}/templates/{name}.sms.txt"),
                format!("A {name} from {{{{ sender.name }}}}. STOP to end."),
            );
        }
        House {
            folder: TempDir::new().unwrap(),
            clock: Arc::new(Hands(AtomicI64::new(MONDAY))),
            vendor: Arc::default(),
            files,
        }
    }

    /// The same house, with one of its files changed, or added to what is not there.
    pub fn with(mut self, path: &str, change: impl FnOnce(&str) -> String) -> House {
        let text = change(self.files.get(path).map_or("", String::as_str));
        self.files.insert(path.to_owned(), text);
        self
    }

    /// One life of a process: `story` runs on an engine over the folder. Whatever is not durable at its end is lost.
    pub fn life<T>(&self, story: impl AsyncFnOnce(&Engine) -> T) -> T {
        self.watched(None, story)
    }

    /// The same, killed at the `nth` commit: before it is durable, or after.
    pub fn life_until_commit<T>(&self, nth: i64, moment: Moment, story: impl AsyncFnOnce(&Engine) -> T) -> T {
        self.watched(Some((nth, moment)), story)
    }

    fn watched<T>(&self, kill: Option<(i64, Moment)>, story: impl AsyncFnOnce(&Engine) -> T) -> T {
        let runtime = Runtime::new().unwrap();
        let told = runtime.block_on(async { story(&self.engine(kill).await).await });
        runtime.shutdown_background();
        told
    }

    async fn engine(&self, kill: Option<(i64, Moment)>) -> Engine {
        let random = Dice(AtomicU8::new(self.clock.now().to_le_bytes()[3]));
        let fill = |out: &mut [u8]| random.fill(out);
        let master = MasterKey::load_or_create(&self.folder.path().join("keys"), &fill).unwrap();
        let engine = |store: SqliteStore, random| {
            Engine::new(Parts {
                store: Arc::new(store),
                connectors: self.vendor.clone(),
                clock: self.clock.clone(),
                random: Arc::new(random),
                vault: Arc::new(Vault::new(master)),
                log_key: Arc::new(LogKey::from_seed("selvedge.log/story", &[7; 32]).unwrap()),
                settings: Settings {
                    sender: [("sender.name".to_owned(), "Riverside".to_owned())].into(),
                    public_url: "https://pay.example.org".into(),
                    opt_out: selvedge_policy::OptOut::default(),
                },
            })
        };
        let left = AtomicI64::new(kill.map_or(0, |(nth, _)| nth));
        let watch = kill.map(|(_, at)| {
            let watch: selvedge_store::sqlite::writer::Watch = Arc::new(move |moment| {
                if moment == at && left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    panic!("killed, as the story wants it");
                }
            });
            watch
        });
        engine(SqliteStore::open_watched(self.folder.path(), watch).await.unwrap(), random)
    }

    /// Publishes the workflow and opens an interaction for a customer with these fields.
    pub async fn open(&self, engine: &Engine, fields: &[(&str, &str)]) -> RunId {
        let published = engine.publish(TENANT, &self.files, WORKFLOW, &connectors()).await.unwrap();
        let definition = published.unwrap_or_else(|found| panic!("{}", told(&found)));
        let all = fields.iter().chain(&[("patient.mobile", "+13125550142")]);
        let all: Vec<_> = all.map(|(path, value)| ((*path).to_owned(), SecretString::from(*value))).collect();
        engine.put_customer(&definition.dictionary, TENANT, "c_1", &state(), &all).await.unwrap();
        engine.open(TENANT, WORKFLOW, "c_1", "call", &maria()).await.unwrap()
    }
}

/// The agent who opens every interaction.
pub fn maria() -> Who {
    colleague("maria", "billing-agent")
}

pub fn colleague(name: &str, function: &str) -> Who {
    Who { actor: format!("person:{name}"), function: Some(function.into()), ..Who::default() }
}

fn told(found: &[selvedge_workflow::source::Diagnostic]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn state() -> CustomerState {
    let consent = Consent {
        purpose: "billing".into(),
        channel: "sms".into(),
        granted: true,
        at: MONDAY - 90 * DAY,
        words: "You may text me about my bill.".into(),
        ..Consent::default()
    };
    let zone = |source: &str| ZoneEvidence { zone: "America/Chicago".into(), source: source.into() };
    CustomerState {
        consents: vec![consent],
        zones: vec![zone("address"), zone("phone")],
        jurisdictions: vec!["US".into(), "US-IL".into()],
        ..CustomerState::default()
    }
}

pub fn connectors() -> BTreeMap<String, ConnectorFacts> {
    let facts = |kind, fields: &[&str], effects: &[(&str, &str)]| ConnectorFacts {
        kind,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        purposes: BTreeSet::from(["identity".into(), "billing".into()]),
        effects: effects.iter().map(|(function, class)| ((*function).to_owned(), (*class).to_owned())).collect(),
        grant_file: "grants/x.yaml".into(),
        vendor: String::new(),
        signal: String::new(),
    };
    let cards = ["card.number", "card.expiry-month", "card.expiry-year", "card.code"];
    BTreeMap::from([
        ("texts".into(), facts(ConnectorKind::Channel, &["patient.mobile", "message.text"], &[("send", "idempotent")])),
        ("sim".into(), facts(ConnectorKind::Verifier, &["patient.mobile"], &[("check", "pure")])),
        ("cards".into(), facts(ConnectorKind::Gateway, &cards, &[("charge", "reconcile")])),
        (
            "books".into(),
            facts(
                ConnectorKind::Service,
                &["contract.address", "patient.name"],
                &["post", "note", "close", "withdraw", "strike"].map(|function| (function, "idempotent")),
            ),
        ),
    ])
}

/// The facts of a record, in order.
pub async fn facts(engine: &Engine, id: &RunId) -> Vec<Fact> {
    let events = engine.events(id).await.unwrap();
    events.into_iter().map(|event| Fact::from_kind_and_data(&event.kind, event.data).unwrap()).collect()
}
