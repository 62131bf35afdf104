//! `selvedge bench story`: the healthcare story end to end, many at a time: the agent at the API, the code and the link on the
//! patient's phone, the payment page, the card at the gateway, the receipt. Everything is the demonstration's; the vendors are
//! its doubles, in this process. The floor: what the stories leave in their records as bare rows in group commits.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use miette::IntoDiagnostic;
use reqwest::header::{COOKIE, SET_COOKIE};
use selvedge_engine::Run;
use selvedge_engine::ports::Clock;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::At;
use serde_json::json;
use tokio::task::JoinSet;

use super::Place;
use super::floor::reach;
use super::meter::{Meter, percentile, round};
use crate::demo::customer::{CARD_FORM, hidden};
use crate::demo::people::{Agent, control};
use crate::demo::stage::{Stage, WORKFLOW, consents, fields};
use crate::failure::Failure;
use crate::home;
use crate::record::TENANT;

#[derive(Args)]
pub struct Arguments {
    /// How many stories.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=9000))]
    stories: u16,
    /// How many are told at a time.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Keep the data below this folder; a passing one when left out.
    #[arg(long)]
    data: Option<PathBuf>,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let (home, n) = (home::find()?, usize::from(arguments.stories));
    let (place, bare) = (Place::new(arguments.data.as_ref(), "story")?, Place::new(arguments.data.as_ref(), "floor")?);
    let stage = Arc::new(Stage::set(&home, &place.path, None, None).await?);
    let dictionary = crate::customer::dictionary()?;
    for n in 0..n {
        let (mobile, state) = (mobile(n), consents(stage.clock.now(), &mobile(n)));
        stage.engine.put_customer(&dictionary, TENANT, &customer(n), &state, &fields(&mobile)).await?;
    }
    let agent = Arc::new(Agent::sign_in(&stage).await?.token);
    let meter = Meter::start();
    let (mut waits, events) = tell(&stage, &agent, n, arguments.clients).await?;
    let spent = meter.stop();
    let floor_s = events as f64 / reach(&bare, "rows", events, 64).await?.rows_per_s;

