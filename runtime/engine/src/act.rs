//! An effect: gather what it carries, write down the intent, let it happen through the host's door, write down what
//! came of it. Values live here only for the length of one attempt.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use selvedge_policy::{Contacted, Past};
use selvedge_vault::link_id;
use selvedge_workflow::dictionary::{Class, Dictionary, FieldType, of_item};
use selvedge_workflow::plan::{Amount, Carries, Node, Op, PAYMENT};
use selvedge_workflow::template::Template;

use crate::decide::{self, Outcome};
use crate::definition::Definition;
use crate::drive::{channel, connector_actor};
use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::fact::{Commitment, Fact, Moment};
use crate::language::in_english;
use crate::money::Money;
use crate::ports::store::Link;
use crate::ports::{Call, CardFields, Charged, Connectors, Field, Observed, Signal as Finds, Validity};
use crate::run::{Effect, Run, item_of};
use crate::signal::Who;
use crate::switches::reach;
use crate::turn::Turn;

/// An effect that is written down and has not left.
pub(crate) struct Intent {
    pub(crate) node: Node,
    pub(crate) effect: Effect,
    class: String,
    call: Call,
    payload: Payload,
}

/// One that has.
pub(crate) struct Attempt {
    pub(crate) node: Node,
    effect: Effect,
    class: String,
    connector: String,
}

/// What it came to, as the host gave it.
pub(crate) enum Came {
    Sent(Observed<String>),
    Checked(Observed<Finds>),
    Charged(Observed<Charged>),
    Validated(Observed<Validity>),
    Answered(Observed<String>),
}

impl Intent {
    /// Makes it. The values that it carries are gone afterwards.
    pub(crate) async fn make(self, connectors: Arc<dyn Connectors>) -> (Attempt, Came) {
        let Intent { node, effect, class, call, payload } = self;
        let came = match payload {
            Payload::Message { to, text } => Came::Sent(connectors.send(&call, to, text).await),
            Payload::Subject(field) => Came::Checked(connectors.check(&call, field).await),
            Payload::Payment { minor, currency, card } => {
                Came::Charged(connectors.charge(&call, minor, &currency, card).await)
            }
            Payload::Card(card) => Came::Validated(connectors.validate(&call, card).await),
            Payload::Arguments(with) => {
                Came::Answered(connectors.perform(&call, decide::function(&node.op), with).await)
            }
        };
        (Attempt { node, effect, class, connector: call.connector }, came)
    }
}
/// The class of what services answer. Nobody declared what stands in it, so it is kept as strictly as what tells of health.
pub(crate) const ANSWERS: Class = Class::Phi;

/// What an attempt carries.
enum Payload {
    Message { to: Field, text: Field },
    Subject(Field),
    Payment { minor: i64, currency: String, card: CardFields },
    Card(CardFields),
    Arguments(Vec<(String, Field)>),
}

impl Payload {
    /// The fields that the connector is handed.
    fn hands(&self) -> Vec<String> {
        let fields: Vec<&Field> = match self {
            Payload::Message { to, text } => vec![to, text],
            Payload::Subject(field) => vec![field],
            Payload::Payment { card, .. } | Payload::Card(card) => {
                let CardFields { number, expiry_month, expiry_year, code } = card;
                [number, expiry_month, expiry_year].into_iter().chain(code).collect()
            }
            Payload::Arguments(with) => with.iter().map(|(_, field)| field).collect(),
        };
        fields.into_iter().map(|field| field.path.clone()).collect()
    }
}

