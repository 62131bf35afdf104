//! Proof 1, the order of it: what a step takes from another one is there on every path to it: the link that opens a
//! payment, the offer that an amount or an approval is about, the answer that a condition asks about.

use super::{Context, Findings};
use crate::lower::way;
use crate::plan::{Amount, Carries, Exit, Node, Op};
use crate::source::{Diagnostic, code};
use crate::syntax::{Choose, Kind};

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    for step in context.workflow.every_step() {
        match &step.kind {
            Kind::Communicate(communicate) => {
                let Some(link) = &communicate.link else { continue };
                let opens = &link.opens.value;
                let carried = |node: &Node, exit| exit == Exit::Done && carries(node, opens);
                if context.workflow.step(opens).is_none_or(|target| target.kind.page().is_none()) {
                    continue; // That no such step has a page is said elsewhere.
                }
                if let Some(path) = context.path_without(opens, carried) {
                    let message = format!("a path to `{opens}` passes no message with its link");
                    let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&link.opens.span).along(path);
                    let help = format!("move `{}` to where every path to `{opens}` passes it", step.id.value);
                    findings.refuse(refusal.help(help));
                }
            }
            Kind::Pay(pay) => {
                let Amount::FirstPart { offer } = crate::lower::amount(context.workflow, &pay.amount.value) else {
                    continue;
                };
                let accepted = |node: &Node, exit| node.step == offer && exit == Exit::Done;
                if let Some(path) = context.path_without(&step.id.value, accepted) {
                    let id = &step.id.value;
                    let message = format!("`{id}` takes its amount from `{offer}`, which a path to it does not pass");
                    let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&pay.amount.span).along(path);
                    findings.refuse(refusal.help(format!("move `{offer}` to where every path to `{id}` passes it")));
                }
            }
            Kind::Approve(approve) => {
                let offer = &approve.terms.value;
                let accepted = |node: &Node, exit| node.step == *offer && exit == Exit::Done;
                let is_offer = context.workflow.step(offer).is_some_and(|step| matches!(step.kind, Kind::Offer(_)));
                if let (true, Some(path)) = (is_offer, context.path_without(&step.id.value, accepted)) {
                    let id = &step.id.value;
                    let message = format!("`{id}` approves the terms of `{offer}`, which a path to it does not pass");
                    let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&approve.terms.span).along(path);
                    findings.refuse(refusal.help(format!("move `{offer}` to where every path to `{id}` passes it")));
                }
            }
            Kind::Choose(choose) => answered(context, &step.id.value, choose, findings),
            _ => {}
        }
    }
}

/// What a condition asks about was answered on every path to it.
fn answered(context: &Context<'_>, id: &str, choose: &Choose, findings: &mut Findings) {
    for (at, when) in choose.when.iter().enumerate() {
        let node = context.nodes.iter().find(|node| node.name == way(id, at)).map(|node| &node.op);
        let Some(Op::When { condition }) = node else { continue };
        for asked in condition.reads.iter().filter(|name| context.dictionary.get(name).is_none()) {
            let Some(ask) = asked.strip_suffix(".answer") else { continue };
            if let Some(path) = context.path_without(id, |node, _| node.step == ask) {
                let message = format!("`{id}` asks about `{asked}`, which a path to it does not pass");
                let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&when.condition.span).along(path);
                findings.refuse(refusal.help(format!("move `{ask}` to where every path to `{id}` passes it")));
            }
        }
    }
}

fn carries(node: &Node, step: &str) -> bool {
    matches!(&node.op, Op::Send { carries: Carries::Link { opens, .. }, .. } if opens == step)
}
