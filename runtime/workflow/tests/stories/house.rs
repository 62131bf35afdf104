//! What the stories share: the shipped healthcare workflow, the connectors of the demo clinic, and ways to spoil them.

use std::collections::BTreeMap;

use selvedge_workflow::source::Diagnostic;
use selvedge_workflow::{Checked, ConnectorFacts, ConnectorKind, Files, compile};

pub const NAME: &str = "healthcare-balance";
pub const WORKFLOW: &str = "healthcare-balance/workflow.yaml";

/// The shipped files.
pub fn files() -> Files {
    let texts = [
        (WORKFLOW, include_str!("../../../../workflows/healthcare-balance/workflow.yaml")),
        (
            "healthcare-balance/templates/code.sms.txt",
            include_str!("../../../../workflows/healthcare-balance/templates/code.sms.txt"),
        ),
        (
            "healthcare-balance/templates/payment-link.sms.txt",
            include_str!("../../../../workflows/healthcare-balance/templates/payment-link.sms.txt"),
        ),
        (
            "healthcare-balance/templates/receipt.sms.txt",
            include_str!("../../../../workflows/healthcare-balance/templates/receipt.sms.txt"),
        ),
        (
            "healthcare-balance/templates/authorization.page.txt",
            include_str!("../../../../workflows/healthcare-balance/templates/authorization.page.txt"),
        ),
        ("fields.yaml", include_str!("../../../../workflows/fields.yaml")),
        ("policies/assurance.yaml", include_str!("../../../../workflows/policies/assurance.yaml")),
        ("policies/budget.yaml", include_str!("../../../../workflows/policies/budget.yaml")),
    ];
    texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// The connectors of the demo clinic, as `workflows/grants/` has them.
pub fn connectors() -> BTreeMap<String, ConnectorFacts> {
    let facts = |kind, fields: &[&str], purposes: &[&str], effects: &[(&str, &str)], name: &str| ConnectorFacts {
        kind,
        vendor: String::new(),
        signal: String::new(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        purposes: purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
        effects: effects.iter().map(|(function, class)| ((*function).to_owned(), (*class).to_owned())).collect(),
        grant_file: format!("workflows/grants/{name}.yaml"),
    };
    let sms = facts(
        ConnectorKind::Channel,
        &["patient.mobile", "message.text"],
        &["identity", "billing"],
        &[("send", "reconcile")],
        "brightline-sms",
    );
    let sim = facts(
        ConnectorKind::Verifier,
        &["patient.mobile"],
        &["identity", "billing"],
        &[("check", "pure")],
        "brightline-sim",
    );
    let cards = facts(
        ConnectorKind::Gateway,
        &["card.number", "card.expiry-month", "card.expiry-year", "card.code"],
        &["billing"],
        &[("charge", "reconcile"), ("validate", "reconcile")],
        "northgate-cards",
    );
    BTreeMap::from([
        ("brightline-sms".to_owned(), sms),
        ("brightline-sim".to_owned(), sim),
        ("northgate-cards".to_owned(), cards),
    ])
}

/// The shipped files with one text changed in one of them.
pub fn files_with(path: &str, old: &str, new: &str) -> Files {
    let mut files = files();
    let text = files.get_mut(path).unwrap();
    assert!(text.contains(old), "`{old}` is not in {path}");
    *text = text.replacen(old, new, 1);
    files
}

/// The shipped workflow with one text changed in it.
pub fn workflow_with(old: &str, new: &str) -> Result<Checked, String> {
    check(&files_with(WORKFLOW, old, new))
}

/// A template of the shipped workflow with one text changed in it.
pub fn template_with(name: &str, old: &str, new: &str) -> Result<Checked, String> {
    check(&files_with(&format!("{NAME}/templates/{name}.txt"), old, new))
}

/// Compiles against the connectors of the demo clinic.
pub fn check(files: &Files) -> Result<Checked, String> {
    compile(files, NAME, &connectors()).map_err(|found| told(&found))
}

/// What a person reads.
pub fn told(found: &[Diagnostic]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The text of one step of the shipped workflow, from its `- kind:` line to the blank line after it.
pub fn step(id: &str) -> String {
    let files = files();
    let text = &files[WORKFLOW];
    let at = text.find(&format!("id: {id}\n")).unwrap();
    let start = text[..at].rfind("  - ").unwrap();
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end + 2);
    text[start..end].to_owned()
}
