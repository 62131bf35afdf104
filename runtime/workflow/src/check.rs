//! Is the plan safe? Each proof is a file of its own: it gives what it proved, or refuses and names the place, the
//! path, the rule and what would mend it. All proofs run, so that everything is told at once.

mod branches;
mod budget;
mod conversation;
mod disclosed;
mod effects;
mod flow;
mod grants;
mod names;
mod order;
mod parts;
mod paths;
mod twice;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) use conversation::MAX_HOLD;
pub(crate) use paths::{HELD, link_lasts, longest};

use crate::budget::{Budget, Most};
use crate::compile::{ConnectorFacts, ConnectorKind, Proof};
use crate::dictionary::{ANSWERING, Assurance, Dictionary, FieldType, Source, TEXT_FROM};
use crate::disclosures::Disclosures;
use crate::plan::{Exit, Node, PAYMENT, Target};
use crate::source::{Diagnostic, Span, Spanned};
use crate::syntax::{Kind, Step, Workflow};
use crate::template::{Template, key};

/// What every channel carries, until a channel can say which medium it is.
pub(crate) const MESSAGE: &str = "sms";
/// What the words of a payment are written for.
pub(crate) const PAGE: &str = "page";

/// Everything that a proof may look at.
pub(crate) struct Context<'a> {
    pub folder: &'a str,
    pub workflow: &'a Workflow,
    pub dictionary: &'a Dictionary,
    pub assurance: &'a Assurance,
    pub disclosures: &'a Disclosures,
    pub budget: &'a Budget,
    /// What a run takes at most.
    pub most: &'a [Most],
    /// By `<name>.<medium>`.
    pub templates: &'a BTreeMap<String, Template>,
    pub connectors: &'a BTreeMap<String, ConnectorFacts>,
    pub nodes: &'a [Node],
}

/// What came out.
#[derive(Default)]
pub(crate) struct Findings {
    pub refusals: Vec<Diagnostic>,
    pub proofs: Vec<Proof>,
    pub warnings: Vec<Diagnostic>,
}

impl Findings {
    fn refuse(&mut self, diagnostic: Diagnostic) {
        self.refusals.push(diagnostic);
    }

    fn proved(&mut self, claim: impl Into<String>, rule: &str, cite: &str, because: impl Into<String>) {
        let (rule, cite) = (rule.to_owned(), cite.to_owned());
        self.proofs.push(Proof { claim: claim.into(), rule, cite, because: because.into() });
    }
}

/// Brings diagnostics into the order of the text, each once.
pub(crate) fn in_order(found: &mut Vec<Diagnostic>) {
    found.sort_by(|a, b| a.span.cmp(&b.span));
    found.dedup();
}

/// Runs all proofs. Refusals come in the order of the text.
pub(crate) fn check(context: &Context<'_>) -> Findings {
    let mut findings = Findings::default();
    paths::check(context, &mut findings);
    conversation::check(context, &mut findings);
    disclosed::check(context, &mut findings);
    branches::check(context, &mut findings);
    flow::check(context, &mut findings);
    grants::check(context, &mut findings);
    effects::check(context, &mut findings);
    order::check(context, &mut findings);
    parts::check(context, &mut findings);
    names::check(context, &mut findings);
    twice::check(context, &mut findings);
    budget::check(context, &mut findings);
    in_order(&mut findings.refusals);
    findings
}

impl<'a> Context<'a> {
    /// The connector behind one of the workflow's own names, with its installed name.
    fn connector(&self, own: &str) -> Option<(&'a str, &'a ConnectorFacts)> {
        let (_, installed) = self.workflow.uses.iter().find(|(name, _)| name.value == own)?;
        self.connectors.get_key_value(&installed.value).map(|(name, facts)| (name.as_str(), facts))
    }

    /// The same, where it is of the kind that is needed: granting more to the wrong one would mend nothing.
    fn fitting(&self, own: &str, kind: ConnectorKind) -> Option<(&'a str, &'a ConnectorFacts)> {
        self.connector(own).filter(|(_, facts)| facts.kind == kind)
    }

    /// Whether a message can be sent to what this field holds. Only who answers a text knows where it came from.
    fn is_address(&self, field: &str) -> bool {
        if field == TEXT_FROM {
            return ANSWERING.contains(&self.workflow.purpose.value.as_str());
        }
        let info = self.dictionary.get(field);
        info.is_some_and(|info| info.ty == FieldType::Phone && info.source == Source::Customer)
    }

