//! Brightline: text messages and number lookups. JSON, bearer key, `Brightline-Signature`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ledger::Entry;
use crate::seal;
use crate::vendor::{MAX_KEY, Order, Refused, Taken, Trade, Vendor, fault, hold, idempotency_key};
use crate::webhooks::Sign;

/// The longest text, in characters: ten parts of a long message.
const MAX_TEXT: usize = 1600;
/// Numbers that end so had their SIM changed three days ago.
const SWAPPED: &str = "0199";
/// Numbers that end so belong to a carrier that does not answer.
const UNAVAILABLE: &str = "0198";

/// A text on a phone. The ledger is the phone's inbox, so it keeps the text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    to: String,
    text: String,
    client_ref: String,
}

impl Trade for Message {
    const NAME: &'static str = "brightline";
    const DESKS: &'static [&'static str] = &["messages", "lookups"];
    const CARD_SLOTS: &'static [&'static str] = &[];
    const SIGN: Sign = |secret, seconds, body| {
        let signature = seal::mac(secret, format!("{seconds}.{body}").as_bytes());
        vec![("brightline-timestamp", seconds.to_string()), ("brightline-signature", signature)]
    };

    fn error(status: StatusCode, code: &str, text: &str) -> Response {
        (status, Json(json!({ "errors": [{ "code": code, "title": text }] }))).into_response()
    }

    fn prefix(&self) -> &'static str {
        "msg"
    }

    fn news(entry: &Entry<Self>) -> (&'static str, Value) {
        ("message.delivered", json!({ "id": entry.id, "client_ref": entry.what.client_ref }))
    }

    fn counts(entries: &[Entry<Self>]) -> [(&'static str, usize); 4] {
        [("messages", entries.len()), ("charges", 0), ("declined", 0), ("refunds", 0)]
    }
}

type Shared = State<Arc<Vendor<Message>>>;
type Answer = Result<Response, Refused>;

pub(crate) fn routes(vendor: &Arc<Vendor<Message>>) -> Router {
    let api = Router::new().route("/v2/messages", post(send).get(find)).route("/v2/lookups", post(look_up));
    let handset = Router::new().route("/handset/{number}", get(handset).post(reply));
    vendor.router(api, handset)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendBody {
    to: String,
    text: String,
    client_ref: String,
}

async fn send(State(vendor): Shared, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Answer {
    let fault = fault(&vendor, "messages")?;
    let key = idempotency_key::<Message>(&headers)?;
    let SendBody { to, text, client_ref } = read(body)?;
    check_number(&to)?;
    if text.is_empty() || client_ref.is_empty() || client_ref.len() > MAX_KEY {
        return Err(refuse(400, "parameter_invalid", "`text` and `client_ref` are needed"));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(refuse(413, "text_too_long", "`text` has at most 1600 characters"));
    }

    let fingerprint = vendor.fingerprint(&[&to, &text, &client_ref]);
    let order = Order { key, fingerprint, status: "delivered", what: Message { to, text, client_ref } };
    let (entry, replayed) = match vendor.take(order, fault)? {
        Taken::New(entry) => (entry, false),
        Taken::Replayed(entry) => (entry, true),
        Taken::Mismatch => {
            return Err(refuse(422, "idempotency_mismatch", "this key belongs to another message"));
        }
    };
    hold(fault).await;

    // The first answer was `queued`, and a replay is the first answer.
    let data = json!({ "id": entry.id, "status": "queued", "client_ref": entry.what.client_ref });
    let mut answer = Json(json!({ "data": data })).into_response();
    if replayed {
        answer.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindQuery {
    client_ref: String,
}

async fn find(State(vendor): Shared, query: Result<Query<FindQuery>, QueryRejection>) -> Answer {
    let Ok(Query(FindQuery { client_ref })) = query else {
        return Err(refuse(400, "parameter_invalid", "`client_ref` is needed, and nothing else"));
    };
    let ledger = vendor.ledger();
    let found = ledger.entries().iter().rev().find(|entry| entry.what.client_ref == client_ref);
    let data: Vec<_> = found
        .map(|entry| json!({ "id": entry.id, "status": entry.status, "client_ref": client_ref }))
        .into_iter()
        .collect();
    Ok(Json(json!({ "data": data })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LookupBody {
    phone_number: String,
}

async fn look_up(State(vendor): Shared, body: Result<Bytes, BytesRejection>) -> Answer {
    let fault = fault(&vendor, "lookups")?;
    let LookupBody { phone_number } = read(body)?;
    check_number(&phone_number)?;
    hold(fault).await;

    let sim_swap = if phone_number.ends_with(SWAPPED) {
        json!({ "status": "swapped", "last_changed": three_days_before(vendor.now()).to_string() })
    } else if phone_number.ends_with(UNAVAILABLE) {
        json!({ "status": "unavailable" })
    } else {
        json!({ "status": "not_swapped", "last_changed": "2021-03-02" })
    };
    Ok(Json(json!({ "data": { "sim_swap": sim_swap } })).into_response())
}

/// What the customer's phone shows, oldest first. No vendor offers this; the demo's customer reads here.
async fn handset(State(vendor): Shared, Path(number): Path<String>) -> Json<Value> {
    let to = format!("+{number}");
    let ledger = vendor.ledger();
    let texts = ledger.entries().iter().filter(|entry| entry.what.to == to);
    Json(texts.map(|entry| json!({ "id": entry.id, "text": entry.what.text, "at": entry.at })).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyBody {
    text: String,
    /// How often the client is told: a vendor that heard no answer tells it again.
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

/// The customer's phone sends a text to the client. Answers with the event's id when the client has taken note of it;
/// a vendor that is killed before that forgets it, and the phone says that it was not sent.
async fn reply(State(vendor): Shared, Path(number): Path<String>, body: Result<Bytes, BytesRejection>) -> Answer {
    let ReplyBody { text, times } = read(body)?;
    let (from, now) = (format!("+{number}"), vendor.now());
    let event = seal::id("evt", &json!([from, text, now]).to_string());
    let data = json!({ "id": seal::id("msg", &event), "from": from, "text": text });
    let news = json!({ "id": event, "type": "message.received", "data": data }).to_string();
    for _ in 0..times {
        vendor.webhooks.deliver(&news).await;
    }
    Ok(Json(json!({ "event": event })).into_response())
}

fn read<B: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<B, Refused> {
    let body = body.map_err(|_| refuse(413, "body_too_large", "the body has at most 64 KiB"))?;
    // The parser's own words may quote the body.
    serde_json::from_slice(&body).map_err(|_| refuse(400, "body_invalid", "the body is not what this path takes"))
}

/// E.164: `+`, then up to 15 digits of which the first is not 0.
fn check_number(number: &str) -> Result<(), Refused> {
    let digits = number.strip_prefix('+').unwrap_or_default();
    let good = (8..=15).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0');
    if good { Ok(()) } else { Err(refuse(400, "phone_number_invalid", "a number looks like `+12175550142`")) }
}

fn refuse(status: u16, code: &str, text: &str) -> Refused {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Message::error(status, code, text).into()
}

fn three_days_before(now: i64) -> Date {
    let today = Timestamp::from_microsecond(now).unwrap_or_default().to_zoned(TimeZone::UTC).date();
    today.saturating_sub(3.days())
}
