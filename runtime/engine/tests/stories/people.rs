//! `ask` and `approve`: people at work decide, in their function, bound to what they looked at, and not for themselves.

use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::{At, Phase};
use selvedge_engine::{Engine, EngineError, Fact, Run};

use crate::house::{DAY, House, colleague, facts, maria};

const BALANCE: (&str, &str) = ("account.balance", "{\"minor\":37550,\"currency\":\"USD\"}");

const ASKS: &str = r#"
  - ask:
      id: review
      question: "Does hardship apply?"
      of: supervisor
      answers: [hardship, standard]
      within: 2d
      otherwise: standard
  - choose:
      id: route
      when:
        - if: "review.answer == 'hardship'"
          steps:
            - communicate: { id: gentle, over: texts, to: patient.mobile, template: note }
      otherwise:
        - communicate: { id: plain, over: texts, to: patient.mobile, template: other }
"#;

const APPROVES: &str = "
  - verify: { id: identity, level: L2, by: code, over: texts, to: patient.mobile, template: code, check: sim, answer-within: 10m, tries: 3, valid: 30m }
  - offer: { id: plan, total: account.balance, payments: 3, every: month, answer-within: 15m }
  - approve: { id: second-look, terms: plan, of: supervisor, within: 1d }
  - communicate: { id: confirmed, over: texts, to: patient.mobile, template: note }
";

fn refused(result: Result<(), EngineError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_colleague_in_the_right_function_answers_and_the_way_follows() {
    let house = House::new(ASKS);
    let id = house.life(async |engine| house.open(engine, &[BALANCE]).await);
    house.life(async |engine| {
        let run = engine.settle(&id).await.unwrap();
        assert_eq!(run.questions["review"].question, "Does hardship apply?");
        assert_eq!(
            refused(engine.answer_question(&id, "review", "hardship", maria()).await),
            "`review` is decided by a `supervisor` and you are a `billing-agent`"
        );
        let sam = || colleague("sam", "supervisor");
        assert!(
            refused(engine.answer_question(&id, "review", "perhaps", sam()).await)
                .contains("does not wait for this answer")
        );
        engine.answer_question(&id, "review", "hardship", sam()).await.unwrap();
        assert!(
            refused(engine.answer_question(&id, "review", "standard", sam()).await)
                .contains("does not wait for this answer")
        );
        assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("completed".into()));
    });
    assert_eq!(house.vendor.steps(), ["gentle"]);
}

#[test]
fn a_question_that_nobody_answers_is_answered_as_the_workflow_says() {
    let house = House::new(ASKS);
    house.life(async |engine| {
        let id = house.open(engine, &[BALANCE]).await;
        engine.settle(&id).await.unwrap();
        house.clock.advance(2 * DAY);
        engine.settle(&id).await.unwrap();
        assert_eq!(house.vendor.steps(), ["plain"]);
        let answered = facts(engine, &id).await.into_iter().find_map(|fact| match fact {
            Fact::QuestionAnswered { answer, in_time, .. } => Some((answer, in_time)),
            _ => None,
        });
        assert_eq!(answered, Some(("standard".into(), false)));
    });
}

/// Plays to where the supervisor is asked.
async fn to_approval(house: &House, engine: &Engine) -> (RunId, Run) {
    let id = house.open(engine, &[BALANCE]).await;
    engine.settle(&id).await.unwrap();
    assert!(engine.give_code(&id, &house.vendor.code(), Some(maria())).await.unwrap());
    let terms = engine.settle(&id).await.unwrap().offers["plan"].terms.clone();
    engine.answer(&id, "plan", true, &terms, maria()).await.unwrap();
    let run = engine.settle(&id).await.unwrap();
    assert!(matches!(run.phase(), Phase::Waiting(_)) && run.at() == At::Node("second-look".into()));
    (id, run)
}

#[test]
fn nobody_approves_what_they_asked_for_nor_what_they_did_not_look_at() {
    let house = House::new(APPROVES);
    house.life(async |engine| {
        let (id, run) = to_approval(&house, engine).await;
        let terms = &run.offers["plan"].terms;
        // The same person, signed in as a supervisor, is still the same person.
        let maria_promoted = colleague("maria", "supervisor");
        assert_eq!(
            refused(engine.approve(&id, "second-look", terms, true, maria_promoted).await),
            "`second-look` is decided by a `supervisor` who did not open the interaction"
        );
        let sam = || colleague("sam", "supervisor");
        assert!(
            refused(engine.approve(&id, "second-look", "other terms", true, sam()).await).contains("does not wait")
        );
        assert!(
            refused(engine.approve(&id, "second-look", terms, true, colleague("bo", "auditor")).await)
                .contains("`auditor`")
        );
        engine.approve(&id, "second-look", terms, true, sam()).await.unwrap();
        assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("completed".into()));
        let events = engine.events(&id).await.unwrap();
        let event = events.iter().find(|event| event.kind == "approval.decided").unwrap();
        assert_eq!((event.actor.as_str(), event.data["terms"].as_str()), ("person:sam", Some(terms.as_str())));
        assert_eq!(house.vendor.steps(), ["identity", "confirmed"]);
    });
}

#[test]
fn silence_does_not_approve_and_a_no_ends_the_run() {
    for silent in [true, false] {
        let house = House::new(APPROVES);
        house.life(async |engine| {
            let (id, run) = to_approval(&house, engine).await;
            if silent {
                house.clock.advance(DAY);
            } else {
                let terms = &run.offers["plan"].terms;
                engine.approve(&id, "second-look", terms, false, colleague("sam", "supervisor")).await.unwrap();
            }
            assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("failed".into()));
            assert_eq!(house.vendor.steps(), ["identity"], "nothing is confirmed");
        });
    }
}

#[test]
fn an_approval_survives_the_process_that_took_it() {
    let house = House::new(APPROVES);
    let (id, terms) = house.life(async |engine| {
        let (id, run) = to_approval(&house, engine).await;
        (id, run.offers["plan"].terms.clone())
    });
    house.life(async |engine| {
        engine.approve(&id, "second-look", &terms, true, colleague("sam", "supervisor")).await.unwrap()
    });
    house.life(async |engine| assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("completed".into())));
    assert_eq!(house.vendor.steps(), ["identity", "confirmed"]);
}
