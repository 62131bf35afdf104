//! Any sequence of commits, signals and reopenings leaves what a model in memory says it leaves.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Asked, Journal, Lease, Log, RunId};
use selvedge_record::merkle;

use super::support::{Author, Place, summary};

/// How many runs there are.
const RUNS: usize = 3;
/// The time at which work is looked for, and the one at which mail arrives: not before some of it is due.
const NOW: i64 = 25;
const MAIL_AT: i64 = 22;

#[derive(Clone, Debug)]
enum Act {
    /// `events` events on the record as it is, answering the oldest `answers` signals, if the run can be had.
    Commit { run: usize, events: usize, answers: usize, stands: Stands },
    /// A turn that was decided `behind` events ago.
    Late { run: usize, behind: usize },
    /// A signal.
    Deliver { run: usize, dedupe: u8 },
    /// The node takes up what wants it.
    Claim { limit: u32 },
    /// The node is stopped and started.
    Reopen,
}

/// How a turn leaves a run.
#[derive(Clone, Copy, Debug, Default)]
struct Stands {
    busy: bool,
    wake: Option<i64>,
    release: bool,
}

fn act() -> impl Strategy<Value = Act> {
    let run = 0..RUNS;
    let stands = (any::<bool>(), proptest::option::of(0..50i64), any::<bool>());
    let stands = stands.prop_map(|(busy, wake, release)| Stands { busy, wake, release });
    let commit = (run.clone(), 1..4usize, 0..3usize, stands);
    prop_oneof![
        4 => commit.prop_map(|(run, events, answers, stands)| Act::Commit { run, events, answers, stands }),
        2 => (run.clone(), 1..3usize).prop_map(|(run, behind)| Act::Late { run, behind }),
        3 => (run, 0..4u8).prop_map(|(run, dedupe)| Act::Deliver { run, dedupe }),
        1 => (1..4u32).prop_map(|limit| Act::Claim { limit }),
        1 => Just(Act::Reopen),
    ]
}

/// One run as the model knows it.
struct Known {
    /// The author as of each length of the record; the last writes next.
    authors: Vec<Author>,
    texts: Vec<String>,
    stands: Stands,
    lease: Option<Lease>,
    /// Signals by what makes them one, and whether they wait.
    signals: BTreeMap<u8, bool>,
    /// The order of those that wait.
    waiting: Vec<u8>,
}

impl Known {
    fn id(&self) -> &RunId {
        &self.authors[0].id
    }

    /// Since when the run wants to be driven, if it does now and nobody drives it.
    fn waits_since(&self) -> Option<i64> {
        if self.texts.is_empty() || self.lease.is_some() {
            return None;
        }
        let busy = self.stands.busy.then_some(summary("owed").updated);
        let wake = self.stands.wake.filter(|wake| *wake <= NOW);
        let mail = (!self.waiting.is_empty()).then_some(MAIL_AT);
        [busy, wake, mail].into_iter().flatten().min()
    }
}

pub fn any_story_leaves_what_the_model_says<P: Place>() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    let told = TestRunner::new(config).run(&proptest::collection::vec(act(), 1..24), |acts| {
        runtime.block_on(play::<P>(acts));
        Ok(())
    });
    told.unwrap();
}

async fn play<P: Place>(acts: Vec<Act>) {
    let place = P::fresh().await;
    let mut store = place.open().await;
    let known = |n| Known {
        authors: vec![Author::new(&format!("int_{n}"))],
        texts: vec![],
        stands: Stands::default(),
        lease: None,
        signals: BTreeMap::new(),
        waiting: vec![],
    };
    let mut model: Vec<Known> = (0..RUNS).map(known).collect();
    for act in acts {
        match act {
            Act::Commit { run, events, answers, stands } => {
                commit(&store, &mut model[run], events, answers, stands).await;
            }
            Act::Late { run, behind } => late(&store, &model[run], behind).await,
            Act::Deliver { run, dedupe } => deliver(&store, &mut model[run], dedupe).await,
            Act::Claim { limit } => claim(&store, &mut model, limit).await,
            Act::Reopen => {
                place.close(store).await;
                store = place.open().await;
                model.iter_mut().for_each(|run| run.lease = None);
            }
        }
        same(&store, &model).await;
    }
}

