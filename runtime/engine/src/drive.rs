//! The loop that carries a run from one wait to the next: ask [`decide`] what must happen, make it happen,
//! write down what came of it. Facts gather in a [`Turn`]; it is made durable before anything leaves and
//! before the run is put down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use selvedge_policy::{Contact, DEBIT, Verdict};
use selvedge_workflow::dictionary::Class;
use selvedge_workflow::expression::{Given, Undecided};
use selvedge_workflow::plan::{Exit, Node, Op, Plan};

use crate::decide::{self, Next};
use crate::definition::Definition;
use crate::engine::{Engine, Held, Slot, lock};
use crate::error::{EngineError, StoreError};
use crate::fact::{Fact, Moment};
use crate::flight::Flight;
use crate::operate::Act;
use crate::ports::store::{Asked, Commit, Lease, RunId, Stored};
use crate::ports::{Access, Micros};
use crate::risk;
use crate::run::Run;
use crate::signal::{Delivered, Signal, Who};
use crate::turn::{Keys, Turn};

/// How many inbox entries one look takes in.
const MAX_MAIL: u32 = 64;
/// How many events one transaction may hold.
pub(crate) const MAX_EVENTS: usize = 64;

/// What came of driving a run.
pub(crate) enum Driven {
    /// It went as far as it goes; this is where it stands.
    Here(Box<Run>),
    /// There was nothing to do.
    Idle,
    /// Another node has its lease.
    Elsewhere,
}

impl Engine {
    /// Drives a run as far as it goes, if this node has its lease or gets it. One driver at a time; a second one
    /// waits and then finds nothing to do.
    pub(crate) async fn drive(&self, id: &RunId) -> Result<Driven, EngineError> {
        self.ready().await?;
        let slot = self.slot(id);
        let driven = {
            let mut held = slot.held.lock().await;
            let left = lock(&slot.left).take();
            match left.filter(|_| held.is_none() && !slot.mail.load(Ordering::Acquire)) {
                Some(run) => Driven::Here(run),
                None => self.drive_held(id, &slot, &mut held).await?,
            }
        };
        self.put_down(id, slot);
        Ok(driven)
    }

    async fn drive_held(&self, id: &RunId, slot: &Slot, held: &mut Option<Held>) -> Result<Driven, EngineError> {
        match self.hold(id, held).await? {
            Asked::Leased(lease) => {
                let gone = self.carry(slot, id, lease, held.as_mut().and_then(|held| held.begun.take())).await;
                match &gone {
                    Ok(_) => *held = None,
                    Err(EngineError::Store(StoreError::Stale { .. })) => {
                        *held = None;
                        // If nobody took it over yet, somebody may. What cannot be said now, the store finds out.
                        let _ = self.store().release(id, lease).await;
                    }
                    Err(_) => {}
                }
                let run = Box::new(gone?);
                *lock(&slot.left) = Some(run.clone());
                Ok(Driven::Here(run))
            }
            Asked::Idle => Ok(Driven::Idle),
            Asked::Elsewhere => Ok(Driven::Elsewhere),
        }
    }

    /// The lease that is held, or else one that is asked for.
    async fn hold(&self, id: &RunId, held: &mut Option<Held>) -> Result<Asked, EngineError> {
        if let Some(held) = held {
            return Ok(Asked::Leased(held.lease));
        }
        let asked = self.store().claim_one(id, self.now()).await?;
        if let Asked::Leased(lease) = asked {
            *held = Some(Held { lease, begun: None });
        }
        Ok(asked)
    }

