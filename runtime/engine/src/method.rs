//! The customer's method on file: a card that they let us keep. It comes from the payment page and from nowhere else,
//! and becomes the method once its gateway called it good.
//!
//! What can be shown of it stands in the customer's state, so that whoever charges it decides on that state and no
//! other; its number lies in the vault under the key of the interaction in which it was given, and goes with that key.
//! Of what was charged to it last a keyed hash stays with it: another amount is told before it is charged, and no history
//! is kept for that.

use secrecy::ExposeSecret;
use selvedge_policy::{Consent, DEBIT, Given, Method, Told};
use selvedge_workflow::plan::{Amount, Exit, Node, Op};

use crate::decide;
use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::ports::Access;
use crate::run::Run;
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
        let (since, given_in_) = (now, given_in.clone());
        let method =
            Method { token: of, brand: kind, last4: digits, given_in: given_in_, since, until, ..Method::default() };
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

    /// Keeps with the method that this amount was charged, or told. A state that changed meanwhile overtakes it.
    pub(crate) async fn keep_amount(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
    ) -> Result<(), EngineError> {
        let Op::Remember { amount, charged } = &node.op else { return Ok(()) };
        // What the gateway or the channel said is durable first: it does not depend on the customer's state.
        if !self.flush(turn).await? {
            return Ok(());
        }
        let told = *charged || self.was_told(&turn.run, node, amount).await?;
        let amount = self.amount_hash(&turn.run, amount).await?;
        let (mut state, version) = self.inner.values.customer(&turn.run.id.tenant, &turn.run.customer).await?;
        let now = self.now();
        if let (Some(method), Some(version), true) = (&mut state.method, version, told) {
            match charged {
                true => (method.charged, method.told) = (Some(amount), None),
                false => method.told = Some(Told { amount, at: now }),
            }
            turn.becomes(version, crate::values::to_json(&state)?);
        }
        let next = decide::target(&definition.plan, node, Exit::Done);
        let (node, charged) = (node.name.clone(), *charged);
        turn.add(&Who::host(), now, Fact::Remembered { node, charged, next })?;
        self.flush(turn).await.map(|_| ())
    }

    /// Whether the notice of this step named the amount as it is now; while it was on its way, it may have become another.
    async fn was_told(&self, run: &Run, node: &Node, amount: &Amount) -> Result<bool, EngineError> {
        let notice = format!("{}.notice", node.step);
        let name = format!("{notice}/text/{}", run.visits.get(&notice).copied().unwrap_or(1));
        let (money, _) = self.inner.values.amount(run, amount).await?;
        let said = self.inner.values.opened(&run.id, &name).await?;
        Ok(said.is_some_and(|(_, text)| text.expose_secret().contains(&money.in_words())))
    }

    /// Asks whether this amount is another one than the method was charged last.
    pub(crate) async fn has_changed(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        amount: &Amount,
    ) -> Result<(), EngineError> {
        let hash = self.amount_hash(&turn.run, amount).await?;
        let (state, _) = self.inner.values.customer(&turn.run.id.tenant, &turn.run.customer).await?;
        let now = self.now();
        let same = state.method_at(now).is_some_and(|method| method.charged.as_ref() == Some(&hash));
        let opened = match amount {
            Amount::Field(field) => definition.dictionary.get(field).map(|info| Access {
                field: field.clone(),
                class: info.class.name().into(),
                how: "condition".into(),
                place: node.name.clone(),
            }),
            Amount::FirstPart { .. } => None,
        };
        let accesses = opened.into_iter().collect();
        turn.add(&Who::host(), now, decide::condition_decided(&definition.plan, node, Ok(!same), accesses))
    }

    /// What an amount is compared by.
    pub(crate) async fn amount_hash(&self, run: &Run, amount: &Amount) -> Result<String, EngineError> {
        let (money, _) = self.inner.values.amount(run, amount).await?;
        Ok(self.inner.parts.vault.amount_hash(&run.id.tenant, &run.customer, money.minor, &money.currency))
    }
}
