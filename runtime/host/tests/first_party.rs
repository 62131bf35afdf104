//! The three connectors of this repository, as real components, against the vendors' doubles over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{call, connections, field, first_party, mobile, text};
use secrecy::{ExposeSecret, SecretString};
use selvedge_doubles::{DoubleConfig, RunningDouble};
use selvedge_engine::ports::{
    CardFields, Charged, Connectors, Failure, Finding, News, ReportStatus, Webhook, WebhookFault,
};
use selvedge_host::{Host, HostConfig, Registry};

const NOW: i64 = 1_767_225_600_000_000;

/// The first-party connectors.
const ALL: [&str; 4] = ["brightline-sms", "brightline-sim", "northgate-cards", "northgate-refunds"];

struct World {
    registry: Registry,
    brightline: RunningDouble,
    northgate: RunningDouble,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let config = |name: &str| DoubleConfig {
        dir: folder.path().join(name),
        webhook_url: String::new(),
        api_key: "sk_test_0123456789".into(),
        webhook_secret: "whsec_0123456789".into(),
        control_token: "control".into(),
        port: 0,
        now: Arc::new(|| NOW),
    };
    let brightline = selvedge_doubles::brightline(config("brightline")).await.unwrap();
    let northgate = selvedge_doubles::northgate(config("northgate")).await.unwrap();
    let connections = connections(&[("brightline", &brightline.base_url), ("northgate", &northgate.base_url)]);
    let mut registry = Registry::new(Host::new(HostConfig { deadline: Duration::from_secs(5) }).unwrap());
    for name in ALL {
        let connector = registry.host().load(first_party(name), &connections).unwrap();
        registry.add(connector).unwrap();
    }
    World { registry, brightline, northgate, _folder: folder }
}

fn card(number: &str) -> CardFields {
    CardFields {
        number: field("card.number", "PAN", number),
        expiry_month: field("card.expiry-month", "PAN", "12"),
        expiry_year: field("card.expiry-year", "PAN", "2031"),
        code: Some(field("card.code", "SAD", "123")),
    }
}

#[tokio::test]
async fn a_text_is_sent_once_for_a_key_and_found_by_it() {
    let world = world().await;
    let call = call(&world.registry, "brightline-sms", "code", "int_1:code:1");
    let sent = world.registry.send(&call, mobile(), text()).await;
    let reference = sent.result.unwrap();
    assert!(reference.starts_with("msg_"), "{reference}");
    let used: Vec<_> = sent.accesses.iter().map(|a| (a.field.as_str(), a.how.as_str(), a.place.as_str())).collect();
    assert_eq!(
        used,
        [
            ("patient.mobile", "egress", "brightline POST /v2/messages /to"),
            ("message.text", "egress", "brightline POST /v2/messages /text"),
        ]
    );
    assert!(sent.refusals.is_empty());

    let again = world.registry.send(&call, mobile(), text()).await;
    assert_eq!(again.result.unwrap(), reference);

    let found = world.registry.lookup(&call).await.result.unwrap().unwrap();
    assert_eq!((found.reference, found.status), (reference, ReportStatus::Succeeded));
    assert_eq!(found.idempotency_key, "int_1:code:1");

    let never = common::call(&world.registry, "brightline-sms", "code", "int_1:code:2");
    assert_eq!(world.registry.lookup(&never).await.result, Ok(None));
}

#[tokio::test]
async fn a_number_that_no_phone_has_is_refused_for_good() {
    let world = world().await;
    let call = call(&world.registry, "brightline-sms", "code", "k");
    let sent = world.registry.send(&call, field("patient.mobile", "PII", "not a number"), text()).await;
    assert_eq!(sent.result, Err(Failure::Permanent("HTTP 400".into())));
}

#[tokio::test]
async fn a_changed_sim_raises_risk_and_a_silent_carrier_is_not_clear() {
    let world = world().await;
    let call = call(&world.registry, "brightline-sim", "risk", "k");
    for (number, finding) in
        [("+12175550142", Finding::Clear), ("+12175550199", Finding::Raised), ("+12175550198", Finding::Missing)]
    {
        let signal = world.registry.check(&call, field("patient.mobile", "PII", number)).await.result.unwrap();
        assert_eq!((signal.name.as_str(), signal.finding), ("sim-swap", finding), "{number}");
    }
}

#[tokio::test]
async fn a_card_is_charged_once_and_its_parts_are_accounted_for() {
    let world = world().await;
    let call = call(&world.registry, "northgate-cards", "pay", "int_1:pay:1");
    let paid = world.registry.charge(&call, 12_500, "USD", card("4242424242424242")).await;
    let Ok(Charged::Paid(reference)) = paid.result else { panic!("{:?}", paid.result) };
    let places: Vec<_> = paid.accesses.iter().map(|a| format!("{} {}", a.field, a.place)).collect();
    assert_eq!(
        places,
        [
            "card.number northgate POST /v1/charges card[number]",
            "card.expiry-month northgate POST /v1/charges card[exp_month]",
            "card.expiry-year northgate POST /v1/charges card[exp_year]",
            "card.code northgate POST /v1/charges card[cvc]",
        ]
    );
    let again = world.registry.charge(&call, 12_500, "USD", card("4242424242424242")).await;
    assert_eq!(again.result, Ok(Charged::Paid(reference.clone())));
    let found = world.registry.lookup(&call).await.result.unwrap().unwrap();
    assert_eq!((found.reference, found.status), (reference, ReportStatus::Succeeded));
}

