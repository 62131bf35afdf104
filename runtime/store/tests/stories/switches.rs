//! Kill switches: nothing leaves after the switch, nothing is repeated after it is lifted, whoever the node.

use selvedge_engine::Fact;
use selvedge_engine::ports::store::Journal;
use selvedge_engine::run::{At, Phase};
use selvedge_engine::switches::{Over, Scope, UnderWay};

use super::house::{Answer, House, SMS, WORKFLOW, agent, soon, supervisor};
use super::support::{Place, TENANT};

const DAY: i64 = 86_400_000_000;

fn over(over: Over, name: &str) -> Scope {
    Scope { over, name: name.into() }
}

fn is_halted(fact: &Fact) -> bool {
    matches!(fact, Fact::Halted { .. })
}

pub async fn what_is_stopped_waits_and_goes_on_when_it_is_lifted<P: Place>(place: P) {
    let scopes = [
        over(Over::Workflow, WORKFLOW),
        over(Over::Connector, SMS),
        over(Over::Vendor, "Brightline"),
        over(Over::Channel, "sms"),
        over(Over::Tenant, TENANT),
    ];
    let house = House::over(place.open().await).await;
    let engine = house.running();
    for (n, scope) in scopes.into_iter().enumerate() {
        // The vendor hangs so that the run is in the middle of its first text when the switch comes.
        house.vendor.answers(Answer::Busy);
        let id = house.open(&engine).await;
        house.until(&engine, &id, |run| matches!(run.phase(), Phase::Postponed(..))).await;
        let sent = house.vendor.messages();

        let killed = engine.kill(TENANT, scope.clone(), "wrong amounts", &supervisor()).await.unwrap();
        assert_eq!(killed.under_way, UnderWay::default(), "{scope}");
        house.vendor.answers(Answer::Sends);
        house.clock.on(2_000_000);
        let run = house.until(&engine, &id, |run| !run.halts().is_empty()).await;
        let halt = run.halts()[0].clone();
        assert_eq!((halt.switch, halt.scope), (killed.switch.id.clone(), scope.to_string()));
        assert_eq!((&*halt.by, &*halt.reason), ("person:sam (supervisor)", "wrong amounts"));
        house.clock.on(DAY / 24);
        engine.settle(&id).await.unwrap();
        assert_eq!(house.vendor.messages(), sent, "{scope}: a retry left behind the switch");

        engine.lift(TENANT, &killed.switch.id, "amounts are right again", &supervisor()).await.unwrap();
        let run = house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
        assert_eq!(house.vendor.messages(), sent + 1, "{scope}");
        assert!(run.halts().is_empty());
        assert_eq!(house.vendor.checks.lock().unwrap().len(), n + 1, "{scope}: what was done before is not repeated");
        let halts = house.facts(&engine, &id).await.iter().filter(|f| is_halted(f)).count();
        assert_eq!(halts, 1, "{scope}: it is said once, however often the run is looked at");
    }
}

pub async fn what_is_outside_its_reach_goes_on<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    engine.kill(TENANT, over(Over::Vendor, "Northgate"), "an outage there", &supervisor()).await.unwrap();
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    assert_eq!(house.vendor.messages(), 1);
}

pub async fn an_effect_in_the_air_is_awaited_and_named<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    house.vendor.answers(Answer::Hangs);
    let id = house.open(&engine).await;
    soon(|| house.vendor.messages() == 1).await;

    // Set by another node, which makes no calls itself.
    let other = house.engine();
    let killing = tokio::spawn({
        let other = other.clone();
        async move { other.kill(TENANT, over(Over::Channel, "sms"), "double sends", &supervisor()).await.unwrap() }
    });
    while other.read_board(TENANT).await.unwrap().switches().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!killing.is_finished(), "a message is in the air, so the answer is not out yet");
    house.vendor.answers(Answer::Sends);

    let killed = killing.await.unwrap();
    let key = house.vendor.messages.lock().unwrap()[0].clone();
    assert_eq!(killed.under_way, UnderWay { left: vec![key], ..UnderWay::default() });
    // Its outcome counts: the run waits for the code.
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
}

