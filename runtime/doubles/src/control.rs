//! The control surface, which no real vendor has: faults on command and a look into the ledger. It never
//! shows a text, a number or a card.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use crate::faults::Command;
use crate::vendor::{Trade, Vendor, event_id};

pub(crate) fn routes<T: Trade>() -> Router<Arc<Vendor<T>>> {
    Router::new().route("/control/fault", post(command::<T>)).route("/control/ledger", get(ledger::<T>))
}

async fn command<T: Trade>(State(vendor): State<Arc<Vendor<T>>>, body: Bytes) -> Response {
    let command = serde_json::from_slice::<Command>(&body).map_err(|error| error.to_string());
    match command.and_then(|command| vendor.faults.add(command, T::DESKS)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(text) => (StatusCode::BAD_REQUEST, text).into_response(),
    }
}

/// `messages` and `charges` count what happened, so a declined charge is in `declined` alone; `requests`
/// counts API requests since the start, the refused ones too; `unacknowledged` counts events that the
/// client has not taken note of.
async fn ledger<T: Trade>(State(vendor): State<Arc<Vendor<T>>>) -> Json<Value> {
    let ledger = vendor.ledger();
    let entries = ledger.entries();
    let unacknowledged = entries.iter().filter(|entry| !ledger.is_acknowledged(&event_id(entry))).count();
    let list: Vec<_> = entries
        .iter()
        .map(|entry| json!({ "id": entry.id, "key": entry.key, "status": entry.status, "at": entry.at }))
        .collect();

    let mut answer = Map::new();
    answer.insert("requests".into(), vendor.requests.load(Ordering::Relaxed).into());
    answer.insert("distinct_keys".into(), entries.len().into());
    answer.insert("unacknowledged".into(), unacknowledged.into());
    for (name, count) in T::counts(entries) {
        answer.insert(name.into(), count.into());
    }
    answer.insert("entries".into(), list.into());
    Json(answer.into())
}
