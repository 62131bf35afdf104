//! A call that we place. The contact rules are asked before anybody dials, and their answer stands in the record right
//! behind its opening, yes or no: a call that was not placed has a record that says why.

use selvedge_policy::{Contact, Contacted, Decision, Past, Verdict};
use selvedge_record::time::to_rfc3339;
use selvedge_workflow::plan::OUTGOING_CALL;

use crate::definition::Definition;
use crate::engine::{CALL, Engine};
use crate::error::EngineError;
use crate::fact::{Fact, Moment};
use crate::ports::store::RunId;
use crate::signal::Who;
use crate::turn::Turn;

/// Whether a workflow begins with a call that we place.
pub(crate) fn is_outgoing(definition: &Definition) -> bool {
    definition.plan.starts == OUTGOING_CALL
}

impl EngineError {
    /// The refusal of a call, with the rules that are against it.
    pub(crate) fn no_call(id: &RunId, decision: Decision) -> EngineError {
        let help = match decision.verdict {
            Verdict::Defer { until } => {
                format!("it may be placed from {} on; open it again then", to_rfc3339(until).unwrap_or_default())
            }
            _ => {
                "time alone does not change it: see what the rules ask for, or reach the customer in another way".into()
            }
        };
        let reasons = decision.reasons.into_iter().filter(|reason| reason.verdict != Verdict::Permit).collect();
        EngineError::NoCall { interaction: id.interaction.clone(), help, reasons }
    }
}

impl Engine {
    /// Asks the contact rules whether the call may be placed. It is counted as a contact with the same commit, so that
    /// of two calls that were decided on the same count one is decided again.
    pub(crate) async fn decide_call(&self, definition: &Definition, turn: &mut Turn) -> Result<Decision, EngineError> {
        let RunId { tenant, interaction } = turn.run.id.clone();
        let (customer, version) = self.inner.values.customer(&tenant, &turn.run.customer).await?;
        version.into_iter().for_each(|version| turn.rests_on(version));
        let (purpose, now, key) = (definition.plan.purpose.as_str(), turn.run.opened, format!("{interaction}/{CALL}"));
        let contact = Contact::new(purpose, CALL, now, &customer);
        let mut tallies = Vec::new();
        for count in definition.rules.counts(&contact) {
            tallies.push(self.store().tally(&tenant, &turn.run.customer, &key, &count).await?);
        }
        let decision = definition.rules.decide(&Contact { tallies: &tallies, ..contact });
        let first = definition.plan.nodes.first().map(|node| node.name.clone());
        // Nobody waits at a desk for the hour at which it would be permitted: they call again.
        let permitted = decision.verdict == Verdict::Permit;
        let next = first.filter(|_| permitted).unwrap_or_else(|| "end:failed".into());
        let (node, moment, channel) = (CALL.to_owned(), Moment::Sending, CALL.to_owned());
        let decided = Fact::ContactDecided {
            node,
            moment,
            purpose: purpose.into(),
            channel,
            decision: decision.clone(),
            next: Some(next),
        };
        turn.add(&Who::host(), now, decided)?;
        if permitted {
            let (channel, purpose) = (CALL.to_owned(), purpose.to_owned());
            turn.contact(&key, Some(Contacted { past: Past::Contact, channel, purpose, account: None, at: now }));
        }
        Ok(decision)
    }
}
