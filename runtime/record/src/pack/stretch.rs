//! A stretch of the log: everything from one place to the end of a signed checkpoint, as a file. It proves what a pack
//! cannot: that something is *not* there. A pack holds one record, and the next one could hold what is denied.
//!
//! Like a pack it is text, one canonical JSON object per line:
//!
//! 1. `{stretch: {about, checkpoint, edge, format, from, key, places, tenant}}`;
//! 2. `{event, index, proof}` for events from before the stretch that it refers to;
//! 3. `{leaf: {event, index}}` for every place from `from` on, or `{leaf: {hash, index}}` where the event is another
//!    tenant's: such a place is *closed*;
//! 4. the seal of a pack.
//!
//! The edge is the right edge of the log before the stretch ([`Frontier`]). Whoever appends all leaves to it must reach the
//! size and the root that the checkpoint signs, and reaches them with these leaves and no others: nothing can be left
//! out, added, moved or changed.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::rows::{self, Begin, EventRow, Leaf, Row, Unreadable};
use super::verify::{self, Rest};
use super::{PackEvent, event_line, fault, line, seal_line};
use crate::{Checkpoint, Event, Fault, Frontier, Hash, LogKey, LogVerifier, RecordError, merkle};

/// What the first line calls the file's form.
pub const FORMAT: &str = "selvedge.stretch/1";
/// The largest stretch; some 300,000 events.
pub const MAX_STRETCH_BYTES: usize = 512 * 1024 * 1024;

/// What goes into a stretch.
#[derive(Debug, Clone)]
pub struct StretchSource {
    /// Whose events are shown.
    pub tenant: String,
    /// What it is to prove something about: `kill-3`.
    pub about: String,
    /// The right edge of the log before the first place; its size is where the stretch begins.
    pub edge: Frontier,
    /// A signed checkpoint over exactly the edge and these places.
    pub checkpoint: String,
    /// Events from before, in the order of their places.
    pub before: Vec<PackEvent>,
    /// Every place, in order.
    pub places: Vec<Place>,
}

/// What a stretch shows of one place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The event, as canonical text.
    Open(String),
    /// Only its hash: it is another tenant's.
    Closed(Hash),
}

/// A stretch that holds.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Whose events are shown.
    pub tenant: String,
    /// What it is about.
    pub about: String,
    /// The first place.
    pub from: u64,
    /// Events from before, each with its place, in order.
    pub before: Vec<(u64, Event)>,
    /// The events of all places from `from` on; `None` where the place is closed.
    pub places: Vec<Option<Event>>,
    /// The checkpoint that all of this was proved against; the last place is its last leaf.
    pub checkpoint: Checkpoint,
    /// The key that signed the checkpoint and sealed the file.
    pub key: LogVerifier,
    /// Whether the reader gave that key; if not, it came out of the file.
    pub key_was_given: bool,
}

/// Writes a stretch; same source and key, same bytes.
///
/// Errors: R305 and its like for an event that cannot be read, otherwise the [`Fault`] that the file would have.
pub fn write(source: &StretchSource, key: &LogKey) -> Result<String, RecordError> {
    let StretchSource { tenant, about, edge, checkpoint, before, places } = source;
    let (key_text, peaks) = (key.verifier().to_string(), edge.peaks());
    let mut text = line(&json!({ "stretch": {
        "format": FORMAT, "tenant": tenant, "about": about, "from": edge.size(), "edge": peaks,
        "places": places.len(), "key": key_text, "checkpoint": checkpoint,
    }}))?;
    for event in before {
        text += &event_line(event)?;
    }
    for (index, place) in (edge.size()..).zip(places) {
        let leaf = match place {
            Place::Open(canonical) => {
                let not_canonical = |error: serde_json::Error| RecordError::NotCanonical { why: error.to_string() };
                json!({ "event": serde_json::from_str::<Value>(canonical).map_err(not_canonical)?, "index": index })
            }
            Place::Closed(hash) => json!({ "hash": hash, "index": index }),
        };
        text += &line(&json!({ "leaf": leaf }))?;
    }
    text += &seal_line(&text, key)?;
    verify(text.as_bytes(), Some(&key.verifier()))?;
    Ok(text)
}

/// Checks a stretch, with a trusted key or with the one in the file.
///
/// Errors: the first line that does not hold, R320 to R323, R326, R327, R331, R333, R334. No input makes it panic.
pub fn verify(bytes: &[u8], trusted: Option<&LogVerifier>) -> Result<Stretch, Fault> {
    let rows = rows::read(bytes, MAX_STRETCH_BYTES)?;
    let begin = begin(&rows)?;
    let (key, checkpoint) = verify::opened(&begin.key, &begin.checkpoint, trusted)?;
    if begin.from.checked_add(begin.places) != Some(checkpoint.size) {
        let what = format!(
            "it ends after {} places, the signed log after {}",
            begin.from.saturating_add(begin.places),
            checkpoint.size
        );
        return Err(changed("R322", what));
    }
    let mut rest = Rest { rows: &rows, next: 1 };
    before(&mut rest, begin, &checkpoint)?;
    let leaves = places(&mut rest, begin)?;
    chained(begin, &leaves)?;
    leads_to_root(begin, &leaves, &checkpoint)?;
    verify::seal(&mut rest, bytes, &key)?;

    let (tenant, about, from) = (begin.tenant.clone(), begin.about.clone(), begin.from);
    let (mut before, mut places) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(Row::Event(row)) => before.push((row.index, row.event)),
            Ok(Row::Leaf { leaf: Leaf::Open(event), .. }) => places.push(Some(*event)),
            Ok(Row::Leaf { leaf: Leaf::Closed(_), .. }) => places.push(None),
            _ => {}
        }
    }
    Ok(Stretch { tenant, about, from, before, places, checkpoint, key, key_was_given: trusted.is_some() })
}

