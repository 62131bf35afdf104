//! A service and the functions that it declares, as a real component.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::{MISCHIEF, call, connections, mobile, read};
use selvedge_doubles::{DoubleConfig, RunningDouble};
use selvedge_engine::ports::{Connectors, Failure};
use selvedge_host::{EffectClass, Host, HostConfig, MAX_ANSWER, Manifest, Package, Registry};

struct World {
    registry: Registry,
    _vendor: RunningDouble,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let config = DoubleConfig {
        dir: folder.path().to_owned(),
        webhook_url: String::new(),
        api_key: "sk_test_0123456789".into(),
        webhook_secret: "whsec_0123456789".into(),
        control_token: "control".into(),
        port: 0,
        now: Arc::new(|| 1_767_225_600_000_000),
    };
    let vendor = selvedge_doubles::brightline(config).await.unwrap();
    let package = Package {
        wasm: MISCHIEF["spindle"].clone(),
        manifest: read("tests/connectors/spindle/connector.yaml"),
        grant: read("tests/connectors/spindle/grant.yaml"),
    };
    let mut registry = Registry::new(Host::new(HostConfig::default()).unwrap());
    let connector = registry.host().load(package, &connections(&[("vendor", &vendor.base_url)])).unwrap();
    registry.add(connector).unwrap();
    World { registry, _vendor: vendor, _folder: folder }
}

#[tokio::test]
async fn a_function_answers_by_its_name_and_another_is_refused() {
    let world = world().await;
    let call = call(&world.registry, "spindle", "turn", "int_1.turn.call.1");
    let spun = world.registry.perform(&call, "spin", Vec::new()).await;
    let answer = spun.result.unwrap();
    assert_eq!(answer.len(), 200);
    assert!(answer.starts_with("int_1.turn.call.1..."), "{answer}");
    assert!(spun.accesses.is_empty() && spun.refusals.is_empty());
    let unknown = world.registry.perform(&call, "weave", Vec::new()).await;
    assert_eq!(unknown.result, Err(Failure::Permanent("no such function".into())));
}

#[tokio::test]
async fn a_handle_leaves_through_its_slot_and_does_not_come_back_in_the_answer() {
    let world = world().await;
    let call = call(&world.registry, "spindle", "turn", "int_1.turn.call.1");
    let ordered = world.registry.perform(&call, "order", vec![("to".into(), mobile())]).await;
    let answer = ordered.result.unwrap();
    assert!(answer.contains("msg_") && !answer.contains("2175550142"), "{answer}");
    let used: Vec<_> = ordered.accesses.iter().map(|a| (a.field.as_str(), a.place.as_str())).collect();
    assert_eq!(used, [("patient.mobile", "vendor POST /v2/messages /to")]);
    let again = world.registry.perform(&call, "order", vec![("to".into(), mobile())]).await;
    assert_eq!(again.result.unwrap(), answer, "one order for each key");
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_not_kept() {
    let world = world().await;
    let call = call(&world.registry, "spindle", "turn", "k");
    let flooded = world.registry.perform(&call, "flood", Vec::new()).await;
    let why = format!("its answer has 20000 bytes, the limit is {MAX_ANSWER}");
    assert_eq!(flooded.result, Err(Failure::Permanent(why)), "nothing left the host: it certainly did not happen");
}

#[tokio::test]
async fn a_service_is_nothing_else_and_nobody_can_ask_it_what_became_of_a_key() {
    let world = world().await;
    let call = call(&world.registry, "spindle", "turn", "k");
    assert!(matches!(world.registry.check(&call, mobile()).await.result, Err(Failure::Denied(_))));
    assert!(matches!(world.registry.lookup(&call).await.result, Err(Failure::Denied(_))));
}

#[test]
fn a_manifest_declares_each_function_with_its_class() {
    let (file, text) = read("tests/connectors/spindle/connector.yaml");
    let manifest = Manifest::read(&file, &text).unwrap();
    assert_eq!(manifest.effect("spin"), EffectClass::Pure);
    assert_eq!(manifest.effect("order"), EffectClass::Idempotent);
    assert_eq!(manifest.effect("weave"), EffectClass::NeverRetry, "what nobody declared");
    let refused = |old: &str, new: &str| {
        let text = text.replacen(old, new, 1);
        let found = Manifest::read(&file, &text).unwrap_err();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(refused("spin: pure", "send: pure").contains("no function named `send`"), "it means a message in a record");
    assert!(refused("spin: pure", "Spin: pure").contains("no function named `Spin`"));
    assert!(refused("spin: pure", "spin: reconcile").contains("never-retry"), "nobody can be asked");
    let many: String = (0..=selvedge_host::MAX_FUNCTIONS).map(|n| format!("  f{n}: pure\n")).collect();
    assert!(refused("  spin: pure\n", &many).contains("a service has at most 64"));
}
