//! A run's state, and the only way to get one: fold its record, fact by fact. Absent on purpose: anything
//! that the record does not say.

use std::collections::BTreeMap;

use selvedge_policy::{Assertion, Verdict};
use selvedge_record::{Event, Head};

use crate::error::EngineError;
use crate::fact::{Commitment, Fact, Moment};
use crate::ports::store::{RunId, Stored, Summary};
use crate::ports::{Micros, ReportStatus};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// At this node of its plan.
    Node(String),
    /// At an end: `completed`, `failed`, `declined`.
    End(String),
}

/// How far it got with the node that it stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Just arrived.
    Entered,
    /// A policy said yes; the effect may be intended.
    Permitted,
    /// The contact rules said: not before then.
    Deferred(Micros),
    /// The intent is durable, the outcome is not.
    Intended(Effect),
    /// The last attempt certainly did nothing; the next is at this time.
    Postponed(Effect, Micros),
    /// Maybe done; asked so many times; asked next at this time.
    Unclear(Effect, u32, Micros),
    /// Maybe done, and nobody can be asked any more.
    NeedsPerson(Effect, String),
    /// Waiting for somebody until then.
    Waiting(Micros),
}

/// An effect under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its name for the vendor.
    pub key: String,
    /// The attempt.
    pub attempt: u32,
    /// When it was first intended.
    pub since: Micros,
}

/// What halts a run, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The switch: `kill-3`.
    pub switch: String,
    /// What it stops.
    pub scope: String,
    /// Who set it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When the run met it.
    pub since: Micros,
}

/// An offered plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The commitment to its terms.
    pub terms: String,
    /// The customer's answer.
    pub accepted: Option<bool>,
}

/// A question to a person at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub question: String,
    /// Who may answer: a job function.
    pub of: String,
    /// What can be answered.
    pub answers: Vec<String>,
    /// What was.
    pub answer: Option<String>,
}

/// An approval that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who may approve: a job function.
    pub of: String,
    /// The step whose terms they are.
    pub about: String,
    /// The commitment of the terms.
    pub terms: String,
    /// The answer.
    pub approved: Option<bool>,
}

/// An issued link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// What its token hashes to.
    pub id: String,
    /// When it stops working.
    pub expires: Micros,
    /// Whether it was opened.
    pub opened: bool,
}

/// A captured card, as far as anybody may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardState {
    /// What stands for it.
    pub token: String,
    /// `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
}

/// The fold of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whose.
    pub id: RunId,
    /// Where the next event joins the chain.
    pub head: Head,
    /// The digest of the definitions that it pinned.
    pub controls: String,
    /// The workflow.
    pub workflow: String,
    /// The customer.
    pub customer: String,
    /// The channel that it began on.
    pub channel: String,
    /// Who opened it.
    pub opened_by: String,
    /// The digests of the connectors that it may call.
    pub connectors: BTreeMap<String, String>,
    /// When it was opened.
    pub opened: Micros,
    /// When the newest fact happened.
    pub updated: Micros,
    /// Where it stands.
    pub at: At,
    /// How far it got there.
    pub phase: Phase,
    /// The record came out of a backup, which holds what happened until then. More may have happened.
    pub restored: Option<Micros>,
    /// Whether the last word was said.
    pub closed: bool,
    /// The kill switch that halts it.
    pub halted: Option<Halt>,
    /// Who paused it, and why.
    pub paused: Option<(String, String)>,
    /// A person ended it; what may have happened is still cleared up.
    pub cancelled: bool,
    /// How often each node was entered.
    pub visits: BTreeMap<String, u32>,
    /// What we know about who it is.
    pub assertions: Vec<Assertion>,
    /// Offers by step.
    pub offers: BTreeMap<String, Offer>,
    /// Questions to people at work, by step.
    pub questions: BTreeMap<String, Question>,
    /// Approvals that were asked for, by step.
    pub approvals: BTreeMap<String, Approval>,
    /// Links by the step that they open.
    pub links: BTreeMap<String, LinkState>,
    /// The key of the newest message of each step: a code is the code of this message.
    pub messages: BTreeMap<String, String>,
    /// The contact rules said no to a message that may have left already.
    pub stopped: bool,
    /// Wrong codes given at the current wait.
    pub wrong: u32,
    /// The card of the payment under way.
    pub card: Option<CardState>,
    /// How many cards were refused.
    pub cards_declined: u32,
    /// What the last refused card was refused for, in the vendor's word.
    pub declined_for: Option<String>,
    /// Payments made, by step: the gateway's reference and when.
    pub payments: BTreeMap<String, (String, Micros)>,
    /// The words agreed to, by step.
    pub authorizations: BTreeMap<String, Commitment>,
    /// What each step disclosed.
    pub disclosed: BTreeMap<String, Vec<Commitment>>,
    /// What a service answered, by the newest call of each step.
    pub answers: BTreeMap<String, Commitment>,
}

