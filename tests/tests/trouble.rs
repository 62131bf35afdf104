//! The disk of a node runs full: it says so, keeps what it has, and goes on without being started again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use selvedge_tests::http::{Answer, Node};
use selvedge_tests::{binary, folder, home};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a node may take to notice.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node whose data lie on a disk of a few megabytes. The vendors keep theirs elsewhere.
struct Small {
    node: Node,
    auditor: String,
    interaction: String,
    /// The disk, as it is seen from outside the node's own view of the file system.
    disk: PathBuf,
    child: Child,
    _folders: [TempDir; 2],
}

impl Small {
    fn start() -> Small {
        let (data, vendors) = (folder(), folder());
        // Who is not root becomes it in a namespace of their own.
        let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let script = r#"mount -t tmpfs -o size=6m tmpfs "$1" && ln -s "$2" "$1/doubles" && exec "$0" demo --json --serve --data "$1""#;
        let mut child = Command::new("unshare")
            .args([if root { "-m" } else { "-rm" }, "sh", "-c", script])
            .args([binary(), data.path(), vendors.path()])
            .current_dir(home())
            .stdout(File::create(vendors.path().join("story")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
            said.push(line);
            if said.last().is_some_and(|line| line.starts_with("stop with")) {
                break;
            }
        }
        let after = |word: &str| {
            let line = said.iter().find_map(|line| line.split_once(word));
            line.unwrap_or_else(|| panic!("no {word} in {said:?}")).1.split_whitespace().next().unwrap().to_owned()
        };
        let address = after("console  ").replace("http://", "").replace("/console", "");
        let story = std::fs::read_to_string(vendors.path().join("story")).unwrap();
        let summary: Value = serde_json::from_str(story.lines().last().unwrap()).unwrap();
        let disk = Path::new("/proc").join(child.id().to_string()).join("root");
        let disk = disk.join(data.path().strip_prefix("/").unwrap());
        let interaction = summary["interaction"].as_str().unwrap().to_owned();
        Small { node: Node { address }, auditor: after("auditor"), interaction, disk, child, _folders: [data, vendors] }
    }

    /// Writes until there is no room for another byte.
    fn fill(&self) -> PathBuf {
        let path = self.disk.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }

    fn health(&self, wanted: u16) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.node.get("/health", &[]);
            if answer.status == wanted {
                return answer.json();
            }
            assert!(begun.elapsed() < PATIENCE, "not {wanted}: {answer:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Evidence leaves only when that it left is written down.
    fn export(&self) -> Answer {
        let path = format!("/v1/interactions/{}/pack", self.interaction);
        self.node.get(&path, &[&format!("authorization: Bearer {}", self.auditor)])
    }

    /// The gateway may report of the charge after the interaction is over.
    fn whole_story(&self) -> Answer {
        let begun = Instant::now();
        loop {
            let evidence = self.export();
            assert_eq!(evidence.status, 200, "{evidence:?}");
            if evidence.body.contains("vendor.reported") {
                return evidence;
            }
            assert!(begun.elapsed() < PATIENCE, "the gateway has not reported");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_node_whose_disk_is_full_stops_says_so_and_goes_on_when_there_is_room() {
    let small = Small::start();
    assert_eq!(small.health(200), json!({ "status": "ok" }));
    let whole = small.whole_story();

    let filler = small.fill();

    assert_eq!(small.health(503), json!({ "status": "not-ready", "why": "the disk is full" }));
    let refused = small.export();
    assert_eq!(refused.status, 503, "evidence left, and nobody wrote it down: {}", refused.head);

    std::fs::remove_file(filler).unwrap();

    assert_eq!(small.health(200), json!({ "status": "ok" }));
    let again = small.export();
    assert_eq!((again.status, again.body == whole.body), (200, true), "the record is what it was");
}
