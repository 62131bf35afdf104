//! Giving the money of a charge back: whole, and once. The same request under its key is a replay; another one for a
//! charge that was given back is refused for good.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Charge, Flight, InFlight, Shared, marked, refuse, taken, wait};
use crate::ledger::{Entry, Ledger};
use crate::vendor::{Order, Refused, fault, idempotency_key};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The charge's id.
    charge: String,
}

pub(super) async fn refund(
    State(vendor): Shared,
    Extension(in_flight): Extension<InFlight>,
    headers: HeaderMap,
    form: Result<Form<Asked>, FormRejection>,
) -> Answer {
    let fault = fault(&vendor, "refunds")?;
    let key = idempotency_key::<Charge>(&headers)?;
    let Ok(Form(Asked { charge })) = form else {
        return Err(refuse(400, "parameter_invalid", "`charge` is needed, and nothing else"));
    };
    let flight = Flight::begin(in_flight, &key)?;
    let fingerprint = vendor.fingerprint(&["refund", &charge]);
    // Nothing waits between looking and taking, and the vendor serves one request at a time.
    let what = given_back(&vendor.ledger(), &key, charge)?;
    let (entry, replayed) = taken(vendor.take(Order { key, fingerprint, status: "succeeded", what }, fault)?)?;
    wait(flight, fault).await;
    Ok(marked(Json(show(&entry)).into_response(), replayed))
}

/// What giving this charge back keeps. Errors: there is no such charge, or its money is given back already.
fn given_back(ledger: &Ledger<Charge>, key: &str, charge: String) -> Result<Charge, Refused> {
    if let Some(known) = ledger.find(key) {
        return Ok(known.what.clone());
    }
    let took =
        |entry: &&Entry<Charge>| entry.what.is_charge() && entry.what.failure.is_empty() && entry.what.amount > 0;
    let Some(of) = ledger.entries().iter().filter(took).find(|entry| entry.id == charge) else {
        return Err(refuse(404, "charge_not_found", "no such charge took money"));
    };
    if ledger.entries().iter().any(|entry| entry.what.gives_back == charge) {
        return Err(refuse(400, "charge_already_refunded", "the money of this charge was given back"));
    }
    let (reference, card) = (String::new(), String::new());
    Ok(Charge { reference, card, gives_back: charge, ..of.what.clone() })
}

pub(super) fn show(entry: &Entry<Charge>) -> Value {
    let Charge { amount, currency, gives_back, .. } = &entry.what;
    json!({
        "id": entry.id,
        "object": "refund",
        "status": entry.status,
        "amount": amount,
        "currency": currency,
        "charge": gives_back,
    })
}
