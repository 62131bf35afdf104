//! People steer a run: pause it, let it go on, cancel it, have it try again, say what became of an effect that no
//! vendor tells of. Each is a signal through the run's inbox, so that the run keeps its one author, and a fact with the
//! person's reason. [`Run::allows`] says what makes sense now, for the engine and for a button alike.

use selvedge_workflow::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::decide;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::handoff::Handoff;
use crate::ports::store::RunId;
use crate::ports::{Report, ReportStatus};
use crate::run::{Cursor, Phase, Run, step_of};
use crate::signal::{Delivered, Signal, Who};
use crate::switches::a_reason;

/// The longest vendor's reference that a person may give, in bytes.
pub const MAX_REFERENCE_BYTES: usize = 128;

/// What a person does to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Nothing happens until it is resumed; mail is taken in.
    Pause,
    /// It goes on.
    Resume,
    /// It ends. An effect that may have happened is cleared up first, then what was done is undone; nothing else is tried.
    Cancel,
    /// What is put off is tried now; what is unclear is asked about now.
    Retry,
    /// The effect that waits for a person was done; the vendor's reference.
    Done(String),
    /// It was not done and never will be.
    NotDone,
    /// One of these two, of the effect at this step: where several wait for a person.
    At(String, Box<Act>),
    /// It goes on in another channel, or with another agent.
    Handoff(Handoff),
    /// It goes on in another definition of its workflow: `latest`, or a digest.
    Move(String),
}

impl Act {
    /// Its word; the reference comes beside it.
    pub fn named(word: &str, reference: &str) -> Option<Act> {
        Some(match word {
            "pause" => Act::Pause,
            "resume" => Act::Resume,
            "cancel" => Act::Cancel,
            "retry" => Act::Retry,
            "done" => Act::Done(reference.to_owned()),
            "not-done" => Act::NotDone,
            _ => return None,
        })
    }
}

impl Run {
    /// Whether the act makes sense where the run stands. The error says why not, in words for a disabled button.
    pub fn allows(&self, act: &Act) -> Result<(), &'static str> {
        let waits: Vec<&Cursor> = self.cursors.iter().filter(|cursor| cursor.needs_person().is_some()).collect();
        let off = |cursor: &Cursor| matches!(cursor.phase, Phase::Postponed(..) | Phase::Unclear(..));
        let put_off = !waits.is_empty() || self.cursors.iter().any(off);
        match act {
            _ if self.ended.is_some() => Err("it is over"),
            Act::Pause if self.cancelled => Err("it is cancelled and only clears up"),
            Act::Pause if self.paused.is_some() => Err("it is paused"),
            Act::Resume if self.paused.is_none() => Err("it is not paused"),
            Act::Cancel if self.undoing.is_some() => Err("it failed, and what it did is undone"),
            Act::Cancel if self.cancelled => Err("it is cancelled and only clears up"),
            Act::Move(_) | Act::Handoff(_) if self.cancelled => Err("it is cancelled and only clears up"),
            Act::Retry if self.paused.is_some() => Err("it is paused"),
            Act::Retry if !put_off => Err("nothing is put off or unclear"),
            Act::Done(_) | Act::NotDone | Act::At(..) if waits.is_empty() => Err("no effect waits for a person"),
            Act::Done(_) | Act::NotDone if waits.len() > 1 => {
                Err("several effects wait for a person: say at which step")
            }
            Act::At(step, _) if !waits.iter().any(|cursor| step_of(&cursor.place) == *step) => {
                Err("no effect waits for a person at this step")
            }
            Act::At(_, act) if !matches!(**act, Act::Done(_) | Act::NotDone) => {
                Err("only what became of an effect is said of a step")
            }
            _ => Ok(()),
        }
    }
}

