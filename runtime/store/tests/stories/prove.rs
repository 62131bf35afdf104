//! The record proves that nothing left behind a switch, or says what stands against it.

use selvedge_engine::Engine;
use selvedge_engine::ports::store::{Journal, RunId};
use selvedge_engine::run::Phase;
use selvedge_engine::switches::prove::{Proof, prove};
use selvedge_engine::switches::{Over, Scope, SwitchFact};
use selvedge_record::pack::stretch::{self, Stretch};
use selvedge_record::{Draft, Event, Head};
use serde_json::json;

use super::house::{Answer, House, SMS, WORKFLOW, soon, supervisor};
use super::support::{Author, Place, TENANT};

fn sms() -> Scope {
    Scope { over: Over::Channel, name: "sms".into() }
}

async fn stretch(engine: &Engine, switch: &str) -> Stretch {
    stretch::verify(engine.silence(TENANT, switch).await.unwrap().as_bytes(), None).unwrap()
}

async fn proof(engine: &Engine, switch: &str) -> Proof {
    prove(&stretch(engine, switch).await).unwrap()
}

fn doubts(proof: &Proof) -> Vec<&str> {
    proof.doubts.iter().map(|doubt| &*doubt.what).collect()
}

pub async fn nothing_left_behind_a_switch_and_the_last_before_it_is_named<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let before = house.open(&engine).await;
    house.until(&engine, &before, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    engine.kill(TENANT, sms(), "double sends", &supervisor()).await.unwrap();
    // One that gets as far as its text, and whose check by another connector is outside the reach.
    let stopped = house.open(&engine).await;
    house.until(&engine, &stopped, |run| !run.halts().is_empty()).await;

    let proof = proof(&engine, "kill-1").await;
    assert!(proof.holds(), "{:?}", proof.doubts);
    assert_eq!((proof.halted, proof.beside, proof.under_way.len()), (1, 1, 0));
    let last = proof.last_before.unwrap();
    assert_eq!((last.key, &*last.calls), (house.vendor.messages.lock().unwrap()[0].clone(), "send by brightline-sms"));
    assert!(last.place < proof.from && proof.from < proof.to);
}

pub async fn what_was_under_way_is_told_with_what_became_of_it<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    house.vendor.answers(Answer::Hangs);
    let id = house.open(&engine).await;
    soon(|| house.vendor.messages() == 1).await;
    let other = house.engine();
    let killing = tokio::spawn({
        let other = other.clone();
        async move { other.kill(TENANT, sms(), "double sends", &supervisor()).await.unwrap() }
    });
    while other.read_board(TENANT).await.unwrap().switches().is_empty() {
        tokio::task::yield_now().await;
    }
    house.vendor.answers(Answer::Sends);
    killing.await.unwrap();
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;

    let proof = proof(&engine, "kill-1").await;
    assert!(proof.holds(), "{:?}", proof.doubts);
    let [effect] = &proof.under_way[..] else { panic!("{:?}", proof.under_way) };
    assert_eq!(effect.key, house.vendor.messages.lock().unwrap()[0]);
    assert_eq!(effect.became.as_ref().unwrap().0, "it came out as `done`");
}

pub async fn an_effect_of_which_nobody_knows_is_a_doubt<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let dead = house.engine();
    house.vendor.answers(Answer::Hangs);
    house.open(&dead).await;
    soon(|| house.vendor.messages() == 1).await;
    let key = house.vendor.messages.lock().unwrap()[0].clone();
    let next = house.engine();
    let killing = tokio::spawn({
        let next = next.clone();
        async move { next.kill(TENANT, sms(), "double sends", &supervisor()).await.unwrap() }
    });
    while !killing.is_finished() {
        house.clock.on(1_000_000);
        tokio::task::yield_now().await;
    }
    let proof = proof(&next, "kill-1").await;
    assert_eq!(doubts(&proof), [format!("effect {key} was under way, and nobody has said what became of it")]);
}

pub async fn it_ends_where_the_switch_was_lifted<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    engine.kill(TENANT, sms(), "double sends", &supervisor()).await.unwrap();
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| !run.halts().is_empty()).await;
    engine.lift(TENANT, "kill-1", "mended", &supervisor()).await.unwrap();
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    assert_eq!(house.vendor.messages(), 1, "what it had halted left after it was lifted");

    let proof = proof(&engine, "kill-1").await;
    assert!(proof.holds(), "{:?}", proof.doubts);
    assert_eq!(proof.switch.lifted.unwrap().reason, "mended");
    assert_eq!(proof.last_before, None);
}

