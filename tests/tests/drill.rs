//! C2: a workflow turns out to be wrong while a campaign of it is under way. It is stopped, nothing leaves after that, what
//! was done is held as evidence, and customers are served by the others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::served::{Served, data_of, until};
use selvedge_tests::{folder, selvedge, text};
use serde_json::{Value, json};

const RISKY: &str = "utility-reminder";
const SAFE: &str = "fine-by-reference";
/// How many customers the campaign is for, and how many of them it takes up within a minute.
const CUSTOMERS: usize = 9;
const PER_MINUTE: &str = "3";

fn number(n: usize) -> String {
    format!("+1312555010{n}")
}

fn customer(n: usize) -> Value {
    json!({
        "customer": format!("c_{n}"), "zones": ["America/Chicago"], "jurisdictions": ["US", "US-IL"],
        "fields": { "customer.mobile": number(n), "fine.amount": "$60.00" },
        "consents": [{
            "purpose": "billing", "channel": "sms", "at": "2026-08-25T16:04:00Z", "words": "You may text me.", "act": "web form",
        }],
    })
}

fn reminded(served: &Served) -> usize {
    let texts = (1..=CUSTOMERS).map(|n| served.texts(&number(n)));
    texts.map(|texts| texts.iter().filter(|text| text.contains("past due")).count()).sum()
}

#[test]
fn a_workflow_is_stopped_in_mid_campaign_and_nothing_leaves_behind_it() {
    let served = Served::start();
    served.import(&(1..=CUSTOMERS).map(customer).collect::<Vec<_>>());
    for workflow in [RISKY, SAFE] {
        served.beside(&["workflow", "publish", workflow]);
    }
    let everybody: Vec<String> = (1..=CUSTOMERS).map(|n| format!("c_{n}")).collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    served.campaign("november", RISKY, &everybody, &["--per-minute", PER_MINUTE]);
    until(|| (reminded(&served) >= 1).then_some(()));

    let set = served.beside(&["kill", "workflow", RISKY, "--reason", "it names the wrong phone number", "--as", "sam"]);
    assert!(set.starts_with(&format!("STOPPED  workflow:{RISKY} by kill-1")), "{set}");
    let before = reminded(&served);
    assert!(before < CUSTOMERS, "it was not in the middle: {before}");
    let evidence = served.interaction_with(RISKY, "c_1");
    served.beside(&["hold", "set", &evidence, "--reason", "drill", "--as", "sam"]);

    // Customers are served by what is not stopped, while the other is refused by name.
    let agent = served.sign_in("maria", "billing-agent");
    let safe = served.opened(&agent, SAFE, "c_9");
    served.give_code(&agent, &safe, &number(9), 0);
    assert!(served.text(&number(9), 1).contains("secure link"));
    let refused = served.open(&agent, RISKY, "c_9");
    assert_eq!((refused.status, &refused.json()["code"]), (409, &"E510".into()), "{}", refused.body);

    // Ten minutes in which the campaign would have reached everybody.
    served.move_to("2026-11-25T10:40:00-06:00");
    let opened = data_of(&served.events_with(&safe, "link.issued"), "link.issued").len();
    assert_eq!((opened, reminded(&served)), (1, before));
    proved(&served);

    served.beside(&["kill", "lift", "kill-1", "--reason", "mended"]);
    let mut minute = 41;
    loop {
        let so_far = reminded(&served);
        if so_far == CUSTOMERS {
            break;
        }
        served.move_to(&format!("2026-11-25T10:{minute}:00-06:00"));
        until(|| (reminded(&served) > so_far).then_some(()));
        minute += 1;
    }
    for n in 1..=CUSTOMERS {
        let texts = served.texts(&number(n));
        assert_eq!(texts.iter().filter(|text| text.contains("past due")).count(), 1, "each once: {texts:?}");
    }
    served.assert_verifies(&evidence);
    served.assert_verifies(&safe);
}

/// That nothing left is proved by a file, to somebody who has nothing but it and the published key.
fn proved(served: &Served) {
    let away = folder();
    let (file, key) = (away.path().join("silence.jsonl"), served.data.path().join("log.pub"));
    let said = served.beside(&["kill", "prove", "kill-1", "-o", file.to_str().unwrap()]);
    assert!(said.starts_with(&format!("PROVED  nothing of workflow:{RISKY} left behind kill-1")), "{said}");
    let output = selvedge(["kill", "prove", file.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stdout));
}
