//! A handoff: a conversation goes on in another channel, or with another agent (seed 11). It is an act of a person with a
//! reason, and a fact that lists what is carried. Nothing becomes fresher by it: the step after it asks at its own moment
//! whether what was proved still suffices, and every contact asks again for its consent.

use selvedge_policy::CustomerState;
use selvedge_workflow::dictionary::Level;
use selvedge_workflow::plan::{Amount, Exit, Op, Plan};
use serde::{Deserialize, Serialize};

use crate::decide;
use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::ports::Micros;
use crate::run::Run;
use crate::signal::Delivered;

/// The longest name of an agent, in bytes.
pub const MAX_AGENT_BYTES: usize = 64;
const SECOND: Micros = 1_000_000;

/// To where an interaction is handed over: another channel, another agent, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// The channel in which it goes on; `None`: in the one that it is in.
    pub channel: Option<String>,
    /// The person who takes it over, `ben`; `None`: who has it keeps it.
    pub agent: Option<String>,
}

/// One side of a handoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The channel: `chat`.
    pub channel: String,
    /// The agent: `person:maria`.
    pub agent: String,
}

/// What was handed over, by whom, from where to where, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// Who did it, and as what.
    pub by: String,
    /// Why.
    pub reason: String,
    /// From where.
    pub from: Side,
    /// To where.
    pub to: Side,
    /// Proofs of identity that hold.
    pub assertions: Vec<CarriedProof>,
    /// What the customer has agreed to and not taken back.
    pub consents: Vec<CarriedConsent>,
    /// Payments that were begun and not made.
    pub payments: Vec<OpenPayment>,
}

/// A proof of identity that is carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedProof {
    /// How it was made: `code`.
    pub method: String,
    /// How sure it makes us.
    pub level: Level,
    /// The interaction that it holds for.
    pub scope: String,
    /// The channel that it is bound to: `sms`.
    pub channel: String,
    /// For how many seconds it still holds.
    pub valid_for: i64,
}

/// A consent that is carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedConsent {
    /// For this purpose.
    pub purpose: String,
    /// By this channel.
    pub channel: String,
    /// Since when.
    pub given: Micros,
}

/// A payment that was begun and not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPayment {
    /// The step that takes it.
    pub step: String,
    /// The commitment of the terms that were accepted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub terms: Option<String>,
    /// Until when the link to it works.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Micros>,
}

impl Handoff {
    /// Whether the run can be handed over like this where it stands, and as what the agent is recorded.
    ///
    /// Errors: E505 (to nowhere, or to no name of a person), E526 (not to this channel, not here).
    pub(crate) fn check(&self, plan: &Plan, run: &Run) -> Result<(), EngineError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
        let named = |name: &String| (1..=MAX_AGENT_BYTES).contains(&name.len()) && name.bytes().all(good);
        if !self.agent.as_ref().is_none_or(named) || *self == Handoff::default() {
            let wanted = format!(
                "a channel, or the name of a person in 1 to {MAX_AGENT_BYTES} letters, digits and `-_.@`, or both"
            );
            return Err(EngineError::BadValue { field: "handoff".into(), wanted });
        }
        let Some(channel) = &self.channel else { return Ok(()) };
        let leads = plan.nodes.iter().any(|node| matches!(&node.op, Op::Handoff { to, .. } if to == channel));
        let why = match self.place(plan, run)? {
            Some(_) => return Ok(()),
            // A channel that is none is not repeated: it may be anything.
            None if leads => format!("no handoff to a {channel} is awaited"),
            None => format!("the workflow `{}` has no step that goes on in that channel", plan.workflow),
        };
        Err(EngineError::CannotHandOver { at: run.summary().at, why })
    }

    /// The place that waits for this handoff, and where it leads.
    fn place(&self, plan: &Plan, run: &Run) -> Result<Option<(String, String)>, EngineError> {
        let waits = decide::standing(plan, run)?.into_iter().filter(|(_, cursor)| cursor.waits());
        let mut here = waits
            .filter(|(node, _)| matches!(&node.op, Op::Handoff { to, .. } if self.channel.as_ref() == Some(to)))
            .map(|(node, _)| (node.name.clone(), decide::target(plan, &node, Exit::Done)));
        Ok(here.next())
    }
}

impl Engine {
    /// What a handoff comes to, where the run stands now: nothing, where it makes no sense any more.
    pub(crate) async fn handed_over(
        &self,
        definition: &Definition,
        run: &Run,
        to: &Handoff,
        reason: &str,
        delivered: &Delivered,
    ) -> Result<Vec<Fact>, EngineError> {
        let (plan, at) = (&definition.plan, delivered.at);
        if run.ended.is_some() || run.cancelled || to.check(plan, run).is_err() {
            return Ok(Vec::new());
        }
        let (customer, _) = self.inner.values.customer(&run.id.tenant, &run.customer).await?;
        let from = Side { channel: run.channel.clone(), agent: run.held_by.clone() };
        let agent = to.agent.as_ref().map(|name| format!("person:{name}"));
        let handed = Fact::HandedOver(Box::new(HandedOver {
            by: delivered.who.in_words(),
            reason: reason.to_owned(),
            to: Side {
                channel: to.channel.clone().unwrap_or_else(|| from.channel.clone()),
                agent: agent.unwrap_or_else(|| from.agent.clone()),
            },
            from,
            assertions: proofs(run, at),
            consents: consents(&customer, at),
            payments: payments(plan, run, at),
        }));
        let ended = to.place(plan, run)?.map(|(node, next)| Fact::WaitEnded { node, why: "handed over".into(), next });
        Ok(std::iter::once(handed).chain(ended).collect())
    }
}

fn proofs(run: &Run, at: Micros) -> Vec<CarriedProof> {
    let holding = run.assertions.iter().filter(|assertion| assertion.issued <= at && at < assertion.expires);
    let carried = holding.map(|assertion| CarriedProof {
        method: assertion.method.clone(),
        level: assertion.level,
        scope: assertion.scope.clone(),
        channel: assertion.channel.clone(),
        valid_for: (assertion.expires - at) / SECOND,
    });
    carried.collect()
}

fn consents(customer: &CustomerState, at: Micros) -> Vec<CarriedConsent> {
    let carried = customer.agreed_to(at).into_iter().map(|consent| CarriedConsent {
        purpose: consent.purpose.clone(),
        channel: consent.channel.clone(),
        given: consent.at,
    });
    carried.collect()
}

/// Steps whose link works or whose terms were accepted, and that took nothing yet.
fn payments(plan: &Plan, run: &Run, at: Micros) -> Vec<OpenPayment> {
    let open = plan.nodes.iter().filter_map(|node| {
        let Op::Charge { amount, .. } = &node.op else { return None };
        let accepted = match amount {
            Amount::FirstPart { offer } => run.offers.get(offer).filter(|offer| offer.accepted == Some(true)),
            Amount::Field(_) => None,
        };
        let terms = accepted.map(|offer| offer.terms.clone());
        let until = run.links.get(&node.step).map(|link| link.expires).filter(|expires| at < *expires);
        let begun = (terms.is_some() || until.is_some()) && !run.payments.contains_key(&node.step);
        begun.then(|| OpenPayment { step: node.step.clone(), terms, until })
    });
    open.collect()
}
