//! `selvedge bench timers`: many runs whose time comes at the same moment. Measured from that moment until all are over.
//! The floor: what their turns leave in their records as bare rows in group commits.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::floor::{Floor, ROWS_PER_STEP};
use super::ground::{Ground, On};
use super::meter::round;
use super::stage::{NAP, NOBODY, Stage, Work, build, put_down, sandbox, spread};
use crate::home;

/// How often it is looked whether all went on; also what a number may be too long by.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    on: On,
    /// How many fire together.
    #[arg(long, default_value_t = 10_000)]
    timers: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let (home, n) = (home::find()?, arguments.timers);
    let registry = sandbox(&home, build(&home).await?, NOBODY).await?;
    let ground = Ground::find(&home, &arguments.on)?;
    let floor = Floor::measure(&ground, &registry, ROWS_PER_STEP * n).await?;
    let place = ground.place("timers").await?;
    let stage = Arc::new(Stage::set(&home, &place, &registry).await?);
    spread(&stage, Work::Sleep, n, 64).await?;
    stage.parked().await?;

    let (meter, started) = (ground.meter(), Instant::now());
    stage.pass(NAP);
    while stage.is_waiting().await? || !stage.completed(n).await? {
        tokio::time::sleep(LOOK).await;
    }
    let (spent, wall_s) = (meter.stop(), started.elapsed().as_secs_f64());
    put_down(stage).await?;

    let floor_s = n as f64 / floor.steps_per_s();
    if arguments.json {
        let mut fields = spent.fields(n);
        let cost = fields.remove("cpu_us_per_step");
        say!(
            "{}",
            json!({
                "workload": "timers", "durability": ground.durability(), "n": n, "wall_s": round(wall_s),
                "timers_per_s": round(n as f64 / wall_s), "cpu_us_per_timer": cost, "cpu_s": fields["cpu_s"],
                "floor": { "group_commit_s": round(floor_s) }, "times_floor": round(wall_s / floor_s),
            })
        );
    } else {
        let per_s = round(n as f64 / wall_s);
        say!("{n} timers that fire together: all went on after {} s, {per_s} a second", round(wall_s));
        say!("floor: their rows alone, {} s", round(floor_s));
    }
    ground.leave().await?;
    Ok(ExitCode::SUCCESS)
}
