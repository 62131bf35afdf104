//! The made-up customers and what they do, and how the vendors behave. The rates are a house's own guess; they are here,
//! in one place, to be read and changed.

use std::collections::BTreeMap;

use selvedge_engine::ports::store::RunId;
use selvedge_engine::ports::{Call, Micros};
use selvedge_engine::run::Phase;
use selvedge_engine::{Definition, Run};
use selvedge_policy::{Consent, CustomerState, ZoneEvidence};
use selvedge_workflow::ConnectorKind;
use selvedge_workflow::dictionary::{FieldType, Source};
use selvedge_workflow::source::{DAY, HOUR, MINUTE};
use selvedge_workflow::template::segments;

use super::super::rehearsal::{Asked, Cast, Rehearsal, Reply, Script, told};
use super::FIRST_CALL;
use super::chance::Chance;
use super::tally::Outcome;

/// Calls come in over so long.
const OPEN: i64 = 13 * HOUR;
/// Where customers are, of a hundred.
const PLACES: [(i64, (&str, &str)); 6] = [
    (42, ("America/New_York", "US-NY")),
    (8, ("America/New_York", "US-FL")),
    (26, ("America/Chicago", "US-IL")),
    (6, ("America/Denver", "US-CO")),
    (12, ("America/Los_Angeles", "US-CA")),
    (6, ("America/Los_Angeles", "US-WA")),
];
/// Of a thousand customers: these agreed to texts about it, these once said stop.
const AGREED: i64 = 930;
const STOPPED: i64 = 20;
/// A customer has one to so many items of a list.
const MOST_ITEMS: i64 = 3;

/// What a vendor does, of a thousand calls, by what it is.
const CHANNEL: [(i64, Reply); 5] =
    [(970, Reply::Does), (12, Reply::Busy), (8, Reply::Fails), (6, Reply::Silent), (4, Reply::Lost)];
const VERIFIER: [(i64, Reply); 4] = [(960, Reply::Does), (20, Reply::Raises), (12, Reply::Misses), (8, Reply::Busy)];
const GATEWAY: [(i64, Reply); 5] =
    [(900, Reply::Does), (80, Reply::Declines), (8, Reply::Silent), (6, Reply::Lost), (6, Reply::Busy)];

/// Values of the organisation's fields.
pub fn sender(definition: &Definition) -> BTreeMap<String, String> {
    let ours = definition.dictionary.fields.iter().filter(|(_, info)| info.source == Source::Sender);
    let value = |ty: FieldType| if ty == FieldType::Phone { "+12125550100" } else { "Example" };
    ours.map(|(path, info)| (path.clone(), value(info.ty).to_owned())).collect()
}

/// Vendors whose answers depend on the customer, the step and how often it was tried, and on nothing else.
pub fn vendors(definition: &Definition, seed: u64) -> Script {
    let kinds: BTreeMap<String, ConnectorKind> =
        definition.connectors.iter().map(|(name, facts)| (name.clone(), facts.kind)).collect();
    Box::new(move |call: &Call, address: &str| {
        let times = call.idempotency_key.rsplit('.').next().unwrap_or_default();
        let (connector, step, attempt) = (&call.connector, &call.step, call.attempt);
        let mut chance = Chance::named(seed, &format!("{address}/{connector}/{step}/{times}/{attempt}"));
        let replies: &[(i64, Reply)] = match kinds.get(connector) {
            Some(ConnectorKind::Verifier) => &VERIFIER,
            Some(ConnectorKind::Gateway) => &GATEWAY,
            Some(ConnectorKind::Channel | ConnectorKind::Service) | None => &CHANNEL,
        };
        chance.pick(replies).unwrap_or(Reply::Does)
    })
}

/// One customer on their way through the workflow.
pub struct Walk {
    /// When they call.
    pub calls: Micros,
    name: String,
    cast: Cast,
    chance: Chance,
    id: Option<RunId>,
    /// What they mean to do, and when.
    intent: Option<(Asked, bool)>,
}

/// How it goes on with a customer.
pub enum Then {
    /// Something is to be done then.
    At(Micros),
    /// Nothing any more.
    Over(Outcome),
}

