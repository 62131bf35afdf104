//! A run is moved to a newer definition by a person, with a reason, and only where what was proved of that one holds for
//! the way that the run has come.

use selvedge_engine::operate::Act;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::{At, Phase};
use selvedge_engine::{Engine, Fact, Run};
use selvedge_workflow::Files;

use super::house::{Answer, House, WORKFLOW, admin, agent, facts, files};
use super::support::{Place, TENANT};

const YAML: &str = "healthcare-balance/workflow.yaml";

fn waits(run: &Run) -> bool {
    matches!(run.phase(), Phase::Waiting(_))
}

/// Publishes the workflow with a change, as the one that new runs take; returns its digest.
async fn publish(engine: &Engine, file: &str, from: &str, to: &str) -> String {
    let mut files: Files = files();
    let text = files.get_mut(file).unwrap();
    assert!(text.contains(from), "{from}");
    *text = text.replace(from, to);
    engine.publish(TENANT, &files, WORKFLOW, &facts()).await.unwrap().unwrap().digest.clone()
}

async fn move_to(engine: &Engine, id: &RunId, to: &str) -> Result<Run, String> {
    let moved = engine.operate(id, Act::Move(to.into()), "the words were wrong", admin()).await;
    moved.map_err(|error| error.to_string())
}

fn moves(facts: &[Fact]) -> usize {
    facts.iter().filter(|fact| matches!(fact, Fact::Moved { .. })).count()
}

pub async fn a_moved_run_goes_on_where_it_stands_and_keeps_what_it_has<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    let before = house.until(&engine, &id, waits).await;
    let newer = publish(&engine, YAML, "valid: 30m", "valid: 45m").await;

    let run = move_to(&engine, &id, "latest").await.unwrap();
    assert_eq!((&run.controls, run.at()), (&newer, before.at()));
    let moved = run.moved.unwrap();
    assert_eq!(
        (moved.from, &*moved.by, &*moved.reason),
        (before.controls.clone(), "person:ann (admin)", "the words were wrong")
    );
    // The code that was sent before is the code; what it proves holds as long as the newer definition says.
    assert!(engine.give_code(&id, &house.vendor.code(), Some(agent())).await.unwrap());
    let run = house.until(&engine, &id, |run| !run.offers.is_empty()).await;
    assert_eq!(house.vendor.messages(), 1);
    let assertion = &run.assertions[0];
    assert_eq!(assertion.expires - assertion.issued, 45 * 60 * 1_000_000);

    let pack = engine.export(&id, &[]).await.unwrap();
    let verified = selvedge_record::pack::verify(pack.as_bytes(), None).unwrap();
    assert!([&before.controls, &newer].iter().all(|digest| verified.controls.contains_key(*digest)));
    let event = verified.events.iter().find(|event| event.kind == "run.moved").unwrap();
    assert_eq!(event.controls, Some(format!("{} {newer}", before.controls)));
    assert_eq!(event.actor, "person:ann");
    // Whoever folds the record anew finds the same.
    assert_eq!(house.engine().run_state(&id).await.unwrap().controls, newer);
}

pub async fn evidence_of_a_move_holds_both_definitions_before_anything_else_happened<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    let id = house.open(&engine).await;
    let before = house.until(&engine, &id, waits).await;
    let newer = publish(&engine, YAML, "title: A patient", "title: Someone").await;
    move_to(&engine, &id, &newer).await.unwrap();
    let pack = engine.export(&id, &[]).await.unwrap();
    let verified = selvedge_record::pack::verify(pack.as_bytes(), None).unwrap();
    assert_eq!(verified.events.last().unwrap().kind, "run.moved");
    assert!(verified.controls.contains_key(&before.controls) && verified.controls.contains_key(&newer));
}

pub async fn a_run_is_not_moved_where_its_way_is_none_of_the_newer_one_s<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    let before = house.until(&engine, &id, waits).await;
    let to = publish_renamed(&engine, "id: identity\n", "id: who\n").await;
    let refused = move_to(&engine, &id, &to).await.unwrap_err();
    let says = "there is no such place any more";
    assert!(refused.starts_with("the run cannot be moved: at `identity.") && refused.ends_with(says), "{refused}");
    let run = engine.settle(&id).await.unwrap();
    assert_eq!((run.controls, moves(&house.facts(&engine, &id).await)), (before.controls, 0));
}

/// The step and who steps up with it.
async fn publish_renamed(engine: &Engine, from: &str, to: &str) -> String {
    let mut files = files();
    let text = files.get_mut(YAML).unwrap();
    *text = text.replace(from, to).replace("step-up: identity", "step-up: who");
    engine.publish(TENANT, &files, WORKFLOW, &facts()).await.unwrap().unwrap().digest.clone()
}

pub async fn nothing_is_moved_while_an_effect_is_under_way<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.vendor.answers(Answer::Busy);
    let id = house.open(&engine).await;
    house.until(&engine, &id, |run| matches!(run.phase(), Phase::Postponed(..))).await;
    publish(&engine, YAML, "valid: 30m", "valid: 45m").await;
    let refused = move_to(&engine, &id, "latest").await.unwrap_err();
    assert!(refused.ends_with("an effect is under way there, which is cleared up first"), "{refused}");
    house.vendor.answers(Answer::Sends);
    house.clock.on(2_000_000);
    house.until(&engine, &id, waits).await;
    assert!(move_to(&engine, &id, "latest").await.is_ok());
}

pub async fn a_move_is_asked_for_with_a_reason_and_a_definition_that_is_there<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let id = house.open(&engine).await;
    let run = house.until(&engine, &id, waits).await;
    let same = move_to(&engine, &id, "latest").await.unwrap_err();
    assert!(same.ends_with("it goes by this definition"), "{same}");
    assert!(move_to(&engine, &id, &run.controls).await.is_err());
    let unknown = move_to(&engine, &id, &format!("sha256:{}", "0".repeat(64))).await.unwrap_err();
    assert!(unknown.contains("that was published here"), "{unknown}");
    let silent = engine.operate(&id, Act::Move("latest".into()), "  ", admin()).await.unwrap_err();
    assert_eq!(silent.to_string(), "a reason is missing, or is not one");
    engine.operate(&id, Act::Cancel, "opened by mistake", admin()).await.unwrap();
    publish(&engine, YAML, "valid: 30m", "valid: 45m").await;
    assert!(move_to(&engine, &id, "latest").await.unwrap_err().ends_with("it is over`"));
}

pub async fn a_move_outlives_the_node_that_was_told_and_is_made_once<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let told = house.engine();
    let id = house.open(&told).await;
    house.until(&told, &id, waits).await;
    let newer = publish(&told, YAML, "valid: 30m", "valid: 45m").await;
    // It lies in the inbox, with a code that came after it, and nobody has taken either in.
    told.leave(&id, Act::Move("latest".into()), "the words were wrong", admin()).await.unwrap();
    let next = house.engine();
    assert!(next.give_code(&id, &house.vendor.code(), Some(agent())).await.unwrap());
    let run = house.until(&next, &id, |run| !run.offers.is_empty()).await;
    assert_eq!(run.controls, newer);
    for engine in [&told, &next, &house.engine()] {
        engine.settle(&id).await.unwrap();
    }
    let facts = house.facts(&next, &id).await;
    assert_eq!(moves(&facts), 1);
    let at = |is: fn(&Fact) -> bool| facts.iter().position(is).unwrap();
    assert!(at(|f| matches!(f, Fact::Moved { .. })) < at(|f| matches!(f, Fact::AssertionIssued { .. })));
    assert_eq!((house.vendor.messages(), run.at()), (1, At::Node("plan".into())));
}
