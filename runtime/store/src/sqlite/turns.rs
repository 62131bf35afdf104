//! Turns of many runs, written together. A turn that only adds events, its summary and sealed values shares statements
//! with its neighbours; one that does more is a job of its own ([`super::journal`]). When the database refuses anything
//! of what is written together, all of it is undone and each turn is tried by itself, so that one failure stays its own.

use std::collections::HashMap;

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Commit, RunId, SealedValue, Summary};
use selvedge_record::Sealed;

use super::journal::{as_i64, length};
use super::rows::{self, rows};
use super::writer::Desk;
use super::{switches, unavailable};

/// Of how many records the length is remembered.
const MAX_KNOWN: usize = 65_536;

const EVENTS: [&str; 3] =
    rows!("INSERT INTO events (idx, tenant, interaction, seq, hash, body)", "(?, ?, ?, ?, ?, ?)", "");
const SUMMARIES: [&str; 3] = rows!(
    "INSERT INTO runs (tenant, interaction, workflow, controls, customer, opened, updated, at, over, busy, wake, halted, \
     closed)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (tenant, interaction) DO UPDATE SET updated = excluded.updated, at = excluded.at, \
     over = excluded.over, busy = excluded.busy, wake = excluded.wake, halted = excluded.halted, \
     closed = coalesce(closed, excluded.closed)"
);
const VALUES: [&str; 3] = rows!("INSERT INTO sealed (tenant, interaction, name, class, blob)", "(?, ?, ?, ?, ?)", "");

/// How many events records have, as far as this writer wrote them lately. Only ever a guess that saves a question: what
/// differs from it is looked up, and behind it stands the unique key of `events`.
#[derive(Default)]
pub(super) struct Lengths(HashMap<RunId, u64>);

impl Lengths {
    /// A turn that goes alone is told what is so, not what was remembered.
    pub fn forget(&mut self, id: &RunId) {
        self.0.remove(id);
    }

    /// After a commit: what these turns have made of their records.
    pub fn remember<'c>(&mut self, written: impl Iterator<Item = &'c Commit>) {
        if self.0.len() > MAX_KNOWN {
            self.0.clear();
        }
        for commit in written {
            match commit.events.last() {
                // Nobody will write there soon.
                _ if commit.release => drop(self.0.remove(&commit.id)),
                Some(last) => drop(self.0.insert(commit.id.clone(), last.seq + 1)),
                None => {}
            }
        }
    }
}

/// Whether a turn can be written together with others.
pub(super) fn is_plain(commit: &Commit) -> bool {
    let Commit { consumed, links, forget_card, known, contacts, .. } = commit;
    contacts.is_empty() && consumed.is_empty() && links.is_empty() && forget_card.is_none() && known.is_none()
}

/// Which of these turns follow on their records as they are, the turns before them included, and were decided at the
/// kill switches in force.
pub(super) async fn follow(desk: &mut Desk, turns: &[&Commit]) -> Result<Vec<bool>, StoreError> {
    let mut here: HashMap<&RunId, u64> = HashMap::new();
    let mut follow = Vec::with_capacity(turns.len());
    for commit in turns {
        if let Some(epoch) = commit.epoch
            && switches::epoch(desk, &commit.id.tenant).await? != epoch
        {
            follow.push(false);
            continue;
        }
        let Some(first) = commit.events.first() else {
            follow.push(true);
            continue;
        };
        let next = match here.get(&commit.id) {
            Some(next) => *next,
            None if desk.lengths.0.get(&commit.id) == Some(&first.seq) => first.seq,
            None => length(desk, &commit.id).await?,
        };
        let fits = (next..).zip(&commit.events).all(|(next, event)| event.seq == next);
        if fits {
            here.insert(&commit.id, next + commit.events.len() as u64);
        }
        follow.push(fits);
    }
    Ok(follow)
}

/// Writes turns that follow on their records.
pub(super) async fn write(desk: &mut Desk, turns: &[&Commit]) -> Result<(), StoreError> {
    let events: Vec<(u64, &RunId, &Sealed)> = turns
        .iter()
        .flat_map(|commit| commit.events.iter().map(move |event| (&commit.id, event)))
        .map(|(id, event)| (desk.edge.push(event.hash), id, event))
        .collect();
    rows::write(&mut desk.connection, &EVENTS, &events, |query, (index, id, event)| {
        query
            .bind(as_i64(*index))
            .bind(&id.tenant)
            .bind(&id.interaction)
            .bind(as_i64(event.seq))
            .bind(event.hash.0.to_vec())
            .bind(&event.canonical)
    })
    .await
    .map_err(unavailable("write events"))?;
    let summaries: Vec<(&RunId, &Summary)> = turns.iter().map(|commit| (&commit.id, &commit.summary)).collect();
    rows::write(&mut desk.connection, &SUMMARIES, &summaries, |query, (id, s)| {
        query
            .bind(&id.tenant)
            .bind(&id.interaction)
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
    let sealed: Vec<(&RunId, &SealedValue)> =
        turns.iter().flat_map(|commit| commit.sealed.iter().map(move |value| (&commit.id, value))).collect();
    rows::write(&mut desk.connection, &VALUES, &sealed, |query, (id, value)| {
        query.bind(&id.tenant).bind(&id.interaction).bind(&value.name).bind(&value.class).bind(&value.blob)
    })
    .await
    .map_err(unavailable("seal values"))
}