#[tokio::test]
async fn a_declined_card_is_an_answer_and_no_failure() {
    let world = world().await;
    let call = call(&world.registry, "northgate-cards", "pay", "int_1:pay:2");
    let declined = world.registry.charge(&call, 12_500, "USD", card("4000000000000002")).await.result;
    let Ok(Charged::Declined(why)) = declined else { panic!("{declined:?}") };
    assert!(why.contains("declined"), "{why}");
    let found = world.registry.lookup(&call).await.result.unwrap().unwrap();
    assert_eq!((found.status, found.detail), (ReportStatus::Failed, why));
}

#[tokio::test]
async fn a_charge_is_given_back_once_by_a_connector_that_sees_no_card() {
    let world = world().await;
    let pay = call(&world.registry, "northgate-cards", "pay", "int_1:pay:1");
    let paid = world.registry.charge(&pay, 12_500, "USD", card("4242424242424242")).await.result;
    let Ok(Charged::Paid(reference)) = paid else { panic!("{paid:?}") };
    let payment = || vec![("payment".to_owned(), field("payment.reference", "PII", &reference))];
    let undo = call(&world.registry, "northgate-refunds", "pay", "int_1:pay:undo:1");
    let refunded = world.registry.perform(&undo, "refund", payment()).await;
    let refund = refunded.result.unwrap();
    assert!(refund.starts_with("re_"), "{refund}");
    let places: Vec<_> = refunded.accesses.iter().map(|a| format!("{} {}", a.field, a.place)).collect();
    assert_eq!(places, ["payment.reference northgate POST /v1/refunds charge"]);
    let again = world.registry.perform(&undo, "refund", payment()).await;
    assert_eq!(again.result, Ok(refund), "asked again under its key, the vendor answers the same");

    let other = call(&world.registry, "northgate-refunds", "pay", "int_1:pay:undo:2");
    let twice = world.registry.perform(&other, "refund", payment()).await;
    assert_eq!(twice.result, Err(Failure::Permanent("HTTP 400".into())), "the money is back already");
    let nothing = world.registry.perform(&other, "refund", Vec::new()).await;
    assert!(matches!(nothing.result, Err(Failure::Permanent(_))), "{:?}", nothing.result);
    let whose = vec![("payment".to_owned(), field("payment.reference", "PII", "ch_of_nobody"))];
    let unknown = world.registry.perform(&other, "refund", whose).await;
    assert_eq!(unknown.result, Err(Failure::Permanent("HTTP 404".into())));
}

#[tokio::test]
async fn a_vendor_that_is_not_there_certainly_did_nothing() {
    let World { registry, brightline, northgate, _folder } = world().await;
    brightline.stop().await;
    northgate.stop().await;
    let call = common::call(&registry, "brightline-sms", "code", "k");
    let sent = registry.send(&call, mobile(), text()).await;
    assert!(matches!(sent.result, Err(Failure::Retry(_))), "{:?}", sent.result);
    assert!(sent.accesses.is_empty(), "nothing left: {:?}", sent.accesses);
}

#[tokio::test]
async fn a_run_gets_the_digest_that_it_pinned_or_nothing() {
    let world = world().await;
    let mut call = call(&world.registry, "brightline-sms", "code", "k");
    assert_eq!(world.registry.digests()["brightline-sms"], call.digest);
    call.digest = format!("sha256:{}", "0".repeat(64));
    let sent = world.registry.send(&call, mobile(), text()).await;
    assert!(matches!(sent.result, Err(Failure::Denied(_))), "{:?}", sent.result);
    assert!(sent.refusals[0].missing.contains(&call.digest), "{:?}", sent.refusals);

    call.connector = "brightline-fax".into();
    let sent = world.registry.send(&call, mobile(), text()).await;
    assert!(matches!(sent.result, Err(Failure::Denied(_))), "{:?}", sent.result);
}

#[tokio::test]
async fn a_connector_has_the_functions_of_its_kind_only() {
    let world = world().await;
    let call = call(&world.registry, "brightline-sim", "code", "k");
    let sent = world.registry.send(&call, mobile(), text()).await;
    assert!(matches!(sent.result, Err(Failure::Denied(_))), "{:?}", sent.result);
}

