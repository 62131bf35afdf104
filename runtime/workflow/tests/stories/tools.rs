//! What the tools say of the shipped workflow.

use crate::house::{NAME, WORKFLOW, check, connectors, files, files_with};
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::diff::{Side, diff};
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
fn what_changed_is_told_in_words_and_in_proofs() {
    let dictionary = Dictionary::read("fields.yaml", &files()["fields.yaml"]).unwrap();
    let before = check(&files()).unwrap();
    let mut changed = files_with(WORKFLOW, "[account.balance, account.month]", "[account.balance]");
    let text = changed.get_mut(WORKFLOW).unwrap();
    *text =
        text.replace("id: plan", "id: parts").replace("plan.first", "parts.first").replace("lasts: 72h", "lasts: 48h");
    let note = changed.get_mut("healthcare-balance/templates/code.sms.txt").unwrap();
    *note = note.replace("We never ask you to forward it.", "Keep it to yourself.");
    let after = check(&changed).unwrap();
    let (words, other) = (explain(&before.plan, &dictionary), explain(&after.plan, &dictionary));
    let before = Side { plan: &before.plan, proofs: &before.proofs, explained: &words };
    let after = Side { plan: &after.plan, proofs: &after.proofs, explained: &other };
    assert!(diff(&before, &before).is_empty());
    let found = diff(&before, &after);
    let changes = found.changes.iter().map(|change| {
        let gone = change.before.iter().map(|line| format!("\n  - {line}"));
        let new = change.after.iter().map(|line| format!("\n  + {line}"));
        format!("{}{}", change.of, gone.chain(new).collect::<String>())
    });
    let stuck = found.stuck.iter().map(|stuck| format!("stuck at {}: {}", stuck.node, stuck.why));
    let proofs = found.proofs_lost.iter().map(|proof| format!("not proved any more: {}", proof.claim));
    let reaches = found.reaches_lost.iter().map(|reach| format!("{} does not learn {:?}", reach.whom, reach.fields));
    insta::assert_snapshot!(changes.chain(proofs).chain(reaches).chain(stuck).collect::<Vec<_>>().join("\n"), @r#"
    step `owed`
      - shows `account.balance` (PHI), `account.month` (PHI) on the call, to someone proved at L2 and nobody else
      + shows `account.balance` (PHI) on the call, to someone proved at L2 and nobody else
    step `plan`
      - offers to pay `account.balance` (PHI) in 3 parts, one a month, and waits 15m for the answer
      - no answer within 15m → the run ends (failed)
      - the customer says no → the run ends (declined)
    step `invitation`
      - sends a link to `first-payment` in the message `payment-link`, good once and for 72h to `patient.mobile` (PII) by `texts` (brightline-sms), if the contact rules permit it for `billing`
      + sends a link to `first-payment` in the message `payment-link`, good once and for 48h to `patient.mobile` (PII) by `texts` (brightline-sms), if the contact rules permit it for `billing`
    step `first-payment`
      - charges the first part of `plan` through `cards` (northgate-cards), for someone proved at L2; 3 cards may be tried
      + charges the first part of `parts` through `cards` (northgate-cards), for someone proved at L2; 3 cards may be tried
    step `parts`
      + offers to pay `account.balance` (PHI) in 3 parts, one a month, and waits 15m for the answer
      + no answer within 15m → the run ends (failed)
      + the customer says no → the run ends (declined)
    template `code`
      - {{ sender.name }}: {{ challenge.code }} is your code. It works for 10 minutes. We never ask you to forward it.
      + {{ sender.name }}: {{ challenge.code }} is your code. It works for 10 minutes. Keep it to yourself.
    not proved any more: `owed` shows `account.balance`, `account.month` only to someone proved at L2
    not proved any more: `plan` tells `account.balance` only to someone proved at L2
    not proved any more: `owed` says nothing but `account.balance`, `account.month` over a call
    not proved any more: `plan` says nothing but `account.balance` over a call
    the customer, on the call does not learn {"account.month"}
    stuck at plan: there is no such place any more
    "#);
}

#[test]
fn no_unsafe_mutant_is_published_and_each_rule_has_some() {
    assert!(judged(&files(), NAME, &connectors()).unwrap().is_empty(), "the shipped workflow is safe");
    let spoilt = spoil(&files(), NAME, &connectors()).unwrap();
    assert!(spoilt.published_unsafe.is_empty(), "{:#?}", spoilt.published_unsafe);
    // What the law wants said is about debts, see `disclosures.rs`.
    for rule in RULES.into_iter().filter(|rule| !rule.starts_with("disclosure")) {
        assert!(spoilt.unsafe_by_rule[rule] > 0, "no mutant breaks `{rule}`: {spoilt:#?}");
    }
    assert!(spoilt.mutants > 300 && spoilt.unsafe_mutants > 150, "{spoilt:#?}");
}

/// A pair that is gone from this table is a kind of mistake that is not made any more, or that the other judge does not see.
#[test]
fn each_kind_of_mistake_breaks_the_rules_that_it_can_break() {
    let spoilt = spoil(&files(), NAME, &connectors()).unwrap();
    for kind in ["drop a step", "swap two steps", "widen the fields", "weaken a level", "lengthen a time"] {
        assert!(spoilt.unsafe_by_change[kind] > 0, "{kind}: {spoilt:#?}");
    }
    // What the law wants said is about debts, see `disclosures.rs`.
    let rules = spoilt.kinds_by_rule.iter().filter(|(rule, _)| !rule.starts_with("disclosure"));
    let table = rules.map(|(rule, kinds)| {
        let rule = rule.split(':').next().unwrap();
        format!("{rule}: {}", kinds.iter().copied().collect::<Vec<_>>().join(", "))
    });
    insta::assert_snapshot!(table.collect::<Vec<_>>().join("\n"), @r"
    address: name another field
    branches: name another field, widen a template, widen the fields
    budget: lengthen a time, raise a number
    card data: name another field, widen a grant, widen a template, widen the fields
    class: name another field, shorten a template, widen a grant, widen a template, widen the fields
    contact: change a purpose
    conversation: change the conversation, swap two steps
    effect: hide an effect, reroute
    grant: change a purpose, name another field, narrow a grant, reroute
    identity: drop a key, drop a step, name another template, swap two steps, weaken a level, weaken the method
    order: drop a key, drop a step, name another field, name another step, name another template, swap two steps, widen a template, widen the fields
    ");
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
