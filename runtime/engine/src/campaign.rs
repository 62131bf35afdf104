//! Campaigns: one interaction of a workflow with each customer of a list, at a pace. What a campaign is and what people
//! did to it are events of a record of its own, `campaign.<name>`; the list is the store's
//! ([`Campaigns`](crate::ports::campaigns::Campaigns)). The interaction's id follows from campaign and customer, so that
//! no crash and no second node opens a second one.
//!
//! The path of the main thing: [`Engine::start_campaign`] keeps the list and begins the record; each node's
//! [`Engine::conduct`] takes customers up as fast as the pace allows, opens, and says what became of those that ended.

mod conduct;

use std::collections::BTreeMap;

use selvedge_record::{Draft, Event, Hash, Head};
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::expression::{Condition, Given};
use selvedge_workflow::schedule::askable;
use selvedge_workflow::source::{Span, Spanned};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::ports::Micros;
use crate::ports::campaigns::{Enlisted, Pace, Progress};
use crate::ports::store::{RunId, Stored};
use crate::signal::Who;
use crate::switches::a_reason;

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 80;
/// The fastest pace.
pub const MAX_PACE: u32 = 10_000;
/// How many customers are written at a time.
pub const BATCH: usize = 1000;
/// What a campaign does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The workflow that is opened with each customer, in the version in force then.
    pub workflow: String,
    /// The channel that the interactions are opened on.
    pub channel: String,
    /// Customers taken up within a minute, at most.
    pub per_minute: u32,
    /// Interactions open at a time, at most.
    pub at_once: u32,
    /// The customers are those for whom this holds, where they did not come as a list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub customers: Option<String>,
    /// It begins when this campaign is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
}

/// What people do to a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nobody is taken up until it is resumed; what is open goes on.
    Pause,
    /// It goes on.
    Resume,
    /// Nobody is taken up any more; what is open goes on.
    Stop,
}

impl Act {
    /// Its word.
    #[must_use]
    pub fn named(word: &str) -> Option<Act> {
        [("pause", Act::Pause), ("resume", Act::Resume), ("stop", Act::Stop)]
            .into_iter()
            .find(|(name, _)| *name == word)
            .map(|(_, act)| act)
    }
}

/// One event of a campaign's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum CampaignFact {
    /// It was started; `listed` says how many customers came as a list.
    #[serde(rename = "campaign.started")]
    Started {
        /// What it does.
        #[serde(flatten)]
        plan: Plan,
        /// How many customers came as a list.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        listed: Option<u64>,
    },
    /// The customers for whom its condition holds are on the list.
    #[serde(rename = "campaign.listed")]
    Listed {
        /// How many were asked about.
        asked: u64,
        /// For how many it holds.
        listed: u64,
        /// Fields that were read of each for that.
        reads: Vec<String>,
    },
    /// Somebody paused it.
    #[serde(rename = "campaign.paused")]
    Paused {
        /// Why.
        reason: String,
    },
    /// Somebody resumed it.
    #[serde(rename = "campaign.resumed")]
    Resumed {
        /// Why.
        reason: String,
    },
    /// Somebody stopped it.
    #[serde(rename = "campaign.stopped")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// Everybody on the list came to an end.
    #[serde(rename = "campaign.finished")]
    Finished {
        /// Customers who came to their end.
        done: u64,
        /// Refused by a rule.
        refused: u64,
        /// Failed.
        failed: u64,
    },
}

/// Where a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The customers are being looked for.
    Listing,
    /// It goes on.
    Going,
    /// Somebody paused it.
    Paused,
    /// Somebody stopped it.
    Stopped,
    /// Everybody came to an end.
    Finished,
}

impl Stage {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Listing => "listing",
            Stage::Going => "going",
            Stage::Paused => "paused",
            Stage::Stopped => "stopped",
            Stage::Finished => "finished",
        }
    }
}

/// A campaign: the fold of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// What it does.
    pub plan: Plan,
    /// Where it is.
    pub stage: Stage,
    /// Whether the list is whole.
    #[serde(skip)]
    listed: bool,
    /// Who started it, and when.
    pub by: String,
    /// When it was started.
    pub at: Micros,
    /// Who paused or stopped it, and why.
    pub held: Option<(String, String)>,
    /// How many events its record has.
    #[serde(skip)]
    pub(crate) length: u64,
}

