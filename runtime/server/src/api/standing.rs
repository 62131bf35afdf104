//! Where an interaction stands, as the API and the console tell it: derived from its run and its events, and
//! free of customers' values.

use std::borrow::Cow;

use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::Listed;
use selvedge_engine::run::{Cursor, Phase, step_of};
use selvedge_engine::{Fact, Run};
use selvedge_record::{Event, time};
use serde::Serialize;
use utoipa::ToSchema;

/// One row of the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Row {
    /// The interaction's id.
    pub interaction: String,
    /// The workflow.
    pub workflow: String,
    /// The customer's id.
    pub customer: String,
    /// When it was opened, RFC 3339 UTC.
    pub opened: String,
    /// When something last happened.
    pub updated: String,
    /// The step that it stands at, or how it ended.
    pub at: String,
    /// Whether it is over.
    pub over: bool,
}

impl Row {
    pub(crate) fn of(listed: &Listed) -> Row {
        let summary = &listed.summary;
        Row {
            interaction: listed.interaction.clone(),
            workflow: summary.workflow.clone(),
            customer: summary.customer.clone(),
            opened: rfc3339(summary.opened),
            updated: rfc3339(summary.updated),
            at: summary.at.clone(),
            over: summary.over,
        }
    }
}

/// Where an interaction stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Standing {
    /// Its id.
    pub interaction: String,
    /// The workflow.
    pub workflow: String,
    /// The digest of the definitions that it goes by.
    pub controls: String,
    /// The digest that it went by before a person moved it, by whom and why.
    pub moved: Option<String>,
    /// The customer's id.
    pub customer: String,
    /// The channel of the conversation: how the customer got in touch, or what it was handed over to.
    pub channel: String,
    /// Who opened it.
    pub opened_by: String,
    /// Whose it is: who opened it, or took it over since.
    pub held_by: String,
    /// When, RFC 3339 UTC.
    pub opened: String,
    /// The step that it stands at, or how it ended: `completed`, `failed`, `declined`.
    pub step: String,
    /// `entered`, `permitted`, `deferred`, `under-way`, `postponed`, `unclear`, `needs-person`,
    /// `undo-failed`, `waiting`, `branched`, `over`.
    pub phase: String,
    /// The branches that are under way, each with the step that it stands at.
    pub branches: Vec<Branch>,
    /// What it waits for, in words: `the code`.
    pub waiting_for: Option<String>,
    /// When it goes on if nothing comes.
    pub until: Option<String>,
    /// Whether it is over.
    pub over: bool,
    /// Who paused it and why.
    pub paused: Option<String>,
    /// The kill switch that stops it, over what, by whom and why.
    pub stopped: Option<String>,
    /// What a person may do to it, and why not now.
    pub acts: Vec<super::acts::Offer>,
    /// Who the customer proved to be, and for how long.
    pub identity: Vec<Identity>,
    /// Plans that were offered.
    pub offers: Vec<Offered>,
    /// The question that a colleague is to answer now.
    pub question: Option<Question>,
    /// What a colleague is to approve now.
    pub approval: Option<Approval>,
    /// What was disclosed, by name.
    pub disclosed: Vec<Disclosed>,
    /// Links that were sent.
    pub links: Vec<Link>,
    /// Payments that were taken.
    pub payments: Vec<Paid>,
    /// The effects of which nobody knows yet whether they happened, and what could not be undone.
    pub unclear: Vec<Unclear>,
}

/// A branch that is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Branch {
    /// The step that it stands at, with the item inside a `for-each`: `posting#3`.
    pub step: String,
    /// How far it got there, in the words of the interaction's own phase.
    pub phase: String,
}

/// An assertion of identity.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identity {
    /// `code`
    pub method: String,
    /// `L2`
    pub level: String,
    /// RFC 3339 UTC.
    pub expires: String,
}

/// A question to a colleague.
#[derive(Debug, Serialize, ToSchema)]
pub struct Question {
    /// The step that asks.
    pub step: String,
    /// The question.
    pub question: String,
    /// The function of those who may answer.
    pub of: String,
    /// What can be answered.
    pub answers: Vec<String>,
}

