//! Card payments through Northgate. The card's parts are handles: the host writes them into the form on the
//! way out, and this code never sees a digit.

use miniserde::Deserialize;
use selvedge_sdk::gateway::{Card, Gateway, Outcome, Payment, Validity};
use selvedge_sdk::{Call, Failure, Report, Request, Response, Status, Webhook, encode, read};

/// The connection that an admin granted under this name.
const CONNECTION: &str = "northgate";

struct Cards;

impl Gateway for Cards {
    /// A charge of nothing: Northgate asks the bank and takes no money.
    fn validate(call: Call, card: Card) -> Result<Validity, Failure> {
        let answer = post(&call, 0, "USD", &card)?;
        match answer.status {
            200 => succeeded(answer.json()?).map(Validity::Good),
            402 => Ok(Validity::Declined(answer.json::<Refused>()?.error.code)),
            _ => Err(answer.failure()),
        }
    }

    fn charge(call: Call, payment: Payment) -> Result<Outcome, Failure> {
        let answer = post(&call, payment.amount, &payment.currency, &payment.card)?;
        match answer.status {
            200 => succeeded(answer.json()?).map(Outcome::Paid),
            402 => Ok(Outcome::Declined(answer.json::<Refused>()?.error.code)),
            _ => Err(answer.failure()),
        }
    }

    fn lookup(call: Call) -> Result<Option<Report>, Failure> {
        let path = format!("/v1/charges?reference={}", encode(&call.idempotency_key));
        let answer = Request::get(CONNECTION, path).send()?;
        if answer.status != 200 {
            return Err(answer.failure());
        }
        let found = answer.json::<Found>()?.data.into_iter().next();
        Ok(found.map(|charge| Report {
            // The state of a charge is news of its own: asked twice, it counts once.
            event_id: format!("{}:{}", charge.id, charge.status),
            idempotency_key: call.idempotency_key,
            status: status(&charge.status),
            detail: charge.failure_code.unwrap_or(charge.status),
            reference: charge.id,
        }))
    }

    fn receive(webhook: Webhook) -> Result<Vec<Report>, Failure> {
        let Some(event) = read::<Event>(&webhook.body) else {
            return Err(Failure::Permanent("not an event of Northgate's".into()));
        };
        let Some(word) = event.kind.strip_prefix("charge.") else {
            return Ok(Vec::new());
        };
        Ok(vec![Report {
            event_id: event.id,
            idempotency_key: event.data.reference,
            status: status(word),
            detail: event.data.failure_code.unwrap_or_else(|| word.into()),
            reference: event.data.id,
        }])
    }
}

fn post(call: &Call, amount: i64, currency: &str, card: &Card) -> Result<Response, Failure> {
    let currency = currency.to_ascii_lowercase();
    let mut form = vec![
        ("amount", amount.into()),
        ("currency", currency.as_str().into()),
        ("card[number]", card.number.into()),
        ("card[exp_month]", card.expiry_month.into()),
        ("card[exp_year]", card.expiry_year.into()),
        // Found again by this in `lookup` and in webhooks.
        ("reference", call.idempotency_key.as_str().into()),
    ];
    form.push(match card.code {
        Some(code) => ("card[cvc]", code.into()),
        // The customer is not there; Northgate knows the card from when it was validated.
        None => ("stored", "true".into()),
    });
    Request::post(CONNECTION, "/v1/charges").idempotency_key(&call.idempotency_key).form(form).send()
}

/// Only the vendor's explicit word counts.
fn succeeded(charge: Charge) -> Result<String, Failure> {
    match charge.status.as_str() {
        "succeeded" => Ok(charge.id),
        other => Err(Failure::Unknown(format!("the charge is `{other}`"))),
    }
}

fn status(word: &str) -> Status {
    match word {
        "succeeded" => Status::Succeeded,
        "failed" => Status::Failed,
        _ => Status::Pending,
    }
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    status: String,
    failure_code: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    code: String,
}

#[derive(Deserialize)]
struct Found {
    data: Vec<Charge>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: EventCharge,
}

#[derive(Deserialize)]
struct EventCharge {
    id: String,
    reference: String,
    failure_code: Option<String>,
}

selvedge_sdk::export_gateway!(Cards);
