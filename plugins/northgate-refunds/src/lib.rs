//! Gives the money of a charge back through Northgate. A connector of its own, so that what undoes a payment sees no card:
//! it learns the reference of one payment, as a handle, and can do nothing else.

use miniserde::Deserialize;
use selvedge_sdk::service::{Argument, Service};
use selvedge_sdk::{Call, Failure, Field, Request};

/// The connection that an admin granted under this name.
const CONNECTION: &str = "northgate";

struct Refunds;

impl Service for Refunds {
    fn perform(call: Call, function: String, arguments: Vec<Argument>) -> Result<String, Failure> {
        match (function.as_str(), arguments.as_slice()) {
            ("refund", [Argument { name, value }]) if name == "payment" => refund(&call, value),
            ("refund", _) => Err(Failure::Permanent("`refund` is given `payment` and nothing else".into())),
            _ => Err(Failure::Permanent("no such function".into())),
        }
    }
}

/// The whole charge. Northgate gives one back once for each key, so a lost answer is asked for again under it.
fn refund(call: &Call, payment: &Field) -> Result<String, Failure> {
    let form = [("charge", payment.into())];
    let answer = Request::post(CONNECTION, "/v1/refunds").idempotency_key(&call.idempotency_key).form(form).send()?;
    if answer.status != 200 {
        return Err(answer.failure());
    }
    let refund = answer.json::<Refund>()?;
    match refund.status.as_str() {
        "succeeded" => Ok(refund.id),
        other => Err(Failure::Unknown(format!("the refund is `{other}`"))),
    }
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    status: String,
}

selvedge_sdk::export_service!(Refunds);
