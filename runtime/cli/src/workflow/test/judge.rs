//! What came of a story against what was expected: one finding for each expectation that does not hold, with both.

use selvedge_workflow::source::{Diagnostic, Span, Spanned};

use super::format::{Decided, Message, Paid, Then};
use super::play::{NOT_AS_EXPECTED, Told};

/// Everything that is not as expected.
pub fn judge(then: &Then, told: &Told) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if then.ending.value != told.ending {
        let message = format!("the ending should be `{}`; {}", then.ending.value, ended(told));
        findings.push(Diagnostic::new(NOT_AS_EXPECTED, message).at(&then.ending.span));
    }
    if let Some(path) = &then.path
        && path.value != told.path
    {
        findings.push(differs("path", &path.span, &[path.value.join(" → ")], &[told.path.join(" → ")]));
    }
    findings.extend(compare("messages", then.messages.as_ref(), &told.messages, same_message, message));
    findings.extend(compare("money", then.money.as_ref(), &told.money, Paid::eq, paid));
    findings.extend(compare("undone", then.undone.as_ref(), &told.undone, String::eq, |step| format!("`{step}`")));
    findings.extend(compare("decisions", then.decisions.as_ref(), &told.decisions, Decided::eq, decided));
    findings
}

fn ended(told: &Told) -> String {
    match told.ending.as_str() {
        "open" => format!("the run is not over: {}", told.standing),
        ending => format!("it is `{ending}`, after `{}`", told.path.last().map_or("nothing", String::as_str)),
    }
}

/// One list against the other; what differs is shown in words.
fn compare<T>(
    what: &str,
    expected: Option<&Spanned<Vec<T>>>,
    actual: &[T],
    same: impl Fn(&T, &T) -> bool,
    words: impl Fn(&T) -> String,
) -> Option<Diagnostic> {
    let expected = expected?;
    let equal = expected.value.len() == actual.len() && expected.value.iter().zip(actual).all(|(e, a)| same(e, a));
    if equal {
        return None;
    }
    let differ = |at: &usize| match (expected.value.get(*at), actual.get(*at)) {
        (Some(expected), Some(actual)) => !same(expected, actual),
        _ => true,
    };
    let places: Vec<usize> = (0..expected.value.len().max(actual.len())).filter(differ).collect();
    let told = |list: &[T]| -> Vec<String> {
        places.iter().map(|at| format!("{}. {}", at + 1, list.get(*at).map_or("nothing".into(), &words))).collect()
    };
    Some(differs(what, &expected.span, &told(&expected.value), &told(actual)))
}

fn differs(what: &str, span: &Span, expected: &[String], actual: &[String]) -> Diagnostic {
    let pairs = expected.iter().zip(actual);
    let lines: Vec<String> = pairs.map(|(e, a)| format!("\n  expected: {e}\n  actual:   {a}")).collect();
    Diagnostic::new(NOT_AS_EXPECTED, format!("`{what}` is not as expected{}", lines.concat())).at(span)
}

/// A message whose time nobody asked for may come at any.
fn same_message(expected: &Message, actual: &Message) -> bool {
    expected.step == actual.step && expected.text == actual.text && (expected.at.is_none() || expected.at == actual.at)
}

fn message(message: &Message) -> String {
    let at = message.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    format!("`{}`{at}: {}", message.step, message.text)
}

fn paid(paid: &Paid) -> String {
    format!("`{}` takes {}", paid.step, paid.amount.in_words())
}

fn decided(decided: &Decided) -> String {
    let until = decided.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
    format!("`{}`: {}{until} by {}", decided.step, decided.verdict, decided.rules.join(", "))
}