/// Writes an event that no engine would: a defect, or somebody with the database in hand.
async fn forge(store: &impl Journal, id: &RunId, kind: &str, data: serde_json::Value) {
    let last = Event::parse(&store.last(id).await.unwrap().unwrap().canonical).unwrap();
    let mut head = Head { tenant: last.tenant, interaction: last.interaction, seq: last.seq + 1, hash: last.hash };
    let event = head.append(Draft::new(kind, last.time, "host", data)).unwrap();
    store.append(id, event).await.unwrap();
}

pub async fn an_intent_behind_it_is_found_whatever_its_epoch<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    engine.kill(TENANT, sms(), "double sends", &supervisor()).await.unwrap();
    let intent = |connector: &str, channel: &str, epoch: u64| {
        let mut data = json!({
            "node": "identity.challenge", "key": "k", "connector": connector, "function": "send", "class": "idempotent",
            "attempt": 1, "workflow": WORKFLOW, "vendor": "Brightline", "channel": channel,
        });
        if epoch > 0 {
            data["epoch"] = epoch.into();
        }
        data
    };
    forge(&house.store, &id, "effect.intended", intent(SMS, "sms", 2)).await;
    let within = proof(&engine, "kill-1").await;
    assert_eq!(doubts(&within), ["effect k was intended here (attempt 1, send by brightline-sms)"]);
    assert_eq!(within.doubts[0].place, Some(within.to));

    forge(&house.store, &id, "effect.intended", intent("other", "letter", 0)).await;
    let late = "effect k was decided at epoch 0, before the switch, and intended behind it";
    assert_eq!(doubts(&proof(&engine, "kill-1").await)[1..], [late]);
    forge(&house.store, &id, "effect.shouted", json!({})).await;
    assert!(doubts(&proof(&engine, "kill-1").await)[2].contains("`effect.shouted`"));
}

pub async fn a_disclosure_behind_a_stopped_workflow_is_found<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    let scope = Scope { over: Over::Workflow, name: WORKFLOW.into() };
    engine.kill(TENANT, scope, "wrong balances", &supervisor()).await.unwrap();
    assert!(proof(&engine, "kill-1").await.holds());
    let shown = json!({ "node": "owed", "over": "call", "fields": [], "next": "plan" });
    forge(&house.store, &id, "fields.disclosed", shown).await;
    let found = doubts(&proof(&engine, "kill-1").await).concat();
    assert_eq!(found, format!("fields.disclosed in {}", id.interaction));
}

pub async fn another_tenant_s_places_are_closed_and_stand_against_it<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    engine.kill(TENANT, sms(), "double sends", &supervisor()).await.unwrap();
    house.store.commit(Author::of("elsewhere", "int_1").turn(3)).await.unwrap();
    let stretch = stretch(&engine, "kill-1").await;
    assert!(!engine.silence(TENANT, "kill-1").await.unwrap().contains("elsewhere"));
    let proof = prove(&stretch).unwrap();
    assert_eq!(doubts(&proof), ["3 places hold what other tenants did; the file shows only their hashes"]);
}

pub async fn an_unsettled_switch_proves_nothing_and_an_unknown_one_is_refused<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    engine.kill(TENANT, sms(), "double sends", &supervisor()).await.unwrap();
    let mut stretch = stretch(&engine, "kill-1").await;
    // As it stands between the two events: the process that set it was killed.
    let is_settled = |event: &Event| matches!(SwitchFact::of(event), Ok(SwitchFact::Settled { .. }));
    stretch.places.retain(|event| !event.as_ref().is_some_and(is_settled));
    let doubt = "what was under way when it was set was not written down: no `switch.settled` follows";
    assert_eq!(doubts(&prove(&stretch).unwrap()), [doubt]);
    for unknown in ["kill-2", "kill-9", "4242424242424242"] {
        let error = engine.silence(TENANT, unknown).await.unwrap_err();
        assert!(error.to_string().starts_with("there is no switch") && !error.to_string().contains("4242"), "{error}");
    }
    stretch.places.remove(0);
    assert!(prove(&stretch).is_err(), "it does not begin with its switch");
}
