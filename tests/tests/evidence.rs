//! An exported record verifies from the file alone; one changed byte, one dropped, swapped or added line does not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;

use selvedge_tests::{REFUSED, demo, export, folder, selvedge, text};
use serde_json::Value;
use tempfile::TempDir;

/// Every so many bytes one is flipped; a prime, so that it falls into every kind of place.
const STRIDE: usize = 997;

/// A story that was played once for all tests here.
struct Played {
    data: TempDir,
    interaction: String,
    pack: String,
}

fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(|| {
        let data = folder();
        let told = demo(data.path(), &[]);
        told.assert_good("the story");
        let interaction = told.interaction().to_owned();
        let pack = export(data.path(), &interaction, &[]);
        Played { data, interaction, pack }
    })
}

/// `selvedge record verify` of a file with these bytes.
fn verify(pack: &[u8], args: &[&str]) -> Output {
    let folder = folder();
    let file = folder.path().join("record.jsonl");
    std::fs::write(&file, pack).unwrap();
    selvedge(["record", "verify", file.to_str().unwrap()].into_iter().chain(args.iter().copied()))
}

/// A pack that must not verify, and why it does not.
fn refusal(pack: &[u8], change: &str) -> Value {
    let output = verify(pack, &["--json"]);
    assert_eq!(output.status.code(), Some(REFUSED), "{change}: {}", text(&output.stdout));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["verified"], false, "{change}");
    for said in ["code", "place", "what", "help"] {
        assert!(answer[said].as_str().is_some_and(|s| !s.is_empty()), "{change}: no {said} in {answer}");
    }
    answer
}

fn public_key(data: &Path) -> String {
    data.join("log.pub").to_str().unwrap().to_owned()
}