/// Where a cancelled run goes.
pub const CANCELLED: &str = "end:cancelled";

/// The step of a node: `identity` of `identity.answer`.
pub fn step_of(node: &str) -> &str {
    node.split_once('.').map_or(node, |(step, _)| step)
}

impl Run {
    /// Folds a whole record.
    pub fn fold(id: &RunId, record: &[Stored]) -> Result<Run, EngineError> {
        let mut run: Option<Run> = None;
        for stored in record {
            let event = Event::parse(&stored.canonical)?;
            let fact = Fact::from_kind_and_data(&event.kind, event.data)?;
            let head =
                Head { tenant: event.tenant, interaction: event.interaction, seq: event.seq + 1, hash: event.hash };
            match &mut run {
                None => run = Some(Run::begin(id, head, event.controls.as_deref().unwrap_or(""), event.time, &fact)?),
                Some(run) => {
                    run.head = head;
                    run.apply(event.time, &fact);
                }
            }
        }
        run.ok_or_else(|| EngineError::NoSuchInteraction { interaction: id.interaction.clone() })
    }

    /// The state after the first fact, which must be the opening.
    pub fn begin(id: &RunId, head: Head, controls: &str, time: Micros, fact: &Fact) -> Result<Run, EngineError> {
        let Fact::Opened { workflow, customer, channel, by, connectors, next } = fact else {
            return Err(EngineError::Broken {
                what: format!("record `{}` does not begin with its opening", id.interaction),
            });
        };
        let mut run = Run {
            id: id.clone(),
            head,
            controls: controls.to_owned(),
            workflow: workflow.clone(),
            customer: customer.clone(),
            channel: channel.clone(),
            opened_by: by.clone(),
            connectors: connectors.clone(),
            opened: time,
            updated: time,
            at: At::End("failed".into()),
            phase: Phase::Entered,
            restored: None,
            closed: false,
            halted: None,
            paused: None,
            cancelled: false,
            visits: BTreeMap::new(),
            assertions: Vec::new(),
            offers: BTreeMap::new(),
            questions: BTreeMap::new(),
            approvals: BTreeMap::new(),
            links: BTreeMap::new(),
            messages: BTreeMap::new(),
            stopped: false,
            wrong: 0,
            card: None,
            cards_declined: 0,
            declined_for: None,
            payments: BTreeMap::new(),
            authorizations: BTreeMap::new(),
            disclosed: BTreeMap::new(),
            answers: BTreeMap::new(),
        };
        run.enter(next);
        Ok(run)
    }

