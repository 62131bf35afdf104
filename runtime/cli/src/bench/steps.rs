//! `selvedge bench steps`. W1: so many executions, 64 in flight, each client submits and waits for the end. W2: one at a
//! time, in a fresh store and again in the one that W1 filled. W3: many that sleep for an hour.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use selvedge_host::Registry;
use serde_json::{Map, Value, json};

use super::Place;
use super::floor::Floor;
use super::ground::{Ground, On};
use super::meter::{percentile, resident, round};
use super::stage::{NOBODY, STEPS, Stage, Work, build, execute, put_down, sandbox, spread};
use crate::home;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    on: On,
    /// Print one JSON object for each workload.
    #[arg(long)]
    json: bool,
    /// W1: executions.
    #[arg(long, default_value_t = 2_000)]
    executions: usize,
    /// W1: how many are in flight.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// W2: executions, one at a time.
    #[arg(long, default_value_t = 200)]
    one_by_one: usize,
    /// Executions that are stored before W2 is measured again.
    #[arg(long, default_value_t = 2_000)]
    stored: usize,
    /// W3: executions that sleep.
    #[arg(long, default_value_t = 20_000)]
    sleepers: usize,
}

/// Executions that come before the ones that are measured.
const WARM: usize = 200;

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let home = home::find()?;
    let registry = sandbox(&home, build(&home).await?, NOBODY).await?;
    let ground = Ground::find(&home, &arguments.on)?;
    let floor = Floor::measure(&ground, &registry, 2 * STEPS * arguments.executions).await?;
    let bench = Bench { arguments, home, registry, ground, floor };
    if bench.arguments.executions > 0 {
        bench.many().await?;
    }
    if bench.arguments.one_by_one > 0 {
        bench.one_by_one().await?;
    }
    if bench.arguments.sleepers > 0 {
        bench.sleepers().await?;
    }
    bench.ground.leave().await?;
    Ok(ExitCode::SUCCESS)
}

struct Bench {
    arguments: Arguments,
    home: PathBuf,
    registry: Arc<Registry>,
    ground: Ground,
    floor: Floor,
}

impl Bench {
    async fn stage(&self, place: &Place) -> miette::Result<Arc<Stage>> {
        Ok(Arc::new(Stage::set(&self.home, place, &self.registry).await?))
    }

    /// W1, and then W2 in the store that it filled.
    async fn many(&self) -> miette::Result<()> {
        let (n, clients) = (self.arguments.executions, self.arguments.clients);
        let (place, steps) = (self.ground.place("w1").await?, n * STEPS);
        let stage = self.stage(&place).await?;
        execute(&stage, WARM.min(n), clients.min(16)).await?;
        let (before, meter) = (stage.size().await?, self.ground.meter());
        let mut waits = execute(&stage, n, clients).await?;
        let spent = meter.stop();
        let rate = steps as f64 / spent.wall.as_secs_f64();
        let ratio = round(rate / self.floor.steps_per_s());
        let mut fields = spent.fields(steps);
        fields.extend(object(json!({
            "n": waits.len(),
            "err": n - waits.len(),
            "clients": clients,
            "wall_s": round(spent.wall.as_secs_f64()),
            "steps_per_s": round(rate),
            "p50_ms": percentile(&mut waits, 0.5),
            "p99_ms": percentile(&mut waits, 0.99),
            "disk_b_per_step": round(stage.size().await?.saturating_sub(before) as f64 / steps as f64),
            "part_of_group_commit_floor": ratio,
        })));
        self.tell("W1", fields);
        execute(&stage, self.arguments.stored.saturating_sub(n), clients).await?;
        self.latency(&stage, "W2-stored", n.max(self.arguments.stored) + WARM.min(n)).await?;
        let size = put_down(stage).await?;
        let all = n.max(self.arguments.stored) + WARM.min(n) + self.arguments.one_by_one;
        let each = size as f64 / (all * STEPS) as f64;
        self.tell("W1-disk-after-stop", object(json!({ "n": all, "disk_b_per_step": round(each) })));
        Ok(())
    }

    /// W2 in a store of its own.
    async fn one_by_one(&self) -> miette::Result<()> {
        let place = self.ground.place("w2").await?;
        let stage = self.stage(&place).await?;
        execute(&stage, 10.min(self.arguments.one_by_one), 1).await?;
        self.latency(&stage, "W2", 0).await?;
        put_down(stage).await?;
        Ok(())
    }

    async fn latency(&self, stage: &Arc<Stage>, workload: &str, stored: usize) -> miette::Result<()> {
        let n = self.arguments.one_by_one;
        let meter = self.ground.meter();
        let mut waits = execute(stage, n, 1).await?;
        let mut fields = meter.stop().fields(n * STEPS);
        let p50 = percentile(&mut waits, 0.5);
        fields.extend(object(json!({
            "n": n,
            "stored_before": stored,
            "p50_ms": p50,
            "p90_ms": percentile(&mut waits, 0.9),
            "p99_ms": percentile(&mut waits, 0.99),
            "max_ms": percentile(&mut waits, 1.0),
            "times_ten_commits_floor": round(p50 / self.floor.ten_commits_p50_ms),
        })));
        self.tell(workload, fields);
        Ok(())
    }

    /// W3.
    async fn sleepers(&self) -> miette::Result<()> {
        let (n, place) = (self.arguments.sleepers, self.ground.place("w3").await?);
        let stage = self.stage(&place).await?;
        let (memory, disk, meter) = (resident(), stage.size().await?, self.ground.meter());
        spread(&stage, Work::Sleep, n, self.arguments.clients).await?;
        let started = meter.stop().wall;
        stage.parked().await?;
        let spent = meter.stop();
        let each = |total: u64| round(total as f64 / n.max(1) as f64);
        let mut fields = spent.fields(n);
        fields.extend(object(json!({
            "n": n,
            "err": 0,
            "start_all_s": round(started.as_secs_f64()),
            "parked_s": round(spent.wall.as_secs_f64()),
            "server_rss_growth_b_per_wf": each(resident().saturating_sub(memory)),
            "disk_b_per_wf": each(stage.size().await?.saturating_sub(disk)),
        })));
        self.tell("W3", fields);
        let after = object(json!({ "n": n, "disk_b_per_wf": each(put_down(stage).await?) }));
        self.tell("W3-disk-after-stop", after);
        Ok(())
    }

    fn tell(&self, workload: &str, fields: Map<String, Value>) {
        let mut line = object(json!({
            "peer": "selvedge",
            "workload": workload,
            "version": env!("CARGO_PKG_VERSION"),
            "durability": self.ground.durability(),
        }));
        line.extend(fields);
        line.insert("floor".into(), self.floor.json());
        if self.arguments.json {
            say!("{}", Value::Object(line));
            return;
        }
        say!("{workload}");
        for (name, value) in line.iter().skip(4) {
            say!("  {name:32} {value}");
        }
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
