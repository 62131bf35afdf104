//! A snapshot while others write, and what an examination finds.

#![allow(clippy::unwrap_used, missing_docs, dead_code, reason = "a test, and only a part of what the stories share")]

#[path = "stories/support.rs"]
mod support;

use std::path::Path;

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Journal, Log, Safe};
use selvedge_store::SqliteStore;
use selvedge_store::sqlite::SCHEMA;
use selvedge_store::sqlite::backup::{Examined, examine};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use support::{Author, TENANT};
use tempfile::TempDir;

/// Records of this many events each.
const TURN: usize = 3;

async fn filled(records: usize) -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    for n in 0..records {
        let mut author = Author::new(&format!("int_{n}"));
        store.commit(author.turn(TURN - 1)).await.unwrap();
        store.commit(author.turn(1)).await.unwrap();
    }
    (folder, store)
}

/// A copy of the store, with one thing in it changed behind its back.
async fn changed(sql: &'static str) -> Result<Examined, StoreError> {
    let (_folder, store) = filled(4).await;
    store.put_checkpoint(6, "a note").await.unwrap();
    let kept = tempfile::tempdir().unwrap();
    let file = kept.path().join("copy.db");
    store.snapshot(&file).await.unwrap();
    let mut copy = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut copy).await.unwrap();
    copy.close().await.unwrap();
    examine(&file).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_the_database_as_of_one_commit_while_others_write() {
    let (_folder, store) = filled(5).await;
    let kept = tempfile::tempdir().unwrap();
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            let mut author = Author::new("int_of_another");
            for _ in 0..200 {
                store.commit(author.turn(TURN)).await.unwrap();
            }
        }
    });
    for n in 0..5 {
        let file = kept.path().join(format!("{n}.db"));
        store.snapshot(&file).await.unwrap();
        let examined = examine(&file).await.unwrap();
        assert_eq!(examined.events % TURN as u64, 0, "half a turn is in it");
        assert!(examined.events >= 5 * TURN as u64);
        assert_eq!(examined.schema, SCHEMA);
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn an_examination_tells_what_is_there_and_leaves_no_file() {
    let (folder, store) = filled(4).await;
    store.put_checkpoint(6, "a note").await.unwrap();
    store.data_key(TENANT, "c_ada", "PII", b"wrapped").await.unwrap();
    let file = folder.path().join("copy.db");
    store.snapshot(&file).await.unwrap();

    let examined = examine(&file).await.unwrap();

    let frontier = store.frontier().await.unwrap();
    assert_eq!((examined.events, examined.root), (12, frontier.root()));
    assert_eq!(examined.checkpoint.unwrap().0, "a note");
    assert_eq!(examined.data_key.unwrap().3, b"wrapped");
    assert!(side_files(folder.path(), "copy.db").is_empty());
}

fn side_files(folder: &Path, name: &str) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|found| found.starts_with(name) && found != name).collect()
}

#[tokio::test]
async fn a_snapshot_does_not_write_over_a_file() {
    let (folder, store) = filled(1).await;
    let file = folder.path().join("mine");
    std::fs::write(&file, "mine, and no database at all").unwrap();
    assert!(store.snapshot(&file).await.is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"mine, and no database at all");
}

#[tokio::test]
async fn what_was_changed_behind_the_stores_back_is_found() {
    changed("SELECT 1").await.unwrap();
    let table = [
        ("UPDATE turns SET bodies = x'00' WHERE idx = 3", "event 0 of record `int_1`"),
        (
            "UPDATE turns SET bodies = (SELECT bodies FROM turns WHERE idx = 8) WHERE idx = 5",
            "event 2 of record `int_1`",
        ),
        ("UPDATE turns SET hashes = zeroblob(64) WHERE idx = 3", "event 0 of record `int_1`"),
        ("UPDATE turns SET hashes = zeroblob(64) WHERE idx = 5", "event 2 of record `int_1`"),
        ("DELETE FROM records WHERE interaction = 'int_1'", "event 0 of record ``"),
        ("DELETE FROM turns WHERE idx = 3", "event 2 of record `int_1`"),
        ("DELETE FROM turns WHERE idx = 11", "the edge of the log"),
        ("UPDATE turns SET idx = 99 WHERE idx = 11", "leaf 11 of the log is missing"),
        ("DELETE FROM log_edge", "the edge of the log"),
        ("UPDATE checkpoints SET size = 13", "a checkpoint over 13 events; there are 12"),
    ];
    for (sql, found) in table {
        match changed(sql).await {
            Err(StoreError::Unreadable { what }) => assert!(what.contains(found), "{sql}: {what}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let newer = changed("PRAGMA user_version = 99").await;
    assert!(matches!(newer, Err(StoreError::Newer { found: 99, known: SCHEMA })), "{newer:?}");
}

#[tokio::test]
async fn a_store_that_was_closed_has_everything_in_its_file() {
    let (folder, store) = filled(4).await;
    store.close().await;
    assert!(side_files(folder.path(), "selvedge.db").is_empty());
    assert_eq!(examine(&folder.path().join("selvedge.db")).await.unwrap().events, 12);
}
