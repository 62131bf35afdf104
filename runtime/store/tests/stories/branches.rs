//! Branches of a run on every back end: what they intend leaves together, no more at once than the workflow says, and a
//! switch that is lifted frees its branch and no other.

use selvedge_engine::ports::store::Journal;
use selvedge_engine::run::At;
use selvedge_engine::switches::{Over, Scope};

use super::house::{Answer, House, OTHER_SMS, SMS, soon, supervisor};
use super::support::{Place, TENANT};

const BOTH: &str = "
  - parallel:
      id: both
      branches:
        - steps:
            - communicate: { id: one, over: texts, to: patient.mobile, template: note }
        - steps:
            - communicate: { id: other, over: others, to: patient.mobile, template: note }
";

const EACH: &str = "
  - for-each:
      id: contracts
      every: contract
      at-once: 2
      steps:
        - communicate: { id: reminder, over: texts, to: patient.mobile, template: note }
";

fn completed(run: &selvedge_engine::Run) -> bool {
    run.closed && run.at() == At::End("completed".into())
}

pub async fn what_branches_intend_leaves_together<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.publish(&engine, BOTH).await;
    house.vendor.answers(Answer::Hangs);
    let id = house.open_own(&engine).await;
    soon(|| house.vendor.messages() == 2).await;
    house.vendor.answers(Answer::Sends);
    house.until(&engine, &id, completed).await;
    assert_eq!(house.vendor.messages(), 2);
}

pub async fn no_more_items_are_under_way_than_the_workflow_says<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    let items: Vec<_> = (1..=5).map(|n| (format!("contract.address#{n}"), format!("{n} Elm").into())).collect();
    house.field(&engine, "c_ada", &items).await;
    house.publish(&engine, EACH).await;
    house.vendor.answers(Answer::Hangs);
    let id = house.open_own(&engine).await;
    soon(|| house.vendor.messages() == 2).await;
    let run = engine.run_state(&id).await.unwrap();
    assert_eq!(run.cursors.len(), 3, "two items, and where they meet");
    house.vendor.answers(Answer::Sends);
    house.until(&engine, &id, completed).await;
    let mut keys = house.vendor.messages.lock().unwrap().clone();
    keys.sort();
    let each: Vec<String> = (1..=5).map(|n| format!("{}.reminder#{n}.1", id.interaction)).collect();
    assert_eq!(keys, each);
}

pub async fn a_switch_that_is_lifted_frees_its_branch_and_no_other<P: Place>(place: P) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    house.publish(&engine, BOTH).await;
    let mut switches = Vec::new();
    for name in [SMS, OTHER_SMS] {
        let scope = Scope { over: Over::Connector, name: name.into() };
        switches.push(engine.kill(TENANT, scope, "double sends", &supervisor()).await.unwrap().switch.id);
    }
    let id = house.open_own(&engine).await;
    house.until(&engine, &id, |run| run.halts().len() == 2).await;
    let listed = house.store.runs(TENANT, 9).await.unwrap().remove(0);
    assert_eq!(listed.summary.halted, Some(switches.join(", ")));
    // The one that the run met second, then the first one: neither waits for anything else to happen to the run.
    for (n, switch) in switches.iter().enumerate().rev() {
        engine.lift(TENANT, switch, "mended", &supervisor()).await.unwrap();
        let run = house.until(&engine, &id, |run| run.halts().len() == n).await;
        assert!(run.halts().iter().all(|halt| halt.switch != *switch));
    }
    house.until(&engine, &id, completed).await;
    assert_eq!(house.vendor.messages(), 2, "each once");
}
