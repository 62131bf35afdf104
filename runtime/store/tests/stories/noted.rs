//! What workflows write down of a customer, whoever else writes at the same time.

use selvedge_policy::CustomerState;

use super::house::{House, WORKFLOW, agent, facts, files};
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

async fn known(store: &impl selvedge_engine::ports::store::Store) -> CustomerState {
    serde_json::from_str(&store.customer(TENANT, "c_ada").await.unwrap().unwrap().state).unwrap()
}
