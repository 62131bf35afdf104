//! Syntax tree to graph. Each step becomes a few primitives; what is left open by a step is joined to the next one.
//! Lowering never fails: a name that leads nowhere leads to the end of the run, and `check` has a word about it.

use crate::dictionary::{Assurance, Dictionary, Level};
use crate::plan::{Amount, Carries, Ending, Exit, Node, Op, Target};
use crate::syntax::{Call, Communicate, Disclose, Kind, Offer, Pay, Step, Verify, Workflow};

/// The one method that the engine can carry out.
pub const CODE: &str = "code";
/// The purpose of a message that carries a code.
pub const IDENTITY: &str = "identity";

/// Where a draft's exit leads before all nodes are known.
#[derive(Clone)]
enum To {
    /// The first node of the next step, or the good end.
    Next,
    /// A node of the same step.
    Node(String),
    /// The end.
    End(Ending),
}

struct Draft {
    name: String,
    op: Op,
    exits: Vec<(Exit, To)>,
}

/// The graph of a workflow; node 0 is the entry.
#[must_use]
pub fn lower(workflow: &Workflow, dictionary: &Dictionary, assurance: &Assurance) -> Vec<Node> {
    let lowering = Lowering { workflow, dictionary, assurance };
    let drafts: Vec<(&Step, Vec<Draft>)> = workflow.steps.iter().map(|step| (step, lowering.step(step))).collect();
    join(drafts)
}

/// The level that a verification proves: what its method proves, and never more than L1 without a check of the
/// channel, for L2 means a checked channel.
#[must_use]
pub fn proven(verify: &Verify, assurance: &Assurance) -> Level {
    let by_method = if verify.by.value == CODE { assurance.method(CODE) } else { Level::L0 };
    let by_channel = if verify.check.is_some() { Level::L2 } else { Level::L1 };
    by_method.min(by_channel)
}

/// What an amount stands for: `plan.first` where `plan` is an offer, or else a money field.
#[must_use]
pub fn amount(workflow: &Workflow, text: &str) -> Amount {
    let offer = text.strip_suffix(".first").and_then(|id| workflow.step(id));
    match offer {
        Some(Step { id, kind: Kind::Offer(_) }) => Amount::FirstPart { offer: id.value.clone() },
        _ => Amount::Field(text.to_owned()),
    }
}

struct Lowering<'a> {
    workflow: &'a Workflow,
    dictionary: &'a Dictionary,
    assurance: &'a Assurance,
}

