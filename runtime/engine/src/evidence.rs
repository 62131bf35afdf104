//! Evidence: the checkpoint over the log, and one record as a file that verifies without us.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use secrecy::ExposeSecret;
use selvedge_record::merkle::Tree;
use selvedge_record::{Event, Opening, PackEvent, PackSource};

use selvedge_workflow::dictionary::Class;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::{Commitment, Fact, Text};
use crate::ports::Micros;
use crate::ports::store::{RunId, Stored};

/// How long after a run has ended a checkpoint covers it at the latest.
const SIGN_SOON: Micros = 50_000;

impl Engine {
    /// Signs a checkpoint over the log as it is, and keeps it.
    pub async fn checkpoint(&self) -> Result<(), EngineError> {
        let frontier = self.store().frontier().await?;
        let key = &self.inner.parts.log_key;
        let note = key.sign(&key.checkpoint(frontier.size(), frontier.root()));
        Ok(self.store().put_checkpoint(frontier.size(), &note).await?)
    }

    /// Has a checkpoint signed in [`SIGN_SOON`]: one for all runs that end until then. Whoever exports before gets one at
    /// once.
    pub(crate) fn sign_soon(&self) {
        if self.inner.signing.swap(true, Ordering::AcqRel) {
            return;
        }
        let engine = self.clone();
        tokio::spawn(async move {
            engine.inner.parts.clock.sleep_until(engine.now() + SIGN_SOON).await;
            engine.inner.signing.store(false, Ordering::Release);
            if let Err(error) = engine.checkpoint().await {
                tracing::error!(%error, "no checkpoint could be signed; the scheduler will sign one");
            }
        });
    }

    /// A record as a pack. The same record gives the same bytes: the oldest checkpoint that covers it is used.
    /// Sealed values of `open` classes are opened in it; all others stay commitments.
    pub async fn export(&self, id: &RunId, open: &[String]) -> Result<String, EngineError> {
        if let Some(class) = open.iter().find(|class| Class::named(class).is_none()) {
            let class = class.chars().filter(char::is_ascii_alphabetic).take(16).collect();
            return Err(EngineError::NoSuchClass { class });
        }
        let record = self.store().record(id).await?;
        let places = self.store().places(id).await?;
        // Where the log is read after the record, it may know more of it.
        let Some(&last) = record.len().checked_sub(1).and_then(|last| places.get(last)) else {
            return Err(EngineError::NoSuchInteraction { interaction: id.interaction.clone() });
        };
        let (size, note) = self.signed_over(last).await?;
        let tree = Tree::new(&self.store().leaves(size).await?);
        let proved = |(stored, index): (Stored, u64)| PackEvent {
            proof: tree.inclusion_proof(index),
            canonical: stored.canonical,
            index,
        };
        let events = record.into_iter().zip(places).map(proved).collect();
        let mut controls = BTreeMap::new();
        for digest in self.events(id).await?.iter().flat_map(Event::control_digests) {
            if controls.contains_key(digest) {
                continue;
            }
            let missing = || EngineError::Definition { digest: digest.into(), why: "it is not in the store".into() };
            let text = self.store().definition(&id.tenant, digest).await?.ok_or_else(missing)?;
            let files = serde_json::from_str(&text).map_err(|e| EngineError::Broken { what: e.to_string() })?;
            controls.insert(digest.to_owned(), files);
        }
        let source = PackSource {
            tenant: id.tenant.clone(),
            interaction: id.interaction.clone(),
            checkpoint: note,
            openings: self.openings(id, open).await?,
            controls,
            events,
        };
        Ok(selvedge_record::pack::write(&source, &self.inner.parts.log_key)?)
    }

    /// The oldest checkpoint that covers a place in the log, with its size; where there is none, one is signed.
    pub(crate) async fn signed_over(&self, place: u64) -> Result<(u64, String), EngineError> {
        if let Some(found) = self.store().checkpoint_over(place).await? {
            return Ok(found);
        }
        self.checkpoint().await?;
        let signed = self.store().checkpoint_over(place).await?;
        signed
            .ok_or_else(|| EngineError::Broken { what: "a checkpoint that was just signed is not in the store".into() })
    }

    async fn openings(&self, id: &RunId, open: &[String]) -> Result<Vec<Opening>, EngineError> {
        let mut openings = Vec::new();
        for event in self.events(id).await? {
            // The access record commits to nothing.
            let Ok(fact) = Fact::from_kind_and_data(&event.kind, event.data.clone()) else { continue };
            for (pointer, commitment) in commitments(&fact) {
                if !open.contains(&commitment.class) {
                    continue;
                }
                if let Some((salt, value)) = self.inner.values.opened(id, &commitment.name).await? {
                    openings.push(Opening { seq: event.seq, pointer, salt, value: value.expose_secret().to_owned() });
                }
            }
        }
        Ok(openings)
    }
}

/// Where a fact commits to values, as JSON pointers into its data.
fn commitments(fact: &Fact) -> Vec<(String, &Commitment)> {
    match fact {
        Fact::Intended { carries, .. } => {
            carries.iter().enumerate().map(|(i, c)| (format!("/carries/{i}/commitment"), c)).collect()
        }
        Fact::Disclosed { fields, .. } => {
            fields.iter().enumerate().map(|(i, c)| (format!("/fields/{i}/commitment"), c)).collect()
        }
        Fact::Done { answer: Some(answer), .. } => vec![("/answer/commitment".into(), answer)],
        Fact::TextReceived(Text { words, from, .. }) => {
            let kept = [("/words/commitment", words.as_ref()), ("/from/commitment", from.as_deref())].into_iter();
            kept.filter_map(|(place, value)| Some((place.to_owned(), value?))).collect()
        }
        Fact::Offered { terms, .. } => vec![("/terms/commitment".into(), terms)],
        Fact::Authorized { words, .. } => vec![("/words/commitment".into(), words)],
        _ => Vec::new(),
    }
}
