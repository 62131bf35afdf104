//! Proof 3 and what all others rest on: every name exists, is of the right kind, and stands in the right order; every
//! message says its purpose; no step settles for less assurance than the policy asks for.

use std::collections::BTreeSet;

use super::{Context, Findings, flow::CARD_CITE, ticked};
use crate::compile::ConnectorKind;
use crate::dictionary::{FieldType, Level, Source};
use crate::lower::{CODE, IDENTITY, amount, proven};
use crate::plan::{Amount, Noted, PAYMENT};
use crate::source::{Diagnostic, Span, Spanned, code, did_you_mean, duration_in_words};
use crate::syntax::{Approve, Call, Capture, Communicate, Debit, Kind, OnPage, Pay, Record, Step, Verify};
use crate::template::contains_card_number;

/// The law behind a charge while the customer is not there.
const DEBIT_CITE: &str = "12 CFR 1005.10(b)-(d)";
/// The purpose of a withdrawal that is for every purpose.
const ALL: &str = "all";

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    workflow_itself(context, findings);
    for step in context.workflow.every_step() {
        step.kind.calls().into_iter().for_each(|call| service(context, step, call, findings));
        match &step.kind {
            Kind::Verify(verify) => verification(context, step, verify, findings),
            Kind::Communicate(communicate) => message(context, step, communicate, findings),
            Kind::Offer(offer) => money(context, &offer.total, findings),
            Kind::Pay(pay) => payment(context, step, pay, findings),
            Kind::Capture(capture) => method(context, step, capture, findings),
            Kind::Debit(debit) => self::debit(context, step, debit, findings),
            Kind::Ask(ask) => no_card_number(&ask.question, findings),
            // Which level is needed after it, the proofs of the steps there say.
            Kind::Handoff(handoff) => stepping_up(context, step, Level::L0, "", &handoff.step_up, findings),
            Kind::Approve(approve) => approval(context, step, approve, findings),
            Kind::Record(record) => recorded(step, record, findings),
            _ => {}
        }
    }
}

fn workflow_itself(context: &Context<'_>, findings: &mut Findings) {
    let workflow = context.workflow;
    if workflow.name.value != context.folder {
        let message = format!("the workflow is called `{}` and its folder `{}`", workflow.name.value, context.folder);
        let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&workflow.name.span);
        findings.refuse(refusal.help("give both the same name"));
    }
    no_identity(&workflow.purpose, findings);
    let mut used = BTreeSet::new();
    for step in workflow.every_step() {
        match &step.kind {
            Kind::Verify(verify) => {
                used.insert(&verify.over.value);
                used.extend(verify.check.as_ref().map(|check| &check.value));
            }
            Kind::Communicate(communicate) => drop(used.insert(&communicate.over.value)),
            Kind::Pay(pay) => drop(used.insert(&pay.through.value)),
            Kind::Capture(capture) => drop(used.insert(&capture.through.value)),
            Kind::Debit(debit) => used.extend([&debit.through.value, &debit.notice.over.value]),
            _ => {}
        }
        used.extend(step.kind.calls().into_iter().map(|call| &call.through.value));
    }
    for (own, installed) in &workflow.uses {
        if !context.connectors.contains_key(&installed.value) {
            let message = format!("no connector `{}` is installed", installed.value);
            let help = did_you_mean(&installed.value, context.connectors.keys().map(String::as_str));
            let help = help.unwrap_or_else(|| "install and grant it first".to_owned());
            findings.refuse(Diagnostic::new(code::UNKNOWN_NAME, message).at(&installed.span).help(help));
        }
        if !used.contains(&own.value) {
            let warning = Diagnostic::new(code::UNUSED, format!("no step uses `{}`", own.value)).at(&own.span);
            findings.warnings.push(warning.help("remove the line"));
        }
    }
}

