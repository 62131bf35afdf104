//! Proof 2: which classes of data reach which template, page and conversation. Card data reaches none of them.

use std::collections::BTreeMap;

use super::{Context, Findings, TemplateUse, template_uses, ticked};
use crate::dictionary::{Class, Source};
use crate::plan::{Exit, Op};
use crate::source::{Diagnostic, Span, Spanned, code, did_you_mean};
use crate::syntax::{Choose, Kind, Step};
use crate::template::{Encoding, Template, contains_card_number, key, segments};

/// The law behind the refusal of card data.
pub(super) const CARD_CITE: &str = "PCI DSS 4.0.1 3.3.1, 3.4.1";

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    for used in template_uses(context.workflow) {
        for language in context.languages() {
            match context.text(&used.template.value, used.medium, language) {
                Some(template) => template_flow(context, &used, template, findings),
                None => findings.refuse(missing_template(context, &used, language)),
            }
        }
        alike(context, &used, findings);
    }
    for step in context.workflow.every_step() {
        match &step.kind {
            Kind::Disclose(disclose) => shown(context, step, &disclose.fields, &disclose.over.value, findings),
            Kind::Offer(offer) => {
                let told = std::slice::from_ref(&offer.total);
                shown(context, step, told, context.workflow.offers_on(), findings);
            }
            Kind::Choose(choose) => asked(context, step, choose, findings),
            _ => {}
        }
    }
    unused_templates(context, findings);
}

/// A text says the same in each language: it names the same fields.
fn alike(context: &Context<'_>, used: &TemplateUse<'_>, findings: &mut Findings) {
    let Some(first) = context.template(&used.template.value, used.medium) else { return };
    let lacks = |these: &Template, those: &Template| {
        ticked(those.variables.iter().filter(|field| !these.variables.contains(field)).map(String::as_str))
    };
    for other in context.texts(&used.template.value, used.medium) {
        let told = [("does not name", lacks(other, first)), ("also names", lacks(first, other))];
        let told: Vec<String> =
            told.into_iter().filter(|(_, fields)| !fields.is_empty()).map(|(how, f)| format!("{how} {f}")).collect();
        if !told.is_empty() {
            let message =
                format!("`{}` says something else than `{}`: it {}", other.called(), first.name, told.join(" and "));
            let refusal = Diagnostic::new(code::MISPLACED_VARIABLE, message).at(&Span::start_of(&other.file));
            findings.refuse(refusal.along(context.path_to(used.step)).help("name the same fields in each language"));
        }
    }
}

/// A template may only name what its medium may carry, and only where the value exists.
fn template_flow(context: &Context<'_>, used: &TemplateUse<'_>, template: &Template, findings: &mut Findings) {
    let before = findings.refusals.len();
    let mut classes: Vec<String> = Vec::new();
    if contains_card_number(&template.text) {
        let message = format!("the template `{}` has a card number in its text", template.called());
        let refusal = Diagnostic::new(code::CARD_DATA, message).at(&Span::start_of(&template.file)).cite(CARD_CITE);
        findings.refuse(refusal.along(context.path_to(used.step)).help("take the number out"));
    }
    for variable in &template.variables {
        let place = template.place_of(variable);
        let Some(class) = context.dictionary.class(variable) else {
            findings.refuse(context.dictionary.unknown(variable).at(&place));
            continue;
        };
        if let Some(refusal) = travels(context, variable, class, used.medium) {
            findings.refuse(refusal.at(&place).along(context.path_to(used.step)));
        } else if let Some(refusal) = misplaced(context, used, variable) {
            findings.refuse(refusal.at(&place));
        } else {
            classes.push(format!("`{variable}` ({class})"));
        }
    }
    if findings.refusals.len() == before {
        let claim = format!("`{}` puts into `{}` only what {} may carry", used.step, template.called(), a(used.medium));
        let because = if classes.is_empty() {
            "it names no field".to_owned()
        } else {
            format!("it names {}", classes.join(", "))
        };
        findings.proved(claim, &format!("assurance.carry.{}", used.medium), &context.assurance.carry_cite, because);
    }
    if used.medium == super::MESSAGE && segments(&template.text).encoding == Encoding::Ucs2 {
        let message = format!(
            "`{}` has a character that no plain SMS has: each part holds 70 characters, not 160",
            template.called()
        );
        let warning = Diagnostic::new(code::COSTLY_TEXT, message).at(&Span::start_of(&template.file));
        findings.warnings.push(warning.help("use straight quotes and plain dashes"));
    }
}

