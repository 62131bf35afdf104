//! A6: customers opt out while a campaign is under way. What was decided before and has not left does not leave.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::orders;
use selvedge_tests::served::{Served, data_of, rules};
use serde_json::{Value, json};

const REMINDER: &str = "utility-reminder";
const FIVE_MINUTES: i64 = 5 * 60 * 1_000_000;
const CHICAGO: &str = "+13125550181";
const DENVER: &str = "+13035550182";
const OTHER: &str = "+13125550183";
const WORDS: &str = "please quit texting me";

fn customer(id: &str, mobile: &str, zone: &str) -> Value {
    let consent = |purpose: &str| json!({ "purpose": purpose, "channel": "sms", "at": "2026-08-25T16:04:00Z", "words": "You may text me.", "act": "web form" });
    json!({
        "customer": id, "zones": [zone], "jurisdictions": ["US"],
        "fields": { "customer.mobile": mobile },
        "consents": (["billing", "emergency", "collections"].map(consent)),
    })
}

/// When each text to a phone was taken on by the vendor.
fn times(served: &Served, number: &str) -> Vec<i64> {
    let orders = orders(served.data.path(), "brightline");
    let theirs = orders.iter().filter(|order| order["what"]["to"] == number);
    theirs.map(|order| order["at"].as_i64().unwrap()).collect()
}

/// What a campaign's interaction with a customer came to, once it is over: how it ended, and what forbade its last contact.
fn ended(served: &Served, workflow: &str, customer: &str) -> (String, Vec<String>) {
    let events = served.events(&served.interaction_with(workflow, customer));
    let decided = data_of(&events, "contact.decided");
    let forbade = rules(&decided.last().unwrap()["decision"], "deny").into_iter().map(str::to_owned).collect();
    (data_of(&events, "interaction.closed")[0]["ending"].as_str().unwrap().to_owned(), forbade)
}

#[test]
fn an_opt_out_is_quicker_than_what_waits_in_the_queue() {
    let served = Served::start();
    served.import(&[
        customer("c_chic", CHICAGO, "America/Chicago"),
        customer("c_denv", DENVER, "America/Denver"),
        customer("c_othr", OTHER, "America/Chicago"),
    ]);
    for workflow in [REMINDER, "utility-outage", "collections-outreach"] {
        served.beside(&["workflow", "publish", workflow]);
    }
    let agent = served.sign_in("maria", "billing-agent");
    served.opened(&agent, "collections-outreach", "c_othr"); // the node's clock moves with its code running out
    served.move_to("2026-11-25T21:10:00-06:00");
    served.campaign("november", REMINDER, &["c_chic", "c_denv", "c_othr"], &[]);

    // In Denver it is ten past eight: that text leaves. In Chicago they wait for the morning.
    assert!(served.text(DENVER, 0).contains("a bill of yours is past due"));
    let waiting = served.interaction_with(REMINDER, "c_chic");
    let first = served.events_with(&waiting, "contact.decided");
    assert_eq!(data_of(&first, "contact.decided")[0]["decision"]["verdict"]["kind"], "defer");

    served.text_back(DENVER, WORDS);
    served.text_back(CHICAGO, "STOP");
    for (number, before) in [(DENVER, 1), (CHICAGO, 0)] {
        assert!(served.text(number, before).contains("you will get no more texts from us"), "{number}");
    }
    // What waited is decided again at once, not in the morning.
    let nothing_more = || vec!["tcpa.consent".to_owned(), "tcpa.revoked.sms".to_owned()];
    assert_eq!(ended(&served, REMINDER, "c_chic"), ("failed".into(), nothing_more()));

    // Whatever begins later, for whatever purpose, stays behind the opt-out as well. Nobody else is affected.
    served.campaign("storm", "utility-outage", &["c_chic", "c_denv", "c_othr"], &[]);
    for id in ["c_chic", "c_denv"] {
        assert_eq!(ended(&served, "utility-outage", id).1, nothing_more(), "{id}");
    }
    served.move_to("2026-11-26T09:00:00-06:00");
    assert!(served.text(OTHER, 2).contains("a bill of yours is past due"), "{:?}", served.texts(OTHER));

    let (denver, chicago) = (times(&served, DENVER), times(&served, CHICAGO));
    assert_eq!((denver.len(), chicago.len()), (2, 1), "one confirmation each, and nothing after it");
    assert!(denver[1] - denver[0] <= FIVE_MINUTES, "{denver:?}");
    calls_are_another_channel(&served);

    for (workflow, id) in [(REMINDER, "c_chic"), ("utility-outage", "c_denv"), ("reply-stop", "c_chic")] {
        served.assert_verifies(&served.interaction_with(workflow, id));
    }
    served.assert_clean(&[WORDS]);
}

/// Who wants no texts was not asked about calls; the record says what was taken away, and by which law.
fn calls_are_another_channel(served: &Served) {
    let said = served.events(&served.interaction_with("reply-stop", "c_denv"));
    let revoked = data_of(&said, "consent.revoked");
    assert_eq!((&revoked[0]["channel"], &revoked[0]["purpose"]), (&"sms".into(), &"all".into()));
    assert_eq!(revoked[0]["cite"], "47 CFR 64.1200(a)(10)");
    let agent = served.sign_in("maria", "billing-agent");
    let call = served.opened(&agent, "collections-outreach", "c_denv");
    let events = served.events_with(&call, "contact.decided");
    let decided = data_of(&events, "contact.decided")[0];
    assert_eq!((&decided["channel"], &decided["decision"]["verdict"]["kind"]), (&"call".into(), &"permit".into()));
}
