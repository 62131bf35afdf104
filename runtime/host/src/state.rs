//! What one call of a connector has, and what it did.

use std::sync::Arc;

use secrecy::SecretString;
use selvedge_engine::ports::{Access, Call, Field, Refusal};
use tokio::time::Instant;
use wasmtime::component::Resource;

use crate::bindings::{egress, handles, inbound, reveal, types};
use crate::connector::Connector;
use crate::engine::Limits;
use crate::scrub::Scrubber;

/// The values that one call may ask for.
pub const MAX_REVEALS: usize = 16;

/// A field on the connector's side. Its number is an index into [`State::fields`]; there is nothing to read.
pub struct Handle;

/// The data of a store: one call, one instance.
pub(crate) struct State {
    pub connector: Arc<Connector>,
    pub call: Call,
    pub fields: Vec<Field>,
    /// False while a webhook is read.
    pub way_out: bool,
    pub deadline: Instant,
    pub client: reqwest::Client,
    pub limits: Limits,
    /// The ticks that the guest ran through.
    pub busy_ticks: u32,
    /// Requests tried, granted or not.
    pub sends: usize,
    /// Values asked for, granted or not.
    pub reveals: usize,
    /// Something may have arrived at the vendor.
    pub left: bool,
    /// The last request got no answer.
    pub unanswered: bool,
    pub accesses: Vec<Access>,
    pub refusals: Vec<Refusal>,
}

impl State {
    /// The field behind a handle. A handle can only be one that this call gave.
    pub fn field(&self, handle: &Resource<Handle>) -> Option<&Field> {
        self.fields.get(usize::try_from(handle.rep()).ok()?)
    }

    /// Takes this call's values and the credential out of what a connector or vendor says.
    pub fn scrubber(&self, credential: Option<&SecretString>) -> Scrubber {
        Scrubber::new(self.fields.iter().map(|field| (field.path.as_str(), &field.value)), credential)
    }

    /// Keeps a refusal, free of values, and gives the words for the connector.
    pub fn refuse(&mut self, refusal: Refusal) -> String {
        let scrubber = self.scrubber(None);
        let clean = |text: &str| scrubber.text(text).chars().filter(|c| !c.is_control()).collect();
        let refusal: Refusal = Refusal { missing: clean(&refusal.missing), tried: clean(&refusal.tried) };
        tracing::warn!(connector = self.call.connector, tried = refusal.tried, "a connector was refused something");
        let said = format!("H730: {} is not granted; missing: {}", refusal.tried, refusal.missing);
        self.refusals.push(refusal);
        said
    }
}

impl types::Host for State {}
impl inbound::Host for State {}
impl handles::Host for State {}

impl handles::HostField for State {
    async fn drop(&mut self, _: Resource<Handle>) -> wasmtime::Result<()> {
        // What a service was given it may let go of. The field itself ends with the call.
        Ok(())
    }
}

impl egress::Host for State {
    async fn send(&mut self, request: egress::Request) -> Result<egress::Response, egress::SendError> {
        crate::egress::send(self, request).await
    }
}

impl reveal::Host for State {
    /// Linked only where the import is granted; the field and the purpose are granted apart from it.
    async fn reveal(&mut self, field: Resource<Handle>, why: String) -> Result<String, String> {
        let Some(found) = self.field(&field).cloned() else { return Err("no such handle".into()) };
        self.reveals += 1;
        if self.reveals > MAX_REVEALS {
            return Err(format!("H730: more than {MAX_REVEALS} values in one call"));
        }
        let why = crate::scrub::short(&self.scrubber(None).text(&why));
        if let Err(refusal) = crate::egress::rules::may_use(&self.connector, &self.call, &found.path, "reveal") {
            return Err(self.refuse(refusal));
        }
        self.accesses.push(Access { field: found.path, class: found.class, how: "reveal".into(), place: why });
        Ok(secrecy::ExposeSecret::expose_secret(&found.value).to_owned())
    }
}
