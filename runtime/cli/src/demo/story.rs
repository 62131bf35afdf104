//! The story, S1: what each person does when the run waits for them. It is told from the state of the run, so a
//! second start after `kill -9` goes on wherever the first one was.

use std::time::Duration;

use miette::IntoDiagnostic;
use selvedge_engine::Run;
use selvedge_engine::ports::Clock;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::{At, Phase};
use serde_json::json;

use super::by_hand::ByHand;
use super::customer;
use super::people::Agent;
use super::stage::{PATIENT, Stage, WORKFLOW};
use crate::failure::Failure;
use crate::print;
use crate::record::TENANT;

/// The patient waits so long before opening the link: two days, less a little.
const TWO_DAYS: i64 = 2 * 86_400_000_000;
/// How long nothing may happen before the story is given up.
const PATIENCE: Duration = Duration::from_secs(40);
/// How many interactions a folder of the demonstration may hold: the story's own, and one for each text.
pub const MAX_LIST: u32 = 500;
/// How often the run is looked at.
pub const LOOK: Duration = Duration::from_millis(5);

/// Prints events as they happen, each once.
pub struct Teller {
    json: bool,
    told: usize,
}

impl Teller {
    /// In words or as JSON lines.
    pub fn new(json: bool) -> Teller {
        Teller { json, told: 0 }
    }

    async fn catch_up(&mut self, stage: &Stage, id: &RunId) -> miette::Result<bool> {
        let events = stage.engine.events(id).await?;
        let news = events.len() > self.told;
        for event in events.iter().skip(self.told) {
            if self.json {
                say!("{}", event.canonical()?);
            } else {
                print::event(event);
            }
        }
        self.told = events.len();
        Ok(news)
    }

    fn aside(&self, text: &str) {
        if !self.json {
            say!("\n— {text}");
        }
    }
}

