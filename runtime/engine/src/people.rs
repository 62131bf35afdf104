//! What colleagues decide in a run: answers to questions, approvals. Who may do it at all is the access policy's
//! question; here it is held that they have the function which the workflow names, and that nobody approves what they
//! asked for. What a person decided lies in the inbox like everything else, and counts once.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::page::not_now;
use crate::ports::store::RunId;
use crate::run::{Cursor, Run};
use crate::signal::{Signal, Who};

impl Engine {
    /// `who` answers the question of a step.
    pub async fn answer_question(&self, id: &RunId, step: &str, answer: &str, who: Who) -> Result<(), EngineError> {
        let run = self.settle(id).await?;
        let question = run.questions.get(step).filter(|_| stands_at(&run, step));
        let Some(question) = question.filter(|question| question.answers.iter().any(|known| known == answer)) else {
            return Err(not_now(&run, "this answer"));
        };
        in_function(step, &question.of, &who)?;
        let signal = Signal::Told { step: step.into(), answer: answer.into() };
        self.decided(&run, step, signal, who).await
    }

    /// `who` approves the terms of a step, or refuses them. `terms` is the commitment of what they looked at.
    pub async fn approve(
        &self,
        id: &RunId,
        step: &str,
        terms: &str,
        approved: bool,
        who: Who,
    ) -> Result<(), EngineError> {
        let run = self.settle(id).await?;
        let asked = run.approvals.get(step).filter(|asked| stands_at(&run, step) && asked.terms == terms);
        let Some(asked) = asked else { return Err(not_now(&run, "this approval")) };
        in_function(step, &asked.of, &who)?;
        if [&run.opened_by, &run.held_by].contains(&&who.actor) {
            let whom = "who did not open the interaction".into();
            return Err(EngineError::NotYours { step: step.into(), of: asked.of.clone(), whom });
        }
        let signal = Signal::Approval { step: step.into(), terms: terms.into(), approved };
        self.decided(&run, step, signal, who).await
    }

    async fn decided(&self, run: &Run, step: &str, signal: Signal, who: Who) -> Result<(), EngineError> {
        // One decision for each visit to the step: of two people at the same time the first one counts.
        let first = self.deliver(&run.id, &format!("decided/{}", run.key(step)), signal, who).await?;
        let run = self.settle(&run.id).await?;
        if first { Ok(()) } else { Err(not_now(&run, "this decision")) }
    }
}

fn stands_at(run: &Run, step: &str) -> bool {
    run.cursor(step).is_some_and(Cursor::waits)
}

fn in_function(step: &str, of: &str, who: &Who) -> Result<(), EngineError> {
    match who.function.as_deref() {
        Some(function) if function == of => Ok(()),
        other => {
            let whom = format!("and you are a `{}`", other.unwrap_or("nobody"));
            Err(EngineError::NotYours { step: step.into(), of: of.into(), whom })
        }
    }
}
