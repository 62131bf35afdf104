//! The tools that operations have for workflows, as they are typed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::{demo, selvedge, text};
use serde_json::Value;

fn json(args: &[&str]) -> Value {
    let output = selvedge(args);
    assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_shipped_story_comes_out_as_expected() {
    let told = json(&["workflow", "test", "--json"]);
    assert_eq!(told["failed"], 0, "{told:#}");
    assert!(told["passed"].as_u64().unwrap() >= 19, "{told:#}");
}

#[test]
fn no_unsafe_mutant_of_any_shipped_workflow_is_published() {
    let told = json(&["workflow", "mutants", "--json"]);
    assert_eq!(told["published_unsafe"], 0, "{told:#}");
    assert!(told["unsafe"].as_u64().unwrap() > 0 && told["mutants"].as_u64() > told["unsafe"].as_u64(), "{told:#}");
}

#[test]
fn a_workflow_is_told_in_words_and_drawn() {
    let told = json(&["workflow", "explain", "healthcare-balance", "--json"]);
    assert_eq!(told["steps"][0]["id"], "identity");
    let drawn = json(&["workflow", "graph", "healthcare-balance", "--json"]);
    assert_eq!(drawn["nodes"][0]["name"], "identity.check");
    let folder = selvedge_tests::folder();
    let svg = folder.path().join("balance.svg");
    let output = selvedge(["workflow", "graph", "healthcare-balance", "--svg", svg.to_str().unwrap()]);
    assert!(output.status.success());
    assert!(std::fs::read_to_string(svg).unwrap().starts_with("<svg xmlns"));
}

#[test]
fn the_same_seed_gives_the_same_customers_and_all_are_counted() {
    let simulate = |seed: &str| {
        json(&["workflow", "simulate", "healthcare-balance", "--customers", "40", "--seed", seed, "--json"])
    };
    let told = simulate("7");
    assert_eq!(told, simulate("7"));
    assert_ne!(told["paths"], simulate("8")["paths"]);
    let sum = |list: &Value| list.as_array().unwrap().iter().map(|row| row["customers"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum(&told["paths"]), sum(&told["contacts"])), (40, 40));
}

#[test]
fn a_workflow_is_published_into_a_data_folder_and_into_no_other() {
    let folder = selvedge_tests::folder();
    let data = folder.path().to_str().unwrap();
    let nowhere = selvedge(["workflow", "publish", "healthcare-balance", "--data", data]);
    assert!(!nowhere.status.success() && text(&nowhere.stderr).contains("C906"), "{}", text(&nowhere.stderr));
    demo(folder.path(), &[]);
    let told = json(&["workflow", "publish", "healthcare-balance", "--data", data, "--json"]);
    assert_eq!(
        (&told["changed"], &told["before"]),
        (&Value::Bool(false), &told["digest"]),
        "the demonstration published it"
    );
}

#[test]
fn a_workflow_does_not_differ_from_itself() {
    let told =
        json(&["workflow", "diff", "healthcare-balance", "workflows/healthcare-balance/workflow.yaml", "--json"]);
    assert_eq!(told["difference"]["changes"], serde_json::json!([]));
    assert_eq!(told["before"], told["after"]);
}
