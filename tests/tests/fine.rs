//! S5: somebody pays a fine by its reference number. It is paid, nothing about it is told, and the receipt names no amount.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::orders;
use selvedge_tests::served::{Served, data_of, hidden, page, until};
use serde_json::json;

const MOBILE: &str = "+13125550161";
const CARD: &str = "5555555555554444";
const DIAGNOSIS: &str = "canary-migraine-90c4";
const FORM: &str = "content-type: application/x-www-form-urlencoded";

#[test]
fn a_guest_pays_a_fine_and_learns_nothing_else() {
    let served = Served::start();
    served.import(&[json!({
        "customer": "ref_2231",
        "fields": { "customer.mobile": MOBILE, "fine.amount": "$58.35", "visit.diagnosis": DIAGNOSIS },
        "zones": ["America/Chicago"],
        "jurisdictions": ["US", "US-IL"],
        "consents": [{
            "purpose": "billing", "channel": "sms", "at": "2026-11-25T15:00:00Z", "words": "Text me the link.", "act": "web form",
        }],
    })]);
    served.beside(&["workflow", "publish", "fine-by-reference"]);
    let agent = served.sign_in("maria", "billing-agent");
    let id = served.opened(&agent, "fine-by-reference", "ref_2231");
    served.give_code(&agent, &id, MOBILE, 0);

    let page = page(&served.text(MOBILE, 1));
    let started = served.node.post(&format!("{page}/start"), &[FORM], "");
    let mark = started.header("set-cookie").unwrap().split(';').next().unwrap();
    let mark = format!("cookie: {mark}");
    let shown = served.node.get(&page, &[&mark]).body;
    assert!(shown.contains("$58.35"), "the amount stands on the page: {shown}");
    let words = hidden(&shown, "words_id");
    let card = format!("number={CARD}&month=12&year=2031&cvc=737&words_id={words}&agree=yes");
    assert_eq!(served.node.post(&format!("{page}/card"), &[FORM, &mark], &card).status, 303);
    let receipt = served.text(MOBILE, 2);
    assert!(receipt.contains("Your payment was received on November 25, 2026"), "{receipt}");
    let events = served.events(&id);

    let charges: Vec<i64> = until(|| {
        let charges = orders(served.data.path(), "northgate");
        let amounts: Vec<i64> = charges.iter().map(|order| order["what"]["amount"].as_i64().unwrap()).collect();
        (amounts.len() == 2).then_some(amounts)
    });
    assert_eq!(charges[1], 5835, "the story's own charge, and this one");
    assert_eq!(data_of(&events, "authorization.given").len(), 1);
    for told in ["fields.disclosed", "fields.read"] {
        assert!(data_of(&events, told).is_empty(), "{told}");
    }
    for text in served.texts(MOBILE) {
        assert!(!text.contains("58.35") && !text.contains('$'), "a text names the amount: {text}");
    }
    assert_eq!(data_of(&events, "interaction.closed")[0]["ending"], "completed");

    served.assert_verifies(&id);
    served.assert_clean(&[CARD, "5555 5555 5555 4444", "\"737\"", "cvc=737", DIAGNOSIS]);
}
