//! What the engine asks of a store. Every write that belongs together is one call, and a call that returned
//! `Ok` is durable. The tenant leads every key.

use std::fmt;

use async_trait::async_trait;
use selvedge_policy::{Contacted, Count, Tally};
use selvedge_record::{Frontier, Hash, Sealed};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Micros;
use super::campaigns::Campaigns;
use crate::error::StoreError;

/// Names one interaction of one tenant, and so its record and its run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId {
    /// The tenant.
    pub tenant: String,
    /// The interaction, `int_<32 hex digits>`.
    pub interaction: String,
}

impl RunId {
    /// Whether the interaction has the form that the engine gives: `int_` and 32 hex digits. Nothing else that a
    /// stranger sends as an id is looked up, written down or logged.
    pub fn is_well_formed(&self) -> bool {
        let digits = self.interaction.strip_prefix("int_").unwrap_or_default();
        digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
}

/// The right to write one run. Who takes a run over gets a higher token; the one before is refused from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease(pub i64);

impl Lease {
    /// What the commit that opens a record holds from then on.
    pub const OPENING: Lease = Lease(1);
}

/// A run that this node is to drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub id: RunId,
    /// This node's right to.
    pub lease: Lease,
}

/// What came of asking for one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This node drives it.
    Leased(Lease),
    /// Nobody needs to: its time has not come and it has no mail.
    Idle,
    /// Another node drives it.
    Elsewhere,
}

/// One logical transaction of a run: everything in it happens, or nothing.
#[derive(Clone)]
pub struct Commit {
    /// Whose.
    pub id: RunId,
    /// The right to write it. A commit whose first event opens the record takes [`Lease::OPENING`].
    /// [`StoreError::Stale`]: another node has taken the run over.
    pub lease: Lease,
    /// The run is put down with this commit, and the lease given back.
    pub release: bool,
    /// Events in order. The first one's `seq` must be the number of events that the record has, or the
    /// commit is refused with [`StoreError::Conflict`]: a record has one author.
    pub events: Vec<Sealed>,
    /// What lists and the scheduler need to know of the run after these events.
    pub summary: Summary,
    /// Inbox entries that these events answer; removed with them.
    pub consumed: Vec<i64>,
    /// Values whose commitments stand in these events.
    pub sealed: Vec<SealedValue>,
    /// Links issued by these events.
    pub links: Vec<Link>,
    /// A card whose number is not needed any more.
    pub forget_card: Option<String>,
    /// What these events rest on that others may change meanwhile.
    pub known: Option<Known>,
    /// Set when something in it depends on the tenant's kill switches: the epoch that it was decided at, which is the
    /// length of the record of switches. [`StoreError::Switched`] gives it back when that is another one by now.
    pub epoch: Option<u64>,
    /// Contacts that these events make or take back.
    pub contacts: Vec<ContactChange>,
    /// Data keys of the record, only in the commit that opens it: nobody else can have made one yet.
    pub keys: Vec<RecordKey>,
}

impl fmt::Debug for Commit {
    /// Without what it carries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commit({}, {} events)", self.id.interaction, self.events.len())
    }
}

/// A data key of a record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKey {
    /// Class of the data dictionary.
    pub class: String,
    /// Under the master key.
    pub wrapped: Vec<u8>,
}

/// A contact to be counted from now on, or no longer. One that is made counts as a change of the customer's state, so
/// that of two messages that were decided on the same count one is decided again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactChange {
    /// The customer.
    pub customer: String,
    /// What it is known by: the effect's key; of a conversation, the interaction.
    pub key: String,
    /// What is done; `None`: it certainly was not.
    pub made: Option<Contacted>,
}

/// What was known of a customer when a commit was decided. When it is not what is known any more, the commit is
/// refused with [`StoreError::Overtaken`] and has to be decided anew: an opt-out that is durable before the intent of
/// a message voids the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The customer.
    pub customer: String,
    /// The version of their state that was read.
    pub version: i64,
    /// Their state from now on (JSON of `policy::CustomerState`), where these events change it.
    pub becomes: Option<String>,
}

/// A customer's contact state as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerRow {
    /// JSON of `policy::CustomerState`.
    pub state: String,
    /// Grows by one with every change.
    pub version: i64,
}

