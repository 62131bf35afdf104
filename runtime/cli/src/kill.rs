//! `selvedge kill …`: kill switches of a data folder, beside the node that may run in it. Nothing within reach leaves
//! once the command is done: the node compares its switches with the store's in the transaction of each intent.

mod prove;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use selvedge_engine::switches::{Killed, Over, Scope, Switch};
use selvedge_record::time::to_rfc3339;

use crate::beside::{Asked, Beside, By, say_done};

#[derive(Subcommand)]
pub enum Command {
    /// Stop a workflow: its runs make no effect and no interaction of it opens.
    Workflow(ToStop),
    /// Stop a connector.
    Connector(ToStop),
    /// Stop all connectors of a vendor.
    Vendor(ToStop),
    /// Stop all messages over a channel, such as `sms`.
    Channel(ToStop),
    /// Stop everything of a tenant.
    Tenant(ToStop),
    /// List all switches, the newest first.
    List(Asked),
    /// Prove that nothing left behind a switch, from a data folder or from the file that such a proof wrote. Exit code 0:
    /// proved; 3: not.
    Prove(prove::ToProve),
    /// Lift a switch; the runs that it halted go on.
    Lift {
        /// `kill-3`, as `list` shows it.
        switch: String,
        #[command(flatten)]
        act: Act,
    },
}

#[derive(Args)]
pub struct ToStop {
    /// Its name.
    name: String,
    #[command(flatten)]
    act: Act,
}

#[derive(Args)]
pub struct Act {
    /// Why; it stands in the record.
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    pub by: By,
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Workflow(to_stop) => stop(Over::Workflow, to_stop).await,
        Command::Connector(to_stop) => stop(Over::Connector, to_stop).await,
        Command::Vendor(to_stop) => stop(Over::Vendor, to_stop).await,
        Command::Channel(to_stop) => stop(Over::Channel, to_stop).await,
        Command::Tenant(to_stop) => stop(Over::Tenant, to_stop).await,
        Command::Prove(to_prove) => prove::run(to_prove).await,
        Command::List(asked) => list(&asked).await,
        Command::Lift { switch, act: Act { reason, by } } => {
            let Beside { engine, tenant, .. } = by.asked.open().await?;
            engine.lift(&tenant, &switch, &reason, &by.who()).await?;
            let words = format!("{switch} is lifted; what it halted goes on");
            say_done(by.asked.json, &serde_json::json!({ "lifted": switch }), &words);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn stop(over: Over, ToStop { name, act: Act { reason, by } }: ToStop) -> miette::Result<ExitCode> {
    let Beside { engine, tenant, .. } = by.asked.open().await?;
    let killed = engine.kill(&tenant, Scope { over, name }, &reason, &by.who()).await?;
    if by.asked.json {
        say!("{}", serde_json::json!(killed));
    } else {
        print(&killed);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(Killed { switch, under_way }: &Killed) {
    say!("STOPPED  {} by {}: from here on nothing of it leaves", switch.scope, switch.id);
    let told = [
        ("had left before; their outcome is in their record", &under_way.left),
        ("had been intended and did not leave", &under_way.stopped),
        ("nobody said in time whether they left: their node may be gone", &under_way.unknown),
    ];
    for (what, keys) in told.iter().filter(|(_, keys)| !keys.is_empty()) {
        say!("  {} under way {what}:", keys.len());
        keys.iter().for_each(|key| say!("    {key}"));
    }
    if told.iter().all(|(_, keys)| keys.is_empty()) {
        say!("  nothing was under way");
    }
    say!("  lift it with `selvedge kill lift {} --reason …`", switch.id);
}

async fn list(asked: &Asked) -> miette::Result<ExitCode> {
    let Beside { engine, tenant, .. } = asked.open().await?;
    let board = engine.read_board(&tenant).await?;
    let newest: Vec<&Switch> = board.switches().iter().rev().collect();
    if asked.json {
        say!("{}", serde_json::json!(newest));
        return Ok(ExitCode::SUCCESS);
    }
    if newest.is_empty() {
        eprintln!("no switch was ever set here");
    }
    for switch in newest {
        let state = if switch.lifted.is_none() { "STOPPED" } else { "lifted" };
        say!("{}  {state:7}  {}  since {}", switch.id, switch.scope, to_rfc3339(switch.at)?);
        say!("    set by {}: {}", switch.by, switch.reason);
        if let Some(lifted) = &switch.lifted {
            say!("    lifted {} by {}: {}", to_rfc3339(lifted.at)?, lifted.by, lifted.reason);
        }
    }
    Ok(ExitCode::SUCCESS)
}
