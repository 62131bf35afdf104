//! Connectors that try what they were not granted. Each refusal is paired with the grant that would have allowed it, or
//! with proof that nothing arrived.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use common::{MISCHIEF, call, connections, field, mobile, text};
use selvedge_engine::ports::{Connectors, Failure, News, Observed, Webhook};
use selvedge_host::{Connector, Host, HostConfig, LoadError, MAX_COMPUTING, Package, Registry};

const GRANT: &str = r#"connector: probe
by: "An admin"
reason: "To see what it does"
imports:
  - egress
fields: [patient.mobile, message.text]
purposes: [billing]
connections:
  vendor:
    - { method: POST, path: /messages, slots: { /to: [patient.mobile], /text: [message.text] } }
    - { method: GET, path: "/find?ref=*" }
"#;

const MANIFEST: &str = r#"connector: probe
version: "1"
vendor: Nobody
kind: channel
about: "Tries things"
effects: { send: never-retry, lookup: pure }
imports: { egress: "to send", reveal: "to look" }
fields:
  patient.mobile: "where it goes"
  message.text: "what goes"
connections:
  vendor:
    - { method: POST, path: /messages, slots: { /to: [patient.mobile], /text: [message.text], /note: [message.text] } }
    - { method: POST, path: /elsewhere, slots: { /to: [patient.mobile] } }
    - { method: GET, path: "/find?ref=*" }
webhooks:
  connection: vendor
  scheme: timestamped-hmac
  signature: x-signature
  timestamp: x-timestamp
  messages: { channel: sms, sender: /from, words: /text }
vetting: { production-access: "nobody", support-sessions: "none", logs: "nowhere", patches: "nobody" }
"#;

/// What a server heard: method, path and body.
type Requests = common::Heard<(String, String)>;

struct World {
    registry: Registry,
    vendor: Requests,
    sink: Requests,
}

fn package(component: &str, grant: &str, manifest: &str) -> Package {
    Package {
        wasm: MISCHIEF[component].clone(),
        manifest: (format!("plugins/{component}/connector.yaml"), manifest.replace("probe", component)),
        grant: (format!("workflows/grants/{component}.yaml"), grant.replace("probe", component)),
    }
}

async fn world_with(component: &str, grant: &str, deadline: Duration) -> World {
    let (vendor, sink) = (Requests::default(), Requests::default());
    let sink_url = serve(Arc::clone(&sink), String::new()).await;
    let vendor_url = serve(Arc::clone(&vendor), sink_url.clone()).await;
    let mut registry = Registry::new(Host::new(HostConfig { deadline }).unwrap());
    let connections = connections(&[("vendor", &vendor_url), ("sink", &sink_url)]);
    let connector = registry.host().load(package(component, grant, MANIFEST), &connections).unwrap();
    registry.add(connector).unwrap();
    World { registry, vendor, sink }
}

async fn world() -> World {
    world_with("probe", GRANT, Duration::from_secs(5)).await
}

impl World {
    async fn try_it(&self, step: &str) -> Observed<String> {
        self.try_with(step, "key-1").await
    }

    async fn try_with(&self, step: &str, key: &str) -> Observed<String> {
        let name = self.registry.digests().into_keys().next().unwrap();
        self.registry.send(&call(&self.registry, &name, step, key), mobile(), text()).await
    }

    fn heard(&self) -> usize {
        self.vendor.lock().unwrap().len() + self.sink.lock().unwrap().len()
    }

    /// Nothing left, the connector was told so, and the record gets the line that would have allowed it.
    async fn is_denied(&self, step: &str, missing: &str) {
        self.is_denied_with(step, "key-1", missing).await;
    }