/// Fields that a person gets to hear or see.
fn shown(context: &Context<'_>, step: &Step, fields: &[Spanned<String>], over: &str, findings: &mut Findings) {
    let before = findings.refusals.len();
    if fields.is_empty() {
        // What words name is told where the words are.
        if !matches!(&step.kind, Kind::Disclose(disclose) if disclose.words.is_some()) {
            let message = format!("`{}` shows nothing", step.id.value);
            let refusal = Diagnostic::new(code::WRONG_TYPE, message).at(&step.id.span);
            findings.refuse(refusal.help("name the fields or the words, or remove the step"));
        }
        return;
    }
    for field in fields {
        let Some(info) = context.dictionary.get(&field.value) else {
            findings.refuse(context.dictionary.unknown(&field.value).at(&field.span));
            continue;
        };
        let refusal =
            travels(context, &field.value, info.class, over).or_else(|| never_shown(context, &field.value, info.class));
        if let Some(refusal) = refusal {
            findings.refuse(refusal.at(&field.span).along(context.path_to(&step.id.value)));
        } else if info.source != Source::Customer {
            let message = format!("`{}` is no field of the customer, and nothing else is shown", field.value);
            findings.refuse(
                Diagnostic::new(code::WRONG_KIND, message).at(&field.span).help("show a field of the customer"),
            );
        }
    }
    if findings.refusals.len() == before {
        let claim = format!(
            "`{}` says nothing but {} over {}",
            step.id.value,
            ticked(fields.iter().map(|f| f.value.as_str())),
            a(over)
        );
        let classes = context
            .assurance
            .carry
            .get(over)
            .map(|classes| classes.iter().map(|class| class.name()).collect::<Vec<_>>());
        let because = format!("the policy lets {} carry {}", a(over), classes.unwrap_or_default().join(", "));
        findings.proved(claim, &format!("assurance.carry.{over}"), &context.assurance.carry_cite, because);
    }
}

/// Fields that a condition asks about: they reach nobody, but which way was taken is in the record.
fn asked(context: &Context<'_>, step: &Step, choose: &Choose, findings: &mut Findings) {
    let before = findings.refusals.len();
    let mut read = BTreeMap::new();
    let ways = context.nodes.iter().filter(|node| node.step == step.id.value).map(|node| &node.op);
    let conditions = ways.filter_map(|op| if let Op::When { condition } = op { Some(condition) } else { None });
    for (condition, when) in conditions.zip(&choose.when) {
        for name in &condition.reads {
            let Some(info) = context.dictionary.get(name) else { continue };
            let refusal = if info.class.is_card() {
                let message = format!("`{name}` is card data ({}), and no condition asks about it", info.class);
                let help = "decide by what the gateway answered, not by the card";
                Diagnostic::new(code::CARD_DATA, message).cite(CARD_CITE).help(help)
            } else if info.source != Source::Customer {
                let message = format!("`{name}` is not kept for each customer, and no condition asks about it");
                Diagnostic::new(code::WRONG_KIND, message).help("name a field with `source: customer`")
            } else {
                read.insert(name.as_str(), info.class);
                continue;
            };
            findings.refuse(refusal.at(&when.condition.span).along(context.path_to(&step.id.value)));
        }
    }
    if findings.refusals.len() == before && !read.is_empty() {
        let read: Vec<String> = read.iter().map(|(name, class)| format!("`{name}` ({class})")).collect();
        let claim = format!("`{}` asks about {} and hands it to nobody", step.id.value, read.join(", "));
        let because = "the value is opened for the answer alone; the record has the answer and that it was opened";
        findings.proved(claim, "plan.conditions", "45 CFR 164.502(b)", because);
    }
}

/// The refusal of a class that a medium may not carry.
fn travels(context: &Context<'_>, field: &str, class: Class, medium: &str) -> Option<Diagnostic> {
    if class.is_card() {
        let message = format!("`{field}` is card data ({class}) and goes only from the payment page to a gateway");
        let help = "name `card.last4`, the digits that may be shown";
        return Some(Diagnostic::new(code::CARD_DATA, message).cite(CARD_CITE).help(help));
    }
    if context.assurance.carries(medium, class) {
        return None;
    }
    let message = format!("`{field}` is {class}, which {} may not carry", a(medium));
    let cite = format!("assurance.carry.{medium} ({})", context.assurance.carry_cite);
    let help = match class {
        Class::Phi | Class::Bank => "take it out; show it on the call or on a page, after a verification",
        _ => "take it out",
    };
    Some(Diagnostic::new(code::CLASS_FLOW, message).cite(cite).help(help))
}

