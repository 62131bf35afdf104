//! Folds that are remembered. A run is the fold of its record, and a record only grows: who has folded it up to an event
//! need not read it again while that event is the last. Whether it is, the store says each time, so nothing here can be
//! out of date, whoever writes.

use std::collections::HashMap;
use std::sync::Mutex;

use selvedge_record::Hash;

use crate::engine::lock;
use crate::ports::store::{RunId, Stored};
use crate::run::Run;

/// Of how many runs the fold is remembered.
const MAX_KEPT: usize = 1024;

#[derive(Default)]
pub(crate) struct Folds(Mutex<HashMap<RunId, Run>>);

impl Folds {
    /// Remembers a run as its record has it. One that is over is looked at seldom.
    pub fn keep(&self, run: &Run) {
        let mut kept = lock(&self.0);
        if run.closed {
            kept.remove(&run.id);
            return;
        }
        if kept.len() >= MAX_KEPT && !kept.contains_key(&run.id) {
            kept.clear();
        }
        kept.insert(run.id.clone(), run.clone());
    }

    /// The run, if `last` is the event that it was folded up to.
    pub fn up_to(&self, id: &RunId, last: &Stored) -> Option<Run> {
        let kept = lock(&self.0);
        let run = kept.get(id).filter(|run| run.head.seq == last.seq + 1)?;
        (run.head.hash == Hash::leaf(&last.canonical)).then(|| run.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use selvedge_record::{Draft, Head};

    use super::*;
    use crate::fact::Fact;

    /// A run that was just opened, and the last event of its record.
    fn opened(by: &str) -> (Run, Stored) {
        let id = RunId { tenant: "riverside".into(), interaction: "int_1".into() };
        let fact = Fact::Opened {
            workflow: "healthcare-balance".into(),
            customer: "c_ada".into(),
            channel: "call".into(),
            by: by.into(),
            connectors: BTreeMap::new(),
            next: "identity.send".into(),
        };
        let (kind, data) = fact.kind_and_data().unwrap();
        let mut head = Head::start("riverside", "int_1");
        let sealed = head.append(Draft::new(kind, 1, by, data)).unwrap();
        let run = Run::begin(&id, head, "", 1, &fact).unwrap();
        (run, Stored { seq: sealed.seq, canonical: sealed.canonical })
    }

    #[test]
    fn a_fold_counts_while_its_event_is_the_last() {
        let (folds, (run, last)) = (Folds::default(), opened("person:maria"));
        assert!(folds.up_to(&run.id, &last).is_none());
        folds.keep(&run);
        assert_eq!(folds.up_to(&run.id, &last).map(|run| run.opened_by), Some("person:maria".into()));

        let another = opened("person:sam").1;
        assert!(folds.up_to(&run.id, &another).is_none(), "of the same length, and other events");
        let longer = Stored { seq: last.seq + 1, ..last.clone() };
        assert!(folds.up_to(&run.id, &longer).is_none());
    }

    #[test]
    fn a_run_that_is_over_is_not_remembered() {
        let (folds, (run, last)) = (Folds::default(), opened("person:maria"));
        folds.keep(&run);
        folds.keep(&Run { closed: true, ..run.clone() });
        assert!(folds.up_to(&run.id, &last).is_none());
    }
}
