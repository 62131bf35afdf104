//! The engine itself: publishes definitions, opens interactions, takes signals in and keeps runs going.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use selvedge_policy::{CustomerState, Decision, OptOut, Verdict};
use selvedge_record::{Draft, Event, Head, LogKey};
use selvedge_vault::{Transient, Vault};
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::plan::{CHAT, OUTGOING_CALL, Op};
use selvedge_workflow::source::Diagnostic;
use selvedge_workflow::{ConnectorFacts, Files};
use tokio::sync::Notify;

use crate::act::ANSWERS;
use crate::defect::{Defect, MAX_DEFECTS, caught};
use crate::definition::{Definition, Packs};
use crate::drive::Driven;
use crate::error::{EngineError, StoreError};
use crate::fact::Fact;
use crate::folds::Folds;
use crate::health::Condition;
use crate::outgoing::is_outgoing;
use crate::ports::store::{Claim, Lease, Listed, RunId, Store, Threshold};
use crate::ports::{Clock, Connectors, Micros, News, Random, Webhook, WebhookFault};
use crate::run::Run;
use crate::signal::{Delivered, Signal, Who};
use crate::switches::{Board, Reach};
use crate::turn::{Keys, Turn};
use crate::values::Values;

/// How many runs one look at the store takes up.
const MAX_DUE: usize = 256;
/// How many runs a node takes up by itself at a time; the rest stay for others, or for later.
const MAX_RUNNING: usize = 1024;
/// How soon the scheduler looks again at the least, and after it has found work; twice as late each time that it
/// found none, up to [`IDLE`].
const SOONEST: Micros = 10_000;
const SOON: Micros = 100_000;
const IDLE: Micros = 5_000_000;
/// How often, and how many times at most, who needs the state of a run looks whether another node is done with it.
const ELSEWHERE: Micros = 50_000;
const MAX_LOOKS: u32 = 100;

/// The channel of an interaction in which somebody speaks with the customer.
pub(crate) const CALL: &str = "call";
/// How often an opening is decided again because what is known of the customer has changed meanwhile.
const MAX_TRIES: u32 = 10;
/// How long a run waits when the store did not answer.
const TRY_AGAIN: Micros = 1_000_000;
/// How long a run waits that met what should not be; somebody may mend it meanwhile.
const LOOK_AGAIN: Micros = 60_000_000;
/// How often a checkpoint is signed over what has come in since.
const SIGN_EVERY: Micros = 60_000_000;

/// What an engine is made of.
pub struct Parts {
    /// Where records and runs are kept.
    pub store: Arc<dyn Store>,
    /// The connectors.
    pub connectors: Arc<dyn Connectors>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Keys.
    pub vault: Arc<Vault>,
    /// Signs checkpoints.
    pub log_key: Arc<LogKey>,
    /// What the organisation says of itself.
    pub settings: Settings,
}

/// What the organisation says of itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Values of the fields whose source is `sender`: `sender.name`.
    pub sender: BTreeMap<String, String>,
    /// Where customers reach the payment page: `https://pay.example.org`, no slash at the end.
    pub public_url: String,
    /// The words by which a customer's text asks to be left alone.
    pub opt_out: OptOut,
}

/// Keeps runs going. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) values: Values,
    pub(crate) folds: Folds,
    /// Security codes, in memory only.
    pub(crate) codes: Transient,
    definitions: Mutex<HashMap<(String, String), Arc<Definition>>>,
    packs: Packs,
    pub(crate) slots: Mutex<HashMap<RunId, Arc<Slot>>>,
    /// A checkpoint will be signed soon.
    pub(crate) signing: AtomicBool,
    /// Until when the scheduler sleeps; what is to be done before that wakes it.
    sleeps_until: AtomicI64,
    pub(crate) news: Notify,
    /// Whether work can be taken.
    pub(crate) condition: Condition,
    /// One writer for the records that belong to no run.
    pub(crate) access: tokio::sync::Mutex<()>,
    /// Each tenant's switches, as this node knows them.
    pub(crate) boards: RwLock<HashMap<String, Arc<Board>>>,
    /// When they were last read anew for what other nodes set.
    pub(crate) boards_read: AtomicI64,
}

