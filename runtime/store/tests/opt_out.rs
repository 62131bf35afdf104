//! Commit beats queue: from the moment that an opt-out is durable, no text to this customer leaves but the one that
//! confirms it. Told on the real engine over the real store; only the clock, chance and the phone are made up.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secrecy::SecretString;
use selvedge_engine::access::ACCESS;
use selvedge_engine::inbound::{CONFIRMS, HELPS};
use selvedge_engine::ports::store::{Customers, RunId, Safe};
use selvedge_engine::ports::*;
use selvedge_engine::run::Phase;
use selvedge_engine::{Engine, Parts, Settings, Who};
use selvedge_policy::{Consent, CustomerState, DEBIT, Given, Method, OptOut, ZoneEvidence};
use selvedge_record::{Event, LogKey};
use selvedge_store::SqliteStore;
use selvedge_vault::{MasterKey, Scope, Vault, WrappedKey};
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::{ConnectorFacts, ConnectorKind, DICTIONARY, Files};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

const TENANT: &str = "riverside";
const ADA: &str = "c_ada";
const MOBILE: &str = "+13125550142";
/// 2026-11-23, 22:00 in Chicago, and 08:00 of the next day.
const NIGHT: Micros = 1_795_492_800_000_000;
const MORNING: Micros = 1_795_528_800_000_000;
const REMINDER: &str = "\
workflow: reminder
title: A text about a bill
purpose: billing
starts: call
uses: { texts: brightline-sms }
steps:
  - communicate: { id: reminder, over: texts, to: patient.mobile, template: reminder }
";

const INSTALMENT: &str = "\
workflow: instalment
title: A card on file is charged
purpose: billing
starts: call
uses: { texts: brightline-sms, cards: northgate-cards }
steps:
  - debit:
      id: due
      amount: instalment.amount
      through: cards
      notice: { over: texts, to: patient.mobile, template: new-amount, before: 1h }
      undo: { none: a person decides }
";
/// What stands for the card on file, and the interaction that it was given in.
const TOKEN: &str = "tok_1";
const GIVEN_IN: &str = "int_given";

struct Hand(AtomicI64);

#[async_trait]
impl Clock for Hand {
    fn now(&self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }
    async fn sleep_until(&self, _: Micros) {
        std::future::pending().await
    }
}

