//! What the tools print under `--json`: the page that says so, `runtime/docs/json.md`, is held against what they do print.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use selvedge_tests::{REFUSED, demo, folder, home, project, selvedge, text};
use serde_json::{Map, Value};
use tempfile::TempDir;

/// Objects whose keys are names of a workflow, a rule or a field, and no words of ours.
const NAMED: [&str; 5] = ["endings", "facts", "kinds_by_rule", "unsafe_by_change", "unsafe_by_rule"];

/// The form of what was printed: each value's kind in its place, and lists as one of all their items. `key?`: not always there.
#[derive(Clone, Debug, PartialEq)]
enum Form {
    Kinds(Vec<&'static str>),
    List(Option<Box<Form>>),
    Keys(BTreeMap<String, (Form, bool)>),
    Names(Option<Box<Form>>),
    Either(Vec<Form>),
}

impl Form {
    fn of(key: &str, value: &Value) -> Form {
        match value {
            Value::Null => Form::Kinds(vec!["null"]),
            Value::Bool(_) => Form::Kinds(vec!["yes or no"]),
            Value::Number(_) => Form::Kinds(vec!["number"]),
            Value::String(_) => Form::Kinds(vec!["text"]),
            Value::Array(all) => Form::List(all_of(all.iter().map(|item| Form::of(key, item)))),
            Value::Object(all) if NAMED.contains(&key) => Form::Names(all_of(all.values().map(|v| Form::of("", v)))),
            Value::Object(all) => {
                Form::Keys(all.iter().map(|(key, value)| (key.clone(), (Form::of(key, value), true))).collect())
            }
        }
    }

    fn with(self, other: Form) -> Form {
        match (self, other) {
            (Form::Kinds(mut one), Form::Kinds(other)) => {
                one.extend(other);
                one.sort_unstable();
                one.dedup();
                Form::Kinds(one)
            }
            (Form::List(one), Form::List(other)) => Form::List(all_of(one.into_iter().chain(other).map(|form| *form))),
            (Form::Names(one), Form::Names(other)) => {
                Form::Names(all_of(one.into_iter().chain(other).map(|form| *form)))
            }
            (Form::Keys(one), Form::Keys(mut other)) => {
                let mut both = BTreeMap::new();
                for (key, (form, always)) in one {
                    let joined = match other.remove(&key) {
                        Some((theirs, as_always)) => (form.with(theirs), always && as_always),
                        None => (form, false),
                    };
                    both.insert(key, joined);
                }
                both.extend(other.into_iter().map(|(key, (form, _))| (key, (form, false))));
                Form::Keys(both)
            }
            (one, other) if one == other => one,
            (Form::Either(mut all), other) | (other, Form::Either(mut all)) => {
                all.push(other);
                Form::Either(all)
            }
            (one, other) => Form::Either(vec![one, other]),
        }
    }

    fn shown(&self) -> Value {
        let one = |form: &Option<Box<Form>>| form.iter().map(|form| form.shown()).collect::<Vec<_>>();
        match self {
            Form::Kinds(kinds) => kinds.join(", or ").into(),
            Form::List(item) => Value::Array(one(item)),
            Form::Names(value) => Value::Object(one(value).into_iter().map(|v| ("<name>".to_owned(), v)).collect()),
            Form::Either(all) => {
                let names = ["one of", "or", "or else"];
                Value::Object(names.iter().zip(all).map(|(name, form)| ((*name).to_owned(), form.shown())).collect())
            }
            Form::Keys(keys) => {
                let mark = |key: &String, always: &bool| if *always { key.clone() } else { format!("{key}?") };
                Value::Object(
                    keys.iter().map(|(key, (form, always))| (mark(key, always), form.shown())).collect::<Map<_, _>>(),
                )
            }
        }
    }
}

fn all_of(all: impl Iterator<Item = Form>) -> Option<Box<Form>> {
    all.reduce(Form::with).map(Box::new)
}

/// The form of what these calls print; each ends with a code that tools promise.
fn form(calls: &[Vec<String>]) -> Value {
    let forms = calls.iter().map(|call| {
        let output = selvedge(call.iter().map(String::as_str).chain(["--json"]));
        assert!(matches!(output.status.code(), Some(0 | REFUSED)), "{call:?}: {}", text(&output.stderr));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{call:?}: {e}"));
        Form::of("", &printed)
    });
    all_of(forms).unwrap().shown()
}

fn words(call: &str) -> Vec<String> {
    call.split(' ').map(str::to_owned).collect()
}

const BALANCE: &str = "workflows/healthcare-balance/workflow.yaml";

/// The workflow with a change, in a folder of its own.
fn changed(project: &TempDir, change: impl Fn(&str) -> String) -> String {
    let path = project.path().join(BALANCE);
    std::fs::write(&path, change(&std::fs::read_to_string(&path).unwrap())).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Without its first step, which breaks rules.
fn without_verification(whole: &str) -> String {
    let verify = whole.find("  - verify:").unwrap();
    let next = whole[verify + 1..].find("\n  - ").unwrap() + verify + 1;
    format!("{}{}", &whole[..verify], &whole[next + 1..])
}

#[test]
fn the_page_says_what_the_tools_print() {
    let (data, projects) = (folder(), [project(), project()]);
    demo(data.path(), &[]);
    let data = data.path().to_str().unwrap();
    let broken = changed(&projects[0], without_verification);
    let other = changed(&projects[1], |whole| {
        whole
            .replace("lasts: 72h", "lasts: 24h")
            .replace("  - communicate:\n      id: receipt", "  - communicate:\n      id: copy")
    });
    let asked = "policy explain --zone America/New_York --jurisdiction US-FL --purpose billing --channel sms";
    let tools = [
        (
            "workflow check",
            vec![words("workflow check healthcare-balance"), words(&format!("workflow check {broken}"))],
        ),
        (
            "workflow explain",
            vec![words("workflow explain healthcare-balance"), words("workflow explain utility-past-due")],
        ),
        ("workflow graph", vec![words("workflow graph healthcare-balance")]),
        ("workflow test", vec![words("workflow test healthcare-balance")]),
        ("workflow simulate", vec![words("workflow simulate healthcare-balance --customers 40 --seed 7")]),
        ("workflow mutants", vec![words("workflow mutants fine-by-reference")]),
        ("workflow diff", vec![words(&format!("workflow diff {BALANCE} {other}"))]),
        ("workflow publish", vec![words(&format!("workflow publish healthcare-balance --data {data}"))]),
        (
            "policy explain",
            vec![
                words(&format!("{asked} --at 2026-03-02T12:30:00-05:00")),
                words(&format!("{asked} --consent billing:sms --at 2026-03-02T12:30:00-05:00")),
                words(&format!("{asked} --consent billing:sms --at 2026-03-02T20:30:00-05:00")),
            ],
        ),
        ("policy test", vec![words("policy test")]),
        ("rules list", vec![words("rules list")]),
    ];

    let path: PathBuf = home().join("runtime/docs/json.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut made = page.clone();
    for (tool, calls) in tools {
        let heading = format!("\n## `selvedge {tool}`\n");
        let section = made.find(&heading).unwrap_or_else(|| panic!("the page says nothing of `{tool}`"));
        let begin = made[section..].find("```json\n").unwrap() + section + "```json\n".len();
        let end = made[begin..].find("```").unwrap() + begin;
        made.replace_range(begin..end, &format!("{:#}\n", form(&calls)));
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return std::fs::write(&path, &made).unwrap();
    }
    assert!(made == page, "{} is old: run this test with UPDATE_SNAPSHOTS=1", path.display());
}