impl Lowering<'_> {
    fn step(&self, step: &Step) -> Vec<Draft> {
        let id = &step.id.value;
        match &step.kind {
            Kind::Verify(verify) => self.verify(id, verify, &To::Next),
            Kind::Disclose(disclose) => vec![self.disclose(id, disclose)],
            Kind::Offer(offer) => vec![offer_node(id, offer)],
            Kind::Communicate(communicate) => vec![self.communicate(id, communicate)],
            Kind::Pay(pay) => self.pay(id, pay),
            Kind::Call(call) => vec![self.call(id, call)],
        }
    }

    fn call(&self, id: &str, call: &Call) -> Draft {
        let op = Op::Call {
            connector: call.through.value.clone(),
            function: call.function.value.clone(),
            with: call.with.iter().map(|(slot, field)| (slot.value.clone(), field.value.clone())).collect(),
            purpose: call.purpose.as_ref().unwrap_or(&self.workflow.purpose).value.clone(),
            class: call.class.as_ref().map(|class| class.value.clone()),
        };
        Draft { name: format!("{id}.call"), op, exits: done(To::Next, &[Exit::Failed]) }
    }

    /// `check` (where one is asked for), `challenge`, `answer`; the right answer leads to `then`.
    fn verify(&self, id: &str, verify: &Verify, then: &To) -> Vec<Draft> {
        let [check, challenge, answer] = ["check", "challenge", "answer"].map(|part| format!("{id}.{part}"));
        let mut drafts = Vec::new();
        if let Some(verifier) = &verify.check {
            let op = Op::Check { connector: verifier.value.clone(), subject: verify.to.value.clone() };
            drafts.push(Draft { name: check, op, exits: done(To::Node(challenge.clone()), &[Exit::Failed]) });
        }
        let send = Op::Send {
            connector: verify.over.value.clone(),
            to: verify.to.value.clone(),
            template: verify.template.value.clone(),
            purpose: IDENTITY.to_owned(),
            carries: Carries::Code,
        };
        let exits = done(To::Node(answer.clone()), &[Exit::Refused, Exit::Failed]);
        drafts.push(Draft { name: challenge, op: send, exits });
        let op = Op::Answer {
            within: verify.answer_within.value,
            tries: small(verify.tries.value),
            level: verify.level.value.min(proven(verify, self.assurance)),
            valid: verify.valid.value,
        };
        drafts.push(Draft { name: answer, op, exits: done(then.clone(), &[Exit::Failed, Exit::Timeout]) });
        drafts
    }

    fn disclose(&self, id: &str, disclose: &Disclose) -> Draft {
        let fields: Vec<String> = disclose.fields.iter().map(|field| field.value.clone()).collect();
        // A field that must not be shown at all is refused by the checker; until then it asks for the most.
        let level = |field: &String| {
            let class = self.dictionary.class(field);
            class.and_then(|class| self.assurance.to_disclose(class)).unwrap_or(Level::L2)
        };
        let needs = fields.iter().map(level).max().unwrap_or(Level::L2);
        let op = Op::Disclose { fields, over: disclose.over.value.clone(), needs };
        Draft { name: id.to_owned(), op, exits: done(To::Next, &[Exit::Refused]) }
    }

    fn communicate(&self, id: &str, communicate: &Communicate) -> Draft {
        let purpose = communicate.purpose.as_ref().unwrap_or(&self.workflow.purpose);
        let carries = communicate.link.as_ref().map_or(Carries::Nothing, |link| Carries::Link {
            opens: link.opens.value.clone(),
            lasts: link.lasts.value,
        });
        let op = Op::Send {
            connector: communicate.over.value.clone(),
            to: communicate.to.value.clone(),
            template: communicate.template.value.clone(),
            purpose: purpose.value.clone(),
            carries,
        };
        Draft { name: id.to_owned(), op, exits: done(To::Next, &[Exit::Refused, Exit::Failed]) }
    }

    /// `open`, `fresh`, where stale the nodes of the `step-up`, then `card` and `charge`. All of them are left when
    /// the link expires.
    fn pay(&self, id: &str, pay: &Pay) -> Vec<Draft> {
        let [open, fresh, card, charge] = ["open", "fresh", "card", "charge"].map(|part| format!("{id}.{part}"));
        let needs = pay.level.value.max(self.assurance.pay);
        let amount = amount(self.workflow, &pay.amount.value);
        let step_up = pay.step_up.as_ref().and_then(|name| match &self.workflow.step(&name.value)?.kind {
            Kind::Verify(verify) => Some(self.verify(id, verify, &To::Node(card.clone()))),
            _ => None,
        });
        let step_up = step_up.unwrap_or_default();
        let stale = step_up.first().map_or(To::End(Ending::Failed), |first| To::Node(first.name.clone()));
        let mut drafts = vec![
            Draft { name: open, op: Op::Open, exits: done(To::Node(fresh.clone()), &[Exit::Timeout]) },
            Draft {
                name: fresh,
                op: Op::Fresh { needs },
                exits: vec![(Exit::Fresh, To::Node(card.clone())), (Exit::Stale, stale)],
            },
        ];
        drafts.extend(step_up);
        let op = Op::Card { authorization: pay.authorization.value.clone(), amount: amount.clone() };
        drafts.push(Draft { name: card.clone(), op, exits: done(To::Node(charge.clone()), &[Exit::Timeout]) });
        let op = Op::Charge { connector: pay.through.value.clone(), amount, needs, tries: small(pay.tries.value) };
        let mut exits = done(To::Next, &[Exit::Failed]);
        exits.push((Exit::Declined, To::Node(card)));
        drafts.push(Draft { name: charge, op, exits });
        drafts
    }
}

fn offer_node(id: &str, offer: &Offer) -> Draft {
    let op = Op::Offer {
        total: offer.total.value.clone(),
        payments: small(offer.payments.value),
        every: offer.every,
        within: offer.answer_within.value,
    };
    let mut exits = done(To::Next, &[Exit::Timeout]);
    exits.push((Exit::Declined, To::End(Ending::Declined)));
    Draft { name: id.to_owned(), op, exits }
}

/// The usual exits: done leads on, every other one to the bad end.
fn done(then: To, otherwise: &[Exit]) -> Vec<(Exit, To)> {
    let failed = otherwise.iter().map(|exit| (*exit, To::End(Ending::Failed)));
    std::iter::once((Exit::Done, then)).chain(failed).collect()
}

/// The syntax has made sure that counts are small.
fn small(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Turns names into indexes.
fn join(steps: Vec<(&Step, Vec<Draft>)>) -> Vec<Node> {
    let total: usize = steps.iter().map(|(_, drafts)| drafts.len()).sum();
    let mut nodes = Vec::with_capacity(total);
    for (step, drafts) in steps {
        let first = nodes.len();
        let names: Vec<String> = drafts.iter().map(|draft| draft.name.clone()).collect();
        let next = match first + drafts.len() {
            after if after < total => Target::Node(after),
            _ => Target::End(Ending::Completed),
        };
        let target = |to: To| match to {
            To::Next => next,
            To::End(ending) => Target::End(ending),
            To::Node(name) => names
                .iter()
                .position(|known| *known == name)
                .map_or(Target::End(Ending::Failed), |at| Target::Node(first + at)),
        };
        for Draft { name, op, exits } in drafts {
            let exits = exits.into_iter().map(|(exit, to)| (exit, target(to))).collect();
            nodes.push(Node { name, step: step.id.value.clone(), op, exits });
        }
    }
    nodes
}
