//! The router over an engine whose store knows two sessions and is away for everything else: what no engine is
//! asked, and what becomes of its silence. Whole stories are told in the workspace's `tests/`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use selvedge_engine::ports::store::*;
use selvedge_engine::ports::*;
use selvedge_engine::{Engine, Parts, Settings};
use selvedge_policy::{Access, OptOut};
use selvedge_record::{LogKey, Sealed};
use selvedge_vault::{MasterKey, Vault};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use away::Away;

mod away;

const NOW: Micros = 1_795_539_780_000_000;
const POLICY: &str = r#"
permit (principal is Session, action in [Action::"open", Action::"signal", Action::"read"], resource is Interaction)
when { principal.function == "billing-agent" && principal.device_verified };
"#;

/// Webhooks by the connection's name; nothing else is called.
struct Doors;

#[async_trait]
impl Connectors for Doors {
    fn reader(&self, _: &str) -> Option<String> {
        None
    }
    fn digests(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    async fn send(&self, _: &Call, _: Field, _: Field) -> Observed<String> {
        unreachable!()
    }
    async fn check(&self, _: &Call, _: Field) -> Observed<Signal> {
        unreachable!()
    }
    async fn validate(&self, _: &Call, _: CardFields) -> Observed<Validity> {
        unreachable!()
    }
    async fn charge(&self, _: &Call, _: i64, _: &str, _: CardFields) -> Observed<Charged> {
        unreachable!()
    }
    async fn perform(&self, _: &Call, _: &str, _: Vec<(String, Field)>) -> Observed<String> {
        unreachable!()
    }
    async fn lookup(&self, _: &Call) -> Observed<Option<Report>> {
        unreachable!()
    }
    async fn receive(&self, webhook: Webhook, now: Micros) -> Result<Vec<News>, WebhookFault> {
        assert_eq!(now, NOW);
        match webhook.connection.as_str() {
            "brightline" => {
                assert!(webhook.headers.contains(&("x-signature".into(), "v1=00".into())), "names in lower case");
                assert_eq!(webhook.body, b"raw \xff bytes");
                Ok(Vec::new())
            }
            "forged" => Err(WebhookFault::BadSignature("it does not match".into())),
            "garbled" => Err(WebhookFault::Unreadable("no `status`".into())),
            _ => Err(WebhookFault::NoSuchConnection),
        }
    }
}

struct Stopped;

#[async_trait]
impl Clock for Stopped {
    fn now(&self) -> Micros {
        NOW
    }
    async fn sleep_until(&self, _: Micros) {
        std::future::pending().await
    }
}

impl Random for Stopped {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn session(person: &str, function: &str) -> Session {
    Session {
        id: format!("ses_{person}"),
        tenant: "clinic".into(),
        person: person.into(),
        device: "desk-7".into(),
        device_verified: true,
        function: function.into(),
        expires: NOW + IDLE_LIMIT,
        last_used: NOW - 61_000_000,
    }
}

struct House {
    router: Router,
    touched: Arc<Mutex<Vec<Micros>>>,
    ended: Arc<Mutex<Vec<String>>>,
    noted: Arc<Mutex<Vec<Sealed>>>,
}

fn house(public_url: &str) -> House {
    let maria = session("maria", "billing-agent");
    let sessions = [
        ("maria", maria.clone()),
        ("ugo", session("ugo", "janitor")),
        ("gone", Session { expires: NOW, ..maria.clone() }),
        ("idle", Session { last_used: NOW - IDLE_LIMIT, ..maria.clone() }),
        ("unproved", Session { device_verified: false, ..maria.clone() }),
        ("elsewhere", Session { tenant: "bank".into(), ..maria.clone() }),
        ("busy", Session { last_used: NOW - 59_000_000, ..maria }),
    ];
    let sessions = sessions.map(|(token, session)| (token_hash(token), session)).into();
    house_on(Away { sessions, ..Away::default() }, public_url)
}

fn house_on(store: Away, public_url: &str) -> House {
    let (touched, ended, noted) = (store.touched.clone(), store.ended.clone(), store.noted.clone());
    let keys = tempfile::tempdir().unwrap();
    let parts = Parts {
        store: Arc::new(store),
        connectors: Arc::new(Doors),
        clock: Arc::new(Stopped),
        random: Arc::new(Stopped),
        vault: Arc::new(Vault::new(MasterKey::load_or_create(keys.path(), &|out| out.fill(7)).unwrap())),
        log_key: Arc::new(LogKey::from_seed("clinic/log", &[7; 32]).unwrap()),
        settings: Settings { sender: BTreeMap::new(), public_url: public_url.into(), opt_out: OptOut::default() },
    };
    let router = router(ServerParts {
        engine: Engine::new(parts),
        access: Access::load("workflows/policies/access.cedar", POLICY).unwrap(),
        schedules: Vec::new(),
        tenant: "clinic".into(),
        sender_name: "Lakeside Clinic".into(),
        public_url: public_url.into(),
        test_mode: true,
    });
    House { router, touched, ended, noted }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
    fn code(&self) -> (u16, String) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        (self.status.as_u16(), self.json()["code"].as_str().unwrap().to_owned())
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl House {
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().into()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, "").await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn form(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.ask("POST", path, &[&form, headers].concat(), body.to_owned()).await
    }
}

const MARIA: (&str, &str) = ("authorization", "Bearer maria");

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_it_where_it_is() {
    let house = house("http://pay.example");
    for path in [
        "/health",
        "/openapi.json",
        "/v1/interactions",
        "/console/login",
        "/console",
        "/pay/x",
        "/style.css",
        "/nowhere",
    ] {
        let answer = house.get(path, &[]).await;
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let referrer = if path.starts_with("/console") { "same-origin" } else { "no-referrer" };
        assert_eq!(answer.header("referrer-policy"), referrer, "{path}");
        let robots = if path.starts_with("/pay") { "noindex, nofollow" } else { "" };
        assert_eq!(answer.header("x-robots-tag"), robots, "{path}");
        let cache = if path == "/style.css" { "public, max-age=3600" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), cache, "{path}");
    }
}

#[tokio::test]
async fn health_says_whether_the_node_takes_work_and_why_not() {
    let well = (None, 200, json!({"status": "ok"}));
    let full = (Some(Trouble::Full), 503, json!({"status": "not-ready", "why": "the disk is full"}));
    for (trouble, status, said) in [well, full] {
        let answer = house_on(Away { trouble, ..Away::default() }, "http://a.example").get("/health", &[]).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (status, said));
    }
}

