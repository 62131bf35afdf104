//! The node as programs, colleagues and strangers meet it: who is asked for what, and what a refusal says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::http::Answer;
use selvedge_tests::served::Served;
use selvedge_tests::{command, orders, text};
use serde_json::Value;

/// The largest body that the node takes, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The path of the story's evidence.
fn pack_of(served: &Served) -> String {
    format!("/v1/interactions/{}/pack", served.interaction)
}

/// An answer that is a problem with this status and code, and says how to mend it.
fn assert_problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["code"], code, "{problem}");
    assert!(problem["help"].as_str().is_some_and(|help| !help.is_empty()), "{problem}");
    problem
}

/// One node for all: it is the same for whoever asks.
#[test]
fn the_node_answers_each_as_it_must() {
    let served = Served::start();
    evidence_is_for_the_auditor(&served);
    the_api_describes_itself(&served);
    links_open_once(&served);
    webhooks_are_signed_and_small(&served);
    the_console_asks_who_it_is(&served);
    a_supervisor_stops_what_must_not_go_on(&served);
    nothing_is_where_nothing_is(&served);
}

fn evidence_is_for_the_auditor(served: &Served) {
    let nobody = served.node.get(&pack_of(served), &[]);
    assert_problem(&nobody, 401, "N801");
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    assert_problem(&served.get_as(&pack_of(served), "not-a-token"), 401, "N802");

    let problem = assert_problem(&served.get_as(&pack_of(served), &served.supervisor), 403, "N804");
    let line = "permit (principal is Session, action == Action::\"export\", resource is Interaction)\n\
                when { principal.function == \"supervisor\" && principal.device_verified };";
    assert!(problem["help"].as_str().unwrap().ends_with(line), "the line that would permit it: {problem}");
    // Who may not is not told whether there is such an interaction.
    let none = "/v1/interactions/int_00000000000000000000000000000000/pack";
    assert_problem(&served.get_as(none, &served.supervisor), 403, "N804");
    assert_eq!(served.get_as(none, &served.auditor).status, 404);

    let pack = served.get_as(&pack_of(served), &served.auditor);
    assert_eq!(pack.status, 200);
    assert_eq!(pack.header("content-type"), Some("application/jsonl"));
    assert!(pack.body.starts_with("{\"checkpoint\":") && pack.body.lines().count() > 40);
}

fn the_api_describes_itself(served: &Served) {
    let answer = served.node.get("/openapi.json", &[]);
    assert_eq!(answer.status, 200);
    let description = answer.json();
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert!(description["paths"]["/v1/interactions/{id}/pack"]["get"].is_object(), "{:?}", description["paths"]);
}

fn links_open_once(served: &Served) {
    let unknown = served.node.get("/pay/bm90LWEtbGluaw", &[]);
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.header("content-type"), Some("text/html; charset=utf-8"));
    let texts = orders(served.data.path(), "brightline");
    let links = texts.iter().filter_map(|order| order["what"]["text"].as_str()?.split_once("/pay/"));
    let token = links.map(|(_, after)| after.split_whitespace().next().unwrap()).next().expect("an invitation");
    let used = served.node.get(&format!("/pay/{token}"), &[]);
    assert_eq!(used.status, 410, "{}", used.body);
    assert!(used.body.contains("This link has been used. It works once."), "{}", used.body);
    let card = "number=4242424242424242&month=12&year=2031&cvc=961&words_id=x&agree=yes";
    let again =
        served.node.post(&format!("/pay/{token}/card"), &["content-type: application/x-www-form-urlencoded"], card);
    assert_eq!(again.status, 303, "back to the page, which is gone");
    assert_eq!(orders(served.data.path(), "northgate").len(), 1, "a used link charged again");
}

fn webhooks_are_signed_and_small(served: &Served) {
    let report = r#"{"id":"evt_1","type":"charge.succeeded","data":{}}"#;
    assert_problem(&served.node.post("/webhooks/northgate", &[], report), 401, "N813");
    let forged =
        ["northgate-signature: t=1795449840,v1=0000000000000000000000000000000000000000000000000000000000000000"];
    assert_problem(&served.node.post("/webhooks/northgate", &forged, report), 401, "N813");
    assert_problem(&served.node.post("/webhooks/nobody", &[], report), 404, "N812");
    assert_problem(&served.node.post("/webhooks/northgate", &[], &" ".repeat(MAX_BODY)), 401, "N813");
    assert_problem(&served.node.post("/webhooks/northgate", &[], &" ".repeat(MAX_BODY + 1)), 413, "N806");
}

