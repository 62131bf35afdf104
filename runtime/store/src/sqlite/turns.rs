//! Turns of many runs, written together. A turn that only adds events, its summary, sealed values and contacts shares
//! statements with its neighbours; one that does more is a job of its own ([`super::journal`]). When the database refuses
//! anything of what is written together, all of it is undone and each turn is tried by itself, so that one failure stays
//! its own. Turns that go on where this writer left off take their commit with them ([`write_and_commit`]).

use std::collections::{HashMap, HashSet};

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Commit, RecordKey, RunId, SealedValue};
use selvedge_record::Sealed;
use sqlx::Row;

use super::rows::{self, Bound, Rows, SIZES, each_size, rows, times};
use super::writer::Desk;
use super::{contacts, log, switches, unavailable};
use crate::rows::as_i64;

/// Of how many records it is remembered where they go on.
const MAX_KNOWN: usize = 65_536;

const RECORDS: Rows = rows!("INSERT INTO records (record, tenant, interaction)", "(?, ?, ?)", "");
const TURNS: Rows = rows!("INSERT INTO turns (idx, record, seq, hashes, bodies)", "(?, ?, ?, ?, ?)", "");
const OPENED: Rows = rows!(
    "INSERT INTO runs (record, tenant, workflow, controls, customer, opened, updated, at, over, busy, wake, halted, closed)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ""
);
const GONE_ON: Rows = rows!(
    "UPDATE runs SET updated = column2, at = column3, over = column4, busy = column5, wake = column6, halted = column7, \
     closed = coalesce(closed, column8) FROM (",
    "(?, ?, ?, ?, ?, ?, ?, ?)",
    ") WHERE record = column1"
);
const KEYS: Rows = rows!("INSERT INTO data_keys (tenant, subject, class, wrapped)", "(?, ?, ?, ?)", "");
const VALUES: Rows = rows!("INSERT INTO sealed (record, name, class, blob)", "(?, ?, ?, ?)", "");

/// What most turns do, and the commit. That the log's edge is the one that was known is asked by writing it: otherwise it
/// would become nothing, which the database refuses.
macro_rules! end {
    ($n:tt, $begin:expr) => {
        concat!(
            $begin,
            "INSERT INTO turns (idx, record, seq, hashes, bodies) \
             SELECT column1, column2, column3, column4, column5 FROM (",
            "VALUES ",
            times!($n, "(?, ?, ?, ?, ?)"),
            ") WHERE column1 IS NOT NULL; ",
            "UPDATE runs SET updated = column2, at = column3, over = column4, busy = column5, wake = column6, \
             halted = column7, closed = coalesce(closed, column8) FROM (",
            "VALUES ",
            times!($n, "(?, ?, ?, ?, ?, ?, ?, ?)"),
            ") WHERE record = column1; ",
            "INSERT INTO sealed (record, name, class, blob) SELECT column1, column2, column3, column4 FROM (",
            "VALUES ",
            times!($n, "(?, ?, ?, ?)"),
            ") WHERE column1 IS NOT NULL; ",
            "UPDATE log_edge SET edge = CASE edge WHEN ? THEN ? END, newest = ? WHERE one = 1; ",
            "COMMIT"
        )
    };
}
const END: Rows = each_size!(end, "");
const ALL: Rows = each_size!(end, "BEGIN IMMEDIATE; ");

/// Where a record goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The record's number.
    pub record: i64,
    /// How many events it has; 0: it is not there yet.
    pub next: u64,
}

impl Place {
    fn is_followed_by(self, events: &[Sealed]) -> bool {
        (self.next..).zip(events).all(|(next, event)| event.seq == next)
    }
}

/// Where records go on, as far as this writer wrote them lately. Only ever a guess that saves a question: what
/// differs from it is looked up, and behind it stands the unique key of `turns`.
#[derive(Default)]
pub(super) struct Places(HashMap<RunId, Place>);

impl Places {
    /// A turn that goes alone is told what is so, not what was remembered.
    pub fn forget(&mut self, id: &RunId) {
        self.0.remove(id);
    }