fn verification(context: &Context<'_>, step: &Step, verify: &Verify, findings: &mut Findings) {
    connector(context, &verify.over, ConnectorKind::Channel, findings);
    if let Some(check) = &verify.check {
        connector(context, check, ConnectorKind::Verifier, findings);
    }
    address(context, &verify.to, findings);
    let proves = proven(verify, context.assurance);
    let (rule, cite) = (format!("assurance.methods.{}", verify.by.value), &context.assurance.cite);
    if proves >= verify.level.value {
        let claim = format!("`{}` proves {}", step.id.value, verify.level.value);
        let because = match &verify.check {
            Some(check) => {
                format!("a one-time code goes to `{}` after `{}` was asked about it", verify.to.value, check.value)
            }
            None => format!("a one-time code goes to `{}`", verify.to.value),
        };
        findings.proved(claim, &rule, cite, because);
        return;
    }
    let (message, help) = if verify.by.value != CODE || context.assurance.method(CODE) == Level::L0 {
        (format!("`{}` proves nothing", verify.by.value), format!("write `by: {CODE}`: a one-time code"))
    } else if verify.check.is_none() && verify.level.value == Level::L2 {
        let help = "add `check:` with a verifier that is asked whether the SIM changed lately";
        (format!("a code to a channel that nobody checked proves L1, not {}", verify.level.value), help.to_owned())
    } else {
        let help = format!("write `level: {proves}`");
        (format!("`{}` proves {proves}, not {}", verify.by.value, verify.level.value), help)
    };
    let refusal = Diagnostic::new(code::WEAK_LEVEL, message).at(&verify.by.span);
    findings.refuse(refusal.cite(format!("{rule} ({cite})")).help(help));
}

fn message(context: &Context<'_>, step: &Step, communicate: &Communicate, findings: &mut Findings) {
    connector(context, &communicate.over, ConnectorKind::Channel, findings);
    address(context, &communicate.to, findings);
    let purpose = communicate.purpose.as_ref().unwrap_or(&context.workflow.purpose);
    if let Some(purpose) = &communicate.purpose {
        no_identity(purpose, findings);
    }
    findings.proved(
        format!("`{}` is sent for `{}` and after a contact decision", step.id.value, purpose.value),
        "contact.purpose",
        "47 CFR 64.1200(a)",
        "every message has a purpose, and is decided when queued and again when sent",
    );
    let Some(link) = &communicate.link else { return };
    let opens = &link.opens;
    let refuse = |code: &str, message: String, help: String| Diagnostic::new(code, message).at(&opens.span).help(help);
    let pages = || steps_of(context, |kind| kind.page().is_some());
    let refusal = match context.workflow.step(&opens.value) {
        None => {
            let help = did_you_mean(&opens.value, pages());
            let help = help.unwrap_or_else(|| "add a `pay` or `capture` step with this id".to_owned());
            refuse(code::UNKNOWN_NAME, format!("there is no step `{}` for the link to open", opens.value), help)
        }
        Some(target) if target.kind.page().is_none() => {
            let kind = target.kind.name();
            let message = format!("`{}` is a `{kind}` step; a link opens a `pay` or `capture` step", opens.value);
            refuse(code::WRONG_KIND, message, "name a `pay` or `capture` step".to_owned())
        }
        Some(_) => return,
    };
    findings.refuse(refusal);
}

fn payment(context: &Context<'_>, step: &Step, pay: &Pay, findings: &mut Findings) {
    connector(context, &pay.through, ConnectorKind::Gateway, findings);
    amount_of(context, &pay.amount, findings);
    let asked = Asked { what: "a payment", least: context.assurance.pay, rule: "assurance.levels.pay" };
    on_page(context, step, &pay.page, &asked, findings);
}

/// A card is kept as nothing else than the customer's method on file.
fn method(context: &Context<'_>, step: &Step, capture: &Capture, findings: &mut Findings) {
    connector(context, &capture.through, ConnectorKind::Gateway, findings);
    let least = context.assurance.change_method;
    let asked = Asked { what: "a change of the method on file", least, rule: "assurance.levels.change-method" };
    on_page(context, step, &capture.page, &asked, findings);
    let claim = format!("`{}` keeps the card's number sealed, and its security code nowhere", step.id.value);
    let because = format!(
        "the code waits in memory for the validation alone; the number is sealed for {} at most, and less where \
         `policies/retention.yaml` says so",
        duration_in_words(capture.lasts.value)
    );
    findings.proved(claim, "plan.capture", "PCI DSS 4.0.1 3.2.1, 3.3.1, 3.5.1", because);
}

