//! What executions are kept in while they are measured: folders with SQLite, or databases of a PostgreSQL server, which was
//! named or is started for the measurement and ends with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use miette::IntoDiagnostic;
use selvedge_store::postgres::Address;

use super::Place;
use super::meter::Meter;
use crate::failure::Failure;
use crate::node::DATABASE;

/// Runs a PostgreSQL for as long as its stdin is open; the tests' own.
const SERVER: &str = "tests/postgres";
/// What databases that are made for a measurement are called, before the name of what is measured.
const PREFIX: &str = "selvedge_bench_";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Back {
    Sqlite,
    Postgres,
}

#[derive(Args)]
pub struct On {
    /// Where the executions are kept.
    #[arg(long, value_enum, default_value = "sqlite")]
    store: Back,
    /// PostgreSQL: `postgres://user@host:port/database` of a server on which databases are made for the measurement and
    /// removed after it. `SELVEDGE_DATABASE` when left out, and a server of its own when there is none.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// SQLite: keep the data below this folder; a passing one when left out.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Where places for measurements are found.
pub struct Ground {
    data: Option<PathBuf>,
    server: Option<Server>,
}

struct Server {
    address: Address,
    own: Option<Own>,
    /// Its first process, where that is ours to count.
    pid: Option<u32>,
    made: Mutex<Vec<String>>,
}

impl Ground {
    /// Finds the server that was named, or starts one; for SQLite there is nothing to find.
    pub fn find(home: &Path, on: &On) -> miette::Result<Ground> {
        let named = on.database.clone().or_else(|| std::env::var(DATABASE).ok());
        let server = match (on.store, named) {
            (Back::Sqlite, _) => None,
            (Back::Postgres, Some(url)) => Some(Server::at(url.parse()?)),
            (Back::Postgres, None) => Some(Server::start(home)?),
        };
        Ok(Ground { data: on.data.clone(), server })
    }

    /// A place of its own for what is measured.
    pub async fn place(&self, name: &str) -> miette::Result<Place> {
        let mut place = Place::new(self.data.as_ref(), name)?;
        let Some(server) = &self.server else { return Ok(place) };
        let database = format!("{PREFIX}{}_{name}", std::process::id());
        place.database = Some(server.address.create(&database).await?);
        lock(&server.made).push(database);
        Ok(place)
    }

    /// A meter that counts the server too, where it is ours.
    pub fn meter(&self) -> Meter {
        Meter::beside(self.server.as_ref().and_then(|server| server.pid))
    }

    /// What "durable" rests on.
    pub fn durability(&self) -> &'static str {
        match self.server {
            None => "sqlite WAL, synchronous=FULL, hash chain and Merkle log on",
            Some(_) => "postgresql, fsync and synchronous_commit on, hash chain and Merkle log on",
        }
    }

    /// Removes what was made on a server that goes on.
    pub async fn leave(self) -> miette::Result<()> {
        let Some(server) = self.server.filter(|server| server.own.is_none()) else { return Ok(()) };
        let made = std::mem::take(&mut *lock(&server.made));
        for database in made {
            server.address.remove(&database).await?;
        }
        Ok(())
    }
}

/// A server that was started for the measurement.
struct Own(Child);

impl Server {
    fn at(address: Address) -> Server {
        Server { address, own: None, pid: None, made: Mutex::default() }
    }

    fn start(home: &Path) -> miette::Result<Server> {
        let script = home.join(SERVER);
        let mut child = Command::new(&script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().into_diagnostic()?;
        let mut folder = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut folder).into_diagnostic()?;
        }
        let folder = folder.trim();
        if folder.is_empty() {
            let why = "it said above what it misses; or name a server with `--database`".into();
            return Err(Failure::Measurement { at: "the start of PostgreSQL".into(), why }.into());
        }
        let address = format!("postgres://selvedge@{}/postgres", folder.replace('/', "%2F")).parse()?;
        // The folder is the one with the socket; the data lie beside it.
        let pid = std::fs::read_to_string(Path::new(folder).join("../data/postmaster.pid"));
        let pid = pid.ok().and_then(|text| text.lines().next()?.parse().ok());
        Ok(Server { pid, own: Some(Own(child)), ..Server::at(address) })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Its stdin closed is what it ends at; then its folder is gone too.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
