//! A snapshot of a database that others are writing, and whether a database holds together.
//!
//! `VACUUM INTO` reads in one transaction, so the snapshot is the database as of one commit, while writers go on;
//! it has no free pages, so nothing that was deleted travels with it.

use std::path::Path;

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::RunId;
use selvedge_record::{Event, Frontier, Hash};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use super::log::hashes_of;
use super::{SqliteStore, unavailable};
use crate::bodies::Unpacker;
use crate::rows::as_i64;

/// How many turns are in memory at a time.
const PAGE: i64 = 1024;

/// What a database holds, after all of it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The version of its schema.
    pub schema: i64,
    /// Events in the log.
    pub events: u64,
    /// The root over them.
    pub root: Hash,
    /// The time of the newest event of a run, in UTC microseconds; 0 where there is none.
    pub newest: i64,
    /// The newest checkpoint, and the root of the log at its size: they must agree, which the log's key can say.
    pub checkpoint: Option<(String, Hash)>,
    /// A data key as it is kept, with its tenant, subject and class: the master key must open it.
    pub data_key: Option<(String, String, String, Vec<u8>)>,
}

impl SqliteStore {
    /// Writes the database as of now to `file`, which must not exist. Others write on meanwhile.
    pub async fn snapshot(&self, file: &Path) -> Result<(), StoreError> {
        let doing = "take a snapshot";
        let name = file.to_str().ok_or_else(|| StoreError::Unavailable {
            doing: doing.into(),
            why: "the name of the file is not UTF-8".into(),
        })?;
        let query = sqlx::query("VACUUM INTO ?").bind(name);
        query.execute(&self.read).await.map(|_| ()).map_err(unavailable(doing))
    }

    /// Lets go of the database, and returns when nobody holds it: SQLite has then moved the WAL into the file.
    pub async fn close(self) {
        let SqliteStore { read, writer, .. } = self;
        read.close().await;
        writer.close().await;
    }

    /// The runs that are not over.
    pub async fn unfinished(&self) -> Result<Vec<RunId>, StoreError> {
        let rows =
            sqlx::query("SELECT records.tenant, interaction FROM runs JOIN records USING (record) WHERE over = 0")
                .fetch_all(&self.read)
                .await;
        let rows = rows.map_err(unavailable("list open runs"))?;
        Ok(rows.iter().map(|r| RunId { tenant: r.get("tenant"), interaction: r.get("interaction") }).collect())
    }

    /// Whose records are here.
    pub async fn tenants(&self) -> Result<Vec<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT DISTINCT tenant FROM records ORDER BY tenant");
        query.fetch_all(&self.read).await.map_err(unavailable("list tenants"))
    }
}

/// Looks at all of a database, and changes nothing.
///
/// Errors: S602, S603 for a newer schema, S605 naming what does not hold: SQLite's own check of its pages, an event
/// that is not what it was or not where its record continues, a log whose edge is not that of its events.
pub async fn examine(file: &Path) -> Result<Examined, StoreError> {
    let doing = unavailable("open a database to examine it");
    let options = SqliteConnectOptions::new().filename(file).read_only(true).disable_statement_logging();
    let mut database = options.connect().await.map_err(doing)?;
    let schema = super::open::version(&mut database).await?;
    super::open::refuse_newer(schema)?;
    pages_are_whole(&mut database).await?;
    records_are_whole(&mut database).await?;
    let newest: Option<(i64, String)> = sqlx::query_as("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1")
        .fetch_optional(&mut database)
        .await
        .map_err(unavailable("read a checkpoint"))?;
    let (edge, checkpoint) = log_is_whole(&mut database, newest).await?;
    let newest = super::log::newest(&mut database).await?;
    let data_key = sqlx::query_as("SELECT tenant, subject, class, wrapped FROM data_keys LIMIT 1")
        .fetch_optional(&mut database)
        .await
        .map_err(unavailable("read a data key"))?;
    let (events, root, newest) = (edge.size(), edge.root(), newest.unwrap_or(0));
    Ok(Examined { schema, events, root, newest, checkpoint, data_key })
}