    let (wall_s, p50, p99) = (spent.wall.as_secs_f64(), percentile(&mut waits, 0.5), percentile(&mut waits, 0.99));
    let (rate, cpu) = (round(n as f64 / wall_s), round(spent.cpu_s * 1e3 / n as f64));
    if arguments.json {
        say!(
            "{}",
            json!({
                "workload": "story", "n": n, "clients": arguments.clients, "events": events, "wall_s": round(wall_s),
                "stories_per_s": rate, "p50_ms": p50, "p99_ms": p99, "cpu_ms_per_story": cpu,
                "floor": { "group_commit_s": round(floor_s) }, "times_floor": round(wall_s / floor_s),
            })
        );
    } else {
        say!("{n} stories, {} at a time: {rate} a second, half of them within {p50} ms", arguments.clients);
        say!("{cpu} ms of CPU each, the vendors' and the customers' with it");
        say!(
            "floor: their {events} events as rows alone, {} s; {} times that",
            round(floor_s),
            round(wall_s / floor_s)
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn customer(n: usize) -> String {
    format!("c_{n}")
}

/// Its own number, so that each phone shows one story.
fn mobile(n: usize) -> String {
    format!("+1312555{:04}", 1000 + n)
}

/// A closed loop: how long each story took, and how many events all of them have.
async fn tell(
    stage: &Arc<Stage>,
    agent: &Arc<String>,
    n: usize,
    clients: usize,
) -> miette::Result<(Vec<Duration>, usize)> {
    let (next, mut at_work) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..clients.max(1) {
        let (stage, agent, next) = (stage.clone(), agent.clone(), next.clone());
        at_work.spawn(async move {
            let (mut waits, mut events) = (Vec::new(), 0);
            loop {
                let story = next.fetch_add(1, Ordering::Relaxed);
                if story >= n {
                    return Ok::<_, miette::Report>((waits, events));
                }
                let begun = Instant::now();
                let patient = Patient { stage: &stage, mobile: mobile(story), cookie: None };
                let id = patient.story(&Agent { stage: &stage, token: agent.to_string() }, &customer(story)).await?;
                waits.push(begun.elapsed());
                events += stage.engine.events(&id).await?.len();
            }
        });
    }
    let (mut waits, mut events) = (Vec::new(), 0);
    while let Some(told) = at_work.join_next().await {
        let (some, of) = told.into_diagnostic()??;
        waits.extend(some);
        events += of;
    }
    Ok((waits, events))
}

/// One patient, with a phone and a browser.
struct Patient<'s> {
    stage: &'s Stage,
    mobile: String,
    cookie: Option<String>,
}

impl Patient<'_> {
    /// From the call to the receipt.
    async fn story(mut self, agent: &Agent<'_>, customer: &str) -> miette::Result<RunId> {
        let body = json!({ "workflow": WORKFLOW, "customer": customer, "channel": "call" });
        let opened = agent.post("/v1/interactions", body).await?;
        let id =
            RunId { tenant: TENANT.into(), interaction: opened["interaction"].as_str().unwrap_or_default().to_owned() };
        loop {
            let run = self.stage.engine.settle(&id).await?;
            match run.at() {
                At::End(ending) if ending != "completed" => return Err(astray(&ending)),
                At::End(_) if run.closed => return Ok(id),
                At::End(_) => {}
                At::Node(node) => self.act(agent, &run, &node).await?,
            }
        }
    }

    async fn act(&mut self, agent: &Agent<'_>, run: &Run, node: &str) -> miette::Result<()> {
        let path = format!("/v1/interactions/{}", run.id.interaction);
        match node {
            "identity.answer" => {
                let code = self.code().await?;
                agent.post(&format!("{path}/code"), json!({ "code": code })).await?;
            }
            "plan" => {
                for step in ["owed", "plan"] {
                    agent.post(&format!("{path}/read"), json!({ "step": step })).await?;
                }
                let terms = run.offers.get("plan").map(|offer| offer.terms.clone()).unwrap_or_default();
                let yes = json!({ "step": "plan", "accepted": true, "terms": terms });
                agent.post(&format!("{path}/answer"), yes).await?;
            }
            "first-payment.open" => {
                let link = self.link().await?;
                self.page(&link).await?;
                self.submit(&format!("{link}/start"), &[]).await?;
            }
            "first-payment.answer" => {
                let (link, code) = (self.link().await?, self.code().await?);
                self.submit(&format!("{link}/code"), &[("code", &code)]).await?;
            }
            "first-payment.card" => {
                let link = self.link().await?;
                let page = self.page(&link).await?;
                let words = hidden(&page, "words_id").ok_or_else(|| astray("the page of the card"))?;
                let form = [&CARD_FORM[..], &[("words_id", words.as_str())]].concat();
                self.submit(&format!("{link}/card"), &form).await?;
            }
            other => return Err(astray(other)),
        }
        Ok(())
    }

    /// The newest text on the phone that holds these words.
    async fn text(&self, words: &str) -> miette::Result<String> {
        let url = format!("{}/handset/{}", self.stage.texts.base_url, self.mobile.trim_start_matches('+'));
        let inbox = control(self.stage, &url).await?;
        let mut texts = inbox.as_array().into_iter().flatten().filter_map(|text| text["text"].as_str());
        let newest = texts.rfind(|text| text.contains(words)).map(str::to_owned);
        newest.ok_or_else(|| astray("the phone"))
    }

    async fn code(&self) -> miette::Result<String> {
        let text = self.text("is your code").await?;
        let code = text.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 6);
        code.map(str::to_owned).ok_or_else(|| astray("the code"))
    }

    async fn link(&self) -> miette::Result<String> {
        let text = self.text("/pay/").await?;
        let link = text.split_whitespace().find(|word| word.starts_with("http"));
        link.map(str::to_owned).ok_or_else(|| astray("the link"))
    }

    async fn page(&self, url: &str) -> miette::Result<String> {
        let request = self.stage.http.get(url).header(COOKIE, self.cookie.as_deref().unwrap_or_default());
        request.send().await.into_diagnostic()?.text().await.into_diagnostic()
    }

    async fn submit(&mut self, url: &str, form: &[(&str, &str)]) -> miette::Result<()> {
        let request = self.stage.http.post(url).form(form).header("origin", &self.stage.url);
        let request = request.header(COOKIE, self.cookie.as_deref().unwrap_or_default());
        let response = request.send().await.into_diagnostic()?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(astray("the payment page"));
        }
        let set = response.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok());
        self.cookie = set.and_then(|set| set.split(';').next()).map(str::to_owned).or(self.cookie.take());
        Ok(())
    }
}

fn astray(at: &str) -> miette::Report {
    Failure::Measurement { at: at.into(), why: "a story did not go on there".into() }.into()
}
