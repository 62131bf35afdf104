//! Opening a database: its address, migrations forward only, settings read back, a newer schema left untouched.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use selvedge_engine::StoreError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use super::leases::Leases;
use super::news::News;
use super::writer::Writer;
use super::{Inner, LEASE, PostgresStore, log, unavailable};

/// The schema that this binary writes.
pub const SCHEMA: i64 = 3;
/// How each version is reached from the one before.
const MIGRATIONS: [&str; SCHEMA as usize] = [
    include_str!("../../migrations/postgres/0001_first.sql"),
    include_str!("../../migrations/postgres/0002_campaigns.sql"),
    include_str!("../../migrations/postgres/0003_turns.sql"),
];
/// How many connections read, and take in what arrives. The writer and the lease have their own.
const CONNECTIONS: u32 = 8;
/// How long a caller waits for a connection; also while the database is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// What every session of ours runs under. A node that is paused in the middle of a transaction must not keep its
/// locks: the server ends the session.
const SESSION: [(&str, &str); 4] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "30000"),
    ("lock_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "5000"),
];
/// What "stored" rests on, and what it may be.
const DURABLE: [(&str, &[&str]); 3] =
    [("fsync", &["on"]), ("full_page_writes", &["on"]), ("synchronous_commit", &["on", "remote_apply"])];

/// Where a database is, with the password if there is one. It has no `Debug`, and says itself without the password.
#[derive(Clone)]
pub struct Address(PgConnectOptions);

impl FromStr for Address {
    type Err = StoreError;

    /// `postgres://user:password@host:port/database`; a host that begins with `/`, percent-encoded, is a folder with
    /// the server's socket. `?sslmode=verify-full&sslrootcert=FILE` wants TLS, and that host's certificate.
    ///
    /// # Errors
    /// [`StoreError::Address`], which does not repeat what was given: it may hold a password.
    fn from_str(url: &str) -> Result<Address, StoreError> {
        let no = |why: &str| StoreError::Address { why: why.into() };
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(no("it does not begin with `postgres://`"));
        }
        let options: PgConnectOptions =
            url.parse().map_err(|_| no("it is no URL, or has a setting that is not known"))?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(no("it names no database"));
        }
        Ok(Address(options.disable_statement_logging().application_name("selvedge").options(SESSION)))
    }
}

impl Address {
    /// Another database of the same server.
    pub(super) fn beside(&self, database: &str) -> Address {
        Address(self.0.clone().database(database))
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.0
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host =
            self.0.get_socket().map_or_else(|| self.0.get_host().to_owned(), |folder| folder.display().to_string());
        write!(f, "{host}:{}/{}", self.0.get_port(), self.0.get_database().unwrap_or_default())
    }
}

impl PostgresStore {
    /// Joins the nodes over the database at `address`; makes the schema where there is none.
    ///
    /// # Errors
    /// [`StoreError::Away`] where nobody answers, [`StoreError::Untrusted`], [`StoreError::Newer`], [`StoreError::Setting`].
    pub async fn open(address: &Address) -> Result<PostgresStore, StoreError> {
        PostgresStore::open_leased(address, LEASE).await
    }

    /// The same, with leases of another length.
    pub async fn open_leased(address: &Address, lease: Duration) -> Result<PostgresStore, StoreError> {
        let away = |e: sqlx::Error| match is_about_trust(&e) {
            true => StoreError::Untrusted { at: address.to_string(), why: words(&e) },
            false => StoreError::Away { at: address.to_string(), why: words(&e) },
        };
        let connect = tokio::time::timeout(PATIENCE, address.0.connect());
        let connected =
            connect.await.map_err(|_| StoreError::Away { at: address.to_string(), why: "no answer".into() })?;
        let mut connection = connected.map_err(away)?;
        refuse_newer(version(&mut connection).await?)?;
        read_back(&mut connection).await?;
        migrate(&mut connection).await?;
        // A damaged log is found now, not at the first export.
        log::edge(&mut connection).await?;
        // Who goes says so; the server need not write to its log that a client was lost.
        let _ = connection.close().await;

        let own = pool(address, 1);
        let leases = Arc::new(Leases::start(own.clone(), lease).await?);
        let pool = pool(address, CONNECTIONS);
        let (news, mut tasks) = News::start(own.clone(), self::pool(address, 1), leases.node());
        let writer = Writer::start(self::pool(address, 1), leases.clone())?;
        tasks.push(leases.keep(own));
        let inner = Inner { pool, writer, leases, news, sequencing: tokio::sync::Mutex::default(), tasks };
        Ok(PostgresStore { inner: Arc::new(inner) })
    }

