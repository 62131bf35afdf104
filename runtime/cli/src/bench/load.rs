//! The node that `selvedge bench crash` kills: it takes up what is under way, opens what is missing, and says which
//! executions it promises and when all are over.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::Place;
use super::stage::{Stage, Work, sandbox};
use crate::failure::Failure;
use crate::home;
use crate::record::TENANT;

/// Said when it takes on work.
pub const READY: &str = "ready";
/// Said when all executions are over.
pub const DONE: &str = "done";

#[derive(Args)]
pub struct Arguments {
    /// The data folder.
    #[arg(long)]
    data: PathBuf,
    /// The built connector.
    #[arg(long)]
    component: PathBuf,
    /// Where the vendor's double listens.
    #[arg(long)]
    vendor: String,
    /// Executions that are to be there, those of earlier starts included.
    #[arg(long)]
    executions: usize,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let home = home::find()?;
    let wasm = std::fs::read(&arguments.component).map_err(|error| Failure::read(&arguments.component, &error))?;
    let registry = sandbox(&home, wasm, &arguments.vendor).await?;
    let stage = Stage::set(&home, &Place::at(&arguments.data), &registry).await?;
    let limit = u32::try_from(2 * arguments.executions).unwrap_or(u32::MAX);
    let there = stage.engine.store().runs(TENANT, limit).await?.len();
    say!("{READY}");
    for _ in there..arguments.executions {
        let id = stage.open(Work::Orders).await?;
        say!("{}", id.interaction);
    }
    while stage.engine.store().runs(TENANT, limit).await?.iter().any(|run| !run.summary.over) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    say!("{DONE}");
    // Until it is killed.
    std::future::pending().await
}