/// What a colleague is to approve.
#[derive(Debug, Serialize, ToSchema)]
pub struct Approval {
    /// The step that asks.
    pub step: String,
    /// The function of those who may approve, without who opened the interaction.
    pub of: String,
    /// The step whose terms they are.
    pub about: String,
    /// The commitment of the terms; it comes back with the approval.
    pub terms: String,
}

/// An offered plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct Offered {
    /// The step.
    pub step: String,
    /// The commitment to its terms; an answer names it.
    pub terms: String,
    /// The customer's answer.
    pub accepted: Option<bool>,
}

/// What a step disclosed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Disclosed {
    /// The step.
    pub step: String,
    /// Names of the values: `owed/account.balance`.
    pub fields: Vec<String>,
}

/// A link that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    /// The step that it opens.
    pub opens: String,
    /// RFC 3339 UTC.
    pub expires: String,
    /// Whether it was opened.
    pub opened: bool,
}

/// A payment that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paid {
    /// The step.
    pub step: String,
    /// The gateway's reference.
    pub reference: String,
    /// RFC 3339 UTC.
    pub at: String,
}

/// An effect that may have happened, or that should undo a step and could not.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unclear {
    /// The step; a decision about one of several names it.
    pub step: String,
    /// Its name for the vendor.
    pub effect: String,
    /// How often the vendor was asked.
    pub asked: Option<u32>,
    /// Why a person must decide.
    pub needs_person: Option<String>,
    /// Whether it should undo the step, and certainly did not.
    pub undo_failed: bool,
}

impl Standing {
    /// Of a run and its events.
    pub fn of(run: &Run, events: &[Event]) -> Standing {
        let (wake, _) = run.wake();
        Standing {
            interaction: run.id.interaction.clone(),
            workflow: run.workflow.clone(),
            controls: run.controls.clone(),
            moved: run.moved.as_ref().map(|moved| format!("from {} by {}: {}", moved.from, moved.by, moved.reason)),
            customer: run.customer.clone(),
            channel: run.channel.clone(),
            opened_by: run.opened_by.clone(),
            held_by: run.held_by.clone(),
            opened: rfc3339(run.opened),
            step: run.summary().at,
            phase: match run.ended {
                Some(_) => "over".to_owned(),
                None => phase(run.phase()).to_owned(),
            },
            branches: run.cursors.iter().filter(|cursor| cursor.join.is_some()).map(Branch::of).collect(),
            waiting_for: waiting_for(run, events),
            until: wake.map(rfc3339),
            over: run.closed,
            paused: run.paused.as_ref().map(|(by, reason)| format!("by {by}: {reason}")),
            stopped: stopped(run),
            acts: super::acts::offers(run),
            identity: run.assertions.iter().map(Identity::of).collect(),
            offers: run
                .offers
                .iter()
                .map(|(step, o)| Offered { step: step.clone(), terms: o.terms.clone(), accepted: o.accepted })
                .collect(),
            question: question(run),
            approval: approval(run),
            disclosed: run
                .disclosed
                .iter()
                .map(|(step, fields)| Disclosed {
                    step: step.clone(),
                    fields: fields.iter().map(|f| f.name.clone()).collect(),
                })
                .collect(),
            links: run
                .links
                .iter()
                .map(|(opens, l)| Link {
                    opens: opens.clone(),
                    expires: rfc3339(l.expires),
                    opened: l.opened.is_some(),
                })
                .collect(),
            payments: run
                .payments
                .iter()
                .map(|(step, (reference, at))| Paid {
                    step: step.clone(),
                    reference: reference.clone(),
                    at: rfc3339(*at),
                })
                .collect(),
            unclear: unclear(run),
        }
    }
}

