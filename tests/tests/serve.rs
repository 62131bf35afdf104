//! `selvedge serve`: a node on SQLite or over a PostgreSQL, and what it says when it cannot be one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::path::Path;

use selvedge_tests::node::{Database, NOBODY, Node, beside, settle};
use selvedge_tests::{command, folder, selvedge, text};
use serde_json::Value;

fn refused(args: &[&str], code: &str) -> String {
    let output = selvedge(args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(code), "{said}");
    assert!(!said.contains("sesame"), "{said}");
    said
}

#[test]
fn a_node_that_was_told_nothing_is_c932() {
    let data = folder();
    let said = refused(&["serve", "--data", data.path().to_str().unwrap()], "C932");
    assert!(said.contains("node.yaml"), "{said}");
}

#[test]
fn an_address_that_is_none_is_s609_and_a_database_that_is_away_is_s610() {
    let data = folder();
    settle(data.path(), NOBODY);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap(), "--database"];
    let with = |url| [&serve[..], &[url]].concat();
    refused(&with("postgres://clinic:sesame@db"), "S609");
    let said = refused(&with("postgres://clinic:sesame@127.0.0.1:9/clinic"), "S610");
    assert!(said.contains("127.0.0.1:9/clinic"), "{said}");
}

#[test]
fn an_address_that_is_taken_is_c931() {
    let (data, taken) = (folder(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    settle(data.path(), NOBODY);
    let address = taken.local_addr().unwrap().to_string();
    refused(&["serve", "--data", data.path().to_str().unwrap(), "--listen", &address], "C931");
}

const CUSTOMERS: &str = "\
customer,patient.name,patient.mobile,account.balance,account.month,zones,jurisdictions,consent.billing.sms,consent.words,consent.act
c_ada,Ada Example,+13125550142,$375.50,2026-10,America/Chicago,US US-IL,2026-08-25T16:04:00Z,You may text me.,web form
c_bo,Bo Example,+13125550143,\"$1,020.00\",2026-10,America/Chicago,US US-IL,,,
";

/// What a stranger does on the first day, without the demonstration.
fn the_first_day(data: &Path, database: Option<&str>) {
    settle(data, NOBODY);
    let (file, token) = (data.join("customers.csv"), data.join("token"));
    std::fs::write(&file, CUSTOMERS).unwrap();
    let import = ["customer", "import", file.to_str().unwrap()];
    for _ in 0..2 {
        assert!(beside(data, database, &import).starts_with("2 customers imported"));
    }
    let sign_in = ["staff", "sign-in", "maria", "--function", "billing-agent", "--token-file", token.to_str().unwrap()];
    beside(data, database, &sign_in);
    let node = Node::start(data, database);
    let bearer = format!("authorization: Bearer {}", std::fs::read_to_string(&token).unwrap().trim());
    let to_open = r#"{"workflow": "healthcare-balance", "customer": "c_ada", "channel": "call"}"#;
    let opened = node.http.post("/v1/interactions", &[&bearer, "content-type: application/json"], to_open);
    assert_eq!(opened.status, 201, "{}", opened.body);
    let listed: Value = serde_json::from_str(&beside(data, database, &["run", "list", "--json"])).unwrap();
    assert_eq!(listed[0]["interaction"], opened.json()["interaction"]);
    // A campaign that is started beside it, too.
    let campaign =
        ["campaign", "start", "november", "--workflow", "healthcare-balance", "--list", file.to_str().unwrap()];
    beside(data, database, &campaign);
    let taken = || {
        let shown: Value =
            serde_json::from_str(&beside(data, database, &["campaign", "show", "november", "--json"])).unwrap();
        shown["progress"]["queued"] == 0
    };
    assert!((0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        taken()
    }));
    let listed: Value = serde_json::from_str(&beside(data, database, &["run", "list", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    steered(data, database, &node, opened.json()["interaction"].as_str().unwrap());
    // A switch that is set beside the node is obeyed by it.
    beside(data, database, &["kill", "workflow", "healthcare-balance", "--reason", "not yet"]);
    let refused = node.http.post("/v1/interactions", &[&bearer, "content-type: application/json"], to_open);
    assert_eq!(refused.json()["code"], "E510", "{}", refused.body);
    node.end();
}

/// A run is steered from beside its node and over HTTP, by who may and by nobody else.
fn steered(data: &Path, database: Option<&str>, node: &Node, id: &str) {
    let show = || -> Value { serde_json::from_str(&beside(data, database, &["run", "show", id, "--json"])).unwrap() };
    let until = |what: &str, is: &dyn Fn(&Value) -> bool| {
        for _ in 0..300 {
            if is(&show()["run"]) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("not {what}: {}", show());
    };
    beside(data, database, &["run", "pause", id, "--reason", "look first", "--as", "sam"]);
    until("paused", &|run| run["paused"] == "by operator:sam (holder of the data folder): look first");
    assert_eq!(show()["nobody_works_on_it"], Value::Null);
    let told = beside(data, database, &["run", "show", id]);
    assert!(told.contains("paused       by operator:sam") && told.contains("goes by      sha256:"), "{told}");

    let token = |person: &str, function: &str| {
        let file = data.join(person);
        let args = ["staff", "sign-in", person, "--function", function, "--token-file", file.to_str().unwrap()];
        beside(data, database, &args);
        format!("authorization: Bearer {}", std::fs::read_to_string(&file).unwrap().trim())
    };
    let (agent, supervisor, admin) = (token("mo", "billing-agent"), token("sue", "supervisor"), token("ann", "admin"));
    let post = |who: &str, route: &str, body: &str| {
        let path = format!("/v1/interactions/{id}/{route}");
        node.http.post(&path, &[who, "content-type: application/json"], body)
    };
    let resume = r#"{"act": "resume", "reason": "looked at"}"#;
    let refused = post(&agent, "act", resume);
    assert_eq!((refused.status, &refused.json()["code"]), (403, &"N804".into()), "{}", refused.body);
    let resumed = post(&supervisor, "act", resume);
    assert_eq!((resumed.status, &resumed.json()["paused"]), (200, &Value::Null), "{}", resumed.body);
    let again = post(&supervisor, "act", resume);
    assert_eq!((again.status, &again.json()["code"]), (409, &"E504".into()), "{}", again.body);

    let latest = r#"{"to": "latest", "reason": "the words were wrong"}"#;
    assert_eq!(post(&supervisor, "move", latest).json()["code"], "N804", "who steers does not move");
    let same = post(&admin, "move", latest);
    assert_eq!((same.status, &same.json()["code"]), (409, &"E525".into()), "{}", same.body);
    let unknown = post(&admin, "move", r#"{"to": "sha256:00", "reason": "the words were wrong"}"#);
    assert_eq!((unknown.status, &unknown.json()["code"]), (422, &"E505".into()), "{}", unknown.body);

    beside(data, database, &["run", "cancel", id, "--reason", "opened by mistake"]);
    until("cancelled", &|run| run["over"] == true && run["step"] == "cancelled");
    let mut command = command(["run", "resume", id, "--reason", "bring it back", "--data"]);
    let late = command.arg(data).envs(database.map(|url| ("SELVEDGE_DATABASE", url))).output().unwrap();
    assert_eq!(late.status.code(), Some(1));
    assert!(text(&late.stderr).contains("E504"), "{}", text(&late.stderr));
}

#[test]
fn the_first_day_on_sqlite() {
    the_first_day(folder().path(), None);
}

#[test]
fn the_first_day_over_a_database() {
    the_first_day(folder().path(), Some(&Database::start().url()));
}

#[test]
fn a_file_with_bad_lines_imports_nobody_and_shows_no_value() {
    let data = folder();
    settle(data.path(), NOBODY);
    let (file, data) = (data.path().join("customers.csv"), data.path().to_str().unwrap());
    std::fs::write(&file, format!("{CUSTOMERS}c_cy,Cy Example,312-555-0144,98.76,,,,,,\n")).unwrap();
    let said = refused(&["customer", "import", file.to_str().unwrap(), "--data", data], "C940");
    for place in ["customers.csv:4:17: `patient.mobile`", "customers.csv:4:30: `account.balance`"] {
        assert!(said.contains(place), "{said}");
    }
    assert!(!said.contains("98.76") && !said.contains("555-0144"), "{said}");
    assert!(!Path::new(data).join("selvedge.db").exists(), "nothing was opened");
}

#[test]
fn a_token_is_for_its_owner_and_for_a_function_that_exists() {
    use std::os::unix::fs::PermissionsExt;
    let data = folder();
    settle(data.path(), NOBODY);
    let (token, data) = (data.path().join("token"), data.path().to_str().unwrap());
    let sign_in = |function| ["staff", "sign-in", "maria", "--data", data, "--function", function];
    refused(&sign_in("biling-agent"), "C942");
    let args = [&sign_in("billing-agent")[..], &["--token-file", token.to_str().unwrap()]].concat();
    assert!(selvedge(&args).status.success());
    assert_eq!(std::fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    refused(&args, "C903");
    let shown = text(&selvedge(sign_in("billing-agent")).stdout);
    assert_eq!(shown.trim().len(), 64, "{shown}");
}

#[test]
fn a_node_serves_on_sqlite_until_it_is_told_to_end() {
    let data = folder();
    settle(data.path(), NOBODY);
    for _ in 0..2 {
        let node = Node::start(data.path(), None);
        assert_eq!(node.health(), 200);
        node.end();
    }
}

#[test]
fn nodes_share_a_database() {
    let (server, data) = (Database::start(), folder());
    let url = server.url();
    settle(data.path(), NOBODY);
    let (one, other) = (Node::start(data.path(), Some(&url)), Node::start(data.path(), Some(&url)));
    assert_eq!((one.health(), other.health()), (200, 200));
    one.end();
    assert_eq!(other.health(), 200);
    other.end();
}
