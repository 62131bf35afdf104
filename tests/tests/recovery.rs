//! `kill -9` at any moment, start again: the same interaction goes on, no effect comes out twice, one charge.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::{Child, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use selvedge_tests::{Told, copy, demo, demo_command, export, folder, orders};
use serde_json::Value;

/// How many stories are played at the same time.
const AT_ONCE: usize = 3;
/// A story has at least so many commits; fewer kills mean that the crash points are not reached any more.
const FEWEST_COMMITS: u64 = 25;
/// How many times a process is killed from outside.
const RANDOM_KILLS: u32 = 12;
/// The signal of `kill -9`.
const SIGKILL: i32 = 9;

/// A code, a link, a code for the step-up, a receipt.
const MESSAGES: usize = 4;

#[test]
fn a_kill_before_any_commit_loses_nothing() {
    kill_at_every_commit("before");
}

#[test]
fn a_kill_after_any_commit_repeats_nothing() {
    kill_at_every_commit("after");
}

fn kill_at_every_commit(side: &str) {
    let (next, over, kills) = (AtomicU64::new(1), AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let nth = next.fetch_add(1, Ordering::SeqCst);
                    match killed_at(nth, side) {
                        true => kills.fetch_add(1, Ordering::SeqCst),
                        false => u64::from(over.swap(true, Ordering::SeqCst)),
                    };
                }
            });
        }
    });
    let kills = kills.into_inner();
    eprintln!("{kills} kills {side} a commit");
    assert!(kills >= FEWEST_COMMITS, "only {kills} kills {side} a commit");
}

/// Kills a story at its nth commit and has it told to the end. `false`: it has fewer commits.
fn killed_at(nth: u64, side: &str) -> bool {
    let (data, story) = (folder(), format!("killed {side} commit {nth}"));
    let first = demo(data.path(), &["--die-at-commit", &nth.to_string(), "--die", side]);
    if first.signal.is_none() {
        first.assert_good(&format!("no commit {nth} to be killed {side}"));
        return false;
    }
    assert_eq!(first.signal, Some(SIGKILL), "{story}: {}", first.stderr);
    goes_on(data.path(), &first, &story);
    true
}

/// Starts again after a kill: the same story ends well.
fn goes_on(data: &Path, before: &Told, story: &str) -> Told {
    let told = demo(data, &[]);
    told.assert_good(story);
    told.assert_each_effect_once(story);
    assert_continues(before, &told, story);
    assert_messages(data, &told, story);
    assert_eq!(orders(data, "northgate").len(), 1, "{story}: the gateway's own ledger");
    told
}

/// What was told before the kill is how the record begins: no step lost, none told otherwise, no other interaction.
fn assert_continues(before: &Told, after: &Told, story: &str) {
    assert!(after.events.starts_with(&before.events), "{story}: the record does not begin with what was told before");
    let subjects: BTreeSet<&str> = after.events.iter().filter_map(|event| event["subject"].as_str()).collect();
    assert_eq!(subjects, BTreeSet::from([after.interaction()]), "{story}: one interaction");
}

/// Each message once: those of the story, and another code where the customer had to prove who they are in another
/// browser, as the record then says.
fn assert_messages(data: &Path, told: &Told, story: &str) {
    let texts = orders(data, "brightline");
    let keys: BTreeSet<&str> = texts.iter().filter_map(|text| text["key"].as_str()).collect();
    assert_eq!(keys.len(), texts.len(), "{story}: a message was taken on twice");
    assert_eq!(told.summary["messages"], texts.len(), "{story}: the vendor's count");
    let codes_again = told.all("effect.done").filter(|done| is_another_code(done)).count();
    assert_eq!(texts.len(), MESSAGES + codes_again, "{story}: {keys:?}");
}

fn is_another_code(done: &Value) -> bool {
    let key = done["key"].as_str().unwrap_or_default();
    key.rsplit_once(".challenge.").is_some_and(|(_, visit)| visit != "1")
}

/// How often the story is gone through in search of a commit.
const MOST_SWEEPS: u32 = 4;

