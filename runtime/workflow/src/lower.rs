//! Syntax tree to graph. Each step becomes a few primitives, and leads on to the step after it.
//! Lowering never fails: a name that leads nowhere leads to the end of the run, and `check` has a word about it.

use std::collections::BTreeMap;

use crate::compile::Sources;
use crate::dictionary::{Assurance, Level, Source};
use crate::expression::Condition;
use crate::plan::{Amount, Carries, Each, Ending, Exit, Node, Op, Target, undo_of};
use crate::syntax::{
    Call, Capture, Choose, Communicate, Debit, Disclose, Handoff, Kind, Offer, OnPage, Pay, Step, Undo, Verify,
    Workflow,
};

/// The one method that the engine can carry out.
pub const CODE: &str = "code";
/// The purpose of a message that carries a code.
pub const IDENTITY: &str = "identity";

/// Where a draft's exit leads before all nodes are known.
#[derive(Clone)]
enum To {
    /// The node of this name.
    Node(String),
    /// The end.
    End(Ending),
}

struct Draft {
    name: String,
    step: String,
    op: Op,
    exits: Vec<(Exit, To)>,
}

/// The conditions of a workflow by the nodes that ask them, read.
pub type Conditions = BTreeMap<String, Condition>;

/// The name under which a condition finds the answer of an `ask` step: `review.answer`.
#[must_use]
pub fn answer(ask: &str) -> String {
    format!("{ask}.answer")
}

/// The node that asks a way of a `choose` step: `route.1` for the first.
#[must_use]
pub fn way(choose: &str, at: usize) -> String {
    format!("{choose}.{}", at + 1)
}

/// The graph of a workflow; node 0 is the entry.
pub(crate) fn lower(sources: &Sources) -> Vec<Node> {
    let lowering = Lowering { sources, workflow: &sources.workflow, assurance: &sources.assurance };
    join(lowering.sequence(&sources.workflow.steps, &To::End(Ending::Completed)))
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
    sources: &'a Sources,
    workflow: &'a Workflow,
    assurance: &'a Assurance,
}

