//! What the engine asks of a store for campaigns: the list of customers, and how far each of them came. What a campaign
//! is, and whether it may go on, stands in its record.

use async_trait::async_trait;
use serde::Serialize;

use super::Micros;
use crate::error::StoreError;

/// Who was taken up and has no interaction after so long is taken up again: their node is gone.
pub const STRANDED: Micros = 30_000_000;
/// What a rate is counted over.
pub const MINUTE: Micros = 60_000_000;

/// A customer on a campaign's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enlisted {
    /// The customer's id.
    pub customer: String,
    /// The interaction that the campaign opens with them, and no other.
    pub interaction: String,
}

/// How fast a campaign may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many customers are taken up within a minute at most.
    pub per_minute: u32,
    /// How many interactions are open at a time at most.
    pub at_once: u32,
}

impl Pace {
    /// How many more there is room for, where `lately` were taken up within the minute, `open` are open, and of `limit`
    /// in one call `taken` are.
    #[must_use]
    pub fn room(self, lately: u64, open: u64, limit: u32, taken: usize) -> i64 {
        let left = |most: u32, there: u64| i64::from(most).saturating_sub(i64::try_from(there).unwrap_or(i64::MAX));
        left(self.per_minute, lately).min(left(self.at_once, open)).min(left(limit, taken as u64)).max(0)
    }
}

/// What became of a customer who was taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// Back on the list: nothing was opened.
    Queued,
    /// The interaction came to its end.
    Done,
    /// A rule refused the contact.
    Refused(String),
    /// It could not be opened, or ended otherwise.
    Failed(String),
}

impl Became {
    /// The word that it is kept under, and why.
    #[must_use]
    pub fn kept(&self) -> (&'static str, Option<&str>) {
        match self {
            Became::Queued => ("queued", None),
            Became::Done => ("done", None),
            Became::Refused(why) => ("refused", Some(why)),
            Became::Failed(why) => ("failed", Some(why)),
        }
    }
}

/// What is left of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Somebody is on the list.
    pub queued: bool,
    /// Somebody was taken up.
    pub open: bool,
}

/// How far a campaign came, in customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// On the list.
    pub queued: u64,
    /// Taken up, and something is being done.
    pub open: u64,
    /// Taken up, and the interaction waits: for the customer, a time, a colleague.
    pub waiting: u64,
    /// Came to their end.
    pub done: u64,
    /// Refused by a rule.
    pub refused: u64,
    /// Failed.
    pub failed: u64,
}

impl Progress {
    /// Counts `count` customers whose row says `state`, and whose interaction waits or not.
    pub fn add(&mut self, state: &str, waits: bool, count: u64) {
        let of = match state {
            "queued" => &mut self.queued,
            "open" if waits => &mut self.waiting,
            "open" => &mut self.open,
            "done" => &mut self.done,
            "refused" => &mut self.refused,
            _ => &mut self.failed,
        };
        *of += count;
    }
}

/// Lists of customers.
#[async_trait]
pub trait Campaigns: Send + Sync {
    /// Puts customers on a campaign's list, behind those who are there; who is there already stays. Makes the list
    /// where there is none.
    async fn enlist(&self, tenant: &str, campaign: &str, customers: &[Enlisted]) -> Result<(), StoreError>;
    /// The campaigns of a tenant, by name, and whether each is over; at most `limit`, beyond `after`.
    async fn campaigns(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<(String, bool)>, StoreError>;
    /// Those that are not over.
    async fn going(&self, tenant: &str) -> Result<Vec<String>, StoreError>;
    /// Takes customers up, in the order of the list: as many as the pace leaves room for, at most `limit`. Who was
    /// taken up [`STRANDED`] ago and has no interaction comes again, and first. One caller at a time gets each.
    async fn take(
        &self,
        tenant: &str,
        campaign: &str,
        pace: Pace,
        now: Micros,
        limit: u32,
    ) -> Result<Vec<Enlisted>, StoreError>;
    /// Customers taken up whose interaction is over and of whom nobody has said what became, at most `limit`.
    async fn ended(&self, tenant: &str, campaign: &str, limit: u32) -> Result<Vec<Enlisted>, StoreError>;
    /// Keeps what became of customers who were taken up; one of whom it is known already stays as they are.
    async fn settle(&self, tenant: &str, campaign: &str, became: &[(String, Became)]) -> Result<(), StoreError>;
    /// Whether anybody is on the list still, and whether anybody was taken up of whom nobody has said what became.
    /// Costs the same however long the list is.
    async fn remaining(&self, tenant: &str, campaign: &str) -> Result<Remaining, StoreError>;
    /// How far it came: every row of the list is counted.
    async fn progress(&self, tenant: &str, campaign: &str) -> Result<Progress, StoreError>;
    /// Nothing is left to do for it.
    async fn close_campaign(&self, tenant: &str, campaign: &str) -> Result<(), StoreError>;
    /// Ids of a tenant's customers in order, at most `limit`, beyond `after`.
    async fn customers_after(&self, tenant: &str, after: &str, limit: u32) -> Result<Vec<String>, StoreError>;
}
