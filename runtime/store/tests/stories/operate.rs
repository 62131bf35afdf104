//! People steer runs: what is paused keeps still, what is cancelled never comes back.

use std::time::Duration;

use selvedge_engine::decide::MAX_ATTEMPTS;
use selvedge_engine::defect::MAX_DEFECTS;
use selvedge_engine::operate::Act;
use selvedge_engine::ports::Webhook;
use selvedge_engine::ports::store::{RunId, Store};
use selvedge_engine::run::{At, Phase};
use selvedge_engine::{Engine, Fact, Run};

use super::house::{Answer, House, agent, soon, supervisor};
use super::support::{Place, TENANT};

const DAY: i64 = 86_400_000_000;

fn waits(run: &Run) -> bool {
    matches!(run.phase(), Phase::Waiting(_))
}

pub async fn a_paused_run_takes_in_mail_and_makes_no_effect<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    house.until(&engine, &id, waits).await;
    let run = engine.operate(&id, Act::Pause, "the customer is on another line", supervisor()).await.unwrap();
    let paused = ("person:sam (supervisor)".to_owned(), "the customer is on another line".to_owned());
    assert_eq!(run.paused, Some(paused));

    let at_wait = run.at().clone();
    assert!(engine.give_code(&id, &house.vendor.code(), Some(agent())).await.is_ok());
    let run = house.until(&engine, &id, |run| !run.assertions.is_empty()).await;
    assert_ne!(run.at(), at_wait, "the code counts");
    house.clock.on(60_000_000);
    assert!(engine.settle(&id).await.unwrap().disclosed.is_empty(), "and nothing follows from it");

    engine.operate(&id, Act::Resume, "they are back", supervisor()).await.unwrap();
    house.until(&engine, &id, |run| run.disclosed.len() == 1).await;
}

pub async fn a_retry_that_is_due_waits_while_paused<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.vendor.answers(Answer::Busy);
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Postponed(..))).await;
    let run = engine.operate(&id, Act::Pause, "look at it first", supervisor()).await.unwrap();
    let (sent, attempt) = (house.vendor.messages(), run.effects().next().unwrap().attempt);
    house.vendor.answers(Answer::Sends);
    house.clock.on(DAY / 48);
    let run = engine.settle(&id).await.unwrap();
    assert_eq!((house.vendor.messages(), run.effects().next().unwrap().attempt), (sent, attempt));

    engine.operate(&id, Act::Resume, "looked at", supervisor()).await.unwrap();
    house.until(&engine, &id, waits).await;
    assert_eq!(house.vendor.messages(), sent + 1);
}

pub async fn a_cancelled_run_never_comes_back<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    // One with a retry pending, one that waits with a timer.
    house.vendor.answers(Answer::Busy);
    let retrying = house.open(&engine).await;
    house.until(&engine, &retrying, |run| matches!(run.phase(), Phase::Postponed(..))).await;
    house.vendor.answers(Answer::Sends);
    let waiting = house.open(&engine).await;
    house.until(&engine, &waiting, waits).await;
    let code = house.vendor.code();
    for id in [&retrying, &waiting] {
        let run = engine.operate(id, Act::Cancel, "opened by mistake", supervisor()).await.unwrap();
        assert_eq!((run.at(), run.closed), (At::End("cancelled".into()), true));
    }
    let sent = house.vendor.messages();

    house.clock.on(DAY);
    let key = house.vendor.messages.lock().unwrap()[0].clone();
    let late = Webhook { connection: "brightline".into(), headers: Vec::new(), body: key.into_bytes() };
    engine.webhook(TENANT, late).await.unwrap().unwrap();
    assert!(engine.give_code(&waiting, &code, Some(agent())).await.is_err(), "nobody waits for the code any more");
    for id in [&retrying, &waiting] {
        let run = engine.settle(id).await.unwrap();
        assert_eq!((run.at(), run.closed), (At::End("cancelled".into()), true));
        let facts = house.facts(&engine, id).await;
        assert_eq!(facts.iter().filter(|f| matches!(f, Fact::Closed { .. })).count(), 1);
        for act in [Act::Resume, Act::Retry, Act::Cancel, Act::NotDone] {
            let error = engine.operate(id, act, "bring it back", supervisor()).await.unwrap_err();
            assert!(error.to_string().ends_with("it is over`"), "{error}");
        }
    }
    assert_eq!(house.vendor.messages(), sent);
}

pub async fn a_retry_is_made_now_and_an_act_needs_a_reason<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.vendor.answers(Answer::Busy);
    let id = house.open(&engine).await;
    // Far enough that the next attempt is not made by itself.
    for _ in 0..3 {
        house.until(&engine, &id, |run| matches!(run.phase(), Phase::Postponed(..))).await;
        house.clock.on(8_000_000);
        engine.settle(&id).await.unwrap();
    }
    let error = engine.operate(&id, Act::Retry, " ", supervisor()).await.unwrap_err();
    assert_eq!(error.to_string(), "a reason is missing, or is not one");
    house.vendor.answers(Answer::Sends);
    let run = engine.operate(&id, Act::Retry, "the vendor is up again", supervisor()).await.unwrap();
    assert!(waits(&run), "{:?}", run.phase());
    let facts = house.facts(&engine, &id).await;
    assert!(facts.iter().any(|f| matches!(f, Fact::Retried { by, .. } if by == "person:sam (supervisor)")));
}