/// The kill switches that halt it, in words.
fn stopped(run: &Run) -> Option<String> {
    let halts = run.halts().into_iter();
    let told: Vec<String> =
        halts.map(|h| format!("by {} over {}, set by {}: {}", h.switch, h.scope, h.by, h.reason)).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

impl Identity {
    fn of(assertion: &selvedge_policy::Assertion) -> Identity {
        Identity {
            method: assertion.method.clone(),
            level: assertion.level.to_string(),
            expires: rfc3339(assertion.expires),
        }
    }
}

impl Branch {
    fn of(cursor: &Cursor) -> Branch {
        Branch { step: step_of(&cursor.place).into_owned(), phase: phase(&cursor.phase).to_owned() }
    }
}

fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Entered => "entered",
        Phase::Permitted => "permitted",
        Phase::Deferred(_) => "deferred",
        Phase::Intended(_) => "under-way",
        Phase::Postponed(..) => "postponed",
        Phase::Unclear(..) => "unclear",
        Phase::NeedsPerson(..) => "needs-person",
        Phase::UndoFailed(..) => "undo-failed",
        Phase::Waiting(_) => "waiting",
        Phase::Branched(_) => "branched",
    }
}

/// What the newest wait at a place where it waits is for.
fn waiting_for(run: &Run, events: &[Event]) -> Option<String> {
    let waits: Vec<&str> = run.cursors.iter().filter(|c| c.waits()).map(|cursor| cursor.place.as_str()).collect();
    if waits.is_empty() {
        return None;
    }
    let here = |node: &String| waits.contains(&node.as_str());
    events.iter().rev().find_map(|event| match Fact::from_kind_and_data(&event.kind, event.data.clone()).ok()? {
        Fact::WaitBegan { node, what, .. } if here(&node) => Some(what),
        Fact::QuestionAsked { node, of, .. } if here(&node) => Some(format!("a {of} to answer")),
        Fact::ApprovalAsked { node, of, .. } if here(&node) => Some(format!("a {of} to approve")),
        Fact::Offered { node, .. } if here(&node) => Some(format!("the answer to the offer `{}`", step_of(&node))),
        _ => None,
    })
}

/// The steps at which the run waits.
fn waiting_at(run: &Run) -> impl Iterator<Item = Cow<'_, str>> {
    run.cursors.iter().filter(|cursor| cursor.waits()).map(|cursor| step_of(&cursor.place))
}

fn question(run: &Run) -> Option<Question> {
    let open = |step: Cow<'_, str>| {
        let asked = run.questions.get(&*step).filter(|asked| asked.answer.is_none())?;
        Some((step.into_owned(), asked))
    };
    let (step, asked) = waiting_at(run).find_map(open)?;
    let (question, of, answers) = (asked.question.clone(), asked.of.clone(), asked.answers.clone());
    Some(Question { step, question, of, answers })
}

fn approval(run: &Run) -> Option<Approval> {
    let open = |step: Cow<'_, str>| {
        let asked = run.approvals.get(&*step).filter(|asked| asked.approved.is_none())?;
        Some((step.into_owned(), asked))
    };
    let (step, asked) = waiting_at(run).find_map(open)?;
    let (of, about, terms) = (asked.of.clone(), asked.about.clone(), asked.terms.clone());
    Some(Approval { step, of, about, terms })
}

fn unclear(run: &Run) -> Vec<Unclear> {
    let unclear = |cursor: &Cursor| {
        let asked = if let Phase::Unclear(_, asked, _) = &cursor.phase { Some(*asked) } else { None };
        let needs_person = cursor.needs_person().map(str::to_owned);
        let (step, effect) = (step_of(&cursor.place).into_owned(), cursor.effect()?.key.clone());
        let undo_failed = matches!(cursor.phase, Phase::UndoFailed(..));
        (asked.is_some() || needs_person.is_some()).then_some(Unclear {
            step,
            effect,
            asked,
            needs_person,
            undo_failed,
        })
    };
    run.cursors.iter().filter_map(unclear).collect()
}

/// A time as the API writes it; one outside the years 0 to 9999 is none that a run can have.
pub(crate) fn rfc3339(micros: Micros) -> String {
    time::to_rfc3339(micros).unwrap_or_default()
}