fn changed(code: &'static str, what: impl Into<String>) -> Fault {
    fault(code, 1, "the first line", what)
}

fn begin(rows: &[Result<Row, Unreadable>]) -> Result<&Begin, Fault> {
    match rows.first() {
        Some(Ok(Row::Stretch(begin))) if begin.format != FORMAT => {
            Err(changed("R322", "its format is not `selvedge.stretch/1`"))
        }
        Some(Ok(Row::Stretch(begin))) if begin.places == 0 => Err(changed("R322", "it announces no place")),
        Some(Ok(Row::Stretch(begin))) => Ok(begin),
        Some(Err((code, why))) => Err(changed(code, why)),
        _ => Err(changed("R322", "the file does not begin as a stretch of the log")),
    }
}

/// The events from before: each in the log, in order, and before the stretch.
fn before(rest: &mut Rest<'_>, begin: &Begin, checkpoint: &Checkpoint) -> Result<(), Fault> {
    let mut last = None;
    while let Some((line, row)) = rest.take(Row::as_event) {
        let EventRow { event, index, proof } = row;
        let place = format!("event {} of {}", event.seq, event.interaction);
        if !merkle::verify_inclusion(checkpoint.root, checkpoint.size, *index, event.hash, proof) {
            return Err(fault(
                "R327",
                line,
                place,
                "it was changed: the log does not hold it in this form, or not there",
            ));
        }
        if *index >= begin.from || last >= Some(*index) || event.tenant != begin.tenant {
            return Err(fault("R326", line, place, "it does not belong here: it was added or moved"));
        }
        last = Some(*index);
    }
    Ok(())
}

/// A leaf with its line.
type Placed<'a> = (usize, &'a Leaf);

/// As many places as announced, one after the other.
fn places<'a>(rest: &mut Rest<'a>, begin: &Begin) -> Result<Vec<Placed<'a>>, Fault> {
    let mut leaves = Vec::new();
    for wanted in begin.from..begin.from + begin.places {
        let place = format!("place {wanted} of the log");
        let Some((line, (index, leaf))) = rest.take(Row::as_leaf) else {
            if let Some(Err((code, why))) = rest.rows.get(rest.next) {
                return Err(fault(code, rest.next + 1, place, why));
            }
            return Err(fault("R333", rest.next + 1, place, format!("place {wanted} of the log is missing")));
        };
        if index > wanted {
            return Err(fault("R333", line, place, format!("place {wanted} of the log is missing")));
        }
        if index < wanted {
            return Err(fault("R326", line, place, format!("place {index} stands here once more")));
        }
        if let Leaf::Open(event) = leaf
            && event.tenant != begin.tenant
        {
            return Err(fault("R326", line, place, "it is an event of another tenant"));
        }
        leaves.push((line, leaf));
    }
    match rest.take(Row::as_leaf) {
        Some((line, (index, _))) => {
            Err(fault("R326", line, format!("place {index} of the log"), "it lies beyond the signed log"))
        }
        None => Ok(leaves),
    }
}

/// Each record goes on where it was: this names the place where the root would only say that there is one.
fn chained(begin: &Begin, leaves: &[Placed<'_>]) -> Result<(), Fault> {
    let mut heads: HashMap<&str, &Event> = HashMap::new();
    for (index, (line, leaf)) in (begin.from..).zip(leaves) {
        let Leaf::Open(event) = leaf else { continue };
        let Some(last) = heads.insert(&event.interaction, event) else { continue };
        let place = format!("place {index} of the log");
        if event.seq != last.seq + 1 {
            let what = format!(
                "event {} of {} stands here, and the one before it in the file is event {}: what is between was left out",
                event.seq, event.interaction, last.seq
            );
            return Err(fault("R333", *line, place, what));
        }
        if event.prev != last.hash {
            let what = format!(
                "event {} of {} does not follow on the one before it: one of the two was changed",
                event.seq, event.interaction
            );
            return Err(fault("R334", *line, place, what));
        }
    }
    Ok(())
}

fn leads_to_root(begin: &Begin, leaves: &[Placed<'_>], checkpoint: &Checkpoint) -> Result<(), Fault> {
    let edge = Frontier::restore(begin.from, begin.edge.clone());
    let mut log = edge.map_err(|error| changed("R322", format!("in `edge`: {error}")))?;
    for (_, leaf) in leaves {
        log.push(match leaf {
            Leaf::Open(event) => event.hash,
            Leaf::Closed(hash) => *hash,
        });
    }
    if log.root() == checkpoint.root {
        return Ok(());
    }
    let what = "the places do not lead to the root that was signed: one of them was exchanged, or the edge before them";
    Err(fault("R334", 1, format!("places {} to {} of the log", begin.from, checkpoint.size - 1), what))
}

#[cfg(test)]
mod tests;