/// The refusal of a class that the policy never shows.
fn never_shown(context: &Context<'_>, field: &str, class: Class) -> Option<Diagnostic> {
    if context.assurance.to_disclose(class).is_some() {
        return None;
    }
    let message = format!("`{field}` is {class}, which is never shown");
    let cite = format!("assurance.levels.disclose ({})", context.assurance.cite);
    Some(Diagnostic::new(code::CLASS_FLOW, message).cite(cite).help("take it out"))
}

/// Variables that Selvedge makes exist only in their own place.
fn misplaced(context: &Context<'_>, used: &TemplateUse<'_>, variable: &str) -> Option<Diagnostic> {
    let step = context.workflow.step(used.step)?;
    let unpaid = context.path_without(used.step, |node, exit| {
        matches!(node.op, Op::Charge { .. } | Op::Debit { .. }) && exit == Exit::Done
    });
    let after_pay = || unpaid.is_none();
    let after_card = || {
        let taken = |op: &Op| matches!(op, Op::Charge { .. } | Op::Keep { .. });
        context.path_without(used.step, |node, exit| taken(&node.op) && exit == Exit::Done).is_none()
    };
    let (fits, place) = match variable {
        "challenge.code" => (matches!(step.kind, Kind::Verify(_)), "only in the message of a `verify` step"),
        "payment.link" => {
            let linked = matches!(&step.kind, Kind::Communicate(communicate) if communicate.link.is_some());
            (linked, "only in a `communicate` step with `link:`")
        }
        "payment.amount" | "payment.number" | "payment.date" => {
            (matches!(step.kind, Kind::Pay(_)) || after_pay(), "only in the words of a `pay` step and after it")
        }
        "payment.reference" => (after_pay() && step.kind.page().is_none(), "only after a `pay` step"),
        "card.last4" => (after_card() && step.kind.page().is_none(), "only after a `pay` or `capture` step"),
        _ => (context.dictionary.get(variable)?.source != Source::Host, "in no template"),
    };
    let message =
        format!("there is no `{variable}` in the template `{}` of the step `{}`", used.template.value, used.step);
    let refusal = || Diagnostic::new(code::MISPLACED_VARIABLE, message).help(format!("it exists {place}"));
    (!fits).then(|| refusal().along(unpaid.filter(|_| place.contains("after")).unwrap_or_default()))
}

fn missing_template(context: &Context<'_>, used: &TemplateUse<'_>, language: &str) -> Diagnostic {
    let name = &used.template.value;
    // Beside the file that names it.
    let folder = used.template.span.file.rsplit_once('/').map_or(context.folder, |(folder, _)| folder);
    let file = format!("{folder}/templates/{}.txt", key(name, used.medium, language));
    if !language.is_empty() {
        let message = format!("there is no template `{name}` for {} in `{language}`", a(used.medium));
        let refusal = Diagnostic::new(code::MISSING_FILE, message).at(&used.template.span);
        return refusal.help(format!("write it: `{file}`, or take `{language}` out of `languages:`"));
    }
    let known = context.templates.values().filter(|template| template.medium == used.medium).map(|t| t.name.as_str());
    let help = did_you_mean(name, known).filter(|help| help.starts_with("did"));
    Diagnostic::new(code::MISSING_FILE, format!("there is no template `{name}` for {}", a(used.medium)))
        .at(&used.template.span)
        .help(help.unwrap_or_else(|| format!("write it: `{file}`")))
}

fn unused_templates(context: &Context<'_>, findings: &mut Findings) {
    let used = super::templates_used(context.workflow);
    for (key, template) in context.templates {
        if !used.contains(key) {
            let message = format!("no step uses the template `{}` for {}", template.called(), a(&template.medium));
            let warning = Diagnostic::new(code::UNUSED, message).at(&Span::start_of(&template.file));
            let help = match template.language.as_str() {
                "" => "remove the file, or name it in a step".to_owned(),
                language => {
                    format!("remove the file, or name it in a step and `{language}` in `languages:`, not first")
                }
            };
            findings.warnings.push(warning.help(help));
        }
    }
}

/// A medium in a sentence.
fn a(medium: &str) -> String {
    match medium {
        "sms" => "an SMS".to_owned(),
        other => format!("a {other}"),
    }
}
