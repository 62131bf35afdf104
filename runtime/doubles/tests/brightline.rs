//! Brightline, asked over HTTP as its clients ask.

mod support;

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use selvedge_doubles::{RunningDouble, brightline};
use serde_json::{Value, json};
use support::{API_KEY, Answer, CONTROL, NOW, Receiver, ask, client, command, config, hmac, ledger, settled};
use tempfile::tempdir;

const PATIENT: &str = "+12175550142";

fn text_request(double: &RunningDouble, key: &str, body: &Value) -> RequestBuilder {
    let request = client().post(format!("{}/v2/messages", double.base_url));
    request.bearer_auth(API_KEY).header("Idempotency-Key", key).body(body.to_string())
}

fn message(key: &str) -> Value {
    json!({ "to": PATIENT, "text": "Your code is 123456", "client_ref": key })
}

async fn send(double: &RunningDouble, key: &str) -> Answer {
    ask(text_request(double, key, &message(key))).await
}

async fn find(double: &RunningDouble, key: &str) -> Value {
    let url = format!("{}/v2/messages?client_ref={key}", double.base_url);
    ask(client().get(url).bearer_auth(API_KEY)).await.json
}

async fn look_up(double: &RunningDouble, number: &str) -> Value {
    let request = client().post(format!("{}/v2/lookups", double.base_url)).bearer_auth(API_KEY);
    ask(request.body(json!({ "phone_number": number }).to_string())).await.json["data"]["sim_swap"].clone()
}

async fn handset(double: &RunningDouble, number: &str) -> Value {
    let request = client().get(format!("{}/handset/{number}", double.base_url));
    ask(request.header("X-Double-Control", CONTROL)).await.json
}

#[tokio::test]
async fn a_message_is_queued_arrives_on_the_handset_and_is_reported_with_a_signature() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = brightline(config(&dir, &receiver.url)).await.unwrap();

    let answer = send(&double, "key-1").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["data"]["status"], "queued");
    assert_eq!(answer.json["data"]["client_ref"], "key-1");
    let id = answer.json["data"]["id"].as_str().unwrap();
    assert!(id.starts_with("msg_"));

    let texts = handset(&double, "12175550142").await;
    assert_eq!(texts, json!([{ "id": id, "text": "Your code is 123456", "at": NOW }]));
    assert_eq!(handset(&double, "12175550143").await, json!([]));

    let arrived = receiver.wait(1).await;
    let (headers, body) = &arrived[0];
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!(event["type"], "message.delivered");
    assert_eq!(event["data"], json!({ "id": id, "client_ref": "key-1" }));
    let seconds = (NOW / 1_000_000).to_string();
    assert_eq!(headers["brightline-timestamp"], *seconds);
    assert_eq!(headers["brightline-signature"], *hmac(&format!("{seconds}.{body}")));
}

#[tokio::test]
async fn the_same_key_sends_once_and_another_body_under_it_is_refused() {
    let dir = tempdir().unwrap();
    let double = brightline(config(&dir, "")).await.unwrap();

    let first = send(&double, "key-1").await;
    let second = send(&double, "key-1").await;
    assert!(!first.replayed && second.replayed);
    assert_eq!(first.json, second.json);

    let mut other = message("key-1");
    other["text"] = "Something else".into();
    let refused = ask(text_request(&double, "key-1", &other)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json["errors"][0]["code"], "idempotency_mismatch");

    let seen = ledger(&double.base_url).await;
    assert_eq!((&seen["messages"], &seen["distinct_keys"], &seen["requests"]), (&1.into(), &1.into(), &3.into()));
}

