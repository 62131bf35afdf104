//! The stories that every store passes, on a PostgreSQL of their own; then what only PostgreSQL and several nodes can
//! get wrong.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod alike;
#[allow(dead_code, reason = "shared with the stories of the nodes")]
mod server;
mod stories;

use std::time::Duration;

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Asked, Commit, Journal, Lease, Log, RunId};
use selvedge_store::PostgresStore;
use selvedge_store::postgres::SCHEMA;
use server::Database;
use sqlx::{PgConnection, Row};
use stories::support::{Author, Place, sealed, wanted};
use tokio::task::JoinSet;

impl Place for Database {
    type Store = PostgresStore;

    async fn fresh() -> Database {
        Database::create().await
    }

    async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.address()).await.unwrap()
    }

    async fn close(&self, store: PostgresStore) {
        store.close().await.unwrap();
    }
}

stories::on_each!(crate::Database);

/// A node whose leases last only so long without word from it.
async fn short(place: &Database) -> PostgresStore {
    PostgresStore::open_leased(&place.address(), SHORT).await.unwrap()
}

/// Long enough for a node that says in time that it lives, short enough to wait for.
const SHORT: Duration = Duration::from_millis(600);

async fn execute(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

async fn refused(place: &Database) -> StoreError {
    match PostgresStore::open(&place.address()).await {
        Ok(_) => panic!("`{}` was opened", place.name),
        Err(error) => error,
    }
}

/// Claims until the run is there: a lease has to end first.
async fn taken_over(store: &PostgresStore, id: &RunId) -> Lease {
    loop {
        match store.claim_one(id, 0).await.unwrap() {
            Asked::Leased(lease) => return lease,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn busy(author: &mut Author) -> Commit {
    let mut turn = author.turn(1);
    turn.summary.busy = true;
    turn
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let place = Database::fresh().await;
    let mut newer = place.beside().await;
    execute(&mut newer, "CREATE TABLE schema_version (version bigint); INSERT INTO schema_version VALUES (7)").await;

    let error = refused(&place).await;

    assert!(matches!(error, StoreError::Newer { found: 7, known: SCHEMA }), "{error}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(sqlx::query(tables).fetch_one(&mut newer).await.unwrap().get::<i64, _>(0), 1);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_s608_and_names_no_password() {
    let place = Database::nowhere();
    let error = refused(&place).await;
    assert!(matches!(&error, StoreError::Away { at, .. } if at.ends_with("/nowhere")), "{error}");
    let nobody: selvedge_store::postgres::Address = "postgres://a:sesame@127.0.0.1:9/clinic".parse().unwrap();
    let error = PostgresStore::open(&nobody).await.err().unwrap();
    assert!(matches!(error, StoreError::Away { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runs_of_a_node_that_says_nothing_are_taken_over_and_it_is_refused() {
    let place = Database::fresh().await;
    let paused = short(&place).await;
    let other = short(&place).await;
    let mut author = Author::new("int_1");
    paused.commit(busy(&mut author)).await.unwrap();
    assert_eq!(other.claim_one(&author.id, 0).await.unwrap(), Asked::Elsewhere);
    assert!(paused.leases_run());

    paused.fall_silent();
    let lease = taken_over(&other, &author.id).await;

    assert!(!paused.leases_run());
    let late = paused.commit(author.clone().turn(1)).await.unwrap_err();
    assert!(matches!(late, StoreError::Stale { .. }), "{late}");
    // What it gives back is not its own any more.
    paused.release(&author.id, Lease::OPENING).await.unwrap();
    other.commit(Commit { lease, ..author.turn(1) }).await.unwrap();
    assert_eq!(other.record(&author.id).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_runs_of_a_node_that_is_gone_are_found_by_the_others() {
    let place = Database::fresh().await;
    let gone = short(&place).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let mut author = Author::new(&format!("int_{n}"));
        gone.commit(busy(&mut author)).await.unwrap();
        ids.push(author.id);
    }
    gone.fall_silent();
    let other = short(&place).await;
    let mut found = Vec::new();
    while found.len() < ids.len() {
        found.extend(other.claim(0, 2).await.unwrap().into_iter().map(|claim| claim.id));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    found.sort();
    assert_eq!(found, ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_nodes_that_look_for_work_each_run_goes_to_one() {
    let place = Database::fresh().await;
    let first = place.open().await;
    for n in 0..60 {
        let mut turn = Author::new(&format!("int_{n:02}")).turn(1);
        (turn.summary.wake, turn.release) = (Some(n), true);
        first.commit(turn).await.unwrap();
    }
    let mut nodes = JoinSet::new();
    for _ in 0..4 {
        let node = place.open().await;
        nodes.spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let claims = node.claim(99, 7).await.unwrap();
                // Others may have been just about to take the rest.
                if claims.is_empty() && node.next_wake().await.unwrap().is_none() {
                    return claimed;
                }
                claimed.extend(claims.into_iter().map(|claim| claim.id));
            }
        });
    }
    let mut all = nodes.join_all().await.concat();
    all.sort();
    assert_eq!(all.len(), 60);
    all.dedup();
    assert_eq!(all.len(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_told_of_mail_that_another_took_in() {
    let place = Database::fresh().await;
    let (driver, door) = (place.open().await, place.open().await);
    let id = Author::new("int_1").id;
    // The listener may not be there yet, and what is lost is lost: told until it is heard.
    let heard = tokio::spawn(async move { driver.told().await });
    while !heard.is_finished() {
        door.tell(&id);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(heard.await.unwrap().first(), Some(&id));
}

#[tokio::test]
async fn a_turn_that_cannot_be_costs_its_neighbours_nothing() {
    let place = Database::fresh().await;
    let store = place.open().await;
    let (mut twice, mut other) = (Author::new("int_1"), Author::new("int_2"));
    let mut turn = twice.turn(1);
    turn.sealed = vec![sealed("terms", b"x"), sealed("terms", b"x")];
    let good = other.turn(1);
    let (bad, good) = tokio::join!(store.commit(turn), store.commit(good));
    assert!(matches!(bad, Err(StoreError::Unavailable { .. })), "{bad:?}");
    good.unwrap();
    assert!(store.record(&twice.id).await.unwrap().is_empty());
    assert_eq!(store.record(&other.id).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_lost_leaves_no_run_behind() {
    let place = Database::fresh().await;
    let store = place.open().await;
    let mut beside = place.beside().await;
    let mut author = Author::new("int_1");
    store.commit(busy(&mut author)).await.unwrap();
    store.release(&author.id, Lease::OPENING).await.unwrap();
    // The server does what it was told, and the answer does not arrive.
    execute(&mut beside, "UPDATE runs SET owner = (SELECT node FROM nodes), token = token + 1").await;
    assert!(store.claim(0, 9).await.unwrap().is_empty());
    let sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
    execute(&mut beside, sessions).await;
    // Whoever asks first hears of it; afterwards the run is found.
    let mut found = Vec::new();
    while found.is_empty() {
        let _ = store.commit(author.clone().turn(1)).await;
        found = store.claim(0, 9).await.unwrap_or_default();
    }
    assert_eq!(found[0].id, author.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_read_the_log_at_once_give_each_leaf_one_place() {
    let place = Database::fresh().await;
    let mut nodes = JoinSet::new();
    for n in 0..4 {
        let node = place.open().await;
        nodes.spawn(async move {
            for turn in 0..12 {
                let mut author = Author::new(&format!("int_{n}_{turn}"));
                node.commit(author.turn(3)).await.unwrap();
                let places = node.places(&author.id).await.unwrap();
                assert_eq!(places.len(), 3, "what was committed before is in the log");
            }
        });
    }
    nodes.join_all().await;
    let store = place.open().await;
    let edge = store.frontier().await.unwrap();
    let leaves = store.leaves(edge.size()).await.unwrap();
    assert_eq!((edge.size(), leaves.len()), (144, 144));
    assert_eq!(edge.root(), selvedge_record::merkle::root(&leaves));
}

/// What a database held before turns were rows: 0002 and its events, of which only the first turn had a place.
#[tokio::test]
async fn turns_of_before_keep_their_events_and_their_places() {
    let place = Database::fresh().await;
    let mut before = place.beside().await;
    for sql in [
        include_str!("../migrations/postgres/0001_first.sql"),
        include_str!("../migrations/postgres/0002_campaigns.sql"),
        "CREATE TABLE schema_version (version bigint NOT NULL); INSERT INTO schema_version VALUES (2)",
    ] {
        execute(&mut before, sql).await;
    }
    let (mut author, mut edge) = (Author::new("int_1"), selvedge_record::Frontier::new());
    let turns = [author.turn(2).events, author.turn(3).events];
    for event in &turns[0] {
        edge.push(event.hash);
    }
    for (events, first) in turns.iter().zip([Some(0_i64), None]) {
        let hashes: Vec<u8> = events.iter().flat_map(|event| event.hash.0).collect();
        let leaves =
            "INSERT INTO leaves (tenant, interaction, seq, hashes, first) VALUES ('riverside', 'int_1', $1, $2, $3)";
        let leaves = sqlx::query(leaves).bind(events[0].seq as i64).bind(hashes).bind(first);
        leaves.execute(&mut before).await.unwrap();
        for event in events {
            let sql = "INSERT INTO events (tenant, interaction, seq, body) VALUES ('riverside', 'int_1', $1, $2)";
            let event = sqlx::query(sql).bind(event.seq as i64).bind(event.canonical.as_str());
            event.execute(&mut before).await.unwrap();
        }
    }
    let edge = sqlx::query("INSERT INTO log_edge VALUES (1, $1)").bind(serde_json::to_string(&edge).unwrap());
    edge.execute(&mut before).await.unwrap();

    let store = place.open().await;
    let next = author.turn(1).events.remove(0);
    store.append(&author.id, next.clone()).await.unwrap();
    let texts: Vec<&str> = turns.iter().flatten().chain([&next]).map(|event| event.canonical.as_str()).collect();
    let record = store.record(&author.id).await.unwrap();
    assert_eq!(record.iter().map(|event| event.canonical.as_str()).collect::<Vec<_>>(), texts);
    assert_eq!(record.iter().map(|event| event.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(store.places(&author.id).await.unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(store.frontier().await.unwrap().root(), selvedge_record::merkle::root(&store.leaves(6).await.unwrap()));
}

#[tokio::test]
async fn a_node_that_closes_hands_its_runs_over_at_once() {
    let place = Database::fresh().await;
    let store = place.open().await;
    let mut author = Author::new("int_1");
    store.commit(busy(&mut author)).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(wanted(&place.open().await, 0, 9).await, [author.id]);
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let place = Database::fresh().await;
    place.open().await.close().await.unwrap();
    let mut connection = place.beside().await;
    let statements = stories::statements::of("postgres");
    assert!(statements.len() > 40, "only {} statements were found", statements.len());
    for sql in statements {
        let prepare = sqlx::AssertSqlSafe(format!("PREPARE one AS {sql}; DEALLOCATE one"));
        let prepared = sqlx::raw_sql(prepare).execute(&mut connection).await;
        assert!(prepared.is_ok(), "{}\n{sql}", prepared.unwrap_err());
    }
}

/// 100,000 runs wait for their time, none has come; 20 are being driven elsewhere. Whatever the planner knows of the
/// tables, and whether it plans for these values or for any, looking for work reads none of those that wait.
#[tokio::test]
async fn looking_for_work_reads_no_parked_run() {
    let place = Database::fresh().await;
    place.open().await.close().await.unwrap();
    let mut connection = place.beside().await;
    execute(
        &mut connection,
        "INSERT INTO runs SELECT 'riverside', 'int_' || n, 'w', 'c', 'c_' || n, n, n, 'a', false, false, 1000000 + n, NULL, NULL, 1, \
             NULL, 1 FROM generate_series(1, 100000) n; \
         INSERT INTO runs SELECT 'riverside', 'int_driven_' || n, 'w', 'c', 'c_' || n, n, n, 'a', false, true, NULL, NULL, NULL, 1, \
             'other', 1 FROM generate_series(1, 20) n; \
         INSERT INTO inbox (tenant, interaction, dedupe, body, at) SELECT 'riverside', 'int_driven_' || n, 'd', 'b', n \
             FROM generate_series(1, 20) n; \
         INSERT INTO nodes VALUES ('other', now_micros() + 3600000000)",
    )
    .await;
    for known in ["SELECT 1", "ANALYZE runs; ANALYZE inbox; ANALYZE nodes"] {
        execute(&mut connection, known).await;
        for mode in ["force_generic_plan", "force_custom_plan"] {
            for (sql, values) in looks() {
                let explain = format!(
                    "SET plan_cache_mode = {mode}; PREPARE look AS {sql}; \
                     EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE look{values}; DEALLOCATE look"
                );
                let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                let read: u64 = plan.iter().filter(|line| line.contains(" on runs")).map(|line| rows_read(line)).sum();
                assert!(read <= 25, "{mode} reads {read} runs:\n{}", plan.join("\n"));
                assert!(!plan.iter().any(|line| line.contains("Seq Scan on runs")), "{mode}:\n{}", plan.join("\n"));
            }
        }
    }
}

/// The statements that a node asks all the time, with values for which nothing is due.
fn looks() -> Vec<(String, &'static str)> {
    let statements = stories::statements::of("postgres");
    let one = |beginning: &str| {
        let mut found = statements.iter().filter(|sql| sql.starts_with(beginning));
        found.next().unwrap_or_else(|| panic!("no statement begins with `{beginning}`")).clone()
    };
    vec![
        (one("WITH gone"), "('me', 500, 100)"),
        (one("UPDATE runs SET owner = $1, token = token + 1 WHERE"), "('me', 'riverside', 'int_7', 500)"),
        (one("SELECT min(wake)"), ""),
    ]
}

/// `(actual rows=3 loops=2)` is six rows.
fn rows_read(line: &str) -> u64 {
    let number = |name: &str| -> u64 {
        let digits: String = line.split(name).nth(1).unwrap_or("0").chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    number("rows=") * number("loops=")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measurement_makes_a_database_of_its_own_and_removes_it() {
    let place = Database::create().await;
    let name = format!("{}_measured", place.name);
    let measured = place.address().create(&name).await.unwrap();
    let floor = PostgresStore::floor(&measured, 40, 100, 4).await.unwrap();
    assert_eq!(floor.waits.len(), 40, "every row was durable for who waited for it");
    assert!(PostgresStore::open(&measured).await.unwrap().size().await.unwrap() > 0);
    place.address().remove(&name).await.unwrap();
    let there = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let there: i64 = sqlx::query_scalar(there).bind(&name).fetch_one(&mut place.beside().await).await.unwrap();
    assert_eq!(there, 0);
}