fn the_console_asks_who_it_is(served: &Served) {
    let page = format!("/console/interactions/{}", served.interaction);
    for path in ["/console", &page] {
        let answer = served.node.get(path, &[]);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/console/login")), "{path}");
        assert!(!answer.body.contains(&served.interaction));
        let with_a_bearer_only = served.get_as(path, &served.supervisor);
        assert_eq!(with_a_bearer_only.status, 303, "the console is for the cookie");
    }
    assert_eq!(served.node.get("/console/login", &[]).status, 200);

    let form = ["content-type: application/x-www-form-urlencoded", &format!("origin: http://{}", served.node.address)];
    let login = served.node.post("/console/login", &form, &format!("token={}", served.supervisor));
    assert_eq!((login.status, login.header("location")), (303, Some("/console")), "{}", login.body);
    let cookie = login.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/console"),
        "{cookie}"
    );
    let cookie = format!("cookie: {}", cookie.split(';').next().unwrap());
    assert!(served.node.get("/console", &[&cookie]).body.contains(&served.interaction));
    let story = served.node.get(&page, &[&cookie]);
    assert_eq!(story.status, 200);
    assert!(!story.body.contains("4242424242424242") && story.body.contains("4242"), "the last four, and no more");
    let elsewhere = [
        "content-type: application/x-www-form-urlencoded",
        "origin: http://elsewhere.example",
        "sec-fetch-site: cross-site",
    ];
    assert_eq!(served.node.post("/console/login", &elsewhere, "token=x").status, 403, "a form of another site");
}

fn a_supervisor_stops_what_must_not_go_on(served: &Served) {
    let post = |path: &str, token: &str, body: &str| {
        let bearer = format!("authorization: Bearer {token}");
        served.node.post(path, &[&bearer, "content-type: application/json"], body)
    };
    let stop = r#"{"over": "channel", "name": "sms", "reason": "texts go out twice"}"#;
    assert_problem(&post("/v1/switches", &served.auditor, stop), 403, "N804");
    assert_eq!(served.get_as("/v1/switches", &served.auditor).json(), serde_json::json!([]), "nothing was set");

    let set = post("/v1/switches", &served.supervisor, stop);
    assert_eq!(set.status, 201, "{}", set.body);
    let set = set.json();
    assert_eq!((&set["switch"]["switch"], &set["switch"]["stops"]), (&"kill-1".into(), &"channel:sms".into()));
    assert_eq!(set["switch"]["by"], "person:sam (supervisor)");
    assert_problem(&post("/v1/switches", &served.supervisor, stop), 409, "E513");
    let misspelt = stop.replace("sms", "smz");
    let problem = assert_problem(&post("/v1/switches", &served.supervisor, &misspelt), 422, "E512");
    assert!(problem["help"].as_str().unwrap().ends_with("there are: `sms`"), "{problem}");

    let why = r#"{"reason": "the vendor mended it"}"#;
    assert_problem(&post("/v1/switches/kill-1/lift", &served.auditor, why), 403, "N804");
    assert_eq!(post("/v1/switches/kill-1/lift", &served.supervisor, why).status, 204);
    let listed = served.get_as("/v1/switches", &served.supervisor).json();
    assert_eq!(listed[0]["lifted"]["reason"], "the vendor mended it", "{listed}");

    // Whoever holds the data folder stops it from beside, and the node shows it.
    let kill = |args: &[&str]| command(["kill"]).args(args).arg("--data").arg(served.data.path()).output().unwrap();
    let set = kill(&["vendor", "Northgate", "--reason", "an outage there", "--as", "ops"]);
    assert!(text(&set.stdout).starts_with("STOPPED  vendor:Northgate by kill-"), "{set:?}");
    let listed = served.get_as("/v1/switches", &served.supervisor).json();
    assert_eq!(listed[0]["by"], "operator:ops (holder of the data folder)", "{listed}");
    let id = listed[0]["switch"].as_str().unwrap();
    assert!(kill(&["lift", id, "--reason", "it is up again"]).status.success());
    let told = text(&kill(&["list"]).stdout);
    assert_eq!((told.matches("  lifted  ").count(), told.matches("STOPPED").count()), (2, 0), "{told}");
}

fn nothing_is_where_nothing_is(served: &Served) {
    assert_problem(&served.node.get("/v1/nothing", &[]), 404, "N808");
    assert_problem(&served.node.post("/openapi.json", &[], ""), 405, "N809");
}