/// Plays the story to its end, or goes on with one that was interrupted. By hand, a person at the terminal is
/// the customer from the link on, and takes as long as they like.
pub async fn play(
    stage: &mut Stage,
    teller: &mut Teller,
    mut by_hand: Option<ByHand>,
    mut replies: Vec<String>,
) -> miette::Result<RunId> {
    let known = stage.engine.list(TENANT, MAX_LIST).await?;
    let id = match known.iter().find(|listed| listed.summary.workflow == WORKFLOW) {
        Some(listed) => {
            teller.aside(&format!("this folder holds {}; the story goes on where it stands", listed.interaction));
            RunId { tenant: TENANT.into(), interaction: listed.interaction.clone() }
        }
        None => {
            teller.aside("Monday, 10:04 in Chicago. Ada calls Riverside Clinic about her bill; Maria answers.");
            let agent = Agent::sign_in(stage).await?;
            let body = json!({ "workflow": WORKFLOW, "customer": PATIENT, "channel": "call" });
            let opened = agent.post("/v1/interactions", body).await?;
            RunId { tenant: TENANT.into(), interaction: opened["interaction"].as_str().unwrap_or_default().to_owned() }
        }
    };
    let (mut quiet_since, mut seen) = (std::time::Instant::now(), None);
    loop {
        // The state first: of a run that is over by then, the events that follow are all.
        let run = stage.engine.run_state(&id).await?;
        if teller.catch_up(stage, &id).await? {
            quiet_since = std::time::Instant::now();
            if let Some(by_hand) = &mut by_hand {
                by_hand.read_phone(stage).await?;
            }
        }
        if run.closed {
            return Ok(id);
        }
        if quiet_since.elapsed() > PATIENCE && by_hand.is_none() {
            return Err(Failure::Story {
                at: run.summary().at,
                why: format!("nothing has happened for {} seconds", PATIENCE.as_secs()),
            }
            .into());
        }
        // A person acts once on what is asked of them; what is asked again is a new state.
        if seen.as_ref() == Some(&run.head) {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        match run.phase() {
            Phase::Waiting(_) => {
                let texts = if standing_at(&run, "first-payment.open") { std::mem::take(&mut replies) } else { vec![] };
                for text in texts {
                    teller.aside(&format!("Ada texts back: {text}"));
                    for answer in customer::text(stage, &id, &text).await? {
                        teller.aside(&format!("Her phone shows: {answer}"));
                    }
                }
                act(stage, teller, &id, &run, by_hand.as_mut()).await?;
                seen = Some(run.head.clone());
            }
            // The engine means to ask or try again later; in the story, later comes at once.
            Phase::Unclear(_, _, at) | Phase::Postponed(_, at) | Phase::Deferred(at) => {
                stage.clock.move_to(*at);
                tokio::time::sleep(LOOK).await;
            }
            Phase::NeedsPerson(_, why) | Phase::UndoFailed(_, why) => {
                return Err(Failure::Story { at: run.summary().at, why: why.clone() }.into());
            }
            Phase::Entered | Phase::Permitted | Phase::Intended(_) | Phase::Branched(_) => {
                tokio::time::sleep(LOOK).await
            }
        }
    }
}

fn standing_at(run: &Run, node: &str) -> bool {
    matches!(run.at(), At::Node(at) if at == node)
}

/// The one whom the run waits for does what is asked.
async fn act(
    stage: &mut Stage,
    teller: &Teller,
    id: &RunId,
    run: &Run,
    mut by_hand: Option<&mut ByHand>,
) -> miette::Result<()> {
    let At::Node(node) = run.at() else { return Ok(()) };
    let path = format!("/v1/interactions/{}", id.interaction);
    if let (Some(by_hand), "first-payment.answer" | "first-payment.card") = (&mut by_hand, node.as_str()) {
        return by_hand.hand_over(stage).await;
    }
    match node.as_str() {
        "identity.answer" => {
            teller.aside("Ada reads the code from her phone; Maria types it in.");
            let code = customer::read_code(stage).await?;
            Agent::sign_in(stage).await?.post(&format!("{path}/code"), json!({ "code": code })).await?;
        }
        "plan" => {
            teller.aside("Maria reads out the balance, the month and the plan. Ada says yes.");
            let agent = Agent::sign_in(stage).await?;
            agent.post(&format!("{path}/read"), json!({ "step": "owed" })).await?;
            agent.post(&format!("{path}/read"), json!({ "step": "plan" })).await?;
            let terms = run.offers.get("plan").map(|o| o.terms.clone()).unwrap_or_default();
            agent.post(&format!("{path}/answer"), json!({ "step": "plan", "accepted": true, "terms": terms })).await?;
        }
        "first-payment.open" => {
            let issued = run.links.get("first-payment").map_or(run.updated, |l| l.expires - 72 * 3_600_000_000);
            if stage.clock.now() < issued + TWO_DAYS {
                teller.aside("Two days later, Ada opens the link on her phone.");
                stage.clock.move_to(issued + TWO_DAYS);
            }
            if let Some(by_hand) = by_hand {
                return by_hand.hand_over(stage).await;
            }
            let link = customer::read_link(stage).await?;
            customer::open(stage, &link).await?;
            customer::submit(stage, &format!("{link}/start"), &[]).await?;
        }
        "first-payment.answer" => {
            teller.aside("Nobody is verified any more after two days: the page asks for a new code.");
            let (link, code) = (customer::read_link(stage).await?, customer::read_code(stage).await?);
            customer::submit(stage, &format!("{link}/code"), &[("code", &code)]).await?;
        }
        "first-payment.card" => {
            teller.aside("Ada reads what she agrees to, ticks the box and enters her card.");
            let link = customer::read_link(stage).await?;
            customer::enter_card(stage, &link).await?;
        }
        other => {
            return Err(Failure::Story { at: other.into(), why: "nobody in the story answers this".into() })
                .into_diagnostic();
        }
    }
    Ok(())
}
