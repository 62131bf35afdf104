//! A6: a customer answers a text with "stop", and nothing is sent after it but one confirmation.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::path::Path;

use selvedge_tests::{Told, demo, export, folder, orders, selvedge, text};
use serde_json::Value;

const FIVE_MINUTES: i64 = 5 * 60 * 1_000_000;
/// Beginnings of the texts of a story that goes well until the link has arrived.
const CODE_AND_LINK: [&str; 2] = ["is your code", "here is the secure link"];

/// The texts on the customer's phone and when they came, from the vendor's own ledger.
fn texts(data: &Path) -> Vec<(String, i64)> {
    let orders = orders(data, "brightline");
    orders
        .iter()
        .map(|order| (order["what"]["text"].as_str().unwrap().to_owned(), order["at"].as_i64().unwrap()))
        .collect()
}

/// Holds the phone to these texts and no others, each by words that stand in it.
fn assert_texts(data: &Path, wanted: &[&str]) {
    let texts = texts(data);
    assert_eq!(texts.len(), wanted.len(), "{texts:#?}");
    for ((text, _), words) in texts.iter().zip(wanted) {
        assert!(text.contains(words), "`{words}` is not in `{text}`");
    }
}

/// The record of the interaction that a text opened, as events.
fn opened_by_text(data: &Path, told: &Told) -> Vec<(String, Vec<Value>)> {
    let listed = text(&selvedge(["record", "list", "--data", data.to_str().unwrap()]).stdout);
    let ids = listed.split_whitespace().filter(|word| word.starts_with("int_") && *word != told.interaction());
    let events = |id: &str| {
        let pack = export(data, id, &[]);
        let lines = pack.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"].is_object()).map(|mut line| line["event"].take()).collect()
    };
    ids.map(|id| (id.to_owned(), events(id))).collect()
}

#[test]
fn after_a_stop_one_confirmation_comes_and_nothing_else() {
    for words in ["STOP", "please quit texting me"] {
        let data = folder();
        let told = demo(data.path(), &["--reply", words]);
        assert_eq!(told.code, Some(0), "{words}: {}\n{}", told.summary, told.stderr);

        assert_texts(data.path(), &[&CODE_AND_LINK[..], &["you will get no more texts from us"]].concat());
        let revoked: Vec<&Value> = told.all("consent.revoked").collect();
        assert_eq!(revoked.len(), 1, "{words}");
        assert_eq!((&revoked[0]["channel"], &revoked[0]["purpose"]), (&"sms".into(), &"all".into()));
        assert_eq!(revoked[0]["cite"], "47 CFR 64.1200(a)(10)");

        // Two days later the patient opens the link, which asks for a new code; not even that is sent.
        let last = told.all("contact.decided").last().unwrap();
        assert_eq!(last["decision"]["verdict"]["kind"], "deny", "{last}");
        let at = told.events.iter().position(|event| event["type"] == "selvedge.consent.revoked").unwrap();
        let sent = told.events[at..].iter().filter(|event| event["data"]["function"] == "send").count();
        assert_eq!(sent, 0, "{words}: a message was intended after the stop");
        assert_eq!(told.summary["charges"], 0);

        let said_in = revoked[0]["said_in"].as_str().unwrap();
        let (_, record) = opened_by_text(data.path(), &told).into_iter().find(|(id, _)| id == said_in).unwrap();
        let data_of = |kind: &str| {
            let event = record.iter().find(|event| event["type"] == format!("selvedge.{kind}"));
            event.unwrap_or_else(|| panic!("no {kind} in {record:#?}"))
        };
        assert_eq!(data_of("text.received")["data"]["means"], "opt-out");
        assert!(!data_of("text.received").to_string().contains("quit texting me"), "the words are sealed");
        let decided = data_of("contact.decided")["data"]["decision"].to_string();
        assert!(decided.contains("64.1200(a)(12)"), "the confirmation is decided by its own rule: {decided}");
        assert_eq!(data_of("interaction.closed")["data"]["ending"], "completed");
        let confirmed = texts(data.path())[2].1;
        let late = confirmed - texts(data.path())[1].1;
        assert!(late <= FIVE_MINUTES, "the confirmation came {late} µs after the link");
    }
}

#[test]
fn a_second_stop_is_not_confirmed_and_help_still_answered() {
    let data = folder();
    let told = demo(data.path(), &["--reply", "stop", "--reply", "Stop.", "--reply", "HELP", "--reply", "start"]);
    assert_eq!(told.code, Some(0), "{}\n{}", told.summary, told.stderr);
    let answers = ["you will get no more texts from us", "we text codes, payment links and receipts"];
    assert_texts(data.path(), &[CODE_AND_LINK, answers].concat());
}

#[test]
fn who_only_says_thanks_is_served_as_before() {
    let data = folder();
    let card = "thanks! my card is 4242 4242 4242 4242";
    let told = demo(data.path(), &["--reply", card]);
    told.assert_good("an ordinary text");
    let received: Vec<&Value> = told.all("text.received").collect();
    assert_eq!((received.len(), &received[0]["means"], &received[0]["cards"]), (1, &"other".into(), &1.into()));
    let opened = export(data.path(), told.interaction(), &["--open", "COMMS"]);
    assert!(opened.contains("thanks! my card is [card number removed]"), "the words are kept without the number");
}
