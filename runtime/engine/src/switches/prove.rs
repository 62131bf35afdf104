//! Proves that nothing left behind a switch, from a stretch of the log and from nothing else: pure, so that whoever
//! distrusts us can follow each step, or write this again in an afternoon.
//!
//! An effect leaves only after its intent is in the record, so the claim is about intents: behind the switch's place in
//! the log there is none within its reach. What had been intended before is named with what became of it. Whatever the
//! stretch leaves open is a doubt, and one doubt is enough: then nothing is proved.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_record::Event;
use selvedge_record::pack::stretch::Stretch;
use serde::Serialize;

use super::kill::WAIT;
use super::{Lifted, MAX_LISTED, Over, Reach, SWITCHES, Switch, SwitchFact, UnderWay, by};
use crate::error::EngineError;
use crate::fact::Fact;
use crate::ports::Micros;
use crate::ports::store::RunId;

/// What a stretch says about a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The switch.
    pub switch: Switch,
    /// Its place in the log; everything from there on was looked at.
    pub from: u64,
    /// The last place that was looked at: where the switch was lifted, or the end of the signed log.
    pub to: u64,
    /// In how many records of the tenant something happened in between.
    pub records: usize,
    /// How many effects outside its reach were intended meanwhile.
    pub beside: u64,
    /// Runs that met the switch and were stopped by it.
    pub halted: usize,
    /// What had been intended before within its reach, and had no outcome then.
    pub under_way: Vec<Before>,
    /// The last effect within reach that was intended before, as far as the file shows.
    pub last_before: Option<Before>,
    /// Why it is not proved; none: it is.
    pub doubts: Vec<Doubt>,
}

impl Proof {
    /// Whether nothing within its reach left behind it.
    pub fn holds(&self) -> bool {
        self.doubts.is_empty()
    }
}

/// An effect that was intended before the switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Before {
    /// Its name for the vendor; it begins with the interaction.
    pub key: String,
    /// The connector, and its function.
    pub calls: String,
    /// When it was intended.
    pub at: Micros,
    /// The place of its intent in the log.
    pub place: u64,
    /// What became of it, in words, and the place that says so.
    pub became: Option<(String, u64)>,
}

/// What stands against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// The place in the log that it is about.
    pub place: Option<u64>,
    /// What is there, or is missing.
    pub what: String,
}

/// Looks for what left behind the switch that the stretch is about.
///
/// Errors: E524, the stretch does not begin where a switch was set.
pub fn prove(stretch: &Stretch) -> Result<Proof, EngineError> {
    let mut look = Look::at(switch_of(stretch)?, stretch);
    for (place, event) in &stretch.before {
        look.take(*place, event);
    }
    let mut closed = Vec::new();
    for (place, event) in (stretch.from..).zip(&stretch.places) {
        if look.switch.lifted.is_some() {
            break;
        }
        look.to = place;
        match event {
            Some(event) => look.take(place, event),
            None => closed.push(place),
        }
    }
    if let Some(first) = closed.first() {
        let what = format!("{} places hold what other tenants did; the file shows only their hashes", closed.len());
        look.doubt(Some(*first), what);
    }
    Ok(look.come_to(stretch))
}

/// The switch that was set at the first place.
fn switch_of(stretch: &Stretch) -> Result<Switch, EngineError> {
    let no = || EngineError::NeverSet { switch: stretch.about.clone() };
    let first = stretch.places.first().and_then(Option::as_ref).filter(|event| event.interaction == SWITCHES);
    let event = first.ok_or_else(no)?;
    let epoch = event.seq + 1;
    match SwitchFact::of(event)? {
        SwitchFact::Set { scope, reason } if stretch.about == format!("kill-{epoch}") => {
            Ok(Switch { id: stretch.about.clone(), scope, by: by(event), reason, at: event.time, epoch, lifted: None })
        }
        _ => Err(no()),
    }
}

/// An effect as the events so far tell of it.
struct Known {
    within: bool,
    shown: Before,
    /// Its newest intent has no outcome yet.
    open: bool,
    behind: bool,
}

