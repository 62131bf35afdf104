//! A PostgreSQL of the tests' own: one server for the process, a database for each story.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use selvedge_store::postgres::Address;
use sqlx::{ConnectOptions, Connection, PgConnection};

/// The server of this process, and the folder with its socket. It stops when our end of its stdin closes, which is
/// when the process ends.
struct Server {
    /// Its stdin and stdout: a line to restart it, and the line that it answers with.
    ends: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    folder: String,
    _running: Child,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static PAIR: OnceLock<Server> = OnceLock::new();
static VENDORS: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Server {
    fn start(arguments: &[&str]) -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/postgres");
        let mut script = Command::new(script);
        let mut running = script.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ends = (running.stdin.take().unwrap(), BufReader::new(running.stdout.take().unwrap()));
        let folder = said(&mut ends.1);
        Server { ends: Mutex::new(ends), folder, _running: running }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://selvedge@{}/{database}", self.folder.replace('/', "%2F"))
    }

    /// Tells it what to do, and waits until it is done.
    fn told(&self, what: &str) {
        let mut ends = self.ends.lock().unwrap();
        writeln!(ends.0, "{what}").unwrap();
        said(&mut ends.1);
    }
}

fn said(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "PostgreSQL did not start; tests/postgres said why");
    line.trim().to_owned()
}

fn server() -> &'static Server {
    SERVER.get_or_init(|| Server::start(&[]))
}

/// A primary, and a standby that has every commit before anybody hears of it, behind one address.
fn pair() -> &'static Server {
    PAIR.get_or_init(|| Server::start(&["--standby"]))
}

/// Crashes the server and starts it again, under everybody who uses it.
pub fn crash() {
    server().told("crash");
}

/// Kills the primary for good and promotes its standby, behind the same address.
pub fn fail_over() {
    pair().told("failover");
}

/// A database that goes with the server.
pub struct Database {
    pub name: String,
    on: &'static Server,
}

impl Database {
    /// A new, empty one.
    pub async fn create() -> Database {
        Database::create_on(server()).await
    }

    /// The same where a standby follows.
    pub async fn create_with_standby() -> Database {
        Database::create_on(pair()).await
    }

    /// A vendor's own, on a server that no story crashes: its ledger is what they are held against.
    pub async fn of_vendor() -> Database {
        Database::create_on(VENDORS.get_or_init(|| Server::start(&[]))).await
    }

    /// One that is not there.
    pub fn nowhere() -> Database {
        Database { name: "nowhere".into(), on: server() }
    }

    async fn create_on(on: &'static Server) -> Database {
        let name = format!("story_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut root = connect(&on.url("postgres")).await;
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut root).await.unwrap();
        root.close().await.unwrap();
        Database { name, on }
    }

    /// A connection beside the stores.
    pub async fn beside(&self) -> PgConnection {
        connect(&self.url()).await
    }

    pub fn url(&self) -> String {
        self.on.url(&self.name)
    }

    pub fn address(&self) -> Address {
        self.url().parse().unwrap()
    }
}

async fn connect(url: &str) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    options.disable_statement_logging().connect().await.unwrap()
}
