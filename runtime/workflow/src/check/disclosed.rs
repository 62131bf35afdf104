//! Proof 3, the words of it: what the law wants said is said, in its order, in its time and in its words, on every path.
//! The rules are data (`policies/disclosures.yaml`); that somebody is proved before is proof 1, which asks them too.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{link_lasts, longest};
use super::{Context, Findings, chain, template_uses, ticked};
use crate::disclosures::{Demand, DisclosureRule, MESSAGE, holds, is_kind};
use crate::plan::{Exit, Node, Op, Target};
use crate::source::{Diagnostic, Span, code, duration_in_words};
use crate::syntax::Kind;
use crate::template::Template;

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    for rule in &context.disclosures.rules {
        let before = findings.refusals.len();
        let because = match &rule.then {
            Demand::Verified { .. } => continue,
            Demand::Said { words, before } => said(context, rule, words, before, findings),
            Demand::Follows { words, after, within } => follows(context, rule, words, after, *within, findings),
            Demand::Holds { place, .. } => texts(context, rule, place, findings),
        };
        if findings.refusals.len() == before && !because.is_empty() {
            let about = rule.about.trim_end_matches('.');
            findings.proved(about, &rule.id, &rule.cite, because.join("; "));
        }
    }
}

/// What a step is for.
fn purpose_of<'a>(context: &Context<'a>, kind: &'a Kind) -> &'a str {
    let own = match kind {
        Kind::Communicate(communicate) => communicate.purpose.as_ref(),
        Kind::Call(call) => call.purpose.as_ref(),
        _ => None,
    };
    own.unwrap_or(&context.workflow.purpose).value.as_str()
}

/// Whether this node says these words.
fn says(node: &Node, name: &str) -> bool {
    matches!(&node.op, Op::Disclose { words: Some(words), .. } if words == name)
}

fn refusal(rule: &DisclosureRule, code: &str, message: String) -> Diagnostic {
    Diagnostic::new(code, message).cite(format!("{} ({})", rule.id, rule.cite))
}

/// Every path to what `before` names passes the words.
fn said(
    context: &Context<'_>,
    rule: &DisclosureRule,
    words: &str,
    before: &[String],
    findings: &mut Findings,
) -> Vec<String> {
    let mut proved = Vec::new();
    // What lies beyond a step that was refused is refused with it.
    let mut refused: Vec<&str> = Vec::new();
    for step in context.workflow.every_step() {
        let own = match &step.kind {
            Kind::Disclose(disclose) => disclose.words.as_ref().map(|words| words.value.as_str()),
            _ => None,
        };
        // Words go by their own names: who says a greeting shows no fields.
        // Who takes a card for later asks for money as who takes a payment does.
        let kind = match (own, step.kind.page()) {
            (Some(_), _) => "",
            (None, Some(_)) => "pay",
            (None, None) => step.kind.name(),
        };
        let named = before.iter().any(|name| if is_kind(name) { name == kind } else { Some(name.as_str()) == own });
        if !named || own == Some(words) || !rule.is_about(purpose_of(context, &step.kind)) {
            continue;
        }
        let id = &step.id.value;
        match context.path_without(id, |node, exit| says(node, words) && exit == Exit::Done) {
            None => proved.push(format!("every path to `{id}` says `{words}`")),
            Some(path) if path.iter().any(|earlier| refused.contains(&earlier.as_str())) => {}
            Some(path) => {
                refused.push(id);
                let message = format!("a path to `{id}` does not say `{words}` first");
                let help = format!("put `- disclose: {{ …, words: {words} }}` where every path to `{id}` passes it");
                findings.refuse(refusal(rule, code::NOT_SAID, message).at(&step.id.span).along(path).help(help));
            }
        }
    }
    proved
}

/// After those words, every path says these, in time and before it ends.
fn follows(
    context: &Context<'_>,
    rule: &DisclosureRule,
    words: &str,
    after: &str,
    within: i64,
    findings: &mut Findings,
) -> Vec<String> {
    let mut proved = Vec::new();
    if !rule.is_about(&context.workflow.purpose.value) {
        return proved;
    }
    for (at, node) in context.nodes.iter().enumerate().filter(|(_, node)| says(node, after)) {
        let limit = duration_in_words(within);
        let Err((path, late)) = in_time(context.nodes, at, words, within) else {
            proved.push(format!("`{words}` follows `{}` within {limit} on every path", node.step));
            continue;
        };
        let what = if late { format!("more than {limit} may pass") } else { "a path ends".to_owned() };
        let message = format!("after `{}` {what} before `{words}` is said", node.step);
        let help = format!("put `- disclose: {{ …, words: {words} }}` right after `{}`", node.step);
        let mut path = context.steps_along(&path);
        path.remove(0);
        let refusal = refusal(rule, code::NOT_SAID, message).at(&context.span_of(&node.step));
        findings.refuse(refusal.along(path).help(help));
    }
    proved
}

