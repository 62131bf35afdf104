//! The plans that the laws are held over: the shipped one, and the same with more in it.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_workflow::{ConnectorFacts, ConnectorKind, Files};

use crate::definition::{Definition, Packs};

/// The shipped workflow.
pub fn definition() -> Definition {
    with_steps("")
}

/// The shipped workflow with every other kind of step in it, before its receipt.
pub fn every_kind() -> Definition {
    with_steps(
        r#"
  - wait: { id: grace, for: 2d }
  - choose:
      id: route
      when:
        - if: "account.balance > '50.00 USD'"
          steps:
            - communicate: { id: thanks, over: texts, to: patient.mobile, template: receipt }
        - if: "account.month == '2026-10'"
          steps:
            - wait: { id: longer, for: 3d }
      otherwise: []
  - ask:
      id: review
      question: Is all well?
      of: supervisor
      answers: [fine, odd]
      within: 2d
      otherwise: odd
  - approve: { id: second-look, terms: plan, of: supervisor, within: 1d }
  - parallel:
      id: at-once
      branches:
        - steps:
            - communicate: { id: note, over: texts, to: patient.mobile, template: receipt }
            - wait: { id: rest, for: 1d }
        - steps:
            - parallel:
                id: deeper
                if-one-fails: go-on
                branches:
                  - steps: [{ communicate: { id: left, over: texts, to: patient.mobile, template: receipt } }]
                  - steps: [{ wait: { id: right, for: 2d } }]
  - for-each:
      id: visits
      every: contract
      at-once: 2
      steps:
        - communicate: { id: reminder, over: texts, to: patient.mobile, template: receipt }
        - wait: { id: later, for: 1d }
"#,
    )
}

/// Steps that are booked, at once and one after the other, and undone when the run fails later.
pub fn bookings() -> Definition {
    let booked = |id: &str| {
        let undo = "undo: { call: { through: books, function: withdraw } }";
        format!("- call: {{ id: {id}, through: books, function: post, {undo} }}")
    };
    let steps = format!(
        r#"
  {}
  - parallel:
      id: both
      branches:
        - steps: [{{ wait: {{ id: rest, for: 1d }} }}]
        - steps:
            {}
            {}
  - for-each:
      id: contracts
      every: contract
      at-once: 2
      steps:
        {}
  - ask: {{ id: review, question: Is all well?, of: supervisor, answers: [fine, odd], within: 2d, otherwise: odd }}
  - call: {{ id: last, through: books, function: post }}
"#,
        booked("one"),
        booked("two"),
        booked("three"),
        booked("each")
    );
    compiled(|workflow| {
        let head = workflow.split_once("steps:").unwrap().0;
        format!("{}steps:{steps}", head.replacen("uses:\n", "uses:\n  books: books\n", 1))
    })
}

/// The shipped workflow with these steps before its receipt.
pub fn with_steps(steps: &str) -> Definition {
    let receipt = "  - communicate:\n      id: receipt";
    compiled(|workflow| workflow.replace(receipt, &format!("{steps}\n{receipt}")))
}

/// The shipped workflow, written otherwise.
fn compiled(written: impl FnOnce(&str) -> String) -> Definition {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/");
    let paths = [
        "healthcare-balance/workflow.yaml",
        "healthcare-balance/templates/code.sms.txt",
        "healthcare-balance/templates/payment-link.sms.txt",
        "healthcare-balance/templates/receipt.sms.txt",
        "healthcare-balance/templates/authorization.page.txt",
        "fields.yaml",
        "policies/assurance.yaml",
        "rules/tcpa.yaml",
        "rules/state.yaml",
    ];
    let mut files: Files =
        paths.iter().map(|p| (p.to_string(), std::fs::read_to_string(format!("{root}{p}")).unwrap())).collect();
    let workflow = files.get_mut("healthcare-balance/workflow.yaml").unwrap();
    *workflow = written(workflow);
    let facts = |kind, fields: &[&str], effects: &[(&str, &str)]| ConnectorFacts {
        kind,
        vendor: String::new(),
        signal: String::new(),
        fields: fields.iter().map(|f| f.to_string()).collect(),
        purposes: BTreeSet::from(["identity".into(), "billing".into()]),
        effects: effects.iter().map(|(f, c)| (f.to_string(), c.to_string())).collect(),
        grant_file: "grants/x.yaml".into(),
    };
    let connectors = BTreeMap::from([
        (
            "brightline-sms".into(),
            facts(
                ConnectorKind::Channel,
                &["patient.mobile", "message.text"],
                &[("send", "idempotent"), ("lookup", "pure")],
            ),
        ),
        ("brightline-sim".into(), facts(ConnectorKind::Verifier, &["patient.mobile"], &[("check", "pure")])),
        (
            "northgate-cards".into(),
            facts(
                ConnectorKind::Gateway,
                &["card.number", "card.expiry-month", "card.expiry-year", "card.code"],
                &[("charge", "reconcile"), ("lookup", "pure")],
            ),
        ),
        ("books".into(), facts(ConnectorKind::Service, &[], &[("post", "idempotent"), ("withdraw", "never-retry")])),
    ]);
    Definition::compile(&files, "healthcare-balance", &connectors, &Packs::default())
        .unwrap_or_else(|d| panic!("{}", d.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}
