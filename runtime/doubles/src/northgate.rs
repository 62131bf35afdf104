//! Northgate: card charges. Form-encoded, bearer key, `Northgate-Signature`. A charge of nothing asks whether the card is
//! good; from then on the merchant may charge it as `stored`, without its security code. A charge is given back once, and
//! whole ([`refund`]).

mod refund;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::faults::{Fault, Kind};
use crate::ledger::Entry;
use crate::seal;
use crate::vendor::{MAX_KEY, Order, Refused, Taken, Trade, Vendor, fault, hold, idempotency_key};
use crate::webhooks::Sign;

/// The card that is always declined. Every other number that passes the Luhn test is charged.
const DECLINED: &str = "4000000000000002";
/// The largest amount, in minor units.
const MAX_AMOUNT: i64 = 99_999_999;

/// A charge as the gateway may keep it: neither the card's number nor its code.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Charge {
    /// Minor units.
    amount: i64,
    /// ISO 4217, lower case.
    currency: String,
    reference: String,
    brand: String,
    last4: String,
    /// Why the money was not taken; empty when it was.
    failure: String,
    /// A keyed hash of number and expiry: a stored card is known by it.
    #[serde(default)]
    card: String,
    /// The charge that this gives back; empty for a charge.
    #[serde(default)]
    gives_back: String,
}

impl Trade for Charge {
    const NAME: &'static str = "northgate";
    const DESKS: &'static [&'static str] = &["charges", "refunds"];
    const CARD_SLOTS: &'static [&'static str] = &["card[number]", "card[exp_month]", "card[exp_year]", "card[cvc]"];
    const SIGN: Sign = |secret, seconds, body| {
        let signature = seal::mac(secret, format!("{seconds}.{body}").as_bytes());
        vec![("northgate-signature", format!("t={seconds},v1={signature}"))]
    };

    fn error(status: StatusCode, code: &str, text: &str) -> Response {
        let kind = match status.as_u16() {
            402 => "card_error",
            401 => "authentication_error",
            409 | 422 => "idempotency_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        (status, Json(json!({ "error": { "type": kind, "code": code, "message": text } }))).into_response()
    }

    fn prefix(&self) -> &'static str {
        if self.is_charge() { "ch" } else { "re" }
    }

    fn news(entry: &Entry<Self>) -> (&'static str, Value) {
        if !entry.what.is_charge() {
            return ("refund.succeeded", refund::show(entry));
        }
        let kind = if entry.what.failure.is_empty() { "charge.succeeded" } else { "charge.failed" };
        (kind, show(entry))
    }

    fn counts(entries: &[Entry<Self>]) -> [(&'static str, usize); 4] {
        let count = |which: fn(&Charge) -> bool| entries.iter().filter(|entry| which(&entry.what)).count();
        let charged = count(|what| what.is_charge() && what.failure.is_empty() && what.amount > 0);
        let declined = count(|what| !what.failure.is_empty());
        [("messages", 0), ("charges", charged), ("declined", declined), ("refunds", count(|what| !what.is_charge()))]
    }
}

impl Charge {
    fn is_charge(&self) -> bool {
        self.gives_back.is_empty()
    }
}

type Shared = State<Arc<Vendor<Charge>>>;
type Answer = Result<Response, Refused>;
/// The keys of orders that have not been answered yet.
type InFlight = Arc<Mutex<BTreeSet<String>>>;

pub(crate) fn routes(vendor: &Arc<Vendor<Charge>>) -> Router {
    let api = Router::new()
        .route("/v1/charges", post(charge).get(find))
        .route("/v1/refunds", post(refund::refund))
        .layer(Extension(InFlight::default()));
    vendor.router(api, Router::new())
}

