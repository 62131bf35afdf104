//! A run's state, and the only way to get one: fold its record, fact by fact. Absent on purpose: anything
//! that the record does not say.

mod branches;
mod cursor;
mod undo;

use std::borrow::Cow;
use std::collections::BTreeMap;

use selvedge_policy::{Assertion, Verdict};
use selvedge_record::{Event, Head};

pub use self::cursor::{At, Branches, Cursor, Effect, Halt, Phase};
pub use self::undo::{Undoing, undoes};
use crate::error::EngineError;
use crate::fact::{Commitment, Fact, Moment};
use crate::moving::Moved;
use crate::ports::store::{BETWEEN, RunId, Stored, Summary};
use crate::ports::{Finding, Micros, ReportStatus};

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
    /// How many assertions there were when it was opened, if it was: those that come after are fresh.
    pub opened: Option<usize>,
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
    /// The digest of the definitions that it goes by.
    pub controls: String,
    /// Who moved it there; `None`: it began with them.
    pub moved: Option<Moved>,
    /// The workflow.
    pub workflow: String,
    /// The customer.
    pub customer: String,
    /// The channel of the conversation: the one that it began on, or that it was handed over to.
    pub channel: String,
    /// Who opened it.
    pub opened_by: String,
    /// Whose it is: who opened it, or took it over since.
    pub held_by: String,
    /// The digests of the connectors that it may call.
    pub connectors: BTreeMap<String, String>,
    /// When it was opened.
    pub opened: Micros,
    /// When the newest fact happened.
    pub updated: Micros,
    /// Where it stands, the main line first; nowhere once it has ended.
    pub cursors: Vec<Cursor>,
    /// How it ended.
    pub ended: Option<String>,
    /// The record came out of a backup, which holds what happened until then. More may have happened.
    pub restored: Option<Micros>,
    /// Whether the last word was said.
    pub closed: bool,
    /// Who paused it, and why.
    pub paused: Option<(String, String)>,
    /// A person ended it; what may have happened is still cleared up.
    pub cancelled: bool,
    /// The steps whose effects were done, in that order.
    pub done: Vec<String>,
    /// What is undone, once it failed or was cancelled.
    pub undoing: Option<Undoing>,
    /// How often each node was entered.
    pub visits: BTreeMap<String, u32>,
    /// What we know about who it is.
    pub assertions: Vec<Assertion>,
    /// What each signal found last, and when.
    pub signals: BTreeMap<String, (Finding, Micros)>,
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
    /// The card of the payment under way.
    pub card: Option<CardState>,
    /// Cards that became the customer's method on file, by step.
    pub kept: BTreeMap<String, CardState>,
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
    /// The language that the customer is spoken with in, where the workflow has several.
    pub language: Option<String>,
}

/// Where a cancelled run goes.
pub const CANCELLED: &str = "end:cancelled";

/// The step of a place: `identity` of `identity.answer`; of an item with the item, `posting#3` of `posting.call#3`.
pub fn step_of(place: &str) -> Cow<'_, str> {
    let (node, item) = place.split_once('#').map_or((place, None), |(node, item)| (node, Some(item)));
    match (node.split_once('.'), item) {
        (None, _) => Cow::Borrowed(place),
        (Some((step, _)), None) => Cow::Borrowed(step),
        (Some((step, _)), Some(item)) => Cow::Owned(format!("{step}#{item}")),
    }
}

