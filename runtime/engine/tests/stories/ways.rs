//! `wait` and `choose`: time passes and costs nothing, and a run takes the way that the customer's fields say.

use selvedge_engine::Fact;
use selvedge_engine::run::{At, Phase};

use selvedge_store::sqlite::writer::Moment;

use crate::house::{DAY, House, facts};

const STEPS: &str = r#"
  - wait: { id: grace, for: 2d }
  - choose:
      id: route
      when:
        - if: "account.balance > '50.00 USD'"
          steps:
            - communicate: { id: bill, over: texts, to: patient.mobile, template: note }
        - if: "account.month == '2026-10'"
          steps: []
      otherwise:
        - communicate: { id: reminder, over: texts, to: patient.mobile, template: other }
"#;

fn steps() -> String {
    STEPS.replace("          steps: []\n", "          steps: [ { wait: { id: later, for: 1d } } ]\n")
}

fn owes(minor: i64) -> String {
    format!("{{\"minor\":{minor},\"currency\":\"USD\"}}")
}

#[test]
fn a_wait_outlives_the_process_and_the_way_is_taken_when_it_is_over() {
    let house = House::new(&steps());
    let id = house.life(async |engine| {
        let id = house.open(engine, &[("account.balance", &owes(5_001)), ("account.month", "2026-10")]).await;
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(run.at(), At::Node("grace".into()));
        assert!(matches!(run.phase(), Phase::Waiting(_)));
        id
    });
    house.clock.advance(2 * DAY - 1);
    house.life(async |engine| {
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(run.at(), At::Node("grace".into()), "one microsecond is left");
        house.clock.advance(1);
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(run.at(), At::End("completed".into()));
        assert_eq!(house.vendor.steps(), ["bill"]);
    });
}

#[test]
fn the_record_says_which_way_and_what_was_opened_but_not_what_it_was() {
    let house = House::new(&steps());
    house.life(async |engine| {
        let id = house.open(engine, &[("account.balance", &owes(5_000)), ("account.month", "2026-09")]).await;
        engine.settle(&id).await.unwrap();
        house.clock.advance(2 * DAY);
        engine.settle(&id).await.unwrap();
        assert_eq!(house.vendor.steps(), ["reminder"]);
        let asked: Vec<(String, String, Vec<String>)> = facts(engine, &id)
            .await
            .into_iter()
            .filter_map(|fact| match fact {
                Fact::ConditionDecided { node, answer, accesses, .. } => {
                    let opened = accesses.iter().map(|a| format!("{} {} {}", a.field, a.class, a.how)).collect();
                    Some((node, answer, opened))
                }
                _ => None,
            })
            .collect();
        let opened = |field: &str| vec![format!("{field} PHI condition")];
        assert_eq!(
            asked,
            [
                ("route.1".to_owned(), "no".to_owned(), opened("account.balance")),
                ("route.2".to_owned(), "no".to_owned(), opened("account.month"))
            ]
        );
        let record = engine.store().record(&id).await.unwrap();
        assert!(
            record.iter().all(|stored| !stored.canonical.contains("5000") && !stored.canonical.contains("2026-09\""))
        );
    });
}

#[test]
fn a_way_that_cannot_be_decided_ends_the_run_and_says_why() {
    let house = House::new(&steps());
    house.life(async |engine| {
        let id = house.open(engine, &[("account.balance", "{\"minor\":9900,\"currency\":\"EUR\"}")]).await;
        engine.settle(&id).await.unwrap();
        house.clock.advance(2 * DAY);
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(run.at(), At::End("failed".into()));
        let why = facts(engine, &id).await.into_iter().find_map(|fact| match fact {
            Fact::ConditionDecided { answer, why, .. } => Some((answer, why)),
            _ => None,
        });
        assert_eq!(why, Some(("none".into(), "the amounts are of different currencies".into())));
        assert!(house.vendor.steps().is_empty());
    });
}

#[test]
fn a_kill_at_any_commit_loses_nothing_and_sends_once() {
    for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
        let mut kills = 0;
        for nth in 1.. {
            let house = House::new(&steps());
            let fields = [("account.balance", owes(5_001))];
            let fields: Vec<(&str, &str)> = fields.iter().map(|(path, value)| (*path, value.as_str())).collect();
            let id = house.life(async |engine| house.open(engine, &fields).await);
            let killed = house.life_until_commit(nth, moment, async |engine| {
                let waiting = engine.settle(&id).await;
                house.clock.advance(2 * DAY);
                waiting.is_err() || engine.settle(&id).await.is_err()
            });
            let run = house.life(async |engine| {
                engine.settle(&id).await.unwrap();
                house.clock.advance(2 * DAY);
                engine.settle(&id).await.unwrap()
            });
            assert_eq!(run.at(), At::End("completed".into()), "{moment:?} {nth}");
            assert_eq!(house.vendor.steps(), ["bill"], "{moment:?} {nth}");
            if !killed {
                break;
            }
            kills += 1;
        }
        assert!(kills >= 3, "only {kills} kills at {moment:?}");
    }
}