/// Counts, and lets something happen when chance is asked next: that is between the contact decision and the commit of
/// the intent, when the text is sealed.
#[derive(Default)]
struct Chance {
    count: AtomicU64,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Random for Chance {
    fn fill(&self, out: &mut [u8]) {
        let happens = self.meanwhile.lock().unwrap().take();
        happens.into_iter().for_each(|happens| happens());
        let count = self.count.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        out.iter_mut().zip(count.iter().cycle()).for_each(|(byte, chance)| *byte = *chance);
    }
}

/// The SMS vendor: the purposes of what it sent, and webhooks of the form `event⏎from⏎words`.
#[derive(Default)]
struct Phone {
    sent: Mutex<Vec<String>>,
    busy: AtomicBool,
}

fn seen<T>(result: Result<T, Failure>) -> Observed<T> {
    Observed { result, accesses: Vec::new(), refusals: Vec::new() }
}

#[async_trait]
impl Connectors for Phone {
    fn digests(&self) -> BTreeMap<String, String> {
        let digest = || format!("sha256:{}", "0".repeat(64));
        ["brightline-sms", "northgate-cards"].map(|name| (name.to_owned(), digest())).into()
    }
    async fn send(&self, call: &Call, _: Field, _: Field) -> Observed<String> {
        if self.busy.load(Ordering::SeqCst) {
            return seen(Err(Failure::Retry("come again later".into())));
        }
        self.sent.lock().unwrap().push(call.purpose.clone());
        seen(Ok("msg_1".into()))
    }
    async fn check(&self, _: &Call, _: Field) -> Observed<Signal> {
        unreachable!()
    }
    async fn validate(&self, _: &Call, _: CardFields) -> Observed<Validity> {
        unreachable!()
    }
    async fn charge(&self, _: &Call, minor: i64, _: &str, card: CardFields) -> Observed<Charged> {
        assert!(card.code.is_none(), "nobody kept it");
        self.sent.lock().unwrap().push(format!("charge of {minor}"));
        seen(Ok(Charged::Paid("ch_1".into())))
    }
    async fn perform(&self, _: &Call, _: &str, _: Vec<(String, Field)>) -> Observed<String> {
        unreachable!()
    }
    async fn lookup(&self, _: &Call) -> Observed<Option<Report>> {
        seen(Ok(None))
    }
    fn reader(&self, _: &str) -> Option<String> {
        Some("brightline-sms".into())
    }
    async fn receive(&self, webhook: Webhook, _: Micros) -> Result<Vec<News>, WebhookFault> {
        let body = String::from_utf8(webhook.body).unwrap();
        let mut lines = body.splitn(3, '\n').map(str::to_owned);
        let event_id = lines.next().unwrap();
        let mut text = || lines.next().filter(|line| !line.is_empty()).map(SecretString::from);
        Ok(vec![News::Received(Received { event_id, channel: "sms".into(), sender: text(), words: text() })])
    }
}

struct World {
    engine: Engine,
    clock: Arc<Hand>,
    chance: Arc<Chance>,
    phone: Arc<Phone>,
    store: SqliteStore,
    vault: Arc<Vault>,
    dictionary: Dictionary,
    folder: tempfile::TempDir,
}

/// A node at night, with Ada on file, who agreed to texts about her bill.
async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let (clock, chance, phone) =
        (Arc::new(Hand(AtomicI64::new(NIGHT))), Arc::new(Chance::default()), Arc::new(Phone::default()));
    let files = files();
    let opt_out = OptOut::load("policies/opt-out.yaml", &files["policies/opt-out.yaml"]).unwrap();
    let keys = folder.path().join("keys");
    let vault = Arc::new(Vault::new(MasterKey::load_or_create(&keys, &|out| out.fill(7)).unwrap()));
    let engine = Engine::new(Parts {
        store: Arc::new(store.clone()),
        connectors: phone.clone(),
        clock: clock.clone(),
        random: chance.clone(),
        vault: vault.clone(),
        log_key: Arc::new(LogKey::from_seed("selvedge.log/test", &[7; 32]).unwrap()),
        settings: Settings {
            sender: ["name", "phone"].map(|it| (format!("sender.{it}"), format!("Riverside {it}"))).into(),
            public_url: "https://pay.example".into(),
            opt_out,
        },
    });
    let texts = ConnectorFacts {
        kind: ConnectorKind::Channel,
        vendor: "Brightline".into(),
        signal: String::new(),
        fields: BTreeSet::from(["patient.mobile".into(), "text.from".into(), "message.text".into()]),
        purposes: ["billing", "opt-out", "help"].map(str::to_owned).into(),
        effects: [("send", "idempotent"), ("lookup", "pure")].map(|(f, c)| (f.to_owned(), c.to_owned())).into(),
        grant_file: "grants/brightline-sms.yaml".into(),
    };
    let cards = ConnectorFacts {
        kind: ConnectorKind::Gateway,
        vendor: "Northgate".into(),
        fields: ["card.number", "card.expiry-month", "card.expiry-year"].map(str::to_owned).into(),
        purposes: BTreeSet::from(["billing".into()]),
        effects: [("charge", "reconcile"), ("lookup", "pure")].map(|(f, c)| (f.to_owned(), c.to_owned())).into(),
        grant_file: "grants/northgate-cards.yaml".into(),
        ..texts.clone()
    };
    let connectors = BTreeMap::from([("brightline-sms".to_owned(), texts), ("northgate-cards".to_owned(), cards)]);
    for workflow in [CONFIRMS, HELPS, "reminder", "instalment"] {
        let published = engine.publish(TENANT, &files, workflow, &connectors).await.unwrap();
        published.unwrap_or_else(|found| panic!("{found:?}"));
    }
    let dictionary = Dictionary::read(DICTIONARY, &files[DICTIONARY]).unwrap();
    let world = World { engine, clock, chance, phone, store, vault, dictionary, folder };
    world.import(ADA).await;
    world
}

/// The shipped definitions, and one workflow that sends a text.
fn files() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let (mut files, mut folders) = (Files::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            match path.extension().and_then(|e| e.to_str()) {
                None => folders.push(path),
                Some("yaml" | "txt") if !name.contains("tests/") => {
                    files.insert(name, std::fs::read_to_string(path).unwrap());
                }
                _ => {}
            }
        }
    }
    files.insert("reminder/workflow.yaml".into(), REMINDER.into());
    let text = "{{ sender.name }}: your bill is due. Reply STOP to end texts.";
    files.insert("reminder/templates/reminder.sms.txt".into(), text.into());
    files.insert("instalment/workflow.yaml".into(), INSTALMENT.into());
    let text = "{{ sender.name }}: {{ instalment.amount }} is charged in 10 days. Reply STOP to end texts.";
    files.insert("instalment/templates/new-amount.sms.txt".into(), text.into());
    files
}

