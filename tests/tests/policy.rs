//! The tools that compliance has for rules and policies, as they are typed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::{REFUSED, folder, selvedge, text};
use serde_json::Value;

const QUESTION: [&str; 10] = [
    "policy",
    "explain",
    "--zone",
    "America/New_York",
    "--consent",
    "billing:sms",
    "--purpose",
    "billing",
    "--channel",
    "sms",
];

fn ask(rest: &[&str]) -> (Option<i32>, Value) {
    let output = selvedge(QUESTION.iter().chain(rest).chain(&["--json"]));
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code(), answer)
}

#[test]
fn explain_says_yes_no_or_when_with_rule_and_citation() {
    let (code, answer) = ask(&["--jurisdiction", "US-NY", "--at", "2026-03-02T20:30:00-05:00"]);
    assert_eq!((code, &answer["decision"]["verdict"]["kind"]), (Some(0), &Value::from("permit")), "{answer:#}");

    let (code, answer) = ask(&["--jurisdiction", "US-FL", "--at", "2026-03-02T20:30:00-05:00"]);
    assert_eq!((code, &answer["earliest"]), (Some(REFUSED), &Value::from("2026-03-03T13:00:00Z")), "{answer:#}");
    let objects = |reason: &&Value| reason["verdict"]["kind"] != "permit";
    let objecting = answer["decision"]["reasons"].as_array().unwrap().iter().find(objects).unwrap();
    assert_eq!(objecting["rule"], "state.hours.early-evening");
    assert!(!objecting["cite"].as_str().unwrap().is_empty());

    let (code, answer) = ask(&["--jurisdiction", "US-NY", "--flag", "opted-out", "--at", "2026-03-02T12:00:00-05:00"]);
    assert_eq!((code, &answer["earliest"]), (Some(REFUSED), &Value::Null), "{answer:#}");
}

#[test]
fn a_customer_can_come_from_a_file_with_the_contacts_that_were_made() {
    let folder = folder();
    let file = folder.path().join("debtor.yaml");
    let debtor = "jurisdictions: [US, US-MA]\nphone: \"+1 617 555 0142\"\ncontacts:\n  \
        - { channel: call, purpose: collections, at: [2026-03-02T12:00:00-05:00, 2026-03-03T12:00:00-05:00] }\n";
    std::fs::write(&file, debtor).unwrap();
    let asked = ["policy", "explain", "--purpose", "collections", "--channel", "call", "--customer"];
    let output = selvedge(asked.iter().copied().chain([file.to_str().unwrap(), "--at", "2026-03-04T12:00:00-05:00"]));
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(REFUSED), "{page}");
    assert!(
        page.contains("✗ ma.contacts: 2 contacts by `call` or `sms` were made within 7d, and 2 are the most"),
        "{page}"
    );
    assert!(page.ends_with("earliest: Mon 2026-03-09 13:00:00 EDT (2026-03-09T17:00:00Z)\n"), "{page}");
}

#[test]
fn every_shipped_table_comes_out() {
    let output = selvedge(["policy", "test", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["findings"]), (Some(0), &Value::Array(Vec::new())), "{told:#}");
    assert!(told["rows"].as_u64().unwrap() > 150, "{told:#}");
}

#[test]
fn the_list_says_what_is_in_force_where_and_who_enforces_it() {
    let list = |args: &[&str]| -> Vec<Value> {
        let output = selvedge(["rules", "list", "--json"].iter().chain(args));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        told["rules"].as_array().unwrap().clone()
    };
    let has = |rules: &[Value], id: &str| rules.iter().any(|rule| rule["id"] == id);
    let before = list(&["--jurisdiction", "US-NY-NYC", "--at", "2026-08-30"]);
    let after = list(&["--jurisdiction", "US-NY-NYC", "--at", "2026-09-01"]);
    assert!(!has(&before, "nyc.contacts") && has(&after, "nyc.contacts"));
    assert!(has(&after, "tcpa.hours") && !has(&after, "tx.hours"));
    for rule in list(&[]) {
        for key in ["id", "pack", "cite", "owner", "status", "effective", "enforced_by"] {
            assert!(rule[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {rule}");
        }
    }
}