/// What was seen so far.
struct Look {
    tenant: String,
    switch: Switch,
    from: u64,
    to: u64,
    records: BTreeSet<String>,
    workflows: BTreeMap<String, String>,
    effects: BTreeMap<String, Known>,
    halted: BTreeSet<String>,
    settled: Option<UnderWay>,
    /// The keys of effects from before of which something is told behind the switch.
    carried: BTreeSet<String>,
    beside: u64,
    doubts: Vec<Doubt>,
}

impl Look {
    fn at(switch: Switch, stretch: &Stretch) -> Look {
        Look {
            tenant: stretch.tenant.clone(),
            switch,
            from: stretch.from,
            to: stretch.from,
            records: BTreeSet::new(),
            workflows: BTreeMap::new(),
            effects: BTreeMap::new(),
            halted: BTreeSet::new(),
            settled: None,
            carried: BTreeSet::new(),
            beside: 0,
            doubts: Vec::new(),
        }
    }

    fn doubt(&mut self, place: Option<u64>, what: String) {
        self.doubts.push(Doubt { place, what });
    }

    fn take(&mut self, place: u64, event: &Event) {
        if place >= self.from {
            self.records.insert(event.interaction.clone());
        }
        if event.interaction == SWITCHES {
            return self.take_switch(place, event);
        }
        let id = RunId { tenant: event.tenant.clone(), interaction: event.interaction.clone() };
        match Fact::from_kind_and_data(&event.kind, event.data.clone()) {
            Ok(fact) => self.take_fact(place, event, &fact),
            // Records beside the runs' have kinds of their own.
            Err(_) if id.is_well_formed() || event.kind.starts_with("effect.") => {
                self.doubt(Some(place), format!("`{}` is a kind of event that this version cannot read", event.kind));
            }
            Err(_) => {}
        }
    }

    fn take_switch(&mut self, place: u64, event: &Event) {
        match SwitchFact::of(event) {
            Ok(SwitchFact::Settled { switch, under_way }) if switch == self.switch.id => self.settled = Some(under_way),
            Ok(SwitchFact::Lifted { switch, reason }) if switch == self.switch.id => {
                let (by, at, epoch) = (by(event), event.time, event.seq + 1);
                self.switch.lifted = Some(Lifted { by, reason, at, epoch });
            }
            Ok(_) => {}
            Err(_) => self.doubt(Some(place), "an event of the record of switches cannot be read".into()),
        }
    }

    fn take_fact(&mut self, place: u64, event: &Event, fact: &Fact) {
        if let Fact::Halted { switch, .. } = fact
            && *switch == self.switch.id
        {
            self.halted.insert(event.interaction.clone());
        }
        match fact {
            Fact::Opened { workflow, .. } => {
                self.workflows.insert(event.interaction.clone(), workflow.clone());
            }
            Fact::Intended { key, .. } => self.intended(place, event, key, fact),
            Fact::Disclosed { .. } | Fact::Offered { .. } if place >= self.from => self.shown(place, event),
            fact => {
                if let Some((key, became)) = outcome(fact) {
                    self.became(place, event, key, became);
                }
            }
        }
    }

    fn intended(&mut self, place: u64, event: &Event, key: &str, fact: &Fact) {
        let Fact::Intended { connector, function, attempt, epoch, .. } = fact else { return };
        let within = reach(&self.tenant, fact).within(&self.switch.scope);
        let behind = place >= self.from;
        if behind && within {
            self.doubt(
                Some(place),
                format!("effect {key} was intended here (attempt {attempt}, {function} by {connector})"),
            );
        } else if behind {
            self.beside += 1;
        }
        if behind && *epoch < self.switch.epoch {
            let what = format!("effect {key} was decided at epoch {epoch}, before the switch, and intended behind it");
            self.doubt(Some(place), what);
        }
        let calls = format!("{function} by {connector}");
        let shown = Before { key: key.to_owned(), calls, at: event.time, place, became: None };
        self.effects.insert(key.to_owned(), Known { within, shown, open: true, behind });
    }

