//! Opening a data folder: migrations forward only, settings read back, a newer folder left untouched.

use std::path::Path;
use std::sync::Arc;

use selvedge_engine::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::writer::{Desk, Watch, Writer};
use super::{SqliteStore, log, unavailable};
use crate::leases::Leases;

/// The schema that this binary writes.
pub const SCHEMA: i64 = 7;
/// How each version is reached from the one before.
const MIGRATIONS: [&str; SCHEMA as usize] = [
    include_str!("../../migrations/sqlite/0001_first.sql"),
    include_str!("../../migrations/sqlite/0002_numbers.sql"),
    include_str!("../../migrations/sqlite/0003_switches.sql"),
    include_str!("../../migrations/sqlite/0004_closed.sql"),
    include_str!("../../migrations/sqlite/0005_contacts.sql"),
    include_str!("../../migrations/sqlite/0006_campaigns.sql"),
    include_str!("../../migrations/sqlite/0007_records.sql"),
];
/// The file in the data folder.
const FILE: &str = "selvedge.db";
/// What SQLite keeps beside it while somebody writes, or when somebody was killed.
const WAL: &str = "selvedge.db-wal";
/// How many statements a connection keeps prepared: more than there are.
const STATEMENTS: usize = 256;
/// How many readers there are.
const READERS: u32 = 4;

impl SqliteStore {
    /// Opens the store in `folder`, creating it where there is none.
    pub async fn open(folder: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_watched(folder, None).await
    }

    /// The same, with somebody watching the commits.
    pub async fn open_watched(folder: &Path, watch: Option<Watch>) -> Result<SqliteStore, StoreError> {
        let options = options(&folder.join(FILE));
        // The version is read before anything is set: a newer folder is not even switched to WAL. What a crash
        // left in a WAL stays there too: SQLite moves it into the file behind the last one who may write.
        let unfinished = folder.join(WAL).exists();
        let look = options.clone().read_only(unfinished);
        let mut first = look.connect().await.map_err(unavailable("open the data folder"))?;
        let found = version(&mut first).await;
        // Closed before anything is answered: who is refused finds no side files left behind.
        first.close().await.map_err(unavailable("open the data folder"))?;
        refuse_newer(found?)?;

        let mut connection = durable(&folder.join(FILE)).await?;
        migrate(&mut connection).await?;
        // A damaged log is found now, not at the first commit.
        log::edge(&mut connection).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            // It is a file in this process: to ask each time whether it is still there costs as much as a read.
            .test_before_acquire(false)
            .connect_with(options.read_only(true))
            .await
            .map_err(unavailable("open the readers"))?;
        let (writer, leases) = (Writer::start(Desk::new(connection)?, watch), Arc::new(Leases::new()));
        Ok(SqliteStore { read, writer, leases })
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .busy_timeout(std::time::Duration::from_secs(5))
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// A connection that writes, under settings that are in force.
pub(super) async fn durable(file: &Path) -> Result<SqliteConnection, StoreError> {
    let durable = options(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON");
    let mut connection = durable.connect().await.map_err(unavailable("open the data folder"))?;
    read_back(&mut connection).await?;
    Ok(connection)
}

pub(super) async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await
        .map_err(unavailable("read the schema version"))
}

pub(super) fn refuse_newer(found: i64) -> Result<(), StoreError> {
    if found > SCHEMA {
        return Err(StoreError::Newer { found, known: SCHEMA });
    }
    Ok(())
}

/// SQLite takes some settings without a word and does something else. Durability rests on the first two, and
/// on the third that a card that was forgotten leaves no bytes in the file.
async fn read_back(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let doing = "read the settings back";
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.map_err(unavailable(doing))?;
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await.map_err(unavailable(doing))?;
    let secure: i64 =
        sqlx::query_scalar("PRAGMA secure_delete").fetch_one(connection).await.map_err(unavailable(doing))?;
    in_force("journal_mode", "wal", journal)?;
    in_force("synchronous", "2", synchronous.to_string())?;
    in_force("secure_delete", "1", secure.to_string())
}

fn in_force(setting: &str, wanted: &str, found: String) -> Result<(), StoreError> {
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::Setting { setting: setting.into(), wanted: wanted.into(), found })
}

/// Forward only. Under the write lock, so that of two processes that open a new folder only one makes it.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable("migrate"))?;
    let from = usize::try_from(version(&mut transaction).await?).unwrap_or(0);
    for sql in MIGRATIONS.iter().skip(from) {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(unavailable("migrate"))?;
    }
    if from < MIGRATIONS.len() {
        set_version(&mut transaction).await?;
    }
    transaction.commit().await.map_err(unavailable("migrate"))
}

/// Writes the version of the schema, even where it is the same: a page of the file is written.
pub(super) async fn set_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    // `PRAGMA user_version` takes no bound value; the number is ours.
    let set = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {SCHEMA}"));
    sqlx::query(set).execute(connection).await.map(|_| ()).map_err(unavailable("write the schema version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_not_in_force_is_refused_by_name() {
        assert!(in_force("synchronous", "2", "2".into()).is_ok());
        let refused = in_force("synchronous", "2", "1".into()).unwrap_err();
        assert_eq!(refused.to_string(), "the database answers `1` for `synchronous`, not `2`");
    }

    #[tokio::test]
    async fn a_database_that_cannot_keep_a_wal_is_refused() {
        let mut in_memory = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        let refused = read_back(&mut in_memory).await.unwrap_err();
        assert!(matches!(refused, StoreError::Setting { setting, .. } if setting == "journal_mode"));
    }
}
