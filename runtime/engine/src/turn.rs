//! A turn of a run: facts gather in memory, each already part of the chain, and become durable together.

use std::collections::BTreeMap;

use selvedge_policy::{Contacted, Past, RiskFound};
use selvedge_record::{Draft, Sealed};
use selvedge_vault::DataKey;
use selvedge_workflow::plan::{CHAT, OUTGOING_CALL};

use crate::engine::CALL;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::ports::Micros;
use crate::ports::store::{Commit, ContactChange, Known, Lease, Link, RecordKey, SealedValue};
use crate::run::Run;
use crate::signal::Who;

/// A record's data keys, by class.
pub(crate) type Keys = BTreeMap<String, DataKey>;

/// What a run did since its last commit.
pub struct Turn {
    /// The run as it is with these facts.
    pub run: Run,
    /// The purpose that events carry: the workflow's.
    pub purpose: String,
    /// This node's right to write it.
    pub lease: Lease,
    events: Vec<Sealed>,
    consumed: Vec<i64>,
    sealed: Vec<SealedValue>,
    links: Vec<Link>,
    forget_card: Option<String>,
    /// The record's data keys, while this node drives the run.
    pub(crate) keys: Keys,
    rests_on: Option<i64>,
    /// Risks that were found and that later tries of the customer are to inherit.
    raised: Vec<RiskFound>,
    /// The customer's state from now on, and the version that it was made from.
    becomes: Option<(i64, String)>,
    contacts: Vec<ContactChange>,
    made_keys: Vec<RecordKey>,
    guard: Option<Guard>,
    /// It was taken back to before its guard; mail that it had taken in lies in the inbox again.
    pub taken_back: bool,
}

/// From where on a turn stands only at one epoch of the kill switches.
struct Guard {
    epoch: u64,
    events: usize,
    consumed: usize,
    sealed: usize,
    links: usize,
    contacts: usize,
}

impl Turn {
    /// Nothing yet.
    pub fn new(run: Run, lease: Lease, purpose: &str) -> Turn {
        Turn {
            run,
            lease,
            purpose: purpose.to_owned(),
            events: Vec::new(),
            consumed: Vec::new(),
            sealed: Vec::new(),
            links: Vec::new(),
            forget_card: None,
            keys: Keys::new(),
            rests_on: None,
            raised: Vec::new(),
            becomes: None,
            contacts: Vec::new(),
            made_keys: Vec::new(),
            guard: None,
            taken_back: false,
        }
    }

    /// A turn whose first event opens the record.
    pub fn opening(run: Run, purpose: &str, first: Sealed) -> Turn {
        Turn { events: vec![first], ..Turn::new(run, Lease::OPENING, purpose) }
    }

    /// Adds a fact at `now`, or at the time of the newest fact if a clock has stepped back.
    pub fn add(&mut self, who: &Who, now: Micros, fact: Fact) -> Result<(), EngineError> {
        let time = now.max(self.run.updated);
        let (kind, data) = fact.kind_and_data()?;
        // A move is decided on both definitions, and evidence of it holds both.
        let controls = match &fact {
            Fact::Moved { from, to, .. } => format!("{from} {to}"),
            _ => self.run.controls.clone(),
        };
        let sealed = self.run.head.append(Draft {
            kind,
            time,
            actor: who.actor.clone(),
            device: who.device.clone(),
            function: who.function.clone(),
            session: who.session.clone(),
            purpose: some(&self.purpose),
            controls: some(&controls),
            data,
        })?;
        // Whom we reached by a call is spoken with from the moment at which they proved who they are.
        if matches!(&fact, Fact::AssertionIssued { .. })
            && self.run.channel == OUTGOING_CALL
            && self.run.assertions.is_empty()
        {
            let purpose = self.purpose.clone();
            self.conversation(&purpose, time);
        }
        // So is whoever we write with, from when they are on a call.
        if matches!(&fact, Fact::HandedOver(handed) if handed.to.channel == CALL && handed.from.channel == CHAT) {
            let purpose = self.purpose.clone();
            self.conversation(&purpose, time);
        }
        let before = self.run.card.as_ref().map(|c| c.token.clone());
        self.run.apply(time, &fact);
        let paid = matches!(&fact, Fact::Done { node, exit, .. } if exit == "done" && node.ends_with(".charge"));
        let after = self.run.card.as_ref().map(|c| c.token.clone());
        let kept = matches!(fact, Fact::MethodKept { .. });
        if before.is_some() && (after != before || paid) && !kept {
            self.forget_card = before;
        }
        // A message that certainly did not leave is no contact.
        if let Fact::Done { key, exit, .. } = &fact
            && exit == "failed"
            && self.run.messages.values().any(|sent| sent == key)
        {
            self.contact(key, None);
        }
        if let Fact::SignalFound { signal, until: Some(until), .. } = &fact {
            let found_in = self.run.id.interaction.clone();
            self.raised.push(RiskFound { signal: signal.clone(), at: time, until: *until, found_in });
        }
        self.events.push(sealed);
        Ok(())
    }

