//! Does the whole hold together? These tests drive the product as its users do: they start the binary, kill it,
//! read what it prints and ask it over HTTP. None of them reaches into a room.
//!
//! The main path: [`demo`] plays the story in a data folder of the test's own, and [`Told`] is what it printed.
//! Read `tests/faults.rs` first: each fault of a vendor in three lines.
//!
//! Absent on purpose: any of the product's rooms as a dependency, so that a test can only see what a user sees. The
//! vendors' doubles are none: they are somebody else's machines.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

pub mod http;
pub mod node;
pub mod on_file;
pub mod served;

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// What the binary answers when a check does not hold.
pub const REFUSED: i32 = 3;

/// The checkout.
pub fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The binary under test: `SELVEDGE_BIN`, or built once for all tests of this process.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("SELVEDGE_BIN") {
        Some(given) => PathBuf::from(given),
        None => build(),
    })
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "-p", "selvedge"]).current_dir(home()).status();
    assert!(built.unwrap().success(), "the binary does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| home().join("target"), PathBuf::from);
    home().join(target).join("release/selvedge")
}

/// A data folder of the test's own, gone at its end.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("selvedge-test-").tempdir().unwrap()
}

/// The project's layout, with definitions that a test may change; the connectors are those of the checkout, built already.
pub fn project() -> TempDir {
    let project = folder();
    copy(&home().join("workflows"), &project.path().join("workflows"));
    symlink(home().canonicalize().unwrap().join("plugins"), project.path().join("plugins")).unwrap();
    project
}

/// `selvedge …`, to be run in the checkout.
pub fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(binary());
    command.args(args).current_dir(home()).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs `selvedge …` to its end.
pub fn selvedge<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    command(args).output().unwrap()
}

/// `selvedge demo --json --data <data> …`, to be run.
pub fn demo_command(data: &Path, args: &[&str]) -> Command {
    let mut command = command(["demo", "--json", "--data"]);
    command.arg(data).args(args);
    command
}

/// Plays the story, or as much of it as comes before the process ends.
pub fn demo(data: &Path, args: &[&str]) -> Told {
    Told::of(&demo_command(data, args).output().unwrap())
}

/// What is printed for people, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a `demo --json` printed and how it ended.
#[derive(Debug)]
pub struct Told {
    /// The timeline, in order.
    pub events: Vec<Value>,
    /// The last line; null when the process was killed before it.
    pub summary: Value,
    /// The exit code; `None` when a signal ended the process.
    pub code: Option<i32>,
    /// The signal.
    pub signal: Option<i32>,
    /// What went to stderr.
    pub stderr: String,
}

impl Told {
    /// Reads the output of `demo --json`. A line that the end of the process cut off is left out.
    pub fn of(output: &Output) -> Told {
        let text = String::from_utf8_lossy(&output.stdout);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        let (events, rest): (Vec<Value>, Vec<Value>) = lines.partition(|line| line["type"].is_string());
        Told {
            events,
            summary: rest.into_iter().next_back().unwrap_or(Value::Null),
            code: output.status.code(),
            signal: output.status.signal(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The interaction that the summary names.
    pub fn interaction(&self) -> &str {
        self.summary["interaction"].as_str().expect("a summary")
    }

    /// The data of every event of a kind: `effect.done`.
    pub fn all<'t>(&'t self, kind: &str) -> impl Iterator<Item = &'t Value> + use<'t> {
        let kind = format!("selvedge.{kind}");
        self.events.iter().filter(move |event| event["type"] == kind.as_str()).map(|event| &event["data"])
    }

    /// Holds a finished story to what must be true of every one: evidence that verifies, one charge by the
    /// gateway's count, nothing revealed and no canary out.
    pub fn assert_good(&self, story: &str) {
        assert_eq!(self.code, Some(0), "{story}: {}\n{}", self.summary, self.stderr);
        let expected =
            [("charges", 1.into()), ("reveals", 0.into()), ("canaries", 0.into()), ("verified", Value::Bool(true))];
        for (what, value) in expected {
            assert_eq!(self.summary[what], value, "{story}: {what} in {}", self.summary);
        }
        let closed: Vec<&Value> = self.all("interaction.closed").collect();
        assert_eq!(closed.len(), 1, "{story}: the interaction closes once");
        assert_eq!(closed[0]["ending"], "completed", "{story}");
    }

    /// Holds the record to "each effect came out once": no key has two outcomes.
    pub fn assert_each_effect_once(&self, story: &str) {
        let mut keys: Vec<&str> = self.all("effect.done").filter_map(|done| done["key"].as_str()).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "{story}: an effect has two outcomes");
        assert!(all >= 7, "{story}: two checks, four messages and a charge are {all} effects");
    }
}

/// The orders that a vendor's double took on, from its ledger on the disk: `brightline`, `northgate`.
pub fn orders(data: &Path, vendor: &str) -> Vec<Value> {
    let ledger = std::fs::read_to_string(data.join("doubles").join(format!("{vendor}.jsonl"))).unwrap_or_default();
    let whole = ledger.rfind('\n').map_or("", |end| &ledger[..end]);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.filter(|line| line["line"] == "accepted").map(|mut line| line["entry"].take()).collect()
}

/// A record as evidence: what `selvedge record export` writes to stdout.
pub fn export(data: &Path, interaction: &str, args: &[&str]) -> String {
    let mut command = command(["record", "export", interaction, "--data"]);
    let output = command.arg(data).args(args).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Copies a folder's content.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
