//! `selvedge bench each`: runs of a `for-each` whose items are all under way at once, each one call. The floor: as many calls
//! in runs that make [`STEPS`] of them one after the other.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::ground::{Ground, On};
use super::meter::{percentile, round};
use super::stage::{ITEMS, NOBODY, STEPS, Stage, Work, build, execute, put_down, sandbox, spread};
use crate::home;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    on: On,
    /// How many runs, each of 100 items.
    #[arg(long, default_value_t = 200)]
    executions: usize,
    /// How many runs at a time.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let (home, n, clients) = (home::find()?, arguments.executions.max(1), arguments.clients.max(1));
    let registry = sandbox(&home, build(&home).await?, NOBODY).await?;
    let ground = Ground::find(&home, &arguments.on)?;
    let place = ground.place("each").await?;
    let stage = Arc::new(Stage::set(&home, &place, &registry).await?);
    // Both are warm when they are measured.
    spread(&stage, Work::Each, clients, clients).await?;
    execute(&stage, clients, clients).await?;
    let meter = ground.meter();
    let mut waits = spread(&stage, Work::Each, n, clients).await?;
    let spent = meter.stop();
    let meter = ground.meter();
    execute(&stage, (n * ITEMS).div_ceil(STEPS), clients * STEPS).await?;
    let alone = meter.stop();
    put_down(stage).await?;

    let calls = (n * ITEMS) as f64;
    let [rate, floor] = [&spent, &alone].map(|spent| round(calls / spent.wall.as_secs_f64()));
    let [cost, least] = [&spent, &alone].map(|spent| round(spent.all_cpu_s() * 1e6 / calls));
    let p50 = percentile(&mut waits, 0.5);
    if arguments.json {
        say!(
            "{}",
            json!({
                "workload": "each", "durability": ground.durability(), "n": n, "items": ITEMS, "clients": clients,
                "items_per_s": rate, "cpu_us_per_item": cost, "p50_ms": p50,
                "floor": { "steps_per_s": floor, "cpu_us_per_step": least }, "part_of_floor": round(rate / floor),
            })
        );
    } else {
        say!("{n} runs of {ITEMS} items at once: {rate} items a second, half of the runs within {p50} ms");
        say!("{cost} µs of CPU an item");
        say!("floor: one call after the other, {floor} a second at {least} µs; {} of it", round(rate / floor));
    }
    ground.leave().await?;
    Ok(ExitCode::SUCCESS)
}
