//! The one writer. Whatever waits is written in one transaction, each job in a savepoint of its own, so that a
//! job that fails undoes only itself; nobody is told "done" before the disk has it. A transaction that SQLite
//! itself gave up (a full disk does that) is not written on: everybody in it is told that nothing was kept.

use std::collections::HashMap;

use futures_core::future::BoxFuture;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::Commit;
use selvedge_record::Frontier;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};

use super::journal::write_turn;
use super::turns::{self, Place, Places};
use super::{log, unavailable};
use crate::bodies::Packer;

/// How many jobs one transaction takes at most.
const MAX_BATCH: usize = 512;
/// How many jobs may wait; a caller beyond that waits itself.
const MAX_QUEUE: usize = 4096;

/// A moment in the life of a transaction, for those who test what a crash there leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Everything is decided or even written, nothing is durable.
    BeforeCommit,
    /// It is durable, nobody was told.
    AfterCommit,
}

/// Is told of each [`Moment`]; what it does there is its own affair (the crash tests end the process).
pub type Watch = std::sync::Arc<dyn Fn(Moment) + Send + Sync>;

/// What a job writes on: the connection, and the right edge of the log.
pub struct Desk {
    /// The only connection that writes.
    pub connection: SqliteConnection,
    /// The log's edge, as it will be when this transaction commits. Read anew in each transaction, so that a
    /// process beside this one can write in the same folder.
    pub edge: Frontier,
    /// The edge's text as the last commit left it, while that is known.
    left: Option<String>,
    /// Each tenant's epoch of kill switches, as far as it was asked for since the last commit of a job.
    pub epochs: HashMap<String, u64>,
    /// The newest time of a run, as it will be when this transaction commits.
    pub newest: Option<Micros>,
    /// What need not be asked.
    pub(super) places: Places,
    pub(super) packer: Packer,
    /// The number of the next record that is opened.
    next_record: i64,
}

impl Desk {
    /// On this connection, before its first transaction.
    pub fn new(connection: SqliteConnection) -> Result<Desk, StoreError> {
        Ok(Desk {
            connection,
            edge: Frontier::new(),
            left: None,
            epochs: HashMap::new(),
            newest: None,
            places: Places::default(),
            packer: Packer::new()?,
            next_record: 1,
        })
    }

    /// The number of a record that is being opened.
    pub(super) fn new_record(&mut self) -> i64 {
        self.next_record += 1;
        self.next_record - 1
    }
}

/// What a turn's job is called when it cannot be done.
const WRITING: &str = "write a turn";

/// Tells the caller how the commit went, or why there was none.
type Acknowledge = Box<dyn FnOnce(Result<(), String>) + Send>;
/// Does the work, or nothing where no transaction could be begun; `false` undoes this job alone.
type Work = Box<dyn for<'d> FnOnce(Option<&'d mut Desk>) -> BoxFuture<'d, (bool, Acknowledge)> + Send>;

/// What waits to be written.
enum Job {
    /// A turn that is written together with others.
    Turn(Box<Turn>),
    /// Anything else.
    Work(Work),
}

/// A turn, and who waits for it.
struct Turn {
    commit: Commit,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the writer.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    /// Nothing is ever sent; it ends when the connection is closed.
    open: watch::Receiver<()>,
}

impl Writer {
    /// Starts the writer on its connection.
    pub fn start(desk: Desk, watch: Option<Watch>) -> Writer {
        let (queue, jobs) = mpsc::channel(MAX_QUEUE);
        let (closes, open) = watch::channel(());
        tokio::spawn(async move {
            let _ = serve(desk, jobs, watch).await.connection.close().await;
            drop(closes);
        });
        Writer { queue, open }
    }

    /// Lets the writer end, and returns when its connection is closed: when all others let go of it as well.
    pub async fn close(self) {
        let Writer { queue, mut open } = self;
        drop(queue);
        while open.changed().await.is_ok() {}
    }

