//! The floor under the store on SQLite.

use std::path::Path;

use selvedge_engine::StoreError;
use sqlx::SqliteConnection;
use tokio::sync::mpsc;

use super::{SqliteStore, unavailable};
use crate::floor::{Floor, MAX_BATCH, Waiting, reach};

/// Rows that one statement writes where so many are there.
const AT_ONCE: usize = 16;
const ONE: &str = "INSERT INTO floor (body) VALUES (?)";
const MANY: &str =
    "INSERT INTO floor (body) VALUES (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?), (?)";

impl SqliteStore {
    /// Writes `rows` rows of `bytes` bytes into a database of their own in `folder`, from `producers` who each wait for
    /// the durability of one row before they send the next.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub async fn floor(folder: &Path, rows: usize, bytes: usize, producers: usize) -> Result<Floor, StoreError> {
        let mut connection = super::open::durable(&folder.join("floor.db")).await?;
        let make = "CREATE TABLE floor (idx INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT";
        sqlx::query(make).execute(&mut connection).await.map_err(unavailable(make))?;
        reach(rows, producers, |jobs| serve(connection, jobs, vec![9; bytes])).await
    }
}

async fn serve(
    mut connection: SqliteConnection,
    mut jobs: mpsc::Receiver<Waiting>,
    body: Vec<u8>,
) -> Result<(), StoreError> {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let mut execute = async |sql: &'static str, bodies: usize| {
            let mut query = sqlx::query(sql);
            for _ in 0..bodies {
                query = query.bind(body.as_slice());
            }
            query.execute(&mut connection).await.map_err(unavailable(sql)).map(drop)
        };
        execute("BEGIN IMMEDIATE", 0).await?;
        for _ in 0..batch.len() / AT_ONCE {
            execute(MANY, AT_ONCE).await?;
        }
        for _ in 0..batch.len() % AT_ONCE {
            execute(ONE, 1).await?;
        }
        execute("COMMIT", 0).await?;
        for done in batch.drain(..) {
            // A producer that went away needs no answer.
            let _ = done.send(());
        }
    }
    Ok(())
}
