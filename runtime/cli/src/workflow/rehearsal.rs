//! A run on the real engine, alone: a store in memory, a clock that is moved, vendors that
//! answer as they are told. Stories and simulations are played on it, thirty days in a few milliseconds.
//!
//! Nothing runs by itself: the run is driven to its next wait, then either somebody does something or the clock is
//! moved to the moment that the run waits for.

mod people;
pub mod told;
mod vendors;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::SecretString;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::ports::{Clock, Micros};
use selvedge_engine::run::step_of;
use selvedge_engine::{Definition, Engine, EngineError, Run, Settings, Who};
use selvedge_policy::CustomerState;
use selvedge_record::Event;
use selvedge_store::MemoryStore;
use selvedge_workflow::dictionary::FieldType;

pub use people::Asked;
use people::asked;
pub use vendors::{Reply, Script, Scripted};

use crate::clock::StillClock;
use crate::failure::Failure;
use crate::home;
use crate::node::Keys;

/// The tenant of a rehearsal.
const TENANT: &str = "rehearsal";
/// Where the payment page of a rehearsal would be.
const PAGE: &str = "https://pay.example";
/// How often a run may wait for its time before a rehearsal is given up.
const MAX_WAITS: usize = 10_000;

/// The organisation and the customer of a rehearsal.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// Values of the fields whose source is `sender`.
    pub sender: BTreeMap<String, String>,
    /// What is known of the customer for contact rules.
    pub customer: CustomerState,
    /// Values of the customer's fields, money as the store keeps it.
    pub fields: BTreeMap<String, String>,
}

/// An engine on its own, for one or many runs of one workflow.
pub struct Rehearsal {
    definition: Arc<Definition>,
    engine: Engine,
    clock: Arc<StillClock>,
    /// The vendors, and what reached them.
    pub vendors: Arc<Scripted>,
    /// How many texts the customers wrote.
    texts: AtomicUsize,
}

impl Rehearsal {
    /// Puts an engine together at this time and publishes the workflow in it.
    pub async fn set(
        definition: &Definition,
        sender: &BTreeMap<String, String>,
        now: Micros,
        script: Script,
    ) -> miette::Result<Rehearsal> {
        let clock = Arc::new(StillClock::at(now));
        let used = |name: &&String| definition.plan.uses.values().any(|used| used == *name);
        let connectors = definition.connectors.iter().filter(|(name, _)| used(name));
        let connectors = connectors.map(|(name, facts)| (name.clone(), facts.signal.clone())).collect();
        let vendors = Arc::new(Scripted::new(clock.clone(), connectors, script));
        let opt_out = home::opt_out(&definition.files)?;
        let settings = Settings { sender: sender.clone(), public_url: PAGE.into(), opt_out };
        let engine = Keys::passing()?.engine(Arc::new(MemoryStore::new()), vendors.clone(), clock.clone(), settings);
        let published = engine
            .publish(TENANT, &definition.files, &definition.plan.workflow, &definition.connectors)
            .await?
            .map_err(|findings| Failure::Findings { findings })?;
        Ok(Rehearsal { definition: published, engine, clock, vendors, texts: AtomicUsize::new(0) })
    }

    /// The time of the story.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// Puts a customer on file, or changes what is on file.
    pub async fn customer(&self, id: &str, cast: &Cast) -> miette::Result<()> {
        let fields: Vec<(String, SecretString)> =
            cast.fields.iter().map(|(path, value)| (path.clone(), SecretString::from(value.clone()))).collect();
        let dictionary = &self.definition.dictionary;
        Ok(self.engine.put_customer(dictionary, TENANT, id, &cast.customer, &fields).await?)
    }

