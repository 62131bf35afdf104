//! `selvedge bench campaign`: a campaign over many customers, each with an execution of one step, as fast as its pace may be
//! and on a clock that does not wait for it. The floor: the same executions, opened by nobody's list.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use selvedge_engine::campaign::{Act, MAX_PACE, Plan, Stage as At};
use selvedge_engine::ports::campaigns::MINUTE;
use serde_json::json;

use super::ground::{Ground, On};
use super::meter::{resident, round};
use super::stage::{NOBODY, Stage, Work, build, customer, put_down, sandbox, spread};
use crate::home;
use crate::record::TENANT;

/// What it is called.
const CAMPAIGN: &str = "bench";
/// Executions of the floor, at most.
const ALONE: usize = 10_000;
/// How often a look is measured that finds nothing to do.
const LOOKS: u32 = 10;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    on: On,
    /// How many customers are on the list.
    #[arg(long, default_value_t = 100_000)]
    customers: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let (home, n) = (home::find()?, arguments.customers);
    let registry = sandbox(&home, build(&home).await?, NOBODY).await?;
    let ground = Ground::find(&home, &arguments.on)?;
    let alone = {
        let place = ground.place("alone").await?;
        let stage = Arc::new(Stage::set(&home, &place, &registry).await?);
        let (meter, few) = (ground.meter(), n.min(ALONE));
        spread(&stage, Work::Step, few, 64).await?;
        let spent = meter.stop();
        put_down(stage).await?;
        few as f64 / spent.wall.as_secs_f64()
    };
    let place = ground.place("campaign").await?;
    let stage = Arc::new(Stage::set(&home, &place, &registry).await?);
    let enrolling = Instant::now();
    stage.enroll(n).await?;
    let enrolled = enrolling.elapsed();

    let (memory, starting) = (resident(), Instant::now());
    let plan = Plan {
        workflow: Work::Step.name().into(),
        channel: "campaign".into(),
        per_minute: MAX_PACE,
        at_once: MAX_PACE,
        customers: None,
        after: None,
    };
    let engine = &stage.engine;
    engine.start_campaign(TENANT, CAMPAIGN, plan, (0..n).map(customer), &stage.who).await?;
    let started = starting.elapsed();
    let look = idle_look(&stage).await?;
    let (meter, mut most) = (ground.meter(), 0);
    while engine.campaign(TENANT, CAMPAIGN).await?.stage != At::Finished {
        if !engine.conduct_once(TENANT).await? {
            stage.pass(MINUTE);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        most = most.max(resident());
    }
    let spent = meter.stop();
    put_down(stage).await?;

    let (rate, alone) = (round(n as f64 / spent.wall.as_secs_f64()), round(alone));
    let (start_s, look_ms) = (round(started.as_secs_f64()), round(look.as_secs_f64() * 1e3));
    let grown = round(most.saturating_sub(memory) as f64 / f64::from(1 << 20));
    if arguments.json {
        say!(
            "{}",
            json!({
                "workload": "campaign", "durability": ground.durability(), "n": n,
                "import_s": round(enrolled.as_secs_f64()), "start_s": start_s, "idle_look_ms": look_ms,
                "wall_s": round(spent.wall.as_secs_f64()), "customers_per_s": rate, "rss_growth_mib": grown,
                "cpu_us_per_customer": round(spent.all_cpu_s() * 1e6 / n.max(1) as f64),
                "floor": { "executions_per_s": alone }, "part_of_floor": round(rate / alone),
            })
        );
    } else {
        say!("{n} customers: the campaign stood after {start_s} s, then {rate} customers a second, {grown} MiB more");
        say!("a look at it that finds nothing to do: {look_ms} ms");
        say!("floor: the same executions without a campaign, {alone} a second; {} of it", round(rate / alone));
    }
    ground.leave().await?;
    Ok(ExitCode::SUCCESS)
}

/// How long a look takes while the campaign is paused.
async fn idle_look(stage: &Stage) -> miette::Result<Duration> {
    let (engine, who) = (&stage.engine, &stage.who);
    engine.steer_campaign(TENANT, CAMPAIGN, Act::Pause, "a look is measured", who).await?;
    let looking = Instant::now();
    for _ in 0..LOOKS {
        engine.conduct_once(TENANT).await?;
    }
    let look = looking.elapsed() / LOOKS;
    engine.steer_campaign(TENANT, CAMPAIGN, Act::Resume, "it was measured", who).await?;
    Ok(look)
}
