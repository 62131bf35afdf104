//! `selvedge retention …` and `selvedge hold …`: what is due to be destroyed by which rule, and what is held all the
//! same; beside the node that may run in the data folder.

use std::process::ExitCode;

use clap::Subcommand;
use selvedge_engine::definition::RETENTION;
use selvedge_policy::Retention;
use selvedge_record::time::to_rfc3339;
use selvedge_workflow::Files;

use crate::beside::{Asked, Beside, By, say_done};
use crate::failure::Failure;
use crate::home;
use crate::kill::Act;

/// How many lines `due` prints.
const MAX_LISTED: usize = 1000;

#[derive(Subcommand)]
pub enum Command {
    /// List what has outlived its rule, and what holds it all the same.
    Due {
        /// As it will be so many days from now.
        #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=40_000))]
        ahead: i64,
        #[command(flatten)]
        asked: Asked,
    },
    /// Destroy the keys of what is due and not held, now; a node does it once a day.
    Run(By),
}

#[derive(Subcommand)]
pub enum Hold {
    /// Hold an interaction, or a customer with all of theirs: nothing of it is destroyed until the hold is lifted.
    Set {
        /// `int_…`, or the customer's id.
        on: String,
        #[command(flatten)]
        act: Act,
    },
    /// Lift a hold.
    Lift {
        /// `hold-3`, as `list` shows it.
        hold: String,
        #[command(flatten)]
        act: Act,
    },
    /// List the holds in force, oldest first; `record export holds` has all that ever were.
    List(Asked),
}

/// The retention rules among the definitions; where there is no such file, everything is kept.
pub fn policy(files: &Files) -> Result<Retention, Failure> {
    let Some(text) = files.get(RETENTION) else { return Ok(Retention::default()) };
    Retention::load(RETENTION, text).map_err(|findings| Failure::Findings { findings })
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    let policy = policy(&home::definitions(&home::find()?)?)?;
    match command {
        Command::Due { ahead, asked } => {
            let Beside { engine, tenant, .. } = Beside::ahead(&asked.folder()?, ahead).await?;
            let due = engine.due(&tenant, &policy, MAX_LISTED).await?;
            if asked.json {
                say!("{}", serde_json::json!(due));
                return Ok(ExitCode::SUCCESS);
            }
            if due.is_empty() {
                eprintln!("nothing is due");
            }
            for due in due {
                let held = due.held.map_or_else(String::new, |hold| format!("  HELD by {hold}"));
                say!("{}  {:<6} since {}{held}", due.interaction, due.class, to_rfc3339(due.since)?);
                say!("    {}: {} after {} ({})", due.rule, due.keep, to_rfc3339(due.closed)?, due.cite);
            }
        }
        Command::Run(by) => {
            let Beside { engine, tenant, .. } = Beside::ahead(&by.asked.folder()?, 0).await?;
            let swept = engine.destroy_due(&tenant, &by.who(), &policy).await?;
            let told = serde_json::json!({ "destroyed": swept.destroyed, "held": swept.held });
            say_done(by.asked.json, &told, &format!("{} keys destroyed, {} held", swept.destroyed, swept.held));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn hold(command: Hold) -> miette::Result<ExitCode> {
    match command {
        Hold::Set { on, act: Act { reason, by } } => {
            let Beside { engine, tenant, .. } = Beside::ahead(&by.asked.folder()?, 0).await?;
            let hold = engine.set_hold(&tenant, &by.who(), &on, &reason).await?;
            let words = format!("{hold}  holds {on} until `selvedge hold lift {hold} --reason …`");
            say_done(by.asked.json, &serde_json::json!({ "hold": hold, "on": on }), &words);
        }
        Hold::Lift { hold, act: Act { reason, by } } => {
            let Beside { engine, tenant, .. } = Beside::ahead(&by.asked.folder()?, 0).await?;
            engine.lift_hold(&tenant, &by.who(), &hold, &reason).await?;
            say_done(by.asked.json, &serde_json::json!({ "lifted": hold }), &format!("{hold} is lifted"));
        }
        Hold::List(asked) => {
            let Beside { engine, tenant, .. } = Beside::ahead(&asked.folder()?, 0).await?;
            let holds = engine.holds(&tenant).await?.in_force;
            if asked.json {
                say!("{}", serde_json::json!(holds));
                return Ok(ExitCode::SUCCESS);
            }
            if holds.is_empty() {
                eprintln!("nothing is held");
            }
            for hold in holds {
                say!("{}  {}  since {} by {}: {}", hold.id, hold.on, to_rfc3339(hold.at)?, hold.by, hold.reason);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