pub async fn an_act_left_from_beside_is_taken_in_by_the_node<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    house.until(&engine, &id, waits).await;
    let beside = house.engine();
    beside.leave(&id, Act::Cancel, "opened by mistake", supervisor()).await.unwrap();
    house.clock.on(10_000_000);
    house.until(&beside, &id, |run| run.closed).await;
}

pub async fn a_run_whose_driver_met_a_defect_is_driven_again<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.vendor.answers(Answer::Breaks);
    let id = house.open(&engine).await;
    soon(|| house.vendor.messages() == 1).await;
    house.vendor.answers(Answer::Sends);
    // Not at once: somebody may notice first.
    assert!(matches!(engine.run_state(&id).await.unwrap().phase(), Phase::Intended(_)));
    soon(|| {
        // However late its driver begins to wait.
        house.clock.on(60_000_000);
        house.vendor.messages() >= 2
    })
    .await;
    house.until(&engine, &id, waits).await;
    assert_eq!(house.vendor.messages(), 2, "the same text under the same key");
    let keys = house.vendor.messages.lock().unwrap().clone();
    assert_eq!(keys[0], keys[1]);
}

pub async fn a_defect_that_stays_lets_a_run_rest_until_something_arrives<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.vendor.answers(Answer::Breaks);
    let id = house.open(&engine).await;
    let tries = 1 + MAX_DEFECTS as usize;
    for tried in 1..=tries {
        soon(|| {
            // However late its driver begins to wait.
            house.clock.on(60_000_000);
            house.vendor.messages() >= tried
        })
        .await;
    }
    for _ in 0..5 {
        house.clock.on(DAY);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(house.vendor.messages(), tries, "it rests");
    house.vendor.answers(Answer::Sends);
    engine.operate(&id, Act::Pause, "look at the log first", supervisor()).await.unwrap();
    engine.operate(&id, Act::Resume, "the connector was mended", supervisor()).await.unwrap();
    house.until(&engine, &id, waits).await;
    assert_eq!(house.vendor.messages(), tries + 1);
}

/// A run whose first text may have gone out, which nobody can find out any more.
async fn unclear<S: Store + Clone + 'static>(house: &House<S>, engine: &Engine) -> RunId {
    house.vendor.answers(Answer::Unknown);
    let id = house.open(engine).await;
    for _ in 0..MAX_ATTEMPTS {
        let settled = |run: &Run| matches!(run.phase(), Phase::Postponed(..) | Phase::NeedsPerson(..));
        house.until(engine, &id, settled).await;
        house.clock.on(60_000_000);
        engine.settle(&id).await.unwrap();
    }
    house.until(engine, &id, |run| matches!(run.phase(), Phase::NeedsPerson(..))).await;
    id
}

pub async fn a_person_says_that_it_was_done_and_the_run_goes_on<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = unclear(&house, &engine).await;
    let error = engine.operate(&id, Act::Done(String::new()), "seen at the vendor", supervisor()).await.unwrap_err();
    assert!(error.to_string().contains("reference"), "{error}");
    let sent = house.vendor.messages();
    let run = engine.operate(&id, Act::Done("msg_77".into()), "seen at the vendor", supervisor()).await.unwrap();
    assert!(waits(&run), "{:?}", run.phase());
    assert_eq!(house.vendor.messages(), sent, "nothing is sent for it");
    let facts = house.facts(&engine, &id).await;
    let by = "decided by person:sam (supervisor): seen at the vendor";
    let decided = |fact: &&Fact| matches!(fact, Fact::Done { exit, reference, detail, .. } if exit == "done" && reference == "msg_77" && detail == by);
    assert_eq!(facts.iter().filter(decided).count(), 1);
    let again = engine.operate(&id, Act::Done("msg_78".into()), "once more", supervisor()).await.unwrap_err();
    assert!(again.to_string().ends_with("no effect waits for a person`"), "{again}");
}

pub async fn a_person_says_that_it_was_not_done_and_it_counts_as_failed<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = unclear(&house, &engine).await;
    let sent = house.vendor.messages();
    let run = engine.operate(&id, Act::NotDone, "the vendor has no trace of it", supervisor()).await.unwrap();
    assert_eq!((run.at(), run.closed), (At::End("failed".into()), true));
    assert_eq!(house.vendor.messages(), sent);
    let facts = house.facts(&engine, &id).await;
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Done { exit, .. } if exit == "failed")));
}

pub async fn what_may_have_happened_is_cleared_up_before_a_cancelled_run_ends<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.reconciles_messages(&engine).await;
    house.vendor.answers(Answer::Unknown);
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Unclear(..))).await;
    let run = engine.operate(&id, Act::Cancel, "opened by mistake", supervisor()).await.unwrap();
    assert!(run.cancelled && run.ended.is_none(), "it may have gone out: {:?}", run.phase());
    for _ in 0..4 {
        house.clock.on(60_000_000);
        engine.settle(&id).await.unwrap();
    }
    let run = house.until(&engine, &id, |run| run.closed).await;
    assert_eq!(run.at(), At::End("cancelled".into()));
    assert_eq!(house.vendor.messages(), 1, "nothing is tried again");
    assert!(!house.vendor.asked.lock().unwrap().is_empty(), "the vendor was asked");
}
