//! What a workflow writes down about a customer: flags, notes, consents and conversations. It is in the record and, in the
//! same transaction, in what is on file of the customer, so that every contact decision after it sees it. A flag holds
//! until a person takes it off, with a reason.

use selvedge_policy::{Consent, Contacted, CustomerState, Given, Note, Past};
use selvedge_workflow::plan::{Node, Noted, Op, Word};
use serde_json::json;

use crate::decide;
use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::ports::Micros;
use crate::signal::Who;
use crate::switches::a_reason;
use crate::turn::Turn;

/// By which act a consent is given or taken away where a workflow writes it down.
const ACT: &str = "workflow";
/// How often another writer may be quicker.
const MAX_TRIES: u32 = 5;

impl Engine {
    /// Writes down what a node says. A state that changed meanwhile overtakes it, and it is written down on the new one.
    pub(crate) async fn record(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
    ) -> Result<(), EngineError> {
        let Op::Record { what } = &node.op else { return Ok(()) };
        // What came before does not depend on the customer's state, and is not taken back with this.
        if !self.flush(turn).await? {
            return Ok(());
        }
        let now = self.now();
        if let Noted::Conversation(channel) = what {
            let (channel, purpose) = (channel.clone(), definition.plan.purpose.clone());
            let spoken = Contacted { past: Past::Conversation, channel, purpose, account: None, at: now };
            turn.contact(&turn.run.key(&node.name), Some(spoken));
        } else {
            let (mut state, version) = self.inner.values.customer(&turn.run.id.tenant, &turn.run.customer).await?;
            let missing = || EngineError::NoSuchField { customer: turn.run.customer.clone(), field: "record".into() };
            let version = version.ok_or_else(missing)?;
            note(&mut state, what, now);
            turn.becomes(version, crate::values::to_json(&state)?);
        }
        turn.add_all(&Who::host(), now, decide::noted(&definition.plan, node))?;
        self.flush(turn).await?;
        Ok(())
    }
}

impl Engine {
    /// Takes a flag off a customer. That somebody did, and why, stands in the record of access before it is gone.
    ///
    /// Errors: E503 where there is no such customer, E511 without a reason, E516 without such a flag, or the store's.
    pub async fn unflag(
        &self,
        tenant: &str,
        customer: &str,
        flag: &str,
        reason: &str,
        who: &Who,
    ) -> Result<(), EngineError> {
        let data = json!({ "customer": customer, "flag": flag, "reason": a_reason(reason)? });
        let mut noted = false;
        for attempt in 1.. {
            let (mut state, version) = self.inner.values.customer(tenant, customer).await?;
            let missing = || EngineError::NoSuchField { customer: customer.into(), field: "record".into() };
            let version = version.ok_or_else(missing)?;
            let before = state.flags.len();
            state.flags.retain(|known| known != flag);
            if state.flags.len() == before {
                return Err(EngineError::NoSuchFlag { customer: customer.into(), flag: flag.into() });
            }
            if !noted {
                self.note(tenant, who, "customers.unflagged", data.clone()).await?;
                noted = true;
            }
            let state = crate::values::to_json(&state)?;
            match self.store().put_customer(tenant, customer, Some(version), &state, &[]).await {
                Err(StoreError::Overtaken { .. }) if attempt < MAX_TRIES => {}
                other => return Ok(other?),
            }
        }
        Ok(())
    }
}

/// What is known of a customer with this written down.
fn note(state: &mut CustomerState, what: &Noted, at: Micros) {
    match what {
        Noted::Flag(flag) if state.flags.contains(flag) => {}
        Noted::Flag(flag) => state.flags.push(flag.clone()),
        Noted::Note(what) => {
            state.notes.retain(|note| note.what != *what);
            state.notes.push(Note { what: what.clone(), at });
        }
        Noted::Consent(word) => state.consents.push(consent(word, true, at)),
        Noted::Withdrawal(word) => state.consents.push(consent(word, false, at)),
        Noted::Conversation(_) => {}
    }
}

fn consent(word: &Word, granted: bool, at: Micros) -> Consent {
    let Word { channel, purpose, words } = word.clone();
    Consent { purpose, channel, granted, at, words, sender: String::new(), act: ACT.into(), given: Given::Express }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_written_down_once_and_a_note_with_its_newest_time() {
        let mut state = CustomerState::default();
        for at in [1, 2] {
            note(&mut state, &Noted::Flag("dispute".into()), at);
            note(&mut state, &Noted::Note("reassignment-check".into()), at);
        }
        assert_eq!(state.flags, ["dispute"]);
        assert_eq!(state.notes, [Note { what: "reassignment-check".into(), at: 2 }]);
    }

    #[test]
    fn the_newest_word_on_consent_counts() {
        let mut state = CustomerState::default();
        let word = |purpose: &str| Word { channel: "sms".into(), purpose: purpose.into(), words: "Yes".into() };
        note(&mut state, &Noted::Consent(word("billing")), 1);
        assert!(!state.refuses_all("sms"));
        note(&mut state, &Noted::Withdrawal(word("all")), 2);
        assert!(state.refuses_all("sms"));
        assert_eq!((state.consents[0].words.as_str(), state.consents[0].act.as_str()), ("Yes", "workflow"));
    }
}
