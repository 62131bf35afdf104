//! How long does a contact decision take? `cargo bench --bench decide`. All shipped packs, a debt in New York City with consents, notes and a full
//! history of the week, counted beforehand as a store would. The floor in the same run is what no decision can do
//! without: its answer, written once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench ends where something is not as it must be")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use selvedge_policy::{Case, Contact, RuleSet, Tally};

/// Decisions per round.
const TIMES: u32 = 1_000;
const CUSTOMER: &str = "
jurisdictions: [US, US-NY, US-NY-NYC]
zones: { address: America/New_York }
phone: \"+1 213 555 0142\"
notes: { reassignment-check: 2026-09-20T12:00:00-04:00 }
consents:
  - { purpose: collections, channel: sms, at: 2026-01-05T16:00:00Z }
  - { purpose: collections, channel: email, at: 2026-01-05T16:00:00Z }
  - { purpose: billing, channel: sms, at: 2026-01-05T16:00:00Z }
contacts:
  - { channel: call, purpose: collections, at: [2026-09-21T12:00:00-04:00, 2026-09-22T12:00:00-04:00] }
";

fn packs() -> RuleSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows/rules");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let files: BTreeMap<String, String> =
        files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect();
    RuleSet::load(&files).unwrap()
}

/// The best mean of many rounds: what else the machine does only adds.
fn best<T>(mut work: impl FnMut() -> T) -> f64 {
    let rounds = (0..50).map(|_| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| drop(black_box(work())));
        start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn main() {
    let (rules, case) = (packs(), Case::load("customer.yaml", CUSTOMER).unwrap());
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let questions = [
        ("a text about a debt, permitted", "collections", "sms", at("2026-09-24T12:00:00-04:00")),
        ("a call about a debt, too early", "collections", "call", at("2026-09-24T08:30:00-04:00")),
        ("a text about a bill, permitted", "billing", "sms", at("2026-09-24T12:00:00-04:00")),
    ];
    println!(
        "{:32}  {:>7}  {:>11}  {:>13}  {:>18}",
        "", "reasons", "decision", "what to count", "floor: answer copied"
    );
    for (name, purpose, channel, moment) in questions {
        let contact = Contact { account: Some("a-1"), ..Contact::new(purpose, channel, moment, &case.state) };
        let tallies: Vec<Tally> = rules.counts(&contact).iter().map(|count| count.tally(&case.contacts)).collect();
        let contact = Contact { tallies: &tallies, ..contact };
        let answer = rules.decide(&contact);
        let decide = best(|| rules.decide(black_box(&contact)));
        let count = best(|| rules.counts(black_box(&contact)));
        let floor = best(|| black_box(&answer).clone());
        let reasons = answer.reasons.len();
        println!("{name:32}  {reasons:>7}  {decide:>8.2} µs  {count:>10.2} µs  {floor:>17.2} µs");
    }
}
