//! S8: a plan's amount changes. The notice precedes the debit by ten days, and a stop blocks the next one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::on_file::put_on_file;
use selvedge_tests::orders;
use selvedge_tests::served::Served;
use serde_json::{Value, json};

const MOBILE: &str = "+13125550144";
const CARD: &str = "5555555555554444";

/// A customer whose next instalment is this much.
fn owes(served: &Served, amount: &str) {
    served.import(&[json!({
        "customer": "c_cy",
        "fields": { "customer.mobile": MOBILE, "instalment.amount": amount },
        "zones": ["America/Chicago"],
        "jurisdictions": ["US", "US-IL"],
        "consents": [{ "purpose": "billing", "channel": "sms", "at": "2026-08-25T16:04:00Z",
                       "words": "You may text me.", "act": "web form" }],
    })]);
}

/// What the gateway took of this card, in cents.
fn taken(served: &Served) -> Vec<i64> {
    let orders = orders(served.data.path(), "northgate");
    let own = orders.iter().filter(|order| order["what"]["last4"] == "4444" && order["status"] == "succeeded");
    own.map(|order| order["what"]["amount"].as_i64().unwrap()).filter(|amount| *amount > 0).collect()
}

/// On November 25 a customer agrees on a call, and puts a card on file. Returns the interaction.
fn enrol(served: &Served) -> String {
    owes(served, "$40.00");
    served.beside(&["workflow", "publish", "recurring-plan"]);
    let agent = served.sign_in("maria", "billing-agent");
    let id = served.opened(&agent, "recurring-plan", "c_cy");
    served.give_code(&agent, &id, MOBILE, 0);
    put_on_file(served, MOBILE, 1, CARD);
    assert!(served.text(MOBILE, 3).contains("in 10 days we charge $40.00"));
    served.rests(&id);
    id
}

/// What was asked about charges, and the answers.
fn verdicts(events: &[Value]) -> Vec<(&str, &str)> {
    let decided = events.iter().filter(|event| event["type"] == "selvedge.contact.decided");
    let debits = decided.map(|event| &event["data"]).filter(|data| data["channel"] == "debit");
    debits.map(|data| (data["node"].as_str().unwrap(), data["decision"]["verdict"]["kind"].as_str().unwrap())).collect()
}

#[test]
fn who_calls_to_end_payments_is_charged_nothing() {
    let served = Served::start();
    let id = enrol(&served);
    served.import(&[json!({ "customer": "c_cy", "fields": {}, "consents": [{
        "purpose": "all", "channel": "debit", "granted": false, "at": "2026-12-01T16:00:00Z",
        "words": "Asked on the phone to end all payments.", "act": "call",
    }] })]);
    served.move_to("2026-12-05T12:00:00-06:00");
    assert_eq!(verdicts(&served.events(&id)), [("first.debit", "deny")]);
    assert_eq!((taken(&served), served.texts(MOBILE).len()), (Vec::new(), 4));
}

#[test]
fn another_amount_is_told_ten_days_before_it_is_charged_and_a_stop_blocks_the_next_one() {
    let served = Served::start();
    let id = enrol(&served);
    served.move_to("2026-12-05T09:00:00-06:00");
    assert_eq!(taken(&served), [0; 0]);
    served.move_to("2026-12-05T12:00:00-06:00");
    selvedge_tests::served::until(|| (taken(&served) == [4000]).then_some(()));
    served.rests(&id);

    // A month later it is another amount: told, and not charged.
    owes(&served, "$55.00");
    served.move_to("2027-01-04T13:00:00-06:00");
    assert!(served.text(MOBILE, 4).contains("in 10 days we charge $55.00"));
    served.rests(&id);
    served.move_to("2027-01-12T10:00:00-06:00");
    assert_eq!(taken(&served), [4000]);
    served.text_back(MOBILE, "STOP PAYMENTS");
    assert!(served.text(MOBILE, 5).contains("we charge nothing more to your card on file"));
    served.move_to("2027-01-14T14:00:00-06:00");

    let events = served.events(&id);
    let of_kind = |kind: &str| -> Vec<&Value> {
        let kind = format!("selvedge.{kind}");
        events.iter().filter(|event| event["type"] == kind.as_str()).map(|event| &event["data"]).collect()
    };
    let revoked = of_kind("consent.revoked");
    assert_eq!((&revoked[0]["channel"], &revoked[0]["cite"]), (&"debit".into(), &"12 CFR 1005.10(c)".into()));
    // When it was due, and at the moment of charging.
    assert_eq!(verdicts(&events), [("first.debit", "permit"), ("first.debit", "permit"), ("second.debit", "deny")]);
    assert_eq!(of_kind("interaction.closed")[0]["ending"], "failed");
    assert_eq!((taken(&served), served.texts(MOBILE).len()), (vec![4000], 6));
    for canary in [CARD, "\"737\"", "cvc=737"] {
        assert_eq!(served.find(canary), [""; 0], "{canary}");
    }
}