impl Lowering<'_> {
    /// Steps that follow one another; the last one leads on to `then`.
    fn sequence(&self, steps: &[Step], then: &To) -> Vec<Draft> {
        let (mut then, mut drafts) = (then.clone(), Vec::new());
        // From the last to the first, so that each knows what it leads on to.
        for step in steps.iter().rev() {
            let mut own = self.step(step, &then);
            then = own.first().map_or(then, |first| To::Node(first.name.clone()));
            if let Some(Undo::Call(call)) = step.kind.undo() {
                let undo = self.call(&step.id.value, call, &To::End(Ending::Failed));
                own.push(Draft { name: undo_of(&step.id.value), ..undo });
            }
            drafts.push(own);
        }
        drafts.into_iter().rev().flatten().collect()
    }

    fn step(&self, step: &Step, then: &To) -> Vec<Draft> {
        let id = &step.id.value;
        match &step.kind {
            Kind::Verify(verify) => self.verify(id, verify, then),
            Kind::Disclose(disclose) => vec![self.disclose(id, disclose, then)],
            Kind::Offer(offer) => vec![offer_node(id, offer, then)],
            Kind::Communicate(communicate) => vec![self.communicate(id, communicate, then)],
            Kind::Pay(pay) => self.pay(id, pay, then),
            Kind::Capture(capture) => self.capture(id, capture, then),
            Kind::Debit(debit) => self.debit(id, debit, then),
            Kind::Call(call) => vec![self.call(id, call, then)],
            Kind::Wait(wait) => {
                let op = Op::Wait { lasts: wait.lasts.value };
                vec![Draft { name: id.clone(), step: id.clone(), op, exits: done(then.clone(), &[]) }]
            }
            Kind::Handoff(handoff) => self.handoff(id, handoff, then),
            Kind::Choose(choose) => self.choose(id, choose, then),
            Kind::Parallel(parallel) => self.fork(id, &parallel.branches, None, parallel.go_on, then),
            Kind::Subworkflow(sub) => self.sequence(&sub.steps, then),
            Kind::ForEach(each) => {
                let list = Each { every: each.every.value.clone(), at_once: small(each.at_once.value) };
                self.fork(id, std::slice::from_ref(&each.steps), Some(list), each.go_on, then)
            }
            Kind::Ask(ask) => {
                let op = Op::Ask {
                    question: ask.question.value.clone(),
                    of: ask.of.value.clone(),
                    answers: ask.answers.iter().map(|answer| answer.value.clone()).collect(),
                    within: ask.within.value,
                    otherwise: ask.otherwise.value.clone(),
                };
                // Nobody's answer is an answer too, and the run goes on with it.
                let exits = vec![(Exit::Done, then.clone()), (Exit::Timeout, then.clone())];
                vec![Draft { name: id.clone(), step: id.clone(), op, exits }]
            }
            Kind::Record(record) => {
                let op = Op::Record { what: record.what.clone() };
                vec![Draft { name: id.clone(), step: id.clone(), op, exits: done(then.clone(), &[]) }]
            }
            Kind::Approve(approve) => {
                let (terms, of) = (approve.terms.value.clone(), approve.of.value.clone());
                let op = Op::Approve { terms, of, within: approve.within.value };
                let exits = done(then.clone(), &[Exit::Refused, Exit::Timeout]);
                vec![Draft { name: id.clone(), step: id.clone(), op, exits }]
            }
        }
    }

    /// A node for each way, asked in their order, and the steps of each; all of them lead on to `then`.
    fn choose(&self, id: &str, choose: &Choose, then: &To) -> Vec<Draft> {
        let first = |drafts: &[Draft]| drafts.first().map_or(then.clone(), |first| To::Node(first.name.clone()));
        let otherwise = self.sequence(&choose.otherwise, then);
        let mut no = first(&otherwise);
        let mut ways = Vec::new();
        for (at, when) in choose.when.iter().enumerate().rev() {
            let name = way(id, at);
            // A condition that could not be read was refused before.
            let Some(condition) = self.sources.conditions.get(&name).cloned() else { continue };
            let steps = self.sequence(&when.steps, then);
            let exits = vec![(Exit::Yes, first(&steps)), (Exit::No, no), (Exit::Failed, To::End(Ending::Failed))];
            no = To::Node(name.clone());
            ways.push((Draft { name, step: id.to_owned(), op: Op::When { condition }, exits }, steps));
        }
        let ways = ways.into_iter().rev().flat_map(|(ask, steps)| std::iter::once(ask).chain(steps));
        ways.chain(otherwise).collect()
    }

    /// A node that begins the branches, the steps of each, and the node where they meet, which leads on to `then`.
    fn fork(&self, id: &str, branches: &[Vec<Step>], each: Option<Each>, go_on: bool, then: &To) -> Vec<Draft> {
        let (step, join) = (|| id.to_owned(), format!("{id}.join"));
        let meet = To::Node(join.clone());
        let (mut starts, mut inner) = (Vec::new(), Vec::new());
        for (branch, steps) in (0..).zip(branches) {
            let mut own = self.sequence(steps, &meet);
            if go_on {
                // What would end the run brings this branch to where they meet.
                let forward = own.iter_mut().filter(|draft| draft.name != undo_of(&draft.step));
                let exits = forward.flat_map(|draft| &mut draft.exits);
                exits.filter(|(_, to)| matches!(to, To::End(_))).for_each(|(_, to)| *to = meet.clone());
            }
            let start = own.first().map_or_else(|| meet.clone(), |first| To::Node(first.name.clone()));
            starts.push((Exit::Branch(branch), start));
            inner.extend(own);
        }
        let fork =
            Draft { name: id.to_owned(), step: step(), op: Op::Fork { join: join.clone(), each }, exits: starts };
        let exits = done(then.clone(), &[Exit::Failed]);
        let join = Draft { name: join, step: step(), op: Op::Join, exits };
        std::iter::once(fork).chain(inner).chain([join]).collect()
    }

    fn call(&self, id: &str, call: &Call, then: &To) -> Draft {
        let op = Op::Call {
            connector: call.through.value.clone(),
            function: call.function.value.clone(),
            with: call.with.iter().map(|(slot, field)| (slot.value.clone(), field.value.clone())).collect(),
            purpose: call.purpose.as_ref().unwrap_or(&self.workflow.purpose).value.clone(),
            class: call.class.as_ref().map(|class| class.value.clone()),
        };
        let exits = done(then.clone(), &[Exit::Failed]);
        Draft { name: format!("{id}.call"), step: id.to_owned(), op, exits }
    }

    /// `check` (where one is asked for), `challenge`, `answer`; the right answer leads to `then`.
    fn verify(&self, id: &str, verify: &Verify, then: &To) -> Vec<Draft> {
        let [check, challenge, answer] = ["check", "challenge", "answer"].map(|part| format!("{id}.{part}"));
        let step = || id.to_owned();
        let mut drafts = Vec::new();
        if let Some(verifier) = &verify.check {
            let op = Op::Check { connector: verifier.value.clone(), subject: verify.to.value.clone() };
            drafts.push(Draft {
                name: check,
                step: step(),
                op,
                exits: done(To::Node(challenge.clone()), &[Exit::Failed]),
            });
        }
        let send = Op::Send {
            connector: verify.over.value.clone(),
            to: verify.to.value.clone(),
            template: verify.template.value.clone(),
            purpose: IDENTITY.to_owned(),
            carries: Carries::Code,
        };
        let exits = done(To::Node(answer.clone()), &[Exit::Refused, Exit::Failed]);
        drafts.push(Draft { name: challenge, step: step(), op: send, exits });
        let op = Op::Answer {
            within: verify.answer_within.value,
            tries: small(verify.tries.value),
            level: verify.level.value.min(proven(verify, self.assurance)),
            valid: verify.valid.value,
        };
        drafts.push(Draft {
            name: answer,
            step: step(),
            op,
            exits: done(then.clone(), &[Exit::Failed, Exit::Timeout]),
        });
        drafts
    }

    /// `handoff`, then `fresh`, and where stale the nodes of the `step-up`: a proof that was carried and holds is not asked
    /// for again.
    fn handoff(&self, id: &str, handoff: &Handoff, then: &To) -> Vec<Draft> {
        let [wait, fresh] = ["handoff", "fresh"].map(|part| format!("{id}.{part}"));
        let step = || id.to_owned();
        let verify = self.verification(&handoff.step_up.value);
        let needs = verify.map_or(Level::L2, |verify| verify.level.value.min(proven(verify, self.assurance)));
        let step_up = verify.map(|verify| self.verify(id, verify, then)).unwrap_or_default();
        let stale = step_up.first().map_or(To::End(Ending::Failed), |first| To::Node(first.name.clone()));
        let op = Op::Handoff { to: handoff.to.value.clone(), within: handoff.within.value };
        let exits = done(To::Node(fresh.clone()), &[Exit::Timeout]);
        let mut drafts = vec![
            Draft { name: wait, step: step(), op, exits },
            Draft {
                name: fresh,
                step: step(),
                op: Op::Fresh { needs, anew: false },
                exits: vec![(Exit::Fresh, then.clone()), (Exit::Stale, stale)],
            },
        ];
        drafts.extend(step_up);
        drafts
    }

    /// The `verify` step of this name.
    fn verification(&self, name: &str) -> Option<&Verify> {
        match &self.workflow.step(name)?.kind {
            Kind::Verify(verify) => Some(verify),
            _ => None,
        }
    }

    fn disclose(&self, id: &str, disclose: &Disclose, then: &To) -> Draft {
        let (dictionary, over) = (&self.sources.dictionary, &disclose.over.value);
        let mut fields: Vec<String> = disclose.fields.iter().map(|field| field.value.clone()).collect();
        let words = disclose.words.as_ref().map(|words| words.value.clone());
        let template = words.as_ref().and_then(|words| self.sources.templates.get(&format!("{words}.{over}")));
        // What the words name of the customer is shown with them.
        for variable in template.into_iter().flat_map(|template| &template.variables) {
            let shown = dictionary.get(variable).is_some_and(|info| info.source == Source::Customer);
            if shown && !fields.contains(variable) {
                fields.push(variable.clone());
            }
        }
        // A field that must not be shown at all is refused by the checker; until then it asks for the most.
        let level = |field: &String| {
            let class = dictionary.class(field);
            class.and_then(|class| self.assurance.to_disclose(class)).unwrap_or(Level::L2)
        };
        let said =
            words.as_ref().map(|words| self.sources.disclosures.level(words).map_or(Level::L0, |(level, _)| level));
        let needs = fields.iter().map(level).chain(said).max().unwrap_or(Level::L2);
        let op = Op::Disclose { fields, words, over: over.clone(), needs };
        Draft { name: id.to_owned(), step: id.to_owned(), op, exits: done(then.clone(), &[Exit::Refused]) }
    }

    fn communicate(&self, id: &str, communicate: &Communicate, then: &To) -> Draft {
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
        let exits = done(then.clone(), &[Exit::Refused, Exit::Failed]);
        Draft { name: id.to_owned(), step: id.to_owned(), op, exits }
    }

    /// The page, then `charge`.
    fn pay(&self, id: &str, pay: &Pay, then: &To) -> Vec<Draft> {
        let charge = format!("{id}.charge");
        let needs = pay.page.level.value.max(self.assurance.pay);
        let amount = amount(self.workflow, &pay.amount.value);
        let mut drafts = self.page(id, &pay.page, needs, Some(amount.clone()), &charge);
        let tries = small(pay.page.tries.value);
        let op = Op::Charge { connector: pay.through.value.clone(), amount, needs, tries };
        let exits = with_card(id, then.clone());
        drafts.push(Draft { name: charge, step: id.to_owned(), op, exits });
        drafts
    }

    /// The page, then `validate`, and `keep` where the card is good.
    fn capture(&self, id: &str, capture: &Capture, then: &To) -> Vec<Draft> {
        let [validate, keep] = ["validate", "keep"].map(|part| format!("{id}.{part}"));
        let needs = capture.page.level.value.max(self.assurance.change_method);
        let mut drafts = self.page(id, &capture.page, needs, None, &validate);
        let tries = small(capture.page.tries.value);
        let op = Op::Validate { connector: capture.through.value.clone(), needs, tries };
        let exits = with_card(id, To::Node(keep.clone()));
        drafts.push(Draft { name: validate, step: id.to_owned(), op, exits });
        let op = Op::Keep { lasts: capture.lasts.value };
        drafts.push(Draft { name: keep, step: id.to_owned(), op, exits: done(then.clone(), &[]) });
        drafts
    }

    /// `changed`; where the amount is another one `notice`, `told` and `wait`; then `debit`, and `charged` where it was.
    fn debit(&self, id: &str, debit: &Debit, then: &To) -> Vec<Draft> {
        let part = |part: &str| format!("{id}.{part}");
        let to = |name: &str| To::Node(part(name));
        let draft = |name: &str, op: Op, exits| Draft { name: part(name), step: id.to_owned(), op, exits };
        let amount = || amount(self.workflow, &debit.amount.value);
        let notice = Op::Send {
            connector: debit.notice.over.value.clone(),
            to: debit.notice.to.value.clone(),
            template: debit.notice.template.value.clone(),
            purpose: self.workflow.purpose.value.clone(),
            carries: Carries::Nothing,
        };
        let money = Op::Debit { connector: debit.through.value.clone(), amount: amount() };
        let wait = Op::Wait { lasts: debit.notice.before.value };
        vec![
            draft(
                "changed",
                Op::Changed { amount: amount() },
                vec![(Exit::Yes, to("notice")), (Exit::No, to("debit"))],
            ),
            draft("notice", notice, done(to("told"), &[Exit::Refused, Exit::Failed])),
            draft("told", Op::Remember { amount: amount(), charged: false }, done(to("wait"), &[])),
            draft("wait", wait, done(to("debit"), &[])),
            draft("debit", money, done(to("charged"), &[Exit::Refused, Exit::Declined, Exit::Failed])),
            draft("charged", Op::Remember { amount: amount(), charged: true }, done(then.clone(), &[])),
        ]
    }

    /// `open`, `fresh`, where stale the nodes of the `step-up`, then `card`, which leads on to the node `then`. All of
    /// them are left when the link expires.
    fn page(&self, id: &str, page: &OnPage, needs: Level, amount: Option<Amount>, then: &str) -> Vec<Draft> {
        let [open, fresh, card] = ["open", "fresh", "card"].map(|part| format!("{id}.{part}"));
        let step = || id.to_owned();
        let verify = page.step_up.as_ref().and_then(|name| self.verification(&name.value));
        let step_up = verify.map(|verify| self.verify(id, verify, &To::Node(card.clone()))).unwrap_or_default();
        let stale = step_up.first().map_or(To::End(Ending::Failed), |first| To::Node(first.name.clone()));
        let mut drafts = vec![
            Draft { name: open, step: step(), op: Op::Open, exits: done(To::Node(fresh.clone()), &[Exit::Timeout]) },
            Draft {
                name: fresh,
                step: step(),
                op: Op::Fresh { needs, anew: amount.is_none() },
                exits: vec![(Exit::Fresh, To::Node(card.clone())), (Exit::Stale, stale)],
            },
        ];
        drafts.extend(step_up);
        let op = Op::Card { authorization: page.authorization.value.clone(), amount };
        let exits = done(To::Node(then.to_owned()), &[Exit::Timeout]);
        drafts.push(Draft { name: card, step: step(), op, exits });
        drafts
    }
}