async fn commit(store: &impl Journal, run: &mut Known, events: usize, answers: usize, stands: Stands) {
    if run.lease.is_none() && !run.texts.is_empty() {
        let asked = store.claim_one(run.id(), NOW).await.unwrap();
        let Asked::Leased(lease) = asked else {
            assert_eq!((asked, run.waits_since()), (Asked::Idle, None));
            return;
        };
        assert!(run.waits_since().is_some());
        run.lease = Some(lease);
    }
    let mut author = run.authors.last().unwrap().clone();
    let mut turn = author.turn(0);
    for _ in 0..events {
        turn.events.extend(author.turn(1).events);
        run.authors.push(author.clone());
    }
    turn.lease = run.lease.unwrap_or(Lease::OPENING);
    (turn.summary.busy, turn.summary.wake, turn.release) = (stands.busy, stands.wake, stands.release);
    turn.consumed = store.inbox(&author.id, answers as u32).await.unwrap().iter().map(|d| d.number).collect();
    run.texts.extend(turn.events.iter().map(|e| e.canonical.clone()));
    run.lease = (!stands.release).then_some(turn.lease);
    store.commit(turn).await.unwrap();
    run.stands = stands;
    for answered in run.waiting.drain(..answers.min(run.waiting.len())) {
        run.signals.insert(answered, false);
    }
}

async fn late(store: &impl Journal, run: &Known, behind: usize) {
    let Some(was) = (run.authors.len() - 1).checked_sub(behind) else { return };
    let mut turn = run.authors[was].clone().turn(1);
    turn.lease = run.lease.unwrap_or(Lease::OPENING);
    turn.summary.wake = Some(1);
    let outcome = store.commit(turn).await;
    match run.lease {
        None if was > 0 => assert!(matches!(outcome, Err(StoreError::Stale { .. })), "{outcome:?}"),
        _ => assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{outcome:?}"),
    }
}

async fn deliver(store: &impl Journal, run: &mut Known, dedupe: u8) {
    let is_new = store.deliver(run.id(), &dedupe.to_string(), &dedupe.to_string(), MAIL_AT).await.unwrap();
    assert_eq!(is_new, !run.signals.contains_key(&dedupe));
    if is_new {
        run.signals.insert(dedupe, true);
        run.waiting.push(dedupe);
    }
}

/// Who waits longest comes first; among those that wait equally long any may.
async fn claim(store: &impl Journal, model: &mut [Known], limit: u32) {
    let mut longest: Vec<i64> = model.iter().filter_map(Known::waits_since).collect();
    longest.sort();
    longest.truncate(limit as usize);
    let mut claimed = vec![];
    for claim in store.claim(NOW, limit).await.unwrap() {
        let run = model.iter_mut().find(|run| *run.id() == claim.id).unwrap();
        claimed.push(run.waits_since().unwrap());
        run.lease = Some(claim.lease);
    }
    assert_eq!(claimed, longest);
}

async fn same(store: &(impl Journal + Log), model: &[Known]) {
    let edge = store.frontier().await.unwrap();
    let leaves = store.leaves(edge.size()).await.unwrap();
    assert_eq!(edge.root(), merkle::root(&leaves));
    assert_eq!(leaves.len(), model.iter().map(|run| run.texts.len()).sum::<usize>());
    let free = model.iter().filter(|run| run.lease.is_none());
    assert_eq!(store.next_wake().await.unwrap(), free.filter_map(|run| run.stands.wake).min());
    for run in model {
        let record = store.record(run.id()).await.unwrap();
        assert_eq!(record.into_iter().map(|e| e.canonical).collect::<Vec<_>>(), run.texts);
        let inbox: Vec<String> = store.inbox(run.id(), 99).await.unwrap().into_iter().map(|d| d.body).collect();
        assert_eq!(inbox, run.waiting.iter().map(u8::to_string).collect::<Vec<_>>());
    }
}
