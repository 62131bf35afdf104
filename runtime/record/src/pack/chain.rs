//! The events of a pack: each proved by the log, each following the one before, none missing, none added.
//!
//! One changed byte is easy to notice and hard to describe: the reader wants "events 6 and 7 are swapped", not
//! "hash mismatch". So each check that fails looks at the lines around it before it speaks.

use super::fault;
use super::rows::{EventRow, Manifest, Row, Unreadable};
use crate::{Checkpoint, Event, Fault, Hash, merkle};

/// The events of a pack as its manifest announces them. Event `seq` stands in line `seq + 2`.
pub struct Chain<'a> {
    pub rows: &'a [Result<Row, Unreadable>],
    pub manifest: &'a Manifest,
    pub checkpoint: &'a Checkpoint,
    /// Whether the file has as many lines as its seal says. Then no line was dropped or added, and where
    /// manifest and lines disagree it is the manifest that was changed.
    pub counts_agree: bool,
}

impl Chain<'_> {
    /// Checks every event, in order.
    pub fn check(&self) -> Result<(), Fault> {
        let mut prev = Hash::ZERO;
        for seq in 0..self.manifest.events {
            prev = self.event(seq, prev)?.hash;
        }
        match self.at(self.manifest.events) {
            Some(beyond) => Err(self.beyond_the_last(prev, beyond)),
            None => Ok(()),
        }
    }

    fn event(&self, seq: u64, prev: Hash) -> Result<&Event, Fault> {
        match self.row(seq) {
            Some(Ok(Row::Event(row))) => self.fits(seq, prev, row).map(|()| &row.event),
            Some(Err((code, why))) => Err(fault(code, line_of(seq), format!("event {seq}"), why)),
            Some(Ok(_)) if self.events().any(|(position, _)| position > seq) => {
                let what = "a line that is no event was added among the events";
                Err(fault("R326", line_of(seq), format!("event {seq}"), what))
            }
            _ => Err(self.dropped_at_the_end(seq)),
        }
    }

    fn fits(&self, seq: u64, prev: Hash, row: &EventRow) -> Result<(), Fault> {
        if !self.proved(row) {
            return Err(self.not_proved(seq, prev, row));
        }
        // From here on the log holds this very event. Is it the one that belongs here?
        if !self.is_ours(&row.event) {
            return Err(self.foreign(seq, row));
        }
        if row.event.seq != seq {
            return Err(self.out_of_order(seq, row));
        }
        if row.event.prev != prev {
            let what = format!("event {seq} does not follow the event before it: it is from another record");
            return Err(fault("R332", line_of(seq), place(seq, row), what));
        }
        Ok(())
    }

    fn not_proved(&self, seq: u64, prev: Hash, row: &EventRow) -> Fault {
        let next = self.at(seq + 1);
        let next_belongs_here =
            next.is_some_and(|next| next.event.seq == seq && next.event.prev == prev && self.proved(next));
        let next_links_here = next.is_some_and(|next| next.event.prev == row.event.hash && self.proved(next));
        let (code, what) = if next_belongs_here {
            ("R326", added_after(seq))
        } else if next_links_here && row.event.prev == prev {
            ("R328", format!("the proof of event {seq} was changed, or its place in the log"))
        } else {
            ("R327", format!("event {seq} was changed: the log does not hold it in this form"))
        };
        fault(code, line_of(seq), place(seq, row), what)
    }

    fn foreign(&self, seq: u64, row: &EventRow) -> Fault {
        let same = |other: &Event| other.tenant == row.event.tenant && other.interaction == row.event.interaction;
        if self.events().all(|(_, other)| same(&other.event)) {
            let what = "the tenant or the interaction was changed: the events name another";
            return fault("R322", 1, "manifest", what);
        }
        let what = format!("{}: it belongs to another interaction", added_after(seq));
        fault("R332", line_of(seq), place(seq, row), what)
    }

    fn out_of_order(&self, seq: u64, row: &EventRow) -> Fault {
        let found = row.event.seq;
        if found < seq {
            let what = format!("{}: it is event {found} once more", added_after(seq));
            return fault("R326", line_of(seq), place(found, row), what);
        }
        let wanted = self.events().find(|(_, other)| other.event.seq == seq && self.is_ours(&other.event));
        match wanted {
            Some((position, _)) if position == found => {
                let what = format!("events {seq} and {found} are swapped");
                fault("R325", line_of(seq), place(found, row), what)
            }
            Some((position, _)) => {
                let what = format!("event {seq} should stand here; it stands in line {}", line_of(position));
                fault("R325", line_of(seq), place(found, row), what)
            }
            None => fault("R324", line_of(seq), format!("event {seq}"), missing(seq, found)),
        }
    }

    fn dropped_at_the_end(&self, seq: u64) -> Fault {
        let announced = self.manifest.events;
        if self.counts_agree {
            let what = format!("the number of events was changed: it says {announced}, the file holds {seq}");
            return fault("R322", 1, "manifest", what);
        }
        fault("R324", line_of(seq), format!("event {seq}"), missing(seq, announced))
    }

    fn beyond_the_last(&self, prev: Hash, row: &EventRow) -> Fault {
        let seq = self.manifest.events;
        if self.counts_agree && row.event.prev == prev && self.proved(row) {
            let what = format!("the number of events was changed: it says {seq}, the file holds more");
            return fault("R322", 1, "manifest", what);
        }
        fault("R326", line_of(seq), place(row.event.seq, row), added_after(seq))
    }

    fn proved(&self, row: &EventRow) -> bool {
        let Checkpoint { root, size, .. } = *self.checkpoint;
        merkle::verify_inclusion(root, size, row.index, row.event.hash, &row.proof)
    }

    fn is_ours(&self, event: &Event) -> bool {
        event.tenant == self.manifest.tenant && event.interaction == self.manifest.interaction
    }

    /// What stands where event `seq` should.
    fn row(&self, seq: u64) -> Option<&Result<Row, Unreadable>> {
        self.rows.get(usize::try_from(seq).ok()?.checked_add(1)?)
    }

    /// The event that stands where event `seq` should.
    fn at(&self, seq: u64) -> Option<&EventRow> {
        match self.row(seq) {
            Some(Ok(Row::Event(row))) => Some(row),
            _ => None,
        }
    }

    /// All readable events, each with the sequence that its line is for.
    fn events(&self) -> impl Iterator<Item = (u64, &EventRow)> {
        (0..self.rows.len() as u64).filter_map(|seq| Some((seq, self.at(seq)?)))
    }
}

/// The line for event `seq`; the manifest stands in line 1. Only called for lines that a file can have.
pub fn line_of(seq: u64) -> usize {
    usize::try_from(seq).map_or(usize::MAX, |seq| seq.saturating_add(2))
}

/// How a message calls the event in a line.
pub fn place(seq: u64, row: &EventRow) -> String {
    format!("event {seq} ({})", row.event.kind)
}

fn added_after(seq: u64) -> String {
    match seq.checked_sub(1) {
        Some(before) => format!("an event was added after event {before}"),
        None => "an event was added before the first".to_owned(),
    }
}

fn missing(from: u64, to: u64) -> String {
    match to - from {
        1 => format!("event {from} is missing"),
        2 => format!("events {from} and {} are missing", from + 1),
        _ => format!("events {from} to {} are missing", to - 1),
    }
}