#[tokio::test]
async fn no_route_under_v1_answers_without_a_session() {
    let house = house("http://pay.example");
    let mut asked = 0;
    for (path, item) in openapi().paths.paths.iter().filter(|(path, _)| path.starts_with("/v1")) {
        let path = path.replace("{id}", "int_00000000000000000000000000000001");
        for (method, there) in [("GET", item.get.is_some()), ("POST", item.post.is_some())] {
            if there {
                let answer = house.ask(method, &path, &[], "").await;
                assert_eq!(answer.code(), (401, "N801".into()), "{method} {path}");
                assert_eq!(answer.header("www-authenticate"), "Bearer");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 23);
}

#[tokio::test]
async fn a_session_that_does_not_hold_is_refused_with_the_reason() {
    let house = house("http://pay.example");
    for (token, status, code, word) in [
        ("nobody", 401, "N802", "not known"),
        ("gone", 401, "N802", "expired"),
        ("idle", 401, "N802", "idle"),
        ("elsewhere", 401, "N802", "not known"),
        ("unproved", 403, "N803", "desk-7"),
    ] {
        let answer = house.get("/v1/interactions", &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.code(), (status, code.into()), "{token}");
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
        assert_eq!(problem["layer"], "session");
    }
}

#[tokio::test]
async fn the_policy_s_refusal_shows_the_line_that_would_permit_it() {
    let house = house("http://pay.example");
    let ugo = ("authorization", "Bearer ugo");
    let answer = house.get("/v1/interactions/int_00000000000000000000000000000001/pack", &[ugo]).await;
    let noted = house.noted.lock().unwrap().first().map(|event| event.canonical.clone()).unwrap();
    assert!(noted.contains("access.refused") && noted.contains("person:ugo"), "the refusal is recorded: {noted}");
    assert_eq!(answer.code(), (403, "N804".into()));
    let problem = answer.json();
    assert_eq!(problem["layer"], "access policy");
    assert_eq!(problem["reasons"][0]["facts"]["function"], "janitor");
    let help = problem["help"].as_str().unwrap();
    assert!(help.contains("permit (principal is Session, action == Action::\"export\""), "{help}");
    // Who may read is told that it is not there; who may not is not.
    assert_eq!(
        house.get("/v1/interactions/int_00000000000000000000000000000001", &[MARIA]).await.code(),
        (404, "E501".into())
    );
    assert_eq!(
        house.get("/v1/interactions/int_00000000000000000000000000000001", &[ugo]).await.code(),
        (403, "N804".into())
    );
    let card = house.get("/v1/interactions/4242424242424242", &[ugo]).await;
    assert_eq!(card.code(), (403, "N804".into()));
    let noted: Vec<String> = house.noted.lock().unwrap().iter().map(|event| event.canonical.clone()).collect();
    assert!(noted.iter().all(|event| !event.contains("4242")), "what is no id is not written down: {noted:?}");
}

#[tokio::test]
async fn use_is_noted_once_a_minute() {
    let house = house("http://pay.example");
    house.get("/v1/interactions", &[("authorization", "Bearer busy")]).await;
    assert_eq!(*house.touched.lock().unwrap(), [0; 0]);
    house.get("/v1/interactions", &[MARIA]).await;
    assert_eq!(*house.touched.lock().unwrap(), [NOW]);
}

#[tokio::test]
async fn what_cannot_be_read_or_done_says_so_without_what_was_sent() {
    let house = house("http://pay.example");
    let post = async |body: String| house.ask("POST", "/v1/interactions", &[MARIA], body).await;
    assert_eq!(post("4242424242424242".into()).await.code(), (422, "N805".into()));
    let body = json!({"workflow": "w", "customer": "c", "channel": "call"});
    let mut more = body.clone();
    more["card"] = "4242424242424242".into();
    let answer = post(more.to_string()).await;
    assert_eq!(answer.code(), (422, "N805".into()));
    assert!(!answer.text.contains("4242"), "{}", answer.text);
    assert_eq!(post(" ".repeat(MAX_BODY_BYTES + 1)).await.code(), (413, "N806".into()));
    assert_eq!(post(body.to_string()).await.code(), (422, "E502".into()));
    assert_eq!(house.get("/v1/interactions?limit=many", &[MARIA]).await.code(), (422, "N805".into()));
    assert_eq!(house.get("/v1/nothing", &[MARIA]).await.code(), (404, "N808".into()));
    assert_eq!(house.ask("DELETE", "/v1/interactions", &[MARIA], "").await.code(), (405, "N809".into()));
    let broken = house.get("/v1/interactions", &[MARIA]).await;
    assert_eq!(broken.code(), (503, "S602".into()));
    assert!(!broken.text.contains("4242"), "{}", broken.text);
}

#[tokio::test]
async fn a_webhook_is_passed_on_raw_and_answered_by_what_is_wrong_with_it() {
    let house = house("http://pay.example");
    let send = async |connection: &str| {
        let body = Body::from(b"raw \xff bytes".to_vec());
        house.ask("POST", &format!("/webhooks/{connection}"), &[("X-Signature", "v1=00")], body).await
    };
    assert_eq!(send("brightline").await.status, StatusCode::NO_CONTENT);
    assert_eq!(send("forged").await.code(), (401, "N813".into()));
    assert_eq!(send("garbled").await.code(), (422, "N814".into()));
    assert_eq!(send("nobody").await.code(), (404, "N812".into()));
}

#[tokio::test]
async fn a_link_that_opens_nothing_is_a_page_and_sets_nothing() {
    let house = house("http://pay.example");
    for path in ["/pay/unknown", "/pay/not%20a%20token"] {
        let answer = house.get(path, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.text.contains("This link does not open anything") && answer.text.contains("Lakeside Clinic"));
        assert!(answer.header("content-type").starts_with("text/html"));
    }
    for form in ["start", "code", "card", "again"] {
        let answer = house.form(&format!("/pay/unknown/{form}"), &[], "code=123456").await;
        assert_eq!((answer.status, answer.header("set-cookie")), (StatusCode::NOT_FOUND, ""), "{form}");
        assert!(!answer.text.contains("unknown"), "the token is not repeated");
    }
}

#[tokio::test]
async fn the_console_asks_for_the_token_by_a_form_and_keeps_it_in_a_cookie_of_its_own() {
    let house = house("https://pay.example");
    for path in ["/console", "/console/interactions/int_00000000000000000000000000000001"] {
        let answer = house.get(path, &[]).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/console/login"));
    }
    let wrong = house.form("/console/login", &[], "token=nobody").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains("not known here") && wrong.header("set-cookie").is_empty());

    let right = house.form("/console/login", &[], "token=maria").await;
    assert_eq!((right.status, right.header("location")), (StatusCode::SEE_OTHER, "/console"));
    let line = right.header("set-cookie");
    assert_eq!(line, "session=maria; Path=/console; HttpOnly; SameSite=Strict; Secure");

    let cookie = ("cookie", "session=maria");
    let missing = house.get("/console/interactions/int_00000000000000000000000000000001", &[cookie]).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text.contains("E501") && missing.text.contains("<html"));
    assert_eq!(house.get("/v1/interactions", &[cookie]).await.code(), (401, "N801".into()), "no cookie opens the API");

    let out = house.form("/console/logout", &[cookie], "").await;
    assert_eq!(*house.ended.lock().unwrap(), [token_hash("maria")], "the session itself is over");
    assert!(out.header("set-cookie").ends_with("Max-Age=0") && out.header("location") == "/console/login");
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let house = house("http://pay.example");
    let host = ("host", "pay.example");
    for (headers, status) in [
        (vec![host, ("sec-fetch-site", "same-origin")], 303),
        (vec![host, ("origin", "http://pay.example")], 303),
        (vec![host, ("sec-fetch-site", "cross-site")], 403),
        (vec![host, ("sec-fetch-site", "same-site")], 403),
        (vec![host, ("origin", "http://evil.example")], 403),
        (vec![host, ("origin", "null")], 403),
    ] {
        for (path, body) in [("/console/login", "token=maria"), ("/console/logout", "")] {
            let answer = house.form(path, &headers, body).await;
            assert_eq!(answer.status.as_u16(), status, "{path} {headers:?}");
        }
    }
}

#[test]
fn every_code_has_its_page() {
    let source = include_str!("error.rs");
    let codes: Vec<&str> = source.split("code(N8").skip(1).filter_map(|rest| rest.get(..2)).collect();
    assert_eq!(codes.len(), 15);
    for code in codes {
        let page = format!("{}/../docs/errors/N8{code}.md", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|_| panic!("no page for N8{code}"));
        assert!(text.starts_with(&format!("# N8{code}: ")), "{page}");
        for section in ["## What happened", "## Why", "## How to mend it"] {
            assert!(text.contains(section), "{page} has no {section}");
        }
    }
}
