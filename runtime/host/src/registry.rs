//! The connectors that are loaded, as the engine sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use selvedge_engine::ports::{
    Call, CardFields, Charged, Connectors, Failure, Field, Finding, Micros, News, Observed, Received, Refusal, Report,
    ReportStatus, Signal, Validity, Webhook, WebhookFault,
};
use tokio::time::timeout_at;
use wasmtime::component::Resource;

use selvedge_workflow::ConnectorFacts;

use crate::bindings::{channel, gateway, inbound, service, types, verifier};
use crate::call::{Cell, Stop, circumstances, handle};
use crate::connector::{Connector, Facts};
use crate::linker::Exports;
use crate::scrub::short;
use crate::webhook::Taken;
use crate::{Host, LoadError};

/// The pieces of news that one webhook may hold.
pub const MAX_NEWS: usize = 100;

/// The longest answer of a service, in bytes: it is sealed beside the record, once for each call.
pub const MAX_ANSWER: usize = 16 << 10;

/// Every connector that can be called, by name.
pub struct Registry {
    host: Host,
    connectors: BTreeMap<String, Arc<Connector>>,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self { host, connectors: BTreeMap::new() }
    }

    /// Adds a connector that this registry's host loaded.
    ///
    /// # Errors
    /// [`LoadError::Twice`] when its name is taken or another one reads the webhooks of the same connection.
    pub fn add(&mut self, connector: Arc<Connector>) -> Result<(), LoadError> {
        if self.connectors.contains_key(connector.name()) {
            let why = "a connector of this name is loaded already".into();
            return Err(LoadError::Twice { name: connector.name().into(), why });
        }
        if let Some(webhooks) = &connector.manifest.webhooks
            && let Some(other) = self.reader_of(&webhooks.connection)
        {
            let why = format!("its webhooks are read by `{}` already", other.name());
            return Err(LoadError::Twice { name: webhooks.connection.clone(), why });
        }
        self.connectors.insert(connector.name().to_owned(), connector);
        Ok(())
    }

    /// The host, to load connectors with.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// A connector by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Connector>> {
        self.connectors.get(name)
    }

    /// The facts of all connectors, for people.
    #[must_use]
    pub fn facts(&self) -> Vec<Facts> {
        self.connectors.values().map(|connector| connector.facts()).collect()
    }

    /// What the workflow checker needs of all of them, by name.
    #[must_use]
    pub fn connector_facts(&self) -> BTreeMap<String, ConnectorFacts> {
        self.connectors.iter().map(|(name, connector)| (name.clone(), connector.connector_facts())).collect()
    }

    /// The connector that reads the webhooks of a connection.
    fn reader_of(&self, connection: &str) -> Option<&Arc<Connector>> {
        let reads = |connector: &&Arc<Connector>| {
            connector.manifest.webhooks.as_ref().is_some_and(|w| w.connection == connection)
        };
        self.connectors.values().find(reads)
    }

    /// The connector that a call means, in the version that the run pinned.
    fn pinned(&self, call: &Call) -> Result<&Arc<Connector>, Refusal> {
        let Some(connector) = self.connectors.get(&call.connector) else {
            let missing = format!("workflows/grants/{}.yaml, and the connector itself", call.connector);
            return Err(Refusal { missing, tried: format!("calling `{}`, which is not loaded", call.connector) });
        };
        if connector.digest != call.digest {
            let missing = format!("the connector `{}` with the digest {}", call.connector, call.digest);
            let tried = format!("calling `{}`, of which {} is loaded", call.connector, connector.digest);
            return Err(Refusal { missing, tried });
        }
        Ok(connector)
    }

    /// A fresh instance for a call.
    async fn open(&self, call: &Call, fields: Vec<Field>) -> Result<(Arc<Connector>, Cell), Stop> {
        let connector = self.pinned(call).map_err(Stop::refused)?;
        let cell = Cell::open(&self.host, connector, call, fields, true).await?;
        Ok((Arc::clone(connector), cell))
    }
}

#[async_trait]
impl Connectors for Registry {
    fn reader(&self, connection: &str) -> Option<String> {
        self.reader_of(connection).map(|connector| connector.name().to_owned())
    }

    fn digests(&self) -> BTreeMap<String, String> {
        self.connectors.iter().map(|(name, connector)| (name.clone(), connector.digest.clone())).collect()
    }

    async fn send(&self, call: &Call, to: Field, text: Field) -> Observed<String> {
        let (connector, mut cell) = match self.open(call, vec![to, text]).await {
            Ok(open) => open,
            Err(stop) => return stop.observed(),
        };
        let Exports::Channel(channel) = &connector.exports else { return wrong_kind(call, "send") };
        let message = channel::Message { to: handle(0), text: handle(1) };
        let end = timeout_at(cell.deadline, async {
            let guest = channel.load(&mut cell.store, &cell.instance)?;
            guest.call_send(&mut cell.store, &circumstances(call, cell.deadline), message).await
        });
        let end = end.await;
        let scrubber = cell.store.data().scrubber(None);
        cell.close(end, |receipt| short(&scrubber.text(&receipt.reference)))
    }

