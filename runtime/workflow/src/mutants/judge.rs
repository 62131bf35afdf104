//! The other judge. It walks every path of the plan with a clock, as a customer and the vendors might take it: at each
//! wait either no time passes or as much as may. On the way it keeps by itself who was proved, to what, and until when;
//! it asks the policy by itself what a step needs. It shares the plan with the checker and none of its reasoning.
//!
//! Not counted, here as there: the time that vendors take, and the time on the payment page between the question who it
//! is and the charge; for those the engine asks again at the moment of acting.

mod leave;

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::{ConnectorFacts, ConnectorKind, Sources};
use crate::dictionary::{ANSWERING, Class, FieldType, Source, TEXT_FROM};
use crate::disclosures::Demand;
use crate::lower::{IDENTITY, lower};
use crate::plan::{Amount, Carries, Node, Noted, Op, Target};
use crate::syntax::{Kind, Step};
use crate::template::Template;
use leave::{leave, proved};

/// What can be wrong with a plan.
pub const RULES: [&str; 12] = [
    "identity: shown, charged or kept for someone who is not proved",
    "card data: outside the way from page to gateway",
    "class: data where they may not travel",
    "contact: a message under a purpose that is not its own",
    "address: a message to something that is no address of the customer",
    "grant: a connector is handed what it was not granted, or granted what it must not have",
    "effect: nobody can tell whether it happened",
    "conversation: said on a call that is over, or on a page that is not open",
    "order: a path comes to a step before what it needs",
    "disclosure: without the words that the law wants, or after them in vain",
    "branches: the customer is spoken with in two places at once, or an item is named where there is none",
    "budget: more steps, tries or time than a run may take",
];

const IDENTITY_RULE: &str = RULES[0];
const CARD: &str = RULES[1];
const CLASS: &str = RULES[2];
const CONTACT: &str = RULES[3];
const ADDRESS: &str = RULES[4];
const GRANT: &str = RULES[5];
const EFFECT: &str = RULES[6];
const CONVERSATION: &str = RULES[7];
const ORDER: &str = RULES[8];
const DISCLOSURE: &str = RULES[9];
const BRANCHES: &str = RULES[10];
const BUDGET: &str = RULES[11];

/// More states than any workflow of people has; a plan with more is judged by those.
const MAX_STATES: usize = 200_000;

/// The rules that a plan breaks.
pub fn judge(sources: &Sources, connectors: &BTreeMap<String, ConnectorFacts>) -> BTreeSet<&'static str> {
    let nodes = lower(sources);
    let mut judge = Judge { sources, connectors, nodes: &nodes, broken: BTreeSet::new() };
    for node in &nodes {
        judge.alone(node);
    }
    judge.grants();
    judge.texts();
    judge.branches(&sources.workflow.steps, None);
    judge.break_if(super::spent::over(sources), BUDGET);
    judge.walk();
    judge.broken
}

struct Judge<'a> {
    sources: &'a Sources,
    connectors: &'a BTreeMap<String, ConnectorFacts>,
    nodes: &'a [Node],
    broken: BTreeSet<&'static str>,
}

/// Where a walk is, and what is known there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    at: usize,
    /// How long the best proof of L1 and of L2 still holds.
    left: [i64; 2],
    /// The address whose channel was checked last, and nothing was found.
    checked: Option<String>,
    /// Where the last code went, and whether that channel had been checked.
    code: Option<bool>,
    /// The conversation is a call, not a chat.
    call: bool,
    /// The page is open; the conversation is over.
    page: bool,
    /// Nobody is there any more: time was let pass.
    gone: bool,
    /// Questions that were answered.
    answered: BTreeSet<String>,
    /// Offers that were accepted, links that were sent and how long each works, steps that were paid.
    accepted: BTreeSet<String>,
    links: BTreeMap<String, i64>,
    paid: BTreeSet<String>,
    card: bool,
    /// Words that were said, and those that have to follow yet, with the time that is left for them.
    said: BTreeSet<String>,
    owed: BTreeMap<String, i64>,
    /// The gateway called the card good; it was put on file.
    validated: bool,
    kept: bool,
}

