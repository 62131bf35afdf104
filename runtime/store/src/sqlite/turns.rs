//! Turns of many runs, written together. A turn that only adds events, its summary, sealed values and contacts shares
//! statements with its neighbours; one that does more is a job of its own ([`super::journal`]). When the database refuses
//! anything of what is written together, all of it is undone and each turn is tried by itself, so that one failure stays
//! its own.

use std::collections::{HashMap, HashSet};

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Commit, RecordKey, RunId, SealedValue};
use selvedge_record::Sealed;
use sqlx::Row;

use super::rows::{self, Rows, rows};
use super::writer::Desk;
use super::{contacts, switches, unavailable};
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

/// Writes turns at their places.
pub(super) async fn write(desk: &mut Desk, turns: &[(&Commit, Place)]) -> Result<(), StoreError> {
    let (opened, gone_on): (Vec<_>, Vec<_>) = turns.iter().partition(|(_, place)| place.next == 0);
    rows::write(&mut desk.connection, &RECORDS, &opened, |query, (commit, place): &(&Commit, Place)| {
        query.bind(place.record).bind(&commit.id.tenant).bind(&commit.id.interaction)
    })
    .await
    .map_err(unavailable("open records"))?;
    rows::write(&mut desk.connection, &OPENED, &opened, |query, (commit, place)| {
        let s = &commit.summary;
        query
            .bind(place.record)
            .bind(&commit.id.tenant)
            .bind(&s.workflow)
            .bind(&s.controls)
            .bind(&s.customer)
            .bind(s.opened)
            .bind(s.updated)
            .bind(&s.at)
            .bind(s.over)
            .bind(s.busy)
            .bind(s.wake)
            .bind(&s.halted)
            .bind(s.over.then_some(s.updated))
    })
    .await
    .map_err(unavailable("write runs"))?;
    rows::write(&mut desk.connection, &GONE_ON, &gone_on, |query, (commit, place)| {
        let s = &commit.summary;
        query
            .bind(place.record)
            .bind(s.updated)
            .bind(&s.at)
            .bind(s.over)
            .bind(s.busy)
            .bind(s.wake)
            .bind(&s.halted)
            .bind(s.over.then_some(s.updated))
    })
    .await
    .map_err(unavailable("write runs"))?;
    events(desk, turns.iter().map(|(commit, place)| (commit.events.as_slice(), *place))).await?;
    let sealed: Vec<(i64, &SealedValue)> =
        turns.iter().flat_map(|(commit, place)| commit.sealed.iter().map(|value| (place.record, value))).collect();
    rows::write(&mut desk.connection, &VALUES, &sealed, |query, (record, value)| {
        query.bind(*record).bind(&value.name).bind(&value.class).bind(&value.blob)
    })
    .await
    .map_err(unavailable("seal values"))?;
    let keys: Vec<(&RunId, &RecordKey)> =
        turns.iter().flat_map(|(commit, _)| commit.keys.iter().map(|key| (&commit.id, key))).collect();
    rows::write(&mut desk.connection, &KEYS, &keys, |query, (id, key)| {
        query.bind(&id.tenant).bind(&id.interaction).bind(&key.class).bind(&key.wrapped)
    })
    .await
    .map_err(unavailable("keep data keys"))?;
    desk.newest = desk.newest.max(turns.iter().map(|(commit, _)| commit.summary.updated).max());
    contacts::keep(desk, turns.iter().map(|(commit, _)| *commit)).await
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
    events(desk, std::iter::once((added, place))).await
}

/// The events of turns, and their leaves.
async fn events(desk: &mut Desk, turns: impl Iterator<Item = (&[Sealed], Place)>) -> Result<(), StoreError> {
    let mut all = Vec::new();
    for (events, Place { record, next }) in turns.filter(|(events, _)| !events.is_empty()) {
        let index = as_i64(desk.edge.size());
        let mut hashes = Vec::with_capacity(32 * events.len());
        for event in events {
            desk.edge.push(event.hash);
            hashes.extend_from_slice(&event.hash.0);
        }
        all.push((index, record, as_i64(next), hashes, desk.packer.pack(events)?));
    }
    rows::write(&mut desk.connection, &TURNS, &all, |query, (index, record, seq, hashes, bodies)| {
        query.bind(index).bind(record).bind(seq).bind(hashes.as_slice()).bind(bodies.as_slice())
    })
    .await
    .map_err(unavailable("write events"))
}
