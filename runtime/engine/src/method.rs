//! The customer's method on file: a card that they let us keep. It comes from the payment page and from nowhere else,
//! and becomes the method once its gateway called it good.
//!
//! What can be shown of it stands in the customer's state, so that whoever charges it decides on that state and no
//! other; its number lies in the vault under the key of the interaction in which it was given, and goes with that key.

use selvedge_policy::{Consent, DEBIT, Given, Method};
use selvedge_workflow::plan::{Exit, Node, Op};

use crate::decide;
use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::signal::Who;
use crate::turn::Turn;

impl Engine {
    /// Makes the card that the run captured the customer's method on file, in one transaction with their state. The one
    /// before leaves the vault with it.
    pub(crate) async fn keep(&self, definition: &Definition, turn: &mut Turn, node: &Node) -> Result<(), EngineError> {
        let Op::Keep { lasts } = &node.op else { return Ok(()) };
        // What the gateway said is durable first: it does not depend on the customer's state.
        if !self.flush(turn).await? {
            return Ok(());
        }
        let missing = || EngineError::Broken { what: format!("`{}` has no card to keep", node.name) };
        let card = turn.run.card.clone().ok_or_else(missing)?;
        let (tenant, customer) = (turn.run.id.tenant.clone(), turn.run.customer.clone());
        let (mut state, version) = self.inner.values.customer(&tenant, &customer).await?;
        let (now, given_in) = (self.now(), turn.run.id.interaction.clone());
        let until = now + lasts;
        let (token, brand, last4) = (card.token, card.brand, card.last4);
        let (of, kind, digits) = (token.clone(), brand.clone(), last4.clone());
        let method = Method { token: of, brand: kind, last4: digits, given_in: given_in.clone(), since: now, until };
        let before = state.method.replace(method).map(|method| method.token);
        state.consents.push(Consent {
            purpose: definition.plan.purpose.clone(),
            channel: DEBIT.into(),
            granted: true,
            at: now,
            words: format!("sealed in {given_in}"),
            sender: String::new(),
            act: "page".into(),
            given: Given::Written,
        });
        let next = decide::target(&definition.plan, node, Exit::Done);
        let (node, replaces) = (node.name.clone(), before.clone());
        turn.add(&Who::host(), now, Fact::MethodKept { node, token, brand, last4, until, replaces, next })?;
        before.into_iter().for_each(|before| turn.forget(before));
        if let Some(version) = version {
            turn.becomes(version, crate::values::to_json(&state)?);
        }
        self.flush(turn).await.map(|_| ())
    }
}
