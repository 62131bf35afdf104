//! The stories that every store passes, on SQLite; then what only SQLite can get wrong.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod stories;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Commit, Journal, Keeping, Log, Safe};
use selvedge_record::Frontier;
use selvedge_store::SqliteStore;
use selvedge_store::sqlite::SCHEMA;
use selvedge_store::sqlite::writer::{Moment, Watch};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use stories::support::{Author, Place, TENANT};
use tempfile::TempDir;

/// A data folder that goes when the test ends.
struct Folder(TempDir);

impl Place for Folder {
    type Store = SqliteStore;

    async fn fresh() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.0.path()).await.unwrap()
    }

    async fn close(&self, store: SqliteStore) {
        drop(store);
    }
}

stories::on_each!(crate::Folder);

fn database(folder: &Path) -> PathBuf {
    folder.join("selvedge.db")
}

/// A connection beside the store, as a newer Selvedge or a curious person would have it.
async fn beside(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(database(folder)).create_if_missing(true);
    options.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn refused(folder: &Path) -> StoreError {
    match SqliteStore::open(folder).await {
        Ok(_) => panic!("`{}` was opened", folder.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_newer_folder_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut newer = beside(folder.path()).await;
    execute(&mut newer, "CREATE TABLE of_tomorrow (x); PRAGMA user_version = 99").await;
    newer.close().await.unwrap();
    let before = std::fs::read(database(folder.path())).unwrap();

    let error = refused(folder.path()).await;

    assert!(matches!(error, StoreError::Newer { found: 99, known: SCHEMA }), "{error}");
    assert_eq!(std::fs::read(database(folder.path())).unwrap(), before);
    assert_eq!(names(folder.path()), ["selvedge.db"]);
}

/// The schema of a folder from before records had numbers, as it was made then.
const OF_VERSION_6: [&str; 6] = [
    include_str!("../migrations/sqlite/0001_first.sql"),
    include_str!("../migrations/sqlite/0002_numbers.sql"),
    include_str!("../migrations/sqlite/0003_switches.sql"),
    include_str!("../migrations/sqlite/0004_closed.sql"),
    include_str!("../migrations/sqlite/0005_contacts.sql"),
    include_str!("../migrations/sqlite/0006_campaigns.sql"),
];

#[tokio::test]
async fn a_folder_from_before_records_had_numbers_is_carried_over_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = beside(folder.path()).await;
    for sql in OF_VERSION_6 {
        execute(&mut before, sql).await;
    }
    let (mut one, mut other, mut log) = (Author::new("int_9"), Author::new("int_1"), Frontier::new());
    let mut written = [Vec::new(), Vec::new()];
    for n in [0, 1, 0, 0] {
        let turn = [&mut one, &mut other][n].turn(1);
        let event = &turn.events[0];
        sqlx::query("INSERT INTO events (idx, tenant, interaction, seq, hash, body) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(log.push(event.hash) as i64)
            .bind(TENANT)
            .bind(&turn.id.interaction)
            .bind(event.seq as i64)
            .bind(event.hash.0.to_vec())
            .bind(&event.canonical)
            .execute(&mut before)
            .await
            .unwrap();
        written[n].push(event.canonical.clone());
    }
    let edge = sqlx::query("INSERT INTO log_edge (one, edge) VALUES (1, ?)").bind(serde_json::to_string(&log).unwrap());
    edge.execute(&mut before).await.unwrap();
    let rows = "INSERT INTO runs (tenant, interaction, workflow, controls, customer, opened, updated, at, over, busy, closed) \
                VALUES ('riverside', 'int_9', 'w', 'c', 'c_ada', 10, 20, 'owed', 0, 0, NULL), \
                       ('riverside', 'int_1', 'w', 'c', 'c_ada', 11, 30, 'completed', 1, 0, 30); \
                INSERT INTO sealed VALUES ('riverside', 'int_9', 'plan/terms', 'PII', x'07'); \
                INSERT INTO data_keys VALUES ('riverside', 'int_1', 'PII', x'01'); PRAGMA user_version = 6";
    execute(&mut before, rows).await;
    before.close().await.unwrap();

    let store = SqliteStore::open(folder.path()).await.unwrap();

    for (id, written) in [&one.id, &other.id].into_iter().zip(written) {
        let read = store.record(id).await.unwrap();
        assert_eq!(read.into_iter().map(|e| e.canonical).collect::<Vec<_>>(), written);
    }
    assert_eq!(store.places(&one.id).await.unwrap(), [0, 2, 3]);
    assert_eq!((store.frontier().await.unwrap(), store.newest().await.unwrap()), (log, Some(30)));
    assert_eq!(store.sealed(&one.id, "plan/terms").await.unwrap().unwrap().blob, [7]);
    let listed: Vec<String> = store.runs(TENANT, 9).await.unwrap().into_iter().map(|run| run.interaction).collect();
    assert_eq!(listed, ["int_1", "int_9"]);
    assert_eq!(store.openable(TENANT, 99, None, 9).await.unwrap()[0].interaction, "int_1");
    // It goes on where it was.
    store.deliver(&one.id, "d1", "mail", 5).await.unwrap();
    let lease = store.claim(0, 9).await.unwrap().remove(0).lease;
    store.commit(Commit { lease, ..one.turn(2) }).await.unwrap();
    assert_eq!(store.places(&one.id).await.unwrap(), [0, 2, 3, 4, 5]);
}

#[tokio::test]
async fn what_a_newer_selvedge_left_unfinished_when_it_was_killed_stays_too() {
    let (alive, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut newer = beside(alive.path()).await;
    execute(&mut newer, "CREATE TABLE of_tomorrow (x); PRAGMA user_version = 99").await;
    // A copy while it is open is what a killed process leaves: all of it still in the WAL.
    copy(alive.path(), killed.path());
    let read = |name: &str| std::fs::read(killed.path().join(name)).unwrap();
    let before = (read("selvedge.db"), read("selvedge.db-wal"));

    let error = refused(killed.path()).await;

    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert!((read("selvedge.db"), read("selvedge.db-wal")) == before);
}

/// The files as a crash at this moment would leave them on disk.
fn copy(from: &Path, to: &Path) {
    for name in names(from) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_commit_leaves_nothing_and_after_it_everything() {
    let (folder, before, after) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch: Watch = {
        let (from, before, after, seen) =
            (folder.path().to_owned(), before.path().to_owned(), after.path().to_owned(), seen.clone());
        Arc::new(move |moment| {
            seen.lock().unwrap().push(moment);
            copy(&from, if moment == Moment::BeforeCommit { &before } else { &after });
        })
    };
    let store = SqliteStore::open_watched(folder.path(), Some(watch)).await.unwrap();
    let mut author = Author::new("int_1");

    store.commit(author.turn(3)).await.unwrap();

    assert_eq!(*seen.lock().unwrap(), [Moment::BeforeCommit, Moment::AfterCommit]);
    let crashed = SqliteStore::open(before.path()).await.unwrap();
    assert_eq!((crashed.record(&author.id).await.unwrap().len(), crashed.frontier().await.unwrap().size()), (0, 0));
    let crashed = SqliteStore::open(after.path()).await.unwrap();
    assert_eq!((crashed.record(&author.id).await.unwrap().len(), crashed.frontier().await.unwrap().size()), (3, 3));
}

#[tokio::test]
async fn a_forgotten_card_leaves_no_bytes_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let blob = b"the ciphertext of a card, to be found again";
    let found = || -> Vec<String> {
        let has = |name: &String| {
            std::fs::read(folder.path().join(name)).unwrap().windows(blob.len()).any(|bytes| bytes == blob)
        };
        names(folder.path()).into_iter().filter(has).collect()
    };
    store.put_card(TENANT, "card_1", blob, 1).await.unwrap();
    assert!(!found().is_empty(), "the test would find it");

    let mut turn = Author::new("int_1").turn(1);
    turn.forget_card = Some("card_1".into());
    store.commit(turn).await.unwrap();
    execute(&mut beside(folder.path()).await, "PRAGMA wal_checkpoint(TRUNCATE)").await;

    assert_eq!(found(), [""; 0]);
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_s602() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "not a folder").unwrap();
    let error = refused(&file).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"not a folder");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_s605() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(database(folder.path()), "this is no database, whatever its name says").unwrap();
    let error = refused(folder.path()).await;
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_log_whose_edge_is_damaged_is_s605() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.commit(Author::new("int_1").turn(3)).await.unwrap();
    execute(&mut beside(folder.path()).await, r#"UPDATE log_edge SET edge = '{"size":3,"peaks":[]}'"#).await;

    let error = refused(folder.path()).await;
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    // Who had it open does not write on a damaged log either.
    let error = store.commit(Author::new("int_2").turn(1)).await.unwrap_err();
    assert!(error.to_string().contains("the edge of the log"), "{error}");
    assert!(store.record(&Author::new("int_2").id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_that_is_locked_too_long_says_so_and_goes_on_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let mut other = beside(folder.path()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let mut author = Author::new("int_1");
    let turn = author.turn(2);

    let error = store.commit(turn.clone()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { doing, .. } if doing == "write a turn"), "{error}");

    execute(&mut other, "ROLLBACK").await;
    store.commit(turn).await.unwrap();
    assert_eq!(store.frontier().await.unwrap().size(), 2);
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let _store = SqliteStore::open(folder.path()).await.unwrap();
    let mut connection = beside(folder.path()).await;
    let statements = stories::statements::of("sqlite");
    assert!(statements.len() > 35, "only {} statements were found", statements.len());
    let mut refused = Vec::new();
    for sql in statements {
        let explained = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("EXPLAIN {sql}"))).execute(&mut connection).await;
        refused.extend(explained.err().map(|error| format!("{error}\n{sql}")));
    }
    assert_eq!(refused, Vec::<String>::new());
}
