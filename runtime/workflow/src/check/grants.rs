//! Proof 2, the other half: no class leaves without a grant, and no grant lets a class leave by the wrong door.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Findings, flow::CARD_CITE, ticked};
use crate::compile::{ConnectorFacts, ConnectorKind};
use crate::dictionary::Class;
use crate::lower::IDENTITY;
use crate::source::{Diagnostic, Span, Spanned, code};
use crate::syntax::{Capture, Kind, Pay};

/// What a channel gets beside the address.
const TEXT: &str = "message.text";
/// What a gateway gets.
const CARD: [&str; 4] = ["card.number", "card.expiry-month", "card.expiry-year", "card.code"];
/// The rule, for proofs.
const RULE: &str = "grant.fields";
const CITE: &str = "45 CFR 164.502(b), PCI DSS 4.0.1 7.2";

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for ((own, kind), uses) in needed(context) {
        let Some((installed, facts)) = context.fitting(own, kind) else { continue };
        let before = findings.refusals.len();
        let wanted: BTreeSet<&str> = uses.iter().flat_map(|wanted| wanted.fields.iter().copied()).collect();
        let fields = missing(&facts.fields, &wanted);
        let reasons: BTreeSet<&str> = uses.iter().map(|wanted| wanted.purpose).collect();
        let purposes = missing(&facts.purposes, &reasons);
        let needs_field = |used: &&Wanted<'_>| used.fields.iter().any(|field| fields.contains(*field));
        if let Some(used) = uses.iter().find(needs_field) {
            findings.refuse(missing_grant(installed, facts, used.at, "field", &facts.fields, &fields));
        }
        if let Some(used) = uses.iter().find(|used| purposes.contains(used.purpose)) {
            findings.refuse(missing_grant(installed, facts, used.at, "purpose", &facts.purposes, &purposes));
        }
        if seen.insert(installed) {
            too_much(context, installed, facts, findings);
        }
        if findings.refusals.len() == before {
            let given = if wanted.is_empty() { "no field".to_owned() } else { ticked(wanted) };
            let claim = format!("`{installed}` is given {given} and nothing else");
            let because = format!("`{}` grants these for {}", facts.grant_file, ticked(reasons));
            findings.proved(claim, RULE, CITE, because);
        }
    }
}

/// One use of a connector.
struct Wanted<'a> {
    fields: Vec<&'a str>,
    purpose: &'a str,
    at: &'a Span,
}

/// What each connector is needed for, by the workflow's own names.
type Needed<'a> = BTreeMap<(&'a str, ConnectorKind), Vec<Wanted<'a>>>;

fn needed<'a>(context: &Context<'a>) -> Needed<'a> {
    let workflow = context.workflow;
    let mut needed = Needed::new();
    let mut add = |own: &'a Spanned<String>, kind, fields: Vec<&'a str>, purpose: &'a str| {
        needed.entry((own.value.as_str(), kind)).or_default().push(Wanted { fields, purpose, at: &own.span });
    };
    // Nobody is asked to grant what is no address at all.
    let address = |to: &'a Spanned<String>| Some(to.value.as_str()).filter(|to| context.is_address(to));
    for step in workflow.every_step() {
        match &step.kind {
            Kind::Verify(verify) => {
                let to = address(&verify.to);
                add(&verify.over, ConnectorKind::Channel, to.into_iter().chain([TEXT]).collect(), IDENTITY);
                if let Some(check) = &verify.check {
                    add(check, ConnectorKind::Verifier, to.into_iter().collect(), IDENTITY);
                }
            }
            Kind::Communicate(communicate) => {
                let purpose = communicate.purpose.as_ref().unwrap_or(&workflow.purpose);
                let fields = address(&communicate.to).into_iter().chain([TEXT]).collect();
                add(&communicate.over, ConnectorKind::Channel, fields, &purpose.value);
            }
            Kind::Debit(debit) => {
                let fields = address(&debit.notice.to).into_iter().chain([TEXT]).collect();
                add(&debit.notice.over, ConnectorKind::Channel, fields, &workflow.purpose.value);
                // The security code is not kept, so there is none to hand over.
                add(&debit.through, ConnectorKind::Gateway, CARD[..3].to_vec(), &workflow.purpose.value);
            }
            Kind::Pay(Pay { through, .. }) | Kind::Capture(Capture { through, .. }) => {
                add(through, ConnectorKind::Gateway, CARD.to_vec(), &workflow.purpose.value);
            }
            _ => {}
        }
        for call in step.kind.calls() {
            let purpose = call.purpose.as_ref().unwrap_or(&workflow.purpose);
            // Nobody is asked to grant what may not be handed over at all.
            let fields = call.with.iter().map(|(_, field)| field.value.as_str());
            let fields = fields.filter(|field| context.may_be_handed(step, field)).collect();
            add(&call.through, ConnectorKind::Service, fields, &purpose.value);
        }
    }
    needed
}

fn missing(granted: &BTreeSet<String>, wanted: &BTreeSet<&str>) -> BTreeSet<String> {
    wanted.iter().filter(|name| !granted.contains(**name)).map(|name| (*name).to_owned()).collect()
}

fn missing_grant(
    installed: &str,
    facts: &ConnectorFacts,
    at: &Span,
    what: &str,
    granted: &BTreeSet<String>,
    missing: &BTreeSet<String>,
) -> Diagnostic {
    let plural = if missing.len() > 1 { "s" } else { "" };
    let message =
        format!("`{installed}` is not granted the {what}{plural} {}", ticked(missing.iter().map(String::as_str)));
    let line: Vec<&str> = granted.union(missing).map(String::as_str).collect();
    let help = format!("an admin writes in `{}`: `{what}s: [{}]`", facts.grant_file, line.join(", "));
    Diagnostic::new(code::MISSING_GRANT, message).at(at).cite(format!("{RULE} ({CITE})")).help(help)
}

/// Card data is granted to gateways alone, and a gateway is granted nothing that tells of health.
fn too_much(context: &Context<'_>, installed: &str, facts: &ConnectorFacts, findings: &mut Findings) {
    let file = Span::start_of(&facts.grant_file);
    for field in &facts.fields {
        let gateway = facts.kind == ConnectorKind::Gateway;
        let refusal = match context.dictionary.class(field) {
            None => context.dictionary.unknown(field),
            Some(class) if class.is_card() && !gateway => {
                let message =
                    format!("`{installed}` is a {} and is granted `{field}`, card data ({class})", facts.kind.name());
                Diagnostic::new(code::CARD_DATA, message).cite(CARD_CITE)
            }
            Some(class @ (Class::Phi | Class::Recording | Class::Comms)) if gateway => {
                let message = format!("`{installed}` moves money and is granted `{field}`, which is {class}");
                Diagnostic::new(code::CLASS_FLOW, message).cite(format!("{RULE} ({CITE})"))
            }
            Some(_) => continue,
        };
        let help = refusal.help.clone().unwrap_or_else(|| format!("take `{field}` out of `fields:`"));
        findings.refuse(refusal.at(&file).help(help));
    }
}