pub async fn a_node_that_has_not_heard_of_it_cannot_intend_behind_it<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let (deaf, other) = (house.engine(), house.engine());
    house.vendor.holds_checks(true);
    let id = house.open(&deaf).await;
    soon(|| !house.vendor.checks.lock().unwrap().is_empty()).await;
    other.kill(TENANT, over(Over::Connector, SMS), "double sends", &supervisor()).await.unwrap();
    assert_eq!(deaf.board(TENANT).await.unwrap().epoch(), 0, "it has not heard of it");
    house.vendor.holds_checks(false);
    let run = house.until(&deaf, &id, |run| !run.halts().is_empty()).await;

    assert_eq!(house.vendor.messages(), 0);
    assert_eq!(run.halts()[0].switch, "kill-1");
    // The check before came out in the same turn as the refused intent: its outcome is kept, and it is not repeated.
    let facts = house.facts(&deaf, &id).await;
    let outcomes = |key: &str| facts.iter().filter(|f| matches!(f, Fact::Done { key: k, .. } if k == key)).count();
    let checks = house.vendor.checks.lock().unwrap().clone();
    assert_eq!((checks.len(), outcomes(&checks[0])), (1, 1));
    assert!(!facts.iter().any(|f| matches!(f, Fact::Intended { function, .. } if function == "send")));
}

pub async fn what_a_dead_node_left_in_the_air_is_said_to_be_unknown<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let dead = house.engine();
    house.vendor.answers(Answer::Hangs);
    let id = house.open(&dead).await;
    soon(|| house.vendor.messages() == 1).await;
    let key = house.vendor.messages.lock().unwrap()[0].clone();

    let next = house.engine();
    let killing = tokio::spawn({
        let next = next.clone();
        async move { next.kill(TENANT, over(Over::Channel, "sms"), "double sends", &supervisor()).await.unwrap() }
    });
    while !killing.is_finished() {
        house.clock.on(1_000_000);
        tokio::task::yield_now().await;
    }
    assert_eq!(killing.await.unwrap().under_way, UnderWay { unknown: vec![key], ..UnderWay::default() });
    drop(id);
}

pub async fn mail_is_taken_in_and_nothing_is_disclosed<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    engine.kill(TENANT, over(Over::Workflow, WORKFLOW), "wrong balances", &supervisor()).await.unwrap();

    assert!(engine.give_code(&id, &house.vendor.code(), Some(agent())).await.unwrap(), "who it is may be proved");
    let run = house.until(&engine, &id, |run| !run.halts().is_empty()).await;
    assert_eq!((run.at(), run.disclosed.len()), (At::Node("owed".into()), 0));

    engine.lift(TENANT, "kill-1", "balances are right", &supervisor()).await.unwrap();
    let run = house.until(&engine, &id, |run| !run.offers.is_empty()).await;
    assert_eq!(run.disclosed.len(), 1);
}

pub async fn a_timer_that_runs_out_behind_it_sends_nothing<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    engine.kill(TENANT, over(Over::Tenant, TENANT), "an incident", &supervisor()).await.unwrap();
    house.clock.on(DAY);
    house.until(&engine, &id, |run| run.closed || !run.halts().is_empty()).await;
    assert_eq!(house.vendor.messages(), 1);
}

pub async fn nothing_opens_while_its_workflow_is_stopped<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    engine.kill(TENANT, over(Over::Workflow, WORKFLOW), "wrong balances", &supervisor()).await.unwrap();
    let error = engine.open(TENANT, WORKFLOW, "c_ada", "call", &agent()).await.unwrap_err();
    let says = "`workflow:healthcare-balance` is stopped by kill-1, set by person:sam (supervisor): wrong balances";
    assert_eq!(error.to_string(), says);
    assert!(house.store.runs(TENANT, 9).await.unwrap().is_empty());
}

