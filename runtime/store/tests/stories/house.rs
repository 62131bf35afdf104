//! A house for stories of runs: engines over one store, a vendor whose answers the story holds back, a clock that it
//! moves. The workflow is the shipped one: a SIM check, a code by text, a disclosure, an offer, and so on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use selvedge_engine::ports::store::{RunId, Store};
use selvedge_engine::ports::*;
use selvedge_engine::{Engine, Fact, Parts, Run, Settings, Who};
use selvedge_policy::{Consent, CustomerState, OptOut, ZoneEvidence};
use selvedge_record::LogKey;
use selvedge_vault::{MasterKey, Vault};
use selvedge_workflow::{ConnectorFacts, ConnectorKind, Files};
use tempfile::TempDir;
use tokio::sync::watch;

use super::support::TENANT;

/// The workflow of these stories.
pub const WORKFLOW: &str = "healthcare-balance";
/// A workflow of the story's own.
const OWN: &str = "story";
/// The connector of its messages, and its vendor.
pub const SMS: &str = "brightline-sms";
/// Another connector for messages, of another vendor; only stories with workflows of their own use it.
pub const OTHER_SMS: &str = "harbor-sms";
/// The customer.
const CUSTOMER: &str = "c_ada";
/// Monday 2026-11-23, 10:04 in Chicago: texts may be sent.
const MONDAY: Micros = 1_795_449_840_000_000;
/// So long a story waits for what must happen; only a story that fails waits to the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the vendor does with the next messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Takes them.
    Sends,
    /// Certainly does nothing; it may be tried again.
    Busy,
    /// Does not answer before the story changes its mind.
    Hangs,
    /// Does not say whether it took them.
    Unknown,
    /// Is called by a connector that ends in a defect.
    Breaks,
}

/// The vendor: what reached it, and how it answers.
pub struct Vendor {
    answer: watch::Sender<Answer>,
    checks_hang: watch::Sender<bool>,
    /// What the check of the SIM finds.
    finds: Mutex<Finding>,
    questions_hang: watch::Sender<bool>,
    /// The keys of the messages that reached it.
    pub messages: Mutex<Vec<String>>,
    /// The texts.
    texts: Mutex<Vec<String>>,
    /// The keys of the checks that reached it.
    pub checks: Mutex<Vec<String>>,
    /// The keys that it was asked about.
    pub asked: Mutex<Vec<String>>,
}

impl Vendor {
    pub fn answers(&self, answer: Answer) {
        self.answer.send_replace(answer);
    }

    pub fn holds_checks(&self, hang: bool) {
        self.checks_hang.send_replace(hang);
    }

    pub fn finds(&self, finding: Finding) {
        *self.finds.lock().unwrap() = finding;
    }

    pub fn holds_questions(&self, hang: bool) {
        self.questions_hang.send_replace(hang);
    }