/// A run as lists show it. Derived from the record; never a second truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The workflow's name.
    pub workflow: String,
    /// The digest of the definitions that it began with.
    pub controls: String,
    /// The customer.
    pub customer: String,
    /// When the interaction began.
    pub opened: Micros,
    /// When the last event happened.
    pub updated: Micros,
    /// The step it stands at, or how it ended.
    pub at: String,
    /// Whether the run is over.
    pub over: bool,
    /// There is work right now (an effect is open, a step is to be taken): taken up again when its node is gone.
    pub busy: bool,
    /// When to look again if nothing arrives.
    pub wake: Option<Micros>,
    /// The kill switches that halt it, with [`BETWEEN`] them: branches may be halted by different ones.
    pub halted: Option<String>,
}

/// What stands between the switches that halt a run.
pub const BETWEEN: &str = ", ";

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The interaction.
    pub interaction: String,
    /// Its summary.
    pub summary: Summary,
}

/// A committed event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the record, from 0.
    pub seq: u64,
    /// Canonical text.
    pub canonical: String,
}

/// An encrypted value that an event commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedValue {
    /// Unique in the record: `plan/terms`.
    pub name: String,
    /// Class of the data dictionary.
    pub class: String,
    /// Salt and value under the interaction's data key of that class.
    pub blob: Vec<u8>,
}

/// A payment link; the token itself is derived, never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What the token hashes to.
    pub id: String,
    /// The step that it opens.
    pub step: String,
}

/// What arrived for a run from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Order of arrival.
    pub number: i64,
    /// JSON of a [`crate::signal::Delivered`].
    pub body: String,
}

/// Why a store takes no writes for a while. These words go to whoever asks for a node's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// No room for a commit.
    #[error("the disk is full")]
    Full,
    /// It can be read.
    #[error("the disk is read-only")]
    ReadOnly,
    /// A lock that is not given back.
    #[error("another process holds the database")]
    Held,
    /// Anything else; the log has the database's words.
    #[error("the database does not take writes")]
    Away,
}

/// Records and runs.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Makes one transaction durable.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;
    /// A record, whole and in order; empty where there is none.
    async fn record(&self, id: &RunId) -> Result<Vec<Stored>, StoreError>;
    /// The last event of a record.
    async fn last(&self, id: &RunId) -> Result<Option<Stored>, StoreError>;
    /// Adds an event to a record that belongs to no run. [`StoreError::Conflict`]: its place is taken.
    async fn append(&self, id: &RunId, event: Sealed) -> Result<(), StoreError>;
    /// Takes in a signal durably. `false`: one with this `dedupe` was taken in before.
    async fn deliver(&self, id: &RunId, dedupe: &str, body: &str, at: Micros) -> Result<bool, StoreError>;
    /// What has arrived and is not consumed, oldest first, at most `limit`.
    async fn inbox(&self, id: &RunId, limit: u32) -> Result<Vec<Delivery>, StoreError>;
    /// Leases to this node runs that nobody drives and that want it: their time has come, they have mail, or they
    /// were in the middle of something when their node went. Whoever waits longest comes first, at most `limit`.
    async fn claim(&self, now: Micros, limit: u32) -> Result<Vec<Claim>, StoreError>;
    /// The same for one run.
    async fn claim_one(&self, id: &RunId, now: Micros) -> Result<Asked, StoreError>;
    /// Gives a lease back where there was nothing to write; one that another node has taken over is gone already.
    async fn release(&self, id: &RunId, lease: Lease) -> Result<(), StoreError>;
    /// Whether this node's leases run for certain. Asked right before an effect leaves: a node that was paused
    /// may not know yet that another one took its runs over.
    fn leases_run(&self) -> bool {
        true
    }
    /// Tells the node that drives this run of mail, without waiting. Only a hint: what is lost is found by looking.
    fn tell(&self, _id: &RunId) {}
    /// Waits until another node tells of mail, and for whom. Where there is one node, nobody does.
    async fn told(&self) -> Vec<RunId> {
        std::future::pending().await
    }
    /// The earliest time at which a run that nobody drives wants to be looked at.
    async fn next_wake(&self) -> Result<Option<Micros>, StoreError>;
    /// Runs, newest first, at most `limit`.
    async fn runs(&self, tenant: &str, limit: u32) -> Result<Vec<Listed>, StoreError>;
    /// Writes something that changes nothing, as durably as a commit: whether this store takes writes now.
    async fn writable(&self) -> Result<(), Trouble>;
    /// The time of the newest event of all: a clock that stepped back must not go before it.
    async fn newest(&self) -> Result<Option<Micros>, StoreError>;
}

