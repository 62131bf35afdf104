//! `selvedge run …`: where runs stand, and how people steer them, from beside the node that drives them. An act lies in
//! the run's inbox when the command is done; the node takes it in within seconds, or when it is started again.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use selvedge_engine::Run;
use selvedge_engine::decide::{MAX_ASKED, MAX_ATTEMPTS};
use selvedge_engine::handoff::Handoff;
use selvedge_engine::operate::Act;
use selvedge_engine::ports::Micros;
use selvedge_engine::run::{Phase, step_of};
use selvedge_record::time::to_rfc3339;
use selvedge_server::Standing;

use crate::beside::{Asked, Beside, say_done};
use crate::clock::Zone;
use crate::demo::in_use;
use crate::kill;
use crate::log::LOG;
use crate::node::Folder;

/// How long after a run was due somebody should have worked on it: a call and its pauses are shorter.
const LATE: Micros = 300_000_000;
/// How many runs a list shows.
const MAX_LIST: u32 = 1000;

#[derive(Subcommand)]
pub enum Command {
    /// List runs, the newest first: where they stand and what holds them.
    List(Asked),
    /// Say where a run stands, what is pending and why it waits; as JSON, what `GET /v1/interactions/{id}` has, and whether
    /// anybody is working on it.
    Show {
        /// The interaction, `int_…`.
        interaction: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Hold a run where it is: mail is taken in, nothing leaves.
    Pause(OfRun),
    /// Let it go on.
    Resume(OfRun),
    /// End it. What may have happened is cleared up first, then what was done is undone; nothing else is tried.
    Cancel(OfRun),
    /// Try now what is put off, ask now about what is unclear.
    Retry(OfRun),
    /// Have it go on in another definition of its workflow; refused where what was proved of that one would not hold.
    Move {
        /// `latest`, or the digest of one that was published.
        #[arg(long, value_name = "DIGEST")]
        to: String,
        #[command(flatten)]
        run: OfRun,
    },
    /// Hand it over to another channel, where its workflow waits for that, to another agent, or both.
    Handoff {
        /// The channel in which it goes on: `call`, `chat`.
        #[arg(long, value_name = "CHANNEL", required_unless_present = "agent")]
        to: Option<String>,
        /// The colleague who takes it over.
        #[arg(long, value_name = "PERSON")]
        agent: Option<String>,
        #[command(flatten)]
        run: OfRun,
    },
    /// Say what became of an effect that waits for a person.
    Decide {
        /// It was done; the vendor's reference.
        #[arg(long, value_name = "REFERENCE", required_unless_present = "not_done", conflicts_with = "not_done")]
        done: Option<String>,
        /// It was not done and never will be.
        #[arg(long)]
        not_done: bool,
        /// The step whose effect it is, where several wait for a person: as `run show` names it, `posting#3`.
        #[arg(long)]
        step: Option<String>,
        #[command(flatten)]
        run: OfRun,
    },
}

#[derive(Args)]
pub struct OfRun {
    /// The interaction, `int_…`.
    interaction: String,
    #[command(flatten)]
    act: kill::Act,
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::List(asked) => list(&asked).await,
        Command::Show { interaction, asked } => show(&asked, interaction).await,
        Command::Pause(run) => leave(run, Act::Pause).await,
        Command::Resume(run) => leave(run, Act::Resume).await,
        Command::Cancel(run) => leave(run, Act::Cancel).await,
        Command::Retry(run) => leave(run, Act::Retry).await,
        Command::Move { to, run } => leave(run, Act::Move(to)).await,
        Command::Handoff { to, agent, run } => leave(run, Act::Handoff(Handoff { channel: to, agent })).await,
        Command::Decide { done, step, run, .. } => {
            let act = done.map_or(Act::NotDone, Act::Done);
            leave(run, step.map_or(act.clone(), |step| Act::At(step, Box::new(act)))).await
        }
    }
}

async fn leave(OfRun { interaction, act: kill::Act { reason, by } }: OfRun, what: Act) -> miette::Result<ExitCode> {
    let beside = by.asked.open().await?;
    let id = beside.id(interaction);
    beside.engine.leave(&id, what, &reason, by.who()).await?;
    let runs = in_use(&by.asked.folder()?);
    let words = match runs {
        true => "it lies in the run's inbox; the node takes it in within seconds",
        false => "it lies in the run's inbox; no node runs here, so it is taken in when one starts",
    };
    say_done(by.asked.json, &serde_json::json!({ "left_for": id.interaction, "node_runs_here": runs }), words);
    Ok(ExitCode::SUCCESS)
}