    pub fn messages(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    /// The code in the newest text.
    pub fn code(&self) -> String {
        let texts = self.texts.lock().unwrap();
        let digits: String = texts.last().unwrap().chars().filter(char::is_ascii_digit).take(6).collect();
        digits
    }
}

/// The vendor as connectors.
struct Through(Arc<Vendor>);

fn observed<T>(result: Result<T, Failure>) -> Observed<T> {
    Observed { result, accesses: Vec::new(), refusals: Vec::new() }
}

#[async_trait]
impl Connectors for Through {
    fn digests(&self) -> BTreeMap<String, String> {
        facts().into_keys().map(|name| (name, "sha256:00".into())).collect()
    }
    async fn send(&self, call: &Call, _: Field, text: Field) -> Observed<String> {
        self.0.messages.lock().unwrap().push(call.idempotency_key.clone());
        self.0.texts.lock().unwrap().push(text.value.expose_secret().to_owned());
        let mut answer = self.0.answer.subscribe();
        let answer = *answer.wait_for(|answer| *answer != Answer::Hangs).await.unwrap();
        observed(match answer {
            Answer::Busy => Err(Failure::Retry("busy".into())),
            Answer::Unknown => Err(Failure::Unknown("no answer".into())),
            Answer::Breaks => panic!("a defect that the story wants"),
            _ => Ok("msg_1".into()),
        })
    }
    async fn check(&self, call: &Call, _: Field) -> Observed<Signal> {
        self.0.checks.lock().unwrap().push(call.idempotency_key.clone());
        self.0.checks_hang.subscribe().wait_for(|hang| !hang).await.unwrap();
        let finding = *self.0.finds.lock().unwrap();
        observed(Ok(Signal { name: "sim-swap".into(), finding, reason: "as the carrier says".into() }))
    }
    async fn validate(&self, _: &Call, _: CardFields) -> Observed<Validity> {
        unreachable!("no story comes so far")
    }
    async fn charge(&self, _: &Call, _: i64, _: &str, _: CardFields) -> Observed<Charged> {
        unreachable!("no story comes so far")
    }
    async fn perform(&self, _: &Call, _: &str, _: Vec<(String, Field)>) -> Observed<String> {
        unreachable!("the workflow calls no service")
    }
    async fn lookup(&self, call: &Call) -> Observed<Option<Report>> {
        self.0.asked.lock().unwrap().push(call.idempotency_key.clone());
        self.0.questions_hang.subscribe().wait_for(|hang| !hang).await.unwrap();
        observed(Ok(None))
    }
    fn reader(&self, _: &str) -> Option<String> {
        Some(SMS.into())
    }
    async fn receive(&self, webhook: Webhook, _: Micros) -> Result<Vec<News>, WebhookFault> {
        // The body is the key of a message that the vendor says was delivered.
        let idempotency_key = String::from_utf8(webhook.body).unwrap();
        let (event_id, reference) = (format!("evt-{idempotency_key}"), "msg_1".into());
        Ok(vec![News::Report(Report {
            event_id,
            idempotency_key,
            status: ReportStatus::Succeeded,
            reference,
            detail: String::new(),
        })])
    }
}

/// A clock that goes on by itself and can be moved.
pub struct Moved {
    start: Instant,
    ahead: AtomicI64,
    moved: watch::Sender<()>,
}

impl Moved {
    pub fn on(&self, by: Micros) {
        self.ahead.fetch_add(by, Ordering::SeqCst);
        self.moved.send_replace(());
    }
}

#[async_trait]
impl Clock for Moved {
    fn now(&self) -> Micros {
        MONDAY + self.ahead.load(Ordering::SeqCst) + self.start.elapsed().as_micros() as i64
    }
    async fn sleep_until(&self, until: Micros) {
        let mut moved = self.moved.subscribe();
        while self.now() < until {
            let left = Duration::from_micros((until - self.now()).max(1) as u64);
            let _ = tokio::time::timeout(left, moved.changed()).await;
        }
    }
}

struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        for byte in out.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            byte.copy_from_slice(&n[..byte.len()]);
        }
    }
}

/// Engines over one store.
pub struct House<S> {
    pub store: S,
    pub vendor: Arc<Vendor>,
    pub clock: Arc<Moved>,
    random: Arc<Counting>,
    keys: TempDir,
}