    /// Adds several.
    pub fn add_all(&mut self, who: &Who, now: Micros, facts: Vec<Fact>) -> Result<(), EngineError> {
        facts.into_iter().try_for_each(|fact| self.add(who, now, fact))
    }

    /// What is added from here on stands only if no kill switch is set or lifted before it is durable.
    pub fn only_at(&mut self, epoch: u64) {
        self.guard.get_or_insert(Guard {
            epoch,
            events: self.events.len(),
            consumed: self.consumed.len(),
            sealed: self.sealed.len(),
            links: self.links.len(),
            contacts: self.contacts.len(),
        });
    }

    /// A card that is on file no longer leaves the vault with what was added.
    pub fn forget(&mut self, token: String) {
        self.forget_card = Some(token);
    }

    /// The epoch that it stands at, if it depends on one.
    pub fn epoch(&self) -> Option<u64> {
        self.guard.as_ref().map(|guard| guard.epoch)
    }

    /// The part of a commit that the store gave back which does not depend on kill switches.
    pub fn before_guard(&mut self, mut commit: Commit) -> Commit {
        if let Some(guard) = self.guard.take() {
            commit.events.truncate(guard.events);
            commit.consumed.truncate(guard.consumed);
            commit.sealed.truncate(guard.sealed);
            commit.links.truncate(guard.links);
            commit.contacts.truncate(guard.contacts);
        }
        self.taken_back = true;
        // What the customer's state was read for came after.
        let known = commit.known.filter(|known| known.becomes.is_some());
        Commit { epoch: None, known, ..commit }
    }

    /// A value that the facts of this turn commit to.
    pub fn seal(&mut self, value: SealedValue) {
        self.sealed.push(value);
    }

    /// A link that the facts of this turn issue.
    pub fn link(&mut self, link: Link) {
        self.links.push(link);
    }

    /// A contact that the facts of this turn make, or take back.
    pub fn contact(&mut self, key: &str, made: Option<Contacted>) {
        self.contacts.push(ContactChange { customer: self.run.customer.clone(), key: key.into(), made });
    }

    /// The customer is spoken with on a call.
    pub fn conversation(&mut self, purpose: &str, at: Micros) {
        let (channel, purpose) = (CALL.to_owned(), purpose.to_owned());
        let spoken = Contacted { past: Past::Conversation, channel, purpose, account: None, at };
        self.contact(&self.run.id.interaction.clone(), Some(spoken));
    }

    /// A data key that is made with the record.
    pub fn make_key(&mut self, (kept, key): (RecordKey, DataKey)) {
        self.keys.insert(kept.class.clone(), key);
        self.made_keys.push(kept);
    }

    /// The facts of this turn were decided on this version of the customer's state.
    ///
    /// Of several decisions the first one holds: whatever was read later is of the same version, or is decided anew.
    pub fn rests_on(&mut self, version: i64) {
        self.rests_on.get_or_insert(version);
    }

    /// Whether any of them was.
    pub fn rests_on_customer(&self) -> bool {
        self.rests_on.is_some()
    }

    /// The risks that these facts found, once.
    pub fn take_raised(&mut self) -> Vec<RiskFound> {
        std::mem::take(&mut self.raised)
    }

    /// With these facts the customer's state becomes this one, made from that version.
    pub fn becomes(&mut self, version: i64, state: String) {
        self.becomes = Some((version, state));
    }

    /// An inbox entry that the facts of this turn answer.
    pub fn consume(&mut self, number: i64) {
        self.consumed.push(number);
    }

    /// Whether an inbox entry was taken in already.
    pub fn has_consumed(&self, number: i64) -> bool {
        self.consumed.contains(&number)
    }

    /// How many events are waiting to become durable.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is anything to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.consumed.is_empty()
    }

    /// What was taken last is on disk: nothing of it depends on anything any more.
    pub fn durable(&mut self) {
        self.guard = None;
    }

    /// Everything since the last call, as one transaction; `release`: with it the run is put down.
    pub fn take(&mut self, release: bool) -> Commit {
        let (made_from, becomes) = self.becomes.take().unzip();
        let version = self.rests_on.take().or(made_from);
        Commit {
            id: self.run.id.clone(),
            lease: self.lease,
            release,
            events: std::mem::take(&mut self.events),
            summary: self.run.summary(),
            consumed: std::mem::take(&mut self.consumed),
            sealed: std::mem::take(&mut self.sealed),
            links: std::mem::take(&mut self.links),
            forget_card: self.forget_card.take(),
            known: version.map(|version| Known { customer: self.run.customer.clone(), version, becomes }),
            epoch: self.epoch(),
            contacts: std::mem::take(&mut self.contacts),
            keys: std::mem::take(&mut self.made_keys),
        }
    }
}

/// A run that only writes down what was said has no workflow, and so neither purpose nor controls.
fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
