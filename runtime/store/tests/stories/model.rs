//! Any sequence of commits, signals and reopenings leaves what a model in memory says it leaves.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Journal, Log};
use selvedge_record::merkle;

use super::support::{Author, Place};

/// How many runs there are.
const RUNS: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    /// `events` events on the record as it is, answering the oldest `answers` signals.
    Commit { run: usize, events: usize, answers: usize, wake: Option<i64> },
    /// A turn that was decided `behind` events ago.
    Late { run: usize, behind: usize },
    /// A signal.
    Deliver { run: usize, dedupe: u8 },
    /// The node is stopped and started.
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    let run = 0..RUNS;
    let commit = (run.clone(), 1..4usize, 0..3usize, proptest::option::of(0..50i64));
    prop_oneof![
        4 => commit.prop_map(|(run, events, answers, wake)| Act::Commit { run, events, answers, wake }),
        2 => (run.clone(), 1..3usize).prop_map(|(run, behind)| Act::Late { run, behind }),
        3 => (run, 0..4u8).prop_map(|(run, dedupe)| Act::Deliver { run, dedupe }),
        1 => Just(Act::Reopen),
    ]
}

/// One run as the model knows it.
struct Known {
    /// The author as of each length of the record; the last writes next.
    authors: Vec<Author>,
    texts: Vec<String>,
    wake: Option<i64>,
    /// Signals by what makes them one, and whether they wait.
    signals: BTreeMap<u8, bool>,
    /// The order of those that wait.
    waiting: Vec<u8>,
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
        wake: None,
        signals: BTreeMap::new(),
        waiting: vec![],
    };
    let mut model: Vec<Known> = (0..RUNS).map(known).collect();
    for act in acts {
        match act {
            Act::Commit { run, events, answers, wake } => commit(&store, &mut model[run], events, answers, wake).await,
            Act::Late { run, behind } => late(&store, &model[run], behind).await,
            Act::Deliver { run, dedupe } => deliver(&store, &mut model[run], dedupe).await,
            Act::Reopen => store = place.open().await,
        }
        same(&store, &model).await;
    }
}

async fn commit(store: &impl Journal, run: &mut Known, events: usize, answers: usize, wake: Option<i64>) {
    let mut author = run.authors.last().unwrap().clone();
    let mut turn = author.turn(0);
    for _ in 0..events {
        turn.events.extend(author.turn(1).events);
        run.authors.push(author.clone());
    }
    turn.summary.wake = wake;
    turn.consumed = store.inbox(&author.id, answers as u32).await.unwrap().iter().map(|d| d.number).collect();
    run.texts.extend(turn.events.iter().map(|e| e.canonical.clone()));
    store.commit(turn).await.unwrap();
    run.wake = wake;
    for answered in run.waiting.drain(..answers.min(run.waiting.len())) {
        run.signals.insert(answered, false);
    }
}

async fn late(store: &impl Journal, run: &Known, behind: usize) {
    let Some(was) = (run.authors.len() - 1).checked_sub(behind) else { return };
    let mut turn = run.authors[was].clone().turn(1);
    turn.summary.wake = Some(1);
    let outcome = store.commit(turn).await;
    assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{outcome:?}");
}

async fn deliver(store: &impl Journal, run: &mut Known, dedupe: u8) {
    let is_new = store.deliver(&run.authors[0].id, &dedupe.to_string(), &dedupe.to_string(), 99).await.unwrap();
    assert_eq!(is_new, !run.signals.contains_key(&dedupe));
    if is_new {
        run.signals.insert(dedupe, true);
        run.waiting.push(dedupe);
    }
}

async fn same(store: &(impl Journal + Log), model: &[Known]) {
    let edge = store.frontier().await.unwrap();
    let leaves = store.leaves(edge.size()).await.unwrap();
    assert_eq!(edge.root(), merkle::root(&leaves));
    assert_eq!(leaves.len(), model.iter().map(|run| run.texts.len()).sum::<usize>());
    assert_eq!(store.next_wake().await.unwrap(), model.iter().filter_map(|run| run.wake).min());
    let mut due = store.due(25, 99).await.unwrap();
    due.sort();
    let wakes = |run: &&Known| !run.waiting.is_empty() || run.wake.is_some_and(|wake| wake <= 25);
    assert_eq!(due, model.iter().filter(wakes).map(|run| run.authors[0].id.clone()).collect::<Vec<_>>());
    for run in model {
        let id = &run.authors[0].id;
        let record = store.record(id).await.unwrap();
        assert_eq!(record.into_iter().map(|e| e.canonical).collect::<Vec<_>>(), run.texts);
        let inbox: Vec<String> = store.inbox(id, 99).await.unwrap().into_iter().map(|d| d.body).collect();
        assert_eq!(inbox, run.waiting.iter().map(u8::to_string).collect::<Vec<_>>());
    }
}
