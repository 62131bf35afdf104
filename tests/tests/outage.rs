//! S6: notices of an outage and reminders of bills over four time zones. Each recipient is decided on by their own clock,
//! with the source of it; and who agreed to the one kind of text has not agreed to the other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::served::{Served, data_of, rules, until};
use serde_json::{Value, json};

const REMINDER: &str = "utility-reminder";
const OUTAGE: &str = "utility-outage";
const DIAGNOSIS: &str = "canary-asthma-31d8";

/// Customer, phone, address, and what they agreed to be texted about.
const CUSTOMERS: [(&str, &str, &str, &[&str]); 7] = [
    ("c_york", "+12125550171", "America/New_York", &["billing", "emergency"]),
    ("c_chic", "+13125550172", "America/Chicago", &["billing", "emergency"]),
    ("c_denv", "+13035550173", "America/Denver", &["billing", "emergency"]),
    ("c_angl", "+12135550174", "America/Los_Angeles", &["billing", "emergency"]),
    ("c_move", "+16465550175", "America/Los_Angeles", &["billing", "emergency"]),
    ("c_emer", "+13125550176", "America/Chicago", &["emergency"]),
    ("c_bill", "+13125550177", "America/Chicago", &["billing"]),
];

fn customer((id, mobile, zone, agreed): (&str, &str, &str, &[&str])) -> Value {
    let consent = |purpose: &&str| json!({ "purpose": purpose, "channel": "sms", "at": "2026-08-25T16:04:00Z", "words": "You may text me.", "act": "web form" });
    json!({
        "customer": id, "zones": [zone], "jurisdictions": ["US"],
        "fields": { "customer.mobile": mobile, "visit.diagnosis": DIAGNOSIS },
        "consents": agreed.iter().map(consent).collect::<Vec<_>>(),
    })
}

fn phone(id: &str) -> &'static str {
    CUSTOMERS.iter().find(|customer| customer.0 == id).unwrap().1
}

/// The first decision on a customer's text.
fn decision(served: &Served, workflow: &str, customer: &str) -> Value {
    let id = served.interaction_with(workflow, customer);
    let events = served.events_with(&id, "contact.decided");
    data_of(&events, "contact.decided")[0]["decision"].clone()
}

/// The customer's local times by which the hours were held, each with its source.
fn local_times(decision: &Value) -> Vec<(String, String)> {
    let facts = decision["reasons"].as_array().unwrap().iter().filter(|reason| reason["rule"] == "tcpa.hours");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    facts.map(|reason| (text(&reason["facts"]["local-time"]), text(&reason["facts"]["zone-source"]))).collect()
}

#[test]
fn everybody_is_texted_by_their_own_clock_and_about_what_they_agreed_to() {
    let served = Served::start();
    served.import(&CUSTOMERS.map(customer));
    for workflow in [REMINDER, OUTAGE] {
        served.beside(&["workflow", "publish", workflow]);
    }
    let everybody = CUSTOMERS.map(|customer| customer.0);
    served.move_to("2026-11-25T20:30:00-06:00");
    served.campaign("november", REMINDER, &everybody, &[]);

    for (id, local) in [("c_chic", "2026-11-25 20:3"), ("c_denv", "2026-11-25 19:3"), ("c_angl", "2026-11-25 18:3")] {
        assert!(served.text(phone(id), 0).contains("a bill of yours is past due"));
        let decided = decision(&served, REMINDER, id);
        let times = local_times(&decided);
        assert_eq!((decided["verdict"]["kind"].as_str(), times.len()), (Some("permit"), 1), "{decided}");
        assert!(times[0].0.starts_with(local) && times[0].1 == "address and phone", "{id}: {times:?}");
    }
    // In New York it is half past nine: the text waits for eight o'clock there.
    let york = decision(&served, REMINDER, "c_york");
    assert_eq!(
        (&york["verdict"]["kind"], &york["verdict"]["until"]),
        (&"defer".into(), &1_795_698_000_000_000_i64.into())
    );
    assert!(local_times(&york)[0].0.starts_with("2026-11-25 21:3"), "{york}");
    // Who took a New York number along to Los Angeles may live by either clock; both have to permit it.
    let moved = decision(&served, REMINDER, "c_move");
    assert_eq!(
        (&moved["verdict"]["kind"], &moved["verdict"]["until"]),
        (&"defer".into(), &1_795_708_800_000_000_i64.into())
    );
    let sources: Vec<String> = local_times(&moved).into_iter().map(|(_, source)| source).collect();
    assert_eq!(sources, ["address", "phone"]);
    let only_emergency = decision(&served, REMINDER, "c_emer");
    assert_eq!(rules(&only_emergency, "deny"), ["tcpa.consent"]);

    served.move_to("2026-11-25T22:40:00-06:00");
    served.campaign("storm", OUTAGE, &everybody, &[]);
    for id in everybody.iter().filter(|id| **id != "c_bill") {
        until(|| served.texts(phone(id)).iter().any(|text| text.contains("the power is out")).then_some(()));
    }
    assert_eq!(rules(&decision(&served, OUTAGE, "c_bill"), "deny"), ["tcpa.consent"]);

    served.move_to("2026-11-26T08:05:00-05:00");
    assert!(served.text(phone("c_york"), 1).contains("a bill of yours"), "in the morning, in New York");
    assert_eq!(served.texts(phone("c_move")).len(), 1, "in Los Angeles it is five");
    served.move_to("2026-11-26T08:05:00-08:00");
    assert!(served.text(phone("c_move"), 1).contains("a bill of yours"));
    for (id, texts) in everybody.iter().zip([2, 2, 2, 2, 2, 1, 1]) {
        assert_eq!(served.texts(phone(id)).len(), texts, "{id}");
    }
    for (workflow, id) in [(REMINDER, "c_york"), (REMINDER, "c_emer"), (OUTAGE, "c_york"), (OUTAGE, "c_bill")] {
        served.assert_verifies(&served.interaction_with(workflow, id));
    }
    served.assert_clean(&[DIAGNOSIS]);
}