/// A charge while the customer is not there goes by the rules of the channel `debit`, and its notice says how much it is.
fn debit(context: &Context<'_>, step: &Step, debit: &Debit, findings: &mut Findings) {
    let (id, notice) = (&step.id.value, &debit.notice);
    connector(context, &debit.through, ConnectorKind::Gateway, findings);
    connector(context, &notice.over, ConnectorKind::Channel, findings);
    address(context, &notice.to, findings);
    money(context, &debit.amount, findings);
    let template = context.template(&notice.template.value, super::MESSAGE);
    // That there is no such template is said elsewhere.
    if let Some(template) = template
        && !template.variables.contains(&debit.amount.value)
    {
        let message = format!("the notice of `{id}` does not say how much it is: `{}`", debit.amount.value);
        let refusal = Diagnostic::new(code::LACKS_WORDS, message).at(&Span::start_of(&template.file)).cite(DEBIT_CITE);
        let help = format!("write `{{{{ {} }}}}` into `{}`", debit.amount.value, template.file);
        findings.refuse(refusal.help(help));
        return;
    }
    let claim = format!("`{id}` charges the card on file only as the customer agreed");
    let because = format!(
        "the rules of the channel `debit` are asked when it is due and at the moment of charging; a changed amount is told \
         of {} before",
        duration_in_words(notice.before.value)
    );
    findings.proved(claim, "contact.debit", DEBIT_CITE, because);
}

/// What the policy asks of a step with a page.
struct Asked {
    what: &'static str,
    least: Level,
    rule: &'static str,
}

/// A page asks for enough assurance, and one link opens it.
fn on_page(context: &Context<'_>, step: &Step, page: &OnPage, asked: &Asked, findings: &mut Findings) {
    let Asked { what, least, rule } = asked;
    if page.level.value < *least {
        let message = format!("{what} needs {least}; `{}` asks for {}", step.id.value, page.level.value);
        let refusal = Diagnostic::new(code::WEAK_LEVEL, message).at(&page.level.span);
        let cite = format!("{rule} ({})", context.assurance.cite);
        findings.refuse(refusal.cite(cite).help(format!("write `level: {least}`")));
    }
    if let Some(step_up) = &page.step_up {
        stepping_up(context, step, page.level.value.max(*least), rule, step_up, findings);
    }
    let every = context.workflow.every_step().into_iter();
    let links = every.filter_map(|step| match &step.kind {
        Kind::Communicate(communicate) => communicate.link.as_ref(),
        _ => None,
    });
    let mut links = links.filter(|link| link.opens.value == step.id.value);
    if links.next().is_none() {
        let message = format!("nothing opens `{}`", step.id.value);
        let help =
            format!("add a `communicate` step before it with `link: {{ opens: {}, lasts: 72h }}`", step.id.value);
        findings.refuse(Diagnostic::new(code::UNKNOWN_NAME, message).at(&step.id.span).help(help));
    }
    if let Some(second) = links.next() {
        let message = format!("a second link opens `{}`", step.id.value);
        let refusal = Diagnostic::new(code::DUPLICATE, message).at(&second.opens.span);
        findings.refuse(refusal.help("one message carries the link; remove `link:` from the other"));
    }
}

/// The service has the function; what it is handed are fields of the customer, and no card.
fn service(context: &Context<'_>, step: &Step, call: &Call, findings: &mut Findings) {
    connector(context, &call.through, ConnectorKind::Service, findings);
    if let Some(purpose) = &call.purpose {
        no_identity(purpose, findings);
    }
    if let Some((installed, facts)) = context.fitting(&call.through.value, ConnectorKind::Service)
        && !facts.effects.contains_key(&call.function.value)
    {
        let message = format!("`{installed}` has no function `{}`", call.function.value);
        let help = did_you_mean(&call.function.value, facts.effects.keys().map(String::as_str));
        findings.refuse(Diagnostic::new(code::UNKNOWN_NAME, message).at(&call.function.span).maybe_help(help));
    }
    for (_, field) in &call.with {
        let Some(info) = context.dictionary.get(&field.value) else {
            findings.refuse(context.dictionary.unknown(&field.value).at(&field.span));
            continue;
        };
        if info.class.is_card() {
            let message = format!("`{}` is card data ({}) and goes to gateways alone", field.value, info.class);
            let refusal = Diagnostic::new(code::CARD_DATA, message).at(&field.span).cite(CARD_CITE);
            findings.refuse(refusal.help("take the line out; a `pay` step charges a card"));
        } else if !context.may_be_handed(step, &field.value) {
            let message = format!("`{}` is not a field of the customer", field.value);
            let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&field.span);
            let help = match step.kind {
                Kind::Pay(_) => format!("name a field with `source: customer`, or one of {}", ticked(PAYMENT)),
                _ => "name a field with `source: customer`".to_owned(),
            };
            findings.refuse(refusal.help(help));
        }
    }
}