impl<S: Store + Clone + 'static> House<S> {
    /// A house whose customer may be texted, with the workflow published.
    pub async fn over(store: S) -> House<S> {
        let vendor = Vendor {
            answer: watch::Sender::new(Answer::Sends),
            checks_hang: watch::Sender::new(false),
            finds: Mutex::new(Finding::Clear),
            questions_hang: watch::Sender::new(false),
            messages: Mutex::default(),
            texts: Mutex::default(),
            checks: Mutex::default(),
            asked: Mutex::default(),
        };
        let clock = Moved { start: Instant::now(), ahead: AtomicI64::new(0), moved: watch::Sender::new(()) };
        let house = House {
            store,
            vendor: Arc::new(vendor),
            clock: Arc::new(clock),
            random: Arc::new(Counting(AtomicU64::new(1))),
            keys: tempfile::tempdir().unwrap(),
        };
        let engine = house.engine();
        let definition = engine.publish(TENANT, &files(), WORKFLOW, &facts()).await.unwrap().unwrap();
        engine.put_customer(&definition.dictionary, TENANT, CUSTOMER, &agreed(), &fields()).await.unwrap();
        house
    }

    /// One more customer with the same fields, who `agreed` to texts or said that there must be none.
    pub async fn customer(&self, engine: &Engine, id: &str, agreed: bool) {
        let mut state = self::agreed();
        if !agreed {
            // Whoever wants no texts at all gets none, whatever for.
            state.consents[0].granted = false;
            state.consents[0].purpose = selvedge_policy::ALL.into();
        }
        let dictionary = selvedge_workflow::dictionary::Dictionary::read("fields.yaml", &files()["fields.yaml"]);
        engine.put_customer(&dictionary.unwrap(), TENANT, id, &state, &fields()).await.unwrap();
    }

    /// Other values of some fields.
    pub async fn field(&self, engine: &Engine, id: &str, fields: &[(String, SecretString)]) {
        let dictionary = selvedge_workflow::dictionary::Dictionary::read("fields.yaml", &files()["fields.yaml"]);
        engine.put_customer(&dictionary.unwrap(), TENANT, id, &agreed(), fields).await.unwrap();
    }

    /// What another system knows of the customer comes in.
    pub async fn import(&self, engine: &Engine, state: &CustomerState) {
        let definition = engine.publish(TENANT, &files(), WORKFLOW, &facts()).await.unwrap().unwrap();
        engine.put_customer(&definition.dictionary, TENANT, CUSTOMER, state, &[]).await.unwrap();
    }

    /// Publishes a workflow of the story's own, with these steps. Its template is `note`; its messages go over `texts` and
    /// `others`.
    pub async fn publish(&self, engine: &Engine, steps: &str) {
        let head = "workflow: story\ntitle: A story\npurpose: billing\nstarts: call\n";
        let text = format!("{head}uses: {{ texts: {SMS}, others: {OTHER_SMS} }}\nsteps:\n{steps}");
        let note = "A note from {{ sender.name }}. STOP to end.";
        let own = [("story/workflow.yaml", text), ("story/templates/note.sms.txt", note.into())];
        let files: Files = files().into_iter().chain(own.map(|(path, text)| (path.to_owned(), text))).collect();
        engine.publish(TENANT, &files, OWN, &facts()).await.unwrap().unwrap();
    }

    /// Opens an interaction of the customer in it.
    pub async fn open_own(&self, engine: &Engine) -> RunId {
        engine.open(TENANT, OWN, CUSTOMER, "call", &agent()).await.unwrap()
    }

    /// From here on a message of which nobody knows is asked about, and not sent again: new runs have it so.
    pub async fn reconciles_messages(&self, engine: &Engine) {
        let mut facts = facts();
        facts.get_mut(SMS).unwrap().effects.insert("send".into(), "reconcile".into());
        engine.publish(TENANT, &files(), WORKFLOW, &facts).await.unwrap().unwrap();
    }

    /// A node over the store; every one knows only what it read itself.
    pub fn engine(&self) -> Engine {
        Engine::new(Parts {
            store: Arc::new(self.store.clone()),
            connectors: Arc::new(Through(self.vendor.clone())),
            clock: self.clock.clone(),
            random: self.random.clone(),
            vault: Arc::new(Vault::new(MasterKey::load_or_create(self.keys.path(), &|out| out.fill(7)).unwrap())),
            log_key: Arc::new(LogKey::from_seed("stories/log", &[7; 32]).unwrap()),
            settings: Settings {
                sender: BTreeMap::from([
                    ("sender.name".into(), "Riverside Clinic".into()),
                    ("sender.phone".into(), "312-555-0100".into()),
                ]),
                public_url: "https://pay.example.org".into(),
                opt_out: OptOut::default(),
            },
        })
    }

    /// A node that keeps time for all runs.
    pub fn running(&self) -> Engine {
        let engine = self.engine();
        tokio::spawn({
            let engine = engine.clone();
            async move { engine.run().await }
        });
        engine
    }

    /// Opens an interaction of the customer, by an agent.
    pub async fn open(&self, engine: &Engine) -> RunId {
        self.open_by(engine, "call").await
    }

    /// The same by another channel.
    pub async fn open_by(&self, engine: &Engine, channel: &str) -> RunId {
        engine.open(TENANT, WORKFLOW, CUSTOMER, channel, &agent()).await.unwrap()
    }

    /// The run, once it `is` so.
    pub async fn until(&self, engine: &Engine, id: &RunId, is: impl Fn(&Run) -> bool) -> Run {
        let begun = Instant::now();
        loop {
            let run = engine.run_state(id).await.unwrap();
            if is(&run) {
                return run;
            }
            assert!(begun.elapsed() < PATIENCE, "it stays at {:?} {:?}", run.at(), run.phase());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What the record says happened, in order.
    pub async fn facts(&self, engine: &Engine, id: &RunId) -> Vec<Fact> {
        let events = engine.events(id).await.unwrap();
        events.into_iter().map(|e| Fact::from_kind_and_data(&e.kind, e.data).unwrap()).collect()
    }
}

/// Waits for what must come to be.
pub async fn soon(mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to be");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub fn agent() -> Who {
    Who { actor: "person:maria".into(), function: Some("billing-agent".into()), ..Who::default() }
}

pub fn admin() -> Who {
    Who { actor: "person:ann".into(), function: Some("admin".into()), ..Who::default() }
}

pub fn supervisor() -> Who {
    Who { actor: "person:sam".into(), function: Some("supervisor".into()), ..Who::default() }
}

/// What is published.
pub fn files() -> Files {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/");
    let paths = [
        "healthcare-balance/workflow.yaml",
        "healthcare-balance/templates/code.sms.txt",
        "healthcare-balance/templates/payment-link.sms.txt",
        "healthcare-balance/templates/receipt.sms.txt",
        "healthcare-balance/templates/authorization.page.txt",
        "fields.yaml",
        "policies/assurance.yaml",
        "policies/risk.yaml",
        "rules/tcpa.yaml",
        "rules/state.yaml",
    ];
    paths.iter().map(|p| (p.to_string(), std::fs::read_to_string(format!("{root}{p}")).unwrap())).collect()
}

/// What the connectors are and can do.
pub fn facts() -> BTreeMap<String, ConnectorFacts> {
    let facts = |kind, vendor: &str, fields: &[&str], effects: &[(&str, &str)]| ConnectorFacts {
        kind,
        vendor: vendor.into(),
        signal: String::new(),
        fields: fields.iter().map(|f| f.to_string()).collect(),
        purposes: BTreeSet::from(["identity".into(), "billing".into()]),
        effects: effects.iter().map(|(f, c)| (f.to_string(), c.to_string())).collect(),
        grant_file: "grants/x.yaml".into(),
    };
    let card = ["card.number", "card.expiry-month", "card.expiry-year", "card.code"];
    BTreeMap::from([
        (
            SMS.into(),
            facts(
                ConnectorKind::Channel,
                "Brightline",
                &["patient.mobile", "message.text"],
                &[("send", "idempotent"), ("lookup", "pure")],
            ),
        ),
        (
            OTHER_SMS.into(),
            facts(ConnectorKind::Channel, "Harbor", &["patient.mobile", "message.text"], &[("send", "idempotent")]),
        ),
        (
            "brightline-sim".into(),
            facts(ConnectorKind::Verifier, "Brightline", &["patient.mobile"], &[("check", "pure")]),
        ),
        (
            "northgate-cards".into(),
            facts(ConnectorKind::Gateway, "Northgate", &card, &[("charge", "reconcile"), ("lookup", "pure")]),
        ),
    ])
}

fn agreed() -> CustomerState {
    let consent = Consent {
        purpose: "billing".into(),
        channel: "sms".into(),
        granted: true,
        at: MONDAY - 1,
        words: "You may text me about my bill.".into(),
        ..Consent::default()
    };
    CustomerState {
        consents: vec![consent],
        zones: vec![ZoneEvidence { zone: "America/Chicago".into(), source: "address".into() }],
        jurisdictions: vec!["US".into(), "US-IL".into()],
        ..CustomerState::default()
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
