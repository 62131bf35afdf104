//! What is refused says what, where and how to mend it, with its code; and leaves things as they were.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use selvedge_tests::{REFUSED, command, copy, demo, demo_command, folder, home, orders, project, selvedge, text};
use tempfile::TempDir;

/// A copy of the story's workflow after a change, in a folder of the same name.
fn changed_workflow(change: impl Fn(&str) -> String) -> (TempDir, PathBuf) {
    let folder = folder();
    let copied = folder.path().join("healthcare-balance");
    copy(&home().join("workflows/healthcare-balance"), &copied);
    let file = copied.join("workflow.yaml");
    std::fs::write(&file, change(&std::fs::read_to_string(&file).unwrap())).unwrap();
    (folder, file)
}

fn check(workflow: &Path) -> Output {
    selvedge(["workflow", "check", workflow.to_str().unwrap()])
}

#[test]
fn the_story_s_workflow_is_proved() {
    let output = selvedge(["workflow", "check", "healthcare-balance"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("healthcare-balance: proved (sha256:"));
}

#[test]
fn without_its_verification_the_workflow_is_refused_and_the_path_is_named() {
    let (_folder, workflow) = changed_workflow(|yaml| {
        let (from, to) = (yaml.find("  - verify:").unwrap(), yaml.find("  - disclose:").unwrap());
        format!("{}{}", &yaml[..from], &yaml[to..])
    });
    let output = check(&workflow);
    assert_eq!(output.status.code(), Some(REFUSED));
    insta::assert_snapshot!(text(&output.stderr), @r"
    W130 workflows/healthcare-balance/workflow.yaml:17:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it passes no verification
      path: start → owed
      rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
      help: put a `verify` step that proves L2 before `owed`

    W130 workflows/healthcare-balance/workflow.yaml:22:11: `plan` tells `account.balance`, which needs L2, and a path to it passes no verification
      path: start → owed → plan
      rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
      help: put a `verify` step that proves L2 before `plan`

    W111 workflows/healthcare-balance/workflow.yaml:41:16: there is no step `identity` to step up with
      help: add a `verify` step with this id

    not publishable: 3 things to mend
    ");
}

#[test]
fn a_mistake_in_yaml_is_named_with_line_and_column() {
    let (_folder, workflow) = changed_workflow(|yaml| yaml.replace("purpose: billing", "purpose: [billing"));
    let output = check(&workflow);
    assert_eq!(output.status.code(), Some(REFUSED));
    insta::assert_snapshot!(text(&output.stderr), @r"
    W101 workflows/healthcare-balance/workflow.yaml:8:7: this is not YAML: illegal placement of ':' indicator
      help: look at the indentation and the colons of this line and the one before; put texts with `: ` or `#` in quotes

    not publishable: one thing to mend
    ");
}

#[test]
fn a_missing_file_is_named() {
    let nowhere = folder();
    let file = nowhere.path().join("record.jsonl");
    let missing: [&[&str]; 2] =
        [&["record", "verify", file.to_str().unwrap()], &["workflow", "check", "no-such-workflow"]];
    for args in missing {
        let output = selvedge(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.contains("C903") && said.contains("cannot be read") && said.contains("help:"), "{said}");
    }
    let data = nowhere.path().to_str().unwrap();
    let output = selvedge(["record", "list", "--data", data]);
    assert!(text(&output.stderr).contains(&format!("`{data}` is no data folder")), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(nowhere.path()).unwrap().count(), 0, "looking made a data folder");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = folder();
    let data = data.path().join("not-made");
    let told = demo(&data, &["--port", &port]);
    assert_eq!(told.code, Some(1));
    assert!(!data.exists(), "no folder is left behind");
    assert!(told.stderr.contains("C902"), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("port {port} on 127.0.0.1 is in use")), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("`ss -ltnp 'sport = :{port}'`")), "{}", told.stderr);
}

#[test]
fn a_data_folder_from_a_newer_version_is_left_as_it_is() {
    let data = folder();
    std::fs::write(data.path().join("selvedge.db"), database_of_version(9_000)).unwrap();
    std::fs::write(data.path().join("node.lock"), "").unwrap();
    let before = contents(data.path());

    let told = demo(data.path(), &[]);
    assert_eq!(told.code, Some(1));
    assert!(told.stderr.contains("S603") && told.stderr.contains("9000"), "{}", told.stderr);
    let output = selvedge(["record", "list", "--data", data.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("S603"), "{}", text(&output.stderr));
    assert_same(&before, &contents(data.path()));
}

/// The file that SQLite makes of `PRAGMA user_version = <version>` in an empty database: one page, a header and no
/// table (sqlite.org/fileformat2, 1.3 and 1.6).
fn database_of_version(version: u32) -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    // Page size 4096, rollback journal, the fixed payload fractions.
    page[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
    let numbers = [(24, 1), (28, 1), (40, 1), (44, 4), (56, 1), (60, version), (92, 1), (96, 3_046_000)];
    for (at, number) in numbers {
        page[at..at + 4].copy_from_slice(&u32::to_be_bytes(number));
    }
    // The schema's root: a leaf without cells.
    page[100..108].copy_from_slice(&[0x0d, 0, 0, 0, 0, 0x10, 0, 0]);
    page
}

/// Every file below a folder, by its path.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            all.insert(path, bytes);
        }
    }
    all
}

