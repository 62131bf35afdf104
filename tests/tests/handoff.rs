//! S7: a chat becomes a call. What was proved in the chat is carried with the time that is left of it; only a proof that ran
//! out is asked for again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::http::Answer;
use selvedge_tests::served::{Served, data_of, page, until};
use selvedge_tests::{export, folder, orders, selvedge, text};
use serde_json::{Value, json};

const MOBILE: &str = "+13125550171";
const CARD: &str = "5555555555554444";
const DIAGNOSIS: &str = "canary-asthma-41d7";
const FORM: &str = "content-type: application/x-www-form-urlencoded";
const WHY: &str = "the balance is said on a call";

/// A node with a patient on file.
fn served() -> Served {
    let served = Served::start();
    served.import(&[json!({
        "customer": "p_iris",
        "fields": {
            "patient.mobile": MOBILE, "account.balance": "$84.20", "account.month": "2026-10", "visit.diagnosis": DIAGNOSIS,
        },
        "zones": ["America/Chicago"],
        "jurisdictions": ["US", "US-IL"],
        "consents": [{
            "purpose": "billing", "channel": "sms", "at": "2026-08-25T16:04:00Z", "words": "Text me about my bill.", "act": "web form",
        }],
    })]);
    served.beside(&["workflow", "publish", "balance-by-chat"]);
    served
}

/// A chat in which the patient has just proved who they are.
fn chat(served: &Served, agent: &str) -> String {
    let body = json!({ "workflow": "balance-by-chat", "customer": "p_iris", "channel": "chat" });
    let opened = served.post_as("/v1/interactions", agent, &body);
    assert_eq!(opened.status, 201, "{}", opened.body);
    let id = opened.json()["interaction"].as_str().unwrap().to_owned();
    served.give_code(agent, &id, MOBILE, 0);
    id
}

fn hand_over(served: &Served, token: &str, id: &str, to: &Value) -> Answer {
    let mut body = to.clone();
    body["reason"] = WHY.into();
    served.post_as(&format!("/v1/interactions/{id}/handoff"), token, &body)
}

fn standing(served: &Served, token: &str, id: &str) -> Value {
    served.get_as(&format!("/v1/interactions/{id}"), token).json()
}

/// What an agent gets to see of what a step disclosed.
fn look(served: &Served, token: &str, id: &str) -> Answer {
    served.post_as(&format!("/v1/interactions/{id}/read"), token, &json!({ "step": "owed" }))
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.body);
}

#[test]
fn a_chat_becomes_a_call_with_the_proof_that_it_carries() {
    let served = served();
    let (maria, eve) = (served.sign_in("maria", "billing-agent"), served.sign_in("eve", "billing-agent"));
    let id = chat(&served, &maria);
    let call = json!({ "channel": "call" });

    // Only whose it is hands it over, or a supervisor, and only to where the workflow goes on.
    for token in [&eve, &served.auditor] {
        assert_refused(&hand_over(&served, token, &id, &call), 403, "N804");
    }
    assert_refused(&hand_over(&served, &maria, &id, &json!({ "channel": "fax" })), 409, "E526");
    assert_refused(&hand_over(&served, &maria, &id, &json!({ "channel": "chat" })), 409, "E526");
    assert_refused(&hand_over(&served, &maria, &id, &json!({})), 422, "E505");
    assert_refused(&hand_over(&served, &maria, &id, &json!({ "agent": "no name" })), 422, "E505");
    let stands = standing(&served, &maria, &id);
    assert_eq!((&stands["channel"], &stands["waiting_for"]), (&"chat".into(), &"the handoff to a call".into()));
    assert_refused(&look(&served, &maria, &id), 409, "E504");

    let handed = hand_over(&served, &maria, &id, &call);
    assert_eq!((handed.status, &handed.json()["channel"]), (200, &"call".into()), "{}", handed.body);
    let told = until(|| Some(look(&served, &maria, &id)).filter(|answer| answer.status == 200));
    assert!(told.body.contains("$84.20"), "{}", told.body);

    // A colleague takes over: from then on the values are theirs to see.
    let ben = served.sign_in("ben", "billing-agent");
    assert_refused(&look(&served, &ben, &id), 403, "N804");
    served.beside(&["run", "handoff", &id, "--agent", "ben", "--reason", "her shift ends"]);
    until(|| (standing(&served, &ben, &id)["held_by"] == "person:ben").then_some(()));
    assert_refused(&look(&served, &maria, &id), 403, "N804");
    assert_eq!(look(&served, &ben, &id).status, 200);

    let link = page(&served.text(MOBILE, 1));
    let started = served.node.post(&format!("{link}/start"), &[FORM], "");
    let mark = format!("cookie: {}", started.header("set-cookie").unwrap().split(';').next().unwrap());
    let shown = served.node.get(&link, &[&mark]).body;
    let (_, after) = shown.split_once("name=\"words_id\" value=\"").unwrap_or_else(|| panic!("{shown}"));
    let words = after.split('"').next().unwrap();
    let card = format!("number={CARD}&month=12&year=2031&cvc=737&words_id={words}&agree=yes");
    assert_eq!(served.node.post(&format!("{link}/card"), &[FORM, &mark], &card).status, 303);
    served.text(MOBILE, 2);
    let events = served.events(&id);
    assert_refused(&hand_over(&served, &ben, &id, &json!({ "agent": "maria" })), 409, "E504");

    evidence(&served, &id, &events);
    let charges = orders(served.data.path(), "northgate");
    assert_eq!(charges.last().unwrap()["what"]["amount"], 8420);
    served.assert_verifies(&id);
    served.assert_clean(&[CARD, "5555 5555 5555 4444", "\"737\"", "cvc=737", DIAGNOSIS]);
}

