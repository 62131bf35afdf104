use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::super::trouble;
use super::*;
use selvedge_engine::ports::store::Trouble;

/// A writer on a database of its own, with a table to write in.
async fn writer() -> Writer {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    let tables = "CREATE TABLE log_edge (one INTEGER PRIMARY KEY, edge TEXT, newest INTEGER); \
                  CREATE TABLE records (record INTEGER PRIMARY KEY); CREATE TABLE notes (text TEXT UNIQUE)";
    sqlx::raw_sql(tables).execute(&mut connection).await.unwrap();
    Writer::start(Desk::new(connection).unwrap(), None)
}

async fn write(desk: &mut Desk, text: &'static str) -> Result<(), StoreError> {
    let note = sqlx::query("INSERT INTO notes (text) VALUES (?)").bind(text);
    note.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("note"))
}

async fn note(writer: &Writer, text: &'static str) -> Result<(), StoreError> {
    writer.run("note", move |desk| Box::pin(write(desk, text))).await
}

async fn notes(writer: &Writer) -> Vec<String> {
    let read = writer.run("read", |desk| {
        Box::pin(async move {
            let all = sqlx::query_scalar("SELECT text FROM notes ORDER BY text").fetch_all(&mut desk.connection);
            all.await.map_err(unavailable("read"))
        })
    });
    read.await.unwrap()
}

#[tokio::test]
async fn a_job_that_fails_undoes_itself_and_nobody_else() {
    let writer = writer().await;
    let failing = writer.run("fail", |desk| {
        Box::pin(async move {
            write(desk, "of the one that fails").await?;
            Err::<(), _>(StoreError::Conflict { interaction: "int_1".into() })
        })
    });
    // On one thread the three are queued before the writer looks, so they share a transaction.
    let (before, failed, after) = tokio::join!(note(&writer, "before"), failing, note(&writer, "after"));
    before.unwrap();
    after.unwrap();
    assert!(matches!(failed, Err(StoreError::Conflict { .. })));
    assert_eq!(notes(&writer).await, ["after", "before"]);
}

#[tokio::test]
async fn when_the_database_gives_the_transaction_up_nobody_is_told_done() {
    let writer = writer().await;
    // A full disk makes SQLite roll the whole transaction back, savepoints and all.
    let given_up = writer.run("run out of disk", |desk| {
        Box::pin(async move {
            execute(desk, "ROLLBACK").await?;
            Err::<(), _>(StoreError::Unavailable { doing: "write".into(), why: "the disk is full".into() })
        })
    });
    let (before, full, after) = tokio::join!(note(&writer, "before"), given_up, note(&writer, "after"));
    for told in [before, full, after] {
        assert!(matches!(told, Err(StoreError::Unavailable { .. })), "{told:?}");
    }
    assert!(notes(&writer).await.is_empty());
    note(&writer, "later").await.unwrap();
    assert_eq!(notes(&writer).await, ["later"]);
}

async fn set(writer: &Writer, pragma: &'static str) {
    writer.run("set", move |desk| Box::pin(execute(desk, pragma))).await.unwrap();
}

#[tokio::test]
async fn on_a_full_disk_nobody_is_told_done_who_is_not_and_with_room_it_goes_on() {
    let writer = writer().await;
    note(&writer, "earlier").await.unwrap();
    // SQLite's own limit gives the result code of a full disk.
    set(&writer, "PRAGMA max_page_count = 8").await;
    let large = writer.run("write more than fits", |desk| {
        Box::pin(execute(desk, "INSERT INTO notes (text) VALUES (hex(zeroblob(100000)))"))
    });
    let (before, full, after) = tokio::join!(note(&writer, "before"), large, note(&writer, "after"));

    assert_eq!(trouble(&full.unwrap_err()), Trouble::Full);
    let told = [("after", after), ("before", before)];
    let mut kept: Vec<&str> = told.iter().filter(|(_, told)| told.is_ok()).map(|(text, _)| *text).collect();
    kept.push("earlier");
    assert_eq!(notes(&writer).await, kept);
    set(&writer, "PRAGMA max_page_count = 1000").await;
    note(&writer, "later").await.unwrap();
}

#[tokio::test]
async fn what_a_read_only_disk_refuses_is_known_as_such_and_afterwards_it_goes_on() {
    let writer = writer().await;
    let refused = writer.run("write", |desk| {
        Box::pin(async move {
            execute(desk, "PRAGMA query_only = 1").await?;
            let refused = write(desk, "one").await;
            execute(desk, "PRAGMA query_only = 0").await?;
            refused
        })
    });
    let refused = refused.await.unwrap_err();
    assert_eq!(trouble(&refused), Trouble::ReadOnly, "{refused}");
    note(&writer, "two").await.unwrap();
    assert_eq!(notes(&writer).await, ["two"]);
}

#[tokio::test]
async fn without_a_connection_to_write_on_the_caller_hears_it() {
    let writer = writer().await;
    let gone: Result<(), _> = writer.run("stop", |_| Box::pin(async { panic!("the writer's own defect") })).await;
    assert!(matches!(gone, Err(StoreError::Unavailable { .. })));
    let after = note(&writer, "after").await.unwrap_err();
    assert_eq!(after.to_string(), "the store could not note: the writer has stopped");
}
