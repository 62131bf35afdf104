//! `parallel` and `for-each`: what branches intend leaves together, each item once, and the run goes on when the last one
//! is over.

use std::sync::Arc;

use selvedge_engine::Fact;
use selvedge_engine::run::{At, Phase};
use selvedge_store::sqlite::writer::Moment;
use tokio::sync::Barrier;

use crate::house::{DAY, House, facts};

const BOTH: &str = r#"
  - parallel:
      id: both
      branches:
        - steps:
            - communicate: { id: receipt, over: texts, to: patient.mobile, template: note }
            - wait: { id: rest, for: 2d }
        - steps:
            - call: { id: booked, through: books, function: post, with: { who: patient.name } }
            - call: { id: noted, through: books, function: note }
  - communicate: { id: last, over: texts, to: patient.mobile, template: other }
"#;

const EACH: &str = r#"
  - for-each:
      id: contracts
      every: contract
      at-once: 2
      steps:
        - call: { id: posting, through: books, function: post, with: { where: contract.address } }
        - wait: { id: rest, for: 1d }
"#;

const ADA: [(&str, &str); 1] = [("patient.name", "Ada")];
const THREE: [(&str, &str); 3] =
    [("contract.address#1", "Elm"), ("contract.address#2", "Oak"), ("contract.address#3", "Ash")];

/// What happens at once comes in any order.
fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

#[test]
fn branches_leave_together_and_meet_when_the_last_one_is_over() {
    let house = House::new(BOTH);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        let run = engine.settle(&id).await.unwrap();
        assert!(matches!(run.phase(), Phase::Branched(_)), "{:?}", run.phase());
        assert_eq!(run.summary().at, "both");
        assert_eq!(
            (house.vendor.steps(), house.vendor.did()),
            (vec!["receipt".into()], vec!["post Ada".into(), "note".into()])
        );
        let order: Vec<String> = facts(engine, &id)
            .await
            .iter()
            .filter_map(|fact| match fact {
                Fact::Intended { node, .. } => Some(format!("intends {node}")),
                Fact::Done { node, .. } => Some(format!("did {node}")),
                _ => None,
            })
            .collect();
        assert_eq!(
            order[..2],
            ["intends receipt", "intends booked.call"],
            "both are written down before either is made"
        );
        house.clock.advance(2 * DAY);
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(
            (run.at(), house.vendor.steps()),
            (At::End("completed".into()), vec!["receipt".into(), "last".into()])
        );
    });
}

#[test]
fn what_a_vendor_reports_before_it_answers_is_no_second_outcome() {
    let house = House::new(BOTH);
    house.life(async |engine| {
        *house.vendor.early.lock().unwrap() = Some(engine.clone());
        *house.vendor.meets.lock().unwrap() = Some(Arc::new(Barrier::new(2)));
        let id = house.open(engine, &ADA).await;
        engine.settle(&id).await.unwrap();
        let told = facts(engine, &id).await;
        let receipt: Vec<&str> = told
            .iter()
            .filter_map(|fact| match fact {
                Fact::Done { node, .. } if node == "receipt" => Some("done"),
                Fact::Reported { .. } => Some("reported"),
                _ => None,
            })
            .collect();
        assert_eq!(receipt, ["done", "reported"]);
    });
}

#[test]
fn a_branch_that_fails_lets_the_others_come_to_their_end_first() {
    let house = House::new(BOTH);
    house.vendor.refuses.lock().unwrap().insert("post".into());
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        assert!(matches!(engine.settle(&id).await.unwrap().phase(), Phase::Branched(_)), "the other one waits still");
        house.clock.advance(2 * DAY);
        let run = engine.settle(&id).await.unwrap();
        assert_eq!((run.at(), house.vendor.steps()), (At::End("failed".into()), vec!["receipt".into()]));
    });
}

#[test]
fn a_run_goes_on_over_a_failed_branch_where_its_workflow_says_so() {
    let house = House::new(&BOTH.replace("id: both\n", "id: both\n      if-one-fails: go-on\n"));
    house.vendor.refuses.lock().unwrap().insert("post".into());
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        engine.settle(&id).await.unwrap();
        house.clock.advance(2 * DAY);
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(
            (run.at(), house.vendor.steps()),
            (At::End("completed".into()), vec!["receipt".into(), "last".into()])
        );
    });
}

#[test]
fn no_more_items_are_under_way_than_the_workflow_says_and_each_has_a_key_of_its_own() {
    let house = House::new(EACH);
    house.life(async |engine| {
        let id = house.open(engine, &THREE).await;
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(run.cursors.len(), 3, "two items, and where they meet");
        assert_eq!(sorted(house.vendor.did()), ["post Elm", "post Oak"]);
        house.clock.advance(DAY);
        engine.settle(&id).await.unwrap();
        assert_eq!(house.vendor.did().last().map(String::as_str), Some("post Ash"), "it began when one was over");
        house.clock.advance(DAY);
        assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("completed".into()));
        let keys: Vec<String> = house.vendor.done.lock().unwrap().iter().map(|(_, key, _)| key.clone()).collect();
        let key = |item: u32| format!("{}.posting.call#{item}.1", id.interaction);
        assert_eq!(sorted(keys), [key(1), key(2), key(3)]);
    });
}

#[test]
fn a_customer_without_items_has_nothing_to_go_through() {
    let house = House::new(EACH);
    house.life(async |engine| {
        let id = house.open(engine, &ADA).await;
        assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("completed".into()));
        assert!(house.vendor.did().is_empty());
    });
}

#[test]
fn items_are_numbered_without_a_gap() {
    let house = House::new(EACH);
    house.life(async |engine| {
        let id = house.open(engine, &THREE).await;
        let dictionary = &engine
            .definition("riverside", "story", &engine.run_state(&id).await.unwrap().controls)
            .await
            .unwrap()
            .dictionary;
        let import = async |path: &str| {
            let fields = [(path.to_owned(), "Fir".to_owned().into())];
            engine.put_customer(dictionary, "riverside", "c_2", &Default::default(), &fields).await
        };
        assert!(import("contract.address#1").await.is_ok());
        for wrong in
            ["contract.address#2", "contract.address#0", "contract.address#01", "contract.address", "patient.name#1"]
        {
            assert!(import(wrong).await.is_err(), "{wrong}");
        }
    });
}

#[test]
fn a_kill_at_any_commit_loses_no_branch_and_does_nothing_twice() {
    let steps = format!("{BOTH}{EACH}").replace("id: rest, for: 1d", "id: night, for: 1d");
    for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
        for nth in 1.. {
            let house = House::new(&steps);
            let fields = [&ADA[..], &THREE[..]].concat();
            let id = house.life(async |engine| house.open(engine, &fields).await);
            let days = async |engine: &selvedge_engine::Engine| {
                for _ in 0..5 {
                    engine.settle(&id).await?;
                    house.clock.advance(2 * DAY);
                }
                engine.settle(&id).await
            };
            let killed = house.life_until_commit(nth, moment, async |engine| days(engine).await.is_err());
            let run = house.life(async |engine| days(engine).await.unwrap());
            assert_eq!(run.at(), At::End("completed".into()), "{moment:?} {nth}");
            assert_eq!(house.vendor.steps(), ["receipt", "last"], "{moment:?} {nth}");
            assert_eq!(
                sorted(house.vendor.did()),
                ["note", "post Ada", "post Ash", "post Elm", "post Oak"],
                "{moment:?} {nth}"
            );
            if !killed {
                break;
            }
        }
    }
}
