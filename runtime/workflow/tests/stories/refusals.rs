//! What the checker refuses, in the words that people read.

use std::collections::BTreeMap;

use crate::house::{NAME, WORKFLOW, check, connectors, files, files_with, step, template_with, told, workflow_with};
use selvedge_workflow::{ConnectorFacts, compile};

// ---- who is it? ----

#[test]
fn without_the_verification_every_path_is_named() {
    let without = workflow_with(&step("identity"), "");
    insta::assert_snapshot!(without.unwrap_err(), @r"
        W130 workflows/healthcare-balance/workflow.yaml:17:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it passes no verification
          path: start → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `owed`
        W130 workflows/healthcare-balance/workflow.yaml:22:11: `plan` tells `account.balance`, which needs L2, and a path to it passes no verification
          path: start → owed → plan
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `plan`
        W111 workflows/healthcare-balance/workflow.yaml:41:16: there is no step `identity` to step up with
          help: add a `verify` step with this id
        ");
}

#[test]
fn showing_before_verifying_is_refused() {
    let (identity, owed) = (step("identity"), step("owed"));
    let swapped = workflow_with(&format!("{identity}{owed}"), &format!("{owed}{identity}"));
    insta::assert_snapshot!(swapped.unwrap_err(), @r"
        W130 workflows/healthcare-balance/workflow.yaml:17:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it passes no verification
          path: start → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `owed`
        ");
}

#[test]
fn an_assertion_that_may_expire_in_a_wait_is_refused() {
    // The patient may take 15 minutes to answer the offer; the assertion holds 10.
    let (owed, plan) = (step("owed"), step("plan"));
    let mut files = files_with(WORKFLOW, &format!("{owed}{plan}"), &format!("{plan}{owed}"));
    assert!(check(&files).is_ok(), "30 minutes are enough");
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replace("valid: 30m", "valid: 10m");
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
        W131 workflows/healthcare-balance/workflow.yaml:36:11: `owed` shows `account.balance`, `account.month`, which needs L2; the assertion of `identity` holds 10m and 15m may pass before
          path: start → identity → plan → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `owed`, raise `valid:`, or shorten the waits between
        ");
    // At the very end of the wait it has expired: the edge is refused too.
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replace("valid: 10m", "valid: 15m");
    assert!(check(&files).is_err());
}

#[test]
fn a_message_may_be_held_over_night_and_nobody_is_verified_then() {
    let (owed, invitation) = (step("owed"), step("invitation"));
    let mut files = files_with(WORKFLOW, &owed, "");
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replace(&invitation, &format!("{invitation}{owed}"));
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
        W131 workflows/healthcare-balance/workflow.yaml:43:11: `owed` shows `account.balance`, `account.month`, which needs L2; the assertion of `identity` holds 30m and 24h 15m may pass before
          path: start → identity → plan → invitation → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `owed`, raise `valid:`, or shorten the waits between
        ");
}

#[test]
fn nobody_is_on_the_call_when_the_link_was_opened() {
    let (owed, payment) = (step("owed"), step("first-payment"));
    let mut files = files_with(WORKFLOW, &owed, "");
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replace(&payment, &format!("{payment}{owed}"));
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
        W131 workflows/healthcare-balance/workflow.yaml:54:11: `owed` shows `account.balance`, `account.month`, which needs L2; `first-payment` asked for a fresh assertion then, and more time may have passed since
          path: start → identity → plan → invitation → first-payment → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `owed`, raise `valid:`, or shorten the waits between
        W137 workflows/healthcare-balance/workflow.yaml:54:11: `owed` speaks on the call, which is over when a path gets to it
          path: start → identity → plan → invitation → first-payment → owed
          help: move `owed` before the step that waits
        ");
    insta::assert_snapshot!(workflow_with("over: call", "over: page").unwrap_err(), @r"
        W137 workflows/healthcare-balance/workflow.yaml:29:11: `owed` shows on a page, and a path to it opened none
          path: start → identity → owed
          help: move it after the step that a link opens, or show on the call
        ");
}

#[test]
fn a_code_to_an_unchecked_number_proves_less() {
    insta::assert_snapshot!(workflow_with("      check: sim                # no code goes to a number whose SIM changed lately\n", "").unwrap_err(), @r"
        W135 workflows/healthcare-balance/workflow.yaml:19:11: a code to a channel that nobody checked proves L1, not L2
          rule: assurance.methods.code (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: add `check:` with a verifier that is asked whether the SIM changed lately
        W130 workflows/healthcare-balance/workflow.yaml:28:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `owed`
        W130 workflows/healthcare-balance/workflow.yaml:33:11: `plan` tells `account.balance`, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed → plan
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `plan`
        W130 workflows/healthcare-balance/workflow.yaml:47:11: `first-payment` opens the page `authorization`, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed → plan → invitation → first-payment
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W130 workflows/healthcare-balance/workflow.yaml:47:11: `first-payment` charges a card, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed → plan → invitation → first-payment
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W135 workflows/healthcare-balance/workflow.yaml:52:16: `first-payment` needs L2; stepping up with `identity` proves L1
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: step up with a step that proves L2
        ");
}

#[test]
fn what_the_customer_knows_proves_nothing() {
    insta::assert_snapshot!(workflow_with("by: code ", "by: question ").unwrap_err(), @r"
        W135 workflows/healthcare-balance/workflow.yaml:19:11: `question` proves nothing
          rule: assurance.methods.question (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: write `by: code`: a one-time code
        W130 workflows/healthcare-balance/workflow.yaml:29:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it passes no verification
          path: start → identity → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `owed`
        W130 workflows/healthcare-balance/workflow.yaml:34:11: `plan` tells `account.balance`, which needs L2, and a path to it passes no verification
          path: start → identity → owed → plan
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `plan`
        W130 workflows/healthcare-balance/workflow.yaml:48:11: `first-payment` opens the page `authorization`, which needs L2, and a path to it passes no verification
          path: start → identity → owed → plan → invitation → first-payment
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W130 workflows/healthcare-balance/workflow.yaml:48:11: `first-payment` charges a card, which needs L2, and a path to it passes no verification
          path: start → identity → owed → plan → invitation → first-payment
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W135 workflows/healthcare-balance/workflow.yaml:53:16: `first-payment` needs L2; stepping up with `identity` proves L0
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: step up with a step that proves L2
        ");
}

#[test]
fn a_weaker_level_is_refused_wherever_it_is_written() {
    insta::assert_snapshot!(workflow_with("level: L2\n      by: code", "level: L1\n      by: code").unwrap_err(), @r"
        W130 workflows/healthcare-balance/workflow.yaml:29:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `owed`
        W130 workflows/healthcare-balance/workflow.yaml:34:11: `plan` tells `account.balance`, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed → plan
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `plan`
        W130 workflows/healthcare-balance/workflow.yaml:48:11: `first-payment` opens the page `authorization`, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed → plan → invitation → first-payment
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W130 workflows/healthcare-balance/workflow.yaml:48:11: `first-payment` charges a card, which needs L2, and a path to it proves no more than L1
          path: start → identity → owed → plan → invitation → first-payment
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W135 workflows/healthcare-balance/workflow.yaml:53:16: `first-payment` needs L2; stepping up with `identity` proves L1
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: step up with a step that proves L2
        ");
    insta::assert_snapshot!(workflow_with("level: L2\n      step-up", "level: L1\n      step-up").unwrap_err(), @r"
        W135 workflows/healthcare-balance/workflow.yaml:52:14: a payment needs L2; `first-payment` asks for L1
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: write `level: L2`
        ");
}

#[test]
fn a_method_that_the_policy_does_not_know_proves_nothing() {
    let files = files_with("policies/assurance.yaml", "  code: L2", "  badge: L2");
    assert!(check(&files).unwrap_err().contains("`code` proves nothing"));
}

// ---- what may travel where? ----

#[test]
fn health_data_in_a_text_message_is_refused() {
    insta::assert_snapshot!(template_with("receipt.sms", "payment {{ payment.number }}", "{{ payment.amount }} for {{ visit.diagnosis }}").unwrap_err(), @r"
        W132 workflows/healthcare-balance/templates/receipt.sms.txt:1:43: `payment.amount` is PHI, which an SMS may not carry
          path: start → identity → owed → plan → invitation → first-payment → receipt
          rule: assurance.carry.sms (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          help: take it out; show it on the call or on a page, after a verification
        W132 workflows/healthcare-balance/templates/receipt.sms.txt:1:68: `visit.diagnosis` is PHI, which an SMS may not carry
          path: start → identity → owed → plan → invitation → first-payment → receipt
          rule: assurance.carry.sms (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          help: take it out; show it on the call or on a page, after a verification
        ");
}

#[test]
fn a_card_number_in_a_template_is_refused() {
    insta::assert_snapshot!(template_with("receipt.sms", "card.last4", "card.number").unwrap_err(), @r"
        W133 workflows/healthcare-balance/templates/receipt.sms.txt:1:91: `card.number` is card data (PAN) and goes only from the payment page to a gateway
          path: start → identity → owed → plan → invitation → first-payment → receipt
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: name `card.last4`, the digits that may be shown
        ");
    insta::assert_snapshot!(template_with("receipt.sms", "Reference", "4242 4242 4242 4242").unwrap_err(), @r"
        W133 workflows/healthcare-balance/templates/receipt.sms.txt:1:1: the template `receipt` has a card number in its text
          path: start → identity → owed → plan → invitation → first-payment → receipt
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: take the number out
        ");
}

#[test]
fn a_card_number_is_shown_to_nobody() {
    insta::assert_snapshot!(workflow_with("[account.balance, account.month]", "[account.balance, card.number]").unwrap_err(), @r"
        W133 workflows/healthcare-balance/workflow.yaml:30:33: `card.number` is card data (PAN) and goes only from the payment page to a gateway
          path: start → identity → owed
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: name `card.last4`, the digits that may be shown
        ");
}

#[test]
fn what_no_level_is_given_for_is_never_shown() {
    let files = files_with("policies/assurance.yaml", "    PHI: L2\n", "");
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
        W132 workflows/healthcare-balance/workflow.yaml:30:16: `account.balance` is PHI, which is never shown
          path: start → identity → owed
          rule: assurance.levels.disclose (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: take it out
        W132 workflows/healthcare-balance/workflow.yaml:30:33: `account.month` is PHI, which is never shown
          path: start → identity → owed
          rule: assurance.levels.disclose (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: take it out
        W132 workflows/healthcare-balance/workflow.yaml:35:14: `account.balance` is PHI, which is never shown
          path: start → identity → owed → plan
          rule: assurance.levels.disclose (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: take it out
        ");
}

#[test]
fn codes_links_and_receipts_stay_in_their_places() {
    let code = template_with("payment-link.sms", "{{ sender.phone }}", "{{ challenge.code }}");
    insta::assert_snapshot!(code.unwrap_err(), @r"
        W121 workflows/healthcare-balance/templates/payment-link.sms.txt:1:119: there is no `challenge.code` in the template `payment-link` of the step `invitation`
          help: it exists only in the message of a `verify` step
        ");
    let link = template_with("receipt.sms", "{{ payment.reference }}", "{{ payment.link }}");
    insta::assert_snapshot!(link.unwrap_err(), @r"
        W121 workflows/healthcare-balance/templates/receipt.sms.txt:1:160: there is no `payment.link` in the template `receipt` of the step `receipt`
          help: it exists only in a `communicate` step with `link:`
        ");
    let too_early = template_with("payment-link.sms", "{{ sender.phone }}", "{{ card.last4 }}");
    insta::assert_snapshot!(too_early.unwrap_err(), @r"
        W121 workflows/healthcare-balance/templates/payment-link.sms.txt:1:119: there is no `card.last4` in the template `payment-link` of the step `invitation`
          path: start → identity → owed → plan → invitation
          help: it exists only after a `pay` or `capture` step
        ");
}

fn with_grant(name: &str, change: impl FnOnce(&mut ConnectorFacts)) -> String {
    let mut connectors: BTreeMap<String, ConnectorFacts> = connectors();
    change(connectors.get_mut(name).unwrap());
    told(&compile(&files(), NAME, &connectors).unwrap_err())
}

#[test]
fn a_missing_grant_names_the_line_that_gives_it() {
    insta::assert_snapshot!(with_grant("brightline-sms", |facts| { facts.fields.remove("message.text"); }), @r"
        W134 workflows/healthcare-balance/workflow.yaml:20:13: `brightline-sms` is not granted the field `message.text`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/brightline-sms.yaml`: `fields: [message.text, patient.mobile]`
        ");
    insta::assert_snapshot!(with_grant("brightline-sms", |facts| { facts.purposes.remove("identity"); }), @r"
        W134 workflows/healthcare-balance/workflow.yaml:20:13: `brightline-sms` is not granted the purpose `identity`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/brightline-sms.yaml`: `purposes: [billing, identity]`
        ");
    insta::assert_snapshot!(with_grant("brightline-sim", |facts| facts.fields.clear()), @r"
        W134 workflows/healthcare-balance/workflow.yaml:23:14: `brightline-sim` is not granted the field `patient.mobile`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/brightline-sim.yaml`: `fields: [patient.mobile]`
        ");
    insta::assert_snapshot!(with_grant("northgate-cards", |facts| facts.fields.retain(|field| field == "card.number")), @r"
        W134 workflows/healthcare-balance/workflow.yaml:51:16: `northgate-cards` is not granted the fields `card.code`, `card.expiry-month`, `card.expiry-year`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/northgate-cards.yaml`: `fields: [card.code, card.expiry-month, card.expiry-year, card.number]`
        ");
}

#[test]
fn a_grant_that_lets_data_out_by_the_wrong_door_is_refused() {
    insta::assert_snapshot!(with_grant("brightline-sms", |facts| { facts.fields.insert("card.number".into()); }), @r"
        W133 workflows/grants/brightline-sms.yaml:1:1: `brightline-sms` is a channel and is granted `card.number`, card data (PAN)
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: take `card.number` out of `fields:`
        ");
    insta::assert_snapshot!(with_grant("northgate-cards", |facts| { facts.fields.insert("visit.diagnosis".into()); }), @r"
        W132 workflows/grants/northgate-cards.yaml:1:1: `northgate-cards` moves money and is granted `visit.diagnosis`, which is PHI
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: take `visit.diagnosis` out of `fields:`
        ");
    insta::assert_snapshot!(with_grant("brightline-sim", |facts| { facts.fields.insert("patient.mobil".into()); }), @r"
        W112 workflows/grants/brightline-sim.yaml:1:1: `patient.mobil` is no field of the data dictionary
          help: did you mean `patient.mobile`?
        ");
}

// ---- did it happen? ----

#[test]
fn an_effect_without_an_answer_is_refused() {
    insta::assert_snapshot!(with_grant("northgate-cards", |facts| facts.effects.clear()), @r#"
        W136 workflows/healthcare-balance/workflow.yaml:48:11: `northgate-cards` does not say how "did it happen?" is answered for `charge`
          path: start → identity → owed → plan → invitation → first-payment
          help: in the manifest of `northgate-cards` give `charge` one of `idempotent`, `reconcile`, `never-retry`
        "#);
    insta::assert_snapshot!(with_grant("brightline-sms", |facts| { facts.effects.insert("send".into(), "pure".into()); }), @r"
        W136 workflows/healthcare-balance/workflow.yaml:17:11: `brightline-sms` calls `send` pure, and it changes the world
          path: start → identity
          help: in the manifest of `brightline-sms` give `send` one of `idempotent`, `reconcile`, `never-retry`
        ");
    insta::assert_snapshot!(with_grant("brightline-sim", |facts| { facts.effects.insert("check".into(), "perhaps".into()); }), @r"
        W136 workflows/healthcare-balance/workflow.yaml:17:11: `brightline-sim` says `perhaps` of `check`, which is no effect class
          path: start → identity
          help: in the manifest of `brightline-sim` give `check` one of `pure`, `idempotent`, `reconcile`, `never-retry`
        ");
}

#[test]
fn a_payment_says_how_it_is_undone() {
    let undo = "      undo: { none: \"a refund is decided by a person, never by a workflow\" }\n";
    insta::assert_snapshot!(workflow_with(undo, "").unwrap_err(), @r#"
        W103 workflows/healthcare-balance/workflow.yaml:48:7: a `pay` step says how the money is given back, or why never
          help: add `undo: { none: "who decides, and why no workflow does" }`
        "#);
}

// ---- names ----

#[test]
fn a_link_opens_a_later_payment_and_every_payment_is_opened() {
    insta::assert_snapshot!(workflow_with("opens: first-payment", "opens: first-paymnt").unwrap_err(), @r"
        W111 workflows/healthcare-balance/workflow.yaml:45:22: there is no step `first-paymnt` for the link to open
          help: did you mean `first-payment`?
        W111 workflows/healthcare-balance/workflow.yaml:48:11: nothing opens `first-payment`
          help: add a `communicate` step before it with `link: { opens: first-payment, lasts: 72h }`
        ");
    insta::assert_snapshot!(workflow_with("opens: first-payment", "opens: owed").unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:45:22: `owed` is a `disclose` step; a link opens a `pay` or `capture` step
          help: name a `pay` or `capture` step
        W111 workflows/healthcare-balance/workflow.yaml:48:11: nothing opens `first-payment`
          help: add a `communicate` step before it with `link: { opens: first-payment, lasts: 72h }`
        ");
    let (invitation, payment) = (step("invitation"), step("first-payment"));
    let swapped = workflow_with(&format!("{invitation}{payment}"), &format!("{payment}{invitation}"));
    insta::assert_snapshot!(swapped.unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:56:22: a path to `first-payment` passes no message with its link
          path: start → identity → owed → plan → first-payment
          help: move `invitation` to where every path to `first-payment` passes it
        ");
}

#[test]
fn connectors_are_installed_and_of_the_right_kind() {
    insta::assert_snapshot!(workflow_with("texts: brightline-sms", "texts: brightlin-sms").unwrap_err(), @r"
        W111 workflows/healthcare-balance/workflow.yaml:11:10: no connector `brightlin-sms` is installed
          help: did you mean `brightline-sms`?
        ");
    insta::assert_snapshot!(workflow_with("through: cards", "through: texts").unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:51:16: `texts` (`brightline-sms`) is a channel; a gateway is needed here
          help: from `uses:` these fit: `cards`
        ");
    insta::assert_snapshot!(workflow_with("through: cards", "through: card").unwrap_err(), @r"
        W111 workflows/healthcare-balance/workflow.yaml:51:16: `card` is no name from `uses:`
          help: did you mean `cards`?
        ");
}

#[test]
fn fields_amounts_and_templates_exist() {
    insta::assert_snapshot!(workflow_with("[account.balance, account.month]", "[account.balanse]").unwrap_err(), @r"
        W112 workflows/healthcare-balance/workflow.yaml:30:16: `account.balanse` is no field of the data dictionary
          help: did you mean `account.balance`?
        ");
    insta::assert_snapshot!(workflow_with("to: patient.mobile", "to: patient.name").unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:21:11: `patient.name` is not a phone number of the customer
          help: name a field with `type: phone` and `source: customer`
        ");
    insta::assert_snapshot!(workflow_with("amount: plan.first", "amount: plans.first").unwrap_err(), @r"
        W111 workflows/healthcare-balance/workflow.yaml:49:15: there is no offer for `plans.first`
          help: did you mean `plan.first`?
        ");
    insta::assert_snapshot!(workflow_with("amount: plan.first", "amount: account.month").unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:49:15: `account.month` is not an amount of the customer
          help: name a field with `type: money` and `source: customer`
        ");
    insta::assert_snapshot!(workflow_with("template: receipt", "template: reciept").unwrap_err(), @r"
        W107 workflows/healthcare-balance/workflow.yaml:62:17: there is no template `reciept` for an SMS
          help: did you mean `receipt`?
        ");
}

#[test]
fn a_bill_does_not_pass_as_a_code() {
    insta::assert_snapshot!(workflow_with("template: receipt", "template: receipt\n      purpose: identity").unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:63:16: `identity` is the purpose of one-time codes and of nothing else
          rule: 47 CFR 64.1200(a)
          help: say what the message is for: `billing`
        ");
    assert!(workflow_with("purpose: billing", "purpose: identity").is_err());
}

// ---- form ----

#[test]
fn slips_in_the_form_are_told_together_with_their_places() {
    let mut files = files_with(WORKFLOW, "answer-within: 10m", "answer-within: 10 minutes");
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text
        .replace("  - offer:", "  - ofer:")
        .replace("tries: 3\n      valid", "trys: 3\n      valid")
        .replace("id: receipt", "id: owed");
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
        W103 workflows/healthcare-balance/workflow.yaml:17:7: a `verify` step needs the key `tries`
          help: add `tries: …`
        W104 workflows/healthcare-balance/workflow.yaml:24:22: `answer-within` should be a duration such as `10s`, `30m`, `72h` or `2d` (at most ten years); found the text `10 minutes`
        W102 workflows/healthcare-balance/workflow.yaml:25:7: `trys` is no key of a `verify` step
          help: known here: `id`, `level`, `by`, `over`, `to`, `template`, `check`, `answer-within`, `tries`, `valid`
        W110 workflows/healthcare-balance/workflow.yaml:33:5: there is no step of the kind `ofer`
          help: did you mean `offer`?
        W106 workflows/healthcare-balance/workflow.yaml:59:11: two steps have the id `owed`
          help: the first one is on line 29; give this one another id
        ");
}

#[test]
fn broken_yaml_names_line_and_column() {
    insta::assert_snapshot!(workflow_with("fields: [account.balance, account.month]", "fields: [account.balance, account.month").unwrap_err(), @r"
        W101 workflows/healthcare-balance/workflow.yaml:31:11: this is not YAML: illegal placement of ':' indicator
          help: look at the indentation and the colons of this line and the one before; put texts with `: ` or `#` in quotes
        ");
}

#[test]
fn a_missing_file_is_named() {
    let mut files = files();
    files.remove("fields.yaml");
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
        W107: there is no file `workflows/fields.yaml`
          help: look for a slip in the name, or write the file
        ");
    insta::assert_snapshot!(told(&compile(&crate::house::files(), "healthcare-balanse", &connectors()).unwrap_err()), @r"
        W107: there is no file `workflows/healthcare-balanse/workflow.yaml`
          help: look for a slip in the name, or write the file
        ");
}

#[test]
fn a_workflow_is_called_as_its_folder() {
    insta::assert_snapshot!(workflow_with("workflow: healthcare-balance", "workflow: balance").unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:5:11: the workflow is called `balance` and its folder `healthcare-balance`
          help: give both the same name
        ");
}

#[test]
fn only_an_answer_goes_to_where_a_text_came_from() {
    let refused = workflow_with(
        "id: invitation\n      over: texts\n      to: patient.mobile",
        "id: invitation\n      over: texts\n      to: text.from",
    );
    assert!(refused.unwrap_err().contains("`text.from` is not a phone number of the customer"));
}
