//! Proof 6: an SMS is paid for by the part, so how many parts it takes is counted before anybody publishes it: with the
//! shortest and with the longest values of its fields, in each language.

use super::{Context, Findings, MESSAGE, template_uses};
use crate::source::{Diagnostic, Span, code};
use crate::syntax::{Kind, PARTS};
use crate::template::{MAX_SEGMENTS, Template, segments};

const CITE: &str = "3GPP TS 23.038, 23.040";
/// A letter of the plain SMS alphabet, and one that it does not have and that makes every part hold 70 characters.
const PLAIN: char = 'n';
const OTHER: char = 'ж';

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    for used in template_uses(context.workflow).into_iter().filter(|used| used.medium == MESSAGE) {
        let Some(step) = context.workflow.step(used.step) else { continue };
        let own = if let Kind::Communicate(communicate) = &step.kind { communicate.parts.as_ref() } else { None };
        let budget = usize::try_from(own.map_or(PARTS, |own| own.value)).unwrap_or(usize::MAX);
        let (before, mut counted) = (findings.refusals.len(), Vec::new());
        for template in context.texts(&used.template.value, used.medium) {
            match parts(context, template, budget) {
                Ok(parts) => counted.push(parts),
                Err(refusal) => findings.refuse(refusal.along(context.path_to(used.step))),
            }
        }
        if findings.refusals.len() == before {
            let claim = format!("`{}` is sent in {} at most", used.step, in_words(budget));
            findings.proved(claim, "plan.parts", CITE, counted.join("; "));
        }
    }
}

/// How many parts a text takes, in words; or why it may not be sent.
fn parts(context: &Context<'_>, template: &Template, budget: usize) -> Result<String, Box<Diagnostic>> {
    let refuse = |message: String, place: Span, help: &str| {
        let refusal = Diagnostic::new(code::TOO_MANY_PARTS, message).at(&place);
        Err(Box::new(refusal.cite(CITE).help(help)))
    };
    for variable in &template.variables {
        // One that is in no dictionary, or that no SMS may carry, was refused before.
        let Some(info) = context.dictionary.get(variable) else { continue };
        if info.most_characters().is_none() && context.assurance.carries(MESSAGE, info.class) {
            let message = format!("nothing says how long `{variable}` is, so nobody can count the parts of this SMS");
            let help = "write `longest:`, in characters, at the field in `workflows/fields.yaml`";
            return refuse(message, template.place_of(variable), help);
        }
    }
    let count = |letter: char, shortest: bool| {
        let text = template.filled(|variable| {
            let most = context.dictionary.get(variable).and_then(|info| info.most_characters());
            std::iter::repeat_n(letter, if shortest { 1 } else { most.unwrap_or(1) }).collect()
        });
        segments(&text).count
    };
    let (least, most) = (count(PLAIN, true), count(PLAIN, false));
    let other = if template.variables.is_empty() { most } else { count(OTHER, false) };
    let name = template.called();
    if most > budget {
        let message = format!("`{name}` may take {}, and its step lets it take {budget}", in_words(most));
        let help = format!("shorten the text; a `communicate` step can also say `parts: {most}`");
        return refuse(message, Span::start_of(&template.file), &help);
    }
    if other > MAX_SEGMENTS {
        let message = format!("`{name}` may take {other} parts, and no SMS is sent in more than {MAX_SEGMENTS}");
        return refuse(message, Span::start_of(&template.file), "shorten the text, or name fewer fields");
    }
    let taken = if least == most { in_words(most) } else { format!("{least} to {most} parts") };
    let beyond = if other > most {
        format!(", {other} where a value has a letter that no plain SMS has")
    } else {
        String::new()
    };
    Ok(format!("`{name}` takes {taken}{beyond}"))
}

fn in_words(parts: usize) -> String {
    if parts == 1 { "1 part".to_owned() } else { format!("{parts} parts") }
}
