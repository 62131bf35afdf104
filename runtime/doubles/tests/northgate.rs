//! Northgate, asked over HTTP as its clients ask.

mod support;

use std::time::Duration;

use reqwest::RequestBuilder;
use selvedge_doubles::{RunningDouble, northgate};
use serde_json::{Value, json};
use support::{API_KEY, Answer, NOW, Receiver, ask, client, command, config, hmac, ledger, settled};
use tempfile::tempdir;

const GOOD: &str = "4242424242424242";
const DECLINED: &str = "4000000000000002";

/// The form of a charge; a later pair replaces an earlier one, and an empty value takes the field away.
fn charge_request(double: &RunningDouble, key: &str, changes: &[(&str, &str)]) -> RequestBuilder {
    let mut fields = vec![
        ("amount", "4167"),
        ("currency", "USD"),
        ("card[number]", GOOD),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2030"),
        ("card[cvc]", "737"),
        ("reference", key),
    ];
    for (name, value) in changes {
        fields.retain(|(field, _)| field != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    let encode = |text: &str| text.replace('[', "%5B").replace(']', "%5D");
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={value}", encode(name))).collect();
    client()
        .post(format!("{}/v1/charges", double.base_url))
        .bearer_auth(API_KEY)
        .header("Idempotency-Key", key)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(pairs.join("&"))
}

async fn charge(double: &RunningDouble, key: &str, changes: &[(&str, &str)]) -> Answer {
    ask(charge_request(double, key, changes)).await
}

async fn find(double: &RunningDouble, key: &str) -> Value {
    let url = format!("{}/v1/charges?reference={key}", double.base_url);
    ask(client().get(url).bearer_auth(API_KEY)).await.json
}

#[tokio::test]
async fn a_good_card_is_charged_found_by_its_reference_and_reported_with_a_signature() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = northgate(config(&dir, &receiver.url)).await.unwrap();

    let answer = charge(&double, "key-1", &[]).await;
    let id = answer.json["id"].clone();
    assert!(id.as_str().unwrap().starts_with("ch_"));
    let charge = json!({
        "id": id, "object": "charge", "status": "succeeded", "amount": 4167, "currency": "usd",
        "reference": "key-1", "card": { "brand": "visa", "last4": "4242" },
    });
    assert_eq!((answer.status, &answer.json), (200, &charge));
    assert_eq!(find(&double, "key-1").await, json!({ "object": "list", "data": [charge] }));
    assert_eq!(find(&double, "key-2").await, json!({ "object": "list", "data": [] }));

    let (headers, body) = &receiver.wait(1).await[0];
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&event["type"], &event["data"]), (&"charge.succeeded".into(), &charge));
    let seconds = NOW / 1_000_000;
    let signature = format!("t={seconds},v1={}", hmac(&format!("{seconds}.{body}")));
    assert_eq!(headers["northgate-signature"], *signature);
}

async fn refund(double: &RunningDouble, key: &str, charge: &str) -> Answer {
    let url = format!("{}/v1/refunds", double.base_url);
    let form = "application/x-www-form-urlencoded";
    let request = client().post(url).bearer_auth(API_KEY).header("Idempotency-Key", key).header("content-type", form);
    ask(request.body(format!("charge={charge}"))).await
}

