//! What would the vendor do? Two vendors that do not exist, as real HTTP servers on loopback, each shaped
//! like its trade's usual API: [`brightline()`] sends texts and looks numbers up, [`northgate()`] charges cards.
//! `selvedge demo` and the tests use them where an installation has contracts.
//!
//! The main path: a request passes the API key ([`vendor`]), a fault that the demo commanded may strike
//! ([`faults`]), the order is in the ledger on the disk ([`ledger`]) before it is answered, and a signed
//! webhook tells the client ([`webhooks`]) until it is acknowledged. Kill the process at any moment and
//! start it on the same folder: the vendor remembers, and sends what nobody acknowledged.
//!
//! Read `brightline.rs` first: one vendor, top to bottom.
//!
//! Absent on purpose: the wall clock and randomness (time is a parameter, ids are made from the key); the
//! card number and the security code, which are in no ledger line; any link to Selvedge's other rooms, so
//! that a double can agree with our code only through HTTP.

mod brightline;
mod control;
mod faults;
mod ledger;
mod northgate;
mod seal;
mod vendor;
mod webhooks;
mod witness;

use std::io::Result;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::runtime::{Builder, Runtime};

use crate::vendor::{Trade, Vendor};
use crate::webhooks::Webhooks;

/// The time: UTC microseconds since 1970.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How long a stop waits for a write to the disk that has begun.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How to start a double.
#[derive(Clone)]
pub struct DoubleConfig {
    /// The folder of its ledger, `brightline.jsonl` or `northgate.jsonl`; made if it is missing.
    pub dir: PathBuf,
    /// Where its webhooks go. Empty: nowhere until [`RunningDouble::set_webhook_url`].
    pub webhook_url: String,
    /// The key that clients show as `Authorization: Bearer …`.
    pub api_key: String,
    /// The secret that webhooks are signed with. It also keys the fingerprints in the ledger, so it has to
    /// stay the same over restarts.
    pub webhook_secret: String,
    /// What the control surface wants in `X-Double-Control`.
    pub control_token: String,
    /// The port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// The vendor's clock.
    pub now: Now,
}

/// A double at work. Dropping it stops it as suddenly as a power cut would: connections break, and what is
/// on the disk stays.
pub struct RunningDouble {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub base_url: String,
    webhooks: Arc<Webhooks>,
    runtime: Option<Runtime>,
}

impl RunningDouble {
    /// From now on webhooks go to `url`, those that could not be delivered before as well.
    pub fn set_webhook_url(&self, url: &str) {
        self.webhooks.set_url(url.to_owned());
    }

    /// Stops the double and returns when its port and its ledger are free.
    pub async fn stop(self) {
        // Dropping waits for the disk, which is not for an async worker to do.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl Drop for RunningDouble {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not be shut down with patience on a thread that drives another one.
            let _ = std::thread::spawn(move || runtime.shutdown_timeout(STOP_PATIENCE)).join();
        }
    }
}

/// Starts the SMS vendor: `POST /v2/messages`, `GET /v2/messages?client_ref=`, `POST /v2/lookups`, and for the
/// demo's customer `GET` and `POST /handset/{number}`. Errors: the port or the ledger is in use, the ledger is
/// damaged, or the disk refuses.
pub async fn brightline(config: DoubleConfig) -> Result<RunningDouble> {
    start(config, brightline::routes)
}

/// Starts the card gateway: `POST /v1/charges`, `GET /v1/charges?reference=`. Errors: as for [`brightline()`].
pub async fn northgate(config: DoubleConfig) -> Result<RunningDouble> {
    start(config, northgate::routes)
}

/// A vendor is somebody else's machine, so each double has a runtime of its own: it does not slow the node
/// down, and it can die without it.
fn start<T: Trade>(config: DoubleConfig, routes: fn(&Arc<Vendor<T>>) -> Router) -> Result<RunningDouble> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let vendor = Vendor::open(config)?;

    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name(T::NAME).enable_all().build()?;
    let double = RunningDouble {
        base_url: format!("http://{address}"),
        webhooks: Arc::clone(&vendor.webhooks),
        runtime: Some(runtime),
    };
    let Some(runtime) = &double.runtime else {
        return Ok(double);
    };
    let inside = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = routes(&vendor);
    vendor.tell_again();
    runtime.spawn(async move { axum::serve(listener, router).await });
    drop(inside);
    Ok(double)
}
