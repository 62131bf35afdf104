//! Takes the stretch of the log behind a switch out of the store, with what it refers to from before, for
//! [`prove`](super::prove::prove).

use std::collections::{BTreeMap, BTreeSet};

use selvedge_record::merkle::Tree;
use selvedge_record::pack::stretch::{self, Place, StretchSource};
use selvedge_record::{Event, Frontier, PackEvent};

use super::prove::{outcome, reach};
use super::{Over, SWITCHES, Scope, SwitchFact, UnderWay};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::ports::store::RunId;

/// How many places before the switch are searched for the last effect within its reach.
const LOOK_BACK: u64 = 4096;

impl Engine {
    /// All that stands in the log behind a switch, as a file: to where it was lifted, or to now. Other tenants' events
    /// are in it by their hashes only.
    ///
    /// Errors: E524 (no such switch), the store's, and R320 where it is more than a file may hold.
    pub async fn silence(&self, tenant: &str, switch: &str) -> Result<String, EngineError> {
        let board = self.read_board(tenant).await?;
        let never = || EngineError::NeverSet { switch: super::kill::shown_id(switch).into() };
        let found = board.switch(switch).ok_or_else(never)?;
        let switches = RunId { tenant: tenant.into(), interaction: SWITCHES.into() };
        let places = self.store().places(&switches).await?;
        let place = |epoch: u64| {
            let place = usize::try_from(epoch - 1).ok().and_then(|seq| places.get(seq)).copied();
            place.ok_or_else(|| EngineError::Broken { what: "a switch that was set is not in the log".into() })
        };
        let from = place(found.epoch)?;
        let last = match &found.lifted {
            Some(lifted) => place(lifted.epoch)?,
            None => self.store().frontier().await?.size() - 1,
        };
        let (size, checkpoint) = self.signed_over(last).await?;
        let leaves = self.store().leaves(size).await?;
        let begin = usize::try_from(from).unwrap_or(usize::MAX);
        let mut edge = Frontier::new();
        for leaf in leaves.iter().take(begin) {
            edge.push(*leaf);
        }

        let mut gathered = Gathered {
            from,
            scope: &found.scope,
            named: self.named(&switches, switch).await?,
            before: BTreeMap::new(),
            last: None,
            places: leaves.iter().skip(begin).map(|leaf| Place::Closed(*leaf)).collect(),
        };
        let mut records = self.store().written_since(from.saturating_sub(LOOK_BACK)).await?;
        records.retain(|id| id.tenant == tenant);
        for key in &gathered.named {
            let interaction = key.split_once('.').map_or("", |(interaction, _)| interaction).to_owned();
            let id = RunId { tenant: tenant.into(), interaction };
            if !records.contains(&id) {
                records.push(id);
            }
        }
        for id in records {
            let (record, places) = (self.store().record(&id).await?, self.store().places(&id).await?);
            gathered.take(record.into_iter().map(|stored| stored.canonical).zip(places))?;
        }
        let tree = Tree::new(&leaves);
        let proved = |(index, canonical)| PackEvent { proof: tree.inclusion_proof(index), canonical, index };
        let (places, before) = gathered.come_to();
        let before = before.into_iter().map(proved).collect();
        let (tenant, about) = (tenant.to_owned(), switch.to_owned());
        let source = StretchSource { tenant, about, edge, checkpoint, before, places };
        Ok(stretch::write(&source, &self.inner.parts.log_key)?)
    }

    /// The effects that were named as under way when the switch was set.
    async fn named(&self, switches: &RunId, id: &str) -> Result<BTreeSet<String>, EngineError> {
        let mut named = BTreeSet::new();
        for event in self.events(switches).await? {
            if let SwitchFact::Settled { switch, under_way: UnderWay { left, stopped, unknown } } =
                SwitchFact::of(&event)?
                && switch == id
            {
                named.extend(left.into_iter().chain(stopped).chain(unknown));
            }
        }
        Ok(named)
    }
}

/// What was found for the file.
struct Gathered<'a> {
    from: u64,
    scope: &'a Scope,
    named: BTreeSet<String>,
    /// By place, as canonical text.
    before: BTreeMap<u64, String>,
    /// The newest intent within reach before the switch.
    last: Option<(u64, String)>,
    places: Vec<Place>,
}

impl Gathered<'_> {
    /// Takes a record: what stands behind the switch, and what that refers to from before.
    fn take(&mut self, record: impl Iterator<Item = (String, u64)>) -> Result<(), EngineError> {
        let mut earlier = Vec::new();
        let (mut keys, mut shows) = (self.named.clone(), false);
        for (canonical, place) in record {
            let event = Event::parse(&canonical)?;
            let fact = Fact::from_kind_and_data(&event.kind, event.data.clone()).ok();
            let Some(behind) = place.checked_sub(self.from) else {
                earlier.extend(fact.map(|fact| (place, event, fact, canonical)));
                continue;
            };
            keys.extend(fact.as_ref().and_then(outcome).map(|(key, _)| key.to_owned()));
            shows |= matches!(fact, Some(Fact::Disclosed { .. } | Fact::Offered { .. }));
            // What was committed since the checkpoint was signed has no place in the file.
            if let Some(shown) = usize::try_from(behind).ok().and_then(|behind| self.places.get_mut(behind)) {
                *shown = Place::Open(canonical);
            }
        }
        for (place, event, fact, canonical) in earlier {
            let intended = match &fact {
                Fact::Intended { key, .. } => Some(key.as_str()),
                _ => None,
            };
            let key = intended.or_else(|| outcome(&fact).map(|(key, _)| key));
            let opens = shows && self.scope.over == Over::Workflow && event.seq == 0;
            if opens || key.is_some_and(|key| keys.contains(key)) {
                self.before.insert(place, canonical.clone());
            }
            let newer = self.last.as_ref().is_none_or(|(last, _)| *last < place);
            if intended.is_some() && newer && reach(&event.tenant, &fact).within(self.scope) {
                self.last = Some((place, canonical));
            }
        }
        Ok(())
    }

    fn come_to(mut self) -> (Vec<Place>, BTreeMap<u64, String>) {
        self.before.extend(self.last);
        (self.places, self.before)
    }
}