#[test]
fn the_same_record_gives_the_same_bytes_and_they_verify_with_and_without_the_key() {
    let Played { data, interaction, pack } = played();
    let file = data.path().join("again.jsonl");
    let args = ["record", "export", interaction, "-o", file.to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    assert!(selvedge(args).status.success());
    assert!(std::fs::read_to_string(&file).unwrap() == *pack, "two exports differ");

    let without = verify(pack.as_bytes(), &[]);
    assert_eq!(without.status.code(), Some(0));
    let said = text(&without.stdout);
    assert!(said.starts_with("VERIFIED") && said.contains("the key came with the file"), "{said}");
    let with = verify(pack.as_bytes(), &["--key", &public_key(data.path())]);
    assert_eq!(with.status.code(), Some(0));
    assert!(text(&with.stdout).contains("the key is the one you gave"));
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let pack = played().pack.as_bytes();
    let last_line = pack[..pack.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for at in (0..pack.len()).step_by(STRIDE).chain(last_line..pack.len()) {
        let mut changed = pack.to_vec();
        changed[at] ^= 1;
        let line = pack[..at].iter().filter(|b| **b == b'\n').count() + 1;
        let answer = refusal(&changed, &format!("byte {at}, in line {line}"));
        assert!(answer["line"].as_u64().is_some_and(|named| named >= 1), "byte {at}, in line {line}: {answer}");
    }
}

#[test]
fn a_dropped_a_swapped_and_an_added_line_are_named() {
    let lines: Vec<&str> = played().pack.split_inclusive('\n').collect();
    assert!(lines.len() > 40);
    for at in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(at);
        refusal(dropped.concat().as_bytes(), &format!("line {} dropped", at + 1));
        let mut added = lines.clone();
        added.insert(at, lines[at]);
        refusal(added.concat().as_bytes(), &format!("line {} twice", at + 1));
    }
    for at in 1..lines.len() {
        let mut swapped = lines.clone();
        swapped.swap(at - 1, at);
        refusal(swapped.concat().as_bytes(), &format!("lines {at} and {} swapped", at + 1));
    }
}

#[test]
fn the_place_is_said_in_words() {
    let lines: Vec<&str> = played().pack.split_inclusive('\n').collect();
    let without_fourth = [&lines[..4], &lines[5..]].concat().concat();
    let answer = refusal(without_fourth.as_bytes(), "event 3 dropped");
    assert_eq!((answer["line"].as_u64(), answer["place"].as_str()), (Some(5), Some("event 3")));
    assert_eq!((answer["code"].as_str(), answer["what"].as_str()), (Some("R324"), Some("event 3 is missing")));
    let said = text(&verify(without_fourth.as_bytes(), &[]).stdout);
    assert!(said.starts_with("NOT VERIFIED") && said.contains(":5: event 3: event 3 is missing"), "{said}");
}

#[test]
fn another_operators_key_does_not_verify_it() {
    let other = folder();
    demo(other.path(), &[]).assert_good("another operator");
    let output = verify(played().pack.as_bytes(), &["--key", &public_key(other.path())]);
    assert_eq!(output.status.code(), Some(REFUSED), "{}", text(&output.stdout));
    assert!(text(&output.stdout).starts_with("NOT VERIFIED"));
}

#[test]
fn what_is_no_key_is_refused_as_such() {
    let output = verify(played().pack.as_bytes(), &["--key", "not-a-key"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("C908"), "{}", text(&output.stderr));
}

#[test]
fn opened_texts_verify_and_hold_no_secret() {
    let Played { data, interaction, pack } = played();
    let opened = export(data.path(), interaction, &["--open", "COMMS"]);
    let output = verify(opened.as_bytes(), &["--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((answer["verified"].as_bool(), answer["openings"].as_u64()), (Some(true), Some(4)), "{answer}");

    let texts = shown(&opened).lines().filter(|line| line.starts_with("opened")).collect::<Vec<_>>().join("\n");
    assert_eq!(texts.lines().count(), 4, "{texts}");
    assert!(texts.contains("is your code") && texts.contains("the card ending 4242"), "{texts}");
    let (codes, token) = secrets(data.path());
    assert_eq!(codes.len(), 2, "a code at the call and one at the step-up");
    for secret in codes.iter().chain([&token, "4242424242424242"].map(str::to_owned).iter()) {
        for (name, file) in [("opened", &opened), ("closed", pack)] {
            assert!(!file.contains(secret.as_str()), "{secret} stands in the {name} pack");
        }
    }
}

#[test]
fn an_opened_text_cannot_be_replaced() {
    let Played { data, interaction, .. } = played();
    let opened = export(data.path(), interaction, &["--open", "COMMS"]);
    assert!(opened.contains("It works for 10 minutes"));
    refusal(opened.replace("It works for 10 minutes", "It works for 99 minutes").as_bytes(), "another text");
}

/// The codes and the link's token, as the customer's phone got them.
fn secrets(data: &Path) -> (Vec<String>, String) {
    let texts = selvedge_tests::orders(data, "brightline");
    let texts: Vec<&str> = texts.iter().filter_map(|order| order["what"]["text"].as_str()).collect();
    let six_digits = |text: &&str| {
        let code = text.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 6);
        code.filter(|_| text.contains("is your code")).map(str::to_owned)
    };
    let token = texts.iter().find_map(|text| text.split("/pay/").nth(1)).unwrap();
    (texts.iter().filter_map(six_digits).collect(), token.split_whitespace().next().unwrap().to_owned())
}

/// What `selvedge record show` prints of a pack.
fn shown(pack: &str) -> String {
    let folder = folder();
    let file = folder.path().join("record.jsonl");
    std::fs::write(&file, pack).unwrap();
    let output = selvedge(["record", "show", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn show_prints_the_timeline_and_refuses_what_does_not_verify() {
    let pack = &played().pack;
    let said = shown(pack);
    assert!(said.contains("tcpa.consent (47 CFR 64.1200(a)(1))") && said.contains("revealed: none"), "{said}");
    assert!(said.contains("\nVERIFIED  "), "{said}");

    let folder = folder();
    let file = folder.path().join("record.jsonl");
    std::fs::write(&file, pack.replacen("2026", "2027", 1)).unwrap();
    let output = selvedge(["record", "show", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(REFUSED));
    assert!(text(&output.stdout).starts_with("NOT VERIFIED"), "a timeline that does not verify was printed");
}
