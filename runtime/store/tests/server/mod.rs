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
static DATABASES: AtomicU32 = AtomicU32::new(0);

fn server() -> &'static Server {
    SERVER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/postgres");
        let mut running = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ends = (running.stdin.take().unwrap(), BufReader::new(running.stdout.take().unwrap()));
        let folder = said(&mut ends.1);
        Server { ends: Mutex::new(ends), folder, _running: running }
    })
}

fn said(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "PostgreSQL did not start; tests/postgres said why");
    line.trim().to_owned()
}

/// Crashes the server and starts it again, under everybody who uses it.
pub fn crash() {
    let mut ends = server().ends.lock().unwrap();
    ends.0.write_all(b"crash\n").unwrap();
    said(&mut ends.1);
}

fn url(database: &str) -> String {
    format!("postgres://selvedge@{}/{database}", server().folder.replace('/', "%2F"))
}

/// A database that goes with the server.
pub struct Database {
    pub name: String,
}

impl Database {
    /// A new, empty one.
    pub async fn create() -> Database {
        let name = format!("story_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut root = connect("postgres").await;
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut root).await.unwrap();
        root.close().await.unwrap();
        Database { name }
    }

    /// A connection beside the stores.
    pub async fn beside(&self) -> PgConnection {
        connect(&self.name).await
    }

    pub fn url(&self) -> String {
        url(&self.name)
    }

    pub fn address(&self) -> Address {
        self.url().parse().unwrap()
    }
}

async fn connect(database: &str) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url(database).parse().unwrap();
    options.disable_statement_logging().connect().await.unwrap()
}