/// Kill switches: the record [`SWITCHES`](crate::switches::SWITCHES) and the runs that it concerns.
#[async_trait]
pub trait Switchboard: Send + Sync {
    /// Adds an event to the record of switches. Once it returns, no commit with an older epoch is written any more.
    /// The runs that the switch `frees` halted come due at `at`, in the same transaction. [`StoreError::Conflict`]:
    /// another writer was quicker.
    async fn switch(&self, id: &RunId, event: Sealed, frees: Option<&str>, at: Micros) -> Result<(), StoreError>;
    /// The tenant's runs that are in the middle of something.
    async fn busy_of(&self, tenant: &str) -> Result<Vec<RunId>, StoreError>;
}

/// The Merkle log over all records. What was committed before a call is in it.
#[async_trait]
pub trait Log: Send + Sync {
    /// Where the events of a record stand in the log, in their order.
    async fn places(&self, id: &RunId) -> Result<Vec<u64>, StoreError>;
    /// The records, of all tenants, that have an event at the place `index` of the log or behind it.
    async fn written_since(&self, index: u64) -> Result<Vec<RunId>, StoreError>;
    /// The right edge of the tree.
    async fn frontier(&self) -> Result<Frontier, StoreError>;
    /// Leaf hashes `0..size`.
    async fn leaves(&self, size: u64) -> Result<Vec<Hash>, StoreError>;
    /// Keeps a signed checkpoint for `size` leaves.
    async fn put_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError>;
    /// The oldest checkpoint that covers leaf `index`, with its size.
    async fn checkpoint_over(&self, index: u64) -> Result<Option<(u64, String)>, StoreError>;
}

/// Customers, and what is kept about them under lock.
#[async_trait]
pub trait Customers: Send + Sync {
    /// Sets or replaces a customer's contact state (JSON of `policy::CustomerState`) and sealed fields. `seen` is the
    /// version that `state` was made from, `None` for a new customer; [`StoreError::Overtaken`]: there is another.
    async fn put_customer(
        &self,
        tenant: &str,
        customer: &str,
        seen: Option<i64>,
        state: &str,
        fields: &[SealedField],
    ) -> Result<(), StoreError>;
    /// The contact state as it is at this moment.
    async fn customer(&self, tenant: &str, customer: &str) -> Result<Option<CustomerRow>, StoreError>;
    /// The customers who have a phone number on file, in order: by its keyed hash, because no number stands in the
    /// store.
    async fn customers_at(&self, tenant: &str, number: &[u8; 32]) -> Result<Vec<String>, StoreError>;
    /// The interactions of a customer that are not over.
    async fn open_interactions(&self, tenant: &str, customer: &str) -> Result<Vec<RunId>, StoreError>;
    /// One sealed field.
    async fn field(&self, tenant: &str, customer: &str, path: &str) -> Result<Option<SealedField>, StoreError>;
}

/// Who was contacted how often.
#[async_trait]
pub trait Contacts: Send + Sync {
    /// The sum that a contact rule asks for, over one customer's contacts but the one under the key `except`. As
    /// `Count::tally` gives it, in work that the count's limit bounds.
    async fn tally(&self, tenant: &str, customer: &str, except: &str, count: &Count) -> Result<Tally, StoreError>;
}

/// A customer's field as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedField {
    /// `patient.mobile`.
    pub path: String,
    /// `PII`.
    pub class: String,
    /// Under the customer's data key of that class.
    pub blob: Vec<u8>,
    /// The keyed hash that it is found by, where it is a phone number.
    pub number: Option<[u8; 32]>,
}

