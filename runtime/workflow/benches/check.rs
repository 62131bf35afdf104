//! How long a check takes by the number of steps: `cargo bench --bench check`. The floor is the same reading without the
//! proofs: parsing the YAML alone.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench stops where it cannot go on")]

use std::time::{Duration, Instant};

use selvedge_workflow::source::Document;
use selvedge_workflow::{Files, compile};

#[path = "../tests/stories/house.rs"]
#[allow(dead_code, reason = "a part of what the stories share is used here")]
mod house;

/// The shipped workflow with so many steps: after the verification, one after the other of those that can stand there.
fn workflow(steps: usize) -> String {
    let text = &house::files()[house::WORKFLOW];
    let head = &text[..text.find("  - disclose:").unwrap()];
    let more = (1..steps).map(|n| match n % 2 {
        0 => format!("  - disclose: {{ id: s{n}, fields: [account.balance], over: call }}\n"),
        _ => {
            format!("  - ask: {{ id: s{n}, question: Well?, of: clerk, answers: [a, b], within: 1s, otherwise: a }}\n")
        }
    });
    head.replace("  cards: northgate-cards\n", "") + &more.collect::<String>()
}

/// The best of many times: what else the machine does only adds.
fn best(mut work: impl FnMut()) -> Duration {
    let timed = (0..40).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    timed.min().unwrap_or_default()
}

fn main() {
    let connectors = house::connectors();
    println!("{:>6}  {:>12}  {:>12}", "steps", "check", "YAML alone");
    for steps in [25, 50, 100, 200, 400] {
        let text = workflow(steps);
        let mut files: Files = house::files();
        files.insert(house::WORKFLOW.to_owned(), text.clone());
        let check = best(|| drop(compile(&files, house::NAME, &connectors).unwrap()));
        let floor = best(|| drop(Document::parse("w.yaml", &text).unwrap()));
        println!("{steps:>6}  {:>9} µs  {:>9} µs", check.as_micros(), floor.as_micros());
    }
}
