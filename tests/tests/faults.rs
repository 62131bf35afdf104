//! Vendors that time out, fail, answer twice or late: the story ends with one charge and each message once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::{Told, demo, folder, orders};
use serde_json::Value;

/// Plays the story with a fault and holds it to what is true of every good one.
fn play(fault: &str) -> Told {
    let data = folder();
    let told = demo(data.path(), &["--fault", fault]);
    told.assert_good(fault);
    told.assert_each_effect_once(fault);
    assert_eq!(told.summary["messages"], 4, "{fault}: the vendor's count");
    assert_eq!(orders(data.path(), "brightline").len(), 4, "{fault}: the vendor's ledger");
    assert_eq!(orders(data.path(), "northgate").len(), 1, "{fault}: the gateway's ledger");
    told
}

/// How often something was said of the effects whose key holds `word`.
fn count(told: &Told, kind: &str, word: &str) -> usize {
    told.all(kind).filter(|data| data["key"].as_str().is_some_and(|key| key.contains(word))).count()
}

#[test]
fn a_charge_whose_answer_is_lost_is_unclear_until_the_gateway_is_heard() {
    let told = play("charges=timeout");
    assert!(count(&told, "effect.unclear", ".charge.") >= 1, "maybe charged is a state of its own");
    assert_eq!(count(&told, "effect.intended", ".charge."), 1, "it was charged again");
    let settled =
        told.events.iter().position(|event| event["type"] == "selvedge.effect.done" && is_charge_key(&event["data"]));
    let settled = settled.expect("an outcome of the charge");
    let unclear = told.events.iter().position(|event| event["type"] == "selvedge.effect.unclear").unwrap();
    assert!(unclear < settled, "first unclear, then settled");
}

fn is_charge_key(data: &Value) -> bool {
    data["key"].as_str().is_some_and(|key| key.contains(".charge."))
}

#[test]
fn a_charge_that_failed_for_certain_is_asked_of_the_customer_again() {
    let told = play("charges=fail");
    let exits: Vec<&Value> =
        told.all("effect.done").filter(|data| is_charge_key(data)).map(|data| &data["exit"]).collect();
    assert_eq!(exits, ["declined", "done"], "the first attempt took nothing, the second under a key of its own did");
    assert_eq!(told.all("card.captured").count(), 2, "the security code was spent: the card is entered again");
}

#[test]
fn a_charge_reported_twice_counts_once() {
    let told = play("charges=twice");
    let reports: Vec<&Value> = told.all("vendor.reported").filter(|data| data["connection"] == "northgate").collect();
    assert!(reports.len() <= 1, "the second webhook has the id of the first and says nothing new: {reports:?}");
}

#[test]
fn a_charge_answered_late_is_charged_once() {
    let told = play("charges=late");
    assert_eq!(count(&told, "effect.intended", ".charge."), 1);
}

#[test]
fn a_message_whose_answer_is_lost_is_sent_once() {
    play("messages=timeout");
}

#[test]
fn a_message_that_failed_is_tried_again_under_its_key() {
    let told = play("messages=fail");
    assert_eq!(count(&told, "effect.postponed", "identity.challenge"), 1);
    assert_eq!(count(&told, "effect.intended", "identity.challenge"), 2);
}

#[test]
fn a_message_reported_twice_counts_once() {
    play("messages=twice");
}

#[test]
fn a_message_answered_late_is_sent_once() {
    play("messages=late");
}

#[test]
fn a_lookup_that_failed_is_asked_again() {
    let told = play("lookups=fail");
    assert_eq!(count(&told, "effect.postponed", "identity.check"), 1);
}

#[test]
fn a_fault_that_no_vendor_knows_is_refused() {
    let data = folder();
    let told = demo(data.path(), &["--fault", "charges=never"]);
    assert_eq!(told.code, Some(1));
    assert!(told.stderr.contains("C905"), "{}", told.stderr);
}
