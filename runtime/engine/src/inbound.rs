//! What customers write to us. A text finds its customer by the number that it came from; it is read for what it asks
//! and written down with its words sealed. One that asks us to stop changes the customer's state in the same
//! transaction, so that nothing leaves any more that was decided before.
//!
//! A text that asks something of us (to stop, for help) is an interaction of its own. Its id is derived from the
//! vendor's event, so an event that is told twice is one; its run is the answer, an ordinary workflow of one message
//! that the contact rules decide on. Any other text belongs to the interactions that are open.

use secrecy::{ExposeSecret, SecretString};
use selvedge_policy::{ALL, Consent, CustomerState, DEBIT, Given, Heard, Note, OptOut};
use selvedge_vault::{find_card_numbers, redact_card_numbers};
use selvedge_workflow::dictionary::TEXT_FROM;
use serde_json::json;

use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::fact::{Fact, Means, Revoked, Text};
use crate::ports::store::{Known, RunId};
use crate::ports::{Micros, Received};
use crate::signal::{Signal, Who};

/// The workflow that confirms an opt-out.
pub const CONFIRMS: &str = "reply-stop";
/// The workflow that answers a question for help.
pub const HELPS: &str = "reply-help";
/// The workflow that confirms that nothing more is charged to what is on file.
pub const ENDS_PAYMENTS: &str = "reply-stop-payments";
/// What makes a text end the authorization to charge what is on file.
const STOPS_PAYMENTS: &str = "12 CFR 1005.10(c)";
/// What makes a text end consent.
const REVOKES: &str = "47 CFR 64.1200(a)(10)";
/// How often a text is taken in again because the customer's state changed meanwhile.
const MAX_TRIES: u32 = 5;

/// A text, read. Its words hold no card number any more.
struct Read {
    text: Text,
    /// It ends the authorization to charge what is on file, whatever else it means.
    stops_payments: bool,
    words: Option<SecretString>,
    from: Option<SecretString>,
}

impl Read {
    fn of(connection: &str, received: Received, opt_out: &OptOut) -> Read {
        let Received { event_id: event, channel, words, sender: from } = received;
        let words = words.filter(|words| !words.expose_secret().trim().is_empty());
        let cards = words.as_ref().map_or(0, |words| find_card_numbers(words.expose_secret()).len());
        let words = words.map(|words| SecretString::from(redact_card_numbers(words.expose_secret())));
        let (means, by) = match words.as_ref().map(|words| opt_out.hear(words.expose_secret())) {
            Some(Heard::OptOut { by }) => (Means::OptOut, Some(by)),
            Some(Heard::StopPayments { by }) => (Means::StopPayments, Some(by)),
            Some(Heard::Help) => (Means::Help, None),
            Some(Heard::Other) => (Means::Other, None),
            None => (Means::Unreadable, None),
        };
        let stops_payments = words.as_ref().is_some_and(|words| opt_out.stops_payments(words.expose_secret()));
        let (connection, cards) = (connection.to_owned(), u32::try_from(cards).unwrap_or(u32::MAX));
        let text = Text { connection, channel, event, means, by, cards, words: None, from: None, kept_in: None };
        Read { text, stops_payments, words, from }
    }
}

impl Engine {
    /// Takes in a message that somebody sent us. Once it returns, what it says is durable, and an opt-out holds.
    pub(crate) async fn hear(&self, tenant: &str, connection: &str, received: Received) -> Result<(), EngineError> {
        let customers = match &received.sender {
            Some(number) => self.inner.values.customers_at(tenant, number).await?,
            None => Vec::new(),
        };
        let read = Read::of(connection, received, &self.inner.parts.settings.opt_out);
        let mut told = false;
        for (place, customer) in customers.iter().enumerate() {
            let own = match read.text.means {
                // One phone, one answer, however many customers share it.
                Means::OptOut | Means::StopPayments | Means::Help => {
                    Some(self.take_in(tenant, customer, &read, place == 0).await?)
                }
                Means::Other | Means::Unreadable => None,
            };
            told |= self.tell(tenant, customer, &read, own.as_ref()).await?;
        }
        if told {
            return Ok(());
        }
        let why =
            if customers.is_empty() { "no customer has this number" } else { "nothing is open with this customer" };
        let data = json!({ "connection": connection, "event": read.text.event, "means": read.text.means, "why": why });
        self.note(tenant, &Who::connection(connection), "text.unmatched", data).await
    }

    /// Makes a text that asks something of us an interaction, with what it changes; and lets it be answered, if it is
    /// to be and somebody published the answer. Returns the interaction once it is durable.
    async fn take_in(&self, tenant: &str, customer: &str, read: &Read, answered: bool) -> Result<RunId, EngineError> {
        let Text { connection, event, .. } = &read.text;
        let context = json!([tenant, connection, event, customer]).to_string();
        let id = RunId { tenant: tenant.into(), interaction: self.inner.parts.vault.text_id(&context) };
        let mut tries = 0;
        while self.store().last(&id).await?.is_none() {
            tries += 1;
            match self.open_text(&id, customer, read, answered).await {
                Err(EngineError::Store(StoreError::Overtaken { .. })) if tries < MAX_TRIES => {}
                // The same event is being told elsewhere at this moment, and was a little quicker there.
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                other => other?,
            }
        }
        Ok(id)
    }

