//! How branches begin and meet, as the record tells it.

use selvedge_workflow::dictionary::of_item;

use super::{Branches, Cursor, Phase, Run};
use crate::fact::Items;

impl Run {
    /// Branches begin, and the cursor that stood at `place` waits where they meet.
    pub(super) fn fork(&mut self, place: &str, join: &str, starts: &[String], items: Option<&Items>) {
        self.enter(place, join);
        let first = starts.first().cloned().unwrap_or_default();
        let count = items.map_or(0, |items| items.count);
        let branches = Branches { first: first.clone(), items: count, ..Branches::default() };
        self.stands_at(join, |cursor| cursor.phase = Phase::Branched(branches));
        match items {
            Some(items) => (0..items.at_once.min(items.count)).for_each(|_| self.next_item(join)),
            None => starts.iter().for_each(|start| self.start(start.clone(), join)),
        }
    }

    /// A branch begins.
    fn start(&mut self, place: String, join: &str) {
        *self.visits.entry(place.clone()).or_default() += 1;
        self.cursors.push(Cursor::at(&place, Some(join.to_owned())));
    }

    /// The next item of a list begins, if there is one; in a cancelled run none does.
    pub(super) fn next_item(&mut self, join: &str) {
        let cancelled = self.cancelled;
        let meet = self.cursors.iter_mut().find(|cursor| cursor.place == join).map(|cursor| &mut cursor.phase);
        if let Some(Phase::Branched(branches)) = meet
            && branches.begun < branches.items
            && !cancelled
        {
            branches.begun += 1;
            let place = of_item(&branches.first, branches.begun);
            self.start(place, join);
        }
    }

    /// Whether all branches that meet at `join` are over.
    pub fn met(&self, join: &str) -> bool {
        !self.cursors.iter().any(|cursor| cursor.join.as_deref() == Some(join))
    }
}