impl Engine {
    /// Intends an effect: what it carries is gathered, and the intent is a fact of the turn. `None`: it may not happen
    /// now, and the facts of the turn say why.
    pub(crate) async fn intend(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        effect: Effect,
    ) -> Result<Option<Intent>, EngineError> {
        if let Err(not_ready) = self.ready().await {
            // What the turn has learnt so far is kept, if it can be.
            self.flush(turn).await?;
            return Err(not_ready);
        }
        let Some((payload, carries)) = self.gather(definition, turn, node, &effect).await? else { return Ok(None) };
        let call = self.call(definition, &turn.run, node, &effect);
        let function = decide::function(&node.op);
        let class_of = |connector: &str, function: &str| definition.class_of(connector, function);
        let class = decide::class(&definition.plan, node, &class_of);
        let reach = reach(definition, &turn.run, node);
        let intended = Fact::Intended {
            node: node.name.clone(),
            key: effect.key.clone(),
            connector: call.connector.clone(),
            function: function.into(),
            class: class.clone(),
            attempt: effect.attempt,
            epoch: turn.epoch().unwrap_or_default(),
            workflow: reach.workflow,
            vendor: reach.vendor,
            channel: reach.channel,
            hands: payload.hands(),
            carries,
        };
        turn.add(&Who::host(), self.now(), intended)?;
        if let Op::Send { purpose, .. } = &node.op {
            // Counted as soon as it may leave: of what may have been sent nobody should count too little.
            let (channel, purpose) = (channel(&definition.plan, node).to_owned(), purpose.clone());
            let made = Contacted { past: Past::Contact, channel, purpose, account: None, at: turn.run.updated };
            turn.contact(&effect.key, Some(made));
        }
        Ok(Some(Intent { node: node.clone(), effect, class, call, payload }))
    }

    /// The last looks at an intent that is durable by now. The facts, if it must not leave.
    pub(crate) async fn stopped(
        &self,
        definition: &Definition,
        turn: &Turn,
        intent: &Intent,
    ) -> Result<Option<(Who, Vec<Fact>)>, EngineError> {
        let Intent { node, effect, class, call, .. } = intent;
        // Asking takes its time, so it comes before the last looks.
        if let Some(facts) = self.done_since(definition, turn, node, effect, class, call).await {
            return Ok(Some((connector_actor(&turn.run, &call.connector), facts)));
        }
        // The commit has checked the lease; a node that was paused since then must not let the effect out.
        if !self.store().leases_run() {
            return Err(StoreError::Stale { interaction: turn.run.id.interaction.clone() }.into());
        }
        let halted = self.last_look(definition, &turn.run, node, &effect.key).await?;
        Ok(halted.map(|halted| (Who::host(), vec![halted])))
    }

    /// What came of an attempt, as facts of the turn.
    pub(crate) async fn came(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        attempt: Attempt,
        came: Came,
    ) -> Result<(), EngineError> {
        let Attempt { node, effect, class, connector } = attempt;
        let outcome = match came {
            Came::Sent(observed) => Outcome::Sent(observed),
            Came::Checked(observed) => {
                if let Ok(signal) = &observed.result {
                    self.hear_signal(definition, turn, &node, &connector, signal).await?;
                }
                Outcome::Checked(observed)
            }
            Came::Charged(observed) => Outcome::Charged(observed),
            Came::Validated(observed) => Outcome::Validated(observed),
            Came::Answered(observed) => Outcome::Answered(self.seal_answer(turn, &node, observed).await?),
        };
        let facts = decide::after(&definition.plan, &turn.run, &node, &effect, &class, outcome, self.now());
        turn.add_all(&connector_actor(&turn.run, &connector), self.now(), facts)
    }

    /// Commits to what a service answered and seals its text.
    async fn seal_answer(
        &self,
        turn: &mut Turn,
        node: &Node,
        observed: Observed<String>,
    ) -> Result<Observed<Commitment>, EngineError> {
        let Observed { result, accesses, refusals } = observed;
        let result = match result {
            Ok(answer) => {
                let visit = turn.run.visits.get(&node.name).copied().unwrap_or(1);
                let what = if node.undoes() { "undo" } else { "answer" };
                let name = format!("{}/{what}/{visit}", node.step);
                let class = ANSWERS.name();
                // Called again and again, a run does not ask for its key again and again.
                if !turn.keys.contains_key(class) {
                    let key = self.inner.values.record_key(&turn.run.id, class).await?;
                    turn.keys.insert(class.to_owned(), key);
                }
                let Some(key) = turn.keys.get(class) else {
                    return Err(EngineError::Broken { what: format!("no data key for {class}") });
                };
                let (commitment, sealed) = self.inner.values.commit_under(key, &name, class, &answer)?;
                turn.seal(sealed);
                Ok(commitment)
            }
            Err(failure) => Err(failure),
        };
        Ok(Observed { result, accesses, refusals })
    }