impl Campaign {
    /// Folds a record; `None` where there is none.
    pub fn fold(name: &str, record: &[Stored]) -> Result<Option<Campaign>, EngineError> {
        let mut campaign: Option<Campaign> = None;
        for stored in record {
            let event = Event::parse(&stored.canonical)?;
            let who = event.function.as_ref().map_or(event.actor.clone(), |f| format!("{} ({f})", event.actor));
            let fact = CampaignFact::of(&event)?;
            match (&mut campaign, fact) {
                (None, CampaignFact::Started { plan, listed }) => {
                    let stage = if listed.is_some() { Stage::Going } else { Stage::Listing };
                    let (listed, by, at, name) = (listed.is_some(), who, event.time, name.to_owned());
                    campaign = Some(Campaign { name, plan, stage, listed, by, at, held: None, length: 0 });
                }
                (Some(of), CampaignFact::Listed { .. }) => {
                    of.listed = true;
                    if of.stage == Stage::Listing {
                        of.stage = Stage::Going;
                    }
                }
                (Some(of), CampaignFact::Paused { reason }) => {
                    (of.stage, of.held) = (Stage::Paused, Some((who, reason)));
                }
                (Some(of), CampaignFact::Resumed { .. }) => {
                    of.stage = if of.listed { Stage::Going } else { Stage::Listing };
                    of.held = None;
                }
                (Some(of), CampaignFact::Stopped { reason }) => {
                    (of.stage, of.held) = (Stage::Stopped, Some((who, reason)));
                }
                (Some(of), CampaignFact::Finished { .. }) => of.stage = Stage::Finished,
                (_, _) => return Err(EngineError::Broken { what: format!("the record of campaign `{name}` is none") }),
            }
            if let Some(campaign) = &mut campaign {
                campaign.length = stored.seq + 1;
            }
        }
        Ok(campaign)
    }

    /// With how far it came, for programs.
    #[must_use]
    pub fn told(&self, progress: &Progress) -> Value {
        let mut told = serde_json::json!(self);
        told["progress"] = serde_json::json!(progress);
        told
    }

    fn pace(&self) -> Pace {
        Pace { per_minute: self.plan.per_minute, at_once: self.plan.at_once }
    }

    /// Whether the act makes sense now. The error says why not.
    pub fn allows(&self, act: Act) -> Result<(), &'static str> {
        match (act, self.stage) {
            (_, Stage::Finished) => Err("it is finished"),
            (_, Stage::Stopped) => Err("it was stopped, which is for good"),
            (Act::Pause, Stage::Paused) => Err("it is paused"),
            (Act::Resume, Stage::Going | Stage::Listing) => Err("it is not paused"),
            _ => Ok(()),
        }
    }
}

impl CampaignFact {
    /// What an event of a campaign's record says.
    pub fn of(event: &Event) -> Result<CampaignFact, EngineError> {
        serde_json::from_value(serde_json::json!({ "type": event.kind, "data": event.data }))
            .map_err(|e| EngineError::Broken { what: format!("event `{}` cannot be read: {e}", event.kind) })
    }
}

/// The record of a campaign.
pub(crate) fn record_of(tenant: &str, name: &str) -> RunId {
    RunId { tenant: tenant.into(), interaction: format!("campaign.{name}") }
}

/// The interaction that a campaign opens with a customer.
#[must_use]
pub fn interaction_of(tenant: &str, campaign: &str, customer: &str) -> String {
    let hash = Hash::leaf(&serde_json::json!(["campaign", tenant, campaign, customer]).to_string());
    format!("int_{}", hex::encode(&hash.0[..16]))
}

/// Whether this can be the name of a campaign or schedule: it stands in records, lists and addresses.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(good) && !name.starts_with(['-', '.'])
}

/// A condition over customers.
///
/// Errors: E533 with what is wrong with it.
pub fn condition(dictionary: &Dictionary, text: &str) -> Result<Condition, EngineError> {
    let written = Spanned::new(text.to_owned(), Span::start_of("the condition"));
    Condition::read(&written, &askable(dictionary)).map_err(|found| {
        let why: Vec<String> = found.iter().map(ToString::to_string).collect();
        EngineError::BadCondition { why: why.join("\n") }
    })
}

impl Engine {
    /// Starts a campaign over these customers, or over those for whom its condition holds; returns once that is
    /// durable, with the campaign. Starting it again after a crash goes on with it.
    ///
    /// Errors: E502 (no such workflow), E530 (there is one of this name), E532 (name or pace), E533 (the condition).
    pub async fn start_campaign(
        &self,
        tenant: &str,
        name: &str,
        plan: Plan,
        customers: impl Iterator<Item = String>,
        who: &Who,
    ) -> Result<Campaign, EngineError> {
        let wrong = |what: &str| EngineError::BadCampaign { what: what.into() };
        if !is_name(name) {
            return Err(wrong("its name is 1 to 80 lower-case letters, digits, `-` and `.`"));
        }
        if !(1..=MAX_PACE).contains(&plan.per_minute) || !(1..=MAX_PACE).contains(&plan.at_once) {
            return Err(wrong("its pace is 1 to 10000 a minute, and 1 to 10000 open at a time"));
        }
        let not_published = || EngineError::NotPublished { workflow: plan.workflow.clone() };
        let definition = self.in_force(tenant, &plan.workflow).await?.ok_or_else(not_published)?;
        if let Some(text) = &plan.customers {
            condition(&definition.dictionary, text)?;
        }
        if self.campaign(tenant, name).await.is_ok() {
            return Err(EngineError::CampaignThere { campaign: name.into() });
        }
        let listed = self.enlist(tenant, name, customers).await?;
        let fact = CampaignFact::Started { listed: plan.customers.is_none().then_some(listed), plan };
        if !self.add_at(&record_of(tenant, name), who, &fact, 0).await? {
            return Err(EngineError::CampaignThere { campaign: name.into() });
        }
        self.campaign(tenant, name).await
    }

