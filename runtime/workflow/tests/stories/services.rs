//! Calls of a service: what the checker proves of them, and what it refuses.

use std::collections::BTreeMap;

use crate::house::{NAME, WORKFLOW, connectors, files_with, step, told};
use crate::ways::choose;
use selvedge_workflow::mutants::spoil;
use selvedge_workflow::plan::{Node, Op, Target};
use selvedge_workflow::{Checked, ConnectorFacts, ConnectorKind, Files, compile};

const QUOTE: &str = "  - call:
      id: quote
      through: desk
      function: quote
      with: { phone: patient.mobile, owed: account.balance }
      class: never-retry
";

/// The clinic's connectors and a service that quotes, declared as idempotent.
fn with_a_desk() -> BTreeMap<String, ConnectorFacts> {
    let mut all = connectors();
    let desk = ConnectorFacts {
        kind: ConnectorKind::Service,
        vendor: String::new(),
        signal: String::new(),
        fields: ["patient.mobile", "account.balance"].map(str::to_owned).into(),
        purposes: ["billing".to_owned()].into(),
        effects: [
            ("quote".to_owned(), "idempotent".to_owned()),
            ("look".to_owned(), "pure".to_owned()),
            ("withdraw".to_owned(), "idempotent".to_owned()),
        ]
        .into(),
        grant_file: "workflows/grants/desk.yaml".into(),
    };
    all.insert("desk".into(), desk);
    all
}

/// The shipped workflow with this step in front of its disclosure.
fn check(call: &str) -> Result<Checked, String> {
    let owed = step("owed");
    let mut files = files_with(WORKFLOW, &owed, &format!("{call}\n{owed}"));
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replacen("uses:\n", "uses:\n  desk: desk\n", 1);
    compile(&files, NAME, &with_a_desk()).map_err(|found| told(&found))
}

fn changed(old: &str, new: &str) -> String {
    assert!(QUOTE.contains(old), "{old}");
    check(&QUOTE.replacen(old, new, 1)).map(|_| ()).unwrap_err()
}

