//! The risk, asked where it matters: before a code leaves, before something is shown or paid that only the customer may
//! see or pay, and where a channel that should carry a code is not clear. What a signal found is an event, the answer is
//! another, and a risk that was found goes into the customer's state in the same transaction, so that a later try by
//! another channel inherits it until it ends.

use selvedge_policy::{self as policy, Place, Weighing};
use selvedge_workflow::plan::Node;

use crate::decide;
use crate::definition::Definition;
use crate::drive::connector_actor;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::ports::{Finding, Micros, Signal};
use crate::signal::Who;
use crate::turn::Turn;

/// A verification that nobody passed. Of this we know ourselves whether it was.
const FAILED: &str = "failed-verification";
/// The page was opened in a browser in which nobody had proved who they are.
const NEW_DEVICE: &str = "new-device";
/// How many risks a customer's state holds at most; the oldest go first.
const MAX_RISKS: usize = 32;

/// A signal that the run itself gives.
pub(crate) struct Hint {
    node: String,
    signal: &'static str,
    reason: &'static str,
}

/// What these facts say about the risk.
pub(crate) fn hint(facts: &[Fact]) -> Option<Hint> {
    facts.iter().find_map(|fact| match fact {
        Fact::CodeWrong { node, next: Some(_), .. } => {
            Some(Hint { node: node.clone(), signal: FAILED, reason: "no right code was given" })
        }
        Fact::WaitEnded { node, why, .. } if why == decide::ANOTHER_BROWSER => {
            Some(Hint { node: node.clone(), signal: NEW_DEVICE, reason: "the page was opened in another browser" })
        }
        _ => None,
    })
}

impl Hint {
    pub(crate) fn fact(self, definition: &Definition, now: Micros) -> Fact {
        let Hint { node, signal, reason } = self;
        let until = Some(now + definition.risk.holds(signal));
        Fact::SignalFound { node, signal: signal.into(), finding: Finding::Raised, reason: reason.into(), until }
    }
}

impl Engine {
    /// Writes down what a verifier found; where that is not clear, what the risk comes to. No code goes over a channel
    /// that is not clear.
    pub(crate) async fn hear_signal(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        connector: &str,
        signal: &Signal,
    ) -> Result<(), EngineError> {
        let Signal { name, finding, reason } = signal.clone();
        let now = self.now();
        let until = (finding == Finding::Raised).then(|| now + definition.risk.holds(&name));
        let who = connector_actor(&turn.run, connector);
        turn.add(&who, now, Fact::SignalFound { node: node.name.clone(), signal: name, finding, reason, until })?;
        match finding {
            Finding::Clear => Ok(()),
            Finding::Raised | Finding::Missing => self.weigh(definition, turn, node, Place::Channel).await,
        }
    }

    /// Weighs the risk of what comes next.
    pub(crate) async fn ask_risk(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
    ) -> Result<(), EngineError> {
        let place = decide::place(&node.op).unwrap_or(Place::Action);
        self.weigh(definition, turn, node, place).await
    }

    async fn weigh(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        place: Place,
    ) -> Result<(), EngineError> {
        // What is durable by now. The commit does not rest on it: what this turn learnt before, such as the outcome of a
        // check, must not be lost because something else of the customer changed.
        let (customer, _) = self.inner.values.customer(&turn.run.id.tenant, &turn.run.customer).await?;
        let run = &turn.run;
        let heard = run.signals.iter().map(|(signal, (finding, at))| (signal.as_str(), of(*finding), *at));
        // Where none failed lately, it is no silence: we would know.
        let found: Vec<_> = heard.chain([(FAILED, policy::Finding::Clear, run.opened)]).collect();
        let weighed = definition.risk.weigh(&Weighing {
            place,
            found: &found,
            inherited: &customer.risks,
            interaction: &run.id.interaction,
            proved: run.assertions.iter().map(|assertion| assertion.issued).max(),
            now: self.now(),
        });
        turn.add(&Who::host(), self.now(), decide::risk_decided(&definition.plan, node, weighed))
    }

    /// Lets later tries of the customer inherit the risks that this turn found, in the transaction that writes it.
    pub(crate) async fn pass_on_risks(&self, turn: &mut Turn) -> Result<(), EngineError> {
        let raised = turn.take_raised();
        if raised.is_empty() {
            return Ok(());
        }
        let (mut customer, version) = self.inner.values.customer(&turn.run.id.tenant, &turn.run.customer).await?;
        let Some(version) = version else { return Ok(()) };
        let now = self.now();
        customer.risks.retain(|risk| risk.until > now);
        for risk in raised {
            customer.risks.retain(|known| known.signal != risk.signal || known.until > risk.until);
            customer.risks.push(risk);
        }
        let beyond = customer.risks.len().saturating_sub(MAX_RISKS);
        customer.risks.drain(..beyond);
        turn.becomes(version, crate::values::to_json(&customer)?);
        Ok(())
    }
}

fn of(finding: Finding) -> policy::Finding {
    match finding {
        Finding::Clear => policy::Finding::Clear,
        Finding::Raised => policy::Finding::Raised,
        Finding::Missing => policy::Finding::Missing,
    }
}
