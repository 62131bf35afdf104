//! What has outlived its rule is destroyed, unless somebody holds it; the record says so and verifies.

#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "a test, and only a part of what the node can do")]

mod node;

use node::{Node, TENANT};
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Destruction, Journal, Keeping, RunId, Safe};
use selvedge_engine::retention::Swept;
use selvedge_engine::run::Phase;
use selvedge_engine::{EngineError, StoreError, Who};
use selvedge_policy::Retention;
use selvedge_record::pack;
use selvedge_store::SqliteStore;

const DAY: Micros = 86_400_000_000;

const POLICY: &str = "owner: Privacy
status: reviewed
rules:
  - { id: retention.messages, cite: 12 CFR 1006.100, about: Messages., classes: [COMMS], keep: 30d }
  - { id: retention.disclosures, cite: 45 CFR 164.528, about: Disclosures., classes: [PHI], keep: 6y }
";

fn policy() -> Retention {
    Retention::load("retention.yaml", POLICY).unwrap()
}

fn counsel() -> Who {
    Who { actor: "operator:counsel".into(), ..Who::default() }
}

/// A node, and an interaction in which a text was sent and nobody answered: over, with the sealed text beside it.
async fn closed() -> (Node, RunId) {
    let node = Node::start().await;
    node.vendors.checking.add_permits(10);
    let id = node.open().await.unwrap();
    node.becomes(&id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    node.clock.skip(11 * 60_000_000);
    node.becomes(&id, |run| run.closed).await;
    (node, id)
}

async fn opened(node: &Node, id: &RunId) -> usize {
    let text = node.engine.export(id, &["COMMS".into()]).await.unwrap();
    pack::verify(text.as_bytes(), None).unwrap().openings.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlived_its_rule_is_destroyed_and_the_record_says_by_which_and_verifies() {
    let (node, id) = closed().await;
    assert_eq!(opened(&node, &id).await, 1, "the text can be shown");
    node.clock.skip(29 * DAY);
    assert_eq!(node.engine.destroy_due(TENANT, &Who::host(), &policy()).await.unwrap(), Swept::default());

    node.clock.skip(DAY);
    let due = node.engine.due(TENANT, &policy(), 10).await.unwrap();
    assert_eq!((due.len(), due[0].class.as_str(), due[0].rule.as_str()), (1, "COMMS", "retention.messages"));
    let swept = node.engine.destroy_due(TENANT, &Who::host(), &policy()).await.unwrap();

    assert_eq!(swept, Swept { destroyed: 1, held: 0 });
    assert_eq!(opened(&node, &id).await, 0, "nobody can open it any more");
    let events = node.engine.events(&id).await.unwrap();
    let last = events.last().unwrap();
    assert_eq!((last.kind.as_str(), last.actor.as_str()), ("values.destroyed", "host"));
    assert_eq!(last.data["rule"], "retention.messages");
    assert_eq!(last.data["cite"], "12 CFR 1006.100");
    assert_eq!(last.data["classes"], serde_json::json!(["COMMS"]));
    assert_eq!(node.engine.destroy_due(TENANT, &Who::host(), &policy()).await.unwrap(), Swept::default(), "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_on_the_interaction_or_its_customer_beats_the_rule_until_it_is_lifted() {
    let (node, id) = closed().await;
    node.clock.skip(40 * DAY);
    let engine = &node.engine;
    for on in [id.interaction.as_str(), "c_ada"] {
        let hold = engine.set_hold(TENANT, &counsel(), on, "Doe v. Clinic").await.unwrap();
        let swept = engine.destroy_due(TENANT, &Who::host(), &policy()).await.unwrap();
        assert_eq!(swept, Swept { destroyed: 0, held: 1 }, "held by {on}");
        assert_eq!(engine.due(TENANT, &policy(), 10).await.unwrap()[0].held.as_ref(), Some(&hold));
        assert_eq!(opened(&node, &id).await, 1);
        engine.lift_hold(TENANT, &counsel(), &hold, "settled").await.unwrap();
        let again = engine.lift_hold(TENANT, &counsel(), &hold, "settled").await;
        assert!(matches!(again, Err(EngineError::NoSuchHold { .. })), "{again:?}");
    }
    assert!(engine.holds(TENANT).await.unwrap().in_force.is_empty());
    assert_eq!(engine.destroy_due(TENANT, &Who::host(), &policy()).await.unwrap().destroyed, 1);
    // All of it stands in a record that verifies like any other.
    let holds = RunId { tenant: TENANT.into(), interaction: "holds".into() };
    let pack = engine.export(&holds, &[]).await.unwrap();
    let kinds: Vec<String> =
        pack::verify(pack.as_bytes(), None).unwrap().events.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["hold.set", "hold.lifted", "hold.set", "hold.lifted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_cannot_be_held() {
    let node = Node::start().await;
    let unknown = format!("int_{}", "0".repeat(32));
    let refused = node.engine.set_hold(TENANT, &counsel(), &unknown, "x").await;
    assert!(matches!(refused, Err(EngineError::NoSuchInteraction { .. })), "{refused:?}");
    let refused = node.engine.set_hold(TENANT, &counsel(), "c_nobody", "x").await;
    assert!(matches!(refused, Err(EngineError::NoSuchField { .. })), "{refused:?}");
    let refused = node.engine.set_hold(TENANT, &counsel(), "c_ada", &"x".repeat(501)).await;
    assert!(matches!(refused, Err(EngineError::NoReason)), "{refused:?}");
    node.engine.set_hold(TENANT, &counsel(), "c_ada", &"x".repeat(500)).await.unwrap();
}

/// Somebody says "hold" between the decision and the destruction.
#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_that_was_decided_before_a_hold_was_set_is_refused() {
    let (node, id) = closed().await;
    node.engine.set_hold(TENANT, &counsel(), "c_ada", "Doe v. Clinic").await.unwrap();
    let store = SqliteStore::open(node.folder.path()).await.unwrap();
    let holds = RunId { tenant: TENANT.into(), interaction: "holds".into() };
    let before = store.record(&id).await.unwrap().len();

    let late = Destruction { id: id.clone(), events: Vec::new(), classes: vec!["COMMS".into()], holds: (holds, 0) };
    let refused = store.destroy(late).await;

    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(store.record(&id).await.unwrap().len(), before);
    assert!(store.existing_data_key(TENANT, &id.interaction, "COMMS").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_what_is_kept_go_on_where_the_last_one_ended() {
    let (node, first) = closed().await;
    let others = [node.open().await.unwrap(), node.open().await.unwrap()];
    for other in &others {
        node.becomes(other, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    }
    node.clock.skip(11 * 60_000_000);
    for other in &others {
        node.becomes(other, |run| run.closed).await;
    }
    let store = SqliteStore::open(node.folder.path()).await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.openable(TENANT, i64::MAX, after.as_ref(), 1).await.unwrap();
        let Some(kept) = page.into_iter().next() else { break };
        assert_eq!((kept.customer.as_str(), kept.workflow.as_str()), ("c_ada", "healthcare-balance"));
        assert_eq!(kept.classes, ["COMMS"]);
        after = Some((kept.closed, kept.interaction.clone()));
        seen.push(kept.interaction);
    }
    assert_eq!((seen.len(), &seen[0]), (3, &first.interaction), "by the time that they closed: {seen:?}");
    assert!(store.openable(TENANT, 0, None, 10).await.unwrap().is_empty());
}