impl Judge<'_> {
    fn break_if(&mut self, wrong: bool, rule: &'static str) {
        if wrong {
            self.broken.insert(rule);
        }
    }

    fn class(&self, path: &str) -> Option<Class> {
        self.sources.dictionary.fields.get(path).map(|info| info.class)
    }

    /// A message in every language that it is there in.
    fn messages(&self, name: &str) -> Vec<&Template> {
        self.sources.templates.values().filter(|template| template.name == name && template.medium == "sms").collect()
    }

    fn pages(&self, name: &str) -> Vec<&Template> {
        self.sources.templates.values().filter(|template| template.name == name && template.medium == "page").collect()
    }

    fn facts(&self, own: &str) -> Option<&ConnectorFacts> {
        let (_, installed) = self.sources.workflow.uses.iter().find(|(name, _)| name.value == own)?;
        self.connectors.get(&installed.value)
    }

    /// What is wrong with a node whatever comes before it.
    fn alone(&mut self, node: &Node) {
        match &node.op {
            Op::Check { connector, subject } => {
                self.address(subject);
                self.hands(connector, ConnectorKind::Verifier, "check", &[subject], IDENTITY);
            }
            Op::Send { connector, to, template, purpose, carries } => {
                self.address(to);
                let code = *carries == Carries::Code;
                self.break_if((purpose == IDENTITY) != code, CONTACT);
                self.hands(connector, ConnectorKind::Channel, "send", &[to, "message.text"], purpose);
                let texts = self.messages(template);
                let (text, variables) = (joined(&texts), named(&texts));
                self.break_if(texts.is_empty(), ORDER);
                self.travels("sms", &variables);
                self.break_if(has_card_number(&text), CARD);
                let linked = matches!(carries, Carries::Link { .. });
                self.break_if(variables.iter().any(|v| v == "challenge.code") && !code, ORDER);
                self.break_if(variables.iter().any(|v| v == "payment.link") && !linked, ORDER);
            }
            Op::Disclose { fields, over, .. } => {
                let source = |path: &String| self.sources.dictionary.fields.get(path).map(|info| info.source);
                let nowhere = fields.iter().any(|path| source(path) != Some(Source::Customer));
                self.break_if(nowhere, ORDER);
                self.travels(over, fields);
            }
            Op::Offer { total, .. } => {
                self.travels("call", std::slice::from_ref(total));
                self.money(total);
            }
            Op::Card { authorization, .. } => {
                let texts = self.pages(authorization);
                let (text, variables) = (joined(&texts), named(&texts));
                self.break_if(texts.is_empty(), ORDER);
                self.travels("page", &variables);
                self.break_if(has_card_number(&text), CARD);
                let elsewhere = ["challenge.code", "payment.link", "payment.reference", "card.last4"];
                self.break_if(variables.iter().any(|v| elsewhere.contains(&v.as_str())), ORDER);
            }
            Op::Charge { connector, amount, .. } => {
                let card = ["card.number", "card.expiry-month", "card.expiry-year", "card.code"];
                let purpose = self.sources.workflow.purpose.value.clone();
                self.hands(connector, ConnectorKind::Gateway, "charge", &card, &purpose);
                if let Amount::Field(path) = amount {
                    self.money(path);
                }
            }
            Op::Validate { connector, .. } => {
                let card = ["card.number", "card.expiry-month", "card.expiry-year", "card.code"];
                let purpose = self.sources.workflow.purpose.value.clone();
                self.hands(connector, ConnectorKind::Gateway, "validate", &card, &purpose);
            }
            Op::Debit { connector, amount } => {
                let purpose = self.sources.workflow.purpose.value.clone();
                let card = ["card.number", "card.expiry-month", "card.expiry-year"];
                self.hands(connector, ConnectorKind::Gateway, "charge", &card, &purpose);
                let Amount::Field(path) = amount else {
                    self.broken.insert(ORDER);
                    return;
                };
                self.money(path);
                // Whoever is told of an amount is told which.
                let own = self.nodes.iter().filter(|other| other.step == node.step);
                let texts = own.flat_map(|other| {
                    if let Op::Send { template, .. } = &other.op { self.messages(template) } else { Vec::new() }
                });
                let silent = texts.clone().any(|template| !template.variables.contains(path)) || texts.count() == 0;
                self.break_if(silent, DISCLOSURE);
            }
            Op::Call { connector, function, with, purpose, class } => {
                let fields: Vec<&str> = with.iter().map(|(_, path)| path.as_str()).collect();
                let card = fields.iter().any(|path| matches!(self.class(path), Some(Class::Pan | Class::Sad)));
                self.break_if(card, CARD);
                self.break_if(purpose == IDENTITY, CONTACT);
                self.hands(connector, ConnectorKind::Service, function, &fields, purpose);
                // A workflow may be more careful than the manifest, never less.
                let order = ["pure", "idempotent", "never-retry"];
                let rank = |class: &str| order.iter().position(|known| *known == class);
                let declared = self.facts(connector).and_then(|facts| rank(facts.effects.get(function)?));
                let wider = class.as_ref().is_some_and(|class| rank(class) < declared);
                self.break_if(wider, EFFECT);
                // Only after a payment is there one to tell of, and what changes nothing undoes nothing.
                let paid = |n: &&Node| n.step == node.step && matches!(n.op, Op::Charge { .. });
                let tells = node.undoes() && self.nodes.iter().any(|n| paid(&n));
                let own = |path: &&str| {
                    self.sources.dictionary.fields.get(*path).map(|info| info.source) == Some(Source::Customer)
                };
                let told = |path: &&str| tells && ["payment.reference", "payment.amount"].contains(path);
                self.break_if(!fields.iter().all(|path| own(path) || told(path)), ORDER);
                self.break_if(node.undoes() && declared == rank("pure"), EFFECT);
            }
            Op::When { condition } => {
                let card = condition.reads.iter().any(|path| matches!(self.class(path), Some(Class::Pan | Class::Sad)));
                self.break_if(card, CARD);
            }
            Op::Ask { question, .. } => self.break_if(has_card_number(question), CARD),
            Op::Record { what: what @ (Noted::Consent(word) | Noted::Withdrawal(word)) } => {
                self.break_if(has_card_number(&word.words), CARD);
                let agreed_to_all = matches!(what, Noted::Consent(_)) && word.purpose == "all";
                self.break_if(word.purpose == IDENTITY || agreed_to_all, CONTACT);
            }
            Op::Record { .. } => {}
            Op::Answer { .. }
            | Op::Open
            | Op::Fresh { .. }
            | Op::Wait { .. }
            | Op::Handoff { .. }
            | Op::Approve { .. }
            | Op::Keep { .. }
            | Op::Changed { .. }
            | Op::Remember { .. } => {}
            Op::Fork { .. } | Op::Join => {}
        }
    }

    fn address(&mut self, path: &str) {
        let info = self.sources.dictionary.fields.get(path);
        let answered = path == TEXT_FROM && ANSWERING.contains(&self.sources.workflow.purpose.value.as_str());
        let is_address =
            answered || info.is_some_and(|info| info.ty == FieldType::Phone && info.source == Source::Customer);
        self.break_if(!is_address, ADDRESS);
    }

    fn money(&mut self, path: &str) {
        let info = self.sources.dictionary.fields.get(path);
        let is_money = info.is_some_and(|info| info.ty == FieldType::Money && info.source == Source::Customer);
        self.break_if(!is_money, ORDER);
    }

    /// Fields that are said or written somewhere.
    fn travels(&mut self, medium: &str, fields: &[String]) {
        for path in fields {
            match self.class(path) {
                None => self.break_if(true, CLASS),
                Some(Class::Pan | Class::Sad) => self.break_if(true, CARD),
                Some(class) => {
                    let may = self.sources.assurance.carry.get(medium).is_some_and(|classes| classes.contains(&class));
                    self.break_if(!may, CLASS);
                }
            }
        }
    }

    /// What a connector is handed, against what it was granted, and whether what it does can be asked about.
    fn hands(&mut self, own: &str, kind: ConnectorKind, function: &str, fields: &[&str], purpose: &str) {
        let Some(facts) = self.facts(own).cloned() else {
            self.broken.insert(ORDER);
            return;
        };
        self.break_if(facts.kind != kind, GRANT);
        self.break_if(fields.iter().any(|field| !facts.fields.contains(*field)), GRANT);
        self.break_if(!facts.purposes.contains(purpose), GRANT);
        let class = facts.effects.get(function).map_or("", String::as_str);
        // What changes nothing outside needs no answer; a message and a charge change something.
        let harmless = class == "pure" && matches!(kind, ConnectorKind::Verifier | ConnectorKind::Service);
        let answered = harmless || ["idempotent", "reconcile", "never-retry"].contains(&class);
        self.break_if(!answered, EFFECT);
    }

    /// Whether the customer is spoken with in these steps, and nowhere else; `item`: of which list they have one.
    fn branches(&mut self, steps: &[Step], item: Option<&str>) -> bool {
        let mut spoken = false;
        for step in steps {
            let own: Vec<String> =
                self.nodes.iter().filter(|n| n.step == step.id.value).flat_map(|n| self.names(n)).collect();
            let stray = own.iter().any(|path| {
                let listed = self.sources.dictionary.fields.get(path).is_some_and(|info| info.list);
                listed && item != path.split('.').next()
            });
            self.break_if(stray, BRANCHES);
            let talks = matches!(step.kind, Kind::Verify(_) | Kind::Disclose(_) | Kind::Offer(_) | Kind::Handoff(_))
                || matches!(step.kind, Kind::Pay(_) | Kind::Capture(_));
            let links = matches!(&step.kind, Kind::Communicate(communicate) if communicate.link.is_some());
            let asks = matches!(step.kind, Kind::Ask(_) | Kind::Approve(_) | Kind::ForEach(_) | Kind::Parallel(_));
            self.break_if(item.is_some() && (talks || links || asks), BRANCHES);
            let inner = match &step.kind {
                Kind::ForEach(each) => Some(each.every.value.as_str()),
                _ => item,
            };
            let places: Vec<bool> = step.kind.inner().into_iter().map(|steps| self.branches(steps, inner)).collect();
            let at_once = matches!(step.kind, Kind::Parallel(_)) && places.iter().filter(|talks| **talks).count() > 1;
            self.break_if(at_once, BRANCHES);
            spoken |= talks || places.contains(&true);
        }
        spoken
    }

    /// The fields that a node names, those of its text with them.
    fn names(&self, node: &Node) -> Vec<String> {
        match &node.op {
            Op::Check { subject, .. } => vec![subject.clone()],
            Op::Send { to, template, .. } => named(&self.messages(template)).into_iter().chain([to.clone()]).collect(),
            Op::Disclose { fields, .. } => fields.clone(),
            Op::Offer { total, .. } | Op::Charge { amount: Amount::Field(total), .. } => vec![total.clone()],
            Op::Debit { amount: Amount::Field(total), .. } => vec![total.clone()],
            Op::Card { authorization, .. } => named(&self.pages(authorization)),
            Op::Call { with, .. } => with.iter().map(|(_, path)| path.clone()).collect(),
            Op::When { condition } => condition.reads.iter().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Nobody is granted what they must not have, whether they are handed it or not.
    fn grants(&mut self) {
        let uses = self.sources.workflow.uses.iter().map(|(_, installed)| installed.value.clone());
        for name in uses.collect::<BTreeSet<_>>() {
            let Some(facts) = self.connectors.get(&name).cloned() else { continue };
            for field in &facts.fields {
                match (self.class(field), facts.kind) {
                    (None, _) => self.break_if(true, GRANT),
                    (Some(Class::Pan | Class::Sad), kind) => self.break_if(kind != ConnectorKind::Gateway, CARD),
                    (Some(Class::Phi | Class::Comms | Class::Recording), ConnectorKind::Gateway) => {
                        self.break_if(true, CLASS);
                    }
                    _ => {}
                }
            }
        }
    }

    fn walk(&mut self) {
        let start = State {
            at: 0,
            left: [0; 2],
            checked: None,
            code: None,
            call: self.sources.workflow.medium() == "call",
            page: false,
            gone: false,
            answered: BTreeSet::new(),
            accepted: BTreeSet::new(),
            links: BTreeMap::new(),
            paid: BTreeSet::new(),
            card: false,
            said: BTreeSet::new(),
            owed: BTreeMap::new(),
            validated: false,
            kept: false,
        };
        let mut seen = BTreeSet::from([start.clone()]);
        let mut open = vec![start];
        while let Some(state) = open.pop() {
            let Some(node) = self.nodes.get(state.at) else { continue };
            self.arrive(node, &state);
            for (exit, target) in &node.exits {
                let Target::Node(next) = *target else {
                    let after = leave(node, *exit, &state, self.sources);
                    self.break_if(after.iter().any(|after| !after.owed.is_empty()), DISCLOSURE);
                    continue;
                };
                for mut after in leave(node, *exit, &state, self.sources) {
                    after.at = next;
                    if seen.len() < MAX_STATES && seen.insert(after.clone()) {
                        open.push(after);
                    }
                }
            }
        }
    }

    /// What is wrong with coming to this node in this state.
    fn arrive(&mut self, node: &Node, state: &State) {
        self.break_if(state.owed.values().any(|left| *left < 0), DISCLOSURE);
        self.spoken(node, state);
        match &node.op {
            Op::Disclose { fields, over, .. } => {
                self.shown(fields, state);
                let there = if state.page {
                    "page"
                } else if state.call {
                    "call"
                } else {
                    "chat"
                };
                self.break_if(over != there || state.gone, CONVERSATION);
            }
            Op::Offer { total, .. } => {
                self.shown(std::slice::from_ref(total), state);
                self.break_if(state.page || state.gone || !state.call, CONVERSATION);
            }
            Op::Card { authorization, amount } => {
                self.shown(&named(&self.pages(authorization)), state);
                amount.iter().for_each(|amount| self.agreed(amount, state));
            }
            Op::Validate { .. } => {
                // Nothing but what was proved since the link was opened counts.
                self.break_if(!proved(state, self.sources.assurance.change_method), IDENTITY_RULE);
                self.break_if(!state.card, ORDER);
            }
            Op::Keep { .. } => self.break_if(!state.validated, ORDER),
            Op::Charge { amount, .. } => {
                self.break_if(!proved(state, self.sources.assurance.pay), IDENTITY_RULE);
                self.break_if(!state.card, ORDER);
                self.agreed(amount, state);
            }
            Op::Handoff { to, .. } => {
                let same = state.call == (to == "call");
                self.break_if(state.page || state.gone || same, CONVERSATION);
            }
            Op::Open => self.break_if(!state.links.contains_key(&node.step), ORDER),
            Op::Answer { .. } => self.break_if(state.code.is_none(), ORDER),
            Op::Send { template, carries, .. } => {
                let variables = named(&self.messages(template));
                let after_payment = |v: &String| v.starts_with("payment.") && v != "payment.link";
                self.break_if(variables.iter().any(after_payment) && state.paid.is_empty(), ORDER);
                let seen_card = !state.paid.is_empty() || state.kept;
                self.break_if(variables.iter().any(|v| v == "card.last4") && !seen_card, ORDER);
                if let Carries::Link { opens, .. } = carries {
                    let later = self.nodes.iter().any(|n| n.step == *opens && n.op == Op::Open);
                    self.break_if(!later || state.paid.contains(opens), ORDER);
                }
            }
            Op::Approve { terms, .. } => self.break_if(!state.accepted.contains(terms), ORDER),
            Op::When { condition } => {
                let mut answers = condition.reads.iter().filter_map(|name| name.strip_suffix(".answer"));
                let unanswered = answers
                    .any(|step| self.class(&format!("{step}.answer")).is_none() && !state.answered.contains(step));
                self.break_if(unanswered, ORDER);
            }
            Op::Check { .. } | Op::Fresh { .. } | Op::Call { .. } | Op::Wait { .. } | Op::Ask { .. } => {}
            // Whether the customer agreed to it and did not stop it, the rules are asked when it is due.
            Op::Changed { .. } | Op::Remember { .. } | Op::Debit { .. } => {}
            Op::Fork { .. } | Op::Join | Op::Record { .. } => {}
        }
    }

    /// What the law wants said before this.
    fn spoken(&mut self, node: &Node, state: &State) {
        let (what, purpose): (&str, &str) = match &node.op {
            Op::Disclose { words: Some(words), .. } => (words, ""),
            Op::Disclose { .. } => ("disclose", ""),
            Op::Offer { .. } => ("offer", ""),
            Op::Send { carries, purpose, .. } if *carries != Carries::Code => ("communicate", purpose),
            Op::Open | Op::Card { .. } | Op::Charge { .. } => ("pay", ""),
            _ => return,
        };
        let purpose = if purpose.is_empty() { &self.sources.workflow.purpose.value } else { purpose };
        for rule in self.sources.disclosures.rules.iter().filter(|rule| rule.purposes.iter().any(|p| p == purpose)) {
            let unsaid = match &rule.then {
                Demand::Verified { level, before } => before.iter().any(|b| b == what) && !proved(state, *level),
                Demand::Said { words, before } => before.iter().any(|b| b == what) && !state.said.contains(words),
                _ => false,
            };
            self.break_if(unsaid, DISCLOSURE);
        }
    }

    /// The texts have the words in them that the law wants there.
    fn texts(&mut self) {
        let sources = self.sources;
        let own = &sources.workflow.purpose.value;
        for node in self.nodes {
            let (texts, places, purpose) = match &node.op {
                Op::Disclose { words: Some(words), over, .. } => {
                    let said = sources.templates.values().filter(|t| t.name == *words && t.medium == *over);
                    (said.collect(), vec![words.as_str()], own)
                }
                Op::Send { template, carries: Carries::Code, .. } => (self.messages(template), vec!["message"], own),
                Op::Send { template, purpose, .. } => {
                    (self.messages(template), vec!["message", "communicate"], purpose)
                }
                _ => continue,
            };
            // A text that is not there is another matter.
            let lacks = texts.into_iter().any(|template| self.lacks(template, &places, purpose));
            self.break_if(lacks, DISCLOSURE);
        }
    }

    /// Whether a text in these places lacks words of its language that a rule wants there.
    fn lacks(&self, template: &Template, places: &[&str], purpose: &String) -> bool {
        let text = template.text.to_lowercase().replace('\n', " ");
        let has = |phrase: &String| text.contains(&phrase.to_lowercase());
        self.sources.disclosures.rules.iter().any(|rule| match &rule.then {
            Demand::Holds { place, every, one_of, fields, languages } => {
                let asked = places.contains(&place.as_str()) && rule.purposes.contains(purpose);
                let fields_named = fields.iter().all(|field| template.variables.contains(field));
                let said = match languages.get(&template.language) {
                    Some(own) => own.every.iter().all(has) && (own.one_of.is_empty() || own.one_of.iter().any(has)),
                    None if !template.language.is_empty() => every.is_empty() && one_of.is_empty(),
                    None => every.iter().all(has) && (one_of.is_empty() || one_of.iter().any(has)),
                };
                asked && !(said && fields_named)
            }
            _ => false,
        })
    }

    fn agreed(&mut self, amount: &Amount, state: &State) {
        if let Amount::FirstPart { offer } = amount {
            self.break_if(!state.accepted.contains(offer), ORDER);
        }
    }

    /// Fields are shown now: the strictest class decides.
    fn shown(&mut self, fields: &[String], state: &State) {
        for class in fields.iter().filter_map(|path| self.class(path)).collect::<BTreeSet<_>>() {
            match self.sources.assurance.disclose.get(&class) {
                Some(level) => self.break_if(!proved(state, *level), IDENTITY_RULE),
                None => self.break_if(true, CLASS),
            }
        }
    }
}

/// The fields that any of these texts names.
fn named(texts: &[&Template]) -> Vec<String> {
    let all: BTreeSet<&String> = texts.iter().flat_map(|text| &text.variables).collect();
    all.into_iter().cloned().collect()
}

/// All of these texts, as one.
fn joined(texts: &[&Template]) -> String {
    texts.iter().map(|text| text.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// Thirteen or more digits in a row, spaces aside, are taken for a card number.
fn has_card_number(text: &str) -> bool {
    let digits = text.chars().filter(|c| *c != ' ' && *c != '-').collect::<String>();
    digits.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= 13)
}