/// Keys, sealed values, cards, links.
#[async_trait]
pub trait Safe: Send + Sync {
    /// The wrapped data key of (subject, class): the one that is there, or `candidate`, which then is.
    async fn data_key(&self, tenant: &str, subject: &str, class: &str, candidate: &[u8])
    -> Result<Vec<u8>, StoreError>;
    /// The wrapped data key, if there is one.
    async fn existing_data_key(&self, tenant: &str, subject: &str, class: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// A sealed value of a record.
    async fn sealed(&self, id: &RunId, name: &str) -> Result<Option<SealedValue>, StoreError>;
    /// Keeps an encrypted card under its token.
    async fn put_card(&self, tenant: &str, token: &str, blob: &[u8], at: Micros) -> Result<(), StoreError>;
    /// The encrypted card.
    async fn card(&self, tenant: &str, token: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Removes a card that nobody will charge, with its key.
    async fn forget_card(&self, tenant: &str, token: &str) -> Result<(), StoreError>;
    /// What a link id opens.
    async fn link(&self, link: &str) -> Result<Option<(RunId, String)>, StoreError>;
}

/// What stands at the moment at which an interaction is to be opened.
pub struct Threshold {
    /// The digest that new runs of the workflow pin.
    pub published: Option<String>,
    /// Whether the customer is known.
    pub customer: bool,
    /// How many events the tenant's record of kill switches has.
    pub epoch: u64,
}

/// Definitions in force, by digest, and which one a new run takes.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// Keeps a definition (JSON map of path to text) and makes it the one that new runs of `workflow` pin.
    async fn publish(
        &self,
        tenant: &str,
        workflow: &str,
        digest: &str,
        files: &str,
        at: Micros,
    ) -> Result<(), StoreError>;
    /// The text of a definition.
    async fn definition(&self, tenant: &str, digest: &str) -> Result<Option<String>, StoreError>;
    /// All definitions that are kept: workflow and digest.
    async fn kept(&self, tenant: &str) -> Result<Vec<(String, String)>, StoreError>;
    /// The digest that new runs of `workflow` pin.
    async fn published(&self, tenant: &str, workflow: &str) -> Result<Option<String>, StoreError>;
    /// What is asked before an interaction is opened, in one question.
    async fn threshold(&self, tenant: &str, workflow: &str, customer: &str) -> Result<Threshold, StoreError>;
}

/// A person at work: named, on a device, with a function. Seed 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `ses_…`.
    pub id: String,
    /// The tenant that the person works for.
    pub tenant: String,
    /// The person's own name at work; never a group.
    pub person: String,
    /// The device.
    pub device: String,
    /// Whether the device was verified.
    pub device_verified: bool,
    /// The job function.
    pub function: String,
    /// When the session ends at the latest.
    pub expires: Micros,
    /// When it was last used; 15 minutes idle end it (PCI DSS 8.2.8).
    pub last_used: Micros,
}

/// Sessions by the hash of their token.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Keeps a session.
    async fn put_session(&self, token_hash: &str, session: &Session) -> Result<(), StoreError>;
    /// The session of a token.
    async fn session(&self, token_hash: &str) -> Result<Option<Session>, StoreError>;
    /// Ends a session; one that is not there is ended already.
    async fn end_session(&self, token_hash: &str) -> Result<(), StoreError>;
    /// Notes its use.
    async fn touch_session(&self, token_hash: &str, at: Micros) -> Result<(), StoreError>;
}

/// An interaction that is over, and of which something can still be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The interaction.
    pub interaction: String,
    /// Its workflow.
    pub workflow: String,
    /// Its customer.
    pub customer: String,
    /// When it closed.
    pub closed: Micros,
    /// The classes that it has data keys of.
    pub classes: Vec<String>,
}

/// The end of some of a record's data keys, and of what they sealed.
#[derive(Clone, Debug)]
pub struct Destruction {
    /// The record.
    pub id: RunId,
    /// The events that say so, next in the record.
    pub events: Vec<Sealed>,
    /// The classes whose keys go.
    pub classes: Vec<String>,
    /// The record of legal holds, and how many events it had when this was decided.
    pub holds: (RunId, u64),
}

/// What is kept beside records of runs that are over.
#[async_trait]
pub trait Keeping: Send + Sync {
    /// Interactions that closed before `before` and have data keys, by the time that they closed, beyond `after`.
    async fn openable(
        &self,
        tenant: &str,
        before: Micros,
        after: Option<&(Micros, String)>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError>;
    /// Destroys keys in one transaction with the events that say so. [`StoreError::Conflict`]: the record or that of
    /// the holds has other events than this was decided on; nothing was destroyed.
    async fn destroy(&self, destruction: Destruction) -> Result<(), StoreError>;
}

/// Everything that a store is.
pub trait Store:
    Journal + Switchboard + Log + Customers + Campaigns + Contacts + Safe + Keeping + Definitions + Sessions
{
}
impl<T: Journal + Switchboard + Log + Customers + Campaigns + Contacts + Safe + Keeping + Definitions + Sessions> Store
    for T
{
}