impl World {
    async fn import(&self, customer: &str) {
        let consent = Consent {
            purpose: "billing".into(),
            channel: "sms".into(),
            granted: true,
            at: 0,
            words: "yes".into(),
            sender: String::new(),
            act: "web form".into(),
            given: Given::Express,
        };
        let state = CustomerState {
            consents: vec![consent],
            zones: vec![ZoneEvidence { zone: "America/Chicago".into(), source: "address".into() }],
            jurisdictions: vec!["US".into(), "US-IL".into()],
            ..CustomerState::default()
        };
        let fields =
            [("patient.mobile", "+1 (312) 555-0142"), ("instalment.amount", r#"{"minor":4000,"currency":"USD"}"#)];
        let fields = fields.map(|(path, value)| (path.to_owned(), SecretString::from(value)));
        self.engine.put_customer(&self.dictionary, TENANT, customer, &state, &fields).await.unwrap();
    }

    /// Ada let us charge a card, which was charged $40.00 last.
    async fn put_on_file(&self) {
        let scope = Scope { tenant: TENANT.into(), subject: GIVEN_IN.into(), class: "PAN".into() };
        let WrappedKey(wrapped) = self.vault.new_data_key(&scope, [1; 32], [1; 12]);
        let wrapped = WrappedKey(self.store.data_key(TENANT, GIVEN_IN, "PAN", &wrapped).await.unwrap());
        let card = br#"{"number":"4242424242424242","month":"12","year":"2031"}"#;
        let blob = self.vault.unwrap(&scope, &wrapped).unwrap().seal(TOKEN, card, [2; 12]);
        self.store.put_card(TENANT, TOKEN, &blob, 0).await.unwrap();

        let row = self.store.customer(TENANT, ADA).await.unwrap().unwrap();
        let mut state: CustomerState = serde_json::from_str(&row.state).unwrap();
        let (token, given_in) = (TOKEN.to_owned(), GIVEN_IN.to_owned());
        let charged = Some(self.vault.amount_hash(TENANT, ADA, 4000, "USD"));
        state.method = Some(Method { token, given_in, until: i64::MAX, charged, ..Method::default() });
        let (purpose, channel, given) = ("billing".into(), DEBIT.into(), Given::Written);
        state.consents.push(Consent { purpose, channel, given, granted: true, ..Consent::default() });
        let state = serde_json::to_string(&state).unwrap();
        self.store.put_customer(TENANT, ADA, Some(row.version), &state, &[]).await.unwrap();
    }

    /// An instalment falls due, as far as it goes by itself.
    async fn falls_due(&self) -> RunId {
        let who = Who { actor: "person:maria".into(), ..Who::default() };
        let id = self.engine.open(TENANT, "instalment", ADA, "call", &who).await.unwrap();
        self.engine.settle(&id).await.unwrap();
        id
    }

    /// Somebody queues a reminder, as far as it goes by itself.
    async fn remind(&self, customer: &str) -> RunId {
        let who = Who { actor: "person:maria".into(), ..Who::default() };
        let id = self.engine.open(TENANT, "reminder", customer, "call", &who).await.unwrap();
        self.engine.settle(&id).await.unwrap();
        id
    }

    /// The vendor tells of a text.
    async fn text(&self, event: &str, from: &str, words: &str) {
        tell(&self.engine, event, from, words).await;
        self.settle().await;
    }

    /// Lets everything go as far as it goes by itself.
    async fn settle(&self) {
        for listed in self.engine.list(TENANT, 500).await.unwrap() {
            let id = RunId { tenant: TENANT.into(), interaction: listed.interaction };
            self.engine.settle(&id).await.unwrap();
        }
    }

    /// The purposes of what the phone got, in order.
    fn got(&self) -> Vec<String> {
        self.phone.sent.lock().unwrap().clone()
    }

    async fn kinds(&self, id: &RunId) -> Vec<String> {
        let events = self.engine.events(id).await.unwrap();
        events.into_iter().map(|event| event.kind.replace("selvedge.", "")).collect()
    }

    /// The newest interaction of a workflow.
    async fn newest(&self, workflow: &str) -> RunId {
        let listed = self.engine.list(TENANT, 500).await.unwrap();
        let newest = listed.into_iter().find(|l| l.summary.workflow == workflow).unwrap();
        RunId { tenant: TENANT.into(), interaction: newest.interaction }
    }

    async fn noted(&self) -> Vec<Event> {
        let id = RunId { tenant: TENANT.into(), interaction: ACCESS.into() };
        self.engine.events(&id).await.unwrap_or_default()
    }
}

async fn tell(engine: &Engine, event: &str, from: &str, words: &str) {
    let body = format!("{event}\n{from}\n{words}").into_bytes();
    let webhook = Webhook { connection: "brightline".into(), headers: Vec::new(), body };
    assert!(matches!(engine.webhook(TENANT, webhook).await, Ok(Ok(1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_night_voids_what_waits_for_the_morning() {
    let world = world().await;
    let reminder = world.remind(ADA).await;
    assert!(matches!(world.engine.run_state(&reminder).await.unwrap().phase(), Phase::Deferred(MORNING)));

    world.text("evt_1", MOBILE, "STOP").await;

    assert_eq!(world.got(), ["opt-out"], "the confirmation, though it is night");
    let told = world.kinds(&reminder).await;
    assert_eq!(
        told[1..],
        ["contact.decided", "text.received", "consent.revoked", "contact.decided", "interaction.closed"],
        "the queue is voided at once, not in the morning"
    );
    world.clock.0.store(MORNING, Ordering::SeqCst);
    world.settle().await;
    world.remind(ADA).await;
    assert_eq!(world.got(), ["opt-out"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_between_the_decision_and_the_intent_voids_the_message() {
    let world = world().await;
    let reminder = world.remind(ADA).await;
    world.clock.0.store(MORNING, Ordering::SeqCst);
    let engine = world.engine.clone();
    // The rules have said yes, and the text is being sealed.
    *world.chance.meanwhile.lock().unwrap() = Some(Box::new(move || {
        block_in_place(|| Handle::current().block_on(tell(&engine, "evt_1", MOBILE, "please quit texting me")));
    }));

    world.settle().await;
    world.settle().await;

    assert!(world.chance.meanwhile.lock().unwrap().is_none(), "it did happen meanwhile");
    assert_eq!(world.got(), ["opt-out"]);
    let told = world.kinds(&reminder).await;
    assert!(!told.contains(&"effect.intended".into()), "{told:?}");
    assert!(told.ends_with(&["contact.decided".into(), "interaction.closed".into()]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_amount_is_charged_to_the_card_on_file_until_the_customer_ends_payments() {
    let world = world().await;
    world.put_on_file().await;
    world.falls_due().await;
    assert_eq!(world.got(), ["charge of 4000"], "at night too");
    world.text("evt_1", MOBILE, "STOP PAYMENTS").await;
    world.falls_due().await;
    assert_eq!(world.got(), ["charge of 4000"]);
    let state = world.store.customer(TENANT, ADA).await.unwrap().unwrap().state;
    let state: CustomerState = serde_json::from_str(&state).unwrap();
    assert!(state.refuses_all(DEBIT) && !state.refuses_all("sms"), "texts go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_payments_between_the_decision_and_the_intent_voids_the_charge() {
    let world = world().await;
    world.put_on_file().await;
    let engine = world.engine.clone();
    // The rules have said yes, and the amount is being sealed.
    let meanwhile = move || {
        block_in_place(|| Handle::current().block_on(tell(&engine, "evt_1", MOBILE, "please stop charging my card")));
    };
    let who = Who { actor: "person:maria".into(), ..Who::default() };
    let due = world.engine.open(TENANT, "instalment", ADA, "call", &who).await.unwrap();
    *world.chance.meanwhile.lock().unwrap() = Some(Box::new(meanwhile));

    world.settle().await;
    world.settle().await;

    assert!(world.chance.meanwhile.lock().unwrap().is_none(), "it did happen meanwhile");
    assert_eq!(world.got(), [""; 0]);
    let told = world.kinds(&due).await;
    assert!(!told.contains(&"effect.intended".into()), "{told:?}");
    assert!(told.ends_with(&["contact.decided".into(), "interaction.closed".into()]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_follows_the_confirmation_but_help() {
    let world = world().await;
    for (event, words) in [
        ("evt_1", "stop"),
        ("evt_1", "stop"), // told again by the vendor
        ("evt_2", "STOP!!"),
        ("evt_3", "thanks"),
        ("evt_4", "Help"),
        ("evt_5", "START"),
    ] {
        world.text(event, MOBILE, words).await;
    }
    assert_eq!(world.got(), ["opt-out", "help"]);
    let state = world.store.customer(TENANT, ADA).await.unwrap().unwrap().state;
    assert!(serde_json::from_str::<CustomerState>(&state).unwrap().refuses_all("sms"), "START takes nothing back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_that_could_not_leave_in_five_minutes_never_does() {
    let world = world().await;
    world.phone.busy.store(true, Ordering::SeqCst);
    world.text("evt_1", MOBILE, "stop").await;
    world.phone.busy.store(false, Ordering::SeqCst);
    world.clock.0.fetch_add(5 * 60 * 1_000_000 + 1, Ordering::SeqCst);
    for _ in 0..3 {
        world.settle().await;
        world.clock.0.fetch_add(10 * 60 * 1_000_000, Ordering::SeqCst);
    }
    let id = world.newest(CONFIRMS).await;
    assert!(world.got().is_empty() && world.engine.run_state(&id).await.unwrap().closed);
    let events = world.engine.events(&id).await.unwrap();
    let refused = events.iter().rfind(|event| event.kind.ends_with("contact.decided")).unwrap();
    assert_eq!(refused.data["decision"]["verdict"]["kind"], "deny");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_act_and_its_words_are_evidence() {
    let world = world().await;
    world.text("evt_1", MOBILE, "please quit texting me, my card is 4242 4242 4242 4242").await;
    let id = world.newest(CONFIRMS).await;
    assert_eq!(
        world.kinds(&id).await,
        [
            "interaction.opened",
            "text.received",
            "consent.revoked",
            "contact.decided",
            "contact.decided",
            "effect.intended",
            "effect.done",
            "interaction.closed"
        ]
    );
    let events = world.engine.events(&id).await.unwrap();
    assert_eq!((&events[1].data["means"], &events[1].data["by"]), (&"opt-out".into(), &"quit texting".into()));
    assert_eq!(events[1].data["cards"], 1);
    assert_eq!(events[2].data["cite"], "47 CFR 64.1200(a)(10)");
    assert_eq!(events[2].time, NIGHT);
    let permitted = events[4].data["decision"].to_string();
    assert!(permitted.contains("64.1200(a)(12)"), "{permitted}");

    let closed = world.engine.export(&id, &[]).await.unwrap();
    assert!(!closed.contains("quit texting me"), "the words stay sealed");
    let opened = world.engine.export(&id, &["COMMS".into()]).await.unwrap();
    assert!(opened.contains("please quit texting me, my card is [card number removed]"), "{opened}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_asks_nothing_belongs_to_what_is_open() {
    let world = world().await;
    let reminder = world.remind(ADA).await;
    world.text("evt_1", MOBILE, "thanks, my card is 4242424242424242").await;
    world.text("evt_1", MOBILE, "thanks, my card is 4242424242424242").await;
    let told = world.kinds(&reminder).await;
    assert_eq!(told[2..], ["text.received"], "once, and nothing else changed");
    let opened = world.engine.export(&reminder, &["COMMS".into()]).await.unwrap();
    assert!(opened.contains("thanks, my card is [card number removed]"), "{opened}");
    assert_eq!(world.engine.list(TENANT, 9).await.unwrap().len(), 1, "it is no interaction of its own");
    assert!(world.noted().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_of_nobody_s_is_noted_without_its_value() {
    let world = world().await;
    let huge = format!("stop {}", "a secret ".repeat(5000));
    for (event, from, words) in [
        ("evt_1", "+13125550199", "stop, said a secret"),
        ("evt_2", "not a number", "stop, said a secret"),
        ("evt_3", "", huge.as_str()),
        ("evt_4", MOBILE, ""),
        ("evt_5", MOBILE, " \n "),
    ] {
        world.text(event, from, words).await;
    }
    let noted = world.noted().await;
    let told: Vec<_> = noted.iter().map(|event| (event.data["event"].as_str(), event.data["why"].as_str())).collect();
    let (nobody, nothing) = (Some("no customer has this number"), Some("nothing is open with this customer"));
    let events = ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5"].map(Some);
    assert_eq!(told, events.into_iter().zip([nobody, nobody, nobody, nothing, nothing]).collect::<Vec<_>>());
    assert!(world.got().is_empty() && world.engine.list(TENANT, 9).await.unwrap().is_empty());
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        for value in ["3125550199", "3125550142", "555-0142", "a secret", "not a number"] {
            let found = bytes.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(!found, "`{value}` lies in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_share_a_phone_both_are_left_alone_and_one_confirmation_comes() {
    let world = world().await;
    world.import("c_bob").await;
    world.text("evt_1", MOBILE, "stop").await;
    assert_eq!(world.got(), ["opt-out"]);
    world.clock.0.store(MORNING, Ordering::SeqCst);
    for customer in [ADA, "c_bob"] {
        world.remind(customer).await;
    }
    assert_eq!(world.got(), ["opt-out"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_does_not_undo_an_opt_out() {
    let world = world().await;
    world.text("evt_1", MOBILE, "stop").await;
    world.import(ADA).await;
    world.clock.0.store(MORNING, Ordering::SeqCst);
    world.remind(ADA).await;
    assert_eq!(world.got(), ["opt-out"]);
}