    /// The circumstances of a call.
    pub(crate) fn call(&self, definition: &Definition, run: &Run, node: &Node, effect: &Effect) -> Call {
        let connector = decide::connector(&definition.plan, node).to_owned();
        Call {
            digest: run.connectors.get(&connector).cloned().unwrap_or_default(),
            connector,
            interaction: run.id.interaction.clone(),
            step: node.step.clone(),
            idempotency_key: effect.key.clone(),
            purpose: purpose_of(definition, node),
            attempt: effect.attempt,
        }
    }

    /// `None`: it may not happen, and the facts of the turn say why.
    async fn gather(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        effect: &Effect,
    ) -> Result<Option<(Payload, Vec<Commitment>)>, EngineError> {
        match &node.op {
            Op::Check { subject, .. } => {
                Ok(Some((Payload::Subject(self.inner.values.field(&turn.run, subject).await?), Vec::new())))
            }
            Op::Send { .. } | Op::Debit { .. } => {
                // What came before is durable first, so that nothing but decisions about messages and debits is taken back
                // when the customer says stop right now.
                if !turn.rests_on_customer() {
                    let epoch = turn.epoch();
                    if !self.flush(turn).await? {
                        return Ok(None);
                    }
                    epoch.into_iter().for_each(|epoch| turn.only_at(epoch));
                }
                // The customer may have said stop since it was queued.
                if !self.ask_contact(definition, turn, node, Moment::Sending).await? {
                    return Ok(None);
                }
                if let Op::Debit { amount, .. } = &node.op {
                    return Box::pin(self.debit(definition, turn, node, effect, amount)).await.map(Some);
                }
                let Op::Send { to, .. } = &node.op else { return Ok(None) };
                let to = self.field_at(definition, &turn.run, node, to).await?;
                let (text, carries) = self.message(definition, turn, node, effect).await?;
                Ok(Some((Payload::Message { to, text }, carries)))
            }
            Op::Charge { amount, .. } => self.payment(definition, turn, node, effect, amount).await,
            Op::Validate { .. } => {
                let card = self.captured(definition, turn, node, effect).await?;
                Ok(card.map(|card| (Payload::Card(card), Vec::new())))
            }
            Op::Call { with, .. } => {
                let mut arguments = Vec::new();
                for (slot, path) in with {
                    let field = match paid_at(node, path) {
                        Some(step) => self.payment_field(definition, &turn.run, step, path).await?,
                        None => self.field_at(definition, &turn.run, node, path).await?,
                    };
                    arguments.push((slot.clone(), field));
                }
                Ok(Some((Payload::Arguments(arguments), Vec::new())))
            }
            _ => Ok(None),
        }
    }

    async fn payment(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        effect: &Effect,
        amount: &Amount,
    ) -> Result<Option<(Payload, Vec<Commitment>)>, EngineError> {
        let Some(card) = self.captured(definition, turn, node, effect).await? else { return Ok(None) };
        Box::pin(self.of_money(definition, turn, node, effect, amount, card)).await.map(Some)
    }

    /// The card on file, without its security code, which nobody kept.
    async fn debit(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        effect: &Effect,
        amount: &Amount,
    ) -> Result<(Payload, Vec<Commitment>), EngineError> {
        let tenant = turn.run.id.tenant.clone();
        let (state, _) = self.inner.values.customer(&tenant, &turn.run.customer).await?;
        let missing = || EngineError::Broken { what: format!("`{}` has no method to charge", node.name) };
        let method = state.method.ok_or_else(missing)?;
        let card = self.inner.values.card(&tenant, &method.given_in, &method.token, None).await?;
        self.of_money(definition, turn, node, effect, amount, card).await
    }

