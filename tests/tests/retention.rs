//! What is due, and what counsel holds, from the command line beside a finished story.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::path::Path;
use std::process::Output;

use selvedge_tests::{command, demo, export, folder, text};
use serde_json::Value;

/// Three years and some days: what was written to the customer is due, what was disclosed about health is not.
const AHEAD: &str = "1110";

fn beside(data: &Path, args: &[&str]) -> Output {
    command(args).arg("--data").arg(data).output().unwrap()
}

fn said(data: &Path, args: &[&str]) -> String {
    let output = beside(data, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn due(data: &Path) -> Vec<Value> {
    serde_json::from_str(&said(data, &["retention", "due", "--json", "--ahead", AHEAD])).unwrap()
}

#[test]
fn counsel_sees_what_is_due_by_which_rule_and_holds_it() {
    let data = folder();
    let told = demo(data.path(), &[]);
    let (interaction, data) = (told.interaction(), data.path());
    assert_eq!(said(data, &["retention", "due"]), "", "nothing is due on the day");
    let messages = due(data);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0]["interaction"], interaction);
    assert_eq!((&messages[0]["class"], &messages[0]["keep"]), (&"COMMS".into(), &"3y".into()));
    assert_eq!((&messages[0]["rule"], &messages[0]["held"]), (&"retention.messages".into(), &Value::Null));

    let set = said(data, &["hold", "set", interaction, "--reason", "Doe v. Clinic", "--as", "counsel"]);
    assert!(set.starts_with("hold-1 "), "{set}");
    assert_eq!(due(data)[0]["held"], "hold-1");
    let listed = said(data, &["hold", "list"]);
    assert!(listed.contains(interaction) && listed.contains("by operator:counsel: Doe v. Clinic"), "{listed}");
    let shown = said(data, &["retention", "due", "--ahead", AHEAD]);
    assert!(shown.contains("HELD by hold-1") && shown.contains("retention.messages: 3y after"), "{shown}");

    said(data, &["hold", "lift", "hold-1", "--reason", "settled"]);
    assert_eq!(said(data, &["hold", "list"]), "");
    assert_eq!(due(data)[0]["held"], Value::Null);
    let again = beside(data, &["hold", "lift", "hold-1", "--reason", "settled"]);
    assert!(text(&again.stderr).contains("E521"), "{}", text(&again.stderr));
    assert_eq!(said(data, &["retention", "run"]), "0 keys destroyed, 0 held\n");
    let record = export(data, "holds", &[]);
    assert!(record.contains("selvedge.hold.set") && record.contains("selvedge.hold.lifted"), "it is in the record");
}
