//! A node whose store or clock is in trouble: it stops, says so, loses nothing, and goes on by itself.

#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "a test, and only a part of what the node can do")]

mod node;

use std::path::Path;
use std::sync::atomic::Ordering;

use node::Node;
use selvedge_engine::run::{Phase, Run};
use selvedge_engine::{EngineError, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

/// Another process, such as a database shell that somebody left open.
async fn beside(folder: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(folder.join("selvedge.db")).connect().await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

fn waits_for_the_code(run: &Run) -> bool {
    matches!(run.phase(), Phase::Waiting(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_database_is_held_by_another_process_stops_says_so_and_goes_on() {
    let node = Node::start().await;
    node.engine.health().await.unwrap();
    let run = node.open().await.unwrap();
    node.checks(1).await;
    let mut other = beside(node.folder.path()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;

    // The vendor answers, and the answer cannot be kept.
    node.vendors.checking.add_permits(10);
    let refused = node.open().await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Store(StoreError::Unavailable { .. }) | EngineError::NotReady { .. }),
        "{refused}"
    );
    let why = node.engine.health().await.unwrap_err();
    assert!(matches!(&why, EngineError::NotReady { why } if why == "another process holds the database"), "{why}");
    assert!(matches!(node.open().await, Err(EngineError::NotReady { .. })), "it is refused at once");
    assert!(node.vendors.sent.lock().unwrap().is_empty(), "something left that could not be written down first");

    execute(&mut other, "ROLLBACK").await;

    node.becomes(&run, waits_for_the_code).await;
    node.engine.health().await.unwrap();
    let again = node.open().await.unwrap();
    node.becomes(&again, waits_for_the_code).await;
    let keys = [&run, &again].map(|id| format!("{}.identity.challenge.1", id.interaction));
    assert_eq!(*node.vendors.sent.lock().unwrap(), keys, "each code once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_steps_back_for_hours_waits_for_it() {
    let node = Node::start().await;
    let run = node.open().await.unwrap();
    node.checks(1).await;

    node.clock.behind.store(3 * 3_600_000_000, Ordering::SeqCst);
    node.vendors.checking.add_permits(10);
    let why = node.engine.health().await.unwrap_err();
    assert!(why.to_string().contains("10800 s before"), "{why}");
    assert!(matches!(node.open().await, Err(EngineError::NotReady { .. })));
    // What was on its way is written down; what would come next is not begun.
    node.becomes(&run, |run| matches!(run.at(), selvedge_engine::run::At::Node(node) if node != "identity.check"))
        .await;
    assert!(node.vendors.sent.lock().unwrap().is_empty(), "a message left at a time that nobody knows");

    node.clock.behind.store(0, Ordering::SeqCst);

    node.becomes(&run, waits_for_the_code).await;
    assert_eq!(node.vendors.sent.lock().unwrap().len(), 1);
}