    async fn check(&self, call: &Call, subject: Field) -> Observed<Signal> {
        let (connector, mut cell) = match self.open(call, vec![subject]).await {
            Ok(open) => open,
            Err(stop) => return stop.observed(),
        };
        let Exports::Verifier(verifier) = &connector.exports else { return wrong_kind(call, "check") };
        let end = timeout_at(cell.deadline, async {
            let guest = verifier.load(&mut cell.store, &cell.instance)?;
            guest.call_check(&mut cell.store, &circumstances(call, cell.deadline), handle(0)).await
        });
        let end = end.await;
        let scrubber = cell.store.data().scrubber(None);
        cell.close(end, |signal| Signal {
            name: short(&scrubber.text(&signal.name)),
            finding: match signal.finding {
                verifier::Finding::Clear => Finding::Clear,
                verifier::Finding::Raised => Finding::Raised,
                verifier::Finding::Missing => Finding::Missing,
            },
            reason: short(&scrubber.text(&signal.reason)),
        })
    }

    async fn validate(&self, call: &Call, card: CardFields) -> Observed<Validity> {
        let (fields, card) = handed(card);
        let (connector, mut cell) = match self.open(call, fields).await {
            Ok(open) => open,
            Err(stop) => return stop.observed(),
        };
        let Exports::Gateway(gateway) = &connector.exports else { return wrong_kind(call, "validate") };
        let end = timeout_at(cell.deadline, async {
            let guest = gateway.load(&mut cell.store, &cell.instance)?;
            guest.call_validate(&mut cell.store, &circumstances(call, cell.deadline), card).await
        });
        let end = end.await;
        let scrubber = cell.store.data().scrubber(None);
        cell.close(end, |validity| match validity {
            gateway::Validity::Good(reference) => Validity::Good(short(&scrubber.text(&reference))),
            gateway::Validity::Declined(why) => Validity::Declined(short(&scrubber.text(&why))),
        })
    }

    async fn charge(&self, call: &Call, amount: i64, currency: &str, card: CardFields) -> Observed<Charged> {
        let (fields, card) = handed(card);
        let (connector, mut cell) = match self.open(call, fields).await {
            Ok(open) => open,
            Err(stop) => return stop.observed(),
        };
        let Exports::Gateway(gateway) = &connector.exports else { return wrong_kind(call, "charge") };
        let payment = gateway::Payment { amount, currency: currency.to_owned(), card };
        let end = timeout_at(cell.deadline, async {
            let guest = gateway.load(&mut cell.store, &cell.instance)?;
            guest.call_charge(&mut cell.store, &circumstances(call, cell.deadline), &payment).await
        });
        let end = end.await;
        let scrubber = cell.store.data().scrubber(None);
        cell.close(end, |outcome| match outcome {
            gateway::Outcome::Paid(reference) => Charged::Paid(short(&scrubber.text(&reference))),
            gateway::Outcome::Declined(why) => Charged::Declined(short(&scrubber.text(&why))),
        })
    }

    async fn perform(&self, call: &Call, function: &str, with: Vec<(String, Field)>) -> Observed<String> {
        let (names, fields): (Vec<String>, Vec<Field>) = with.into_iter().unzip();
        let (connector, mut cell) = match self.open(call, fields).await {
            Ok(open) => open,
            Err(stop) => return stop.observed(),
        };
        let Exports::Service(service) = &connector.exports else { return wrong_kind(call, function) };
        let argument = |(name, index)| service::Argument { name, value: Resource::new_own(index) };
        let arguments: Vec<service::Argument> = names.into_iter().zip(0..).map(argument).collect();
        let end = timeout_at(cell.deadline, async {
            let guest = service.load(&mut cell.store, &cell.instance)?;
            guest.call_perform(&mut cell.store, &circumstances(call, cell.deadline), function, &arguments).await
        });
        let end = end.await;
        let (scrubber, left) = (cell.store.data().scrubber(None), cell.store.data().left);
        let mut observed = cell.close(end, |answer| scrubber.text(&answer));
        if let Ok(answer) = &observed.result
            && answer.len() > MAX_ANSWER
        {
            let why = format!("its answer has {} bytes, the limit is {MAX_ANSWER}", answer.len());
            observed.result = Err(if left { Failure::Unknown(why) } else { Failure::Permanent(why) });
        }
        observed
    }

    async fn lookup(&self, call: &Call) -> Observed<Option<Report>> {
        let (connector, mut cell) = match self.open(call, Vec::new()).await {
            Ok(open) => open,
            Err(stop) => return stop.observed(),
        };
        let circumstances = circumstances(call, cell.deadline);
        let end = timeout_at(cell.deadline, async {
            match &connector.exports {
                Exports::Channel(channel) => {
                    let guest = channel.load(&mut cell.store, &cell.instance)?;
                    guest.call_lookup(&mut cell.store, &circumstances).await
                }
                Exports::Gateway(gateway) => {
                    let guest = gateway.load(&mut cell.store, &cell.instance)?;
                    guest.call_lookup(&mut cell.store, &circumstances).await
                }
                Exports::Verifier(_) | Exports::Service(_) => {
                    Ok(Err(types::Failure::Denied(no_function("a verifier or service", "lookup"))))
                }
            }
        });
        let end = end.await;
        cell.close(end, |found| found.map(report))
    }