async fn pages_are_whole(database: &mut SqliteConnection) -> Result<(), StoreError> {
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_all(database)
        .await
        .map_err(unavailable("check the database"))?;
    // SQLite's words name tables and pages, never values.
    if said == ["ok"] { Ok(()) } else { Err(unreadable(said.join("; "))) }
}

/// Each event is what was written, and each record one chain without a gap.
async fn records_are_whole(database: &mut SqliteConnection) -> Result<(), StoreError> {
    let sql = "SELECT record, coalesce(tenant, '') AS tenant, coalesce(interaction, '') AS interaction, seq, hashes, bodies \
               FROM turns LEFT JOIN records USING (record) WHERE (record, seq) > (?, ?) ORDER BY record, seq LIMIT ?";
    let (mut last, mut next, mut head) = ((0_i64, -1_i64), 0_u64, Hash::ZERO);
    let mut unpacker = Unpacker::new()?;
    loop {
        let page = sqlx::query(sql).bind(last.0).bind(last.1).bind(PAGE).fetch_all(&mut *database).await;
        let page = page.map_err(unavailable("read the records"))?;
        if page.is_empty() {
            return Ok(());
        }
        for row in &page {
            let (record, seq): (i64, i64) = (row.get("record"), row.get("seq"));
            if record != last.0 {
                (next, head) = (0, Hash::ZERO);
            }
            last = (record, seq);
            let (tenant, interaction): (&str, &str) = (row.get("tenant"), row.get("interaction"));
            let hold = || {
                unreadable(format!(
                    "event {seq} of record `{interaction}`, or one after it, is not the one that was written"
                ))
            };
            let leaves = hashes_of(row.get("hashes"))?;
            let texts = unpacker.unpack(row.get("bodies")).map_err(|_| hold())?;
            if u64::try_from(seq) != Ok(next) || texts.len() != leaves.len() {
                return Err(hold());
            }
            for (text, leaf) in texts.iter().zip(leaves) {
                let event = Event::parse(text).map_err(|_| hold())?;
                let in_place = event.tenant == tenant && event.interaction == interaction && event.seq == next;
                if !(in_place && event.prev == head && event.hash == leaf) {
                    return Err(hold());
                }
                (next, head) = (next + 1, event.hash);
            }
        }
    }
}

/// The edge is that of the events, without a gap. With it: a checkpoint and the root that the log had at its size.
async fn log_is_whole(
    database: &mut SqliteConnection,
    newest: Option<(i64, String)>,
) -> Result<(Frontier, Option<(String, Hash)>), StoreError> {
    let sql = "SELECT idx, hashes FROM turns WHERE idx >= ? ORDER BY idx LIMIT ?";
    let (mut log, mut at_checkpoint) = (Frontier::new(), None);
    loop {
        let mut look = |log: &Frontier| match &newest {
            Some((size, note)) if u64::try_from(*size) == Ok(log.size()) => {
                at_checkpoint = Some((note.clone(), log.root()))
            }
            _ => {}
        };
        look(&log);
        let from = as_i64(log.size());
        let page = sqlx::query(sql).bind(from).bind(PAGE).fetch_all(&mut *database).await;
        let page = page.map_err(unavailable("read the log"))?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            let index = log.size();
            if row.get::<i64, _>("idx") != as_i64(index) {
                return Err(unreadable(format!("leaf {index} of the log is missing")));
            }
            for leaf in hashes_of(row.get("hashes"))? {
                log.push(leaf);
                look(&log);
            }
        }
    }
    if super::log::edge(&mut *database).await? != log {
        return Err(unreadable(format!("the edge of the log is not that of its {} events", log.size())));
    }
    match (&newest, &at_checkpoint) {
        (Some((size, _)), None) => {
            Err(unreadable(format!("a checkpoint over {size} events; there are {}", log.size())))
        }
        _ => Ok((log, at_checkpoint)),
    }
}

fn unreadable(what: String) -> StoreError {
    StoreError::Unreadable { what }
}