impl Walk {
    /// A made-up customer.
    pub fn new(number: u32, definition: &Definition, mut chance: Chance) -> Walk {
        let calls = FIRST_CALL + chance.between(0, OPEN);
        let (zone, state) = chance.pick(&PLACES).unwrap_or(PLACES[0].1);
        let evidence = |source: &str| ZoneEvidence { zone: zone.into(), source: source.into() };
        let consent = Consent {
            purpose: definition.plan.purpose.clone(),
            channel: "sms".into(),
            granted: true,
            at: FIRST_CALL - 90 * DAY,
            words: "Made up.".into(),
            ..Consent::default()
        };
        let customer = CustomerState {
            consents: if chance.permille(AGREED) { vec![consent] } else { Vec::new() },
            zones: vec![evidence("address"), evidence("phone")],
            jurisdictions: vec!["US".into(), state.into()],
            flags: if chance.permille(STOPPED) { vec!["opted-out".into()] } else { Vec::new() },
            ..CustomerState::default()
        };
        let ours = definition.dictionary.fields.iter().filter(|(_, info)| info.source == Source::Customer);
        // A list takes no chance from what came before there were lists: the same seed gives the same sums.
        let mut items = Chance::named(u64::from(number), "items");
        let count = items.between(1, MOST_ITEMS + 1);
        let fields = ours.flat_map(|(path, info)| match info.list {
            true => (1..=count).map(|n| (format!("{path}#{n}"), value(info.ty, number, &mut items))).collect(),
            false => vec![(path.clone(), value(info.ty, number, &mut chance))],
        });
        let fields = fields.collect();
        let cast = Cast { sender: BTreeMap::new(), customer, fields };
        Walk { calls, name: format!("c_{number}"), cast, chance, id: None, intent: None }
    }

    /// Does what is due for this customer now.
    pub async fn step(&mut self, stage: &Rehearsal) -> miette::Result<Then> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => {
                stage.customer(&self.name, &self.cast).await?;
                let id = stage.open(&self.name).await?;
                self.id = Some(id.clone());
                id
            }
        };
        let mut run = stage.settle(&id).await?;
        if let Some((asked, well)) = self.intent.take()
            && stage.asked(&run).contains(&asked)
        {
            match asked {
                Asked::Code => stage.give_code(&id, &run, well).await?,
                Asked::Answer => stage.answer(&id, &run, well).await?,
                Asked::Open => stage.open_link(&id, &run).await?,
                Asked::Card => stage.enter_card(&id, &run).await?,
                Asked::Question => {
                    let answers = stage.answers(&run);
                    let answer = if well { answers.first() } else { answers.last() };
                    stage.reply(&id, &run, answer.map_or("", String::as_str)).await?;
                }
                Asked::Approval => stage.approve(&id, &run, well).await?,
                Asked::Handoff => stage.hand_over(&id, None).await?,
            }
            run = stage.settle(&id).await?;
        }
        let wake = run.wake().0.filter(|_| !run.closed && !matches!(run.phase(), Phase::NeedsPerson(..)));
        let Some(wake) = wake else { return Ok(Then::Over(self.outcome(stage, &id, &run).await?)) };
        Ok(Then::At(self.intend(stage, &run).map_or(wake, |when| when.min(wake))))
    }

    /// What the customer means to do about what is asked, and when. `None`: nothing.
    fn intend(&mut self, stage: &Rehearsal, run: &Run) -> Option<Micros> {
        let asked = *stage.asked(run).first()?;
        let chance = &mut self.chance;
        let (does, well, soon, late) = match asked {
            Asked::Code => (980, 950, MINUTE / 2, 4 * MINUTE),
            Asked::Answer => (950, 740, MINUTE, 6 * MINUTE),
            Asked::Open => (820, 1000, 5 * MINUTE, 80 * HOUR),
            Asked::Card => (900, 1000, MINUTE, 15 * MINUTE),
            Asked::Question => (980, 850, MINUTE / 2, 5 * MINUTE),
            Asked::Approval => (930, 850, 10 * MINUTE, 8 * HOUR),
            Asked::Handoff => (900, 1000, 2 * MINUTE, 90 * MINUTE),
        };
        let (does, well, after) = (chance.permille(does), chance.permille(well), chance.between(soon, late));
        if !does {
            return None;
        }
        self.intent = Some((asked, well));
        Some(stage.now() + after)
    }

    async fn outcome(&self, stage: &Rehearsal, id: &RunId, run: &Run) -> miette::Result<Outcome> {
        let events = stage.events(id).await?;
        let sent = stage.vendors.sent(&id.interaction);
        Ok(Outcome {
            path: told::path(&events),
            ending: if run.closed { run.summary().at } else { "a person decides".into() },
            decisions: told::decisions(&events),
            contacts: sent.len(),
            parts: sent.iter().map(|sent| segments(&sent.text()).count).sum(),
            lookups: events.iter().filter(|e| e.kind == "effect.intended" && e.data["function"] == "check").count(),
            events: events.len(),
            charges: stage.vendors.charges(&id.interaction).into_iter().map(|charge| charge.amount).collect(),
        })
    }
}

/// A value of a field.
fn value(ty: FieldType, number: u32, chance: &mut Chance) -> String {
    match ty {
        FieldType::Phone => format!("+1212{:07}", number % 10_000_000),
        FieldType::Money => {
            serde_json::json!({ "minor": chance.between(2_000, 200_000), "currency": "USD" }).to_string()
        }
        FieldType::Month => format!("2026-{:02}", chance.between(1, 11)),
        FieldType::Date => format!("2026-{:02}-{:02}", chance.between(1, 11), chance.between(1, 29)),
        FieldType::Count => chance.between(1, 12).to_string(),
        FieldType::Text => format!("Example {number}"),
    }
}
