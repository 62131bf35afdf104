//! S2: a debt is worked by calls and texts. What the law forbids does not happen, and the record says which law it was.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::served::{Served, data_of, rules};
use selvedge_tests::{export, orders};
use serde_json::{Value, json};

const WORKFLOW: &str = "collections-outreach";
/// On file with every consumer, and nobody's business here.
const DIAGNOSIS: &str = "canary-sciatica-77e2";
const EVE: &str = "+13125550152";
const FAY: &str = "+13125550153";

/// A consumer with a debt, who agreed to texts about it.
fn consumer(id: &str, mobile: &str, lives: (&str, &[&str]), notes: Value) -> Value {
    json!({
        "customer": id,
        "fields": {
            "customer.mobile": mobile, "debt.creditor": "Prairie Bank", "debt.amount": "$300.00",
            "debt.date": "2026-11-01", "debt.deadline": "2026-12-28", "visit.diagnosis": DIAGNOSIS,
        },
        "zones": [lives.0],
        "jurisdictions": lives.1,
        "notes": notes,
        "consents": [{
            "purpose": "collections", "channel": "sms", "at": "2026-08-25T16:04:00Z", "words": "You may text me.", "act": "web form",
        }],
    })
}

fn checked(day: &str) -> Value {
    json!([{ "what": "reassignment-check", "at": format!("{day}T16:00:00Z") }])
}