    /// Runs `job` in a transaction and returns its result once that transaction is on disk.
    pub async fn run<T, J>(&self, doing: &'static str, job: J) -> Result<T, StoreError>
    where
        T: Send + 'static,
        J: for<'d> FnOnce(&'d mut Desk) -> BoxFuture<'d, Result<T, StoreError>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.send(doing, Job::Work(work(doing, job, answer)), answered).await
    }

    /// Writes a turn and returns once it is on disk.
    pub async fn turn(&self, commit: Commit) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let turn = Turn { commit, answer };
        let job = if turns::is_plain(&turn.commit) { Job::Turn(Box::new(turn)) } else { Job::Work(turn.alone()) };
        self.send(WRITING, job, answered).await
    }

    async fn send<T>(
        &self,
        doing: &'static str,
        job: Job,
        answered: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable { doing: doing.into(), why: "the writer has stopped".into() };
        self.queue.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Turn {
    /// As a job of its own.
    fn alone(self) -> Work {
        work(WRITING, move |desk| write_turn(desk, self.commit), self.answer)
    }
}

/// A job whose result goes to whoever waits for `answer`.
fn work<T, J>(doing: &'static str, job: J, answer: oneshot::Sender<Result<T, StoreError>>) -> Work
where
    T: Send + 'static,
    J: for<'d> FnOnce(&'d mut Desk) -> BoxFuture<'d, Result<T, StoreError>> + Send + 'static,
{
    let no = move |why: String| StoreError::Unavailable { doing: doing.into(), why };
    Box::new(move |desk| {
        Box::pin(async move {
            let result = match desk {
                Some(desk) => job(desk).await.map(Some),
                None => Ok(None),
            };
            let kept = result.is_ok();
            let acknowledge: Acknowledge = Box::new(move |committed| {
                let told = result.and_then(|value| {
                    committed.map_err(no)?;
                    value.ok_or_else(|| no("there was no transaction".into()))
                });
                // A caller that went away needs no answer.
                let _ = answer.send(told);
            });
            (kept, acknowledge)
        })
    })
}

async fn serve(mut desk: Desk, mut jobs: mpsc::Receiver<Job>, watch: Option<Watch>) -> Desk {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, MAX_BATCH).await > 0 {
        write(&mut desk, &mut batch, watch.as_ref()).await;
    }
    desk
}

async fn write(desk: &mut Desk, batch: &mut Vec<Job>, watch: Option<&Watch>) {
    let mut waiting = Vec::with_capacity(batch.len());
    let (mut turns, mut works) = (Vec::new(), Vec::new());
    for job in batch.drain(..) {
        match job {
            Job::Turn(turn) => turns.push(*turn),
            Job::Work(work) => works.push(work),
        }
    }
    if works.is_empty() {
        match quickly(desk, turns, watch).await {
            Ok(()) => return,
            Err(back) => turns = back,
        }
    }
    let mut standing = begin(desk).await;
    let together;
    if standing.is_ok() {
        match at_once(desk, turns).await {
            Ok(AtOnce { written, alone }) => {
                together = written;
                works.extend(alone.into_iter().map(Turn::alone));
            }
            Err((error, turns)) => {
                standing = Err(error);
                together = unwritten(turns);
            }
        }
    } else {
        together = unwritten(turns);
    }
    for work in works {
        let (written, acknowledge) = one(desk, work, standing.is_ok()).await;
        standing = standing.and(written);
        waiting.push(acknowledge);
    }
    let left = match standing {
        Ok(()) => finish(desk, watch).await,
        Err(error) => Err(error),
    };
    if left.is_err() {
        let _ = execute(desk, "ROLLBACK").await;
    }
    desk.left = left.as_ref().ok().cloned();
    let committed = left.map(drop);
    match &committed {
        Ok(()) => desk.places.remember(together.iter().filter_map(|(turn, place)| Some((&turn.commit, (*place)?)))),
        Err(_) => desk.places = Places::default(),
    }
    for acknowledge in waiting {
        acknowledge(committed.as_ref().map_err(reason).copied());
    }
    for (turn, _) in together {
        let told = committed.as_ref().map_err(reason).copied();
        // A caller that went away needs no answer.
        let _ = turn.answer.send(told.map_err(|why| StoreError::Unavailable { doing: WRITING.into(), why }));
    }
}