    async fn receive(&self, webhook: Webhook, now: Micros) -> Result<Vec<News>, WebhookFault> {
        let connector = self.reader_of(&webhook.connection).ok_or(WebhookFault::NoSuchConnection)?;
        let scheme = connector.manifest.webhooks.as_ref().map(|webhooks| &webhooks.scheme);
        let secret =
            connector.connections.get(&webhook.connection).and_then(|connection| connection.webhook_secret.as_ref());
        let (Some(scheme), Some(secret)) = (scheme, secret) else { return Err(WebhookFault::NoSuchConnection) };
        scheme.verify(secret, &webhook, now)?;

        let call = Call {
            connector: connector.name().to_owned(),
            digest: connector.digest.clone(),
            interaction: String::new(),
            step: String::new(),
            idempotency_key: String::new(),
            purpose: String::new(),
            attempt: 1,
        };
        let unreadable = |stop: Stop| WebhookFault::Unreadable(in_words(&stop.failure));
        let messages = connector.manifest.webhooks.as_ref().and_then(|webhooks| webhooks.messages.as_ref());
        let (body, taken) = match messages {
            Some(messages) => messages.take_out(&webhook.body)?,
            None => (webhook.body, Taken::default()),
        };
        let mut cell = Cell::open(&self.host, connector, &call, Vec::new(), false).await.map_err(unreadable)?;
        let webhook = inbound::Webhook {
            connection: webhook.connection,
            headers: webhook.headers.into_iter().filter(|(name, _)| name == "content-type").collect(),
            body,
        };
        let end = timeout_at(cell.deadline, async {
            match &connector.exports {
                Exports::Channel(channel) => {
                    let guest = channel.load(&mut cell.store, &cell.instance)?;
                    guest.call_receive(&mut cell.store, &webhook).await
                }
                Exports::Gateway(gateway) => {
                    let guest = gateway.load(&mut cell.store, &cell.instance)?;
                    let reports = guest.call_receive(&mut cell.store, &webhook).await?;
                    Ok(reports.map(|reports| reports.into_iter().map(inbound::News::Report).collect()))
                }
                Exports::Verifier(_) | Exports::Service(_) => {
                    Ok(Err(types::Failure::Denied(no_function("a verifier or service", "receive"))))
                }
            }
        });
        let end = end.await;
        let told = cell.close(end, |told| told).result;
        let told = told.map_err(|failure| WebhookFault::Unreadable(in_words(&failure)))?;
        if told.len() > MAX_NEWS {
            return Err(WebhookFault::Unreadable(format!("more than {MAX_NEWS} pieces of news in one webhook")));
        }
        let mut taken = Some(taken);
        let each = told.into_iter().map(|one| match one {
            inbound::News::Report(told) => Ok(News::Report(report(told))),
            inbound::News::Received(event_id) => {
                let (Some(messages), Some(Taken { sender, words })) = (messages, taken.take()) else {
                    return Err(WebhookFault::Unreadable("a message for which the manifest names no slots".into()));
                };
                let channel = messages.channel.clone();
                Ok(News::Received(Received { event_id: short(&event_id), channel, sender, words }))
            }
        });
        each.collect()
    }
}

/// The parts of a card, and the handles that stand for them in their order.
fn handed(card: CardFields) -> (Vec<Field>, gateway::Card) {
    let CardFields { number, expiry_month, expiry_year, code } = card;
    let handles = gateway::Card {
        number: handle(0),
        expiry_month: handle(1),
        expiry_year: handle(2),
        code: code.is_some().then(|| handle(3)),
    };
    ([number, expiry_month, expiry_year].into_iter().chain(code).collect(), handles)
}

fn report(report: inbound::Report) -> Report {
    Report {
        event_id: short(&report.event_id),
        idempotency_key: short(&report.idempotency_key),
        status: match report.status {
            inbound::Status::Succeeded => ReportStatus::Succeeded,
            inbound::Status::Failed => ReportStatus::Failed,
            inbound::Status::Pending => ReportStatus::Pending,
        },
        reference: short(&report.reference),
        detail: short(&report.detail),
    }
}

fn wrong_kind<T>(call: &Call, function: &str) -> Observed<T> {
    let missing = format!("a connector of another kind in the step `{}`", call.step);
    Stop::refused(Refusal { missing, tried: no_function(&format!("`{}`", call.connector), function) }).observed()
}

fn no_function(what: &str, function: &str) -> String {
    format!("{what} has no function `{function}`")
}

fn in_words(failure: &Failure) -> String {
    let (Failure::Retry(why) | Failure::Permanent(why) | Failure::Denied(why) | Failure::Unknown(why)) = failure;
    why.clone()
}
