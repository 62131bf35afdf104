//! Who drives which run, where one node has the store to itself: a folder with its `node.lock`, or a store in memory. The
//! leases lie in memory and end with the node.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Claim, Lease, RunId};

/// The leases of this node.
pub struct Leases(Mutex<Table>);

struct Table {
    held: HashMap<RunId, Lease>,
    /// The token of the next lease. No token comes twice, so a driver that was left behind is refused.
    next: Lease,
}

impl Leases {
    /// None yet.
    pub fn new() -> Leases {
        Leases(Mutex::new(Table { held: HashMap::new(), next: Lease(Lease::OPENING.0 + 1) }))
    }

    /// How many runs are being driven.
    pub fn count(&self) -> usize {
        self.table().held.len()
    }

    /// Whether somebody drives this run.
    pub fn holds(&self, id: &RunId) -> bool {
        self.table().held.contains_key(id)
    }

    /// Takes a lease, unless somebody has it.
    pub fn take(&self, id: RunId) -> Option<Claim> {
        let mut table = self.table();
        if table.held.contains_key(&id) {
            return None;
        }
        let lease = table.next;
        table.next = Lease(lease.0 + 1);
        table.held.insert(id.clone(), lease);
        Some(Claim { id, lease })
    }

    /// Refuses who does not hold the run.
    pub fn check(&self, id: &RunId, lease: Lease) -> Result<(), StoreError> {
        match self.table().held.get(id) == Some(&lease) {
            true => Ok(()),
            false => Err(StoreError::Stale { interaction: id.interaction.clone() }),
        }
    }

    /// The lease of a run that is being opened. `false`: somebody has one, so its record is there.
    pub fn open(&self, id: &RunId, lease: Lease) -> bool {
        match self.table().held.entry(id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(lease);
                true
            }
        }
    }

    /// Gives a lease back that is still held.
    pub fn give_back(&self, id: &RunId, lease: Lease) {
        let mut table = self.table();
        if table.held.get(id) == Some(&lease) {
            table.held.remove(id);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing is done under this lock that can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
