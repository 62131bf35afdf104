//! What a run that failed or was cancelled did is undone, one step after the other, the newest first.

use std::collections::VecDeque;

use selvedge_workflow::plan::undo_of;

use super::{Cursor, Run, step_of};

/// What a run still undoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undoing {
    /// What it ends with afterwards.
    pub ending: String,
    /// Where, the next one first.
    pub left: VecDeque<String>,
}

/// Whether what its step did is undone at a place.
pub fn undoes(place: &str) -> bool {
    undo_of(&step_of(place)) == place
}

impl Run {
    /// It has ended, and goes on once more: to undo what was done at these places.
    pub(super) fn undo(&mut self, ending: &str, places: &[String]) {
        self.undoing = Some(Undoing { ending: ending.to_owned(), left: places.iter().cloned().collect() });
        self.ended = None;
        self.undo_next();
    }

    /// The next step is undone; after the last one the run has ended.
    pub(super) fn undo_next(&mut self) {
        let Some(undoing) = &mut self.undoing else { return };
        match undoing.left.pop_front() {
            Some(place) => {
                *self.visits.entry(place.clone()).or_default() += 1;
                self.cursors.push(Cursor::at(&place, None));
            }
            None => self.ended = Some(undoing.ending.clone()),
        }
    }
}
