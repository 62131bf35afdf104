//! A story, played: each act as soon as the run asks for it, then time until nothing comes due any more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use selvedge_engine::Definition;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::ports::{Call, Micros};
use selvedge_workflow::source::{Diagnostic, Spanned};

use super::super::rehearsal::{Asked, Cast, Rehearsal, Reply, Script, standing, told};
use super::format::{Act, Approves, Decided, Message, Paid, Story};

/// The customer of every story.
const CUSTOMER: &str = "c_story";
/// A story did not go as its author expected.
pub const NOT_AS_EXPECTED: &str = "C911";

/// What came of a story.
#[derive(Debug)]
pub struct Told {
    /// The steps that the run came to.
    pub path: Vec<String>,
    /// What went out.
    pub messages: Vec<Message>,
    /// What was taken.
    pub money: Vec<Paid>,
    /// What was undone.
    pub undone: Vec<String>,
    /// What was no plain yes.
    pub decisions: Vec<Decided>,
    /// `completed`, or `open`.
    pub ending: String,
    /// The ending in a sentence.
    pub standing: String,
}

/// Plays a story. The inner error is an act that nobody asked for.
pub async fn play(definition: &Definition, story: &Story) -> miette::Result<Result<Told, Box<Diagnostic>>> {
    let Cast { sender, .. } = &story.cast;
    let stage = Rehearsal::set(definition, sender, story.begins.at, in_turn(&story.vendors)).await?;
    stage.customer(CUSTOMER, &story.cast).await?;
    let id = stage.open(CUSTOMER).await?;
    for act in &story.when {
        if let Err(unasked) = perform(&stage, &id, story, act).await? {
            return Ok(Err(unasked));
        }
    }
    let run = stage.pass(&id, None).await?;
    let zone = &story.begins.zone;
    let messages = stage.vendors.sent(&id.interaction).into_iter().map(|sent| Message {
        at: Some(local(sent.at, zone)),
        text: sent.text(),
        step: sent.step,
    });
    let money = stage
        .vendors
        .charges(&id.interaction)
        .into_iter()
        .map(|charge| Paid { step: charge.step, amount: charge.amount });
    let events = stage.events(&id).await?;
    let decisions = told::decisions(&events).into_iter().map(|decided| Decided {
        step: decided.step,
        verdict: decided.verdict.to_owned(),
        rules: decided.rules,
        until: decided.until.map(|until| local(until, zone)),
    });
    Ok(Ok(Told {
        path: told::path(&events),
        messages: messages.collect(),
        money: money.collect(),
        undone: told::undone(&events),
        decisions: decisions.collect(),
        ending: if run.closed { run.summary().at } else { "open".into() },
        standing: standing(&run),
    }))
}

async fn perform(
    stage: &Rehearsal,
    id: &RunId,
    story: &Story,
    act: &Spanned<Act>,
) -> miette::Result<Result<(), Box<Diagnostic>>> {
    let wanted = match &act.value {
        Act::Wait(time) => {
            stage.pass(id, Some(stage.now() + time)).await?;
            return Ok(Ok(()));
        }
        Act::Text(words) => {
            stage.text(id, &story.cast, words).await?;
            return Ok(Ok(()));
        }
        Act::Customer(state, fields) => {
            let sender = story.cast.sender.clone();
            let cast = Cast { sender, customer: (**state).clone(), fields: fields.clone() };
            stage.customer(CUSTOMER, &cast).await?;
            return Ok(Ok(()));
        }
        Act::Code(_) => Asked::Code,
        Act::Offer(_) => Asked::Answer,
        Act::Link => Asked::Open,
        Act::Card => Asked::Card,
        Act::Question(_) => Asked::Question,
        Act::Approval(_) => Asked::Approval,
        Act::Handoff(_) => Asked::Handoff,
    };
    let (run, asked) = stage.until_asked(id).await?;
    if !asked.contains(&wanted) {
        let waits = asked.first();
        let now = waits.map_or_else(|| standing(&run), |asked| format!("the run waits for {}", asked.in_words()));
        let message = format!("nobody asks for {} at this point: {now}", wanted.in_words());
        let help = "take the act out, or correct what comes before it";
        return Ok(Err(Box::new(Diagnostic::new(NOT_AS_EXPECTED, message).at(&act.span).help(help))));
    }
    match &act.value {
        Act::Code(right) => stage.give_code(id, &run, *right).await?,
        Act::Offer(accepted) => stage.answer(id, &run, *accepted).await?,
        Act::Link => stage.open_link(id, &run).await?,
        Act::Card => stage.enter_card(id, &run).await?,
        Act::Question(answer) if stage.answers(&run).contains(answer) => stage.reply(id, &run, answer).await?,
        Act::Question(answer) => {
            let answers = stage.answers(&run);
            let message = format!("`{answer}` is no answer to the question");
            let help = format!("its answers are {}", answers.join(", "));
            return Ok(Err(Box::new(Diagnostic::new(NOT_AS_EXPECTED, message).at(&act.span).help(help))));
        }
        Act::Approval(Approves::Colleague(approved)) => stage.approve(id, &run, *approved).await?,
        Act::Approval(Approves::Requester) if stage.approve_own(id, &run).await? => {}
        Act::Approval(Approves::Requester) => {
            let message = "who opened the interaction could approve its terms";
            return Ok(Err(Box::new(Diagnostic::new(NOT_AS_EXPECTED, message).at(&act.span))));
        }
        Act::Handoff(to) => stage.hand_over(id, Some(to)).await?,
        Act::Wait(_) | Act::Text(_) | Act::Customer(..) => {}
    }
    Ok(Ok(()))
}

/// Each connector's answers in turn; afterwards it does as it is asked.
fn in_turn(vendors: &BTreeMap<String, Vec<Reply>>) -> Script {
    let queues = vendors.iter().map(|(name, replies)| (name.clone(), VecDeque::from(replies.clone())));
    let queues: Mutex<BTreeMap<String, VecDeque<Reply>>> = Mutex::new(queues.collect());
    Box::new(move |call: &Call, _: &str| {
        let mut queues = queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get_mut(&call.connector).and_then(VecDeque::pop_front).unwrap_or(Reply::Does)
    })
}

/// A time as stories write it.
fn local(at: Micros, zone: &TimeZone) -> String {
    let instant = Timestamp::from_microsecond(at).unwrap_or_default();
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}
