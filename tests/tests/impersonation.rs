//! A1: somebody has a customer's number moved to a SIM of their own, to be sent the code. No code goes there, nothing is
//! told or paid, and the next try by another way inherits what was found.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::served::{Served, data_of};
use serde_json::{Value, json};

/// Numbers that end so had their SIM changed three days ago, the vendor's double says.
const SWAPPED: &str = "+13125550199";
const ANOTHER: &str = "+13125550191";
const DIAGNOSIS: &str = "canary-anemia-4f06";

fn customer(mobile: &str) -> Value {
    json!({
        "customer": "c_ivy", "zones": ["America/Chicago"], "jurisdictions": ["US", "US-IL"],
        "fields": {
            "customer.mobile": mobile, "bill.amount": "$84.20", "bill.due": "2026-11-10", "fine.amount": "$60.00",
            "visit.diagnosis": DIAGNOSIS,
        },
        "consents": [{
            "purpose": "billing", "channel": "sms", "at": "2026-08-25T16:04:00Z", "words": "You may text me.", "act": "web form",
        }],
    })
}

/// The reasons of the last decision about risk, which has to be a refusal.
fn refused(events: &[Value]) -> Vec<Value> {
    let decided = data_of(events, "risk.decided");
    let last = decided.last().unwrap();
    assert_eq!(last["decision"]["verdict"]["kind"], "deny", "{last}");
    let reasons = last["decision"]["reasons"].as_array().unwrap().iter();
    reasons.filter(|reason| reason["verdict"]["kind"] == "deny").cloned().collect()
}

#[test]
fn a_moved_number_gets_no_code_and_the_next_try_inherits_it() {
    let served = Served::start();
    served.import(&[customer(SWAPPED)]);
    for workflow in ["utility-past-due", "fine-by-reference"] {
        served.beside(&["workflow", "publish", workflow]);
    }
    let agent = served.sign_in("maria", "billing-agent");

    let call = served.opened(&agent, "utility-past-due", "c_ivy");
    let events = served.events(&call);
    assert!(served.texts(SWAPPED).is_empty(), "a code went to a moved number");
    let found = data_of(&events, "signal.found");
    assert_eq!((&found[0]["signal"], &found[0]["finding"]), (&"sim-swap".into(), &"raised".into()));
    assert!(refused(&events).iter().any(|reason| reason["rule"] == "risk.sim-swap"), "{events:#?}");
    assert_eq!(data_of(&events, "interaction.closed")[0]["ending"], "failed");
    for told in ["assertion.issued", "fields.disclosed", "card.captured"] {
        assert!(data_of(&events, told).is_empty(), "{told}");
    }

    // An hour later by another way, with a number whose SIM is clear: what was found on the call still counts.
    served.import(&[customer(ANOTHER)]);
    let body = json!({ "workflow": "fine-by-reference", "customer": "c_ivy", "channel": "web" });
    let opened = served.post_as("/v1/interactions", &agent, &body);
    assert_eq!(opened.status, 201, "{}", opened.body);
    let web = opened.json()["interaction"].as_str().unwrap().to_owned();
    let events = served.events(&web);
    assert_eq!(data_of(&events, "signal.found")[0]["finding"], "clear", "this number's own SIM");
    let reasons = refused(&events);
    let inherited = reasons.iter().find(|reason| reason["rule"] == "risk.sim-swap");
    assert!(inherited.is_some_and(|reason| reason.to_string().contains(&call)), "{reasons:#?}");
    assert!(served.texts(ANOTHER).is_empty(), "a code went out all the same");
    assert_eq!(data_of(&events, "interaction.closed")[0]["ending"], "failed");

    served.assert_verifies(&call);
    served.assert_verifies(&web);
    served.assert_clean(&[DIAGNOSIS]);
}