    /// Ends this node in order: its runs are free for others at once.
    pub async fn close(self) -> Result<(), StoreError> {
        self.inner.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        self.inner.leases.give_all_back(self.pool()).await?;
        self.pool().close().await;
        Ok(())
    }
}

fn pool(address: &Address, connections: u32) -> PgPool {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE).connect_lazy_with(address.0.clone())
}

fn words(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |e| e.message().to_owned())
}

/// Whether there was an answer, but not over TLS as it was asked for. What is wrong with a certificate comes as invalid data.
fn is_about_trust(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// 0 where there is no schema yet.
async fn version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let doing = "read the schema version";
    // Out of the catalogue: looking a name up may miss what another node has made meanwhile.
    let sql =
        "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_version')";
    let there: bool = sqlx::query_scalar(sql).fetch_one(&mut *connection).await.map_err(unavailable(doing))?;
    match there {
        true => sqlx::query_scalar("SELECT version FROM schema_version")
            .fetch_one(connection)
            .await
            .map_err(unavailable(doing)),
        false => Ok(0),
    }
}

fn refuse_newer(found: i64) -> Result<(), StoreError> {
    if found > SCHEMA {
        return Err(StoreError::Newer { found, known: SCHEMA });
    }
    Ok(())
}

async fn read_back(connection: &mut PgConnection) -> Result<(), StoreError> {
    for (setting, wanted) in DURABLE {
        let found = sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut *connection).await;
        in_force(setting, wanted, found.map_err(unavailable("read the settings back"))?)?;
    }
    Ok(())
}

fn in_force(setting: &str, wanted: &[&str], found: String) -> Result<(), StoreError> {
    if wanted.contains(&found.as_str()) {
        return Ok(());
    }
    Err(StoreError::Setting { setting: setting.into(), wanted: wanted[0].into(), found })
}

/// Forward only. Under a lock, so that of many nodes that start at once only one makes the schema.
async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    let no = || unavailable("migrate");
    let mut transaction = connection.begin().await.map_err(no())?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext('selvedge schema'))");
    lock.execute(&mut *transaction).await.map_err(no())?;
    let found = version(&mut transaction).await?;
    refuse_newer(found)?;
    let from = usize::try_from(found).unwrap_or(0);
    for sql in MIGRATIONS.iter().skip(from) {
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(no())?;
    }
    if from == 0 {
        let make = "CREATE TABLE schema_version (version bigint NOT NULL); INSERT INTO schema_version VALUES (0)";
        sqlx::raw_sql(make).execute(&mut *transaction).await.map_err(no())?;
    }
    if from < MIGRATIONS.len() {
        let set = sqlx::query("UPDATE schema_version SET version = $1").bind(SCHEMA);
        set.execute(&mut *transaction).await.map_err(no())?;
    }
    transaction.commit().await.map_err(no())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match url.parse::<Address>() {
            Ok(address) => panic!("`{address}` was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_address_says_itself_without_the_password() {
        let address: Address = "postgres://selvedge:sesame@db.example:5433/clinic".parse().unwrap();
        assert_eq!(address.to_string(), "db.example:5433/clinic");
        let address: Address = "postgres://selvedge@%2Frun%2Fpostgresql/clinic".parse().unwrap();
        assert_eq!(address.to_string(), "/run/postgresql:5432/clinic");
    }

    #[test]
    fn what_is_no_address_is_not_repeated() {
        for url in ["mysql://a:sesame@b/c", "postgres://a:sesame@b:port/c", "postgres://a:sesame@b", "sesame"] {
            let said = refused(url);
            assert!(!said.contains("sesame"), "{said}");
        }
    }

    #[test]
    fn a_setting_that_is_not_in_force_is_refused_by_name() {
        assert!(in_force("synchronous_commit", &["on", "remote_apply"], "remote_apply".into()).is_ok());
        let refused = in_force("fsync", &["on"], "off".into()).unwrap_err();
        assert_eq!(refused.to_string(), "the database answers `off` for `fsync`, not `on`");
    }
}