    /// A payment; with its first attempt the amount is sealed beside the record.
    async fn of_money(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        effect: &Effect,
        amount: &Amount,
        card: CardFields,
    ) -> Result<(Payload, Vec<Commitment>), EngineError> {
        let (money, _) = self.inner.values.amount(&turn.run, amount).await?;
        let payment = |money: Money| Payload::Payment { minor: money.minor, currency: money.currency, card };
        if effect.attempt > 1 {
            return Ok((payment(money), Vec::new()));
        }
        let name = format!("{}/amount/{}", node.step, turn.run.visits.get(&node.name).copied().unwrap_or(1));
        let class = definition.dictionary.get("payment.amount").map_or_else(|| Class::Phi, |info| info.class);
        let (commitment, sealed) =
            self.inner.values.commit(&turn.run.id, &name, class.name(), &money.in_words()).await?;
        turn.seal(sealed);
        Ok((payment(money), vec![commitment]))
    }

    /// The card that the page took, with its security code, which is spent by this. `None`: the code is not there any
    /// more, and the facts of the turn say what follows.
    async fn captured(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        effect: &Effect,
    ) -> Result<Option<CardFields>, EngineError> {
        let Some(card) = turn.run.card.clone() else {
            return Err(EngineError::Broken { what: format!("`{}` has no card", node.name) });
        };
        let code = self.inner.codes.take(&card.token, self.now());
        if effect.attempt > 1 {
            // An earlier attempt may have been done: the vendor is asked, whatever its class allows.
            let why = "an earlier attempt spent the security code".into();
            let fact = Fact::Unclear {
                node: node.name.clone(),
                key: effect.key.clone(),
                why,
                accesses: Vec::new(),
                asked: 0,
                at: self.now(),
            };
            turn.add(&Who::host(), self.now(), fact)?;
            return Ok(None);
        }
        let Some(code) = code else {
            let forgotten = Fact::CardForgotten {
                node: node.name.clone(),
                token: card.token,
                why: "the security code is kept in memory only, and the process that held it is gone".into(),
                next: decide::card_node(&definition.plan, node),
            };
            turn.add(&Who::host(), self.now(), forgotten)?;
            return Ok(None);
        };
        let under = if matches!(node.op, Op::Validate { .. }) { &turn.run.id.interaction } else { &card.token };
        Ok(Some(self.inner.values.card(&turn.run.id.tenant, under, &card.token, Some(code)).await?))
    }

    async fn message(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        node: &Node,
        effect: &Effect,
    ) -> Result<(Field, Vec<Commitment>), EngineError> {
        let Op::Send { template, carries, .. } = &node.op else {
            return Err(EngineError::Broken { what: format!("`{}` sends nothing", node.name) });
        };
        let template = definition
            .plan
            .text(template, turn.run.language.as_deref())
            .ok_or_else(|| EngineError::Broken { what: format!("no template `{template}`") })?;
        if let (Carries::Link { opens, lasts }, 1) = (carries, effect.attempt) {
            let link = link_id(self.link_token(&turn.run, opens).expose_secret());
            turn.link(Link { id: link.clone(), step: opens.clone() });
            let terms = definition.plan.nodes.iter().find_map(|n| match &n.op {
                Op::Charge { amount, .. } if n.step == *opens => decide::terms_of(&turn.run, amount),
                _ => None,
            });
            let expires = self.now() + lasts;
            turn.add(
                &Who::host(),
                self.now(),
                Fact::LinkIssued { node: node.name.clone(), link, opens: opens.clone(), terms, expires },
            )?;
        }
        let values = self.template_values(definition, &turn.run, node, template).await?;
        let text = render(template, values.clone())?;
        let mut committed = Vec::new();
        if effect.attempt == 1 {
            // What opens something is not kept, not even sealed: the text is kept without it.
            let without_keys = values.into_iter().map(|(path, value)| {
                let opens = definition.dictionary.get(&path).is_some_and(|info| info.class == Class::Key);
                (path.clone(), if opens { SecretString::from(format!("[{path}]")) } else { value })
            });
            let kept = render(template, without_keys.collect())?;
            let visit = turn.run.visits.get(&node.name).copied().unwrap_or(1);
            let name = format!("{}/text/{visit}", node.name);
            let (commitment, sealed) =
                self.inner.values.commit(&turn.run.id, &name, "COMMS", kept.expose_secret()).await?;
            turn.seal(sealed);
            committed.push(commitment);
        }
        Ok((Field { path: "message.text".into(), class: "COMMS".into(), value: text }, committed))
    }