/// One challenge, one proof, and a handoff that lists it with the time that was left.
fn evidence(served: &Served, id: &str, events: &[Value]) {
    let proofs = data_of(events, "assertion.issued");
    assert_eq!(proofs.len(), 1, "nobody was asked twice");
    assert_eq!(served.texts(MOBILE).len(), 3, "a code, a link and a receipt");
    let handed = data_of(events, "interaction.handed-over");
    let [to_call, to_ben] = &handed[..] else { panic!("{handed:?}") };
    let side = |channel: &str, agent: &str| json!({ "channel": channel, "agent": format!("person:{agent}") });
    assert_eq!((&to_call["from"], &to_call["to"]), (&side("chat", "maria"), &side("call", "maria")));
    assert_eq!((&to_ben["from"], &to_ben["to"]), (&side("call", "maria"), &side("call", "ben")));
    assert_eq!((&to_call["by"], &to_call["reason"]), (&"person:maria (billing-agent)".into(), &WHY.into()));
    let carried = &to_call["assertions"][0];
    let same = ["method", "level", "scope", "channel"];
    same.iter().for_each(|what| assert_eq!(carried[what], proofs[0]["assertion"][what], "{what}"));
    let left = carried["valid_for"].as_i64().unwrap();
    assert!((1..=1800).contains(&left), "{left} seconds");
    assert_eq!(to_call["consents"][0]["purpose"], "billing");
    assert_eq!(to_call["payments"], json!([]));
    assert_eq!(to_ben["payments"][0]["step"], "payment", "the link was out by then");

    // The proof was looked at where the balance was said, and it is the one from the chat.
    let decided = data_of(events, "assurance.decided");
    for node in ["phone.fresh", "owed"] {
        let decision = &decided.iter().find(|data| data["node"] == node).unwrap()["decision"];
        assert_eq!(decision["verdict"]["kind"], "permit", "{node}: {decision}");
        assert_eq!(decision["reasons"][0]["facts"]["channel"], "sms");
    }

    let away = folder();
    let file = away.path().join("record.jsonl");
    std::fs::write(&file, export(served.data.path(), id, &[])).unwrap();
    let shown = text(&selvedge(["record", "show", file.to_str().unwrap()]).stdout);
    assert!(shown.contains("handed over from chat, maria to call, maria"), "{shown}");
}

#[test]
fn a_proof_that_ran_out_in_the_chat_is_asked_for_again_on_the_call() {
    let served = served();
    let id = chat(&served, &served.sign_in("maria", "billing-agent"));
    served.move_to("2026-11-25T11:00:00-06:00");
    served.text_back(MOBILE, "Are you still there?"); // so that the agent who signs in again does it then
    let maria = served.sign_in("maria", "billing-agent");
    let handed = hand_over(&served, &maria, &id, &json!({ "channel": "call" }));
    assert_eq!(handed.status, 200, "{}", handed.body);

    // Nothing is said before the second code, which is another one.
    served.text(MOBILE, 1);
    until(|| (standing(&served, &maria, &id)["waiting_for"] == "the code").then_some(()));
    assert_refused(&look(&served, &maria, &id), 409, "E504");
    served.give_code(&maria, &id, MOBILE, 1);
    until(|| (look(&served, &maria, &id).status == 200).then_some(()));

    let events = served.events_with(&id, "fields.disclosed");
    let decided = data_of(&events, "assurance.decided");
    let fresh = decided.iter().find(|data| data["node"] == "phone.fresh").unwrap();
    assert_eq!(fresh["decision"]["verdict"]["kind"], "deny", "{fresh}");
    assert!(fresh["decision"]["reasons"][0]["says"].as_str().unwrap().contains("expired at"), "{fresh}");
    assert_eq!(
        data_of(&events, "interaction.handed-over")[0]["assertions"],
        json!([]),
        "nothing held, so nothing is carried"
    );
    assert_eq!(data_of(&events, "assertion.issued").len(), 2);
    served.assert_verifies(&id);
}