    /// Whether a step can hand this field to a service: it is the customer's, and no card data; or it tells what undoes a
    /// payment of the payment itself.
    fn may_be_handed(&self, step: &Step, field: &str) -> bool {
        let info = self.dictionary.get(field);
        let own = matches!(step.kind, Kind::Pay(_)) && PAYMENT.contains(&field);
        own || info.is_some_and(|info| info.source == Source::Customer && !info.class.is_card())
    }

    fn template(&self, name: &str, medium: &str) -> Option<&'a Template> {
        self.text(name, medium, "")
    }

    /// A text in one of [`Context::languages`].
    fn text(&self, name: &str, medium: &str, language: &str) -> Option<&'a Template> {
        self.templates.get(&key(name, medium, language))
    }

    /// The languages of the texts as their files say them: the first of the workflow's stands in no file's name.
    fn languages(&self) -> impl Iterator<Item = &'a str> {
        languages(self.workflow)
    }

    /// A text in every language that it is there in.
    fn texts(&self, name: &str, medium: &str) -> impl Iterator<Item = &'a Template> {
        self.languages().filter_map(move |language| self.text(name, medium, language))
    }

    /// Where the id of a step is written.
    fn span_of(&self, step: &str) -> Span {
        self.workflow.step(step).map(|step| step.id.span.clone()).unwrap_or_default()
    }

    /// The shortest way to a step, as step names from `start`.
    fn path_to(&self, step: &str) -> Vec<String> {
        self.path_without(step, |_, _| false).unwrap_or_else(|| vec!["start".to_owned(), step.to_owned()])
    }

    /// The shortest way to a step that leaves no node by an exit of which `passes` is true; `None`: every path to it
    /// does, or none leads there.
    fn path_without(&self, step: &str, passes: impl Fn(&Node, Exit) -> bool) -> Option<Vec<String>> {
        let mut from: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut queue = VecDeque::from([0]);
        while let Some(at) = queue.pop_front() {
            let Some(node) = self.nodes.get(at) else { break };
            if node.step == step {
                return Some(self.steps_along(&chain(at, |node| from[node])));
            }
            for (exit, target) in &node.exits {
                match target {
                    Target::Node(next) if *next != 0 && from[*next].is_none() && !passes(node, *exit) => {
                        from[*next] = Some(at);
                        queue.push_back(*next);
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// Step names of nodes in their order, each once in a row, from `start`.
    fn steps_along(&self, nodes: &[usize]) -> Vec<String> {
        let mut path = vec!["start".to_owned()];
        path.extend(nodes.iter().filter_map(|node| self.nodes.get(*node)).map(|node| node.step.clone()));
        path.dedup();
        path
    }
}

/// The nodes from the entry to `last`, given each node's predecessor. A node is visited once: a loop ends it.
fn chain(last: usize, before: impl Fn(usize) -> Option<usize>) -> Vec<usize> {
    let mut nodes = vec![last];
    let mut seen = BTreeSet::from([last]);
    let mut at = last;
    while let Some(earlier) = before(at) {
        if !seen.insert(earlier) {
            break;
        }
        nodes.push(earlier);
        at = earlier;
    }
    nodes.reverse();
    nodes
}

/// One use of a template by a step.
pub(crate) struct TemplateUse<'a> {
    pub step: &'a str,
    pub template: &'a Spanned<String>,
    pub medium: &'a str,
}

/// Every use of a template, in the order of the steps.
pub(crate) fn template_uses(workflow: &Workflow) -> Vec<TemplateUse<'_>> {
    workflow
        .every_step()
        .into_iter()
        .filter_map(|step| {
            let (template, medium) = match &step.kind {
                Kind::Verify(verify) => (&verify.template, MESSAGE),
                Kind::Communicate(communicate) => (&communicate.template, MESSAGE),
                Kind::Debit(debit) => (&debit.notice.template, MESSAGE),
                Kind::Disclose(disclose) => (disclose.words.as_ref()?, disclose.over.value.as_str()),
                kind => (&kind.page()?.authorization, PAGE),
            };
            Some(TemplateUse { step: &step.id.value, template, medium })
        })
        .collect()
}

/// The keys of the templates that a workflow uses.
pub(crate) fn templates_used(workflow: &Workflow) -> BTreeSet<String> {
    let keys = |used: &TemplateUse<'_>| {
        let (name, medium) = (used.template.value.clone(), used.medium.to_owned());
        languages(workflow).map(move |language| key(&name, &medium, language)).collect::<Vec<_>>()
    };
    template_uses(workflow).iter().flat_map(keys).collect()
}

fn languages(workflow: &Workflow) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(workflow.languages.iter().skip(1).map(|language| language.value.as_str()))
}

/// `a`, `b`: in backticks.
fn ticked<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