    /// The token of the link that opens a step. Derived, so that it is the same after a crash and never stored.
    pub(crate) fn link_token(&self, run: &Run, opens: &str) -> SecretString {
        self.inner.parts.vault.link_token(&format!("link/{}/{}/{opens}", run.id.tenant, run.id.interaction))
    }

    /// The values of a template's variables.
    pub(crate) async fn template_values(
        &self,
        definition: &Definition,
        run: &Run,
        node: &Node,
        template: &Template,
    ) -> Result<BTreeMap<String, SecretString>, EngineError> {
        let mut values = BTreeMap::new();
        for variable in &template.variables {
            values.insert(variable.clone(), self.template_value(definition, run, node, variable).await?);
        }
        Ok(values)
    }

    async fn template_value(
        &self,
        definition: &Definition,
        run: &Run,
        node: &Node,
        variable: &str,
    ) -> Result<SecretString, EngineError> {
        let missing = || EngineError::NoSuchField { customer: run.customer.clone(), field: variable.into() };
        if let Some(value) = self.inner.parts.settings.sender.get(variable) {
            return Ok(SecretString::from(value.clone()));
        }
        Ok(SecretString::from(match variable {
            "challenge.code" => {
                return Ok(self.inner.parts.vault.code(&code_context(&run.id.tenant, &run.key(&node.name))));
            }
            "payment.link" => {
                let Op::Send { carries: Carries::Link { opens, .. }, .. } = &node.op else { return Err(missing()) };
                format!("{}/pay/{}", self.inner.parts.settings.public_url, self.link_token(run, opens).expose_secret())
            }
            "card.last4" => run.card.iter().chain(run.kept.values()).next().ok_or_else(missing)?.last4.clone(),
            "payment.reference" => newest_payment(run).ok_or_else(missing)?.1.0.clone(),
            "payment.date" => {
                let at = newest_payment(run).map_or(self.now(), |(_, (_, at))| *at);
                self.local_date(run, at).await?
            }
            "payment.amount" | "payment.number" => {
                // On the page of a step: that step's. In a receipt: the newest payment's.
                let step = newest_payment(run).map_or(node.step.as_str(), |(step, _)| step);
                let amount = definition.plan.nodes.iter().find_map(|n| match &n.op {
                    Op::Charge { amount, .. } | Op::Debit { amount, .. } if n.step == step => Some(amount),
                    _ => None,
                });
                let (money, number) = self.inner.values.amount(run, amount.ok_or_else(missing)?).await?;
                match variable {
                    "payment.amount" => money.in_words(),
                    _ if in_english(run) => number,
                    _ => number.replace(" of ", "/"),
                }
            }
            path => {
                let value = self.field_at(definition, run, node, path).await?.value;
                match definition.dictionary.get(path).map(|info| info.ty) {
                    Some(FieldType::Money) => Money::parse(path, value.expose_secret())?.in_words(),
                    _ => return Ok(value),
                }
            }
        }))
    }

