//! `undo`: what a failed run did is undone, the newest first, once, whatever becomes of the process; what cannot be undone
//! waits for a person where everybody sees it.

use selvedge_engine::operate::Act;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::{At, Phase};
use selvedge_engine::{Engine, Fact, Run, Who};
use selvedge_store::sqlite::writer::Moment;

use crate::house::{House, colleague, facts};

const STEPS: &str = r#"
  - call:
      id: posting
      through: books
      function: post
      with: { who: patient.name }
      undo: { call: { through: books, function: withdraw, with: { who: patient.name } } }
  - for-each:
      id: contracts
      every: contract
      at-once: 2
      steps:
        - call:
            id: entry
            through: books
            function: note
            undo: { call: { through: books, function: strike, with: { where: contract.address } } }
  - ask: { id: review, question: Is all well?, of: supervisor, answers: [fine, odd], within: 2d, otherwise: odd }
  - call: { id: last, through: books, function: close }
"#;

const ADA: [(&str, &str); 3] = [("patient.name", "Ada"), ("contract.address#1", "Elm"), ("contract.address#2", "Oak")];

const UNDONE: [&str; 6] = ["post Ada", "note", "note", "strike Oak", "strike Elm", "withdraw Ada"];

fn sam() -> Who {
    colleague("sam", "supervisor")
}

fn refuse(house: &House, functions: &[&str]) {
    *house.vendor.refuses.lock().unwrap() = functions.iter().map(|function| (*function).to_owned()).collect();
}

async fn answer(engine: &Engine, id: &RunId) {
    engine.settle(id).await.unwrap();
    engine.answer_question(id, "review", "fine", sam()).await.unwrap();
}

#[test]
fn a_failed_run_undoes_what_it_did_the_newest_first() {
    let house = House::new(STEPS);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        engine.settle(&id).await.unwrap();
        refuse(&house, &["close"]);
        answer(engine, &id).await;
        let run = engine.settle(&id).await.unwrap();
        assert_eq!((run.at(), run.closed), (At::End("failed".into()), true));
        assert_eq!(house.vendor.did(), UNDONE);
    });
}

#[test]
fn a_run_that_comes_to_its_end_undoes_nothing() {
    let house = House::new(STEPS);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        answer(engine, &id).await;
        assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("completed".into()));
        assert_eq!(house.vendor.did(), ["post Ada", "note", "note", "close"]);
    });
}

#[test]
fn a_cancelled_run_undoes_what_it_did() {
    let house = House::new(STEPS);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        engine.settle(&id).await.unwrap();
        engine.operate(&id, Act::Cancel, "opened by mistake", sam()).await.unwrap();
        let run = engine.settle(&id).await.unwrap();
        assert_eq!((run.at(), run.closed), (At::End("cancelled".into()), true));
        assert_eq!(house.vendor.did(), UNDONE);
    });
}

#[test]
fn what_cannot_be_undone_waits_for_a_person_who_has_it_tried_again_or_decides() {
    let house = House::new(STEPS);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        engine.settle(&id).await.unwrap();
        refuse(&house, &["close", "strike"]);
        answer(engine, &id).await;
        let run = engine.settle(&id).await.unwrap();
        assert!(matches!(run.phase(), Phase::UndoFailed(..)), "{:?}", run.phase());
        assert_eq!((run.summary().at, run.wake()), ("entry#2: undo failed".into(), (None, false)));
        let run = engine.operate(&id, Act::Retry, "the books are open again", sam()).await.unwrap();
        assert!(matches!(run.phase(), Phase::UndoFailed(..)), "they are not: {:?}", run.phase());
        refuse(&house, &["close"]);
        engine.operate(&id, Act::Retry, "now they are", sam()).await.unwrap();
        let run = engine.settle(&id).await.unwrap();
        assert_eq!((run.at(), house.vendor.did()), (At::End("failed".into()), UNDONE.map(str::to_owned).to_vec()));
        let failed = facts(engine, &id).await.iter().filter(|f| matches!(f, Fact::UndoFailed { .. })).count();
        assert_eq!(failed, 2, "each failure stands in the record");
    });
}