fn stepping_up(
    context: &Context<'_>,
    step: &Step,
    needs: Level,
    rule: &str,
    step_up: &Spanned<String>,
    findings: &mut Findings,
) {
    let refusal = match context.workflow.step(&step_up.value).map(|target| &target.kind) {
        None => {
            let known = steps_of(context, |kind| matches!(kind, Kind::Verify(_)));
            let help =
                did_you_mean(&step_up.value, known).unwrap_or_else(|| "add a `verify` step with this id".to_owned());
            let message = format!("there is no step `{}` to step up with", step_up.value);
            Diagnostic::new(code::UNKNOWN_NAME, message).help(help)
        }
        Some(Kind::Verify(verify)) => {
            let proves = verify.level.value.min(proven(verify, context.assurance));
            if proves >= needs {
                return;
            }
            let message =
                format!("`{}` needs {needs}; stepping up with `{}` proves {proves}", step.id.value, step_up.value);
            let cite = format!("{rule} ({})", context.assurance.cite);
            Diagnostic::new(code::WEAK_LEVEL, message)
                .cite(cite)
                .help(format!("step up with a step that proves {needs}"))
        }
        Some(other) => {
            let message = format!("`{}` is a `{}` step; only a `verify` step steps up", step_up.value, other.name());
            Diagnostic::new(code::WRONG_KIND, message).help("name a `verify` step")
        }
    };
    findings.refuse(refusal.at(&step_up.span));
}

/// The ids of the steps of a kind.
fn steps_of<'a>(context: &Context<'a>, of: impl Fn(&Kind) -> bool) -> impl Iterator<Item = &'a str> {
    context.workflow.every_step().into_iter().filter(move |step| of(&step.kind)).map(|step| step.id.value.as_str())
}

/// An amount is the first part of an offer, or a money field.
fn amount_of(context: &Context<'_>, written: &Spanned<String>, findings: &mut Findings) {
    match amount(context.workflow, &written.value) {
        Amount::Field(_) if !written.value.ends_with(".first") => money(context, written, findings),
        Amount::Field(_) => {
            let offers = steps_of(context, |kind| matches!(kind, Kind::Offer(_)));
            let firsts: Vec<String> = offers.map(|offer| format!("{offer}.first")).collect();
            let help = did_you_mean(&written.value, firsts.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| "add an `offer` step before, or name a money field".to_owned());
            let message = format!("there is no offer for `{}`", written.value);
            findings.refuse(Diagnostic::new(code::UNKNOWN_NAME, message).at(&written.span).help(help));
        }
        // That it was accepted on every path is another proof.
        Amount::FirstPart { .. } => {}
    }
}

/// An approval is about the terms of an offer. That it binds to them, and that nobody approves what they asked for, is
/// how the engine takes every approval; the proof says so where people look for it.
fn approval(context: &Context<'_>, step: &Step, approve: &Approve, findings: &mut Findings) {
    let (id, terms) = (&step.id.value, &approve.terms);
    let refusal = match context.workflow.step(&terms.value).map(|step| &step.kind) {
        Some(Kind::Offer(_)) => {
            let claim = format!("`{id}` is approved by a `{}` who did not open the interaction", approve.of.value);
            let because = format!(
                "an approval names the terms of `{}` by their commitment; the engine takes none from who opened the \
                 interaction, and after {} nobody's silence approves",
                terms.value,
                duration_in_words(approve.within.value)
            );
            findings.proved(claim, "plan.approvals", "design: two pairs of eyes", because);
            return;
        }
        Some(other) => {
            let message =
                format!("`{}` is a `{}` step; what is approved are the terms of an offer", terms.value, other.name());
            Diagnostic::new(code::WRONG_KIND, message).help("name an `offer` step")
        }
        None => {
            let known = steps_of(context, |kind| matches!(kind, Kind::Offer(_)));
            let help =
                did_you_mean(&terms.value, known).unwrap_or_else(|| "add an `offer` step with this id".to_owned());
            Diagnostic::new(code::UNKNOWN_NAME, format!("there is no offer `{}` to approve", terms.value)).help(help)
        }
    };
    findings.refuse(refusal.at(&terms.span));
}

