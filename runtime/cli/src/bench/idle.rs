//! `selvedge bench idle`: what a node costs that has nothing to do, while many runs are parked in its store. The floor: the
//! same node with an empty store.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::ground::{Ground, On};
use super::meter::round;
use super::stage::{NOBODY, Stage, Work, build, put_down, sandbox, spread};
use crate::home;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    on: On,
    /// How many runs are parked.
    #[arg(long, default_value_t = 100_000)]
    parked: usize,
    /// For how many seconds it is measured.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How long a node calms down before it is measured: it looks for work ever more seldom.
const CALM: Duration = Duration::from_secs(10);

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let (home, n) = (home::find()?, arguments.parked);
    let registry = sandbox(&home, build(&home).await?, NOBODY).await?;
    let ground = Ground::find(&home, &arguments.on)?;
    let seconds = Duration::from_secs(arguments.seconds.max(1));
    let mut shares = Vec::new();
    for parked in [0, n] {
        let place = ground.place(&format!("idle{parked}")).await?;
        let stage = Arc::new(Stage::set(&home, &place, &registry).await?);
        spread(&stage, Work::Sleep, parked, 64).await?;
        stage.parked().await?;
        tokio::time::sleep(CALM).await;
        let meter = ground.meter();
        tokio::time::sleep(seconds).await;
        let spent = meter.stop();
        shares.push(100.0 * spent.all_cpu_s() / spent.wall.as_secs_f64());
        put_down(stage).await?;
    }
    let (floor, share) = (round(shares[0]), round(shares[1]));
    if arguments.json {
        say!(
            "{}",
            json!({
                "workload": "idle", "durability": ground.durability(), "n": n, "seconds": seconds.as_secs(),
                "percent_of_a_core": share, "floor": { "percent_of_a_core": floor },
            })
        );
    } else {
        say!("{n} parked runs, nothing to do: {share} % of a core");
        say!("floor: the same node with an empty store, {floor} %");
    }
    ground.leave().await?;
    Ok(ExitCode::SUCCESS)
}
