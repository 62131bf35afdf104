//! Nodes of `selvedge serve`, each a process, and the PostgreSQL that some of them share.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{command, home, http, text};

const SETTINGS: &str = "\
tenant: riverside
public_url: https://pay.example.org
sender:
  sender.name: Riverside Clinic
  sender.phone: 312-555-0100
connections:
";

/// Where no vendor is.
pub const NOBODY: &str = "https://vendor.invalid";
/// What the nodes' vendors want to see, and sign with.
pub const SECRET: &str = "sesame";

/// A data folder with settings for the vendors that the first-party connectors are granted, all of them at `vendor`.
pub fn settle(data: &Path, vendor: &str) {
    let connection = |name: &str| {
        format!("  {name}:\n    base_url: {vendor}\n    credential_file: secret\n    webhook_secret_file: secret\n")
    };
    let mut names = BTreeSet::new();
    for grant in std::fs::read_dir(home().join("workflows/grants")).unwrap() {
        let text = std::fs::read_to_string(grant.unwrap().path()).unwrap();
        let granted = text.split("\nconnections:\n").nth(1).unwrap_or_default().lines();
        names.extend(granted.filter_map(|line| Some(line.strip_prefix("  ")?.strip_suffix(':')?.to_owned())));
    }
    // What is indented further is no name.
    let connections: String = names.iter().filter(|name| !name.starts_with(' ')).map(|name| connection(name)).collect();
    let settings = SETTINGS.to_owned() + &connections;
    std::fs::write(data.join("node.yaml"), settings).unwrap();
    std::fs::write(data.join("secret"), SECRET).unwrap();
}

/// A node at work. A test that drops it kills it at once, as `kill -9` does.
pub struct Node {
    process: Child,
    /// Its API.
    pub http: http::Node,
}

impl Node {
    /// Starts a node, on SQLite in its data folder or over a database, and waits until it listens.
    pub fn start(data: &Path, database: Option<&str>) -> Node {
        Node::start_in(home(), data, database)
    }

    /// The same with the definitions of a [`project`](crate::project).
    pub fn start_in(project: &Path, data: &Path, database: Option<&str>) -> Node {
        let mut command = command(["serve", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(data).current_dir(project);
        // As an operator would: not where others can read it.
        database.inspect(|url| {
            command.env("SELVEDGE_DATABASE", url);
        });
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let address = lines.by_ref().find_map(|line| {
            said.push(line.clone());
            line.strip_prefix("listening on http://").map(str::to_owned)
        });
        let address = address.unwrap_or_else(|| panic!("it does not listen: {}", said.join("\n")));
        std::thread::spawn(move || lines.for_each(drop));
        Node { process, http: http::Node { address } }
    }

    /// What its load balancer would be told.
    pub fn health(&self) -> u16 {
        self.http.get("/health", &[]).status
    }

    /// Told to end, it ends well.
    pub fn end(mut self) {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

/// A test that ends early leaves no node behind.
impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `selvedge …` beside a node, which must do it; what it prints.
pub fn beside(data: &Path, database: Option<&str>, args: &[&str]) -> String {
    let mut command = command(args);
    command.arg("--data").arg(data).envs(database.map(|url| ("SELVEDGE_DATABASE", url)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A PostgreSQL for as long as this lives.
pub struct Database {
    /// It ends when this closes.
    _stdin: ChildStdin,
    _running: Child,
    folder: String,
}

impl Database {
    /// Starts it.
    pub fn start() -> Database {
        let mut process =
            Command::new(home().join("tests/postgres")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut folder = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "PostgreSQL did not start");
        let stdin = process.stdin.take().unwrap();
        Database { _stdin: stdin, _running: process, folder: folder.trim().to_owned() }
    }

    /// Its address, for `SELVEDGE_DATABASE`.
    pub fn url(&self) -> String {
        format!("postgres://selvedge@{}/postgres", self.folder.replace('/', "%2F"))
    }
}
