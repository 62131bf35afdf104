//! The laws of undoing: what was done is undone once, the newest first, and only when the run did not come to its end.

use proptest::prelude::*;

use super::plans::bookings;
use super::*;
use crate::run::undoes;

/// Steps with an effect that was done, and those whose undo was done or left, in the order of the record.
fn told(sheet: &Sheet) -> (Vec<String>, Vec<String>) {
    let (mut done, mut undone) = (Vec::new(), Vec::new());
    for stored in &sheet.record {
        let event = selvedge_record::Event::parse(&stored.canonical).unwrap();
        match Fact::from_kind_and_data(&event.kind, event.data).unwrap() {
            Fact::Done { node, .. } if undoes(&node) => undone.push(step_of(&node).into_owned()),
            Fact::Done { node, exit, .. } if exit == "done" => done.push(step_of(&node).into_owned()),
            _ => {}
        }
    }
    (done, undone)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_done_is_undone_once_and_the_newest_first(dice in proptest::collection::vec(any::<u8>(), 1..300)) {
        let definition = bookings();
        let mut sheet = Sheet::open(&definition);
        for die in dice {
            if !sheet.step(&definition, die) {
                break;
            }
        }
        let (mut done, undone) = told(&sheet);
        done.retain(|step| step != "last");
        done.reverse();
        prop_assert!(undone.len() <= done.len());
        prop_assert_eq!(&undone, &done[..undone.len()], "in the reverse of the order in which they were done");
        if sheet.run.closed {
            let whole = if sheet.run.at() == At::End("completed".into()) { 0 } else { done.len() };
            prop_assert_eq!(undone.len(), whole, "all of them, or none where the run came to its end");
        }
    }
}

#[test]
fn a_run_that_fails_late_undoes_all_of_it() {
    let definition = bookings();
    let mut sheet = Sheet::open(&definition);
    // All goes well and days pass, until the last call is refused; then all goes well again.
    for _ in 0..200 {
        let last = sheet.run.at() == At::Node("last.call".into());
        if !sheet.step(&definition, if last { 20 } else { 24 }) {
            break;
        }
    }
    let (done, undone) = told(&sheet);
    assert_eq!(sheet.run.at(), At::End("failed".into()));
    assert_eq!(undone, done.into_iter().rev().collect::<Vec<_>>());
    assert!(undone.len() > 4, "{undone:?}");
}