#[test]
fn a_call_becomes_one_node_that_knows_what_it_hands_over_and_how_it_is_repeated() {
    let checked = check(QUOTE).unwrap();
    let node = checked.plan.nodes.iter().find(|node| node.step == "quote").unwrap();
    assert_eq!(node.name, "quote.call");
    let with = vec![("phone".into(), "patient.mobile".into()), ("owed".into(), "account.balance".into())];
    let op = Op::Call {
        connector: "desk".into(),
        function: "quote".into(),
        with,
        purpose: "billing".into(),
        class: Some("never-retry".into()),
    };
    assert_eq!(node.op, op);
    let proofs: Vec<String> = checked
        .proofs
        .iter()
        .filter(|p| p.because.contains("desk") || p.claim.contains("desk"))
        .map(|p| format!("{}: {}", p.claim, p.because))
        .collect();
    insta::assert_snapshot!(proofs.join("\n"), @r#"
        `desk` is given `account.balance`, `patient.mobile` and nothing else: `workflows/grants/desk.yaml` grants these for `billing`
        every effect says how "did it happen?" is answered: `check` of `brightline-sim` is pure; `send` of `brightline-sms` is reconcile; `quote` of `desk` is idempotent; `charge` of `northgate-cards` is reconcile
        `quote` takes `quote` for never-retry: `desk` declares idempotent, which is no narrower
        "#);
}

#[test]
fn a_service_must_have_the_function() {
    insta::assert_snapshot!(changed("function: quote", "function: quot"), @r"
        W111 workflows/healthcare-balance/workflow.yaml:32:17: `desk` has no function `quot`
          help: did you mean `quote`?
        ");
    insta::assert_snapshot!(changed("through: desk", "through: texts"), @r"
        W113 workflows/healthcare-balance/workflow.yaml:31:16: `texts` (`brightline-sms`) is a channel; a service is needed here
          help: from `uses:` these fit: `desk`
        ");
}

#[test]
fn a_workflow_narrows_an_effect_class_and_never_widens_it() {
    for narrower in ["idempotent", "never-retry"] {
        assert!(check(&QUOTE.replace("class: never-retry", &format!("class: {narrower}"))).is_ok(), "{narrower}");
    }
    insta::assert_snapshot!(changed("class: never-retry", "class: pure"), @r"
        W136 workflows/healthcare-balance/workflow.yaml:34:14: `desk` says that `quote` is idempotent, which `pure` widens
          help: remove the line, or write one of `idempotent`, `never-retry`
        ");
    // Wherever the step stands.
    let hidden = choose("account.balance > '50.00 USD'", &QUOTE.replace("class: never-retry", "class: pure"), "");
    let refused = check(&hidden).map(|_| ()).unwrap_err();
    assert!(refused.contains("W136") && refused.contains("which `pure` widens"), "{refused}");
    // A service has nobody to ask what became of a key.
    insta::assert_snapshot!(changed("class: never-retry", "class: reconcile"), @r"
        W104 workflows/healthcare-balance/workflow.yaml:34:14: `class` should be one of `pure`, `idempotent`, `never-retry`; found the text `reconcile`
        ");
    insta::assert_snapshot!(changed("class: never-retry", "class: sometimes"), @r"
        W104 workflows/healthcare-balance/workflow.yaml:34:14: `class` should be one of `pure`, `idempotent`, `never-retry`; found the text `sometimes`
        ");
}

#[test]
fn a_service_is_handed_granted_fields_of_the_customer_and_never_a_card() {
    insta::assert_snapshot!(changed("patient.mobile", "patient.name"), @r"
        W134 workflows/healthcare-balance/workflow.yaml:31:16: `desk` is not granted the field `patient.name`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/desk.yaml`: `fields: [account.balance, patient.mobile, patient.name]`
        ");
    insta::assert_snapshot!(changed("patient.mobile", "card.number"), @r"
        W133 workflows/healthcare-balance/workflow.yaml:33:22: `card.number` is card data (PAN) and goes to gateways alone
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: take the line out; a `pay` step charges a card
        ");
    insta::assert_snapshot!(changed("patient.mobile", "challenge.code"), @r"
        W113 workflows/healthcare-balance/workflow.yaml:33:22: `challenge.code` is not a field of the customer
          help: name a field with `source: customer`
        ");
    insta::assert_snapshot!(changed("patient.mobile", "patient.moblie"), @r"
        W112 workflows/healthcare-balance/workflow.yaml:33:22: `patient.moblie` is no field of the data dictionary
          help: did you mean `patient.mobile`?
        ");
}

#[test]
fn a_call_is_made_for_a_granted_purpose() {
    insta::assert_snapshot!(changed("class: never-retry", "purpose: marketing"), @r"
        W134 workflows/healthcare-balance/workflow.yaml:31:16: `desk` is not granted the purpose `marketing`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/desk.yaml`: `purposes: [billing, marketing]`
        ");
    insta::assert_snapshot!(changed("class: never-retry", "purpose: identity"), @r"
        W134 workflows/healthcare-balance/workflow.yaml:31:16: `desk` is not granted the purpose `identity`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/desk.yaml`: `purposes: [billing, identity]`
        W113 workflows/healthcare-balance/workflow.yaml:34:16: `identity` is the purpose of one-time codes and of nothing else
          rule: 47 CFR 64.1200(a)
          help: say what the message is for: `billing`
        ");
}

#[test]
fn a_call_hands_over_no_more_fields_than_its_limit() {
    let many: Vec<String> =
        (0..=selvedge_workflow::syntax::MAX_WITH).map(|n| format!("a{n}: patient.mobile")).collect();
    let refused = changed("{ phone: patient.mobile, owed: account.balance }", &format!("{{ {} }}", many.join(", ")));
    assert!(refused.contains("W105") && refused.contains("17 fields; at most 16"), "{refused}");
    let refused = changed("phone:", "Phone:");
    assert!(refused.contains("W104") && refused.contains("`Phone`"), "{refused}");
}

const UNDO: &str = "      undo: { call: { through: desk, function: withdraw, with: { phone: patient.mobile } } }\n";

#[test]
fn what_undoes_a_step_stands_beside_it_and_no_way_leads_there() {
    let checked = check(&format!("{QUOTE}{UNDO}")).unwrap();
    let nodes = &checked.plan.nodes;
    let at = nodes.iter().position(|node| node.name == "quote.undo").unwrap();
    assert!(nodes[at].undoes() && nodes[at].step == "quote");
    let leads = |node: &Node| node.exits.iter().any(|(_, to)| *to == Target::Node(at));
    assert!(!nodes.iter().any(leads));
    let proof = checked.proofs.iter().find(|proof| proof.claim.contains("it is undone")).unwrap();
    assert_eq!(proof.claim, "`quote` says how it is undone");
    assert_eq!(proof.because, "by `withdraw` of `desk`, when the run fails or is cancelled later");
}

#[test]
fn what_undoes_a_step_is_held_to_all_that_a_call_is() {
    let undo = |old: &str, new: &str| {
        assert!(UNDO.contains(old), "{old}");
        check(&format!("{QUOTE}{}", UNDO.replacen(old, new, 1))).map(|_| ()).unwrap_err()
    };
    insta::assert_snapshot!(undo("function: withdraw", "function: look"), @r#"
        W136 workflows/healthcare-balance/workflow.yaml:35:48: `look` is pure: it changes nothing, and so cannot undo `quote`
          help: name the function that takes it back, or write `undo: { none: "why" }`
        "#);
    insta::assert_snapshot!(undo("function: withdraw", "function: witdraw"), @r"
        W111 workflows/healthcare-balance/workflow.yaml:35:48: `desk` has no function `witdraw`
          help: did you mean `withdraw`?
        ");
    insta::assert_snapshot!(undo("phone: patient.mobile", "phone: patient.name"), @r"
        W134 workflows/healthcare-balance/workflow.yaml:35:32: `desk` is not granted the field `patient.name`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/desk.yaml`: `fields: [account.balance, patient.mobile, patient.name]`
        ");
    insta::assert_snapshot!(undo("phone: patient.mobile", "paid: payment.reference"), @r"
        W113 workflows/healthcare-balance/workflow.yaml:35:72: `payment.reference` is not a field of the customer
          help: name a field with `source: customer`
        ");
    insta::assert_snapshot!(undo("function: withdraw,", "function: withdraw, class: pure,"), @r"
        W136 workflows/healthcare-balance/workflow.yaml:35:65: `desk` says that `withdraw` is idempotent, which `pure` widens
          help: remove the line, or write one of `idempotent`, `never-retry`
        ");
    insta::assert_snapshot!(undo("call: { through: desk, function: withdraw, with: { phone: patient.mobile } }", ""), @r#"
        W104 workflows/healthcare-balance/workflow.yaml:35:13: `undo` should be one of `none: "why not"` and `call: { … }`; found keys and values
        "#);
}

/// The shipped workflow whose payment is given back by the desk, which is granted these fields too.
fn refunded(with: &str, granted: &[&str]) -> Result<Checked, String> {
    let (files, all) = refunding(with, granted);
    compile(&files, NAME, &all).map_err(|found| told(&found))
}

fn refunding(with: &str, granted: &[&str]) -> (Files, BTreeMap<String, ConnectorFacts>) {
    let none = "      undo: { none: \"a refund is decided by a person, never by a workflow\" }";
    let call = format!("      undo: {{ call: {{ through: desk, function: withdraw, with: {with} }} }}");
    let mut files = files_with(WORKFLOW, none, &call);
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replacen("uses:\n", "uses:\n  desk: desk\n", 1);
    let mut all = with_a_desk();
    all.get_mut("desk").unwrap().fields.extend(granted.iter().map(|field| (*field).to_owned()));
    (files, all)
}

#[test]
fn what_gives_a_payment_back_is_told_its_reference_and_amount_and_never_the_card() {
    let payment = "{ payment: payment.reference, amount: payment.amount }";
    let checked = refunded(payment, &["payment.reference", "payment.amount"]).unwrap();
    let proof = checked.proofs.iter().find(|proof| proof.rule == "plan.undo").unwrap();
    assert_eq!(proof.because, "by `withdraw` of `desk`, when the run fails or is cancelled later");
    insta::assert_snapshot!(refunded(payment, &[]).unwrap_err(), @r"
        W134 workflows/healthcare-balance/workflow.yaml:57:32: `desk` is not granted the fields `payment.amount`, `payment.reference`
          rule: grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          help: an admin writes in `workflows/grants/desk.yaml`: `fields: [account.balance, patient.mobile, payment.amount, payment.reference]`
        ");
    insta::assert_snapshot!(refunded("{ card: card.number }", &[]).unwrap_err(), @r"
        W133 workflows/healthcare-balance/workflow.yaml:57:72: `card.number` is card data (PAN) and goes to gateways alone
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: take the line out; a `pay` step charges a card
        ");
    insta::assert_snapshot!(refunded("{ date: payment.date }", &[]).unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:57:72: `payment.date` is not a field of the customer
          help: name a field with `source: customer`, or one of `payment.reference`, `payment.amount`
        ");
}

#[test]
fn no_unsafe_mutant_of_what_undoes_is_published() {
    let payment = "{ payment: payment.reference, amount: payment.amount }";
    let (files, all) = refunding(payment, &["payment.reference", "payment.amount"]);
    let spoilt = spoil(&files, NAME, &all).unwrap();
    assert!(spoilt.published_unsafe.is_empty(), "{:#?}", spoilt.published_unsafe);
}
