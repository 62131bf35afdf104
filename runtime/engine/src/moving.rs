//! A run pins its definition for life, unless a person moves it to another one, with a reason, as a fact. Keys of effects
//! and answers so far stay what they are. Refused where what was proved of the other definition would not hold for this
//! run ([`may_move`]), or while an effect is under way: its key and what it carries belong together.

use std::collections::BTreeMap;
use std::sync::Arc;

use selvedge_record::Event;
use selvedge_workflow::moving::{Stuck, may_move};

use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::operate::Act;
use crate::run::{At, Run};
use crate::signal::{Delivered, Signal};

/// How a person names the definition that new runs take.
pub const LATEST: &str = "latest";

impl Engine {
    /// The definition that `to` names, [`LATEST`] or a digest, where the run can go on in it.
    ///
    /// Errors: E505 (nothing of this workflow was published under it), E525 (the run cannot go on in it).
    pub(crate) async fn movable(&self, run: &Run, to: &str) -> Result<Arc<Definition>, EngineError> {
        let (tenant, workflow) = (&run.id.tenant, &run.workflow);
        let named = match to {
            LATEST => self.store().published(tenant, workflow).await?,
            digest => {
                let kept = self.store().kept(tenant).await?;
                kept.into_iter().find(|(of, kept)| of == workflow && kept == digest).map(|(_, digest)| digest)
            }
        };
        let wanted = || format!("`{LATEST}`, or the digest of a definition of `{workflow}` that was published here");
        let to = named.ok_or_else(|| EngineError::BadValue { field: "to".into(), wanted: wanted() })?;
        let no = |Stuck { node, why }| EngineError::CannotMove { at: node, why };
        if to == run.controls {
            return Err(no(Stuck { node: run.place(), why: "it goes by this definition".into() }));
        }
        if let Some(cursor) = run.cursors.iter().find(|cursor| cursor.effect().is_some()) {
            let why = "an effect is under way there, which is cleared up first".into();
            return Err(no(Stuck { node: cursor.place.clone(), why }));
        }
        let (before, after) =
            (self.definition(tenant, workflow, &run.controls).await?, self.definition(tenant, workflow, &to).await?);
        let way = way(&self.events(&run.id).await?);
        let standing: Vec<&str> = run.cursors.iter().map(|cursor| cursor.place.as_str()).collect();
        may_move(&before.plan, &after.plan, &way, &standing).map_err(no)?;
        Ok(after)
    }

    /// What a move comes to, where the run stands now: nothing, where it cannot go on there any more. Everything that the
    /// run did so far must be durable.
    pub(crate) async fn moved(&self, run: &Run, delivered: &Delivered) -> Result<Option<Fact>, EngineError> {
        let Signal::Operate { act: act @ Act::Move(to), reason } = &delivered.signal else { return Ok(None) };
        if run.allows(act).is_err() {
            return Ok(None);
        }
        match self.movable(run, to).await {
            Ok(after) => Ok(Some(Fact::Moved {
                by: delivered.who.in_words(),
                reason: reason.clone(),
                from: run.controls.clone(),
                to: after.digest.clone(),
                connectors: self.pinned(&after),
            })),
            Err(EngineError::CannotMove { .. } | EngineError::BadValue { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The connectors that a run of this definition may call, as they are installed now.
    pub(crate) fn pinned(&self, definition: &Definition) -> BTreeMap<String, String> {
        let installed = self.inner.parts.connectors.digests();
        let uses = definition.plan.uses.values();
        uses.filter_map(|name| Some((name.clone(), installed.get(name)?.clone()))).collect()
    }
}

/// From node to node, as the record tells it: each fact that ends a node says where the run goes on.
fn way(events: &[Event]) -> Vec<(String, String)> {
    let text = |event: &Event, name: &str| event.data.get(name)?.as_str().map(str::to_owned);
    events.iter().filter_map(|event| Some((text(event, "node")?, text(event, "next")?))).collect()
}

/// Where a run was moved from, last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The digest of the definition before.
    pub from: String,
    /// Who moved it, and as what.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Run {
    /// Takes in that it was moved.
    pub(crate) fn goes_by(&mut self, fact: &Fact) {
        if let Fact::Moved { by, reason, from, to, connectors } = fact {
            (self.controls, self.connectors) = (to.clone(), connectors.clone());
            self.moved = Some(Moved { from: from.clone(), by: by.clone(), reason: reason.clone() });
        }
    }

    /// In words, where it stands: `plan`, or how it ended.
    pub(crate) fn place(&self) -> String {
        match self.at() {
            At::Node(place) | At::End(place) => place,
        }
    }
}
