//! The store in memory: what a rehearsal needs, and the shortest words for what a store does. It looks through everything
//! where the others have an index, except on the path that every turn of a run takes.
//!
//! Nothing outlives the process, so this is no store for a node.

mod campaigns;
mod journal;
mod log;
mod safe;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{ContactChange, Known, RunId, SealedField, SealedValue, Session, Stored, Summary};
use selvedge_engine::switches::SWITCHES;
use selvedge_policy::Contacted;
use selvedge_record::{Frontier, Hash, Sealed};

use crate::leases::Leases;

/// A store in memory. Clones are one store and one node.
#[derive(Clone)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    leases: Arc<Leases>,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> MemoryStore {
        MemoryStore { tables: Arc::default(), leases: Arc::new(Leases::new()) }
    }

    /// The same data as a node that has just started has them: it drives nothing yet.
    pub fn restarted(&self) -> MemoryStore {
        MemoryStore { tables: self.tables.clone(), leases: Arc::new(Leases::new()) }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A write is checked before it changes anything, and nothing under this lock can panic halfway.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tenant and name of whatever has a name.
type Key = (String, String);

fn key(tenant: &str, name: &str) -> Key {
    (tenant.to_owned(), name.to_owned())
}

#[derive(Default)]
struct Tables {
    records: HashMap<RunId, Vec<Event>>,
    leaves: Vec<Hash>,
    edge: Frontier,
    checkpoints: BTreeMap<u64, String>,
    runs: BTreeMap<RunId, Row>,
    /// Of each run, in the order of arrival.
    mail: HashMap<RunId, Vec<Letter>>,
    /// How many letters arrived.
    letters: i64,
    customers: BTreeMap<Key, Customer>,
    /// By tenant and subject, then class.
    data_keys: BTreeMap<Key, BTreeMap<String, Vec<u8>>>,
    /// By record, then name.
    sealed: HashMap<RunId, BTreeMap<String, SealedValue>>,
    cards: HashMap<Key, Vec<u8>>,
    links: HashMap<String, (RunId, String)>,
    /// By tenant and digest: workflow and files.
    definitions: BTreeMap<Key, (String, String)>,
    /// By tenant and workflow: the digest.
    published: HashMap<Key, String>,
    sessions: HashMap<String, Session>,
    campaigns: BTreeMap<Key, campaigns::List>,
}

struct Event {
    canonical: String,
    /// In the log.
    place: u64,
}

struct Row {
    summary: Summary,
    /// When the run was over for the first time.
    closed: Option<Micros>,
}

struct Letter {
    number: i64,
    dedupe: String,
    body: String,
    at: Micros,
    taken: bool,
}

#[derive(Default)]
struct Customer {
    /// State and version; `None`: only contacts are known.
    state: Option<(String, i64)>,
    fields: BTreeMap<String, SealedField>,
    contacts: BTreeMap<String, Contacted>,
}

impl Tables {
    fn length(&self, id: &RunId) -> u64 {
        self.records.get(id).map_or(0, |record| record.len() as u64)
    }

    /// The tenant's epoch of kill switches.
    fn epoch(&self, tenant: &str) -> u64 {
        self.length(&RunId { tenant: tenant.to_owned(), interaction: SWITCHES.to_owned() })
    }

    /// Refuses events that do not follow on the record.
    fn follow(&self, id: &RunId, events: &[Sealed]) -> Result<(), StoreError> {
        match (self.length(id)..).zip(events).all(|(next, event)| event.seq == next) {
            true => Ok(()),
            false => Err(StoreError::Conflict { interaction: id.interaction.clone() }),
        }
    }

    /// Adds events that follow.
    fn add(&mut self, id: &RunId, events: Vec<Sealed>) {
        if events.is_empty() {
            return;
        }
        let record = self.records.entry(id.clone()).or_default();
        for event in events {
            let place = self.edge.push(event.hash);
            self.leaves.push(event.hash);
            record.push(Event { canonical: event.canonical, place });
        }
    }

    /// Refuses a state of a customer that is not the newest.
    fn newest(&self, tenant: &str, customer: &str, seen: Option<i64>) -> Result<(), StoreError> {
        let kept = self.customers.get(&key(tenant, customer)).and_then(|customer| customer.state.as_ref());
        match kept.map(|(_, version)| *version) == seen {
            true => Ok(()),
            false => Err(StoreError::Overtaken { customer: customer.to_owned() }),
        }
    }

    /// Replaces a customer's state.
    fn becomes(&mut self, tenant: &str, customer: &str, state: &str) {
        let kept = &mut self.customers.entry(key(tenant, customer)).or_default().state;
        *kept = Some((state.to_owned(), kept.as_ref().map_or(0, |(_, version)| version + 1)));
    }

    fn know(&mut self, tenant: &str, known: Known) {
        if let Some(state) = known.becomes {
            self.becomes(tenant, &known.customer, &state);
        }
    }

    fn count(&mut self, tenant: &str, change: ContactChange) {
        let ContactChange { customer, key: contact, made } = change;
        let customer = self.customers.entry((tenant.to_owned(), customer)).or_default();
        match made {
            None => drop(customer.contacts.remove(&contact)),
            Some(made) => {
                let at = made.at;
                customer.contacts.entry(contact).or_insert(made).at = at;
                if let Some((_, version)) = &mut customer.state {
                    *version += 1;
                }
            }
        }
    }

    fn forget_card(&mut self, tenant: &str, token: &str) {
        self.cards.remove(&key(tenant, token));
        self.data_keys.remove(&key(tenant, token));
    }
}

fn stored((seq, event): (usize, &Event)) -> Stored {
    Stored { seq: seq as u64, canonical: event.canonical.clone() }
}

/// What a database says of a second row where one may be.
fn twice(doing: &str) -> StoreError {
    StoreError::Unavailable { doing: doing.to_owned(), why: "it is there already".to_owned() }
}
