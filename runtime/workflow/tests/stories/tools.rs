//! What the tools say of the shipped workflow.

use crate::house::{NAME, WORKFLOW, check, connectors, files, files_with};
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::explain::{Explained, explain};
use selvedge_workflow::graph;
use selvedge_workflow::mutants::{RULES, judged, spoil};

fn explained() -> Explained {
    let dictionary = Dictionary::read("fields.yaml", &files()["fields.yaml"]).unwrap();
    explain(&check(&files()).unwrap().plan, &dictionary)
}

#[test]
fn the_shipped_workflow_is_drawn_so() {
    insta::assert_snapshot!(graph::terminal(&explained()));
}

#[test]
fn every_step_says_what_it_does_and_what_ends_it_otherwise() {
    for step in explained().steps {
        assert!(!step.does.is_empty() && !step.otherwise.is_empty(), "{step:?}");
    }
}

#[test]
fn who_gets_to_know_what_is_told_by_class() {
    let reaches = explained().reaches;
    let told = reaches.iter().map(|reach| format!("{}: {} {:?}", reach.whom, reach.class, reach.fields));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    brightline-sim: PII {"patient.mobile"}
    brightline-sms: PII {"card.last4", "patient.mobile", "payment.date", "payment.number", "payment.reference"}
    brightline-sms: KEY {"challenge.code", "payment.link"}
    brightline-sms: PUBLIC {"sender.name", "sender.phone"}
    northgate-cards: PAN {"card.expiry-month", "card.expiry-year", "card.number"}
    northgate-cards: SAD {"card.code"}
    the customer, by message: PII {"card.last4", "payment.date", "payment.number", "payment.reference"}
    the customer, by message: KEY {"challenge.code", "payment.link"}
    the customer, by message: PUBLIC {"sender.name", "sender.phone"}
    the customer, on the call: PHI {"account.balance", "account.month"}
    the customer, on the page: PHI {"payment.amount"}
    the customer, on the page: PII {"payment.date", "payment.number"}
    the customer, on the page: PUBLIC {"sender.name"}
    "#);
}

#[test]
fn no_unsafe_mutant_is_published_and_each_rule_has_some() {
    assert!(judged(&files(), NAME, &connectors()).unwrap().is_empty(), "the shipped workflow is safe");
    let spoilt = spoil(&files(), NAME, &connectors()).unwrap();
    assert!(spoilt.published_unsafe.is_empty(), "{:#?}", spoilt.published_unsafe);
    for rule in RULES {
        assert!(spoilt.unsafe_by_rule[rule] > 0, "no mutant breaks `{rule}`: {spoilt:#?}");
    }
    assert!(spoilt.mutants > 300 && spoilt.unsafe_mutants > 150, "{spoilt:#?}");
}

#[test]
fn the_other_judge_sees_what_the_checker_sees() {
    let breaks = |old: &str, new: &str| judged(&files_with(WORKFLOW, old, new), NAME, &connectors()).unwrap();
    assert!(
        breaks("      check: sim                # no code goes to a number whose SIM changed lately\n", "")
            .contains(RULES[0])
    );
    assert!(breaks("level: L2", "level: L1").contains(RULES[0]));
    assert!(breaks("[account.balance, account.month]", "[account.balance, card.number]").contains(RULES[1]));
    assert!(breaks("over: call", "over: page").contains(RULES[7]));
    assert!(breaks("opens: first-payment", "opens: owed").contains(RULES[8]));
}