    /// What became of an effect.
    fn became(&mut self, place: u64, event: &Event, key: &str, became: String) {
        let behind = place >= self.from;
        let late = event.time > self.switch.at + WAIT && event.actor.starts_with("connector:");
        let Some(known) = self.effects.get_mut(key) else {
            if behind {
                self.doubt(Some(place), format!("effect {key} has an outcome here; its intent is not in the file"));
            }
            return;
        };
        let was_open = std::mem::replace(&mut known.open, false);
        known.shown.became = Some((became, place));
        if behind && known.within && !known.behind {
            self.carried.insert(key.to_owned());
            if late && !was_open {
                let what =
                    format!("the vendor was asked about effect {key} so long after the switch that it was behind it");
                self.doubt(Some(place), what);
            }
        }
    }

    /// A disclosure or an offer: no connector makes it, but a workflow or a tenant that is stopped shows nothing.
    fn shown(&mut self, place: u64, event: &Event) {
        let within = match (self.switch.scope.over, self.workflows.get(&event.interaction)) {
            (Over::Tenant, _) => true,
            (Over::Workflow, Some(workflow)) => *workflow == self.switch.scope.name,
            (Over::Workflow, None) => {
                let what = format!("which workflow {} runs is not in the file", event.interaction);
                return self.doubt(Some(place), what);
            }
            _ => false,
        };
        if within {
            self.doubt(Some(place), format!("{} in {}", event.kind, event.interaction));
        }
    }

    fn come_to(mut self, stretch: &Stretch) -> Proof {
        match self.settled.clone() {
            None => {
                let what =
                    "what was under way when it was set was not written down: no `switch.settled` follows".into();
                self.doubt(None, what);
            }
            Some(UnderWay { left, stopped, unknown }) => {
                if [&left, &stopped, &unknown].iter().any(|list| list.len() >= MAX_LISTED) {
                    self.doubt(None, format!("more than {MAX_LISTED} effects were under way, and not all are named"));
                }
                for key in left.into_iter().chain(stopped).chain(unknown) {
                    match self.effects.get(&key) {
                        None => self.doubt(None, format!("effect {key} was under way; its intent is not in the file")),
                        Some(known) if known.open => {
                            let what = format!("effect {key} was under way, and nobody has said what became of it");
                            self.doubt(Some(known.shown.place), what);
                        }
                        Some(_) => {}
                    }
                    self.carried.insert(key);
                }
            }
        }
        let carried = &self.carried;
        let before = || self.effects.values().filter(|known| known.within && !known.behind).map(|known| &known.shown);
        let under_way = before().filter(|shown| carried.contains(&shown.key)).cloned().collect();
        let last_before = before().max_by_key(|shown| shown.place).cloned();
        Proof {
            from: stretch.from,
            to: self.to,
            records: self.records.len(),
            beside: self.beside,
            halted: self.halted.len(),
            under_way,
            last_before,
            doubts: self.doubts,
            switch: self.switch,
        }
    }
}

/// What an intended effect touches.
pub(super) fn reach(tenant: &str, fact: &Fact) -> Reach {
    match fact {
        Fact::Intended { workflow, connector, vendor, channel, .. } => Reach {
            tenant: tenant.to_owned(),
            workflow: workflow.clone(),
            connector: connector.clone(),
            vendor: vendor.clone(),
            channel: channel.clone(),
        },
        _ => Reach::default(),
    }
}

/// The effect that a fact says something of, and what became of it.
pub(super) fn outcome(fact: &Fact) -> Option<(&str, String)> {
    Some(match fact {
        Fact::Done { key, exit, .. } => (key, format!("it came out as `{exit}`")),
        Fact::Postponed { key, attempt, .. } => (key, format!("attempt {attempt} certainly did nothing")),
        Fact::Unclear { key, .. } => (key, "maybe done: the vendor is asked".into()),
        Fact::NeedsPerson { key, .. } => (key, "maybe done: a person decides".into()),
        Fact::Halted { key: Some(key), switch, .. } => (key, format!("it did not leave: {switch} stopped it")),
        _ => return None,
    })
}
