//! A node that stays up after the demonstration's story, with the demonstration's vendors beside it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Answer, Node};
use crate::{demo_command, folder, orders, selvedge, text};

/// How long something that is to come may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node that stays up after the story.
pub struct Served {
    /// The node.
    pub node: Node,
    /// A supervisor's token.
    pub supervisor: String,
    /// An auditor's token.
    pub auditor: String,
    /// The interaction of the story.
    pub interaction: String,
    /// Its data.
    pub data: TempDir,
    child: Child,
}

impl Served {
    /// Plays the story and keeps the node up.
    pub fn start() -> Served {
        let data = folder();
        let story = data.path().join("story.jsonl");
        let mut command = demo_command(data.path(), &["--serve"]);
        command.stdout(std::fs::File::create(&story).unwrap()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
            said.push(line);
            if said.last().is_some_and(|line| line.starts_with("stop with")) {
                break;
            }
        }
        let after = |word: &str| {
            let line =
                said.iter().find_map(|line| line.split_once(word)).unwrap_or_else(|| panic!("no {word} in {said:?}"));
            line.1.split_whitespace().next().unwrap().to_owned()
        };
        let (console, supervisor, auditor) = (after("console  "), after("supervisor"), after("auditor"));
        let address = console.strip_prefix("http://").and_then(|url| url.strip_suffix("/console")).unwrap().to_owned();
        let told = std::fs::read_to_string(&story).unwrap();
        let summary: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        let interaction = summary["interaction"].as_str().unwrap().to_owned();
        Served { node: Node { address }, supervisor, auditor, interaction, data, child }
    }

    /// Asks as the holder of a token.
    pub fn get_as(&self, path: &str, token: &str) -> Answer {
        self.node.get(path, &[&format!("authorization: Bearer {token}")])
    }

    /// Sends JSON as the holder of a token.
    pub fn post_as(&self, path: &str, token: &str, body: &Value) -> Answer {
        let headers = [&format!("authorization: Bearer {token}"), "content-type: application/json"];
        self.node.post(path, &headers, &body.to_string())
    }

    /// Runs `selvedge …` beside the node; it has to go well. Returns what it printed.
    pub fn beside(&self, args: &[&str]) -> String {
        let data = self.data.path().to_str().unwrap();
        let output = selvedge([args, &["--data", data]].concat());
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Signs a colleague in and returns their token.
    pub fn sign_in(&self, person: &str, function: &str) -> String {
        let file = self.data.path().join(format!("{person}.token"));
        self.beside(&["staff", "sign-in", person, "--function", function, "--token-file", file.to_str().unwrap()]);
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// The texts on a phone, oldest first, from the vendor's own ledger.
    pub fn texts(&self, number: &str) -> Vec<String> {
        let orders = orders(self.data.path(), "brightline");
        let sent = orders.iter().filter(|order| order["what"]["to"].to_string().contains(number));
        sent.map(|order| order["what"]["text"].as_str().unwrap().to_owned()).collect()
    }

    /// The text on a phone that comes `nth` (from 0), once it is there.
    pub fn text(&self, number: &str, nth: usize) -> String {
        until(|| self.texts(number).get(nth).cloned())
    }

    /// The events of a record, once they are all there.
    pub fn events(&self, interaction: &str) -> Vec<Value> {
        let lines = until(|| {
            let pack = crate::export(self.data.path(), interaction, &[]);
            let events = pack.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let events: Vec<Value> = events.filter(|line| line["event"].is_object()).collect();
            let over = |line: &Value| line["event"]["type"] == "selvedge.interaction.closed";
            events.iter().any(over).then_some(events)
        });
        lines.into_iter().map(|mut line| line["event"].take()).collect()
    }

    /// Where a text stands in some file below the data folder.
    pub fn find(&self, text: &str) -> Vec<String> {
        let (mut found, mut folders) = (Vec::new(), vec![self.data.path().to_path_buf()]);
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                match std::fs::read(&path) {
                    Err(_) => folders.push(path),
                    Ok(bytes) => found.extend(holds(&bytes, text).then(|| path.display().to_string())),
                }
            }
        }
        found
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The six digits in a text.
pub fn code(text: &str) -> String {
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 6);
    digits.unwrap_or_else(|| panic!("no code in `{text}`")).to_owned()
}

/// The path of the page that a text links to.
pub fn page(text: &str) -> String {
    let token = text.split_once("/pay/").and_then(|(_, after)| after.split_whitespace().next());
    format!("/pay/{}", token.unwrap_or_else(|| panic!("no link in `{text}`")))
}

/// Waits for something.
///
/// # Panics
/// Where it does not come.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "it did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}