    /// Takes one fact in. Total: any fact can follow any other, and a fact about a node that the run has left
    /// changes nothing but what is known.
    pub fn apply(&mut self, time: Micros, fact: &Fact) {
        self.updated = self.updated.max(time);
        if !matches!(fact, Fact::Reported { .. } | Fact::Read { .. }) {
            // Whatever happens next, it is not halted any more, unless this fact says so.
            self.halted = None;
        }
        match fact {
            Fact::Opened { .. }
            | Fact::Reported { .. }
            | Fact::TextReceived(_)
            | Fact::Read { .. }
            | Fact::Destroyed { .. } => {}
            // What was put off is decided again at once: an opt-out voids what is queued.
            Fact::ConsentRevoked(_) => {
                if matches!(self.phase, Phase::Deferred(_)) {
                    self.phase = Phase::Deferred(time);
                }
            }
            Fact::ContactDecided { moment, decision, next, .. } => {
                match (next, &decision.verdict, self.effect().cloned()) {
                    (Some(next), _, _) => self.enter(next),
                    // An earlier attempt may have left: what is under way stays under way.
                    (None, Verdict::Defer { until }, Some(effect)) => self.phase = Phase::Postponed(effect, *until),
                    (None, Verdict::Deny, Some(effect)) => {
                        self.stopped = true;
                        self.phase = Phase::Unclear(effect, 0, time);
                    }
                    (None, Verdict::Defer { until }, None) => self.phase = Phase::Deferred(*until),
                    (None, _, _) if *moment == Moment::Queued => self.phase = Phase::Permitted,
                    (None, _, _) => {}
                }
            }
            Fact::AssuranceDecided { next, .. } => match next {
                Some(next) => {
                    // A card that was entered for a proof that has run out is not kept for the next one.
                    self.card = None;
                    self.enter(next);
                }
                None => self.phase = Phase::Permitted,
            },
            Fact::LinkIssued { link, opens, expires, .. } => {
                self.links.insert(opens.clone(), LinkState { id: link.clone(), expires: *expires, opened: false });
            }
            Fact::Intended { node, key, function, attempt, .. } => {
                if function == "send" {
                    self.messages.insert(step_of(node).to_owned(), key.clone());
                }
                let since = self.effect().filter(|e| e.key == *key).map_or(time, |e| e.since);
                self.phase = Phase::Intended(Effect { key: key.clone(), attempt: *attempt, since });
            }
            Fact::Done { node, exit, reference, detail, answer, next, .. } => {
                if let Some(answer) = answer {
                    self.answers.insert(step_of(node).to_owned(), answer.clone());
                }
                match exit.as_str() {
                    "done" if self.card.is_some() && node.ends_with(".charge") => {
                        self.payments.insert(step_of(node).to_owned(), (reference.clone(), time));
                    }
                    "declined" => {
                        self.cards_declined += 1;
                        self.declined_for = Some(detail.clone());
                        self.card = None;
                    }
                    // No other way on from a charge leads back to this card.
                    _ if node.ends_with(".charge") => self.card = None,
                    _ => {}
                }
                self.enter(next);
            }
            Fact::Postponed { attempt, at, .. } => {
                self.under_way(|e| Phase::Postponed(Effect { attempt: *attempt, ..e }, *at))
            }
            Fact::Halted { key: Some(_), .. } => self.under_way(|e| Phase::Postponed(e, time)),
            Fact::Halted { switch, scope, by, reason, .. } => {
                let (switch, scope, by) = (switch.clone(), scope.clone(), by.clone());
                self.halted = Some(Halt { switch, scope, by, reason: reason.clone(), since: time });
            }
            Fact::Paused { by, reason } => self.paused = Some((by.clone(), reason.clone())),
            Fact::Resumed { .. } => self.paused = None,
            Fact::Cancelled { .. } => {
                (self.cancelled, self.paused) = (true, None);
                if self.effect().is_none() {
                    self.enter(CANCELLED);
                }
            }
            Fact::Retried { .. } => match &self.phase {
                Phase::Postponed(effect, _) => self.phase = Phase::Postponed(effect.clone(), time),
                _ => self.under_way(|e| Phase::Unclear(e, 0, time)),
            },
            Fact::Unclear { asked, at, .. } => self.under_way(|e| Phase::Unclear(e, *asked, *at)),
            Fact::NeedsPerson { why, .. } => self.under_way(|e| Phase::NeedsPerson(e, why.clone())),
            Fact::WaitBegan { until, .. } => {
                self.wrong = 0;
                self.phase = Phase::Waiting(*until);
            }
            Fact::WaitEnded { next, .. } | Fact::ConditionDecided { next, .. } => self.enter(next),
            Fact::CodeWrong { next, .. } => {
                self.wrong += 1;
                if let Some(next) = next {
                    self.enter(next);
                }
            }
            Fact::AssertionIssued { assertion, next, .. } => {
                self.assertions.push(assertion.clone());
                self.enter(next);
            }
            Fact::Disclosed { node, fields, next, .. } => {
                self.disclosed.insert(step_of(node).to_owned(), fields.clone());
                self.enter(next);
            }
            Fact::Offered { node, terms, until, .. } => {
                self.offers.insert(step_of(node).to_owned(), Offer { terms: terms.commitment.clone(), accepted: None });
                self.phase = Phase::Waiting(*until);
            }
            Fact::Answered { node, accepted, next, .. } => {
                if let Some(offer) = self.offers.get_mut(step_of(node)) {
                    offer.accepted = Some(*accepted);
                }
                self.enter(next);
            }
            Fact::QuestionAsked { node, question, of, answers, until } => {
                let (question, of, answers) = (question.clone(), of.clone(), answers.clone());
                self.questions.insert(step_of(node).to_owned(), Question { question, of, answers, answer: None });
                self.phase = Phase::Waiting(*until);
            }
            Fact::QuestionAnswered { node, answer, next, .. } => {
                if let Some(question) = self.questions.get_mut(step_of(node)) {
                    question.answer = Some(answer.clone());
                }
                self.enter(next);
            }
            Fact::ApprovalAsked { node, of, about, terms, until } => {
                let (of, about, terms) = (of.clone(), about.clone(), terms.clone());
                self.approvals.insert(step_of(node).to_owned(), Approval { of, about, terms, approved: None });
                self.phase = Phase::Waiting(*until);
            }
            Fact::ApprovalDecided { node, approved, next, .. } => {
                if let Some(approval) = self.approvals.get_mut(step_of(node)) {
                    approval.approved = Some(*approved);
                }
                self.enter(next);
            }
            Fact::LinkOpened { link } => {
                for state in self.links.values_mut().filter(|l| l.id == *link) {
                    state.opened = true;
                }
            }
            Fact::Authorized { node, words, .. } => {
                self.authorizations.insert(step_of(node).to_owned(), words.clone());
            }
            Fact::CardCaptured { token, brand, last4, next, .. } => {
                self.card = Some(CardState { token: token.clone(), brand: brand.clone(), last4: last4.clone() });
                self.enter(next);
            }
            Fact::CardForgotten { next, .. } => {
                self.card = None;
                self.enter(next);
            }
            Fact::Restored { until } => self.restored = Some(*until),
            Fact::Closed { .. } => self.closed = true,
        }
    }