/// What an act comes to. No facts: it makes no sense any more.
pub(crate) fn facts(plan: &Plan, run: &Run, act: &Act, reason: &str, who: &Who) -> Result<Vec<Fact>, EngineError> {
    if run.allows(act).is_err() {
        return Ok(Vec::new());
    }
    let (by, reason) = (who.in_words(), reason.to_owned());
    Ok(match act {
        Act::Pause => vec![Fact::Paused { by, reason }],
        Act::Resume => vec![Fact::Resumed { by, reason }],
        Act::Cancel => vec![Fact::Cancelled { by, reason }],
        Act::Retry => vec![Fact::Retried { by, reason }],
        // The driver looks at both definitions, or at what the customer agreed to.
        Act::Move(_) | Act::Handoff(_) => Vec::new(),
        Act::Done(_) | Act::NotDone => {
            let cursor = run.cursors.iter().find(|cursor| cursor.needs_person().is_some());
            cursor.map_or(Ok(Vec::new()), |cursor| {
                decided(plan, run, cursor, act, format!("decided by {by}: {reason}"))
            })?
        }
        Act::At(step, act) => {
            let here = |cursor: &&Cursor| cursor.needs_person().is_some() && step_of(&cursor.place) == *step;
            let cursor = run.cursors.iter().find(here);
            cursor.map_or(Ok(Vec::new()), |cursor| {
                decided(plan, run, cursor, act, format!("decided by {by}: {reason}"))
            })?
        }
    })
}

/// What a person says became of the effect that waits here.
fn decided(plan: &Plan, run: &Run, cursor: &Cursor, act: &Act, detail: String) -> Result<Vec<Fact>, EngineError> {
    let (node, Some(effect)) = (decide::node(plan, &cursor.place)?, cursor.effect()) else { return Ok(Vec::new()) };
    let (status, reference) = match act {
        Act::Done(reference) => (ReportStatus::Succeeded, reference.clone()),
        _ if node.undoes() => return Ok(vec![decide::left(plan, &node, effect, detail)]),
        _ => (ReportStatus::Failed, String::new()),
    };
    let report = Report { event_id: String::new(), idempotency_key: effect.key.clone(), status, reference, detail };
    Ok(decide::reported(plan, run, &node, &report, Vec::new()).into_iter().collect())
}

impl Engine {
    /// Does `act` to a run and returns its state afterwards.
    ///
    /// Errors: E504 (it makes no sense there), E505 (the reference or the digest), E511 (no reason), E525 (it cannot be
    /// moved), E526 (it cannot be handed over).
    pub async fn operate(&self, id: &RunId, act: Act, reason: &str, who: Who) -> Result<Run, EngineError> {
        let signal = self.act(id, act, reason).await?;
        self.deliver(id, &self.inner.values.id("act/"), signal, who).await?;
        self.settle(id).await
    }

    /// The same from beside the node that drives the run: the act lies in the run's inbox when this returns, and the
    /// node takes it in. This process makes nothing of it itself.
    pub async fn leave(&self, id: &RunId, act: Act, reason: &str, who: Who) -> Result<(), EngineError> {
        let signal = self.act(id, act, reason).await?;
        let at = self.now();
        let body = serde_json::to_string(&Delivered { signal, who, at })
            .map_err(|e| EngineError::Broken { what: e.to_string() })?;
        self.store().deliver(id, &self.inner.values.id("act/"), &body, at).await?;
        Ok(())
    }

    async fn act(&self, id: &RunId, act: Act, reason: &str) -> Result<Signal, EngineError> {
        let reason = a_reason(reason)?;
        let said = if let Act::At(_, said) = &act { &**said } else { &act };
        if let Act::Done(reference) = said
            && (reference.is_empty() || reference.len() > MAX_REFERENCE_BYTES || !reference.bytes().all(is_graphic))
        {
            let wanted = format!("the vendor's reference, 1 to {MAX_REFERENCE_BYTES} letters, digits and signs");
            return Err(EngineError::BadValue { field: "reference".into(), wanted });
        }
        let run = self.run_state(id).await?;
        if let Err(why) = run.allows(&act) {
            let (interaction, at) = (id.interaction.clone(), format!("{}: {why}", run.summary().at));
            return Err(EngineError::NotNow { interaction, what: "this act".into(), at });
        }
        let act = match act {
            Act::Move(to) => Act::Move(self.movable(&run, &to).await?.digest.clone()),
            Act::Handoff(to) => {
                let definition = self.definition(&id.tenant, &run.workflow, &run.controls).await?;
                to.check(&definition.plan, &run)?;
                Act::Handoff(to)
            }
            act => act,
        };
        Ok(Signal::Operate { act, reason })
    }
}

fn is_graphic(byte: u8) -> bool {
    byte.is_ascii_graphic()
}