/// A run's place in memory. The lock makes one driver.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) held: tokio::sync::Mutex<Option<Held>>,
    pub(crate) mail: AtomicBool,
    /// The run as its last driver left it, for who waited meanwhile to hear how it stands.
    pub(crate) left: Mutex<Option<Box<Run>>>,
    /// A driver is on its way; another would find nothing to do.
    queued: AtomicBool,
}

/// A run whose lease this node holds.
pub(crate) struct Held {
    pub(crate) lease: Lease,
    /// The run as the store has it, and its keys, where it was just opened.
    pub(crate) begun: Option<(Run, Keys)>,
}

/// Takes a lock whose holder cannot have left it broken: nothing is done under it that can panic halfway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Puts an engine together. Nothing runs until [`Engine::run`].
    pub fn new(parts: Parts) -> Engine {
        let values = Values::new(parts.store.clone(), parts.vault.clone(), parts.random.clone());
        Engine {
            inner: Arc::new(Inner {
                parts,
                values,
                folds: Folds::default(),
                codes: Transient::new(),
                definitions: Mutex::default(),
                packs: Packs::default(),
                slots: Mutex::default(),
                signing: AtomicBool::new(false),
                sleeps_until: AtomicI64::new(Micros::MAX),
                news: Notify::new(),
                condition: Condition::default(),
                access: tokio::sync::Mutex::default(),
                boards: RwLock::default(),
                boards_read: AtomicI64::new(0),
            }),
        }
    }

    /// The time, as this engine knows it.
    pub fn now(&self) -> Micros {
        self.inner.parts.clock.now()
    }

    /// The store, for reading.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.parts.store
    }

    /// Compiles and proves a workflow and makes it the one that new runs take. Returns the definition;
    /// what breaks a rule comes back as diagnostics and nothing is published.
    pub async fn publish(
        &self,
        tenant: &str,
        files: &Files,
        workflow: &str,
        connectors: &BTreeMap<String, ConnectorFacts>,
    ) -> Result<Result<Arc<Definition>, Vec<Diagnostic>>, EngineError> {
        let definition = match Definition::compile(files, workflow, connectors, &self.inner.packs) {
            Ok(definition) => Arc::new(definition),
            Err(diagnostics) => return Ok(Err(diagnostics)),
        };
        let text = serde_json::to_string(&definition.files).map_err(|e| EngineError::Broken { what: e.to_string() })?;
        self.store().publish(tenant, workflow, &definition.digest, &text, self.now()).await?;
        self.remember(tenant, &definition);
        Ok(Ok(definition))
    }

    fn remember(&self, tenant: &str, definition: &Arc<Definition>) {
        lock(&self.inner.definitions).insert((tenant.into(), definition.digest.clone()), definition.clone());
    }

    /// A definition by its digest.
    pub async fn definition(&self, tenant: &str, workflow: &str, digest: &str) -> Result<Arc<Definition>, EngineError> {
        if let Some(definition) = lock(&self.inner.definitions).get(&(tenant.to_owned(), digest.to_owned())) {
            return Ok(definition.clone());
        }
        let broken = |why: &str| EngineError::Definition { digest: digest.into(), why: why.into() };
        let text = self.store().definition(tenant, digest).await?.ok_or_else(|| broken("it is not in the store"))?;
        let files: Files = serde_json::from_str(&text).map_err(|e| broken(&e.to_string()))?;
        let definition = Arc::new(Definition::restore(digest, workflow, &files, &self.inner.packs)?);
        self.remember(tenant, &definition);
        Ok(definition)
    }

    /// Imports a customer.
    pub async fn put_customer(
        &self,
        dictionary: &Dictionary,
        tenant: &str,
        customer: &str,
        state: &CustomerState,
        fields: &[(String, secrecy::SecretString)],
    ) -> Result<(), EngineError> {
        self.inner.values.put_customer(dictionary, tenant, customer, state, fields).await
    }

    /// Opens an interaction and starts its run. Returns once the opening is durable.
    pub async fn open(
        &self,
        tenant: &str,
        workflow: &str,
        customer: &str,
        channel: &str,
        who: &Who,
    ) -> Result<RunId, EngineError> {
        let id = RunId { tenant: tenant.into(), interaction: self.inner.values.id("int_") };
        match self.open_as(&id, workflow, customer, channel, who).await? {
            Some(decision) if decision.verdict != Verdict::Permit => Err(EngineError::no_call(&id, decision)),
            _ => Ok(id),
        }
    }

    /// The same under an id that follows from what it is opened for; what the contact rules said, where it begins with a
    /// call that we place. [`StoreError::Conflict`]: it was opened before.
    pub(crate) async fn open_as(
        &self,
        id: &RunId,
        workflow: &str,
        customer: &str,
        channel: &str,
        who: &Who,
    ) -> Result<Option<Decision>, EngineError> {
        let tenant = id.tenant.as_str();
        self.ready().await?;
        let not_published = || EngineError::NotPublished { workflow: workflow.into() };
        let Threshold { published, customer: known, epoch } =
            self.store().threshold(tenant, workflow, customer).await?;
        let digest = published.ok_or_else(not_published)?;
        let definition = self.definition(tenant, workflow, &digest).await?;
        let calls = is_outgoing(&definition);
        let placed = if calls { CALL.to_owned() } else { String::new() };
        let reach = Reach { tenant: tenant.into(), workflow: workflow.into(), channel: placed, ..Reach::default() };
        if let Some(switch) = self.board_at(tenant, epoch).await?.stopping(&reach) {
            return Err(EngineError::Stopped {
                scope: switch.scope.to_string(),
                switch: switch.id.clone(),
                by: switch.by.clone(),
                reason: switch.reason.clone(),
            });
        }
        if !known {
            return Err(EngineError::NoSuchField { customer: customer.into(), field: "record".into() });
        }
        // It is there before its record is, so that no mail is missed, and none has to be looked for.
        let slot = lock(&self.inner.slots).entry(id.clone()).or_default().clone();
        let opened = self.open_at(id, &definition, customer, channel, who).await;
        self.put_down(id, slot);
        opened
    }

    async fn open_at(
        &self,
        id: &RunId,
        definition: &Definition,
        customer: &str,
        channel: &str,
        who: &Who,
    ) -> Result<Option<Decision>, EngineError> {
        let (workflow, calls) = (&definition.plan.workflow, is_outgoing(definition));
        let mut tries = 0;
        loop {
            let now = self.now();
            let starts = definition.plan.starts.as_str();
            let channel = if [OUTGOING_CALL, CHAT].contains(&starts) { starts } else { channel };
            let mut turn = self.opening(id, Some(definition), workflow, customer, channel, who, now)?;
            let mut decision = None;
            if calls {
                decision = Some(self.decide_call(definition, &mut turn).await?);
            } else if channel == CALL {
                // Who calls us has a conversation with us, which counts for the rules that ask for quiet after one.
                turn.conversation(&definition.plan.purpose, now);
            }
            if definition.plan.nodes.iter().any(|node| matches!(node.op, Op::Call { .. })) {
                turn.make_key(self.inner.values.new_record_key(id, ANSWERS.name())?);
            }
            tries += 1;
            match self.store().commit(turn.take(false)).await {
                Err(StoreError::Overtaken { .. }) if tries < MAX_TRIES => continue,
                other => other.map_err(EngineError::from).inspect_err(|error| self.doubt(error))?,
            };
            self.start(turn).await;
            return Ok(decision);
        }
    }

    /// Drives a run that this node has just opened.
    pub(crate) async fn start(&self, Turn { run, keys, .. }: Turn) {
        let id = run.id.clone();
        *self.slot(&id).held.lock().await = Some(Held { lease: Lease::OPENING, begun: Some((run, keys)) });
        self.wake(&id);
    }

    /// The definition that new runs of a workflow take.
    pub(crate) async fn in_force(&self, tenant: &str, workflow: &str) -> Result<Option<Arc<Definition>>, EngineError> {
        match self.store().published(tenant, workflow).await? {
            Some(digest) => Ok(Some(self.definition(tenant, workflow, &digest).await?)),
            None => Ok(None),
        }
    }

    /// The turn that opens a record. Without a definition there is nothing to do: the run stands at its end.
    #[allow(clippy::too_many_arguments, reason = "each is a part of what opens an interaction")]
    pub(crate) fn opening(
        &self,
        id: &RunId,
        definition: Option<&Definition>,
        workflow: &str,
        customer: &str,
        channel: &str,
        who: &Who,
        now: Micros,
    ) -> Result<Turn, EngineError> {
        let fact = Fact::Opened {
            workflow: workflow.into(),
            customer: customer.into(),
            channel: channel.into(),
            by: who.actor.clone(),
            connectors: definition.map_or_else(BTreeMap::new, |definition| self.pinned(definition)),
            next: match definition {
                // It stands here only until the contact rules have answered, which is in the same commit.
                Some(definition) if is_outgoing(definition) => CALL.into(),
                Some(Definition { plan, .. }) if !plan.nodes.is_empty() => plan.nodes[0].name.clone(),
                _ => "end:completed".into(),
            },
        };
        let (kind, data) = fact.kind_and_data()?;
        let mut head = Head::start(&id.tenant, &id.interaction);
        let first = head.append(Draft {
            kind,
            time: now,
            actor: who.actor.clone(),
            device: who.device.clone(),
            function: who.function.clone(),
            session: who.session.clone(),
            purpose: definition.map(|definition| definition.plan.purpose.clone()),
            controls: definition.map(|definition| definition.digest.clone()),
            data,
        })?;
        let digest = definition.map_or("", |definition| &definition.digest);
        let purpose = definition.map_or("", |definition| &definition.plan.purpose);
        Ok(Turn::opening(Run::begin(id, head, digest, now, &fact)?, purpose, first))
    }

    /// Takes a signal in durably and wakes the run. `false`: one with this `dedupe` came before.
    pub async fn deliver(&self, id: &RunId, dedupe: &str, signal: Signal, who: Who) -> Result<bool, EngineError> {
        let at = self.now();
        let body = serde_json::to_string(&Delivered { signal, who, at })
            .map_err(|e| EngineError::Broken { what: e.to_string() })?;
        let new = self.store().deliver(id, dedupe, &body, at).await?;
        self.slot(id).mail.store(true, Ordering::Release);
        self.wake(id);
        Ok(new)
    }

    /// Takes a webhook in: verified on its raw body, read by its connector, delivered to the runs concerned.
    /// Returns how many pieces of news it held.
    pub async fn webhook(&self, tenant: &str, webhook: Webhook) -> Result<Result<usize, WebhookFault>, EngineError> {
        let connection = webhook.connection.clone();
        let connector = self.inner.parts.connectors.reader(&connection).unwrap_or_default();
        let news = match self.inner.parts.connectors.receive(webhook, self.now()).await {
            Ok(news) => news,
            Err(fault) => return Ok(Err(fault)),
        };
        let count = news.len();
        for one in news {
            let report = match one {
                News::Report(report) => report,
                News::Received(received) => {
                    self.hear(tenant, &connection, received).await?;
                    continue;
                }
            };
            // The key that we gave the vendor begins with the interaction; what does not is none of ours.
            let Some((interaction, _)) = report.idempotency_key.split_once('.') else { continue };
            let id = RunId { tenant: tenant.into(), interaction: interaction.into() };
            if !id.is_well_formed() || self.store().last(&id).await?.is_none() {
                continue;
            }
            let dedupe = format!("report/{connection}/{}", report.event_id);
            let signal = Signal::Reported { connection: connection.clone(), connector: connector.clone(), report };
            self.deliver(&id, &dedupe, signal, Who::connection(&connection)).await?;
        }
        Ok(Ok(count))
    }

    pub(crate) fn slot(&self, id: &RunId) -> Arc<Slot> {
        lock(&self.inner.slots)
            .entry(id.clone())
            .or_insert_with(|| Arc::new(Slot { mail: AtomicBool::new(true), ..Slot::default() }))
            .clone()
    }

    /// Drives a run in the background, as far as it goes by itself. While the store does not answer, it is tried
    /// again: what was not durable is decided anew.
    pub fn wake(&self, id: &RunId) {
        let slot = self.slot(id);
        if slot.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let (engine, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let mut defects = 0;
            loop {
                slot.queued.store(false, Ordering::Release);
                let error = match caught(Box::pin(engine.drive(&id))).await {
                    Ok(Ok(Driven::Here(run))) => break engine.keep_time(&run),
                    Ok(Ok(Driven::Idle)) => break,
                    Ok(Ok(Driven::Elsewhere)) => break engine.store().tell(&id),
                    Ok(Err(EngineError::Store(StoreError::Stale { .. }))) => break,
                    Ok(Err(error)) => error,
                    // Its slot keeps the lease, or it would be found and taken up again at once, without end.
                    Err(Defect) if defects == MAX_DEFECTS => {
                        tracing::error!(interaction = %id.interaction, "nobody works on this run: its driver met a defect again and again");
                        return;
                    }
                    Err(Defect) => {
                        defects += 1;
                        EngineError::Broken { what: "its driver met a defect".into() }
                    }
                };
                slot.queued.store(true, Ordering::Release);
                engine.doubt(&error);
                let pause = match &error {
                    // Said once, by who found out.
                    EngineError::NotReady { .. } => TRY_AGAIN,
                    error => {
                        tracing::error!(interaction = %id.interaction, %error, "a run could not go on");
                        if matches!(error, EngineError::Store(_)) { TRY_AGAIN } else { LOOK_AGAIN }
                    }
                };
                engine.inner.parts.clock.sleep_until(engine.now() + pause).await;
            }
            engine.put_down(&id, slot);
        });
    }

    /// Drives a run that the store leased to this node.
    fn take_up(&self, Claim { id, lease }: Claim) {
        let engine = self.clone();
        tokio::spawn(async move {
            let slot = engine.slot(&id);
            // A driver from before, whose lease was lost, may still wait for a vendor's answer.
            *slot.held.lock().await = Some(Held { lease, begun: None });
            engine.wake(&id);
            engine.put_down(&id, slot);
        });
    }

    /// Wakes the scheduler if it sleeps for longer than a parked run does.
    fn keep_time(&self, run: &Run) {
        let (wake, _) = run.wake();
        if wake.is_some_and(|wake| wake < self.inner.sleeps_until.load(Ordering::Acquire)) {
            self.inner.news.notify_one();
        }
    }

    /// Drives a run as far as it goes by itself and returns its state. Goes on to the end even when the caller
    /// does not wait for it. While another node drives it, this one waits for a few seconds.
    pub async fn settle(&self, id: &RunId) -> Result<Run, EngineError> {
        let (engine, driven) = (self.clone(), id.clone());
        let driven = tokio::spawn(async move { engine.settled(&driven).await }).await;
        driven.unwrap_or_else(|_| {
            self.wake(id);
            Err(EngineError::Broken { what: "a run's driver met a defect; it is driven again".into() })
        })
    }

    async fn settled(&self, id: &RunId) -> Result<Run, EngineError> {
        for _ in 0..MAX_LOOKS {
            match self.drive(id).await {
                Ok(Driven::Here(run)) => {
                    self.keep_time(&run);
                    return Ok(*run);
                }
                Ok(Driven::Idle) => break,
                Ok(Driven::Elsewhere) | Err(EngineError::Store(StoreError::Stale { .. })) => {
                    self.store().tell(id);
                    self.inner.parts.clock.sleep_until(self.now() + ELSEWHERE).await;
                }
                Err(error) => {
                    // This node may hold the lease: it goes on when the store answers again.
                    self.wake(id);
                    return Err(error);
                }
            }
        }
        self.run_state(id).await
    }

    /// The state of a run, from its record.
    pub async fn run_state(&self, id: &RunId) -> Result<Run, EngineError> {
        if let Some(last) = self.store().last(id).await?
            && let Some(run) = self.inner.folds.up_to(id, &last)
        {
            return Ok(run);
        }
        let run = Run::fold(id, &self.store().record(id).await?)?;
        self.inner.folds.keep(&run);
        Ok(run)
    }

    /// The events of a record, in order.
    pub async fn events(&self, id: &RunId) -> Result<Vec<Event>, EngineError> {
        let record = self.store().record(id).await?;
        if record.is_empty() {
            return Err(EngineError::NoSuchInteraction { interaction: id.interaction.clone() });
        }
        record.iter().map(|stored| Ok(Event::parse(&stored.canonical)?)).collect()
    }

    /// Interactions, newest first.
    pub async fn list(&self, tenant: &str, limit: u32) -> Result<Vec<Listed>, EngineError> {
        Ok(self.store().runs(tenant, limit).await?)
    }

    /// Takes up what was under way when a node ended, then keeps time for all parked runs. Never returns; a store
    /// that is away for a while only makes it wait.
    pub async fn run(&self) {
        let (mut pause, mut signed) = (SOON, self.now());
        loop {
            let until = match self.look(&mut pause, &mut signed).await {
                Ok(until) => until,
                Err(EngineError::NotReady { .. }) => self.now() + TRY_AGAIN,
                Err(error) => {
                    self.doubt(&error);
                    tracing::error!(%error, "the store does not answer; no work is taken until it does");
                    self.now() + TRY_AGAIN
                }
            };
            self.inner.sleeps_until.store(until, Ordering::Release);
            tokio::select! {
                () = self.inner.parts.clock.sleep_until(until) => {}
                () = self.inner.news.notified() => {}
                told = self.store().told() => self.pass_on(&told),
            }
        }
    }

    /// Mail that came in at another node, for runs that this one drives. For all others it only looks for work.
    fn pass_on(&self, told: &[RunId]) {
        for id in told {
            let here = lock(&self.inner.slots).get(id).map(|slot| slot.mail.store(true, Ordering::Release));
            if here.is_some() {
                self.wake(id);
            }
        }
    }

    async fn look(&self, pause: &mut Micros, signed: &mut Micros) -> Result<Micros, EngineError> {
        self.ready().await?;
        let now = self.now();
        if now - *signed >= SIGN_EVERY {
            self.checkpoint().await?;
            *signed = now;
        }
        self.inner.codes.sweep(now);
        self.read_boards(now).await?;
        let room = MAX_RUNNING.saturating_sub(lock(&self.inner.slots).len()).min(MAX_DUE);
        if room == 0 {
            return Ok(now + SOON);
        }
        let claims = self.store().claim(now, u32::try_from(room).unwrap_or(u32::MAX)).await?;
        *pause = if claims.is_empty() { (*pause * 2).min(IDLE) } else { SOON };
        claims.into_iter().for_each(|claim| self.take_up(claim));
        let wake = self.store().next_wake().await?.unwrap_or(Micros::MAX);
        Ok(wake.clamp(now + SOONEST, now + *pause - self.jitter(*pause)))
    }

    /// Up to a twentieth of a pause, so that nodes do not look all at once.
    fn jitter(&self, pause: Micros) -> Micros {
        let mut byte = [0];
        self.inner.parts.random.fill(&mut byte);
        pause * Micros::from(byte[0]) / (20 * 256)
    }
}
