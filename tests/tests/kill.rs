//! `selvedge kill` through the binary: a switch is set, what proves it goes anywhere, and nothing can be taken out of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::path::Path;

use selvedge_tests::{REFUSED, demo, export, folder, selvedge, text};
use serde_json::Value;

fn kill(data: &Path, args: &[&str]) -> String {
    let output = selvedge([&["kill"], args, &["--data", data.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// `kill prove FILE --json`: the exit code and the answer.
fn prove(file: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let output = selvedge([&["kill", "prove", file.to_str().unwrap(), "--json"], args].concat());
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code(), answer)
}

#[test]
fn nothing_left_behind_a_switch_and_a_stranger_can_check_it() {
    let (data, away) = (folder(), folder());
    demo(data.path(), &[]).assert_good("the story");
    let (data, file) = (data.path(), away.path().join("silence.jsonl"));
    let set = kill(data, &["channel", "sms", "--reason", "texts go out twice", "--as", "sam"]);
    assert!(set.starts_with("STOPPED  channel:sms by kill-1") && set.contains("nothing was under way"), "{set}");
    let refused = selvedge(["kill", "channel", "fax", "--reason", "a typo", "--data", data.to_str().unwrap()]);
    assert!(text(&refused.stderr).contains("E512"), "{}", text(&refused.stderr));

    let said = kill(data, &["prove", "kill-1", "-o", file.to_str().unwrap()]);
    assert!(said.starts_with("PROVED  nothing of channel:sms left behind kill-1"), "{said}");
    for part in
        ["operator:sam (holder of the data folder): texts go out twice", "the last effect before it: int_", "send by"]
    {
        assert!(said.contains(part), "{said}");
    }
    // The file alone is enough, with the key that the operator published.
    let (code, answer) = prove(&file, &["--key", data.join("log.pub").to_str().unwrap()]);
    assert_eq!((code, &answer["proved"], &answer["key_was_given"]), (Some(0), &true.into(), &true.into()), "{answer}");

    let shown = {
        let pack = away.path().join("switches.jsonl");
        std::fs::write(&pack, export(data, "switches", &[])).unwrap();
        text(&selvedge(["record", "show", pack.to_str().unwrap()]).stdout)
    };
    for words in ["channel:sms stopped", "kill-1: nothing was under way", "texts go out twice"] {
        assert!(shown.contains(words), "{shown}");
    }

    let lifted = kill(data, &["lift", "kill-1", "--reason", "mended", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&lifted).unwrap()["lifted"], "kill-1");
    assert!(kill(data, &["prove", "kill-1"]).contains("where it was lifted"));
    let listed: Value = serde_json::from_str(&kill(data, &["list", "--json"])).unwrap();
    assert_eq!(listed[0]["lifted"]["reason"], "mended");
}

#[test]
fn a_place_that_was_left_out_is_named_and_nothing_is_proved() {
    let (data, away) = (folder(), folder());
    demo(data.path(), &[]).assert_good("the story");
    let file = away.path().join("silence.jsonl");
    kill(data.path(), &["vendor", "Brightline", "--reason", "an outage"]);
    kill(data.path(), &["prove", "kill-1", "-o", file.to_str().unwrap()]);
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let settled = lines.iter().position(|line| line.contains("switch.settled")).unwrap();
    let cut = [&lines[..settled], &lines[settled + 1..]].concat().concat();
    std::fs::write(&file, cut).unwrap();
    let (code, answer) = prove(&file, &[]);
    assert_eq!((code, &answer["code"]), (Some(REFUSED), &"R333".into()), "{answer}");
    assert!(answer["place"].as_str().unwrap().starts_with("place "), "{answer}");

    std::fs::write(&file, export(data.path(), "switches", &[])).unwrap();
    let (code, answer) = prove(&file, &[]);
    assert_eq!((code, &answer["code"]), (Some(REFUSED), &"R322".into()), "a record of its own proves no silence");
    let unknown = selvedge(["kill", "prove", "kill-7", "--data", data.path().to_str().unwrap()]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("E524"), "{}", text(&unknown.stderr));
}
