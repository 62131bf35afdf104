//! People steer runs: what is paused keeps still, what is cancelled never comes back.

use selvedge_engine::operate::Act;
use selvedge_engine::ports::Webhook;
use selvedge_engine::run::{At, Phase};
use selvedge_engine::{Fact, Run};

use super::house::{Answer, House, agent, supervisor};
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