/// `Err`: a path on which the words are not said in time, and whether that is because time passes.
fn in_time(nodes: &[Node], first: usize, words: &str, within: i64) -> Result<(), (Vec<usize>, bool)> {
    let lasts = link_lasts(nodes);
    // The most time that may have passed on the way to a node, and from where. It grows until it is too much.
    let mut passed: BTreeMap<usize, (i64, usize)> = BTreeMap::new();
    let mut work = BTreeSet::from([(first, 0)]);
    while let Some((at, time)) = work.pop_first() {
        let node = &nodes[at];
        if at != first && says(node, words) {
            continue;
        }
        for (exit, target) in &node.exits {
            // Words that were not said are followed by nothing.
            if at == first && *exit != Exit::Done {
                continue;
            }
            let time = time + longest(node, *exit, &lasts);
            match target {
                Target::End(_) => return Err((way_to(&passed, first, at), false)),
                Target::Node(next) => {
                    if time > within {
                        return Err((way_to(&passed, first, at), true));
                    }
                    if passed.get(next).is_none_or(|(known, _)| time > *known) {
                        passed.insert(*next, (time, at));
                        work.insert((*next, time));
                    }
                }
            }
        }
    }
    Ok(())
}

/// The nodes from `first` to `last`, by where each was reached from.
fn way_to(passed: &BTreeMap<usize, (i64, usize)>, first: usize, last: usize) -> Vec<usize> {
    chain(last, |node| if node == first { None } else { passed.get(&node).map(|(_, from)| *from) })
}

/// The texts in a place have the phrases and fields.
fn texts(context: &Context<'_>, rule: &DisclosureRule, place: &str, findings: &mut Findings) -> Vec<String> {
    let mut proved = Vec::new();
    for used in template_uses(context.workflow) {
        let Some(step) = context.workflow.step(used.step) else { continue };
        let asked = match &step.kind {
            Kind::Verify(_) => place == MESSAGE,
            Kind::Communicate(_) => place == MESSAGE || place == step.kind.name(),
            Kind::Debit(_) => place == MESSAGE || place == "communicate",
            Kind::Disclose(_) => place == used.template.value,
            _ => false,
        };
        if !asked || !rule.is_about(purpose_of(context, &step.kind)) {
            continue;
        }
        for template in context.texts(&used.template.value, used.medium) {
            let (name, file) = (template.called(), &template.file);
            let missing = lacks(rule, template);
            if missing.is_empty() {
                proved.push(format!("`{name}` has them"));
                continue;
            }
            let message = format!("the text `{name}` of `{}` lacks {}", used.step, missing.join(" and "));
            let refusal = refusal(rule, code::LACKS_WORDS, message).at(&Span::start_of(file));
            findings.refuse(refusal.along(context.path_to(used.step)).help(format!("write it into `{file}`")));
        }
    }
    proved
}

/// What a text lacks, in words.
fn lacks(rule: &DisclosureRule, template: &Template) -> Vec<String> {
    let Demand::Holds { every, one_of, fields, languages, .. } = &rule.then else { return Vec::new() };
    let (every, one_of) = match (template.language.as_str(), languages.get(&template.language)) {
        ("", _) => (every, one_of),
        (_, Some(phrases)) => (&phrases.every, &phrases.one_of),
        (_, None) if every.is_empty() && one_of.is_empty() => (every, one_of),
        (language, None) => return vec![format!("words that `{}` does not have in `{language}`", rule.id)],
    };
    let absent = |phrase: &&String| !holds(&template.text, phrase);
    let mut missing: Vec<String> = every.iter().filter(absent).map(|phrase| format!("\"{phrase}\"")).collect();
    if !one_of.is_empty() && one_of.iter().all(|phrase| absent(&phrase)) {
        let phrases: Vec<String> = one_of.iter().map(|phrase| format!("\"{phrase}\"")).collect();
        missing.push(phrases.join(" or "));
    }
    let unnamed: Vec<&str> =
        fields.iter().map(String::as_str).filter(|field| !template.variables.iter().any(|v| v == field)).collect();
    if !unnamed.is_empty() {
        missing.push(format!("the field {}", ticked(unnamed)));
    }
    missing
}