/// The gateway took the money, and the process died before the outcome was in the record.
#[test]
fn a_kill_between_the_capture_and_our_commit_charges_once() {
    // Checkpoints are signed beside the story, so commits are not numbered alike each time: what one sweep steps over,
    // the next one meets.
    let sweep = || {
        let commits = FEWEST_COMMITS / 2..4 * FEWEST_COMMITS;
        let mut killed = commits.map_while(|nth| {
            let data = folder();
            let first = demo(data.path(), &["--die-at-commit", &nth.to_string(), "--die", "before"]);
            (first.signal == Some(SIGKILL)).then_some((nth, data, first))
        });
        killed.find(|(_, data, first)| {
            orders(data.path(), "northgate").len() == 1 && !charge_is_recorded(data.path(), first)
        })
    };
    let captured_unknown = (0..MOST_SWEEPS).find_map(|_| sweep());
    let (nth, data, first) = captured_unknown.expect("a commit that would have recorded the charge");
    let story = format!("killed before commit {nth}, which records the charge");
    let told = goes_on(data.path(), &first, &story);
    assert_charged_by_asking(&told, &story);
}

/// The same with a process that does not know what hits it: the gateway holds its answer back, and as soon as the
/// charge is in its ledger, `kill -9` comes from outside.
#[test]
fn a_kill_while_the_gateway_answers_charges_once() {
    let (data, story) = (folder(), "killed while the gateway answers");
    let mut playing = Playing::start(data.path(), &["--fault", "charges=late"]);
    let started = Instant::now();
    while orders(data.path(), "northgate").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(120), "the story does not come to the charge");
        thread::sleep(Duration::from_millis(2));
    }
    let first = playing.kill();
    assert_eq!(first.signal, Some(SIGKILL), "{story}");
    assert!(!charge_is_recorded(data.path(), &first), "{story}: the outcome was recorded before it was known");
    let told = goes_on(data.path(), &first, story);
    assert_charged_by_asking(&told, story);
}

/// Whether the record in `data` holds the outcome of the charge. Looks at a copy: looking signs a checkpoint.
fn charge_is_recorded(data: &Path, told: &Told) -> bool {
    let beside = folder();
    copy(data, beside.path());
    let interaction = told.events[0]["subject"].as_str().unwrap();
    export(beside.path(), interaction, &[])
        .lines()
        .any(|line| line.contains("selvedge.effect.done") && line.contains(".charge."))
}

/// One attempt at the charge, and one outcome, which the gateway was asked for.
fn assert_charged_by_asking(told: &Told, story: &str) {
    let of_charge = |kind: &'static str| told.all(kind).filter(|data| is_charge(data)).count();
    assert_eq!(of_charge("effect.intended"), 1, "{story}: it was tried again");
    assert_eq!(of_charge("effect.done"), 1, "{story}");
}

fn is_charge(data: &Value) -> bool {
    data["key"].as_str().is_some_and(|key| key.contains(".charge."))
}

/// Kills from outside, at moments that nobody chose; some stories are killed several times. A failure prints the
/// seed, and `SELVEDGE_SEED=<seed>` draws the same moments again.
#[test]
fn kills_at_random_moments_change_nothing() {
    let seed = std::env::var("SELVEDGE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let mut random = Random(seed);
    let whole = Instant::now();
    demo(folder().path(), &[]).assert_good("undisturbed");
    let whole = whole.elapsed();
    let mut kills = 0;
    while kills < RANDOM_KILLS {
        let (data, wanted) = (folder(), 1 + random.below(3));
        let story = format!("seed {seed}, after {kills} kills, to be killed {wanted} times");
        let mut before = None;
        for _ in 0..wanted {
            let mut playing = Playing::start(data.path(), &[]);
            thread::sleep(whole.mul_f64(0.2) + whole.mul_f64(random.below(800) as f64 / 1000.0));
            let told = playing.kill();
            kills += u32::from(told.signal == Some(SIGKILL));
            before = Some(told);
        }
        goes_on(data.path(), &before.unwrap(), &story);
    }
    eprintln!("seed {seed}: {kills} kills");
}

/// A story that is being played, to be killed.
struct Playing {
    child: Child,
    /// Not a pipe: nobody reads while it is played.
    said: tempfile::NamedTempFile,
}

impl Playing {
    fn start(data: &Path, args: &[&str]) -> Playing {
        let said = tempfile::NamedTempFile::new().unwrap();
        let errors = File::create("/dev/null").unwrap();
        let child = demo_command(data, args).stdout(said.reopen().unwrap()).stderr(errors).spawn().unwrap();
        Playing { child, said }
    }

    /// `kill -9`, and what it had told until then.
    fn kill(&mut self) -> Told {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        Told::of(&Output { status, stdout: std::fs::read(self.said.path()).unwrap(), stderr: Vec::new() })
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
