//! A service without mischief: `selvedge bench` and the host's tests call it. `spin` gives back what a small vendor would
//! say, some 200 bytes, and `order` orders once for each key.

use selvedge_sdk::service::{Argument, Service};
use selvedge_sdk::{Call, Failure, Request};

/// The size of what `spin` answers.
const ANSWER: usize = 200;

struct Spindle;

impl Service for Spindle {
    fn perform(call: Call, function: String, arguments: Vec<Argument>) -> Result<String, Failure> {
        match function.as_str() {
            "spin" => Ok(spin(&call)),
            "order" => order(&call, &arguments),
            "flood" => Ok("x".repeat(20_000)),
            _ => Err(Failure::Permanent("no such function".into())),
        }
    }
}

fn spin(call: &Call) -> String {
    let mut answer = String::with_capacity(ANSWER);
    answer.push_str(&call.idempotency_key);
    while answer.len() < ANSWER {
        answer.push('.');
    }
    answer
}

fn order(call: &Call, arguments: &[Argument]) -> Result<String, Failure> {
    let [to] = arguments else { return Err(Failure::Permanent("one argument is needed".into())) };
    let key = call.idempotency_key.as_str();
    let slots = [("/to", (&to.value).into()), ("/text", "spun".into()), ("/client_ref", key.into())];
    let answer = Request::post("vendor", "/v2/messages").idempotency_key(key).json(slots).send()?;
    match answer.status {
        200..=299 => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
        _ => Err(answer.failure()),
    }
}

selvedge_sdk::export_service!(Spindle);
