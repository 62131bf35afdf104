//! A payment that is undone: the policy is not reinstated after all, and the money goes back, once by the gateway's count,
//! also when the process is killed on the way; where the gateway refuses, a person decides.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::http::Node;
use selvedge_tests::orders;
use selvedge_tests::served::{Served, data_of, hidden, page, until};
use serde_json::{Value, json};

const MOBILE: &str = "+13125550171";
const CARD: &str = "5555555555554444";
const FORM: &str = "content-type: application/x-www-form-urlencoded";

/// A customer has paid the first part towards a lapsed policy, and an underwriter is asked. Returns the interaction and the
/// gateway's reference of the charge.
fn paid(served: &Served) -> (String, String) {
    served.import(&[json!({
        "customer": "c_lapsed",
        "fields": { "customer.mobile": MOBILE, "premium.amount": "$426.00", "premium.month": "2026-11" },
        "zones": ["America/Chicago"],
        "jurisdictions": ["US", "US-IL"],
        "consents": [{
            "purpose": "billing", "channel": "sms", "at": "2026-11-20T15:00:00Z", "words": "Text me the link.", "act": "web form",
        }],
    })]);
    served.beside(&["workflow", "publish", "policy-reinstatement"]);
    let agent = served.sign_in("maria", "billing-agent");
    let id = served.opened(&agent, "policy-reinstatement", "c_lapsed");
    served.give_code(&agent, &id, MOBILE, 0);
    let offers = until(|| standing(served, &id)["offers"].as_array().cloned().filter(|offers| !offers.is_empty()));
    let accepted = json!({ "step": "plan", "accepted": true, "terms": offers[0]["terms"] });
    let answer = served.post_as(&format!("/v1/interactions/{id}/answer"), &agent, &accepted);
    assert_eq!(answer.status, 204, "{}", answer.body);

    let page = page(&served.text(MOBILE, 1));
    let started = served.node.post(&format!("{page}/start"), &[FORM], "");
    let mark = format!("cookie: {}", started.header("set-cookie").unwrap().split(';').next().unwrap());
    let shown = served.node.get(&page, &[&mark]).body;
    let words = hidden(&shown, "words_id");
    let card = format!("number={CARD}&month=12&year=2031&cvc=737&words_id={words}&agree=yes");
    assert_eq!(served.node.post(&format!("{page}/card"), &[FORM, &mark], &card).status, 303);
    let standing = until(|| Some(standing(served, &id)).filter(|standing| !standing["approval"].is_null()));
    assert_eq!(standing["approval"]["step"], "reinstatement");
    let charges = orders(served.data.path(), "northgate");
    (id, charges.last().unwrap()["id"].as_str().unwrap().to_owned())
}

fn standing(served: &Served, id: &str) -> Value {
    served.get_as(&format!("/v1/interactions/{id}"), &served.supervisor).json()
}

fn operate(served: &Served, id: &str, act: &Value) -> Value {
    let answer = served.post_as(&format!("/v1/interactions/{id}/act"), &served.supervisor, act);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// What the gateway gave back, from its own ledger.
fn refunds(served: &Served) -> Vec<Value> {
    let orders = orders(served.data.path(), "northgate");
    orders.into_iter().filter(|order| order["what"]["gives_back"].as_str().is_some_and(|of| !of.is_empty())).collect()
}

fn of_undo<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    let all = data_of(events, kind);
    all.into_iter().filter(|data| data["node"] == "payment.undo").collect()
}

#[test]
fn a_cancelled_run_gives_the_money_back_and_says_so() {
    let served = Served::start();
    let (id, charge) = paid(&served);
    operate(&served, &id, &json!({ "act": "cancel", "reason": "the policy cannot be reinstated" }));
    let events = served.events(&id);
    let given = refunds(&served);
    assert_eq!(given.len(), 1);
    assert_eq!((&given[0]["what"]["gives_back"], &given[0]["what"]["amount"]), (&json!(charge), &json!(14_200)));

    assert_eq!(data_of(&events, "undo.began")[0]["places"], json!(["payment.undo"]));
    assert_eq!((of_undo(&events, "effect.intended").len(), of_undo(&events, "effect.done").len()), (1, 1));
    assert_eq!(data_of(&events, "interaction.closed")[0]["ending"], "cancelled");
    let session = format!("cookie: session={}", served.supervisor);
    let page = served.node.get(&format!("/console/interactions/{id}"), &[&session]).body;
    assert!(page.contains("what was done is undone") && page.contains("payment: undone"), "{page}");
    served.assert_verifies(&id);
    served.assert_clean(&[CARD, "\"737\"", "cvc=737"]);
}

/// The gateway gave the money back, and the process died before the outcome was in the record.
#[test]
fn a_kill_between_the_refund_and_its_record_gives_the_money_back_once() {
    let mut served = Served::start();
    let (id, charge) = paid(&served);
    let late = json!({ "on": "refunds", "kind": "late", "delay_ms": 600_000 });
    assert_eq!(served.command("northgate", "/control/fault", &late).status, 204);
    served.beside(&["run", "cancel", &id, "--reason", "the policy cannot be reinstated"]);
    until(|| (!refunds(&served).is_empty()).then_some(()));
    served.killed_and_started_again();

    let events = served.events(&id);
    let given = refunds(&served);
    assert_eq!((given.len(), &given[0]["what"]["gives_back"]), (1, &json!(charge)), "{given:?}");
    let intended = of_undo(&events, "effect.intended");
    assert!(intended.len() > 1, "it was asked for again: {intended:?}");
    assert!(intended.iter().all(|data| data["key"] == given[0]["key"]), "under the same key: {intended:?}");
    assert_eq!(of_undo(&events, "effect.done").len(), 1);
    assert_eq!(data_of(&events, "interaction.closed")[0]["ending"], "cancelled");
    served.assert_verifies(&id);
}

#[test]
fn a_refund_that_the_gateway_refuses_stands_as_undo_failed_until_a_person_decides() {
    let served = Served::start();
    let (id, charge) = paid(&served);
    // A colleague had given it back at the gateway's own desk already.
    let (address, place) = served.vendor("northgate");
    let key = format!("authorization: Bearer {}", place["api_key"].as_str().unwrap());
    let headers = [&key, "idempotency-key: by-hand", FORM];
    let by_hand = Node { address }.post("/v1/refunds", &headers, &format!("charge={charge}")).json();

    operate(&served, &id, &json!({ "act": "cancel", "reason": "the policy cannot be reinstated" }));
    let failed = until(|| Some(standing(&served, &id)).filter(|standing| standing["phase"] == "undo-failed"));
    assert_eq!((&failed["over"], &failed["step"]), (&json!(false), &json!("payment: undo failed")), "{failed:#}");
    let listed = served.beside(&["run", "list"]);
    assert!(listed.contains("payment: undo failed"), "{listed}");

    let reference = by_hand["id"].as_str().unwrap();
    operate(&served, &id, &json!({ "act": "done", "reference": reference, "reason": "seen at the gateway" }));
    let events = served.events(&id);
    assert_eq!(refunds(&served).len(), 1, "once, by hand");
    assert_eq!(data_of(&events, "undo.failed").len(), 1);
    assert_eq!(of_undo(&events, "effect.done")[0]["reference"], reference);
    assert_eq!(data_of(&events, "interaction.closed")[0]["ending"], "cancelled");
    served.assert_verifies(&id);
}