    fn enter(&mut self, next: &str) {
        self.phase = Phase::Entered;
        self.stopped = false;
        // Whatever came of the last effect, a cancelled run goes nowhere else.
        let next = if self.cancelled { CANCELLED } else { next };
        self.at = match next.strip_prefix("end:") {
            Some(ending) => At::End(ending.to_owned()),
            None => {
                *self.visits.entry(next.to_owned()).or_default() += 1;
                At::Node(next.to_owned())
            }
        };
    }

    fn under_way(&mut self, to: impl FnOnce(Effect) -> Phase) {
        if let Some(effect) = self.effect().cloned() {
            self.phase = to(effect);
        }
    }

    /// The effect that is under way at the current node.
    pub fn effect(&self) -> Option<&Effect> {
        match &self.phase {
            Phase::Intended(e) | Phase::Postponed(e, _) | Phase::Unclear(e, _, _) | Phase::NeedsPerson(e, _) => Some(e),
            _ => None,
        }
    }

    /// The name under which a vendor knows the effect of this visit to `node`.
    pub fn key(&self, node: &str) -> String {
        let visit = self.visits.get(node).copied().unwrap_or(1);
        format!("{}.{node}.{visit}", self.id.interaction)
    }

    /// Whether a person holds it where it is. An end that was reached is still written down.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some() && matches!(self.at, At::Node(_))
    }

    /// When the run wants to be looked at if nothing arrives, and whether it is in the middle of something.
    pub fn wake(&self) -> (Option<Micros>, bool) {
        if self.closed || self.halted.is_some() || self.is_paused() {
            return (None, false);
        }
        match &self.phase {
            Phase::Waiting(at) | Phase::Deferred(at) | Phase::Postponed(_, at) | Phase::Unclear(_, _, at) => {
                (Some(*at), false)
            }
            Phase::NeedsPerson(..) => (None, false),
            Phase::Entered | Phase::Permitted | Phase::Intended(_) => (None, true),
        }
    }

    /// What lists show.
    pub fn summary(&self) -> Summary {
        let (wake, busy) = self.wake();
        Summary {
            workflow: self.workflow.clone(),
            controls: self.controls.clone(),
            customer: self.customer.clone(),
            opened: self.opened,
            updated: self.updated,
            at: match &self.at {
                At::Node(node) => step_of(node).to_owned(),
                At::End(ending) => ending.clone(),
            },
            over: self.closed,
            busy,
            wake,
            halted: self.halted.as_ref().map(|halt| halt.switch.clone()),
        }
    }

    /// What became of an effect, in the words of a report.
    pub fn awaits_report(&self, key: &str, status: ReportStatus) -> bool {
        status != ReportStatus::Pending
            && matches!(&self.phase, Phase::Unclear(e, _, _) | Phase::NeedsPerson(e, _) | Phase::Postponed(e, _) | Phase::Intended(e) if e.key == key)
    }
}