/// A call that may not be placed: the rule that forbids it, its citation, what helps, and the record of the refusal.
fn refused(served: &Served, agent: &str, customer: &str) -> (String, String, String, String) {
    let answer = served.open(agent, WORKFLOW, customer);
    assert_eq!(answer.status, 403, "{}", answer.body);
    let problem = answer.json();
    assert_eq!((&problem["code"], &problem["layer"]), (&"E515".into(), &"contact rules".into()), "{problem}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reason = &problem["reasons"][0];
    let record = text(&problem["detail"]).split('`').nth(1).unwrap().to_owned();
    (text(&reason["rule"]), text(&reason["cite"]), text(&problem["help"]), record)
}

/// Somebody answers a call, proves who they are, hears what has to be said and agrees to the plan.
fn agrees(served: &Served, agent: &str, customer: &str, mobile: &str, nth: usize) -> String {
    let id = served.opened(agent, WORKFLOW, customer);
    served.give_code(agent, &id, mobile, nth);
    served.events_with(&id, "question.asked");
    let said = json!({ "step": "reply", "answer": "talks" });
    let taken = served.post_as(&format!("/v1/interactions/{id}/question"), agent, &said);
    assert_eq!(taken.status, 204, "{}", taken.body);
    served.events_with(&id, "plan.offered");
    let standing = served.get_as(&format!("/v1/interactions/{id}"), agent).json();
    let terms = &standing["offers"][0]["terms"];
    let answer = json!({ "step": "plan", "accepted": true, "terms": terms });
    let taken = served.post_as(&format!("/v1/interactions/{id}/answer"), agent, &answer);
    assert_eq!(taken.status, 204, "{}", taken.body);
    id
}

#[test]
fn a_debt_is_worked_as_the_law_permits() {
    let served = Served::start();
    let (illinois, boston) = (("America/Chicago", &["US", "US-IL"][..]), ("America/New_York", &["US", "US-MA"][..]));
    let city = ("America/New_York", &["US", "US-NY", "US-NY-NYC"][..]);
    served.import(&[
        consumer("c_dee", "+13125550151", illinois, checked("2026-11-01")),
        consumer("c_eve", EVE, illinois, checked("2026-11-01")),
        consumer("c_fay", FAY, illinois, json!([])),
        consumer("c_gus", "+16175550154", boston, checked("2026-11-01")),
        consumer("c_hal", "+12125550155", city, checked("2026-11-01")),
    ]);
    served.beside(&["workflow", "publish", WORKFLOW]);
    let agent = served.sign_in("maria", "billing-agent");

    let eighth = the_eighth_call_is_refused(&served, &agent);
    where_the_consumer_lives_decides(&served, &agent);
    let spoken = what_is_said_comes_in_its_order(&served, &agent);
    let unchecked = no_text_goes_to_a_number_that_nobody_checked(&served, &agent);
    after_a_week(&served, &spoken);

    for record in [&eighth, &spoken, &unchecked] {
        served.assert_verifies(record);
    }
    served.assert_clean(&[DIAGNOSIS]);
}

fn the_eighth_call_is_refused(served: &Served, agent: &str) -> String {
    for _ in 0..7 {
        let id = served.opened(agent, WORKFLOW, "c_dee");
        let events = served.events_with(&id, "contact.decided");
        let decided = data_of(&events, "contact.decided")[0];
        assert_eq!((&decided["channel"], &decided["decision"]["verdict"]["kind"]), (&"call".into(), &"permit".into()));
    }
    let (rule, cite, help, record) = refused(served, agent, "c_dee");
    assert_eq!((rule.as_str(), cite.as_str()), ("regf.call-frequency", "12 CFR 1006.14(b)(2)(i)(A)"));
    assert!(help.starts_with("it may be placed from 2026-12-02T16:"), "a week after the first one: {help}");
    let events = served.events(&record);
    assert!(rules(&data_of(&events, "contact.decided")[0]["decision"], "defer").contains(&"regf.call-frequency"));
    assert_eq!(data_of(&events, "interaction.closed")[0]["ending"], "failed");
    assert!(data_of(&events, "effect.intended").is_empty(), "nothing was sent to somebody who may not be called");
    record
}

fn where_the_consumer_lives_decides(served: &Served, agent: &str) {
    for (consumer, permitted, law) in
        [("c_gus", 2, ("ma.contacts", "940 CMR 7.04(1)(f)")), ("c_hal", 3, ("nyc.contacts", "6 RCNY 5-77"))]
    {
        for _ in 0..permitted {
            served.opened(agent, WORKFLOW, consumer);
        }
        let (rule, cite, ..) = refused(served, agent, consumer);
        assert_eq!((rule.as_str(), cite.as_str()), law);
    }
}

/// Right party, mini-Miranda, validation notice, plan; and the conversation begins seven days without a call.
fn what_is_said_comes_in_its_order(served: &Served, agent: &str) -> String {
    let id = agrees(served, agent, "c_eve", EVE, 0);
    assert!(served.text(EVE, 1).contains("this confirms the plan"), "{:?}", served.texts(EVE));
    let events = served.events_with(&id, "link.issued");
    let kind_and_node = |event: &Value| {
        let node = event["data"]["node"].as_str().unwrap_or_default();
        format!("{} {node}", event["type"].as_str().unwrap().trim_start_matches("selvedge."))
    };
    let all: Vec<String> = events.iter().map(kind_and_node).collect();
    let wanted = [
        "assertion.issued right-party.answer",
        "fields.disclosed collector",
        "fields.disclosed notice",
        "plan.offered plan",
    ];
    let places =
        wanted.map(|what| all.iter().position(|is| is == what).unwrap_or_else(|| panic!("no {what} in {all:#?}")));
    assert!(places.is_sorted(), "{all:#?}");
    let said = export(served.data.path(), &id, &["--open", "COMMS"]);
    for words in
        ["We are attempting to collect a debt", "to Prairie Bank as of", "you can dispute all or part of the debt"]
    {
        assert!(said.contains(words), "`{words}` was not said");
    }

    let (rule, cite, help, _) = refused(served, agent, "c_eve");
    assert_eq!((rule.as_str(), cite.as_str()), ("regf.after-conversation", "12 CFR 1006.14(b)(2)(i)(B)"));
    assert!(
        help.starts_with("it may be placed from 2026-12-02T14:00:00"),
        "the day of the conversation is the first: {help}"
    );
    id
}

fn no_text_goes_to_a_number_that_nobody_checked(served: &Served, agent: &str) -> String {
    let id = agrees(served, agent, "c_fay", FAY, 0);
    let events = served.events(&id);
    let decided = data_of(&events, "contact.decided");
    let last = decided.last().unwrap();
    assert_eq!((&last["node"], rules(&last["decision"], "deny")), (&"confirmation".into(), vec!["regf.text-number"]));
    assert!(last["decision"].to_string().contains("12 CFR 1006.6(d)(5)"));
    assert_eq!(served.texts(FAY).len(), 1, "the code, and not a word about the debt");
    id
}

fn after_a_week(served: &Served, spoken: &str) {
    served.move_to("2026-12-02T10:30:00-06:00");
    served.events(spoken); // its link has run out, so that the colleague who signs in now does it now
    let agent = served.sign_in("maria", "billing-agent");
    for consumer in ["c_dee", "c_eve"] {
        served.opened(&agent, WORKFLOW, consumer);
    }
    let illinois = ("America/Chicago", &["US", "US-IL"][..]);
    served.import(&[consumer("c_fay", FAY, illinois, checked("2026-11-20"))]);
    agrees(served, &agent, "c_fay", FAY, 1);
    assert!(served.text(FAY, 2).contains("this confirms the plan"), "{:?}", served.texts(FAY));
    let requests = std::fs::read_to_string(served.data.path().join("doubles/brightline.requests.jsonl")).unwrap();
    assert!(!requests.contains("$300.00") && !orders(served.data.path(), "brightline").is_empty());
}
