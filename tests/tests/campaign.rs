//! A campaign whose nodes are killed at random moments, as `kill -9` does: each customer of its list is met once, nobody
//! gets a message twice by the vendor's own count, and its pace holds. `SELVEDGE_SEED` draws the same moments again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use selvedge_doubles::{DoubleConfig, RunningDouble, brightline};
use selvedge_tests::node::{Database, Node, SECRET, beside, settle};
use selvedge_tests::{folder, orders};
use serde_json::Value;

/// How often a node is killed.
const BLOWS: u64 = 6;
/// Customers of the campaign; each fifth may be texted, the others asked to be left alone and are refused at once.
const LISTED: usize = 150;
const MAY_BE_TEXTED: usize = 5;
/// More than wait for a code in the end, so that the campaign comes to the end of its list.
const AT_ONCE: usize = 36;
/// Of the campaign beside it, which never comes to its end here.
const PER_MINUTE: usize = 3;
/// Who was taken up by a node that died is taken up again after half a minute.
const PATIENCE: Duration = Duration::from_secs(180);

/// The SMS vendor, in this process, which nobody kills.
fn vendor(data: &Path) -> RunningDouble {
    let config = DoubleConfig {
        dir: data.join("doubles"),
        webhook_url: String::new(),
        api_key: SECRET.into(),
        webhook_secret: SECRET.into(),
        control_token: SECRET.into(),
        port: 0,
        now: Arc::new(|| 0),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(brightline(config)).unwrap()
}

fn mobile(n: usize) -> String {
    format!("+1312555{:04}", 1000 + n)
}

/// Writes the list of a campaign; the customers' ids begin with its name.
fn list(data: &Path, campaign: &str, customers: usize, may_be_texted: impl Fn(usize) -> bool) {
    let mut text =
        "customer,patient.name,patient.mobile,account.balance,account.month,zones,jurisdictions,flags\n".to_owned();
    for n in 0..customers {
        let (mobile, flags) = (mobile(n), if may_be_texted(n) { "" } else { "opted-out" });
        writeln!(text, "{campaign}_{n},Ada Example,{mobile},$375.50,2026-10,America/Chicago,US US-IL,{flags}").unwrap();
    }
    std::fs::write(data.join(format!("{campaign}.csv")), text).unwrap();
}

/// What `selvedge … --json` prints beside the nodes.
fn told(data: &Path, database: Option<&str>, args: &[&str]) -> Value {
    serde_json::from_str(&beside(data, database, &[args, &["--json"]].concat())).unwrap()
}

fn progress(data: &Path, database: Option<&str>) -> impl Fn(&str) -> u64 {
    let shown = told(data, database, &["campaign", "show", "november"]);
    move |of| shown["progress"][of].as_u64().unwrap()
}

fn moments() -> impl Fn(u64) -> Duration {
    let seed = std::env::var("SELVEDGE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| RandomState::new().hash_one(()));
    eprintln!("SELVEDGE_SEED={seed}");
    move |blow| {
        let mut hasher = DefaultHasher::new();
        (seed, blow).hash(&mut hasher);
        Duration::from_millis(hasher.finish() % 600)
    }
}

fn nobody_is_met_twice(data: &Path, database: Option<&str>, nodes: usize) {
    let vendor = vendor(data);
    settle(data, &vendor.base_url);
    list(data, "november", LISTED, |n| n % MAY_BE_TEXTED == 0);
    list(data, "slow", 5 * PER_MINUTE, |_| false);
    let (moments, mut at_work) = (moments(), Vec::new());
    at_work.extend((0..nodes).map(|_| Node::start(data, database)));
    let begun = Instant::now();
    for (campaign, pace) in [("slow", [PER_MINUTE, 1000]), ("november", [10_000, AT_ONCE])] {
        let file = data.join(format!("{campaign}.csv"));
        let start =
            ["campaign", "start", campaign, "--workflow", "healthcare-balance", "--list", file.to_str().unwrap()];
        beside(
            data,
            database,
            &[&start[..], &["--per-minute", &pace[0].to_string(), "--at-once", &pace[1].to_string()]].concat(),
        );
    }
    for blow in 0..BLOWS {
        sleep(moments(blow));
        // The one that has been there longest.
        drop(at_work.remove(0));
        assert!(blow > 0 || progress(data, database)("queued") > 0, "it was over before the first of them was killed");
        at_work.push(Node::start(data, database));
    }
    let resting = || {
        let progress = progress(data, database);
        progress("queued") + progress("open") == 0
    };
    while !resting() {
        assert!(begun.elapsed() < PATIENCE, "{}", told(data, database, &["campaign", "show", "november"]));
        sleep(Duration::from_millis(200));
    }

    let runs = told(data, database, &["run", "list"]);
    let runs: Vec<&Value> = runs.as_array().unwrap().iter().map(|run| &run["summary"]).collect();
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
    let of = |campaign: &str| -> Vec<&Value> {
        runs.iter().copied().filter(|run| run["customer"].as_str().unwrap().starts_with(campaign)).collect()
    };
    let (november, slow) = (of("november"), of("slow"));
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for run in november.iter().chain(&slow) {
        *met.entry(run["customer"].as_str().unwrap()).or_default() += 1;
    }
    assert!(met.values().all(|times| *times == 1), "{met:?}");
    assert_eq!(november.len(), LISTED);
    let texted = november.iter().filter(|run| run["over"] == false).count();
    assert_eq!(texted, LISTED.div_ceil(MAY_BE_TEXTED), "who was texted is asked for the code");

    let mut messages: BTreeMap<String, usize> = BTreeMap::new();
    for order in orders(data, "brightline") {
        *messages.entry(order["what"]["to"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let once: BTreeMap<String, usize> = (0..LISTED).step_by(MAY_BE_TEXTED).map(|n| (mobile(n), 1)).collect();
    assert_eq!(messages, once, "by the vendor's ledger");

    assert!((1..=PER_MINUTE * (minutes + 1)).contains(&slow.len()), "{} in {minutes} minutes and a part", slow.len());
    assert!(most_at_once(&november) <= AT_ONCE, "{} at once", most_at_once(&november));
}

/// How many of these runs were under way or waiting at the same time, at most.
fn most_at_once(runs: &[&Value]) -> usize {
    let time = |run: &Value, of: &str| run[of].as_i64().unwrap();
    let ended_before = |run: &Value, at: i64| run["over"] == true && time(run, "updated") < at;
    let open_at = |at: i64| runs.iter().filter(|run| time(run, "opened") <= at && !ended_before(run, at)).count();
    runs.iter().map(|run| open_at(time(run, "opened"))).max().unwrap_or(0)
}

#[test]
fn a_node_that_is_killed_meets_nobody_twice_on_sqlite() {
    nobody_is_met_twice(folder().path(), None, 1);
}

#[test]
fn of_two_nodes_that_are_killed_none_meets_anybody_twice_over_a_database() {
    nobody_is_met_twice(folder().path(), Some(&Database::start().url()), 2);
}
