//! What reaches a run from outside, as it lies in the inbox. No secret lies there: a code has been compared
//! and a card is in the vault before the signal is made.

use serde::{Deserialize, Serialize};

use crate::fact::{Commitment, Revoked, Text};
use crate::operate::Act;
use crate::ports::{Micros, Report};

/// Who caused an event: the five things that each event of the record names (seed 3, 28).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// `person:maria`, `customer:c_1`, `connector:…`, `host`.
    pub actor: String,
    /// The person's device.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<String>,
    /// The person's job function.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub function: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
}

impl Who {
    /// The host itself.
    pub fn host() -> Who {
        Who { actor: "host".into(), ..Who::default() }
    }

    /// A vendor, by the connection that it spoke over.
    pub fn connection(name: &str) -> Who {
        Who { actor: format!("connection:{name}"), ..Who::default() }
    }

    /// `person:sam (supervisor)`.
    pub fn in_words(&self) -> String {
        match &self.function {
            Some(function) => format!("{} ({function})", self.actor),
            None => self.actor.clone(),
        }
    }

    /// A customer.
    pub fn customer(id: &str) -> Who {
        Who { actor: format!("customer:{id}"), ..Who::default() }
    }
}

/// One entry of the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// What.
    pub signal: Signal,
    /// By whom.
    pub who: Who,
    /// When it arrived.
    pub at: Micros,
}

/// What can arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// A one-time code was given and compared.
    Code {
        /// The key of the message that carried the code.
        key: String,
        /// Whether it was the one.
        matched: bool,
    },
    /// The customer answered an offer.
    Answer {
        /// The step.
        step: String,
        /// Yes or no.
        accepted: bool,
        /// The terms that were read out.
        terms: String,
    },
    /// A person at work answered a question.
    Told {
        /// The step.
        step: String,
        /// One of its answers.
        answer: String,
    },
    /// A person at work approved terms, or refused them.
    Approval {
        /// The step.
        step: String,
        /// The commitment of the terms that were looked at.
        terms: String,
        /// Yes or no.
        approved: bool,
    },
    /// Somebody pressed "continue" on a link's first page.
    LinkOpened {
        /// What the token hashes to.
        link: String,
    },
    /// The page is open in a browser in which nobody proved who they are.
    ProveAgain {
        /// The step.
        step: String,
    },
    /// The customer agreed and entered a card.
    Card {
        /// The step.
        step: String,
        /// The token.
        token: String,
        /// `visa`.
        brand: String,
        /// Last four digits.
        last4: String,
        /// The words on the page; their value is sealed.
        words: Commitment,
        /// The sealed words, base64.
        sealed: String,
    },
    /// A vendor's report.
    Reported {
        /// The connection.
        connection: String,
        /// The connector that read it: it speaks for its own effects and no others.
        connector: String,
        /// The report.
        report: Report,
    },
    /// The customer wrote to us.
    Text {
        /// The text; its words are sealed.
        text: Text,
        /// What it takes away.
        revoked: Option<Revoked>,
        /// The sealed words, base64, where this record keeps them.
        sealed: Option<String>,
    },
    /// A person steers the run.
    Operate {
        /// What they do.
        act: Act,
        /// Why.
        reason: String,
    },
    /// A person looked at what a step disclosed.
    Read {
        /// The step.
        step: String,
    },
}

impl Signal {
    /// The sealed value that it brings along, base64, with its commitment.
    pub fn brings(&self) -> Option<(&Commitment, &str)> {
        match self {
            Signal::Card { words, sealed, .. } => Some((words, sealed)),
            Signal::Text { text, sealed, .. } => text.words.as_ref().zip(sealed.as_deref()),
            _ => None,
        }
    }
}