fn assert_same(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after), "files came or went");
    for (path, bytes) in before {
        assert!(after[path] == *bytes, "{} was changed", path.display());
    }
}

#[test]
fn a_second_node_in_the_same_folder_is_kept_out() {
    let data = folder();
    let mut first =
        demo_command(data.path(), &["--serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(first.stderr.take().unwrap()).lines().map_while(Result::ok);
    let serves = lines.into_iter().any(|line| line.starts_with("stop with"));
    let second = demo(data.path(), &[]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(serves, "the first node did not come up");
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("C904") && second.stderr.contains("another `selvedge` runs"), "{}", second.stderr);
    assert!(second.events.is_empty() && orders(data.path(), "northgate").len() == 1);
}

/// The project's layout with a grants file after a change; the connectors are those of the checkout, built already.
fn with_grant(connector: &str, change: impl Fn(&str) -> String) -> TempDir {
    let project = project();
    let file = project.path().join(format!("workflows/grants/{connector}.yaml"));
    let (before, after) = (std::fs::read_to_string(&file).unwrap(), change(&std::fs::read_to_string(&file).unwrap()));
    assert_ne!(before, after, "nothing was taken away");
    std::fs::write(&file, after).unwrap();
    project
}

fn run_in(project: &TempDir, args: &[&str]) -> Output {
    let data = project.path().join("data");
    let mut command = command(args);
    command.current_dir(project.path());
    if args[0] == "demo" {
        command.arg("--data").arg(data);
    }
    command.output().unwrap()
}

#[test]
fn without_the_grant_a_connector_fails_at_load_with_the_line_that_would_grant_it() {
    let project = with_grant("brightline-sim", |yaml| yaml.replace("imports:\n  - egress\n", "imports: []\n"));
    for args in [&["connector", "vet"][..], &["demo", "--json"]] {
        let output = run_in(&project, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = text(&output.stderr);
        let said: String = said.split_inclusive('\n').skip_while(|line| !line.starts_with('H')).collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(said, @r"
            H701

              × the connector `brightline-sim` imports `egress`, which workflows/grants/brightline-sim.yaml:5:10 does not grant
              help: an admin who agrees adds the line `  - egress` under `imports:` in `workflows/grants/brightline-sim.yaml`
            ");
        }
    }
}

#[test]
fn taking_away_the_line_alone_is_enough() {
    let project = with_grant("brightline-sim", |yaml| yaml.replace("  - egress\n", ""));
    let output = run_in(&project, &["connector", "vet"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("H701") && said.contains("adds the line `  - egress`"), "{said}");
}

#[test]
fn a_slot_for_a_field_that_is_not_granted_is_refused() {
    let project = with_grant("brightline-sim", |yaml| {
        yaml.replace("fields: [customer.mobile, patient.mobile]", "fields: [customer.mobile]")
    });
    let output = run_in(&project, &["connector", "vet"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("H704") && said.contains("workflows/grants/brightline-sim.yaml:"), "{said}");
    assert!(said.contains("add `patient.mobile` to `fields:`"), "{said}");
}

#[test]
fn a_grant_that_was_taken_away_whole_is_missed_by_name() {
    let project = with_grant("northgate-cards", |yaml| format!("{yaml}\n"));
    std::fs::remove_file(project.path().join("workflows/grants/northgate-cards.yaml")).unwrap();
    let output = run_in(&project, &["connector", "vet"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("C909") && said.contains("writes `workflows/grants/northgate-cards.yaml`"), "{said}");
}
