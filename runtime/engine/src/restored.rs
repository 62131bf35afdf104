//! Runs that came out of a backup. Their records say so, and what a run may have done after the backup was taken
//! is asked about before it is done: the vendor's word counts, not the record that is too old.

use selvedge_record::Draft;
use selvedge_workflow::plan::Node;
use tokio::task::JoinSet;

use crate::decide::{self, Before};
use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::ports::store::RunId;
use crate::ports::{Call, Micros};
use crate::run::Effect;
use crate::signal::Who;
use crate::turn::Turn;

/// How many records are marked at a time; they share a transaction where the store can.
const AT_ONCE: usize = 256;

impl Engine {
    /// Notes in each record that it was restored from a backup that holds what happened until `until`. For a
    /// store that nobody drives.
    pub async fn mark_restored(&self, runs: &[RunId], until: Micros) -> Result<(), EngineError> {
        for some in runs.chunks(AT_ONCE) {
            let mut marks = JoinSet::new();
            for id in some {
                let (engine, id) = (self.clone(), id.clone());
                marks.spawn(async move { engine.note_restored(&id, until).await });
            }
            while let Some(marked) = marks.join_next().await {
                marked.map_err(|e| EngineError::Broken { what: format!("a mark was stopped: {e}") })??;
            }
        }
        Ok(())
    }

    async fn note_restored(&self, id: &RunId, until: Micros) -> Result<(), EngineError> {
        let mut run = self.run_state(id).await?;
        let definition = self.definition(&id.tenant, &run.workflow, &run.controls).await?;
        let (kind, data) = Fact::Restored { until }.kind_and_data()?;
        let event = run.head.append(Draft {
            purpose: Some(definition.plan.purpose.clone()),
            controls: Some(run.controls.clone()),
            ..Draft::new(kind, until.max(run.updated), Who::host().actor, data)
        })?;
        Ok(self.store().append(id, event).await?)
    }

    /// What is to be said of an intended effect instead of making it, as [`decide::before`] wants. `None`: make it.
    pub(crate) async fn done_since(
        &self,
        definition: &Definition,
        turn: &Turn,
        node: &Node,
        effect: &Effect,
        class: &str,
        call: &Call,
    ) -> Option<Vec<Fact>> {
        match decide::before(&turn.run, node, effect, class) {
            Before::Leave => None,
            Before::Take(facts) => Some(facts),
            Before::Ask => {
                let answer = self.inner.parts.connectors.lookup(call).await;
                // Whoever sent it is long gone, and so is what was on its way.
                let unheard_of = matches!(answer.result, Ok(None));
                let facts = || decide::asked(&definition.plan, &turn.run, node, effect, 0, answer, self.now());
                (!unheard_of).then(facts)
            }
        }
    }
}
