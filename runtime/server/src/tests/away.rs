//! The store of these tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::campaigns::{Became, Campaigns, Enlisted, Pace, Progress, Remaining};
use selvedge_engine::ports::store::*;
use selvedge_engine::ports::*;
use selvedge_policy::{Count, Tally};
use selvedge_record::{Frontier, Hash, Sealed};

/// Knows sessions; is away for all else.
#[derive(Default)]
pub struct Away {
    pub sessions: BTreeMap<String, Session>,
    pub touched: Arc<Mutex<Vec<Micros>>>,
    pub ended: Arc<Mutex<Vec<String>>>,
    pub noted: Arc<Mutex<Vec<Sealed>>>,
    pub trouble: Option<Trouble>,
}

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable { doing: "read".into(), why: "4242424242424242 is not for the answer".into() })
}

#[async_trait]
impl Keeping for Away {
    async fn openable(
        &self,
        _: &str,
        _: Micros,
        _: Option<&(Micros, String)>,
        _: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        away()
    }
    async fn destroy(&self, _: Destruction) -> Result<(), StoreError> {
        away()
    }
}

#[async_trait]
impl Sessions for Away {
    async fn put_session(&self, _: &str, _: &Session) -> Result<(), StoreError> {
        away()
    }
    async fn session(&self, hash: &str) -> Result<Option<Session>, StoreError> {
        Ok(self.sessions.get(hash).cloned())
    }
    async fn end_session(&self, hash: &str) -> Result<(), StoreError> {
        self.ended.lock().unwrap().push(hash.to_owned());
        Ok(())
    }
    async fn touch_session(&self, _: &str, at: Micros) -> Result<(), StoreError> {
        self.touched.lock().unwrap().push(at);
        Ok(())
    }
}

