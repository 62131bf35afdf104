//! The floor under the store on PostgreSQL, and the databases that a measurement makes for itself.

use selvedge_engine::StoreError;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::mpsc;

use super::{Address, PostgresStore, unavailable};
use crate::floor::{Floor, MAX_BATCH, Waiting, reach};

const MAKE: &str = "CREATE TABLE floor (idx bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)";
const WRITE: &str = "INSERT INTO floor (body) SELECT unnest($1::bytea[])";

impl PostgresStore {
    /// Writes `rows` rows of `bytes` bytes into an empty database, from `producers` who each wait for the durability of
    /// one row before they send the next.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses.
    pub async fn floor(address: &Address, rows: usize, bytes: usize, producers: usize) -> Result<Floor, StoreError> {
        let mut connection = address.connect().await?;
        sqlx::query("DROP TABLE IF EXISTS floor").execute(&mut connection).await.map_err(unavailable(MAKE))?;
        sqlx::query(MAKE).execute(&mut connection).await.map_err(unavailable(MAKE))?;
        reach(rows, producers, |jobs| serve(connection, jobs, vec![9; bytes])).await
    }

    /// How many bytes the database takes, without the server's WAL.
    pub async fn size(&self) -> Result<u64, StoreError> {
        let size = sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(self.pool()).await;
        let size: i64 = size.map_err(unavailable("read the size of the database"))?;
        Ok(u64::try_from(size).unwrap_or(0))
    }
}

async fn serve(
    mut connection: PgConnection,
    mut jobs: mpsc::Receiver<Waiting>,
    body: Vec<u8>,
) -> Result<(), StoreError> {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let rows = vec![body.as_slice(); batch.len()];
        sqlx::query(WRITE).bind(rows).execute(&mut connection).await.map_err(unavailable(WRITE))?;
        for done in batch.drain(..) {
            // A producer that went away needs no answer.
            let _ = done.send(());
        }
    }
    connection.close().await.map_err(unavailable(WRITE))
}

impl Address {
    /// Makes a database beside this one, and says where it is.
    ///
    /// # Errors
    /// [`StoreError`] where there is one of that name, or this role may make none.
    pub async fn create(&self, name: &str) -> Result<Address, StoreError> {
        self.order(format!("CREATE DATABASE {}", quoted(name)), "make a database").await?;
        Ok(self.beside(name))
    }

    /// Removes a database beside this one, with whoever is connected to it.
    ///
    /// # Errors
    /// [`StoreError`] where this role may not.
    pub async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.order(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name)), "remove a database").await
    }

    /// A name cannot be bound: these are the only statements that are put together, out of a name that is quoted.
    async fn order(&self, sql: String, doing: &'static str) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
        done.map_err(unavailable(doing))?;
        connection.close().await.map_err(unavailable(doing))
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        self.options().connect().await.map_err(unavailable("connect"))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