    /// Puts customers on the list; the list is there afterwards, be it empty.
    pub(crate) async fn enlist(
        &self,
        tenant: &str,
        name: &str,
        mut customers: impl Iterator<Item = String>,
    ) -> Result<u64, EngineError> {
        let mut listed = 0;
        loop {
            let batch = customers.by_ref().take(BATCH);
            let batch: Vec<Enlisted> = batch
                .map(|customer| Enlisted { interaction: interaction_of(tenant, name, &customer), customer })
                .collect();
            self.store().enlist(tenant, name, &batch).await?;
            listed += batch.len() as u64;
            if batch.len() < BATCH {
                return Ok(listed);
            }
        }
    }

    /// A campaign. Errors: E531 (no such).
    pub async fn campaign(&self, tenant: &str, name: &str) -> Result<Campaign, EngineError> {
        let unknown = || EngineError::NoCampaign { campaign: if is_name(name) { name } else { "as given" }.into() };
        if !is_name(name) {
            return Err(unknown());
        }
        let record = self.store().record(&record_of(tenant, name)).await?;
        Campaign::fold(name, &record)?.ok_or_else(unknown)
    }

    /// How far a campaign came. Errors: E531.
    pub async fn campaign_progress(&self, tenant: &str, name: &str) -> Result<(Campaign, Progress), EngineError> {
        let campaign = self.campaign(tenant, name).await?;
        Ok((campaign, self.store().progress(tenant, name).await?))
    }

    /// Campaigns by name, with how far each came; at most `limit`.
    pub async fn campaigns(&self, tenant: &str, limit: u32) -> Result<Vec<(Campaign, Progress)>, EngineError> {
        let mut campaigns = Vec::new();
        for (name, _) in self.store().campaigns(tenant, "", limit).await? {
            let record = self.store().record(&record_of(tenant, &name)).await?;
            if let Some(campaign) = Campaign::fold(&name, &record)? {
                campaigns.push((campaign, self.store().progress(tenant, &name).await?));
            }
        }
        Ok(campaigns)
    }

    /// Pauses, resumes or stops a campaign.
    ///
    /// Errors: E511 (no reason), E531, E534 (it makes no sense now).
    pub async fn steer_campaign(
        &self,
        tenant: &str,
        name: &str,
        act: Act,
        reason: &str,
        who: &Who,
    ) -> Result<(), EngineError> {
        let reason = a_reason(reason)?;
        loop {
            let campaign = self.campaign(tenant, name).await?;
            campaign.allows(act).map_err(|why| EngineError::CampaignNot { campaign: name.into(), why: why.into() })?;
            let reason = reason.clone();
            let fact = match act {
                Act::Pause => CampaignFact::Paused { reason },
                Act::Resume => CampaignFact::Resumed { reason },
                Act::Stop => CampaignFact::Stopped { reason },
            };
            if self.add_at(&record_of(tenant, name), who, &fact, campaign.length).await? {
                return Ok(());
            }
        }
    }

    /// Adds an event to a record that belongs to no run, as number `seq`. `false`: that place is taken.
    pub(crate) async fn add_at(
        &self,
        id: &RunId,
        who: &Who,
        fact: &impl Serialize,
        seq: u64,
    ) -> Result<bool, EngineError> {
        let broken = |e: serde_json::Error| EngineError::Broken { what: format!("an event could not be written: {e}") };
        let mut value = serde_json::to_value(fact).map_err(broken)?;
        let kind = value["type"].as_str().unwrap_or_default().to_owned();
        let data: Value = value["data"].take();
        let (mut head, time) = match self.store().last(id).await? {
            None => (Head::start(&id.tenant, &id.interaction), self.now()),
            Some(last) => {
                let last = Event::parse(&last.canonical)?;
                let head =
                    Head { tenant: last.tenant, interaction: last.interaction, seq: last.seq + 1, hash: last.hash };
                (head, self.now().max(last.time))
            }
        };
        if head.seq != seq {
            return Ok(false);
        }
        let sealed = head.append(Draft {
            device: who.device.clone(),
            function: who.function.clone(),
            session: who.session.clone(),
            ..Draft::new(kind, time, who.actor.clone(), data)
        })?;
        match self.store().append(id, sealed).await {
            Err(StoreError::Conflict { .. }) => Ok(false),
            other => Ok(other.map(|()| true)?),
        }
    }

    /// Whether a condition holds for a customer; who lacks a field that it reads is not meant.
    async fn holds_for(
        &self,
        dictionary: &Dictionary,
        tenant: &str,
        customer: &str,
        condition: &Condition,
    ) -> Result<bool, EngineError> {
        let mut given: BTreeMap<String, Given> = BTreeMap::new();
        for path in &condition.reads {
            match self.inner.values.given_of(dictionary, tenant, customer, path).await {
                Ok((Some(value), _)) => drop(given.insert(path.clone(), value)),
                Ok((None, _)) | Err(EngineError::NoSuchField { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(condition.holds(&given).unwrap_or(false))
    }
}
