//! The clinic of these stories: its workflow, what its connectors say of themselves, and a patient.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::SecretString;
use selvedge_engine::ports::Micros;
use selvedge_policy::{Consent, CustomerState, ZoneEvidence};
use selvedge_workflow::{ConnectorFacts, ConnectorKind, Files};

pub const TENANT: &str = "riverside";
pub const WORKFLOW: &str = "healthcare-balance";
/// Monday 2026-11-23, 16:04 UTC: in Chicago, when texts may be sent.
pub const MONDAY: Micros = 1_795_449_840_000_000;

pub fn definitions() -> Files {
    let (root, mut files) = (Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows")), Files::new());
    for folder in ["", "policies", "rules", WORKFLOW, "healthcare-balance/templates"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

pub fn connectors() -> BTreeMap<String, ConnectorFacts> {
    let facts = |kind, fields: &[&str], function: &str, class: &str| ConnectorFacts {
        kind,
        vendor: String::new(),
        fields: fields.iter().map(ToString::to_string).collect(),
        purposes: BTreeSet::from(["identity".into(), "billing".into()]),
        effects: BTreeMap::from([(function.into(), class.into()), ("lookup".into(), "pure".into())]),
        grant_file: "grants/x.yaml".into(),
    };
    let card = ["card.number", "card.expiry-month", "card.expiry-year", "card.code"];
    BTreeMap::from([
        (
            "brightline-sms".into(),
            facts(ConnectorKind::Channel, &["patient.mobile", "message.text"], "send", "idempotent"),
        ),
        ("brightline-sim".into(), facts(ConnectorKind::Verifier, &["patient.mobile"], "check", "pure")),
        ("northgate-cards".into(), facts(ConnectorKind::Gateway, &card, "charge", "reconcile")),
    ])
}

pub fn consents() -> CustomerState {
    let zone = |source: &str| ZoneEvidence { zone: "America/Chicago".into(), source: source.into() };
    let consent = Consent {
        purpose: "billing".into(),
        channel: "sms".into(),
        granted: true,
        at: MONDAY - 1,
        words: "You may text me.".into(),
    };
    CustomerState {
        consents: vec![consent],
        zones: vec![zone("address"), zone("phone")],
        jurisdictions: vec!["US".into(), "US-IL".into()],
        flags: Vec::new(),
    }
}

pub fn fields() -> Vec<(String, SecretString)> {
    let field = |path: &str, value: &str| (path.to_owned(), SecretString::from(value.to_owned()));
    vec![
        field("patient.name", "Ada Example"),
        field("patient.mobile", "+13125550142"),
        field("account.balance", "{\"minor\":37550,\"currency\":\"USD\"}"),
        field("account.month", "2026-10"),
    ]
}
