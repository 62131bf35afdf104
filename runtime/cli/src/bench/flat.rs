//! `selvedge bench flat`: steps a second in a store with many finished and many parked runs, beside an empty one. Both are
//! measured in turn, so that what else the machine does meets both alike; the empty one is the floor.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::ground::{Ground, On};
use super::meter::round;
use super::stage::{NOBODY, STEPS, Stage, Work, build, execute, put_down, sandbox, spread};
use crate::home;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    on: On,
    /// Runs that are over; 1,000,000 is what the number is promised for.
    #[arg(long, default_value_t = 50_000)]
    finished: usize,
    /// Runs that are parked; 100,000 is what the number is promised for.
    #[arg(long, default_value_t = 20_000)]
    parked: usize,
    /// How often each of both is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Executions in each of these.
    #[arg(long, default_value_t = 400)]
    executions: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let home = home::find()?;
    let registry = sandbox(&home, build(&home).await?, NOBODY).await?;
    let ground = Ground::find(&home, &arguments.on)?;
    let (finished, parked) = (arguments.finished, arguments.parked);
    let (full, empty) = (ground.place("full").await?, ground.place("empty").await?);
    let full = Arc::new(Stage::set(&home, &full, &registry).await?);
    let empty = Arc::new(Stage::set(&home, &empty, &registry).await?);
    spread(&full, Work::Sleep, parked, 64).await?;
    spread(&full, Work::Step, finished, 64).await?;
    full.parked().await?;

    let mut took = [Duration::ZERO; 2];
    // The first round warms both.
    for round in 0..=arguments.rounds.max(1) {
        for (stage, took) in [&empty, &full].into_iter().zip(&mut took) {
            let meter = ground.meter();
            execute(stage, arguments.executions, 64).await?;
            *took += if round == 0 { Duration::ZERO } else { meter.stop().wall };
        }
    }
    let steps = (arguments.rounds.max(1) * arguments.executions * STEPS) as f64;
    let [alone, beside] = took.map(|took| round(steps / took.as_secs_f64()));
    put_down(full).await?;
    put_down(empty).await?;
    let part = round(beside / alone);
    if arguments.json {
        say!(
            "{}",
            json!({
                "workload": "flat", "durability": ground.durability(), "finished": finished, "parked": parked,
                "steps_per_s": beside, "floor": { "empty_steps_per_s": alone }, "part_of_floor": part,
            })
        );
    } else {
        say!("{finished} finished and {parked} parked runs: {beside} steps a second");
        say!("floor: an empty store, {alone} steps a second; {part} of it");
    }
    ground.leave().await?;
    Ok(ExitCode::SUCCESS)
}
