//! How do we run others' code without trusting it?
//!
//! A connector is a WebAssembly component that speaks to one vendor. It gets opaque handles instead of values and
//! the name of a connection instead of a URL and a key. What it asks stands in its [`Manifest`], what an admin
//! gave in a [`Grant`]; what is in both is linked, opened and sent, and nothing else.
//!
//! The main path of one call: [`Registry`] finds the connector that the run pinned by its digest, [`call`] makes a fresh
//! instance with a deadline and little memory, the guest asks [`egress`] to send, [`egress::rules`] judge each slot,
//! the host puts in values and credential, and [`scrub`] takes them out of the reply. Every use of a field and every
//! refusal comes back with the answer, for the record.
//!
//! Read `egress.rs` first: it is the one door out. `tests/first_party.rs` shows the three connectors at work,
//! `tests/hostile.rs` what becomes of others.
//!
//! Absent on purpose: WASI in any form, a prompt at run time, traps for unknown imports, instances that are used twice,
//! and any way to grant by location: a run names digests.

mod bindings;
mod call;
mod component;
mod connection;
mod connector;
mod egress;
mod engine;
mod error;
mod grant;
mod linker;
mod manifest;
mod registry;
mod route;
mod scrub;
mod state;
mod webhook;
mod workshop;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use call::MAX_COMPUTING;
pub use component::{MAX_COMPONENT, build_component, digest};
pub use connection::{Connection, Connections};
pub use connector::{Asked, Connector, Facts, Package, Sends, connector_facts};
pub use egress::{MAX_REPLY, MAX_REQUESTS};
pub use engine::{MAX_INSTANCES, MAX_MEMORY};
pub use error::{BuildError, CODES, LoadError};
pub use grant::{Grant, Powers};
pub use manifest::{EffectClass, Kind, MAX_FUNCTIONS, Manifest, Vetting};
pub use registry::{MAX_ANSWER, Registry};
pub use route::{Route, Routes};
pub use state::MAX_REVEALS;
pub use webhook::{MAX_WEBHOOK, Messages, Scheme, TOLERANCE};
pub use workshop::build_workspace;

/// How the host runs calls.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// How long one call may take in all, the vendor's time included.
    pub deadline: Duration,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10) }
    }
}

/// The sandbox. One per process: it reserves the address space for [`MAX_INSTANCES`] instances.
pub struct Host {
    config: HostConfig,
    engine: wasmtime::Engine,
    client: reqwest::Client,
    places: Arc<Semaphore>,
}

impl Host {
    /// Starts the sandbox.
    ///
    /// # Errors
    /// [`LoadError::Engine`] where this machine cannot run it.
    pub fn new(config: HostConfig) -> Result<Self, LoadError> {
        let engine = engine::start()?;
        let client = egress::client().map_err(|error| LoadError::Engine { why: format!("no TLS: {error}") })?;
        let places = Arc::new(Semaphore::new(MAX_INSTANCES as usize));
        Ok(Self { config, engine, client, places })
    }

    /// Loads a connector: reads its manifest and grant, compiles it, links what was granted, checks its connections.
    /// It takes some tens of milliseconds of computing; call it off the async threads.
    ///
    /// # Errors
    /// [`LoadError`], each with the line or the file that would mend it.
    pub fn load(&self, package: Package, connections: &Connections) -> Result<Arc<Connector>, LoadError> {
        Connector::load(&self.engine, package, connections)
    }
}
