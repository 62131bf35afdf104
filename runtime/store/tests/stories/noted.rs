//! What workflows write down of a customer, whoever else writes at the same time.

use selvedge_engine::EngineError;
use selvedge_engine::access::ACCESS;
use selvedge_engine::ports::store::{Journal, RunId};
use selvedge_policy::CustomerState;
use selvedge_record::Event;

use super::house::{House, WORKFLOW, admin, agent, facts, files};
use super::support::{Place, TENANT};

const WITHDRAWAL: &str = "withdrawal: { channel: sms, purpose: billing, words: \"No more texts\" }";
const RUNS: usize = 8;

pub async fn nothing_is_lost_of_what_many_runs_write_down_at_once<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let mut files = files();
    let yaml = files.get_mut("healthcare-balance/workflow.yaml").unwrap();
    *yaml = yaml.replace("\nsteps:\n", &format!("\nsteps:\n  - record: {{ id: word, fact: {{ {WITHDRAWAL} }} }}\n"));
    let engine = house.running();
    engine.publish(TENANT, &files, WORKFLOW, &facts()).await.unwrap().unwrap();

    let before = known(&house.store).await.consents.len();
    let mut opened = Vec::new();
    for _ in 0..RUNS {
        opened.push(engine.open(TENANT, WORKFLOW, "c_ada", "call", &agent()).await.unwrap());
    }
    for id in &opened {
        house.until(&engine, id, |run| run.cursor("word").is_none()).await;
    }
    let consents = known(&house.store).await.consents;
    assert_eq!(consents.iter().skip(before).filter(|word| !word.granted).count(), RUNS);
}

pub async fn a_flag_holds_over_imports_until_somebody_takes_it_off_with_a_reason<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.engine();
    let flagged = |flag: &str| CustomerState { flags: vec![flag.to_owned()], ..CustomerState::default() };
    house.import(&engine, &flagged("dispute")).await;
    house.import(&engine, &flagged("attorney")).await;
    assert_eq!(known(&house.store).await.flags, ["attorney", "dispute"]);

    let off = async |flag: &str, reason: &str| engine.unflag(TENANT, "c_ada", flag, reason, &admin()).await;
    assert!(matches!(off("dispute", " ").await, Err(EngineError::NoReason)));
    assert!(matches!(off("disputes", "a slip").await, Err(EngineError::NoSuchFlag { .. })));
    off("dispute", "settled in writing").await.unwrap();
    assert!(matches!(off("dispute", "once more").await, Err(EngineError::NoSuchFlag { .. })));
    assert_eq!(known(&house.store).await.flags, ["attorney"]);

    let access = RunId { tenant: TENANT.into(), interaction: ACCESS.into() };
    let record = house.store.record(&access).await.unwrap();
    let noted: Vec<Event> = record.iter().map(|stored| Event::parse(&stored.canonical).unwrap()).collect();
    let noted = noted.iter().filter(|event| event.kind == "customers.unflagged").collect::<Vec<_>>();
    assert_eq!(noted.len(), 1, "a refused try changes nothing and is not noted");
    assert_eq!((noted[0].actor.as_str(), &noted[0].data["reason"]), ("person:ann", &"settled in writing".into()));
}

async fn known(store: &impl selvedge_engine::ports::store::Store) -> CustomerState {
    serde_json::from_str(&store.customer(TENANT, "c_ada").await.unwrap().unwrap().state).unwrap()
}
