//! Effects under way. What several branches intend becomes durable in one turn; then all of it leaves at once, and what
//! comes of each is written down as it comes. An effect that left is waited for, whatever becomes of the others.

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use crate::act::{Attempt, Came, Intent};
use crate::definition::Definition;
use crate::drive::MAX_EVENTS;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::run::{Phase, Run};
use crate::turn::Turn;

/// An effect that is being made.
type Made = Pin<Box<dyn Future<Output = (Attempt, Came)> + Send>>;

/// What one driver has under way for a run.
#[derive(Default)]
pub(crate) struct Flight {
    /// Written down, and not gone yet.
    ready: Vec<Intent>,
    /// Gone.
    gone: Vec<Made>,
    /// Back, and not written down yet.
    back: VecDeque<(Attempt, Came)>,
    /// The places of all.
    places: BTreeSet<String>,
}

impl Flight {
    /// An effect that the turn intends.
    pub(crate) fn intends(&mut self, intent: Intent) {
        self.places.insert(intent.node.name.clone());
        self.ready.push(intent);
    }

    /// Whether this driver sees to what is under way at a place.
    pub(crate) fn holds(&self, place: &str) -> bool {
        self.places.contains(place)
    }

    /// Whether the answer to an effect is still to come.
    pub(crate) fn awaits(&self, run: &Run, key: &str) -> bool {
        self.places.iter().any(|place| run.effect(place).is_some_and(|effect| effect.key == key))
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Forgets what was to leave and is not written down any more: the turn that intended it was taken back.
    pub(crate) fn keep_intended(&mut self, run: &Run) {
        let intended = |intent: &Intent| {
            let phase = run.cursor(&intent.node.name).map(|cursor| &cursor.phase);
            matches!(phase, Some(Phase::Intended(effect)) if *effect == intent.effect)
        };
        let (kept, lost): (Vec<Intent>, Vec<Intent>) = self.ready.drain(..).partition(intended);
        self.ready = kept;
        self.places.retain(|place| !lost.iter().any(|intent| intent.node.name == *place));
    }

    /// What has come of one of those that are gone. They are looked at in the order in which they left, so that a story in
    /// which all vendors answer at once is told the same way each time.
    async fn land(&mut self) -> Option<(Attempt, Came)> {
        if let Some(landed) = self.back.pop_front() {
            return Some(landed);
        }
        poll_fn(|context| {
            let mut still = Vec::new();
            for mut made in self.gone.drain(..) {
                match made.as_mut().poll(context) {
                    Poll::Ready(landed) => self.back.push_back(landed),
                    Poll::Pending => still.push(made),
                }
            }
            self.gone = still;
            match self.back.pop_front() {
                None if !self.gone.is_empty() => Poll::Pending,
                landed => Poll::Ready(landed),
            }
        })
        .await
    }

    fn over(&mut self, place: &str) {
        self.places.remove(place);
    }
}

impl Engine {
    /// Lets leave what is written down; then takes in what has come of the first that is back, and of those with it. One alone is waited for right here.
    pub(crate) async fn fly(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        flight: &mut Flight,
    ) -> Result<(), EngineError> {
        if !self.flush(turn).await? {
            flight.keep_intended(&turn.run);
            return Ok(());
        }
        let alone = flight.places.len() == 1;
        for intent in std::mem::take(&mut flight.ready) {
            if let Some((who, facts)) = self.stopped(definition, turn, &intent).await? {
                flight.over(&intent.node.name);
                turn.add_all(&who, self.now(), facts)?;
                continue;
            }
            let made = intent.make(self.inner.parts.connectors.clone());
            if alone {
                let (attempt, came) = made.await;
                flight.over(&attempt.node.name);
                return self.came(definition, turn, attempt, came).await;
            }
            flight.gone.push(Box::pin(made));
        }
        let mut landed = if turn.is_empty() { flight.land().await } else { None };
        while let Some((attempt, came)) = landed {
            flight.over(&attempt.node.name);
            self.came(definition, turn, attempt, came).await?;
            // What has come back meanwhile becomes durable with it.
            landed = if turn.len() < MAX_EVENTS { flight.back.pop_front() } else { None };
        }
        Ok(())
    }
}
