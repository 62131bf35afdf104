//! A client of a double: it asks over HTTP and keeps the webhooks that it gets.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::post};
use selvedge_doubles::DoubleConfig;
use serde_json::Value;
use tempfile::TempDir;

/// 2026-03-02T15:00:00Z.
pub const NOW: i64 = 1_772_463_600_000_000;
pub const API_KEY: &str = "sk_test_one";
pub const SECRET: &str = "whsec_one";
pub const CONTROL: &str = "control-one";

pub fn config(dir: &TempDir, webhook_url: &str) -> DoubleConfig {
    DoubleConfig {
        dir: dir.path().join("vendor"),
        webhook_url: webhook_url.to_owned(),
        api_key: API_KEY.into(),
        webhook_secret: SECRET.into(),
        control_token: CONTROL.into(),
        port: 0,
        now: Arc::new(|| NOW),
    }
}

/// One answer of a double.
pub struct Answer {
    pub status: u16,
    pub replayed: bool,
    pub json: Value,
}

pub async fn ask(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let replayed = answer.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
    let body = answer.bytes().await.unwrap();
    Answer { status, replayed, json: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub async fn command(base: &str, fault: &str) -> u16 {
    let request = client().post(format!("{base}/control/fault")).header("x-double-control", CONTROL);
    ask(request.body(fault.to_owned())).await.status
}

pub async fn ledger(base: &str) -> Value {
    ask(client().get(format!("{base}/control/ledger")).header("x-double-control", CONTROL)).await.json
}

/// What arrived at the client's webhook address: headers and raw body.
pub type Arrived = Vec<(HeaderMap, String)>;

/// A webhook address that refuses the first few deliveries.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    arrived: Arc<Mutex<Arrived>>,
    refuse: Arc<AtomicUsize>,
}

impl Receiver {
    pub async fn start(refuse: usize) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Receiver { url, arrived: Arc::default(), refuse: Arc::new(refuse.into()) };
        let router = Router::new().route("/hook", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Waits until `count` deliveries are there, at most five seconds.
    pub async fn wait(&self, count: usize) -> Arrived {
        for _ in 0..500 {
            if self.arrived.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.arrived.lock().unwrap().clone()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = String::from_utf8(body.to_vec()).unwrap();
    receiver.arrived.lock().unwrap().push((headers, text));
    let refused = receiver.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if refused.is_ok() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// HMAC-SHA256 in hex, as a client computes it.
pub fn hmac(text: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    hex::encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()))
}

/// Waits until the double knows that everything was acknowledged.
pub async fn settled(base: &str) -> Value {
    for _ in 0..500 {
        let seen = ledger(base).await;
        if seen["unacknowledged"] == 0 {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the webhooks were not acknowledged");
}