#[tokio::test]
async fn a_charge_is_given_back_whole_and_once() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = northgate(config(&dir, &receiver.url)).await.unwrap();
    let charged = charge(&double, "key-1", &[]).await.json["id"].as_str().unwrap().to_owned();
    let declined = charge(&double, "key-2", &[("card[number]", DECLINED)]).await;
    assert_eq!(declined.status, 402);

    let first = refund(&double, "undo-1", &charged).await;
    let id = first.json["id"].clone();
    assert!(id.as_str().unwrap().starts_with("re_"));
    let shown = json!({
        "id": id, "object": "refund", "status": "succeeded", "amount": 4167, "currency": "usd", "charge": charged,
    });
    assert_eq!((first.status, &first.json, first.replayed), (200, &shown, false));
    let again = refund(&double, "undo-1", &charged).await;
    assert_eq!((again.status, again.json, again.replayed), (200, shown, true));

    let code = |answer: Answer| (answer.status, answer.json["error"]["code"].as_str().unwrap().to_owned());
    assert_eq!(code(refund(&double, "undo-2", &charged).await), (400, "charge_already_refunded".into()));
    assert_eq!(code(refund(&double, "undo-1", "ch_other").await), (422, "idempotency_mismatch".into()));
    assert_eq!(code(refund(&double, "key-1", &charged).await), (422, "idempotency_mismatch".into()), "a charge's key");
    for nothing in ["ch_other", id.as_str().unwrap(), ""] {
        assert_eq!(code(refund(&double, "undo-3", nothing).await), (404, "charge_not_found".into()), "{nothing}");
    }
    assert_eq!(command(&double.base_url, r#"{"on":"refunds","kind":"fail"}"#).await, 204);
    assert_eq!(code(refund(&double, "undo-4", &charged).await), (503, "unavailable".into()));

    let books = ledger(&double.base_url).await;
    assert_eq!((&books["charges"], &books["declined"], &books["refunds"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(find(&double, "key-1").await["data"].as_array().unwrap().len(), 1, "a refund is no charge");
    let heard = receiver.wait(3).await;
    assert!(heard.iter().any(|(_, body)| body.contains("refund.succeeded")), "{heard:?}");
}

#[tokio::test]
async fn a_card_that_is_not_charged_is_402_with_the_reason_and_the_same_on_a_replay() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = northgate(config(&dir, &receiver.url)).await.unwrap();
    let cases = [
        ("card[number]", DECLINED, "card_declined"),
        ("card[number]", "4242424242424241", "incorrect_number"),
        ("card[number]", "4242", "incorrect_number"),
        ("card[cvc]", "", "incorrect_cvc"),
        ("card[cvc]", "12x", "incorrect_cvc"),
        ("card[exp_year]", "2025", "expired_card"),
    ];
    for (index, (field, value, code)) in cases.iter().enumerate() {
        let key = format!("key-{index}");
        let first = charge(&double, &key, &[(field, value)]).await;
        assert_eq!((first.status, &first.json["error"]["code"]), (402, &(*code).into()));
        assert_eq!(first.json["error"]["type"], "card_error");
        let again = charge(&double, &key, &[(field, value)]).await;
        assert!(again.replayed);
        assert_eq!((again.status, again.json), (402, first.json));
        assert_eq!(find(&double, &key).await["data"][0]["failure_code"], *code);
    }
    for (_, body) in receiver.wait(cases.len()).await {
        assert!(body.contains("charge.failed"), "{body}");
    }
    let seen = ledger(&double.base_url).await;
    assert_eq!((&seen["charges"], &seen["declined"]), (&0.into(), &cases.len().into()));
}

#[tokio::test]
async fn a_card_that_was_good_once_is_charged_without_its_code_while_it_is_stored() {
    let dir = tempdir().unwrap();
    let double = northgate(config(&dir, "")).await.unwrap();
    let stored = [("card[cvc]", ""), ("stored", "true")];
    let early = charge(&double, "key-1", &stored).await;
    assert_eq!((early.status, &early.json["error"]["code"]), (402, &"not_on_file".into()));

    let asked = charge(&double, "key-2", &[("amount", "0")]).await;
    assert_eq!((asked.status, &asked.json["status"]), (200, &"succeeded".into()));
    assert_eq!(ledger(&double.base_url).await["charges"], 0, "nothing was taken");

    assert_eq!(charge(&double, "key-3", &stored).await.status, 200);
    let another = charge(&double, "key-4", &[stored[0], stored[1], ("card[number]", "5555555555554444")]).await;
    assert_eq!((another.status, &another.json["error"]["code"]), (402, &"not_on_file".into()));
    assert_eq!(ledger(&double.base_url).await["charges"], 1);
}

#[tokio::test]
async fn the_same_key_charges_once_even_when_the_security_code_is_gone() {
    let dir = tempdir().unwrap();
    let double = northgate(config(&dir, "")).await.unwrap();
    let first = charge(&double, "key-1", &[]).await;
    let second = charge(&double, "key-1", &[("card[cvc]", "")]).await;
    assert!(second.replayed);
    assert_eq!((second.status, second.json), (200, first.json));

    for change in [("amount", "4168"), ("card[number]", "5555555555554444"), ("card[exp_month]", "11")] {
        let refused = charge(&double, "key-1", &[change]).await;
        assert_eq!((refused.status, &refused.json["error"]["type"]), (422, &"idempotency_error".into()));
    }
    let seen = ledger(&double.base_url).await;
    assert_eq!((&seen["charges"], &seen["distinct_keys"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn a_request_that_is_not_well_formed_charges_nothing_and_leaves_the_key_free() {
    let dir = tempdir().unwrap();
    let double = northgate(config(&dir, "")).await.unwrap();
    let wrong = [
        ("amount", "-1"),
        ("amount", "100000000"),
        ("amount", "41.67"),
        ("currency", "dollars"),
        ("reference", ""),
        ("card[exp_month]", "13"),
        ("card[exp_year]", "30000"),
        ("colour", "red"),
    ];
    for change in wrong {
        let answer = charge(&double, "key-1", &[change]).await;
        assert_eq!(
            (answer.status, &answer.json["error"]["type"]),
            (400, &"invalid_request_error".into()),
            "{change:?}"
        );
    }
    let url = format!("{}/v1/charges", double.base_url);
    assert_eq!(ask(client().post(&url).bearer_auth("sk_test_two")).await.status, 401);
    assert_eq!(ask(client().post(&url)).await.status, 401);
    let large = "9".repeat(64 * 1024);
    assert_eq!(charge(&double, "key-1", &[("amount", &large)]).await.status, 413);
    assert_eq!(ledger(&double.base_url).await["distinct_keys"], 0);
    assert_eq!(charge(&double, "key-1", &[]).await.status, 200);
}

#[tokio::test]
async fn a_late_charge_is_in_flight_until_it_is_answered() {
    let dir = tempdir().unwrap();
    let double = northgate(config(&dir, "")).await.unwrap();
    command(&double.base_url, r#"{"on":"charges","kind":"late","delay_ms":500}"#).await;
    let first = tokio::spawn(charge_request(&double, "key-1", &[]).send());
    tokio::time::sleep(Duration::from_millis(200)).await;

    let meanwhile = charge(&double, "key-1", &[]).await;
    assert_eq!((meanwhile.status, &meanwhile.json["error"]["type"]), (409, &"idempotency_error".into()));
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert!(charge(&double, "key-1", &[]).await.replayed);
}

#[tokio::test]
async fn a_timeout_takes_the_money_once_and_a_restart_still_knows() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let before = northgate(config(&dir, "")).await.unwrap();
    command(&before.base_url, r#"{"on":"charges","kind":"timeout"}"#).await;
    let impatient = charge_request(&before, "key-1", &[]).timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    assert!(charge(&before, "key-1", &[]).await.replayed, "the work is over, so this is no race");
    drop(before);

    let after = northgate(config(&dir, &receiver.url)).await.unwrap();
    assert_eq!(find(&after, "key-1").await["data"][0]["status"], "succeeded");
    assert!(charge(&after, "key-1", &[]).await.replayed);
    assert!(receiver.wait(1).await[0].1.contains("charge.succeeded"));
    assert_eq!(settled(&after.base_url).await["charges"], 1);
}

#[tokio::test]
async fn a_failure_takes_no_money() {
    let dir = tempdir().unwrap();
    let double = northgate(config(&dir, "")).await.unwrap();
    command(&double.base_url, r#"{"on":"charges","kind":"fail"}"#).await;
    assert_eq!(charge(&double, "key-1", &[]).await.status, 503);
    assert_eq!(ledger(&double.base_url).await["charges"], 0);
    assert!(!charge(&double, "key-1", &[]).await.replayed);
}

#[tokio::test]
async fn neither_the_card_number_nor_the_security_code_reaches_the_disk() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = northgate(config(&dir, &receiver.url)).await.unwrap();
    charge(&double, "key-1", &[("card[cvc]", "7391")]).await;
    charge(&double, "key-2", &[("card[number]", "424242424242424")]).await;
    receiver.wait(2).await;
    let disk = std::fs::read_to_string(dir.path().join("vendor/northgate.jsonl")).unwrap();
    assert!(disk.contains("\"last4\":\"4242\"") && disk.lines().count() >= 2);
    for secret in [GOOD, "424242424242424", "7391"] {
        assert!(!disk.contains(secret), "{disk}");
    }
}