    /// Carries a run to where it is put down. What is overtaken was not written: it is decided again, on what the
    /// store has now.
    async fn carry(
        &self,
        slot: &Slot,
        id: &RunId,
        lease: Lease,
        mut begun: Option<(Run, Keys)>,
    ) -> Result<Run, EngineError> {
        let mut flight = Flight::default();
        loop {
            let (run, keys) = match begun.take() {
                Some(begun) => begun,
                None => (self.run_state(id).await?, Keys::new()),
            };
            flight.keep_intended(&run);
            // What was taken in and did not become durable lies in the inbox still.
            let gone = self
                .go(slot, lease, run, keys, &mut flight)
                .await
                .inspect_err(|_| slot.mail.store(true, Ordering::Release));
            match gone {
                Err(EngineError::Store(StoreError::Overtaken { .. })) => {}
                other => return other,
            }
        }
    }

    /// A parked run takes no memory, unless somebody is about to drive it again.
    pub(crate) fn put_down(&self, id: &RunId, slot: Arc<Slot>) {
        let mut slots = lock(&self.inner.slots);
        // Two holders: the map and this call. Nobody can become a third without the map's lock.
        if Arc::strong_count(&slot) == 2 {
            slots.remove(id);
        }
    }

    async fn go(
        &self,
        slot: &Slot,
        lease: Lease,
        run: Run,
        keys: Keys,
        flight: &mut Flight,
    ) -> Result<Run, EngineError> {
        let mut definition = self.definition(&run.id.tenant, &run.workflow, &run.controls).await?;
        let mut turn = Turn::new(run, lease, &definition.plan.purpose);
        turn.keys = keys;
        loop {
            if turn.run.controls != definition.digest {
                definition = self.definition(&turn.run.id.tenant, &turn.run.workflow, &turn.run.controls).await?;
                turn.purpose.clone_from(&definition.plan.purpose);
            }
            let plan = &definition.plan;
            let again = std::mem::take(&mut turn.taken_back);
            if slot.mail.swap(false, Ordering::AcqRel) || again {
                self.take_mail(slot, &definition, &mut turn, flight).await?;
                if turn.run.controls != definition.digest {
                    continue;
                }
            }
            if turn.len() >= MAX_EVENTS && !self.flush(&mut turn).await? {
                continue;
            }
            self.choose_language(plan, &mut turn).await?;
            let now = self.now();
            let Some(next) = self.wanted(&definition, &mut turn, flight, now).await? else { continue };
            match next {
                Next::Take(facts) => turn.add_all(&Who::host(), now, facts)?,
                Next::AskContact(node) => {
                    self.ask_contact(&definition, &mut turn, &node, Moment::Queued).await?;
                }
                Next::Disclose(node) => self.disclose(&definition, &mut turn, &node).await?,
                Next::Record(node) => self.record(&definition, &mut turn, &node).await?,
                Next::Decide(node) => self.decide_way(&definition, &mut turn, &node).await?,
                Next::Offer(node) => self.offer(&mut turn, &node).await?,
                Next::Keep(node) => Box::pin(self.keep(&definition, &mut turn, &node)).await?,
                Next::Remember(node) => Box::pin(self.keep_amount(&definition, &mut turn, &node)).await?,
                Next::Count(node) => {
                    let count = self.inner.values.items(&turn.run, &node).await?;
                    turn.add(&Who::host(), now, decide::forked(plan, &node, count))?;
                }
                Next::Try(node, effect) => {
                    let intent = self.intend(&definition, &mut turn, &node, effect).await?;
                    intent.into_iter().for_each(|intent| flight.intends(intent));
                }
                Next::AskRisk(node) => self.ask_risk(&definition, &mut turn, &node).await?,
                Next::Ask(node, effect, asked) => {
                    if !self.flush(&mut turn).await? {
                        continue;
                    }
                    let call = self.call(&definition, &turn.run, &node, &effect);
                    let answer = self.inner.parts.connectors.lookup(&call).await;
                    let facts = decide::asked(plan, &turn.run, &node, &effect, asked, answer, self.now());
                    turn.add_all(&connector_actor(&turn.run, &call.connector), self.now(), facts)?;
                }
                Next::Park | Next::Over if !flight.is_empty() => self.fly(&definition, &mut turn, flight).await?,
                Next::Park | Next::Over if slot.mail.load(Ordering::Acquire) => {}
                Next::Park | Next::Over => {
                    if self.park(&mut turn).await? {
                        self.inner.folds.keep(&turn.run);
                        return Ok(turn.run);
                    }
                }
            }
        }
    }