#[tokio::test]
async fn what_became_of_a_key_is_told_without_number_and_text() {
    let dir = tempdir().unwrap();
    let double = brightline(config(&dir, "")).await.unwrap();
    assert_eq!(find(&double, "key-1").await, json!({ "data": [] }));
    let id = send(&double, "key-1").await.json["data"]["id"].clone();
    let found = json!({ "data": [{ "id": id, "status": "delivered", "client_ref": "key-1" }] });
    assert_eq!(find(&double, "key-1").await, found);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_status_and_nothing_is_sent() {
    let dir = tempdir().unwrap();
    let double = brightline(config(&dir, "")).await.unwrap();
    let with = |name: &str, value: Value| {
        let mut body = message("key-1");
        body[name] = value;
        text_request(&double, "key-1", &body)
    };
    let url = format!("{}/v2/messages", double.base_url);

    assert_eq!(ask(client().post(&url).body(message("key-1").to_string())).await.status, 401);
    assert_eq!(ask(client().post(&url).bearer_auth("sk_test_two").body("{}")).await.status, 401);
    assert_eq!(ask(client().post(&url).bearer_auth(API_KEY).body(message("key-1").to_string())).await.status, 400);
    assert_eq!(ask(with("to", "12175550142".into())).await.status, 400);
    assert_eq!(ask(with("to", "+1 217 555".into())).await.status, 400);
    assert_eq!(ask(with("colour", "red".into())).await.status, 400);
    assert_eq!(ask(with("text", "x".repeat(1600).into())).await.status, 200);
    assert_eq!(ask(with("text", "x".repeat(1601).into())).await.status, 413);
    let large = ask(with("text", "x".repeat(64 * 1024).into())).await;
    assert_eq!((large.status, &large.json["errors"][0]["code"]), (413, &"body_too_large".into()));
    let long_key = "k".repeat(256);
    assert_eq!(ask(text_request(&double, &long_key, &message("key-2"))).await.status, 400);
    assert_eq!(ledger(&double.base_url).await["messages"], 1);
}

#[tokio::test]
async fn the_number_decides_what_is_known_of_its_sim() {
    let dir = tempdir().unwrap();
    let double = brightline(config(&dir, "")).await.unwrap();
    assert_eq!(look_up(&double, PATIENT).await, json!({ "status": "not_swapped", "last_changed": "2021-03-02" }));
    let swapped = json!({ "status": "swapped", "last_changed": "2026-02-27" });
    assert_eq!(look_up(&double, "+12175550199").await, swapped);
    assert_eq!(look_up(&double, "+12175550198").await, json!({ "status": "unavailable" }));
}

#[tokio::test]
async fn the_control_surface_wants_its_token() {
    let dir = tempdir().unwrap();
    let double = brightline(config(&dir, "")).await.unwrap();
    for path in ["/control/ledger", "/handset/12175550142"] {
        let url = format!("{}{path}", double.base_url);
        assert_eq!(ask(client().get(&url)).await.status, 401, "{path}");
        assert_eq!(ask(client().get(&url).bearer_auth(API_KEY)).await.status, 401, "{path}");
    }
    assert_eq!(ask(client().post(format!("{}/control/fault", double.base_url))).await.status, 401);
    assert_eq!(command(&double.base_url, r#"{"on":"charges","kind":"fail"}"#).await, 400);
    assert_eq!(command(&double.base_url, r#"{"on":"messages","kind":"explode"}"#).await, 400);
}

#[tokio::test]
async fn a_timeout_does_the_work_and_keeps_the_answer_to_itself() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = brightline(config(&dir, &receiver.url)).await.unwrap();
    assert_eq!(command(&double.base_url, r#"{"on":"messages","kind":"timeout"}"#).await, 204);

    let impatient = text_request(&double, "key-1", &message("key-1")).timeout(Duration::from_millis(200));
    assert!(impatient.send().await.unwrap_err().is_timeout());

    assert_eq!(receiver.wait(1).await.len(), 1, "the webhook tells what the answer did not");
    assert_eq!(find(&double, "key-1").await["data"].as_array().unwrap().len(), 1);
    assert!(send(&double, "key-1").await.replayed);
    assert_eq!(ledger(&double.base_url).await["messages"], 1);
}

#[tokio::test]
async fn a_failure_does_nothing() {
    let dir = tempdir().unwrap();
    let double = brightline(config(&dir, "")).await.unwrap();
    command(&double.base_url, r#"{"on":"messages","kind":"fail","times":2}"#).await;
    assert_eq!(send(&double, "key-1").await.status, 503);
    assert_eq!(send(&double, "key-1").await.status, 503);
    assert_eq!(ledger(&double.base_url).await["messages"], 0);
    let third = send(&double, "key-1").await;
    assert_eq!((third.status, third.replayed), (200, false));
}

#[tokio::test]
async fn twice_is_the_same_event_two_times() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = brightline(config(&dir, &receiver.url)).await.unwrap();
    command(&double.base_url, r#"{"on":"messages","kind":"twice"}"#).await;
    send(&double, "key-1").await;
    let arrived = receiver.wait(2).await;
    assert_eq!(arrived.len(), 2);
    assert_eq!(arrived[0].1, arrived[1].1);
    assert_eq!(handset(&double, "12175550142").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_customer_texts_back_and_the_client_is_told_with_a_signature_until_it_listens() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(1).await;
    let double = brightline(config(&dir, &receiver.url)).await.unwrap();
    let phone = client().post(format!("{}/handset/12175550142", double.base_url));
    let strange = phone.try_clone().unwrap().body(r#"{"text":"STOP"}"#);
    assert_eq!(ask(strange).await.status, 401, "only the story moves the phone");

    let answer = ask(phone.header("X-Double-Control", CONTROL).body(r#"{"text":"STOP","times":2}"#)).await;
    assert_eq!(answer.status, 200);
    let arrived = receiver.wait(3).await;
    assert_eq!(arrived.len(), 3, "one refused, then told twice");
    let (headers, body) = &arrived[1];
    assert_eq!(headers["brightline-signature"], hmac(&format!("{}.{body}", NOW / 1_000_000)));
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&"message.received".into(), &answer.json["event"]));
    assert_eq!((&event["data"]["from"], &event["data"]["text"]), (&PATIENT.into(), &"STOP".into()));
    assert_eq!(arrived[1].1, arrived[2].1);
    assert_eq!(ledger(&double.base_url).await["messages"], 0, "it is no order of the client's");
}

#[tokio::test]
async fn late_delays_the_answer_and_the_webhook() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let double = brightline(config(&dir, &receiver.url)).await.unwrap();
    command(&double.base_url, r#"{"on":"messages","kind":"late","delay_ms":300}"#).await;
    let begun = Instant::now();
    assert_eq!(send(&double, "key-1").await.status, 200);
    receiver.wait(1).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_receiver_that_is_down_gets_its_webhook_when_it_is_back() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(2).await;
    let double = brightline(config(&dir, &receiver.url)).await.unwrap();
    send(&double, "key-1").await;
    let arrived = receiver.wait(3).await;
    assert_eq!(arrived.len(), 3, "two refused, the third acknowledged");
    settled(&double.base_url).await;

    let nowhere = brightline(config(&tempdir().unwrap(), "http://127.0.0.1:9/hook")).await.unwrap();
    send(&nowhere, "key-2").await;
    nowhere.set_webhook_url(&receiver.url);
    assert!(receiver.wait(4).await[3].1.contains("key-2"));
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_repeats_what_nobody_acknowledged() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(0).await;
    let before = brightline(config(&dir, &receiver.url)).await.unwrap();
    let told = send(&before, "key-1").await;
    settled(&before.base_url).await;
    before.set_webhook_url("");
    send(&before, "key-2").await;
    before.stop().await;

    let after = brightline(config(&dir, &receiver.url)).await.unwrap();
    let replay = send(&after, "key-1").await;
    assert!(replay.replayed);
    assert_eq!(replay.json, told.json);
    assert_eq!(handset(&after, "12175550142").await.as_array().unwrap().len(), 2);
    let arrived = receiver.wait(2).await;
    settled(&after.base_url).await;
    assert_eq!(arrived.len(), 2);
    assert!(arrived[0].1.contains("key-1") && arrived[1].1.contains("key-2"));
}