    /// After a commit: what these turns have made of their records.
    pub fn remember<'c>(&mut self, written: impl Iterator<Item = (&'c Commit, Place)>) {
        if self.0.len() > MAX_KNOWN {
            self.0.clear();
        }
        for (commit, Place { record, next }) in written {
            match commit.release {
                // Nobody will write there soon.
                true => drop(self.0.remove(&commit.id)),
                false => {
                    let next = next + commit.events.len() as u64;
                    self.0.insert(commit.id.clone(), Place { record, next });
                }
            }
        }
    }
}

/// Whether a turn can be written together with others.
pub(super) fn is_plain(commit: &Commit) -> bool {
    let Commit { consumed, links, forget_card, known, contacts, .. } = commit;
    let makes = contacts.iter().all(|contact| contact.made.is_some());
    makes && consumed.is_empty() && links.is_empty() && forget_card.is_none() && known.is_none()
}

/// The places of those of these turns that follow on their records as they are and were decided at the kill switches
/// in force. Of two turns of one record, the second waits until the first is written.
pub(super) async fn follow(desk: &mut Desk, turns: &[&Commit]) -> Result<Vec<Option<Place>>, StoreError> {
    let mut here = HashSet::new();
    let mut places = Vec::with_capacity(turns.len());
    for commit in turns {
        let in_force = match commit.epoch {
            Some(epoch) => switches::epoch(desk, &commit.id.tenant).await? == epoch,
            None => true,
        };
        let place = match in_force && here.insert(&commit.id) {
            true => place_of(desk, commit).await?,
            false => None,
        };
        places.push(place);
    }
    Ok(places)
}

async fn place_of(desk: &mut Desk, commit: &Commit) -> Result<Option<Place>, StoreError> {
    let first = commit.events.first().map(|event| event.seq);
    let guess = desk.places.0.get(&commit.id).copied();
    let known = match guess.filter(|guess| first.is_none_or(|first| guess.next == first)) {
        Some(guess) => Some(guess),
        None => place(desk, &commit.id).await?,
    };
    let place = match (known, first) {
        (None, Some(0)) => Place { record: desk.new_record(), next: 0 },
        (None, _) => return Ok(None),
        (Some(place), _) => place,
    };
    Ok(place.is_followed_by(&commit.events).then_some(place))
}

/// The places of turns, as far as they are known since this writer's last commit; `None` where one has to be asked for,
/// or where a turn was decided at other kill switches.
pub(super) fn remembered(desk: &mut Desk, turns: &[&Commit]) -> Option<Vec<Place>> {
    let mut here = HashSet::new();
    let mut places = Vec::with_capacity(turns.len());
    for commit in turns {
        let in_force = commit.epoch.is_none_or(|epoch| desk.epochs.get(&commit.id.tenant) == Some(&epoch));
        let first = commit.events.first().map(|event| event.seq);
        let place = match (desk.places.0.get(&commit.id), first) {
            (Some(place), _) => *place,
            (None, Some(0)) => Place { record: desk.new_record(), next: 0 },
            (None, _) => return None,
        };
        if !in_force || !here.insert(&commit.id) || !place.is_followed_by(&commit.events) {
            return None;
        }
        places.push(place);
    }
    Some(places)
}

/// Where a record goes on; `None`: there is none.
pub(super) async fn place(desk: &mut Desk, id: &RunId) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT record, (SELECT seq + length(hashes) / 32 FROM turns WHERE turns.record = records.record \
               ORDER BY seq DESC LIMIT 1) AS next FROM records WHERE tenant = ? AND interaction = ?";
    let row = sqlx::query(sql).bind(&id.tenant).bind(&id.interaction).fetch_optional(&mut desk.connection).await;
    let row = row.map_err(unavailable("read a record"))?;
    Ok(row.map(|row| Place { record: row.get("record"), next: u64::try_from(row.get::<i64, _>("next")).unwrap_or(0) }))
}

/// How many events a record has.
pub(super) async fn length(desk: &mut Desk, id: &RunId) -> Result<u64, StoreError> {
    Ok(place(desk, id).await?.map_or(0, |place| place.next))
}