#[async_trait]
impl Journal for Away {
    async fn commit(&self, _: Commit) -> Result<(), StoreError> {
        away()
    }
    async fn record(&self, _: &RunId) -> Result<Vec<Stored>, StoreError> {
        Ok(Vec::new())
    }
    async fn last(&self, _: &RunId) -> Result<Option<Stored>, StoreError> {
        Ok(None)
    }
    async fn append(&self, id: &RunId, event: Sealed) -> Result<(), StoreError> {
        assert_eq!(id.interaction, selvedge_engine::access::ACCESS);
        self.noted.lock().unwrap().push(event);
        Ok(())
    }
    async fn deliver(&self, _: &RunId, _: &str, _: &str, _: Micros) -> Result<bool, StoreError> {
        away()
    }
    async fn inbox(&self, _: &RunId, _: u32) -> Result<Vec<Delivery>, StoreError> {
        away()
    }
    async fn claim(&self, _: Micros, _: u32) -> Result<Vec<Claim>, StoreError> {
        away()
    }
    async fn claim_one(&self, _: &RunId, _: Micros) -> Result<Asked, StoreError> {
        away()
    }
    async fn release(&self, _: &RunId, _: Lease) -> Result<(), StoreError> {
        away()
    }
    async fn next_wake(&self) -> Result<Option<Micros>, StoreError> {
        away()
    }
    async fn runs(&self, _: &str, _: u32) -> Result<Vec<Listed>, StoreError> {
        away()
    }
    async fn newest(&self) -> Result<Option<Micros>, StoreError> {
        away()
    }
    async fn writable(&self) -> Result<(), Trouble> {
        self.trouble.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Switchboard for Away {
    async fn switch(&self, _: &RunId, _: Sealed, _: Option<&str>, _: Micros) -> Result<(), StoreError> {
        away()
    }
    async fn busy_of(&self, _: &str) -> Result<Vec<RunId>, StoreError> {
        away()
    }
}

#[async_trait]
impl Log for Away {
    async fn places(&self, _: &RunId) -> Result<Vec<u64>, StoreError> {
        away()
    }
    async fn written_since(&self, _: u64) -> Result<Vec<RunId>, StoreError> {
        away()
    }
    async fn frontier(&self) -> Result<Frontier, StoreError> {
        away()
    }
    async fn leaves(&self, _: u64) -> Result<Vec<Hash>, StoreError> {
        away()
    }
    async fn put_checkpoint(&self, _: u64, _: &str) -> Result<(), StoreError> {
        away()
    }
    async fn checkpoint_over(&self, _: u64) -> Result<Option<(u64, String)>, StoreError> {
        away()
    }
}

#[async_trait]
impl Customers for Away {
    async fn put_customer(
        &self,
        _: &str,
        _: &str,
        _: Option<i64>,
        _: &str,
        _: &[SealedField],
    ) -> Result<(), StoreError> {
        away()
    }
    async fn customer(&self, _: &str, _: &str) -> Result<Option<CustomerRow>, StoreError> {
        away()
    }
    async fn customers_at(&self, _: &str, _: &[u8; 32]) -> Result<Vec<String>, StoreError> {
        away()
    }
    async fn open_interactions(&self, _: &str, _: &str) -> Result<Vec<RunId>, StoreError> {
        away()
    }
    async fn field(&self, _: &str, _: &str, _: &str) -> Result<Option<SealedField>, StoreError> {
        away()
    }
}

#[async_trait]
impl Campaigns for Away {
    async fn enlist(&self, _: &str, _: &str, _: &[Enlisted]) -> Result<(), StoreError> {
        away()
    }
    async fn campaigns(&self, _: &str, _: &str, _: u32) -> Result<Vec<(String, bool)>, StoreError> {
        away()
    }
    async fn going(&self, _: &str) -> Result<Vec<String>, StoreError> {
        away()
    }
    async fn take(&self, _: &str, _: &str, _: Pace, _: Micros, _: u32) -> Result<Vec<Enlisted>, StoreError> {
        away()
    }
    async fn ended(&self, _: &str, _: &str, _: u32) -> Result<Vec<Enlisted>, StoreError> {
        away()
    }
    async fn settle(&self, _: &str, _: &str, _: &[(String, Became)]) -> Result<(), StoreError> {
        away()
    }
    async fn remaining(&self, _: &str, _: &str) -> Result<Remaining, StoreError> {
        away()
    }
    async fn progress(&self, _: &str, _: &str) -> Result<Progress, StoreError> {
        away()
    }
    async fn close_campaign(&self, _: &str, _: &str) -> Result<(), StoreError> {
        away()
    }
    async fn customers_after(&self, _: &str, _: &str, _: u32) -> Result<Vec<String>, StoreError> {
        away()
    }
}

#[async_trait]
impl Contacts for Away {
    async fn tally(&self, _: &str, _: &str, _: &str, _: &Count) -> Result<Tally, StoreError> {
        away()
    }
}

#[async_trait]
impl Safe for Away {
    async fn forget_card(&self, _: &str, _: &str) -> Result<(), StoreError> {
        away()
    }
    async fn data_key(&self, _: &str, _: &str, _: &str, _: &[u8]) -> Result<Vec<u8>, StoreError> {
        away()
    }
    async fn existing_data_key(&self, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        away()
    }
    async fn sealed(&self, _: &RunId, _: &str) -> Result<Option<SealedValue>, StoreError> {
        away()
    }
    async fn put_card(&self, _: &str, _: &str, _: &[u8], _: Micros) -> Result<(), StoreError> {
        away()
    }
    async fn card(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        away()
    }
    async fn link(&self, _: &str) -> Result<Option<(RunId, String)>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl Definitions for Away {
    async fn publish(&self, _: &str, _: &str, _: &str, _: &str, _: Micros) -> Result<(), StoreError> {
        away()
    }
    async fn definition(&self, _: &str, _: &str) -> Result<Option<String>, StoreError> {
        away()
    }
    async fn kept(&self, _: &str) -> Result<Vec<(String, String)>, StoreError> {
        away()
    }
    async fn published(&self, _: &str, _: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
    async fn threshold(&self, _: &str, _: &str, _: &str) -> Result<Threshold, StoreError> {
        Ok(Threshold { published: None, customer: false, epoch: 0 })
    }
}
