//! A node that stays up after the demonstration's story, with the demonstration's vendors beside it.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, Node};
use crate::{demo_command, export, folder, orders, selvedge, text};

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
    says: Mutex<Lines<BufReader<ChildStderr>>>,
}

impl Served {
    /// Plays the story and keeps the node up.
    pub fn start() -> Served {
        Served::over(folder())
    }

    /// `kill -9`, and a start again over the same data. Who was signed in still is.
    pub fn killed_and_started_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Served::over(std::mem::replace(&mut self.data, folder()));
    }

    fn over(data: TempDir) -> Served {
        let story = data.path().join("story.jsonl");
        let mut command = demo_command(data.path(), &["--serve"]);
        command.stdin(Stdio::piped()).stdout(std::fs::File::create(&story).unwrap()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut said, mut says) = (Vec::new(), BufReader::new(child.stderr.take().unwrap()).lines());
        for line in says.by_ref().map_while(Result::ok) {
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
        Served { node: Node { address }, supervisor, auditor, interaction, data, child, says: Mutex::new(says) }
    }

    /// It is this time, such as `2026-12-01T09:00:00-06:00`, when this returns. Sessions that idled until then are over.
    pub fn move_to(&self, time: &str) {
        let mut says = self.says.lock().unwrap();
        writeln!(self.child.stdin.as_ref().unwrap(), "{time}").unwrap();
        let told = says.next().unwrap().unwrap();
        assert!(told.starts_with("it is "), "{told}");
    }

    /// The customer texts back from this number; returns when the node has taken note of it.
    pub fn text_back(&self, number: &str, words: &str) {
        let path = format!("/handset/{}", number.trim_start_matches('+'));
        let answer = self.command("brightline", &path, &json!({ "text": words }));
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Tells a vendor's double something that no real vendor is told: `/control/fault`.
    pub fn command(&self, vendor: &str, path: &str, body: &Value) -> Answer {
        let (address, place) = self.vendor(vendor);
        let control = format!("x-double-control: {}", place["control_token"].as_str().unwrap());
        Node { address }.post(path, &[&control, "content-type: application/json"], &body.to_string())
    }

    /// Where a vendor's double listens, and what the demonstration knows of it.
    pub fn vendor(&self, name: &str) -> (String, Value) {
        let place = std::fs::read_to_string(self.data.path().join("demo.json")).unwrap();
        let place: Value = serde_json::from_str(&place).unwrap();
        (place["vendors"][name].as_str().unwrap().replace("http://", ""), place)
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
        let (away, name) = (folder(), format!("{person}.token"));
        let file = away.path().join(name);
        self.beside(&["staff", "sign-in", person, "--function", function, "--token-file", file.to_str().unwrap()]);
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// Imports customers, as `selvedge customer import` reads them, from a file that is gone afterwards.
    pub fn import(&self, customers: &[Value]) {
        let away = folder();
        let file = away.path().join("customers.jsonl");
        let lines: String = customers.iter().map(|customer| format!("{customer}\n")).collect();
        std::fs::write(&file, lines).unwrap();
        self.beside(&["customer", "import", file.to_str().unwrap()]);
    }

    /// Starts a campaign over these customers, in their order.
    pub fn campaign(&self, name: &str, workflow: &str, customers: &[&str], more: &[&str]) {
        let away = folder();
        let file = away.path().join("list.csv");
        std::fs::write(&file, format!("customer\n{}\n", customers.join("\n"))).unwrap();
        let start = ["campaign", "start", name, "--workflow", workflow, "--list", file.to_str().unwrap()];
        self.beside(&[&start[..], more].concat());
    }

    /// An agent opens an interaction, or is refused.
    pub fn open(&self, agent: &str, workflow: &str, customer: &str) -> Answer {
        let body = json!({ "workflow": workflow, "customer": customer, "channel": "call" });
        self.post_as("/v1/interactions", agent, &body)
    }

    /// An agent opens an interaction, which has to be permitted. Returns its id.
    pub fn opened(&self, agent: &str, workflow: &str, customer: &str) -> String {
        let answer = self.open(agent, workflow, customer);
        assert_eq!(answer.status, 201, "{workflow} with {customer}: {}", answer.body);
        answer.json()["interaction"].as_str().unwrap().to_owned()
    }

    /// The customer reads the newest code on this phone out, and the agent types it in.
    pub fn give_code(&self, agent: &str, interaction: &str, number: &str, nth: usize) {
        let given = json!({ "code": code(&self.text(number, nth)) });
        let answer = self.post_as(&format!("/v1/interactions/{interaction}/code"), agent, &given);
        assert_eq!(answer.json()["matched"], true, "{}", answer.body);
    }

    /// The interaction of a workflow with a customer that was opened last, once there is one.
    pub fn interaction_with(&self, workflow: &str, customer: &str) -> String {
        until(|| {
            let listed: Value = serde_json::from_str(&self.beside(&["run", "list", "--json"])).unwrap();
            let of = |run: &&Value| run["summary"]["workflow"] == workflow && run["summary"]["customer"] == customer;
            let found = listed.as_array().unwrap().iter().find(of).cloned();
            found.map(|run| run["interaction"].as_str().unwrap().to_owned())
        })
    }

    /// Returns when a run waits. What a vendor has taken on the node may not know yet, and a wait begins when it does.
    pub fn rests(&self, interaction: &str) {
        until(|| {
            let listed: Value = serde_json::from_str(&self.beside(&["run", "list", "--json"])).unwrap();
            let run = listed.as_array().unwrap().iter().find(|run| run["interaction"] == interaction).cloned();
            (run.unwrap()["summary"]["busy"] == false).then_some(())
        });
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
        self.events_with(interaction, "interaction.closed")
    }

    /// The events of a record, once there is one of this kind: `contact.decided`.
    pub fn events_with(&self, interaction: &str, kind: &str) -> Vec<Value> {
        until(|| Some(events(&export(self.data.path(), interaction, &[]))).filter(|all| !data_of(all, kind).is_empty()))
    }

    /// Takes a record out and has it verified from the file alone, with the key that the operator published.
    pub fn assert_verifies(&self, interaction: &str) {
        let away = folder();
        let (file, key) = (away.path().join("record.jsonl"), self.data.path().join("log.pub"));
        std::fs::write(&file, export(self.data.path(), interaction, &[])).unwrap();
        let output = selvedge(["record", "verify", file.to_str().unwrap(), "--key", key.to_str().unwrap()]);
        assert!(text(&output.stdout).starts_with("VERIFIED"), "{interaction}: {}", text(&output.stdout));
    }

    /// Holds everything to "no canary got out": tables, logs and ledgers, what plugins asked of vendors, and every record,
    /// whose rows lie pressed in the tables.
    pub fn assert_clean(&self, canaries: &[&str]) {
        let listed = self.beside(&["record", "list"]);
        let ids = listed.split_whitespace().filter(|word| word.starts_with("int_"));
        let records: Vec<String> = ids.chain(["access"]).map(|id| export(self.data.path(), id, &[])).collect();
        for canary in canaries {
            assert_eq!(self.find(canary), [""; 0], "{canary}");
            assert!(!records.iter().any(|record| record.contains(canary)), "{canary} stands in a record");
        }
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

/// The events in an exported record.
fn events(pack: &str) -> Vec<Value> {
    let lines = pack.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"].is_object()).map(|mut line| line["event"].take()).collect()
}

/// The data of the events of a kind, such as `effect.done`, in their order.
pub fn data_of<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    let kind = format!("selvedge.{kind}");
    events.iter().filter(|event| event["type"] == kind.as_str()).map(|event| &event["data"]).collect()
}

/// The rules whose reason in a decision has this verdict: `permit`, `deny`, `defer`.
pub fn rules<'d>(decision: &'d Value, verdict: &str) -> Vec<&'d str> {
    let reasons = decision["reasons"].as_array().unwrap().iter();
    let those = reasons.filter(|reason| reason["verdict"]["kind"] == verdict);
    those.map(|reason| reason["rule"].as_str().unwrap()).collect()
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

/// The value of a hidden field of a page.
pub fn hidden(page: &str, name: &str) -> String {
    let (_, after) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{page}"));
    after.split('"').next().unwrap().to_owned()
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
