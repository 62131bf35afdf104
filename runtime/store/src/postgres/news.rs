//! Telling the node that drives a run of its mail. Off the write path: a commit that notifies takes a lock that all
//! others wait for, so what is to be told is gathered for a moment and told at once, on a connection of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use selvedge_engine::ports::store::RunId;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

/// Where nodes tell one another.
const CHANNEL: &str = "selvedge_mail";
/// How long is gathered before it is told.
const GATHER: Duration = Duration::from_millis(10);
/// How much may wait to be told, or to be heard. What is beyond is lost, which only costs time.
const MAX_WAITING: usize = 1024;
/// How many runs one notification names: PostgreSQL carries 8,000 bytes.
const MAX_RUNS: usize = 40;
/// How long a listener that lost the database waits.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What one node tells the others: who tells, and which runs have mail.
type Notice = (String, Vec<RunId>);

/// Both ends of the wire.
pub struct News {
    tell: mpsc::Sender<RunId>,
    told: Mutex<mpsc::Receiver<RunId>>,
}

impl News {
    /// Starts telling, and listening on the connection of `ear`, which is never given back.
    pub fn start(mouth: PgPool, ear: PgPool, node: &str) -> (News, Vec<AbortHandle>) {
        let (tell, to_tell) = mpsc::channel(MAX_WAITING);
        let (heard, told) = mpsc::channel(MAX_WAITING);
        let telling = tokio::spawn(telling(mouth, node.to_owned(), to_tell));
        let listening = tokio::spawn(listening(ear, node.to_owned(), heard));
        let tasks = vec![telling.abort_handle(), listening.abort_handle()];
        (News { tell, told: Mutex::new(told) }, tasks)
    }

    /// Tells the others, some time soon.
    pub fn tell(&self, id: &RunId) {
        let _ = self.tell.try_send(id.clone());
    }

    /// Waits for what others tell.
    pub async fn told(&self) -> Vec<RunId> {
        let mut runs = Vec::new();
        if self.told.lock().await.recv_many(&mut runs, MAX_WAITING).await == 0 {
            // The listener has ended with the node.
            std::future::pending::<()>().await;
        }
        runs
    }
}

async fn telling(pool: PgPool, node: String, mut to_tell: mpsc::Receiver<RunId>) {
    let mut gathered = Vec::new();
    while let Some(first) = to_tell.recv().await {
        tokio::time::sleep(GATHER).await;
        gathered.push(first);
        while let Ok(next) = to_tell.try_recv() {
            gathered.push(next);
        }
        let runs: Vec<RunId> = BTreeSet::from_iter(gathered.drain(..)).into_iter().collect();
        let notices = runs.chunks(MAX_RUNS).map(|runs| (&node, runs));
        let notices: Vec<String> = notices.filter_map(|notice| serde_json::to_string(&notice).ok()).collect();
        let sql = "SELECT pg_notify($1, notice) FROM unnest($2::text[]) AS notice";
        if let Err(error) = sqlx::query(sql).bind(CHANNEL).bind(notices).execute(&pool).await {
            tracing::debug!(%error, "other nodes could not be told of mail; they find it by looking");
        }
    }
}

async fn listening(pool: PgPool, node: String, heard: mpsc::Sender<RunId>) {
    loop {
        if let Err(error) = listen(&pool, &node, &heard).await {
            tracing::debug!(%error, "this node is not told of mail; it finds it by looking");
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

async fn listen(pool: &PgPool, node: &str, heard: &mpsc::Sender<RunId>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let notification = listener.recv().await?;
        let Ok((from, runs)) = serde_json::from_str::<Notice>(notification.payload()) else { continue };
        for id in runs.into_iter().filter(|_| from != node) {
            let _ = heard.try_send(id);
        }
    }
}
