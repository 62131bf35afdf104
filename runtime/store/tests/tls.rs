//! TLS to PostgreSQL: what the address asks for is what it gets, or it is refused before anything is sent.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use selvedge_engine::StoreError;
use selvedge_store::PostgresStore;
use sqlx::{Connection, PgConnection};

/// A server at localhost that signed its own certificate; it ends with its stdin.
struct Server {
    running: Child,
    port: u16,
    socket: String,
    certificate: PathBuf,
}

impl Server {
    fn start() -> Server {
        // Free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/postgres");
        let mut script = Command::new(script);
        script.arg("--tls").env("PGPORT", port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = script.spawn().unwrap();
        let mut folder = String::new();
        BufReader::new(running.stdout.take().unwrap()).read_line(&mut folder).unwrap();
        let folder = folder.trim();
        assert!(!folder.is_empty(), "PostgreSQL did not start; tests/postgres said why");
        let certificate = Path::new(folder).join("../server.crt").canonicalize().unwrap();
        Server { running, port, socket: folder.replace('/', "%2F"), certificate }
    }

    fn at(&self, host: &str, asks: &str) -> String {
        format!("postgres://selvedge@{host}:{}/postgres?{asks}", self.port)
    }

    fn verified_at(&self, host: &str) -> String {
        self.at(host, &format!("sslmode=verify-full&sslrootcert={}", self.certificate.display()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.running.stdin.take());
        let _ = self.running.wait();
    }
}

async fn refused(url: &str) -> StoreError {
    match PostgresStore::open(&url.parse().unwrap()).await {
        Ok(_) => panic!("`{url}` was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_database_is_as_safe_as_its_address_asks_or_refused() {
    let server = Server::start();

    for (url, why) in [
        (server.at("localhost", "sslmode=verify-full"), "UnknownIssuer"),
        (server.at("localhost", "sslmode=verify-ca"), "UnknownIssuer"),
        (server.verified_at("127.0.0.1"), "not valid for"),
        (server.at(&server.socket, "sslmode=require"), "does not support TLS"),
    ] {
        let error = refused(&url).await;
        assert!(matches!(&error, StoreError::Untrusted { why: said, .. } if said.contains(why)), "{url}: {error}");
    }

    for url in [server.at("localhost", "sslmode=require"), server.verified_at("localhost")] {
        let store = PostgresStore::open(&url.parse().unwrap()).await.unwrap();
        let mut beside = PgConnection::connect(&server.at(&server.socket, "sslmode=disable")).await.unwrap();
        let sql = "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'selvedge'";
        let (all, safe): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut beside).await.unwrap();
        assert!(all > 0 && safe == all, "{safe} of {all}");
        store.close().await.unwrap();
    }
}