async fn charge(
    State(vendor): Shared,
    Extension(in_flight): Extension<InFlight>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Answer {
    let fault = fault(&vendor, "charges")?;
    let key = idempotency_key::<Charge>(&headers)?;
    let Form(fields) = form.map_err(|_| refuse(400, "body_invalid", "the body is a form of at most 64 KiB"))?;
    let request = Requested::read(fields)?;
    let flight = Flight::begin(in_flight, &key)?;

    let fingerprint = request.fingerprint(&vendor);
    let card = request.card(&vendor);
    let good = |entry: &Entry<Charge>| entry.what.card == card && entry.what.failure.is_empty();
    let on_file = vendor.ledger().entries().iter().any(good);
    let what = request.decide(vendor.now(), card, on_file);
    let status = if what.failure.is_empty() { "succeeded" } else { "failed" };
    let (entry, replayed) = taken(vendor.take(Order { key, fingerprint, status, what }, fault)?)?;
    wait(flight, fault).await;

    let answer = if entry.what.failure.is_empty() {
        Json(show(&entry)).into_response()
    } else {
        refuse(402, &entry.what.failure, "the card was not charged").into_response()
    };
    Ok(marked(answer, replayed))
}

/// What is kept under a key, and whether it was there before.
fn taken(taken: Taken<Charge>) -> Result<(Entry<Charge>, bool), Refused> {
    match taken {
        Taken::New(entry) => Ok((entry, false)),
        Taken::Replayed(entry) => Ok((entry, true)),
        Taken::Mismatch => Err(refuse(422, "idempotency_mismatch", "this key belongs to another order")),
    }
}

/// An answer that says whether it was given before.
fn marked(mut answer: Response, replayed: bool) -> Response {
    if replayed {
        answer.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    answer
}

/// Holds the answer back. A late charge is in flight until its answer is out; one whose answer is lost is
/// over, so that another try is a replay.
async fn wait(flight: Flight, fault: Option<Fault>) {
    if fault.is_some_and(|fault| fault.kind == Kind::Timeout) {
        drop(flight);
        hold(fault).await;
    } else {
        hold(fault).await;
        drop(flight);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindQuery {
    reference: String,
}

async fn find(State(vendor): Shared, query: Result<Query<FindQuery>, QueryRejection>) -> Answer {
    let Ok(Query(FindQuery { reference })) = query else {
        return Err(refuse(400, "parameter_invalid", "`reference` is needed, and nothing else"));
    };
    let ledger = vendor.ledger();
    let found = ledger.entries().iter().filter(|entry| entry.what.reference == reference);
    let data: Vec<_> = found.map(show).collect();
    Ok(Json(json!({ "object": "list", "data": data })).into_response())
}

fn show(entry: &Entry<Charge>) -> Value {
    let Charge { amount, currency, reference, brand, last4, failure, card: _, gives_back: _ } = &entry.what;
    let mut charge = json!({
        "id": entry.id,
        "object": "charge",
        "status": entry.status,
        "amount": amount,
        "currency": currency,
        "reference": reference,
        "card": { "brand": brand, "last4": last4 },
    });
    if !failure.is_empty() {
        charge["failure_code"] = failure.as_str().into();
    }
    charge
}

/// A well-formed request for a charge. No `Debug`: it holds a card.
struct Requested {
    amount: i64,
    currency: String,
    reference: String,
    number: String,
    month: i8,
    year: i16,
    code: String,
    /// The merchant keeps the card, and the customer is not there.
    stored: bool,
}

impl Requested {
    fn read(fields: Vec<(String, String)>) -> Result<Self, Refused> {
        let known = ["amount", "currency", "reference", "stored"];
        let card = Charge::CARD_SLOTS;
        let mut form = BTreeMap::new();
        for (name, value) in fields {
            if !known.contains(&name.as_str()) && !card.contains(&name.as_str()) {
                return Err(refuse(400, "parameter_unknown", "there is a field that a charge does not have"));
            }
            if form.insert(name, value).is_some() {
                return Err(refuse(400, "parameter_invalid", "a field is there twice"));
            }
        }

        let amount = take(&mut form, "amount", |text| text.parse().ok().filter(|n| (0..=MAX_AMOUNT).contains(n)))?;
        let currency = take(&mut form, "currency", |text| {
            let good = text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_alphabetic());
            good.then(|| text.to_ascii_lowercase())
        })?;
        let reference =
            take(&mut form, "reference", |text| (1..=MAX_KEY).contains(&text.len()).then(|| text.to_owned()))?;
        let month = take(&mut form, "card[exp_month]", |text| text.parse().ok().filter(|n| (1..=12).contains(n)))?;
        let year = take(&mut form, "card[exp_year]", |text| match text.len() {
            2 => text.parse::<i16>().ok().map(|year| 2000 + year),
            4 => text.parse().ok(),
            _ => None,
        })?;
        let number = take(&mut form, "card[number]", |text| Some(text.to_owned()))?;
        let code = form.remove("card[cvc]").unwrap_or_default();
        let stored = form.remove("stored").is_some_and(|text| text == "true");
        Ok(Requested { amount, currency, reference, number, month, year, code, stored })
    }

    /// What makes two requests the same charge. The security code is left out: it may be gone when the client
    /// asks again, and not even a keyed hash of it is kept (PCI DSS 3.3.1).
    fn fingerprint<T: Trade>(&self, vendor: &Vendor<T>) -> String {
        let expiry = format!("{}-{}", self.year, self.month);
        let amount = self.amount.to_string();
        vendor.fingerprint(&[&amount, &self.currency, &self.reference, &self.number, &expiry])
    }

    /// What a stored card is known by. No digit of it can be read from it.
    fn card<T: Trade>(&self, vendor: &Vendor<T>) -> String {
        vendor.fingerprint(&["card", &self.number, &format!("{}-{}", self.year, self.month)])
    }

    /// Is the money taken? `now` is UTC microseconds; `on_file`: this card was good before.
    fn decide(self, now: i64, card: String, on_file: bool) -> Charge {
        let real = is_card_number(&self.number);
        let today = Timestamp::from_microsecond(now).unwrap_or_default().to_zoned(TimeZone::UTC).date();
        let failure = if !real {
            "incorrect_number"
        } else if (self.year, self.month) < (today.year(), today.month()) {
            "expired_card"
        } else if self.stored && !on_file {
            "not_on_file"
        } else if !self.stored && !is_code(&self.code) {
            "incorrect_cvc"
        } else if self.number == DECLINED {
            "card_declined"
        } else {
            ""
        };
        Charge {
            amount: self.amount,
            currency: self.currency,
            reference: self.reference,
            brand: brand(&self.number).to_owned(),
            // Of something that is no card number, nothing is kept.
            last4: if real { self.number[self.number.len() - 4..].to_owned() } else { String::new() },
            failure: failure.to_owned(),
            card,
            gives_back: String::new(),
        }
    }
}

fn take<V>(form: &mut BTreeMap<String, String>, name: &str, read: fn(&str) -> Option<V>) -> Result<V, Refused> {
    form.remove(name)
        .and_then(|text| read(&text))
        .ok_or_else(|| refuse(400, "parameter_invalid", &format!("`{name}` is missing or not what it should be")))
}

/// Three or four digits.
fn is_code(code: &str) -> bool {
    (3..=4).contains(&code.len()) && code.bytes().all(|digit| digit.is_ascii_digit())
}

/// 12 to 19 digits that pass the Luhn test (ISO/IEC 7812-1, annex B).
fn is_card_number(number: &str) -> bool {
    let digits = number.bytes().rev().enumerate().map(|(place, digit)| match (digit, place % 2) {
        (b'0'..=b'9', 0) => Some(u32::from(digit - b'0')),
        (b'0'..=b'9', _) => Some(u32::from(digit - b'0') * 2).map(|n| if n > 9 { n - 9 } else { n }),
        _ => None,
    });
    let sum: Option<u32> = digits.sum();
    (12..=19).contains(&number.len()) && sum.is_some_and(|sum| sum % 10 == 0)
}

fn brand(number: &str) -> &'static str {
    match number.as_bytes() {
        [b'4', ..] => "visa",
        [b'5', b'1'..=b'5', ..] | [b'2', b'2'..=b'7', ..] => "mastercard",
        [b'3', b'4' | b'7', ..] => "amex",
        _ => "unknown",
    }
}

/// One order on its way; it ends when this is dropped, also when the client hangs up.
struct Flight {
    all: InFlight,
    key: String,
}

impl Flight {
    fn begin(all: InFlight, key: &str) -> Result<Self, Refused> {
        let new = all.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        if !new {
            return Err(refuse(409, "idempotency_key_in_use", "the first request under this key is in flight"));
        }
        Ok(Flight { all, key: key.to_owned() })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

fn refuse(status: u16, code: &str, text: &str) -> Refused {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Charge::error(status, code, text).into()
}