    /// The customer writes to us from the number on file. What is answered to it is a workflow of its own.
    pub async fn text(&self, id: &RunId, cast: &Cast, words: &str) -> miette::Result<()> {
        self.settle(id).await?;
        let phone = |path: &str| self.definition.dictionary.get(path).is_some_and(|info| info.ty == FieldType::Phone);
        let from = cast.fields.iter().find_map(|(path, value)| phone(path).then_some(value.as_str()));
        let webhook = vendors::text(from.unwrap_or_default(), words, self.texts.fetch_add(1, Ordering::Relaxed));
        // INVARIANT: the scripted vendor reads what it wrote itself.
        let _ = self.engine.webhook(TENANT, webhook).await?;
        self.settle(id).await?;
        Ok(())
    }

    /// Somebody calls, or is called; the run goes as far as it goes, which is nowhere if no call may be placed.
    pub async fn open(&self, customer: &str) -> miette::Result<RunId> {
        let workflow = &self.definition.plan.workflow;
        let id = match self.engine.open(TENANT, workflow, customer, "call", &people::agent()).await {
            Err(EngineError::NoCall { interaction, .. }) => RunId { tenant: TENANT.into(), interaction },
            opened => opened?,
        };
        self.engine.settle(&id).await?;
        Ok(id)
    }

    /// Where the run is, having gone as far as it goes now.
    pub async fn settle(&self, id: &RunId) -> miette::Result<Run> {
        Ok(self.engine.settle(id).await?)
    }

    /// What the run asks of people where it stands.
    pub fn asked(&self, run: &Run) -> Vec<Asked> {
        asked(&self.definition.plan, run)
    }

    /// Moves the clock on; what comes due is not driven by it.
    pub fn move_to(&self, at: Micros) {
        self.clock.move_to(at);
    }

    /// What the run asks of people, once all that needs only time has had it. Nothing: nobody is asked any more.
    pub async fn until_asked(&self, id: &RunId) -> miette::Result<(Run, Vec<Asked>)> {
        for _ in 0..MAX_WAITS {
            let run = self.settle(id).await?;
            let asked = asked(&self.definition.plan, &run);
            if !asked.is_empty() {
                return Ok((run, asked));
            }
            match run.wake() {
                (Some(at), _) if !run.closed => self.clock.move_to(at),
                _ => return Ok((run, asked)),
            }
        }
        Err(self.stuck(id).await)
    }

    /// Lets time pass, with everything that comes due on the way. `None`: until nothing comes due any more.
    pub async fn pass(&self, id: &RunId, until: Option<Micros>) -> miette::Result<Run> {
        for _ in 0..MAX_WAITS {
            let run = self.settle(id).await?;
            match run.wake().0 {
                Some(at) if until.is_none_or(|until| at <= until) => self.clock.move_to(at),
                _ => {
                    let Some(until) = until else { return Ok(run) };
                    self.clock.move_to(until);
                    return self.settle(id).await;
                }
            }
        }
        Err(self.stuck(id).await)
    }

    async fn stuck(&self, id: &RunId) -> miette::Report {
        let at = self.engine.run_state(id).await.map_or_else(|_| id.interaction.clone(), |run| run.summary().at);
        Failure::Story { at, why: format!("it waited {MAX_WAITS} times and came to no end") }.into()
    }

    /// Everything that was written down.
    pub async fn events(&self, id: &RunId) -> miette::Result<Vec<Event>> {
        Ok(self.engine.events(id).await?)
    }
}

/// In which words a run that is not over stands there.
pub fn standing(run: &Run) -> String {
    let decides = run.cursors.iter().find_map(|cursor| {
        Some(format!("a person decides at `{}`: {}", step_of(&cursor.place), cursor.needs_person()?))
    });
    match (&run.ended, decides) {
        (Some(ending), _) => format!("the run is over (`{ending}`)"),
        (None, Some(decides)) => decides,
        (None, None) => format!("it waits at `{}`", run.summary().at),
    }
}

/// The person at work in a rehearsal.
fn who(run: &Run) -> Who {
    // Once the customer came by the link, they answer for themselves.
    if run.links.values().any(|link| link.opened.is_some()) { Who::customer(&run.customer) } else { people::agent() }
}