    /// A field of the customer; of a list that of the item which the node is about.
    async fn field_at(
        &self,
        definition: &Definition,
        run: &Run,
        node: &Node,
        path: &str,
    ) -> Result<Field, EngineError> {
        let field = self.inner.values.field(run, &lies_at(&definition.dictionary, &node.name, path)).await?;
        Ok(Field { path: path.to_owned(), ..field })
    }

    /// What is known of a payment to what undoes it: the gateway's reference, or how much was taken.
    async fn payment_field(
        &self,
        definition: &Definition,
        run: &Run,
        step: &str,
        path: &str,
    ) -> Result<Field, EngineError> {
        let broken = |what: &str| EngineError::Broken { what: format!("{what} of the payment `{step}` is gone") };
        let value = match path {
            "payment.reference" => run.payments.get(step).ok_or_else(|| broken("the reference"))?.0.clone(),
            _ => {
                let visit = run.visits.get(&format!("{step}.charge")).copied().unwrap_or(1);
                let taken = self.inner.values.opened(&run.id, &format!("{step}/amount/{visit}")).await?;
                let taken = taken.and_then(|(_, words)| Money::from_words(words.expose_secret()));
                let taken = taken.ok_or_else(|| broken("the amount"))?;
                serde_json::to_string(&taken).map_err(|e| EngineError::Broken { what: e.to_string() })?
            }
        };
        let class = definition.dictionary.class(path).unwrap_or(Class::Phi).name().to_owned();
        Ok(Field { path: path.to_owned(), class, value: SecretString::from(value) })
    }

    /// A day in the customer's time zone: in English in words, in any other language as in ISO 8601.
    async fn local_date(&self, run: &Run, at: i64) -> Result<String, EngineError> {
        let (state, _) = self.inner.values.customer(&run.id.tenant, &run.customer).await?;
        let zone =
            state.zones.first().and_then(|z| jiff::tz::TimeZone::get(&z.zone).ok()).unwrap_or(jiff::tz::TimeZone::UTC);
        let instant = jiff::Timestamp::from_microsecond(at).map_err(|e| EngineError::Broken { what: e.to_string() })?;
        let form = if in_english(run) { "%B %-d, %Y" } else { "%Y-%m-%d" };
        Ok(instant.to_zoned(zone).strftime(form).to_string())
    }
}

/// The step whose payment a field tells of, where it undoes one.
fn paid_at<'n>(node: &'n Node, path: &str) -> Option<&'n str> {
    (node.undoes() && PAYMENT.contains(&path)).then_some(node.step.as_str())
}

/// Where the value of a field lies for who stands at this place.
pub(crate) fn lies_at(dictionary: &Dictionary, place: &str, path: &str) -> String {
    match item_of(place).filter(|_| dictionary.list_of(path).is_some()) {
        Some(item) => of_item(path, item),
        None => path.to_owned(),
    }
}

/// What a one-time code is derived from: the message that carries it.
pub(crate) fn code_context(tenant: &str, key: &str) -> String {
    format!("code/{tenant}/{key}")
}

fn newest_payment(run: &Run) -> Option<(&str, &(String, i64))> {
    run.payments.iter().map(|(step, paid)| (step.as_str(), paid)).max_by_key(|(_, paid)| paid.1)
}

fn render(template: &Template, values: BTreeMap<String, SecretString>) -> Result<SecretString, EngineError> {
    let plain = values.iter().map(|(path, value)| (path.clone(), value.expose_secret().to_owned())).collect();
    let text = template.render(&plain).map_err(|e| EngineError::Broken { what: e.to_diagnostic().to_string() })?;
    Ok(SecretString::from(text.trim_end().to_owned()))
}

/// The purpose of a call: a message's own, otherwise the workflow's; the check before a code belongs to identity.
fn purpose_of(definition: &Definition, node: &Node) -> String {
    match &node.op {
        Op::Send { purpose, .. } | Op::Call { purpose, .. } => purpose.clone(),
        Op::Check { .. } => "identity".into(),
        _ => definition.plan.purpose.clone(),
    }
}
