//! A schedule as colleagues meet it: at the command line, at the API and in the console of a served node.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::process::Output;

use selvedge_tests::node::{NOBODY, Node, settle};
use selvedge_tests::{command, folder, project, text};
use serde_json::Value;

const SCHEDULES: &str = "\
schedules:
  morning:
    workflow: healthcare-balance
    cron: \"30 9 * * mon-fri\"
    zone: America/Chicago
    customers: [c_ada]
    missed: last
    overlap: skip
";

struct House {
    project: tempfile::TempDir,
    data: tempfile::TempDir,
}

impl House {
    fn new() -> House {
        let (project, data) = (project(), folder());
        std::fs::write(project.path().join("workflows/schedules.yaml"), SCHEDULES).unwrap();
        settle(data.path(), NOBODY);
        House { project, data }
    }

    fn schedule(&self, args: &[&str]) -> Output {
        let mut command = command([&["schedule"], args].concat());
        if args[0] != "next" {
            command.arg("--data").arg(self.data.path());
        }
        command.current_dir(self.project.path()).output().unwrap()
    }

    fn told(&self, args: &[&str]) -> String {
        let output = self.schedule(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn listed(&self) -> Value {
        serde_json::from_str::<Value>(&self.told(&["list", "--json"])).unwrap()[0].take()
    }

    fn refused(&self, args: &[&str], code: &str) -> String {
        let output = self.schedule(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.contains(code), "{said}");
        said
    }

    fn token(&self, person: &str, function: &str) -> String {
        let file = self.data.path().join(person);
        let mut command = command(["staff", "sign-in", person, "--function", function, "--token-file"]);
        let done = command.arg(&file).arg("--data").arg(self.data.path()).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        std::fs::read_to_string(&file).unwrap().trim().to_owned()
    }

    /// A node, once it has seen the schedule.
    fn node(&self) -> Node {
        let node = Node::start_in(self.project.path(), self.data.path(), None);
        let seen = || (self.listed()["standing"] != Value::Null).then_some(());
        (0..200).find_map(|_| seen().or_else(pause)).expect("the node sees its schedule");
        node
    }
}

fn pause() -> Option<()> {
    std::thread::sleep(std::time::Duration::from_millis(50));
    None
}

#[test]
fn the_next_times_are_told_in_utc_and_as_they_are_read_there() {
    let house = House::new();
    let next = ["next", "morning", "--count", "4", "--after", "2026-11-25T00:00:00Z"];
    insta::assert_snapshot!(house.told(&next), @r"
    2026-11-25 15:30 UTC  2026-11-25 09:30 CST  morning
    2026-11-26 15:30 UTC  2026-11-26 09:30 CST  morning
    2026-11-27 15:30 UTC  2026-11-27 09:30 CST  morning
    2026-11-30 15:30 UTC  2026-11-30 09:30 CST  morning
    ");
    let told: Value = serde_json::from_str(&house.told(&[&next[..], &["--json"]].concat())).unwrap();
    assert_eq!(told[3]["at"], "2026-11-30T15:30:00.000000Z", "{told}");
    assert_eq!((&told[3]["schedule"], &told[3]["zone"]), (&"morning".into(), &"America/Chicago".into()));
    assert!(house.refused(&["next", "evening"], "C943").contains("morning"));
}

#[test]
fn a_schedule_is_paused_by_who_may_from_wherever_they_are() {
    let house = House::new();
    assert!(house.told(&["list"]).contains("no node has seen it yet"));
    house.refused(&["pause", "morning", "--reason", "a holiday"], "E535");
    let node = house.node();
    let (agent, supervisor) = (house.token("mo", "billing-agent"), house.token("sue", "supervisor"));
    the_api_tells_and_pauses(&node, &agent, &supervisor);

    let listed = house.listed();
    assert_eq!(listed["standing"]["paused"][0], "person:sue (supervisor)", "{listed}");
    assert!(house.told(&["list"]).contains("paused by person:sue (supervisor): a holiday"));
    house.refused(&["pause", "morning", "--reason", "a holiday"], "E534");
    assert!(house.told(&["resume", "morning", "--reason", "we are back"]).starts_with("morning goes on"));
    the_console_shows_and_pauses(&node, &agent, &supervisor);
    assert_eq!(house.listed()["standing"]["paused"][1], "the text has a slip");
    node.end();
}

fn the_api_tells_and_pauses(node: &Node, agent: &str, supervisor: &str) {
    let get = |path: &str| node.http.get(path, &[&format!("authorization: Bearer {agent}")]);
    let post = |who: &str, path: &str, body: &str| {
        let bearer = format!("authorization: Bearer {who}");
        node.http.post(path, &[&bearer, "content-type: application/json"], body)
    };
    let row = get("/v1/schedules").json()[0].take();
    assert_eq!(
        (&row["schedule"], &row["seen"], &row["paused"]),
        (&"morning".into(), &true.into(), &Value::Null),
        "{row}"
    );
    let next = get("/v1/schedules/morning/next?count=2").json();
    assert_eq!((&next[0], next.as_array().unwrap().len()), (&row["next"], 2), "{next}");
    for (path, status, code) in [
        ("/v1/schedules/morning/next?count=0", 422, "N805"),
        ("/v1/schedules/morning/next?count=101", 422, "N805"),
        ("/v1/schedules/evening/next", 404, "E535"),
    ] {
        let answer = get(path);
        assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{path}: {}", answer.body);
    }
    let (act, pause) = ("/v1/schedules/morning/act", r#"{"act": "pause", "reason": "a holiday"}"#);
    for (who, path, body, status, code) in [
        (agent, act, pause, 403, "N804"),
        (supervisor, "/v1/schedules/evening/act", pause, 404, "E535"),
        (supervisor, act, r#"{"act": "stop", "reason": "a holiday"}"#, 422, "N805"),
        (supervisor, act, r#"{"act": "pause", "reason": " "}"#, 422, "E511"),
        (supervisor, act, r#"{"act": "resume", "reason": "a holiday"}"#, 409, "E534"),
    ] {
        let answer = post(who, path, body);
        assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{body}: {}", answer.body);
    }
    let paused = post(supervisor, act, pause);
    assert_eq!(paused.status, 200, "{}", paused.body);
    assert_eq!(paused.json()["paused"], "person:sue (supervisor): a holiday");
}

fn the_console_shows_and_pauses(node: &Node, agent: &str, supervisor: &str) {
    let page = |token: &str| node.http.get("/console/schedules", &[&format!("cookie: session={token}")]).body;
    let (mine, another_s) = (page(supervisor), page(agent));
    assert!(mine.contains("30 9 * * mon-fri") && mine.contains("value=\"pause\""), "{mine}");
    assert!(another_s.contains("morning") && !another_s.contains("<button type=\"submit\" name"), "{another_s}");
    let form = [
        &format!("cookie: session={supervisor}"),
        "content-type: application/x-www-form-urlencoded",
        &format!("origin: http://{}", node.http.address),
    ];
    let done = node.http.post("/console/schedules/morning/act", &form, "act=pause&reason=the+text+has+a+slip");
    assert_eq!((done.status, done.header("location")), (303, Some("/console/schedules")), "{}", done.body);
    assert!(page(supervisor).contains("value=\"resume\""));
}

#[test]
fn a_schedule_that_is_mistaken_is_told_with_its_place() {
    let house = House::new();
    std::fs::write(house.project.path().join("workflows/schedules.yaml"), SCHEDULES.replace("30 9", "61 9")).unwrap();
    assert!(house.refused(&["list"], "schedules.yaml:4").contains("61"));
}