/// The item that a place is about.
pub fn item_of(place: &str) -> Option<u32> {
    place.split_once('#')?.1.parse().ok()
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
            moved: None,
            workflow: workflow.clone(),
            customer: customer.clone(),
            channel: channel.clone(),
            opened_by: by.clone(),
            held_by: by.clone(),
            connectors: connectors.clone(),
            opened: time,
            updated: time,
            cursors: Vec::new(),
            ended: None,
            restored: None,
            closed: false,
            paused: None,
            cancelled: false,
            done: Vec::new(),
            undoing: None,
            visits: BTreeMap::new(),
            assertions: Vec::new(),
            signals: BTreeMap::new(),
            offers: BTreeMap::new(),
            questions: BTreeMap::new(),
            approvals: BTreeMap::new(),
            links: BTreeMap::new(),
            messages: BTreeMap::new(),
            card: None,
            kept: BTreeMap::new(),
            cards_declined: 0,
            declined_for: None,
            payments: BTreeMap::new(),
            authorizations: BTreeMap::new(),
            disclosed: BTreeMap::new(),
            answers: BTreeMap::new(),
            language: None,
        };
        run.cursors.push(Cursor::at("", None));
        run.enter("", next);
        Ok(run)
    }

    /// Takes one fact in. Total: any fact can follow any other, and a fact about a node that the run has left
    /// changes nothing but what is known.
    pub fn apply(&mut self, time: Micros, fact: &Fact) {
        self.updated = self.updated.max(time);
        self.go_on(fact);
        match fact {
            Fact::LanguageChosen { language, .. } => self.language = Some(language.clone()),
            Fact::Opened { .. }
            | Fact::Reported { .. }
            | Fact::TextReceived(_)
            | Fact::Read { .. }
            | Fact::Destroyed { .. } => {}
            // What was put off is decided again at once: an opt-out voids what is queued.
            Fact::ConsentRevoked(_) => {
                for cursor in self.cursors.iter_mut().filter(|c| matches!(c.phase, Phase::Deferred(_))) {
                    cursor.phase = Phase::Deferred(time);
                }
            }
            Fact::ContactDecided { node, next: Some(next), .. } => self.enter(node, next),
            Fact::ContactDecided { node, moment, decision, .. } => self.stands_at(node, |cursor| {
                match (&decision.verdict, cursor.effect().cloned()) {
                    // An earlier attempt may have left: what is under way stays under way.
                    (Verdict::Defer { until }, Some(effect)) => cursor.phase = Phase::Postponed(effect, *until),
                    (Verdict::Deny, Some(effect)) => {
                        cursor.stopped = true;
                        cursor.phase = Phase::Unclear(effect, 0, time);
                    }
                    (Verdict::Defer { until }, None) => cursor.phase = Phase::Deferred(*until),
                    _ if *moment == Moment::Queued => cursor.phase = Phase::Permitted,
                    _ => {}
                }
            }),
            Fact::AssuranceDecided { node, next, .. } => match next {
                Some(next) => {
                    // A card that was entered for a proof that has run out is not kept for the next one.
                    self.card = None;
                    self.enter(node, next);
                }
                None => self.stands_at(node, |cursor| cursor.phase = Phase::Permitted),
            },
            Fact::SignalFound { signal, finding, .. } => {
                self.signals.insert(signal.clone(), (*finding, time));
            }
            Fact::RiskDecided { node, next, .. } => match next {
                Some(next) => {
                    self.card = None;
                    self.enter(node, next);
                }
                None => self.stands_at(node, |cursor| cursor.weighed = true),
            },
            Fact::LinkIssued { link, opens, expires, .. } => {
                self.links.insert(opens.clone(), LinkState { id: link.clone(), expires: *expires, opened: None });
            }
            Fact::Intended { node, key, function, attempt, .. } => {
                if function == "send" {
                    self.messages.insert(step_of(node).into_owned(), key.clone());
                }
                self.stands_at(node, |cursor| {
                    let since = cursor.effect().filter(|e| e.key == *key).map_or(time, |e| e.since);
                    cursor.phase = Phase::Intended(Effect { key: key.clone(), attempt: *attempt, since });
                });
            }
            Fact::Done { node, exit, reference, detail, answer, next, .. } => {
                if exit == "done" && !undoes(node) {
                    self.done.push(step_of(node).into_owned());
                }
                if let (Some(answer), false) = (answer, undoes(node)) {
                    self.answers.insert(step_of(node).into_owned(), answer.clone());
                }
                match exit.as_str() {
                    "done" if self.card.is_some() && node.ends_with(".charge") || node.ends_with(".debit") => {
                        self.payments.insert(step_of(node).into_owned(), (reference.clone(), time));
                    }
                    "declined" => {
                        self.cards_declined += 1;
                        self.declined_for = Some(detail.clone());
                        self.card = None;
                    }
                    // No other way on from a charge leads back to this card, and one that is not good is not kept.
                    "failed" if node.ends_with(".validate") => self.card = None,
                    _ if node.ends_with(".charge") => self.card = None,
                    _ => {}
                }
                self.enter(node, next);
            }
            Fact::Postponed { node, attempt, at, .. } => {
                self.under_way(node, |e| Phase::Postponed(Effect { attempt: *attempt, ..e }, *at))
            }
            Fact::Halted { node, key: Some(_), .. } => self.under_way(node, |e| Phase::Postponed(e, time)),
            Fact::Halted { node, switch, scope, by, reason, .. } => {
                let (switch, scope, by) = (switch.clone(), scope.clone(), by.clone());
                let halt = Halt { switch, scope, by, reason: reason.clone(), since: time };
                self.stands_at(node, |cursor| cursor.halted = Some(halt));
            }
            Fact::HandedOver(handed) => {
                (self.channel, self.held_by) = (handed.to.channel.clone(), handed.to.agent.clone());
            }
            Fact::Moved { .. } => self.goes_by(fact),
            Fact::Paused { by, reason } => self.paused = Some((by.clone(), reason.clone())),
            Fact::Resumed { .. } => self.paused = None,
            Fact::Cancelled { .. } => {
                (self.cancelled, self.paused) = (true, None);
                // Where branches meet is left when the last of them is over.
                let at_rest = |c: &&Cursor| c.effect().is_none() && !matches!(c.phase, Phase::Branched(_));
                let idle = self.cursors.iter().filter(at_rest);
                let idle: Vec<String> = idle.map(|cursor| cursor.place.clone()).collect();
                idle.iter().for_each(|place| self.enter(place, CANCELLED));
            }
            Fact::UndoBegan { ending, places } => self.undo(ending, places),
            Fact::UndoFailed { node, why, .. } => self.under_way(node, |e| Phase::UndoFailed(e, why.clone())),
            Fact::Retried { .. } => self.cursors.iter_mut().for_each(|cursor| match &cursor.phase {
                Phase::Postponed(effect, _) => cursor.phase = Phase::Postponed(effect.clone(), time),
                // The vendor has said its word about this key, so that it is tried under another one.
                Phase::UndoFailed(..) => {
                    *self.visits.entry(cursor.place.clone()).or_default() += 1;
                    cursor.phase = Phase::Entered;
                }
                Phase::Unclear(..) | Phase::NeedsPerson(..) => cursor.under_way(|e| Phase::Unclear(e, 0, time)),
                _ => {}
            }),
            Fact::Unclear { node, asked, at, .. } => self.under_way(node, |e| Phase::Unclear(e, *asked, *at)),
            Fact::NeedsPerson { node, why, .. } => self.under_way(node, |e| Phase::NeedsPerson(e, why.clone())),
            Fact::WaitBegan { node, until, .. } => self.stands_at(node, |cursor| {
                cursor.wrong = 0;
                cursor.phase = Phase::Waiting(*until);
            }),
            Fact::WaitEnded { node, next, .. }
            | Fact::ConditionDecided { node, next, .. }
            | Fact::Noted { node, next, .. }
            | Fact::Remembered { node, next, .. } => self.enter(node, next),
            Fact::CodeWrong { node, next, .. } => match next {
                Some(next) => self.enter(node, next),
                None => self.stands_at(node, |cursor| cursor.wrong += 1),
            },
            Fact::AssertionIssued { node, assertion, next } => {
                self.assertions.push(assertion.clone());
                self.enter(node, next);
            }
            Fact::Disclosed { node, fields, next, .. } => {
                self.disclosed.insert(step_of(node).into_owned(), fields.clone());
                self.enter(node, next);
            }
            Fact::Offered { node, terms, until, .. } => {
                self.offers
                    .insert(step_of(node).into_owned(), Offer { terms: terms.commitment.clone(), accepted: None });
                self.stands_at(node, |cursor| cursor.phase = Phase::Waiting(*until));
            }
            Fact::Answered { node, accepted, next, .. } => {
                if let Some(offer) = self.offers.get_mut(&*step_of(node)) {
                    offer.accepted = Some(*accepted);
                }
                self.enter(node, next);
            }
            Fact::QuestionAsked { node, question, of, answers, until } => {
                let (question, of, answers) = (question.clone(), of.clone(), answers.clone());
                self.questions.insert(step_of(node).into_owned(), Question { question, of, answers, answer: None });
                self.stands_at(node, |cursor| cursor.phase = Phase::Waiting(*until));
            }
            Fact::QuestionAnswered { node, answer, next, .. } => {
                if let Some(question) = self.questions.get_mut(&*step_of(node)) {
                    question.answer = Some(answer.clone());
                }
                self.enter(node, next);
            }
            Fact::ApprovalAsked { node, of, about, terms, until } => {
                let (of, about, terms) = (of.clone(), about.clone(), terms.clone());
                self.approvals.insert(step_of(node).into_owned(), Approval { of, about, terms, approved: None });
                self.stands_at(node, |cursor| cursor.phase = Phase::Waiting(*until));
            }
            Fact::ApprovalDecided { node, approved, next, .. } => {
                if let Some(approval) = self.approvals.get_mut(&*step_of(node)) {
                    approval.approved = Some(*approved);
                }
                self.enter(node, next);
            }
            Fact::LinkOpened { link } => {
                for state in self.links.values_mut().filter(|l| l.id == *link) {
                    state.opened = Some(self.assertions.len());
                }
            }
            Fact::Authorized { node, words, .. } => {
                self.authorizations.insert(step_of(node).into_owned(), words.clone());
            }
            Fact::CardCaptured { node, token, brand, last4, next } => {
                self.card = Some(CardState { token: token.clone(), brand: brand.clone(), last4: last4.clone() });
                self.enter(node, next);
            }
            Fact::MethodKept { node, next, .. } => {
                if let Some(card) = self.card.take() {
                    self.kept.insert(step_of(node).into_owned(), card);
                }
                self.enter(node, next);
            }
            Fact::CardForgotten { node, next, .. } => {
                self.card = None;
                self.enter(node, next);
            }
            Fact::Forked { node, join, starts, items } => self.fork(node, join, starts, items.as_ref()),
            Fact::Joined { node, next } => self.enter(node, next),
            Fact::Restored { until } => self.restored = Some(*until),
            Fact::Closed { ending } => {
                self.cursors.clear();
                (self.closed, self.ended) = (true, Some(ending.clone()));
            }
        }
    }

    /// A fact about a place lets the run go on there, if a switch halted it; one about the whole run, everywhere.
    fn go_on(&mut self, fact: &Fact) {
        if matches!(fact, Fact::Reported { .. } | Fact::Read { .. } | Fact::HandedOver(_)) {
            return;
        }
        let place = fact.node();
        for cursor in self.cursors.iter_mut().filter(|cursor| place.is_none_or(|place| cursor.place == place)) {
            cursor.halted = None;
        }
    }

    /// The cursor at `place` goes on to `next`.
    fn enter(&mut self, place: &str, next: &str) {
        // Whatever came of the last effect, a cancelled run goes nowhere else.
        let next = if self.cancelled { CANCELLED } else { next };
        let Some(at) = self.cursors.iter().position(|cursor| cursor.place == place) else { return };
        let ending = next.strip_prefix("end:");
        match self.cursors[at].join.clone() {
            Some(join) if ending.is_some() || next == join => {
                self.cursors.remove(at);
                self.stands_at(&join, |cursor| {
                    if let (Phase::Branched(branches), Some(ending)) = (&mut cursor.phase, ending) {
                        branches.ending.get_or_insert_with(|| ending.to_owned());
                    }
                });
                self.next_item(&join);
            }
            None if ending.is_some() => {
                self.cursors.remove(at);
                match &self.undoing {
                    Some(_) => self.undo_next(),
                    None => self.ended = ending.map(str::to_owned),
                }
            }
            join => {
                *self.visits.entry(next.to_owned()).or_default() += 1;
                self.cursors[at] = Cursor::at(next, join);
            }
        }
    }

    /// Whether this card is in use: it is being charged, or it is on file.
    pub fn has_card(&self, token: &str) -> bool {
        self.card.iter().chain(self.kept.values()).any(|card| card.token == token)
    }

    fn stands_at(&mut self, place: &str, what: impl FnOnce(&mut Cursor)) {
        if let Some(cursor) = self.cursors.iter_mut().find(|cursor| cursor.place == place) {
            what(cursor);
        }
    }

    fn under_way(&mut self, place: &str, to: impl FnOnce(Effect) -> Phase) {
        self.stands_at(place, |cursor| cursor.under_way(to));
    }

    /// The cursor at this place.
    pub fn cursor(&self, place: &str) -> Option<&Cursor> {
        self.cursors.iter().find(|cursor| cursor.place == place)
    }

    /// Where its main line stands.
    pub fn at(&self) -> At {
        match (self.cursors.first(), &self.ended) {
            (Some(cursor), _) => At::Node(cursor.place.clone()),
            (None, ended) => At::End(ended.clone().unwrap_or_else(|| "failed".into())),
        }
    }

    /// How far its main line got there.
    pub fn phase(&self) -> &Phase {
        self.cursors.first().map_or(&Phase::Entered, |cursor| &cursor.phase)
    }

    /// All effects that are under way.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.cursors.iter().filter_map(Cursor::effect)
    }

    /// The effect that is under way at this place.
    pub fn effect(&self, place: &str) -> Option<&Effect> {
        self.cursor(place)?.effect()
    }

    /// The name under which a vendor knows the effect of this visit to `node`.
    pub fn key(&self, node: &str) -> String {
        let visit = self.visits.get(node).copied().unwrap_or(1);
        format!("{}.{node}.{visit}", self.id.interaction)
    }

    /// Whether a person holds it where it is. An end that was reached is still written down.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some() && self.ended.is_none()
    }

    /// When the run wants to be looked at if nothing arrives, and whether it is in the middle of something.
    pub fn wake(&self) -> (Option<Micros>, bool) {
        if self.closed || self.is_paused() {
            return (None, false);
        }
        // Once it has ended, the last word is to be said.
        self.cursors.iter().fold((None, self.cursors.is_empty()), |(wake, busy), cursor| {
            let (at, works) = cursor.wake();
            let met = matches!(cursor.phase, Phase::Branched(_)) && self.met(&cursor.place);
            (wake.into_iter().chain(at).min(), busy || works || met)
        })
    }

    /// What lists show.
    pub fn summary(&self) -> Summary {
        let (wake, busy) = self.wake();
        let halts: Vec<&str> = self.halts().into_iter().map(|halt| halt.switch.as_str()).collect();
        Summary {
            workflow: self.workflow.clone(),
            controls: self.controls.clone(),
            customer: self.customer.clone(),
            opened: self.opened,
            updated: self.updated,
            at: match (self.at(), self.phase()) {
                (At::Node(place), Phase::UndoFailed(..)) => format!("{}: undo failed", step_of(&place)),
                (At::Node(place), _) if self.undoing.is_some() => format!("{}: undoing", step_of(&place)),
                (At::Node(place), _) => step_of(&place).into_owned(),
                (At::End(ending), _) => ending,
            },
            over: self.closed,
            busy,
            wake,
            halted: (!halts.is_empty()).then(|| halts.join(BETWEEN)),
        }
    }

    /// Whether an explicit report of this status ends an effect of this key.
    pub fn awaits_report(&self, key: &str, status: ReportStatus) -> bool {
        status != ReportStatus::Pending && self.effects().any(|effect| effect.key == key)
    }
}