#[test]
fn a_person_can_let_one_stay_as_it_is_and_the_others_are_undone() {
    let house = House::new(STEPS);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        engine.settle(&id).await.unwrap();
        refuse(&house, &["close", "strike"]);
        answer(engine, &id).await;
        for _ in 0..2 {
            engine.operate(&id, Act::NotDone, "struck by hand", sam()).await.unwrap();
        }
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(
            (run.at(), house.vendor.did().last().cloned()),
            (At::End("failed".into()), Some("withdraw Ada".into()))
        );
    });
}

#[test]
fn a_kill_at_any_commit_undoes_everything_once() {
    for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
        for nth in 1.. {
            let house = House::new(STEPS);
            refuse(&house, &["close"]);
            let id = house.life(async |engine| house.open(engine, &ADA).await);
            let story = async |engine: &Engine| {
                engine.settle(&id).await?;
                let _ = engine.answer_question(&id, "review", "fine", sam()).await;
                engine.settle(&id).await
            };
            let killed = house.life_until_commit(nth, moment, async |engine| story(engine).await.is_err());
            let run = house.life(async |engine| story(engine).await.unwrap());
            assert_eq!(run.at(), At::End("failed".into()), "{moment:?} {nth}");
            let mut did = house.vendor.did();
            // Items that were under way together may have been done in either order.
            did[3..5].sort();
            assert_eq!(
                did,
                ["post Ada", "note", "note", "strike Elm", "strike Oak", "withdraw Ada"],
                "{moment:?} {nth}"
            );
            if !killed {
                break;
            }
        }
    }
}

#[test]
fn a_record_folds_to_the_same_run_wherever_one_stops_and_goes_on() {
    let house = House::new(STEPS);
    refuse(&house, &["close", "strike"]);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        engine.settle(&id).await.unwrap();
        answer(engine, &id).await;
        engine.settle(&id).await.unwrap();
        engine.operate(&id, Act::NotDone, "struck by hand", sam()).await.unwrap();
        refuse(&house, &["close"]);
        engine.operate(&id, Act::Retry, "the books are open again", sam()).await.unwrap();
        let whole = engine.settle(&id).await.unwrap();
        assert!(whole.closed);
        let events = engine.events(&id).await.unwrap();
        let fact = |at: usize| Fact::from_kind_and_data(&events[at].kind, events[at].data.clone()).unwrap();
        for stop in 1..events.len() {
            let controls = events[0].controls.as_deref().unwrap();
            let mut run = Run::begin(&id, whole.head.clone(), controls, events[0].time, &fact(0)).unwrap();
            (1..stop).for_each(|at| run.apply(events[at].time, &fact(at)));
            let mut later = run.clone();
            (stop..events.len()).for_each(|at| later.apply(events[at].time, &fact(at)));
            assert_eq!(later, whole, "stopped before event {stop}");
        }
    });
}

#[test]
fn of_several_effects_that_wait_for_a_person_the_step_says_which_one_is_decided() {
    let house = House::new(
        r#"
  - parallel:
      id: both
      branches:
        - steps: [ call: { id: one, through: books, function: post, class: never-retry } ]
        - steps: [ call: { id: other, through: books, function: note, class: never-retry } ]
"#,
    );
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        *house.vendor.vague.lock().unwrap() = true;
        engine.settle(&id).await.unwrap();
        let no = engine.operate(&id, Act::Done("b_1".into()), "seen in the books", sam()).await.unwrap_err();
        assert!(no.to_string().contains("say at which step"), "{no}");
        let at = |step: &str, act| Act::At(step.into(), Box::new(act));
        let no = engine.operate(&id, at("neither", Act::NotDone), "looked", sam()).await.unwrap_err();
        assert!(no.to_string().contains("at this step"), "{no}");
        engine.operate(&id, at("other", Act::Done("b_2".into())), "seen in the books", sam()).await.unwrap();
        let run = engine.operate(&id, Act::Done("b_1".into()), "seen too", sam()).await.unwrap();
        assert_eq!(run.at(), At::End("completed".into()), "of one that is left no step need be named");
        let done: Vec<(String, String)> = facts(engine, &id)
            .await
            .into_iter()
            .filter_map(|fact| match fact {
                Fact::Done { node, reference, .. } => Some((node, reference)),
                _ => None,
            })
            .collect();
        assert_eq!(done, [("other.call".to_owned(), "b_2".to_owned()), ("one.call".into(), "b_1".into())]);
    });
}