/// A declined card brings the customer back to the page.
fn with_card(id: &str, then: To) -> Vec<(Exit, To)> {
    let mut exits = done(then, &[Exit::Failed]);
    exits.push((Exit::Declined, To::Node(format!("{id}.card"))));
    exits
}

fn offer_node(id: &str, offer: &Offer, then: &To) -> Draft {
    let op = Op::Offer {
        total: offer.total.value.clone(),
        payments: small(offer.payments.value),
        every: offer.every,
        within: offer.answer_within.value,
    };
    let mut exits = done(then.clone(), &[Exit::Timeout]);
    exits.push((Exit::Declined, To::End(Ending::Declined)));
    Draft { name: id.to_owned(), step: id.to_owned(), op, exits }
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
fn join(drafts: Vec<Draft>) -> Vec<Node> {
    let indexes: BTreeMap<String, usize> =
        drafts.iter().enumerate().map(|(index, draft)| (draft.name.clone(), index)).collect();
    let target = |to: To| match to {
        To::End(ending) => Target::End(ending),
        To::Node(name) => indexes.get(&name).map_or(Target::End(Ending::Failed), |index| Target::Node(*index)),
    };
    let node = |Draft { name, step, op, exits }| {
        let exits = exits.into_iter().map(|(exit, to)| (exit, target(to))).collect();
        Node { name, step, op, exits }
    };
    drafts.into_iter().map(node).collect()
}