    async fn is_denied_with(&self, step: &str, key: &str, missing: &str) {
        let tried = self.try_with(step, key).await;
        assert!(matches!(&tried.result, Err(Failure::Denied(_))), "{step}: {:?}", tried.result);
        assert_eq!(tried.refusals.len(), 1, "{step}");
        assert_eq!(tried.refusals[0].missing, missing, "{step}");
        assert!(tried.accesses.is_empty(), "{step}: {:?}", tried.accesses);
        assert_eq!(self.heard(), 0, "{step}: something arrived");
        let said = format!("{:?} {:?}", tried.result, tried.refusals);
        assert!(!said.contains("5550142") && !said.contains("481516"), "{step}: {said}");
    }
}

/// A vendor that keeps what it gets and answers by `ref`; where it redirects to is `elsewhere`.
async fn serve(heard: Requests, elsewhere: String) -> String {
    let answer = move |method: Method, uri: Uri, body: Bytes| async move {
        let body = String::from_utf8_lossy(&body).into_owned();
        heard.lock().unwrap().push((format!("{method} {uri}"), body.clone()));
        match uri.query().unwrap_or_default() {
            "ref=redirect" => Redirect::temporary(&format!("{elsewhere}/stolen")).into_response(),
            "ref=big" => "x".repeat(70 << 10).into_response(),
            "ref=stall" => std::future::pending().await,
            _ => (StatusCode::OK, [("content-type", "application/json")], body).into_response() as Response,
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}

fn load(component: &str, grant: &str, manifest: &str) -> Result<Arc<Connector>, LoadError> {
    let host = Host::new(HostConfig::default()).unwrap();
    host.load(package(component, grant, manifest), &connections(&[("vendor", "http://127.0.0.1:9")]))
}

fn in_full(error: LoadError) -> String {
    let help = miette::Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
    let code = miette::Diagnostic::code(&error).map(|code| code.to_string()).unwrap_or_default();
    format!("{code}: {error}\n  help: {help}")
}

#[test]
fn an_import_without_a_grant_fails_at_load_with_the_line_that_would_give_it() {
    let error = load("peek", GRANT, MANIFEST).err().unwrap();
    assert_eq!(
        in_full(error),
        "H701: the connector `peek` imports `reveal`, which workflows/grants/peek.yaml:5:3 does not grant\n  \
         help: an admin who agrees adds the line `  - reveal` under `imports:` in `workflows/grants/peek.yaml`"
    );
    // The line, put where the message says, is all that was missing.
    let granted = GRANT.replace("  - egress\n", "  - egress\n  - reveal\n");
    assert!(load("peek", &granted, MANIFEST).is_ok());
}

#[test]
fn without_any_grant_nothing_loads() {
    let nothing = "connector: probe\nby: \"x\"\nreason: \"x\"\npurposes: []\n";
    let error = load("probe", nothing, MANIFEST).err().unwrap();
    assert!(in_full(error).contains("imports `egress`"));
}

#[test]
fn an_import_that_the_manifest_does_not_ask_for_fails_although_it_is_granted() {
    let granted = GRANT.replace("  - egress\n", "  - egress\n  - reveal\n");
    let manifest = MANIFEST.replace(", reveal: \"to look\"", "");
    let error = in_full(load("peek", &granted, &manifest).err().unwrap());
    assert!(error.starts_with("H703: the connector `peek` imports `reveal`"), "{error}");
}

#[test]
fn an_import_that_is_no_part_of_the_contract_cannot_be_granted() {
    let error = in_full(load("ticker", GRANT, MANIFEST).err().unwrap());
    assert!(error.starts_with("H702: the connector `ticker` imports `test:ticker/clock`"), "{error}");
}

#[test]
fn a_component_must_be_what_its_manifest_says() {
    let manifest = MANIFEST
        .replace("kind: channel", "kind: verifier\nsignal: sim-swap")
        .replace("send: never-retry, lookup: pure", "check: pure");
    let error = in_full(load("probe", GRANT, &manifest).err().unwrap());
    assert!(error.starts_with("H706"), "{error}");
    let host = Host::new(HostConfig::default()).unwrap();
    let garbage = Package { wasm: b"no wasm".to_vec(), ..package("probe", GRANT, MANIFEST) };
    let error = in_full(host.load(garbage, &connections(&[("vendor", "http://127.0.0.1:9")])).err().unwrap());
    assert!(error.starts_with("H705"), "{error}");
}

#[test]
fn mistakes_in_files_are_told_all_at_once_with_their_places() {
    let grant = GRANT.replace("  - egress\n", "  - egres\n").replace("/to: [patient.mobile]", "/to: [patient.mobil]");
    let error = in_full(load("probe", &grant, MANIFEST).err().unwrap());
    assert!(error.contains("workflows/grants/probe.yaml:5:5") && error.contains("did you mean `egress`?"), "{error}");
    assert!(error.contains("workflows/grants/probe.yaml:10:") && error.contains("`patient.mobil`"), "{error}");
}

#[test]
fn plain_http_is_for_loopback_only() {
    let host = Host::new(HostConfig::default()).unwrap();
    let far = connections(&[("vendor", "http://vendor.example")]);
    let error = in_full(host.load(package("probe", GRANT, MANIFEST), &far).err().unwrap());
    assert!(error.starts_with("H707: the connection `vendor`"), "{error}");
    let error = in_full(host.load(package("probe", GRANT, MANIFEST), &connections(&[])).err().unwrap());
    assert!(error.contains("it is not configured"), "{error}");
}

#[tokio::test]
async fn what_was_granted_arrives_escaped_and_is_accounted_for() {
    let world = world().await;
    let sent = world.try_it("as-granted").await;
    let heard = world.vendor.lock().unwrap().clone();
    let json = r#"{"to":"+12175550142","text":"Your code is \"481516\" & nothing else"}"#;
    assert_eq!(heard, [("POST /messages".to_owned(), json.to_owned())]);
    let places: Vec<_> = sent.accesses.iter().map(|access| access.place.as_str()).collect();
    assert_eq!(places, ["vendor POST /messages /to", "vendor POST /messages /text"]);
}

#[tokio::test]
async fn a_vendor_that_echoes_becomes_no_reveal() {
    let world = world().await;
    let reference = world.try_it("as-granted").await.result.unwrap();
    let seen = String::from_utf8(hex::decode(reference.strip_prefix("200 ").unwrap()).unwrap()).unwrap();
    assert_eq!(seen, r#"{"to":"[removed:patient.mobile]","text":"[removed:message.text]"}"#);
}

#[tokio::test]
async fn paths_methods_and_connections_outside_the_grant_are_denied() {
    let world = world().await;
    let line = |line: &str| format!("workflows/grants/probe.yaml: connections: {line}");
    let elsewhere = line("vendor: - { method: POST, path: /elsewhere, slots: { /to: [patient.mobile] } }");
    world.is_denied("path", &elsewhere).await;
    world.is_denied("method", &line("vendor: - { method: GET, path: /messages }")).await;
    world
        .is_denied("connection", &line("sink: - { method: POST, path: /messages, slots: { /to: [patient.mobile] } }"))
        .await;
    world.is_denied("climb", &line("vendor: - { method: GET, path: /messages/%2e%2e }")).await;
    world.is_denied("query", &line("vendor: - { method: GET, path: \"/find?ref=*&all=*\" }")).await;

    // The granted twin of the first.
    let granted = GRANT.replace(
        "    - { method: GET",
        "    - { method: POST, path: /elsewhere, slots: { /to: [patient.mobile] } }\n    - { method: GET",
    );
    let world = world_with("probe", &granted, Duration::from_secs(5)).await;
    assert!(world.try_it("path").await.result.is_ok());
    assert_eq!(world.vendor.lock().unwrap()[0].0, "POST /elsewhere");
}

#[tokio::test]
async fn no_path_leads_to_another_host() {
    let world = world().await;
    let sink = "127.0.0.1:1";
    for path in [
        format!("http://{sink}/x"),
        format!("//{sink}/x"),
        format!("@{sink}/x"),
        "/messages/../x".into(),
        "/messages\r\nHost: x".into(),
    ] {
        let tried = world.try_with("absolute", &path).await;
        assert!(matches!(tried.result, Err(Failure::Denied(_))), "{path:?}: {:?}", tried.result);
        assert_eq!(world.heard(), 0, "{path:?}");
    }
}

#[tokio::test]
async fn a_field_stands_only_in_the_slots_granted_for_it() {
    let world = world().await;
    let line = "workflows/grants/probe.yaml: connections: vendor: - { method: POST, path: /messages, slots: \
                { /note: [message.text], /text: [message.text], /to: [patient.mobile] } }";
    world.is_denied("slot", line).await;
    let line = "workflows/grants/probe.yaml: connections: vendor: - { method: POST, path: /messages, slots: \
                { /text: [message.text], /to: [message.text, patient.mobile] } }";
    world.is_denied("swap", line).await;
    let granted = GRANT.replace("/text: [message.text] }", "/text: [message.text], /note: [message.text] }");
    let world = world_with("probe", &granted, Duration::from_secs(5)).await;
    assert!(world.try_it("slot").await.result.is_ok());
}

#[tokio::test]
async fn fields_and_purposes_outside_the_grant_are_denied() {
    let grant = GRANT.replace("fields: [patient.mobile, message.text]", "fields: [patient.mobile]");
    let grant = grant.replace(", /text: [message.text]", "");
    let world = world_with("probe", &grant, Duration::from_secs(5)).await;
    world.is_denied("as-granted", "workflows/grants/probe.yaml: fields: [message.text, patient.mobile]").await;

    let grant = GRANT.replace("purposes: [billing]", "purposes: [identity]");
    let world = world_with("probe", &grant, Duration::from_secs(5)).await;
    world.is_denied("as-granted", "workflows/grants/probe.yaml: purposes: [billing, identity]").await;
}

#[tokio::test]
async fn a_grant_does_not_give_what_the_manifest_did_not_ask() {
    let narrow = MANIFEST.replace(", /text: [message.text], /note: [message.text]", "");
    let mut registry = Registry::new(Host::new(HostConfig::default()).unwrap());
    let nowhere = connections(&[("vendor", "http://127.0.0.1:9")]);
    let connector = registry.host().load(package("probe", GRANT, &narrow), &nowhere).unwrap();
    registry.add(connector).unwrap();
    let tried = registry.send(&call(&registry, "probe", "as-granted", "k"), mobile(), text()).await;
    assert!(matches!(tried.result, Err(Failure::Denied(_))), "{:?}", tried.result);
    assert!(tried.refusals[0].missing.starts_with("plugins/probe/connector.yaml:"), "{:?}", tried.refusals);
}

#[tokio::test]
async fn a_card_number_does_not_go_out_as_text() {
    let world = world().await;
    let missing = "nothing grants this: a card number goes out as a handle, in a slot granted for it";
    for step in ["card", "card-in-key", "card-in-path"] {
        world.is_denied(step, missing).await;
    }
    // The host's own key may look like anything.
    assert!(world.try_with("own-key", "4242424242424242").await.result.is_ok());
}

#[tokio::test]
async fn headers_are_the_hosts_business() {
    let world = world().await;
    for step in ["header", "line-break"] {
        world.is_denied(step, "nothing grants this: it is outside the contract").await;
    }
}

#[tokio::test]
async fn a_redirect_is_shown_and_not_followed() {
    let world = world().await;
    let answer = world.try_it("redirect").await.result.unwrap();
    assert!(answer.starts_with("307 "), "{answer}");
    assert_eq!(world.sink.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_reply_that_is_too_long_is_no_answer() {
    let world = world().await;
    let answer = world.try_it("big").await.result;
    assert!(matches!(&answer, Err(Failure::Unknown(why)) if why.contains("longer than")), "{answer:?}");
}

#[tokio::test]
async fn a_vendor_that_never_answers_leaves_it_unknown_in_time() {
    let world = world_with("probe", GRANT, Duration::from_millis(600)).await;
    let began = Instant::now();
    let answer = world.try_it("stall").await.result;
    assert!(matches!(answer, Err(Failure::Unknown(_))), "{answer:?}");
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connector_cannot_call_undone_what_may_have_happened() {
    let world = world_with("probe", GRANT, Duration::from_millis(600)).await;
    let answer = world.try_it("hide").await.result;
    assert_eq!(answer, Err(Failure::Unknown("it certainly did not happen".into())));
}

#[tokio::test]
async fn one_call_makes_a_few_requests() {
    let world = world().await;
    let answer = world.try_it("flood").await;
    assert!(matches!(answer.result, Err(Failure::Denied(_))), "{:?}", answer.result);
    assert_eq!(world.heard(), selvedge_host::MAX_REQUESTS);
}

#[tokio::test]
async fn asking_again_and_again_fills_no_record() {
    let world = world().await;
    let nagged = world.try_it("nag").await;
    assert!(matches!(nagged.result, Err(Failure::Denied(_))), "{:?}", nagged.result);
    assert_eq!(nagged.refusals.len(), selvedge_host::MAX_REQUESTS + 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_spin_loop_ends_at_the_deadline_and_stops_nobody_else() {
    let world = world_with("probe", GRANT, Duration::from_millis(400)).await;
    let began = Instant::now();
    // On one thread: the other call gets its turn only because the spinning one yields.
    let (spun, sent) = tokio::join!(world.try_it("spin"), world.try_it("as-granted"));
    assert!(sent.result.is_ok(), "{:?}", sent.result);
    assert!(matches!(&spun.result, Err(Failure::Retry(why)) if why.contains("deadline")), "{:?}", spun.result);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn computing_has_a_limit_of_its_own() {
    let world = world_with("probe", GRANT, Duration::from_secs(60)).await;
    let began = Instant::now();
    let spun = world.try_it("spin").await;
    assert!(matches!(&spun.result, Err(Failure::Retry(why)) if why.contains("computed")), "{:?}", spun.result);
    assert!(began.elapsed() < MAX_COMPUTING * 10, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connector_stopped_after_sending_leaves_it_unknown() {
    let world = world_with("probe", GRANT, Duration::from_millis(600)).await;
    let spun = world.try_it("spin-after-sending").await;
    assert!(matches!(spun.result, Err(Failure::Unknown(_))), "{:?}", spun.result);
    assert_eq!(spun.accesses.len(), 1, "what left is recorded although the connector never answered");
}

#[tokio::test]
async fn greed_for_memory_stack_and_words_ends_the_call_and_nothing_else() {
    let world = world().await;
    for step in ["grab", "recurse", "shout"] {
        let ended = world.try_it(step).await;
        let answered = matches!(&ended.result, Err(Failure::Retry(_)) | Err(Failure::Permanent(_)));
        assert!(answered, "{step}: {:?}", ended.result);
        let Err(Failure::Retry(why) | Failure::Permanent(why)) = ended.result else { unreachable!() };
        assert!(why.len() <= 256, "{step}: {} bytes of words", why.len());
    }
    assert!(world.try_it("as-granted").await.result.is_ok());
}

#[tokio::test]
async fn a_granted_reveal_works_and_is_recorded_with_its_reason() {
    let granted = GRANT
        .replace("  - egress\n", "  - egress\n  - reveal\n")
        .replace("fields: [patient.mobile, message.text]", "fields: [patient.mobile]")
        .replace(", /text: [message.text]", "");
    let world = world_with("peek", &granted, Duration::from_secs(5)).await;
    let sent = world.try_it("number").await;
    assert_eq!(sent.result.unwrap(), "12 characters");
    let access = &sent.accesses[0];
    assert_eq!(
        (access.field.as_str(), access.class.as_str(), access.how.as_str()),
        ("patient.mobile", "PII", "reveal")
    );
    assert_eq!(access.place, "to choose the route by the number's country");

    // The import is granted, the other field is not.
    let tried = world.try_it("text").await;
    assert!(matches!(tried.result, Err(Failure::Denied(_))), "{:?}", tried.result);
    assert_eq!(tried.refusals[0].missing, "workflows/grants/peek.yaml: fields: [message.text, patient.mobile]");
    assert!(tried.accesses.is_empty());

    // What it read does not come out in its words.
    let blabbed = world.try_it("blab").await;
    assert_eq!(blabbed.result, Err(Failure::Permanent("[removed:patient.mobile] is not on our list".into())));
}

#[tokio::test]
async fn a_webhook_is_read_with_no_way_out() {
    let world = world().await;
    let now = 1_767_225_600_000_000;
    let body = br#"{"from":"+12175550142","key":1,"text":"STOP"}"#;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"whsec_0123456789");
    let signature = hex::encode(aws_lc_rs::hmac::sign(&key, &[b"1767225600.", &body[..]].concat()));
    let headers = [
        ("x-signature", signature.as_str()),
        ("x-timestamp", "1767225600"),
        ("content-type", "application/json"),
        ("cookie", "a=b"),
    ];
    let webhook = Webhook {
        connection: "vendor".into(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: body.to_vec(),
    };
    let news = world.registry.receive(webhook.clone(), now).await.unwrap();
    let [News::Report(report)] = &news[..] else { panic!("{news:?}") };
    assert!(report.detail.contains("while a webhook is read is not granted"), "{}", report.detail);
    // It tells all that it saw: neither who wrote nor what.
    let seen = r#"{"from":null,"key":1,"text":null}"#;
    assert_eq!((report.idempotency_key.as_str(), report.reference.as_str()), (seen, "1 headers"));
    assert_eq!(world.heard(), 0);
    let unsigned = Webhook { headers: Vec::new(), ..webhook };
    assert!(world.registry.receive(unsigned, now).await.is_err());
}

#[tokio::test]
async fn many_calls_at_once_all_get_their_turn() {
    let world = Arc::new(world().await);
    let calls = (0..300).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.try_it("as-granted").await.result.is_ok() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    assert_eq!(world.heard(), 300);
}

#[test]
fn names_and_webhooks_are_taken_once() {
    let mut registry = Registry::new(Host::new(HostConfig::default()).unwrap());
    let to = connections(&[("vendor", "http://127.0.0.1:9")]);
    let load = |registry: &Registry, name: &str| {
        let package = package("probe", &GRANT.replace("probe", name), &MANIFEST.replace("probe", name));
        registry.host().load(package, &to).unwrap()
    };
    let first = load(&registry, "one");
    registry.add(first).unwrap();
    let again = load(&registry, "one");
    assert!(in_full(registry.add(again).unwrap_err()).starts_with("H708: `one` is taken"));
    let other = load(&registry, "two");
    assert!(in_full(registry.add(other).unwrap_err()).starts_with("H708: `vendor` is taken"));
}

#[tokio::test]
async fn secrets_in_a_field_cannot_break_out_of_their_slot() {
    let world = world().await;
    let evil = field("patient.mobile", "PII", "\"},\"admin\":true,\"x\":{\"y\":\"");
    let call = call(&world.registry, "probe", "as-granted", "k");
    world.registry.send(&call, evil, text()).await.result.unwrap();
    let body: serde_json::Value = serde_json::from_str(&world.vendor.lock().unwrap()[0].1).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert!(body["to"].as_str().unwrap().contains("admin"));
}
