//! S3: a payment method is changed. What lets somebody hear a balance does not let them change what is charged.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::on_file::put_on_file;
use selvedge_tests::orders;
use selvedge_tests::served::{Served, code};
use serde_json::{Value, json};

const MOBILE: &str = "+13125550143";
const CARD: &str = "5555555555554444";

/// A customer on file, and an agent's token.
fn with_a_customer(served: &Served) -> String {
    let file = served.data.path().join("customers.csv");
    let line = format!(
        "c_bo,{MOBILE},$84.20,2026-12-01,America/Chicago,US US-IL,2026-08-25T16:04:00Z,You may text me.,web form"
    );
    let head = "customer,customer.mobile,bill.amount,bill.due,zones,jurisdictions,consent.billing.sms,consent.words,consent.act";
    std::fs::write(&file, format!("{head}\n{line}\n")).unwrap();
    served.beside(&["customer", "import", file.to_str().unwrap()]);
    served.beside(&["workflow", "publish", "method-change"]);
    served.sign_in("maria", "billing-agent")
}

/// Changes the card through every door, from the call to the page. Returns the interaction.
fn change_the_card(served: &Served, agent: &str) -> String {
    let call = json!({ "workflow": "method-change", "customer": "c_bo", "channel": "call" });
    let opened = served.post_as("/v1/interactions", agent, &call);
    assert_eq!(opened.status, 201, "{}", opened.body);
    let id = opened.json()["interaction"].as_str().unwrap().to_owned();
    let given = json!({ "code": code(&served.text(MOBILE, 0)) });
    let answer = served.post_as(&format!("/v1/interactions/{id}/code"), agent, &given);
    assert!(answer.status < 300, "{}", answer.body);

    let kept = put_on_file(served, MOBILE, 1, CARD);
    assert!(kept.contains("Mastercard card ending in 4444"), "{kept}");
    id
}

fn of_kind<'e>(events: &'e [Value], kind: &str) -> Vec<(usize, &'e Value)> {
    let kind = format!("selvedge.{kind}");
    events.iter().enumerate().filter(|(_, e)| e["type"] == kind.as_str()).map(|(at, e)| (at, &e["data"])).collect()
}

#[test]
fn a_card_is_changed_by_who_proves_anew_who_they_are_and_the_number_on_file_hears_of_it() {
    let served = Served::start();
    let agent = with_a_customer(&served);
    let id = change_the_card(&served, &agent);
    assert!(served.text(MOBILE, 3).contains("was changed to the one ending in 4444"));
    let events = served.events(&id);

    let decided = of_kind(&events, "assurance.decided");
    let (refused, first) = decided.iter().find(|(_, data)| data["node"] == "new-card.fresh").unwrap();
    assert_eq!(first["decision"]["verdict"]["kind"], "deny", "{first}");
    assert!(first["decision"]["reasons"][0]["says"].as_str().unwrap().contains("this needs a new proof"), "{first}");
    let (accepted, last) = decided.iter().find(|(_, data)| data["node"] == "new-card.validate").unwrap();
    assert_eq!(last["decision"]["verdict"]["kind"], "permit", "{last}");
    let good = of_kind(&events, "effect.done").into_iter().find(|(_, data)| data["node"] == "new-card.validate");
    let (good, kept) = (good.unwrap(), of_kind(&events, "method.kept"));
    assert_eq!((good.1["exit"].as_str(), kept.len()), (Some("done"), 1));
    assert!(refused < accepted && *accepted < good.0 && good.0 < kept[0].0, "validated before it is kept");
    assert_eq!((&kept[0].1["brand"], &kept[0].1["last4"]), (&"Mastercard".into(), &"4444".into()));

    // The gateway was asked and took nothing; the one charge is the story's own.
    let charges = orders(served.data.path(), "northgate");
    let amounts: Vec<i64> = charges.iter().map(|order| order["what"]["amount"].as_i64().unwrap()).collect();
    assert_eq!(amounts.iter().filter(|amount| **amount > 0).count(), 1, "{amounts:?}");
    assert_eq!(amounts.last(), Some(&0));
    for canary in [CARD, "5555 5555 5555 4444", "\"737\"", "cvc=737"] {
        assert_eq!(served.find(canary), [""; 0], "{canary}");
    }
}