/// Writes and commits turns on what is known since the last commit, and tells everybody. Where too little is known or
/// anything is refused, nothing of them is written and they come back, to go the long way, which asks.
async fn quickly(desk: &mut Desk, turns: Vec<Turn>, watch: Option<&Watch>) -> Result<(), Vec<Turn>> {
    let commits: Vec<&Commit> = turns.iter().map(|turn| &turn.commit).collect();
    let Some(left) = desk.left.clone() else { return Err(turns) };
    let Some(places) = turns::remembered(desk, &commits) else { return Err(turns) };
    let fitting: Vec<(&Commit, Place)> = commits.into_iter().zip(places).collect();
    tell(watch, Moment::BeforeCommit);
    let Ok(left) = turns::write_and_commit(desk, &left, &fitting).await else {
        // There is no transaction where it was not even begun.
        let _ = execute(desk, "ROLLBACK").await;
        desk.left = None;
        return Err(turns);
    };
    tell(watch, Moment::AfterCommit);
    desk.left = Some(left);
    desk.places.remember(fitting.into_iter());
    for turn in turns {
        // A caller that went away needs no answer.
        let _ = turn.answer.send(Ok(()));
    }
    Ok(())
}

/// What became of turns that were to be written together.
struct AtOnce {
    /// These are, at these places.
    written: Vec<(Turn, Option<Place>)>,
    /// These go by themselves: something was refused, and each is to hear of its own mistake alone.
    alone: Vec<Turn>,
}

/// Writes turns together. An error is one after which the transaction does not stand.
async fn at_once(desk: &mut Desk, turns: Vec<Turn>) -> Result<AtOnce, (StoreError, Vec<Turn>)> {
    if turns.is_empty() {
        return Ok(AtOnce { written: Vec::new(), alone: Vec::new() });
    }
    let commits: Vec<&Commit> = turns.iter().map(|turn| &turn.commit).collect();
    let places = match turns::follow(desk, &commits).await {
        Ok(places) => places,
        Err(error) => return Err((error, turns)),
    };
    let fitting: Vec<(&Commit, Place)> =
        commits.into_iter().zip(&places).filter_map(|(commit, place)| Some((commit, (*place)?))).collect();
    let all = turns::write(desk, &fitting).await.is_ok();
    if !all {
        // They come first, so nothing else is undone with them. SQLite may have done it already.
        let _ = execute(desk, "ROLLBACK").await;
        if let Err(error) = begin(desk).await {
            return Err((error, turns));
        }
    }
    let (mut written, mut alone) = (Vec::new(), Vec::new());
    for (turn, place) in turns.into_iter().zip(places) {
        if all && place.is_some() { written.push((turn, place)) } else { alone.push(turn) }
    }
    Ok(AtOnce { written, alone })
}

/// Turns of a transaction that does not stand.
fn unwritten(turns: Vec<Turn>) -> Vec<(Turn, Option<Place>)> {
    turns.into_iter().map(|turn| (turn, None)).collect()
}

async fn begin(desk: &mut Desk) -> Result<(), StoreError> {
    (desk.edge, desk.newest, desk.next_record) = log::begin(&mut desk.connection).await?;
    // Nobody else has set a switch where nobody else has written an event.
    if desk.left.take() != Some(log::text(&desk.edge)?) {
        desk.epochs.clear();
    }
    Ok(())
}

/// Does one job; the first answer is whether the transaction still stands, not whether the job went well.
async fn one(desk: &mut Desk, work: Work, stands: bool) -> (Result<(), StoreError>, Acknowledge) {
    if !stands {
        return (Ok(()), work(None).await.1);
    }
    let (edge, newest) = (desk.edge.clone(), desk.newest);
    if let Err(error) = execute(desk, "SAVEPOINT job").await {
        return (Err(error), work(None).await.1);
    }
    let (kept, acknowledge) = work(Some(desk)).await;
    if !kept {
        (desk.edge, desk.newest) = (edge, newest);
        desk.epochs.clear();
        if let Err(error) = execute(desk, "ROLLBACK TO job").await {
            return (Err(error), acknowledge);
        }
    }
    (execute(desk, "RELEASE job").await, acknowledge)
}

/// Commits; the text of the log's edge as it is then.
async fn finish(desk: &mut Desk, watch: Option<&Watch>) -> Result<String, StoreError> {
    tell(watch, Moment::BeforeCommit);
    let left = log::commit(&mut desk.connection, &desk.edge, desk.newest).await?;
    tell(watch, Moment::AfterCommit);
    Ok(left)
}

fn tell(watch: Option<&Watch>, moment: Moment) {
    if let Some(watch) = watch {
        watch(moment);
    }
}

async fn execute(desk: &mut Desk, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable(sql))
}

/// Why a transaction was not committed, for everybody who was in it.
fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable { why, .. } => why.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
