//! What several facts are made of, and what signals bring.

use serde::{Deserialize, Serialize};

/// A value that the record commits to without holding it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// Its name in this record: `plan/terms`.
    pub name: String,
    /// Its class.
    pub class: String,
    /// Salted hash, see `record::commitment`.
    pub commitment: String,
}

/// What a customer's text asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// To be left alone.
    OptOut,
    /// That nothing more is charged to what is on file.
    StopPayments,
    /// A word of help.
    Help,
    /// Nothing that is answered by itself.
    Other,
    /// It has no words that could be read.
    Unreadable,
}

/// A text that a customer sent us. Its words stand sealed in one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The connection that it came in by.
    pub connection: String,
    /// `sms`.
    pub channel: String,
    /// The vendor's id of the event.
    pub event: String,
    /// What it asks of us.
    pub means: Means,
    /// The word of the opt-out policy that it met; never the customer's own words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// How many card numbers were taken out of its words before they were sealed.
    pub cards: u32,
    /// Its words, where this record keeps them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub words: Option<Commitment>,
    /// The number that it came from, where this record answers it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Box<Commitment>>,
    /// The interaction whose record keeps them otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kept_in: Option<String>,
}

/// A consent that a customer took away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// To be contacted by this channel, or charged: `debit`.
    pub channel: String,
    /// For this purpose; `all`: for whatever purpose.
    pub purpose: String,
    /// To this sender; `all`: to everybody who contacts them in our name.
    pub sender: String,
    /// By which act: `reply`.
    pub act: String,
    /// The law that makes it one.
    pub cite: String,
    /// The interaction whose record holds the act, where it is not this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub said_in: Option<String>,
}

/// When in the life of a message the contact rules were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// When it was queued.
    Queued,
    /// Right before it left.
    Sending,
}

/// The items that a run goes through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// How many the customer has.
    pub count: u32,
    /// How many are under way at once at most.
    pub at_once: u32,
}
