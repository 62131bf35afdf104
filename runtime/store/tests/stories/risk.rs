//! Risk is weighed where it matters, and what one interaction finds another one inherits. Case A1: a SIM was swapped, and
//! somebody who sounds like the customer wants in.

use selvedge_engine::ports::Finding;
use selvedge_engine::ports::store::{RunId, Store};
use selvedge_engine::run::Phase;
use selvedge_engine::{Engine, Fact, Run};
use selvedge_policy::{CustomerState, RiskFound, Verdict};

use super::house::{House, agent};
use super::support::{Place, TENANT};

const HOUR: i64 = 3_600_000_000;

/// Of each time that the risk was weighed: the step, the action, and the rules that said no.
async fn weighed<S: Store + Clone + 'static>(house: &House<S>, engine: &Engine, id: &RunId) -> Vec<String> {
    let facts = house.facts(engine, id).await;
    let told = facts.into_iter().filter_map(|fact| match fact {
        Fact::RiskDecided { node, action, decision, .. } => {
            let against = decision.reasons.iter().filter(|reason| reason.verdict == Verdict::Deny);
            let against: Vec<&str> = against.map(|reason| reason.rule.as_str()).collect();
            Some(format!("{node}: {action} {}", against.join(" ")).trim_end().to_owned())
        }
        _ => None,
    });
    told.collect()
}

async fn known<S: Store + Clone + 'static>(house: &House<S>) -> CustomerState {
    serde_json::from_str(&house.store.customer(TENANT, "c_ada").await.unwrap().unwrap().state).unwrap()
}

fn over(run: &Run) -> bool {
    run.closed
}

pub async fn a_later_try_by_another_channel_inherits_the_risk_until_it_ends<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.vendor.finds(Finding::Raised);
    let call = house.open(&engine).await;
    house.until(&engine, &call, over).await;
    assert_eq!(weighed(&house, &engine, &call).await, ["identity.check: refuse risk.sim-swap"]);
    assert_eq!(house.vendor.messages(), 0, "no code leaves that somebody else could read");
    let risks = known(&house).await.risks;
    assert_eq!((risks[0].signal.as_str(), &risks[0].found_in), ("sim-swap", &call.interaction));

    // The carrier says nothing of it any more, and the customer's page is another channel.
    house.vendor.finds(Finding::Clear);
    let web = house.open_by(&engine, "web").await;
    house.until(&engine, &web, over).await;
    assert_eq!(weighed(&house, &engine, &web).await, ["identity.challenge: refuse risk.sim-swap"]);
    assert_eq!(house.vendor.messages(), 0);
    let decided = house.facts(&engine, &web).await.into_iter().find_map(|fact| match fact {
        Fact::RiskDecided { decision, .. } => Some(decision),
        _ => None,
    });
    let reason = decided.unwrap().reasons.into_iter().find(|reason| reason.rule == "risk.sim-swap").unwrap();
    assert_eq!(reason.facts["found-in"], call.interaction, "the record says where it comes from");

    house.clock.on(72 * HOUR);
    let later = house.open(&engine).await;
    house.until(&engine, &later, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    assert_eq!(weighed(&house, &engine, &later).await, ["identity.challenge: allow"]);
}

pub async fn who_failed_to_prove_it_lately_proves_it_before_anything_is_shown<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let first = house.open(&engine).await;
    house.until(&engine, &first, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    for _ in 0..3 {
        engine.give_code(&first, "000000", Some(agent())).await.unwrap();
    }
    house.until(&engine, &first, over).await;
    assert_eq!(known(&house).await.risks[0].signal, "failed-verification");

    let again = house.open(&engine).await;
    house.until(&engine, &again, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    engine.give_code(&again, &house.vendor.code(), Some(agent())).await.unwrap();
    house.until(&engine, &again, |run| !run.disclosed.is_empty()).await;
    assert_eq!(weighed(&house, &engine, &again).await, ["identity.challenge: step-up", "owed: step-up"]);
}

pub async fn a_risk_that_is_found_meanwhile_is_weighed_too<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    house.vendor.finds(Finding::Raised);
    let other = house.open_by(&engine, "web").await;
    house.until(&engine, &other, over).await;

    engine.give_code(&id, &house.vendor.code(), Some(agent())).await.unwrap();
    let run = house.until(&engine, &id, over).await;
    assert!(run.disclosed.is_empty(), "a right code may be a relayed one");
    let told = weighed(&house, &engine, &id).await;
    assert_eq!(told, ["identity.challenge: allow", "owed: refuse risk.sim-swap"]);
}

pub async fn an_import_takes_no_risk_back<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.vendor.finds(Finding::Raised);
    let call = house.open(&engine).await;
    house.until(&engine, &call, over).await;
    let before = known(&house).await.risks;

    house.import(&engine, &CustomerState::default()).await;
    assert_eq!(known(&house).await.risks, before);
    let [RiskFound { at, until, .. }] = &before[..] else { panic!("{before:?}") };
    assert_eq!(until - at, 72 * HOUR);
}