    /// What the run wants next at one of its places, and a switch lets through. `None`: a switch halts it there from
    /// here on.
    async fn wanted<'p>(
        &self,
        definition: &'p Definition,
        turn: &mut Turn,
        flight: &mut Flight,
        now: Micros,
    ) -> Result<Option<Next<'p>>, EngineError> {
        let (plan, class_of) = (&definition.plan, |c: &str, f: &str| definition.class_of(c, f));
        for at in 0..turn.run.cursors.len() {
            let cursor = &turn.run.cursors[at];
            if flight.holds(&cursor.place) {
                continue;
            }
            let next = decide::next_at(plan, &turn.run, cursor, &class_of, now)?;
            if next == Next::Park {
                continue;
            }
            match self.gate(definition, turn, next).await? {
                Some(Next::Park) => {}
                other => return Ok(other),
            }
        }
        Ok(Some(decide::at_end(&definition.plan, &turn.run)))
    }

    /// Makes everything so far durable. `false`: a kill switch came in between; the turn is taken back to where it did
    /// not depend on it, to be decided anew.
    pub(crate) async fn flush(&self, turn: &mut Turn) -> Result<bool, EngineError> {
        match turn.is_empty() {
            true => Ok(true),
            false => self.write(turn, false).await,
        }
    }

    /// Makes the rest durable and gives the lease back with it.
    async fn park(&self, turn: &mut Turn) -> Result<bool, EngineError> {
        match turn.is_empty() {
            true => Ok(self.store().release(&turn.run.id, turn.lease).await.map(|()| true)?),
            false => self.write(turn, true).await,
        }
    }

    /// When the run has just ended, a checkpoint is signed soon.
    async fn write(&self, turn: &mut Turn, release: bool) -> Result<bool, EngineError> {
        self.pass_on_risks(turn).await?;
        let commit = turn.take(release);
        let closed = commit.summary.over && !commit.events.is_empty();
        match self.store().commit(commit).await {
            Err(StoreError::Switched(commit)) => return self.take_back(turn, *commit).await.map(|()| false),
            other => other?,
        }
        turn.durable();
        if closed {
            self.sign_soon();
        }
        Ok(true)
    }

    /// Writes what came before the guard, such as the outcome of an effect, and forgets the rest.
    async fn take_back(&self, turn: &mut Turn, commit: Commit) -> Result<(), EngineError> {
        let commit = turn.before_guard(commit);
        let mut record = self.store().record(&turn.run.id).await?;
        record.extend(commit.events.iter().map(|e| Stored { seq: e.seq, canonical: e.canonical.clone() }));
        turn.run = Run::fold(&turn.run.id, &record)?;
        self.read_board(&turn.run.id.tenant).await?;
        if !commit.events.is_empty() || !commit.consumed.is_empty() {
            self.store().commit(Commit { summary: turn.run.summary(), release: false, ..commit }).await?;
        }
        Ok(())
    }

    async fn take_mail(
        &self,
        slot: &Slot,
        definition: &Definition,
        turn: &mut Turn,
        flight: &mut Flight,
    ) -> Result<(), EngineError> {
        let mail = self.store().inbox(&turn.run.id, MAX_MAIL).await?;
        if mail.len() == MAX_MAIL as usize {
            slot.mail.store(true, Ordering::Release);
        }
        for entry in mail.iter().filter(|e| !e.body.is_empty()) {
            if turn.has_consumed(entry.number) {
                continue;
            }
            let delivered: Delivered =
                serde_json::from_str(&entry.body).map_err(|e| EngineError::Broken { what: e.to_string() })?;
            if let Signal::Operate { act: Act::Move(_), .. } = &delivered.signal {
                // It looks at the record, which must be whole.
                if !self.flush(turn).await? {
                    return Ok(());
                }
                let moved = self.moved(&turn.run, &delivered).await?;
                turn.add_all(&delivered.who, delivered.at, moved.into_iter().collect())?;
                turn.consume(entry.number);
                // What came after it is taken in by the definition that is in force then.
                slot.mail.store(true, Ordering::Release);
                return Ok(());
            }
            // A vendor may report before it has answered. The answer comes first: an effect has one outcome.
            if matches!(&delivered.signal, Signal::Reported { report, .. } if flight.awaits(&turn.run, &report.idempotency_key))
            {
                slot.mail.store(true, Ordering::Release);
                continue;
            }
            let facts = match &delivered.signal {
                Signal::Operate { act: Act::Handoff(to), reason } => {
                    self.handed_over(definition, &turn.run, to, reason, &delivered).await?
                }
                _ => decide::on_signal(&definition.plan, &turn.run, &delivered)?,
            };
            if let (Some((value, sealed)), false) = (delivered.signal.brings(), facts.is_empty()) {
                let blob = crate::values::from_base64(sealed)?;
                turn.seal(crate::ports::store::SealedValue {
                    name: value.name.clone(),
                    class: value.class.clone(),
                    blob,
                });
            }
            let hint = risk::hint(&facts);
            turn.add_all(&delivered.who, delivered.at, facts)?;
            if let Some(hint) = hint {
                turn.add(&Who::host(), delivered.at, hint.fact(definition, delivered.at))?;
            }
            turn.consume(entry.number);
            if turn.len() >= MAX_EVENTS && !self.flush(turn).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Asks the contact rules, with the customer's state as it is at this moment. `true`: permitted.
    pub(crate) async fn ask_contact(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        moment: Moment,
    ) -> Result<bool, EngineError> {
        let (purpose, channel) = match &node.op {
            Op::Send { purpose, .. } => (purpose, channel(&definition.plan, node)),
            Op::Debit { .. } => (&definition.plan.purpose, DEBIT),
            _ => return Ok(true),
        };
        let (mut customer, version) = self.inner.values.customer(&turn.run.id.tenant, &turn.run.customer).await?;
        if let (Moment::Sending, Some(version)) = (moment, version) {
            turn.rests_on(version);
        }
        let now = self.now();
        if let Op::Debit { amount, .. } = &node.op {
            let amount = Box::pin(self.amount_hash(&turn.run, amount)).await?;
            customer = customer.before_debit(&amount, now);
        }
        let contact = Contact::new(purpose, channel, now, &customer);
        // Its own earlier attempt does not stand in a message's way.
        let (run, key) = (&turn.run, turn.run.key(&node.name));
        let mut tallies = Vec::new();
        for count in definition.rules.counts(&contact) {
            tallies.push(self.store().tally(&run.id.tenant, &run.customer, &key, &count).await?);
        }
        let mut decision = definition.rules.decide(&Contact { tallies: &tallies, ..contact });
        if channel == DEBIT && customer.method_at(now).is_none() {
            decision = decision.without_method();
        }
        let permitted = decision.verdict == Verdict::Permit;
        turn.add(
            &Who::host(),
            now,
            decide::contact_decided(&definition.plan, &turn.run, node, moment, purpose, channel, decision),
        )?;
        Ok(permitted)
    }

    async fn disclose(&self, definition: &Definition, turn: &mut Turn, node: &Node) -> Result<(), EngineError> {
        let Op::Disclose { fields, words, over, .. } = &node.op else { return Ok(()) };
        let mut committed = Vec::new();
        for path in fields {
            let field = self.inner.values.field(&turn.run, path).await?;
            let name = format!("{}/{path}", node.step);
            let (commitment, sealed) = self
                .inner
                .values
                .commit(&turn.run.id, &name, &field.class, secrecy::ExposeSecret::expose_secret(&field.value))
                .await?;
            turn.seal(sealed);
            committed.push(commitment);
        }
        if let Some(words) = words {
            let said = self.words(definition, &turn.run, node, words).await?;
            let (name, class) = (format!("{}/words", node.step), Class::Comms.name());
            let (commitment, sealed) = self.inner.values.commit(&turn.run.id, &name, class, &said).await?;
            turn.seal(sealed);
            committed.push(commitment);
        }
        let next = decide::target(&definition.plan, node, Exit::Done);
        turn.add(
            &Who::host(),
            self.now(),
            Fact::Disclosed { node: node.name.clone(), over: over.clone(), fields: committed, next },
        )
    }

    /// Asks a node's condition. Its values are opened for as long as that takes.
    async fn decide_way(&self, definition: &Definition, turn: &mut Turn, node: &Node) -> Result<(), EngineError> {
        if let Op::Changed { amount } = &node.op {
            return Box::pin(self.has_changed(definition, turn, node, amount)).await;
        }
        let Op::When { condition } = &node.op else { return Ok(()) };
        let (mut given, mut accesses) = (BTreeMap::new(), Vec::new());
        for name in &condition.reads {
            if definition.dictionary.get(name).is_none() {
                let ask = name.strip_suffix(".answer").and_then(|step| turn.run.questions.get(step));
                let answer = ask.and_then(|question| question.answer.clone());
                given.extend(answer.map(|answer| (name.clone(), Given::Text(answer))));
                continue;
            }
            match self.inner.values.given(definition, &turn.run, &node.name, name).await {
                Ok((value, class)) => {
                    given.extend(value.map(|value| (name.clone(), value)));
                    let (field, place) = (name.clone(), node.name.clone());
                    accesses.push(Access { field, class, how: "condition".into(), place });
                }
                // Without it the condition has no answer, which the record then says.
                Err(EngineError::NoSuchField { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let answer = condition.holds(&given).map_err(|undecided| match undecided {
            Undecided::Missing(name) => format!("`{name}` has no value that can be compared"),
            Undecided::Currencies => "the amounts are of different currencies".into(),
            Undecided::WrongType(name) => format!("`{name}` is not of its type"),
        });
        turn.add(&Who::host(), self.now(), decide::condition_decided(&definition.plan, node, answer, accesses))
    }

    async fn offer(&self, turn: &mut Turn, node: &Node) -> Result<(), EngineError> {
        let Op::Offer { total, payments, every, within } = &node.op else { return Ok(()) };
        let field = self.inner.values.field(&turn.run, total).await?;
        let total = crate::money::Money::parse(total, secrecy::ExposeSecret::expose_secret(&field.value))?;
        let terms = crate::money::Terms::split(total, *payments, *every)?;
        let text = serde_json::to_string(&terms).map_err(|e| EngineError::Broken { what: e.to_string() })?;
        let (terms, sealed) =
            self.inner.values.commit(&turn.run.id, &format!("{}/terms", node.step), &field.class, &text).await?;
        turn.seal(sealed);
        let now = self.now();
        turn.add(
            &Who::host(),
            now,
            Fact::Offered { node: node.name.clone(), terms, payments: *payments, until: now + within },
        )
    }
}

/// The channel that a node sends by: its template's medium.
pub(crate) fn channel<'p>(plan: &'p Plan, node: &Node) -> &'p str {
    let Op::Send { template, .. } = &node.op else { return "unknown" };
    plan.templates.get(template).map_or("unknown", |template| template.medium.as_str())
}

/// The actor of what a connector did: its name and the digest that the run pinned.
pub(crate) fn connector_actor(run: &Run, connector: &str) -> Who {
    let digest = run.connectors.get(connector).map_or("unpinned", String::as_str);
    Who { actor: format!("connector:{connector}@{digest}"), ..Who::default() }
}
