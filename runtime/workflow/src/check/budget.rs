//! Proof 5: no run takes more steps or tries, keeps somebody on the line for longer, or stays open for longer than the
//! budget allows (`policies/budget.yaml`).

use super::{Context, Findings};
use crate::source::{Diagnostic, code};

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    let workflow = &context.workflow.name;
    for most in context.most {
        let Some(limit) = context.budget.limit(&workflow.value, most.measure) else { continue };
        let (found, allowed) = (most.measure.amount(most.most), most.measure.amount(limit.most));
        let cite = format!("policies/budget.yaml, {}", context.budget.owner);
        let adds_up = most.adds_up();
        if most.most <= limit.most {
            let adds_up = if adds_up.is_empty() { String::new() } else { format!(" ({adds_up})") };
            let because = format!("at most {found}{adds_up}; {allowed} are allowed");
            findings.proved(most.measure.claim(), &limit.rule, &cite, because);
            continue;
        }
        let largest = most.parts.iter().max_by_key(|part| part.adds);
        let span = largest.map_or_else(|| workflow.span.clone(), |part| context.span_of(&part.step));
        let message = format!("{}, and {allowed} are allowed: {adds_up}", most.measure.in_words(most.most));
        let help = format!(
            "lower what adds up, or have `{}` raised in `workflows/policies/budget.yaml`, for all or as an exception with its reason",
            most.measure.name()
        );
        let refusal = Diagnostic::new(code::OVER_BUDGET, message).at(&span).cite(format!("{} ({cite})", limit.rule));
        findings.refuse(refusal.along(most.path.clone()).help(help));
    }
}