/// What turns write.
struct Written<'c> {
    opened: Vec<(&'c Commit, Place)>,
    gone_on: Vec<(&'c Commit, Place)>,
    turns: Vec<TurnRow>,
    sealed: Vec<(i64, &'c SealedValue)>,
    keys: Vec<(&'c RunId, &'c RecordKey)>,
    contacts: Vec<&'c Commit>,
}

/// The events of a turn.
struct TurnRow {
    /// The first one's place in the log.
    index: i64,
    place: Place,
    hashes: Vec<u8>,
    bodies: Vec<u8>,
}

impl<'c> Written<'c> {
    /// Of turns at their places, whose leaves the log's edge takes up.
    fn of(desk: &mut Desk, all: &[(&'c Commit, Place)]) -> Result<Written<'c>, StoreError> {
        let (opened, gone_on) = all.iter().partition(|(_, place)| place.next == 0);
        desk.newest = desk.newest.max(all.iter().map(|(commit, _)| commit.summary.updated).max());
        let turns = turn_rows(desk, all.iter().map(|(commit, place)| (commit.events.as_slice(), *place)))?;
        let (mut sealed, mut keys) = (Vec::new(), Vec::new());
        for (commit, place) in all {
            sealed.extend(commit.sealed.iter().map(|value| (place.record, value)));
            keys.extend(commit.keys.iter().map(|key| (&commit.id, key)));
        }
        let contacts = all.iter().map(|(commit, _)| *commit).filter(|commit| !commit.contacts.is_empty()).collect();
        Ok(Written { opened, gone_on, turns, sealed, keys, contacts })
    }

    /// Takes away what [`END`] can write.
    fn last(&mut self) -> Written<'c> {
        let most = SIZES[SIZES.len() - 1];
        fn end<T>(all: &mut Vec<T>, most: usize) -> Vec<T> {
            all.split_off(all.len().saturating_sub(most))
        }
        Written {
            gone_on: end(&mut self.gone_on, most),
            turns: end(&mut self.turns, most),
            sealed: end(&mut self.sealed, most),
            opened: Vec::new(),
            keys: Vec::new(),
            contacts: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        let Written { opened, gone_on, turns, sealed, keys, contacts } = self;
        let rows = opened.len() + gone_on.len() + turns.len() + sealed.len() + keys.len() + contacts.len();
        rows == 0
    }

    async fn write(&self, desk: &mut Desk) -> Result<(), StoreError> {
        let on = &mut desk.connection;
        rows::write(on, &RECORDS, &self.opened, open_record).await.map_err(unavailable("open records"))?;
        rows::write(on, &OPENED, &self.opened, open_run).await.map_err(unavailable("write runs"))?;
        rows::write(on, &GONE_ON, &self.gone_on, go_on).await.map_err(unavailable("write runs"))?;
        rows::write(on, &TURNS, &self.turns, add_turn).await.map_err(unavailable("write events"))?;
        rows::write(on, &VALUES, &self.sealed, seal).await.map_err(unavailable("seal values"))?;
        rows::write(on, &KEYS, &self.keys, keep_key).await.map_err(unavailable("keep data keys"))?;
        contacts::keep(desk, self.contacts.iter().copied()).await
    }
}

/// Writes turns at their places.
pub(super) async fn write(desk: &mut Desk, turns: &[(&Commit, Place)]) -> Result<(), StoreError> {
    Written::of(desk, turns)?.write(desk).await
}

/// Begins a transaction that rests on what the desk knows of the log, writes turns at their places, and commits. The text
/// of the edge that stands there from now on.
///
/// Each statement costs a change of threads, so what most turns do is one with the beginning and the commit. An error
/// leaves the transaction open, if it was begun.
pub(super) async fn write_and_commit(
    desk: &mut Desk,
    known: &str,
    turns: &[(&Commit, Place)],
) -> Result<String, StoreError> {
    let mut before = Written::of(desk, turns)?;
    let last = before.last();
    let end = match before.is_empty() {
        true => &ALL,
        false => {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut desk.connection).await.map_err(unavailable("begin"))?;
            before.write(desk).await?;
            &END
        }
    };
    let rows = last.gone_on.len().max(last.turns.len()).max(last.sealed.len());
    let (size, end) = SIZES
        .iter()
        .zip(end)
        .find(|(size, _)| **size >= rows)
        .unwrap_or((&SIZES[SIZES.len() - 1], &end[SIZES.len() - 1]));
    let edge = log::text(&desk.edge)?;
    let query = padded(sqlx::query(*end), &last.turns, add_turn, *size, 5);
    let query = padded(query, &last.gone_on, go_on, *size, 8);
    let query = padded(query, &last.sealed, seal, *size, 4);
    let query = query.bind(known).bind(edge.as_str()).bind(desk.newest);
    query.execute(&mut desk.connection).await.map_err(unavailable("write turns"))?;
    Ok(edge)
}

/// Binds all rows, and as many empty ones as make up `size`.
fn padded<'q, T>(
    query: Bound<'q>,
    all: &'q [T],
    bind: impl Fn(Bound<'q>, &'q T) -> Bound<'q>,
    size: usize,
    columns: usize,
) -> Bound<'q> {
    let query = all.iter().fold(query, bind);
    (0..(size - all.len()) * columns).fold(query, |query, _| query.bind(None::<i64>))
}

fn open_record<'q>(query: Bound<'q>, (commit, place): &'q (&Commit, Place)) -> Bound<'q> {
    query.bind(place.record).bind(&commit.id.tenant).bind(&commit.id.interaction)
}

fn open_run<'q>(query: Bound<'q>, (commit, place): &'q (&Commit, Place)) -> Bound<'q> {
    let s = &commit.summary;
    let query = query.bind(place.record).bind(&commit.id.tenant).bind(&s.workflow).bind(&s.controls);
    let query = query.bind(&s.customer).bind(s.opened).bind(s.updated).bind(&s.at).bind(s.over).bind(s.busy);
    query.bind(s.wake).bind(&s.halted).bind(s.over.then_some(s.updated))
}

fn go_on<'q>(query: Bound<'q>, (commit, place): &'q (&Commit, Place)) -> Bound<'q> {
    let s = &commit.summary;
    let query = query.bind(place.record).bind(s.updated).bind(&s.at).bind(s.over).bind(s.busy).bind(s.wake);
    query.bind(&s.halted).bind(s.over.then_some(s.updated))
}

fn add_turn<'q>(query: Bound<'q>, turn: &'q TurnRow) -> Bound<'q> {
    let TurnRow { index, place, hashes, bodies } = turn;
    query.bind(*index).bind(place.record).bind(as_i64(place.next)).bind(hashes.as_slice()).bind(bodies.as_slice())
}

fn seal<'q>(query: Bound<'q>, (record, value): &'q (i64, &SealedValue)) -> Bound<'q> {
    query.bind(*record).bind(&value.name).bind(&value.class).bind(&value.blob)
}

fn keep_key<'q>(query: Bound<'q>, (id, key): &'q (&RunId, &RecordKey)) -> Bound<'q> {
    query.bind(&id.tenant).bind(&id.interaction).bind(&key.class).bind(&key.wrapped)
}

/// Events at the end of a record that belongs to no run, or to one that is over. That the first one is the record's next
/// is what makes a record have one author; the unique key of `turns` stands behind it.
pub(super) async fn append(desk: &mut Desk, id: &RunId, added: &[Sealed]) -> Result<(), StoreError> {
    desk.places.forget(id);
    let known = place(desk, id).await?;
    let place = known.unwrap_or_else(|| Place { record: desk.new_record(), next: 0 });
    if !place.is_followed_by(added) {
        return Err(StoreError::Conflict { interaction: id.interaction.clone() });
    }
    if known.is_none() {
        let query = sqlx::query(RECORDS[0]).bind(place.record).bind(&id.tenant).bind(&id.interaction);
        query.execute(&mut desk.connection).await.map_err(unavailable("open a record"))?;
    }
    let turn = turn_rows(desk, std::iter::once((added, place)))?;
    rows::write(&mut desk.connection, &TURNS, &turn, add_turn).await.map_err(unavailable("write events"))
}

/// The events of turns, whose leaves the log's edge takes up.
fn turn_rows<'c>(
    desk: &mut Desk,
    turns: impl Iterator<Item = (&'c [Sealed], Place)>,
) -> Result<Vec<TurnRow>, StoreError> {
    let mut rows = Vec::new();
    for (events, place) in turns.filter(|(events, _)| !events.is_empty()) {
        let index = as_i64(desk.edge.size());
        let mut hashes = Vec::with_capacity(32 * events.len());
        for event in events {
            desk.edge.push(event.hash);
            hashes.extend_from_slice(&event.hash.0);
        }
        rows.push(TurnRow { index, place, hashes, bodies: desk.packer.pack(events)? });
    }
    Ok(rows)
}