#[tokio::test]
async fn signed_news_reaches_the_connector_and_forged_news_does_not() {
    let world = world().await;
    let heard: common::Heard<Webhook> = Arc::new(Mutex::new(Vec::new()));
    let url = listen(Arc::clone(&heard)).await;
    world.brightline.set_webhook_url(&format!("{url}/brightline"));
    world.northgate.set_webhook_url(&format!("{url}/northgate"));
    let send = call(&world.registry, "brightline-sms", "code", "int_1:code:1");
    let reference = world.registry.send(&send, mobile(), text()).await.result.unwrap();
    let pay = call(&world.registry, "northgate-cards", "pay", "int_1:pay:1");
    world.registry.charge(&pay, 12_500, "USD", card("4242424242424242")).await.result.unwrap();
    let webhooks = wait_for(&heard, 2).await;

    for webhook in &webhooks {
        let news = world.registry.receive(webhook.clone(), NOW).await.unwrap();
        let [News::Report(report)] = &news[..] else { panic!("{news:?}") };
        assert_eq!(report.status, ReportStatus::Succeeded);
        if webhook.connection == "brightline" {
            assert_eq!((&report.reference, report.detail.as_str()), (&reference, "delivered"));
            assert_eq!(report.idempotency_key, "int_1:code:1");
        } else {
            assert_eq!(report.idempotency_key, "int_1:pay:1");
        }

        let mut forged = webhook.clone();
        forged.body[10] ^= 1;
        let late = NOW + 301 * 1_000_000;
        for (webhook, now) in [(forged, NOW), (webhook.clone(), late)] {
            let answer = world.registry.receive(webhook, now).await;
            assert!(matches!(answer, Err(WebhookFault::BadSignature(_))), "{answer:?}");
        }
    }
    let stray = Webhook { connection: "nobody".into(), ..webhooks[0].clone() };
    let answer = world.registry.receive(stray, NOW).await;
    assert!(matches!(answer, Err(WebhookFault::NoSuchConnection)), "{answer:?}");
}

#[tokio::test]
async fn what_a_customer_writes_reaches_the_engine_and_no_connector() {
    let world = world().await;
    let heard: common::Heard<Webhook> = Arc::new(Mutex::new(Vec::new()));
    let url = listen(Arc::clone(&heard)).await;
    world.brightline.set_webhook_url(&format!("{url}/brightline"));
    let phone = format!("{}/handset/12175550142", world.brightline.base_url);
    let text = r#"{"text":"please quit texting me","times":2}"#;
    let sent = reqwest::Client::new().post(phone).header("x-double-control", "control").body(text).send().await;
    assert!(sent.unwrap().status().is_success());

    let webhooks = wait_for(&heard, 2).await;
    let mut events = Vec::new();
    for webhook in webhooks {
        let news = world.registry.receive(webhook, NOW).await.unwrap();
        let [News::Received(received)] = &news[..] else { panic!("{news:?}") };
        let text = |value: &Option<SecretString>| value.as_ref().map(|v| v.expose_secret().to_owned());
        assert_eq!(text(&received.sender).as_deref(), Some("+12175550142"));
        assert_eq!(text(&received.words).as_deref(), Some("please quit texting me"));
        assert_eq!(received.channel, "sms");
        events.push(received.event_id.clone());
    }
    assert!(events[0].starts_with("evt_") && events[0] == events[1], "told twice, one event: {events:?}");
}

#[tokio::test]
async fn loading_all_of_them_takes_well_below_a_second() {
    drop(world().await);
    let began = Instant::now();
    let host = Host::new(HostConfig::default()).unwrap();
    let connections =
        connections(&[("brightline", "http://127.0.0.1:9"), ("northgate", "https://api.northgate.example")]);
    for name in ALL {
        host.load(first_party(name), &connections).unwrap();
    }
    let took = began.elapsed();
    eprintln!("four connectors loaded in {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn the_facts_say_what_an_admin_must_know() {
    let world = world().await;
    let facts = world.registry.get("brightline-sms").unwrap().facts();
    let imports: Vec<_> = facts.component_imports.iter().filter(|name| !name.contains("/types@")).collect();
    assert!(imports.iter().all(|name| name.starts_with("selvedge:connector/")), "{imports:?}");
    assert!(!imports.iter().any(|name| name.contains("reveal")), "{imports:?}");
    assert_eq!(facts.sends[0].host, "127.0.0.1");
    assert!(facts.fields.iter().all(|field| field.granted && !field.why.is_empty()));
    let checker = world.registry.get("northgate-cards").unwrap().connector_facts();
    assert_eq!(checker.effects["charge"], "reconcile");
    assert_eq!(checker.grant_file, "workflows/grants/northgate-cards.yaml");
}

/// Keeps what arrives at `/<connection>`.
async fn listen(heard: common::Heard<Webhook>) -> String {
    use axum::body::Bytes;
    use axum::extract::Path;
    use axum::http::HeaderMap;
    use axum::routing::post;
    let keep = move |Path(connection): Path<String>, headers: HeaderMap, body: Bytes| async move {
        let headers =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        heard.lock().unwrap().push(Webhook { connection, headers, body: body.to_vec() });
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/{connection}", post(keep));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn wait_for<T: Clone>(heard: &common::Heard<T>, count: usize) -> Vec<T> {
    for _ in 0..500 {
        if heard.lock().unwrap().len() >= count {
            return heard.lock().unwrap().clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("only {} of {count} arrived", heard.lock().unwrap().len());
}