pub async fn a_switch_has_a_reason_a_name_that_exists_and_one_lifting<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    let refused = async |scope: Scope, reason: &str| {
        engine.kill(TENANT, scope, reason, &supervisor()).await.unwrap_err().to_string()
    };
    assert_eq!(refused(over(Over::Channel, "sms"), "  ").await, "a reason is missing, or is not one");
    let typo = refused(over(Over::Connector, "brightline-smz"), "double sends").await;
    assert_eq!(typo, "there is no connector of this name to stop");
    assert_eq!(engine.read_board(TENANT).await.unwrap().epoch(), 0, "nothing was set");

    engine.kill(TENANT, over(Over::Channel, "sms"), "double sends", &supervisor()).await.unwrap();
    assert_eq!(refused(over(Over::Channel, "sms"), "again").await, "`channel:sms` is stopped already, by kill-1");
    engine.lift(TENANT, "kill-1", "mended", &supervisor()).await.unwrap();
    let error = engine.lift(TENANT, "kill-1", "mended", &supervisor()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no switch `kill-1` to lift");
    let card = engine.lift(TENANT, "4242424242424242", "mended", &supervisor()).await.unwrap_err();
    assert!(!card.to_string().contains("4242"), "what was typed is not repeated");
    let board = engine.read_board(TENANT).await.unwrap();
    let switch = board.switch("kill-1").unwrap();
    assert_eq!(switch.lifted.as_ref().unwrap().reason, "mended");
    let again = engine.kill(TENANT, over(Over::Channel, "sms"), "again", &supervisor()).await.unwrap();
    assert_eq!(again.switch.id, "kill-4", "set, settled and lifted are three events");
}

pub async fn many_nodes_race_with_one_switch_and_none_is_behind_it<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let nodes: Vec<_> = (0..3).map(|_| house.running()).collect();
    let opening = nodes.iter().map(|node| {
        let node = node.clone();
        async move {
            for _ in 0..12 {
                // Refused once the switch is set.
                if node.open(TENANT, WORKFLOW, "c_ada", "call", &agent()).await.is_err() {
                    break;
                }
            }
        }
    });
    let opening: Vec<_> = opening.map(tokio::spawn).collect();
    soon(|| house.vendor.messages() >= 3).await;
    let killed = nodes[0].kill(TENANT, over(Over::Workflow, WORKFLOW), "an incident", &supervisor()).await.unwrap();
    let sent = house.vendor.messages();
    assert!(killed.under_way.unknown.is_empty(), "{:?}", killed.under_way);
    for opening in opening {
        opening.await.unwrap();
    }
    for listed in house.store.runs(TENANT, 99).await.unwrap() {
        let id = selvedge_engine::ports::store::RunId { tenant: TENANT.into(), interaction: listed.interaction };
        let settled = |run: &selvedge_engine::Run| !run.halts().is_empty() || matches!(run.phase(), Phase::Waiting(_));
        house.until(&nodes[1], &id, settled).await;
    }
    assert_eq!(house.vendor.messages(), sent, "something left after the switch was said to be set");
}

pub async fn what_was_intended_before_it_is_stopped_right_before_it_leaves<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.reconciles_messages(&engine).await;
    house.vendor.answers(Answer::Busy);
    let id = house.open(&engine).await;
    let run = house.until(&engine, &id, |run| matches!(run.phase(), Phase::Postponed(..))).await;
    let sent = house.vendor.messages();
    // Between the intent and the call of a run that came out of a backup lies a question to the vendor, which hangs.
    engine.mark_restored(std::slice::from_ref(&id), run.updated).await.unwrap();
    house.vendor.holds_questions(true);
    house.vendor.answers(Answer::Sends);
    house.clock.on(2_000_000);
    soon(|| house.vendor.asked.lock().unwrap().len() == 1).await;
    let key = house.vendor.asked.lock().unwrap()[0].clone();

    let killing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.kill(TENANT, over(Over::Channel, "sms"), "double sends", &supervisor()).await.unwrap() }
    });
    while engine.read_board(TENANT).await.unwrap().switches().is_empty() {
        tokio::task::yield_now().await;
    }
    house.vendor.holds_questions(false);
    let killed = killing.await.unwrap();
    assert_eq!(killed.under_way, UnderWay { stopped: vec![key.clone()], ..UnderWay::default() });
    assert_eq!(house.vendor.messages(), sent, "it did not leave");
    let facts = house.facts(&engine, &id).await;
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Halted { key: Some(stopped), .. } if *stopped == key)));
}
