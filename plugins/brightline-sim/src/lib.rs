//! Has the SIM behind a number changed lately? Brightline asks the carrier.

use miniserde::Deserialize;
use selvedge_sdk::verifier::{Finding, Signal, Verifier};
use selvedge_sdk::{Call, Failure, Field, Request};

struct Sim;

impl Verifier for Sim {
    fn check(_call: Call, subject: &Field) -> Result<Signal, Failure> {
        let answer = Request::post("brightline", "/v2/lookups").json([("/phone_number", subject.into())]).send()?;
        if answer.status != 200 {
            return Err(answer.failure());
        }
        let word = answer.json::<Answer>()?.data.sim_swap.status;
        let finding = match word.as_str() {
            "not_swapped" => Finding::Clear,
            "swapped" => Finding::Raised,
            // `unavailable`, and every word that is not known yet: not the same as clear.
            _ => Finding::Missing,
        };
        Ok(Signal { name: "sim-swap".into(), finding, reason: word })
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Lookup,
}

#[derive(Deserialize)]
struct Lookup {
    sim_swap: SimSwap,
}

#[derive(Deserialize)]
struct SimSwap {
    status: String,
}

selvedge_sdk::export_verifier!(Sim);
