//! `selvedge campaign …`: one interaction of a workflow with each customer of a list, at a pace. What is done here lies in
//! the store when the command is done; the nodes do the rest.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use selvedge_engine::campaign::{Act, Campaign, Plan};
use selvedge_engine::ports::campaigns::Progress;
use selvedge_record::time::to_rfc3339;
use selvedge_workflow::source::{Diagnostic, Spanned, code};

use crate::beside::{Asked, Beside, By};
use crate::csv::Rows;
use crate::customer::{self, MAX_CUSTOMERS};
use crate::failure::Failure;
use crate::kill;

/// How many campaigns a list shows.
const MAX_LIST: u32 = 1000;

#[derive(Subcommand)]
pub enum Command {
    /// Start a campaign over the customers of a CSV file, or over those for whom a condition holds.
    Start(Start),
    /// Say how far a campaign is.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// List campaigns and how far they are.
    List(Asked),
    /// Take nobody up until it is resumed; what is open goes on.
    Pause(OfCampaign),
    /// Let it go on.
    Resume(OfCampaign),
    /// Take nobody up any more, for good; what is open goes on.
    Stop(OfCampaign),
}

#[derive(Args)]
pub struct Start {
    /// Its name: lower-case letters, digits, `-` and `.`.
    name: String,
    /// The workflow that is opened with each customer.
    #[arg(long)]
    workflow: String,
    /// A CSV file with a column `customer`. Other columns are fields of these customers, which are imported first.
    #[arg(long, required_unless_present = "where", conflicts_with = "where")]
    list: Option<PathBuf>,
    /// A condition over the customers' fields: `bill.due < '2026-11-01'`. Fields of health, cards, banks and ids cannot
    /// be asked about.
    #[arg(long, value_name = "CONDITION")]
    r#where: Option<String>,
    /// How many customers are taken up within a minute at most.
    #[arg(long, default_value_t = 60)]
    per_minute: u32,
    /// How many interactions are open at a time at most.
    #[arg(long, default_value_t = 1000)]
    at_once: u32,
    /// The channel that the interactions are opened on.
    #[arg(long, default_value = "campaign")]
    channel: String,
    #[command(flatten)]
    by: By,
}

#[derive(Args)]
pub struct OfCampaign {
    /// Its name.
    name: String,
    #[command(flatten)]
    act: kill::Act,
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Start(start) => begin(start).await,
        Command::Show { name, asked } => {
            let Beside { engine, tenant, .. } = asked.open().await?;
            let (campaign, progress) = engine.campaign_progress(&tenant, &name).await?;
            tell(&campaign, &progress, asked.json)
        }
        Command::List(asked) => list(&asked).await,
        Command::Pause(of) => steer(of, Act::Pause).await,
        Command::Resume(of) => steer(of, Act::Resume).await,
        Command::Stop(of) => steer(of, Act::Stop).await,
    }
}

async fn begin(start: Start) -> miette::Result<ExitCode> {
    let beside = start.by.asked.open().await?;
    let customers = match &start.list {
        Some(file) => read(file, &beside).await?,
        None => Vec::new(),
    };
    let plan = Plan {
        workflow: start.workflow,
        channel: start.channel,
        per_minute: start.per_minute,
        at_once: start.at_once,
        customers: start.r#where,
        after: None,
    };
    let Beside { engine, tenant, .. } = beside;
    engine.start_campaign(&tenant, &start.name, plan, customers.into_iter(), &start.by.who()).await?;
    let (campaign, progress) = engine.campaign_progress(&tenant, &start.name).await?;
    tell(&campaign, &progress, start.by.asked.json)
}

/// The customers of a file, in its order. Its other columns are their fields, kept before anybody is listed.
async fn read(file: &Path, beside: &Beside) -> miette::Result<Vec<String>> {
    let input = BufReader::new(File::open(file).map_err(|e| Failure::read(file, &e))?);
    let mut rows = Rows::new(&file.display().to_string(), input);
    let names = rows.next().map_err(|e| Failure::read(file, &e))?.and_then(Result::ok).unwrap_or_default();
    if names.len() > 1 {
        customer::import(file, beside).await?;
    }
    let Some(column) = names.iter().position(|name| name.value == "customer") else {
        let span = selvedge_workflow::source::Span::start_of(&file.display().to_string());
        let found = Diagnostic::new(code::MISSING_KEY, "there is no column `customer`").at(&span);
        return Err(Failure::NotImported { findings: vec![found] }.into());
    };
    let (mut customers, mut seen, mut findings) = (Vec::new(), BTreeSet::new(), Vec::new());
    while let Some(row) = rows.next().map_err(|e| Failure::read(file, &e))? {
        let Some(Spanned { value, span }) = row
            .map_err(|found| findings.push(*found))
            .ok()
            .and_then(|mut cells| (column < cells.len()).then(|| cells.swap_remove(column)))
        else {
            continue;
        };
        if !customer::is_id(&value) {
            let message = "`customer` should be letters, digits, `-` and `_`, at most 64";
            findings.push(Diagnostic::new(code::WRONG_TYPE, message).at(&span));
        } else if customers.len() == MAX_CUSTOMERS {
            findings
                .push(Diagnostic::new(code::BEYOND_LIMITS, format!("more than {MAX_CUSTOMERS} customers")).at(&span));
            break;
        } else if seen.insert(value.clone()) {
            customers.push(value);
        }
    }
    if findings.is_empty() { Ok(customers) } else { Err(Failure::NotImported { findings }.into()) }
}

async fn steer(OfCampaign { name, act: kill::Act { reason, by } }: OfCampaign, what: Act) -> miette::Result<ExitCode> {
    let Beside { engine, tenant, .. } = by.asked.open().await?;
    engine.steer_campaign(&tenant, &name, what, &reason, &by.who()).await?;
    let (campaign, progress) = engine.campaign_progress(&tenant, &name).await?;
    tell(&campaign, &progress, by.asked.json)
}

async fn list(asked: &Asked) -> miette::Result<ExitCode> {
    let Beside { engine, tenant, .. } = asked.open().await?;
    let campaigns = engine.campaigns(&tenant, MAX_LIST).await?;
    if asked.json {
        let all: Vec<_> = campaigns.iter().map(|(campaign, progress)| campaign.told(progress)).collect();
        say!("{}", serde_json::json!(all));
        return Ok(ExitCode::SUCCESS);
    }
    if campaigns.is_empty() {
        eprintln!("no campaign was ever started here");
    }
    for (campaign, progress) in campaigns {
        tell(&campaign, &progress, false)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(campaign: &Campaign, progress: &Progress, json: bool) -> miette::Result<ExitCode> {
    if json {
        say!("{}", campaign.told(progress));
        return Ok(ExitCode::SUCCESS);
    }
    let Campaign { name, plan, stage, by, at, held, .. } = campaign;
    let Progress { queued, open, waiting, done, refused, failed } = progress;
    say!("{name}  {}  {}  {} a minute, {} at once", stage.name(), plan.workflow, plan.per_minute, plan.at_once);
    say!("    queued {queued}, open {open}, waiting {waiting}, done {done}, refused {refused}, failed {failed}");
    say!("    started {} by {by}", to_rfc3339(*at)?);
    if let Some(condition) = &plan.customers {
        say!("    customers: {condition}");
    }
    if let Some((by, reason)) = held {
        say!("    {} by {by}: {reason}", stage.name());
    }
    Ok(ExitCode::SUCCESS)
}
