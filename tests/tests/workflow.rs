//! The tools that operations have for workflows, as they are typed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::{selvedge, text};
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