async fn list(asked: &Asked) -> miette::Result<ExitCode> {
    let Beside { engine, tenant, .. } = asked.open().await?;
    let runs = engine.list(&tenant, MAX_LIST).await?;
    if asked.json {
        say!("{}", serde_json::json!(runs));
        return Ok(ExitCode::SUCCESS);
    }
    for run in runs {
        let summary = run.summary;
        let held = match (&summary.halted, summary.wake) {
            (Some(switch), _) => format!("stopped by {switch}"),
            (None, Some(wake)) => format!("until {}", to_rfc3339(wake)?),
            _ if summary.over => "over".into(),
            _ if summary.busy => "at work".into(),
            _ => "waits for a person".into(),
        };
        say!("{}  {}  {}  {held}", run.interaction, summary.workflow, summary.at);
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(asked: &Asked, interaction: String) -> miette::Result<ExitCode> {
    let beside = asked.open().await?;
    let run = beside.engine.run_state(&beside.id(interaction)).await?;
    let nobody = nobody(&run, &asked.folder()?, beside.engine.now());
    if asked.json {
        let standing = Standing::of(&run, &beside.engine.events(&run.id).await?);
        say!("{}", serde_json::json!({ "run": standing, "nobody_works_on_it": nobody }));
        return Ok(ExitCode::SUCCESS);
    }
    let zone = Zone::of_this_machine();
    say!("{}  {}  customer {}", run.id.interaction, run.workflow, run.customer);
    say!("  stands at    {}", run.summary().at);
    say!("  since        {}", zone.tell(run.updated)?);
    for effect in run.effects() {
        say!("  pending      {}, attempt {} of {MAX_ATTEMPTS}", effect.key, effect.attempt);
    }
    if run.cursors.is_empty() {
        say!("  it is over");
    }
    for cursor in &run.cursors {
        let branch = if cursor.join.is_some() { format!("{}  ", step_of(&cursor.place)) } else { String::new() };
        say!("  {branch}{}", why(&cursor.phase, &zone)?);
    }
    if let Some((by, reason)) = &run.paused {
        say!("  paused       by {by}: {reason}");
    }
    for halt in run.halts() {
        say!("  stopped      by {} over {}, set by {}: {}", halt.switch, halt.scope, halt.by, halt.reason);
    }
    say!("  goes by      {}", run.controls);
    if let Some(moved) = &run.moved {
        say!("  moved        from {} by {}: {}", moved.from, moved.by, moved.reason);
    }
    if let Some(why) = nobody {
        say!("  nobody is working on this: {why}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Why nobody works on a run that has something to do, if nobody does.
fn nobody(run: &Run, data: &Path, now: Micros) -> Option<String> {
    let (wake, busy) = run.wake();
    let due = if busy { Some(run.updated) } else { wake };
    let late = now - due.filter(|due| *due <= now)?;
    // The nodes of a database may be on other machines.
    if Folder::is_at(data) && !in_use(data) {
        return Some(format!("no node runs in {}", data.display()));
    }
    let log = data.join(LOG);
    (late > LATE)
        .then(|| format!("it has been due for {} minutes; {} says what its node met", late / 60_000_000, log.display()))
}

/// Why it waits and until when.
fn why(phase: &Phase, zone: &Zone) -> miette::Result<String> {
    Ok(match phase {
        Phase::Waiting(at) => format!("waits        for somebody, until {}", zone.tell(*at)?),
        Phase::Deferred(at) => format!("waits        because no contact is permitted before {}", zone.tell(*at)?),
        Phase::Postponed(_, at) => format!("waits        for the next attempt at {}", zone.tell(*at)?),
        Phase::Unclear(_, asked, at) => {
            format!("maybe done   the vendor was asked {asked} of {MAX_ASKED} times, next at {}", zone.tell(*at)?)
        }
        Phase::NeedsPerson(_, reason) => format!("maybe done   a person must decide: {reason}"),
        Phase::UndoFailed(_, reason) => format!("undo failed  a person must decide: {reason}"),
        Phase::Branched(branches) if branches.items > 0 => {
            format!("branched     {} of {} items have begun", branches.begun, branches.items)
        }
        Phase::Branched(_) => "branched     until all of these are over:".into(),
        Phase::Entered | Phase::Permitted | Phase::Intended(_) => "is at work".into(),
    })
}