    async fn open_text(&self, id: &RunId, customer: &str, read: &Read, answered: bool) -> Result<(), EngineError> {
        let (mut state, version) = self.inner.values.customer(&id.tenant, customer).await?;
        let (now, who) = (self.now(), Who::customer(customer));
        let stops = read.text.means == Means::OptOut;
        // Who said stop before was told so before: nothing follows the confirmation (CTIA 5.1.3).
        let told = match read.text.means {
            Means::OptOut => state.refuses_all(&read.text.channel),
            Means::StopPayments => state.refuses_all(DEBIT),
            _ => false,
        };
        let wanted = answered && !told;
        let workflow = match read.text.means {
            Means::OptOut => CONFIRMS,
            Means::StopPayments => ENDS_PAYMENTS,
            _ => HELPS,
        };
        let definition = if wanted { self.in_force(&id.tenant, workflow).await? } else { None };
        let channel = &read.text.channel;
        let mut turn = self.opening(id, definition.as_deref(), workflow, customer, channel, &who, now)?;
        let words = read.words.as_ref().map_or("", |words| words.expose_secret());
        let (commitment, sealed) = self.inner.values.commit(id, "words", "COMMS", words).await?;
        turn.seal(sealed);
        let mut text = Text { words: Some(commitment), ..read.text.clone() };
        if let Some(from) = &read.from {
            let (from, sealed) = self.inner.values.commit(id, TEXT_FROM, "PII", from.expose_secret()).await?;
            turn.seal(sealed);
            text.from = Some(Box::new(from));
        }
        turn.add(&who, now, Fact::TextReceived(text))?;
        if stops {
            turn.add(&who, now, Fact::ConsentRevoked(revoked(channel, REVOKES, None)))?;
        }
        if read.stops_payments {
            turn.add(&who, now, Fact::ConsentRevoked(revoked(DEBIT, STOPS_PAYMENTS, None)))?;
        }
        if definition.is_none() {
            turn.add(&Who::host(), now, Fact::Closed { ending: "completed".into() })?;
        }
        note(&mut state, read, &id.interaction, now);
        let becomes = Some(crate::values::to_json(&state)?);
        let mut commit = turn.take(definition.is_none());
        commit.known = version.map(|version| Known { customer: customer.into(), version, becomes });
        let opened = self.store().commit(commit).await.map_err(EngineError::from);
        opened.inspect_err(|error| self.doubt(error))?;
        if definition.is_some() {
            self.start(turn).await;
        }
        Ok(())
    }

    /// Tells the customer's other open interactions of a text: of one that is an interaction of its own, where its words
    /// are kept; of any other, the words themselves. `false`: there was nobody to tell.
    async fn tell(&self, tenant: &str, customer: &str, read: &Read, own: Option<&RunId>) -> Result<bool, EngineError> {
        let mut told = own.is_some();
        let Text { connection, event, channel, .. } = &read.text;
        for id in self.store().open_interactions(tenant, customer).await? {
            if own == Some(&id) {
                continue;
            }
            let kept_in = own.map(|own| own.interaction.clone());
            let mut text = Text { kept_in: kept_in.clone(), ..read.text.clone() };
            let mut sealed = None;
            if let (None, Some(words)) = (own, &read.words) {
                let name = format!("text/{connection}/{event}");
                let (words, value) = self.inner.values.commit(&id, &name, "COMMS", words.expose_secret()).await?;
                (text.words, sealed) = (Some(words), Some(crate::values::to_base64(&value.blob)));
            }
            let revoked = match text.means {
                Means::OptOut => Some(revoked(channel, REVOKES, kept_in)),
                Means::StopPayments => Some(revoked(DEBIT, STOPS_PAYMENTS, kept_in)),
                _ => None,
            };
            let dedupe = format!("text/{connection}/{event}");
            self.deliver(&id, &dedupe, Signal::Text { text, revoked, sealed }, Who::customer(customer)).await?;
            told = true;
        }
        Ok(told)
    }
}

/// The strictest reading: who answers one text with "stop" means all texts, for whatever purpose, by whoever sends them
/// for us.
fn revoked(channel: &str, cite: &str, said_in: Option<String>) -> Revoked {
    let all = || "all".to_owned();
    let (act, cite) = ("reply".into(), cite.into());
    Revoked { channel: channel.into(), purpose: all(), sender: all(), act, cite, said_in }
}

/// What a text changes of what is known of a customer.
fn note(state: &mut CustomerState, read: &Read, interaction: &str, at: Micros) {
    let text = &read.text;
    let refused = |channel: &str| Consent {
        purpose: ALL.into(),
        sender: String::new(),
        channel: channel.into(),
        granted: false,
        at,
        words: format!("sealed in {interaction}"),
        act: "reply".into(),
        given: Given::Express,
    };
    if read.stops_payments {
        state.consents.push(refused(DEBIT));
    }
    let what = match text.means {
        Means::OptOut if state.refuses_all(&text.channel) => return,
        Means::OptOut => "opt-out",
        // It ends no texts, and is answered as a question is.
        _ => "help-request",
    };
    state.notes.retain(|note| note.what != what);
    state.notes.push(Note { what: what.into(), at });
    if text.means == Means::OptOut {
        state.consents.push(refused(&text.channel));
    }
}