/// A consent is given for a purpose, and words are kept as they are written.
fn recorded(step: &Step, record: &Record, findings: &mut Findings) {
    let (word, given) = match &record.what {
        Noted::Consent(word) => (word, true),
        Noted::Withdrawal(word) => (word, false),
        Noted::Flag(_) | Noted::Note(_) | Noted::Conversation(_) => return,
    };
    no_identity(&Spanned::new(word.purpose.clone(), record.at.clone()), findings);
    no_card_number(&Spanned::new(word.words.clone(), record.at.clone()), findings);
    if given && word.purpose == ALL {
        let message = format!("`{}` records a consent for every purpose at once, which nobody gives", step.id.value);
        let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&record.at).cite("47 CFR 64.1200(f)(9)");
        findings.refuse(refusal.help("name the purpose that the words are about"));
    }
}

/// A question is shown as it is written.
fn no_card_number(question: &Spanned<String>, findings: &mut Findings) {
    if contains_card_number(&question.value) {
        let refusal = Diagnostic::new(code::CARD_DATA, "there is a card number in this text").at(&question.span);
        findings.refuse(refusal.cite(CARD_CITE).help("take the number out"));
    }
}

/// A name from `uses:` that stands for a connector of this kind.
fn connector(context: &Context<'_>, own: &Spanned<String>, kind: ConnectorKind, findings: &mut Findings) {
    if !context.workflow.uses.iter().any(|(name, _)| name.value == own.value) {
        let message = format!("`{}` is no name from `uses:`", own.value);
        let names = context.workflow.uses.iter().map(|(name, _)| name.value.as_str());
        let help = did_you_mean(&own.value, names).unwrap_or_else(|| "add it to `uses:`".to_owned());
        findings.refuse(Diagnostic::new(code::UNKNOWN_NAME, message).at(&own.span).help(help));
    } else if let Some((installed, facts)) = context.connector(&own.value)
        && facts.kind != kind
    {
        let message =
            format!("`{}` (`{installed}`) is a {}; a {} is needed here", own.value, facts.kind.name(), kind.name());
        let fitting = context
            .workflow
            .uses
            .iter()
            .filter(|(name, _)| context.connector(&name.value).is_some_and(|(_, facts)| facts.kind == kind));
        let fitting: Vec<&str> = fitting.map(|(name, _)| name.value.as_str()).collect();
        let help = match fitting[..] {
            [] => format!("add a {} to `uses:`", kind.name()),
            _ => format!("from `uses:` these fit: {}", super::ticked(fitting)),
        };
        findings.refuse(Diagnostic::new(code::WRONG_KIND, message).at(&own.span).help(help));
    }
}

/// A field of the customer that a message can be sent to.
fn address(context: &Context<'_>, to: &Spanned<String>, findings: &mut Findings) {
    if context.dictionary.get(&to.value).is_none() {
        findings.refuse(context.dictionary.unknown(&to.value).at(&to.span));
    } else if !context.is_address(&to.value) {
        let message = format!("`{}` is not a phone number of the customer", to.value);
        let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&to.span);
        findings.refuse(refusal.help("name a field with `type: phone` and `source: customer`"));
    }
}

/// A money field of the customer.
fn money(context: &Context<'_>, field: &Spanned<String>, findings: &mut Findings) {
    let Some(info) = context.dictionary.get(&field.value) else {
        findings.refuse(context.dictionary.unknown(&field.value).at(&field.span));
        return;
    };
    if info.ty != FieldType::Money || info.source != Source::Customer {
        let message = format!("`{}` is not an amount of the customer", field.value);
        let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&field.span);
        findings.refuse(refusal.help("name a field with `type: money` and `source: customer`"));
    }
}

/// Codes alone have the purpose `identity`: consent rules let it pass, so nothing else may go under that name.
fn no_identity(purpose: &Spanned<String>, findings: &mut Findings) {
    if purpose.value == IDENTITY {
        let message = format!("`{IDENTITY}` is the purpose of one-time codes and of nothing else");
        let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&purpose.span).cite("47 CFR 64.1200(a)");
        findings.refuse(refusal.help("say what the message is for: `billing`"));
    }
}
