//! `selvedge bench simulate`. The floor: the events that the customers leave in their records, sealed and read back once,
//! on as many threads. Nothing that keeps a record can be quicker.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use selvedge_record::{Draft, Event, Head};
use serde_json::json;

use super::meter::{Meter, round};
use crate::workflow::{House, report, simulate};

#[derive(Args)]
pub struct Arguments {
    /// The workflow.
    #[arg(default_value = "healthcare-balance")]
    workflow: String,
    /// How many customers.
    #[arg(long, default_value_t = 10_000)]
    customers: u32,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let definition = match House::one(&arguments.workflow)? {
        Ok(definition) => Arc::new(definition),
        Err(findings) => return report(&findings, arguments.json),
    };
    let meter = Meter::start();
    let tally = simulate::simulate(&definition, arguments.customers, 1).await?;
    let spent = meter.stop();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let floor_s = floor(tally.events, threads);
    let wall_s = spent.wall.as_secs_f64();
    let told = json!({
        "workflow": arguments.workflow,
        "customers": arguments.customers,
        "events": tally.events,
        "threads": threads,
        "wall_s": round(wall_s),
        "cpu_ms_per_customer": round(spent.cpu_s * 1e3 / f64::from(arguments.customers.max(1))),
        "customers_per_s": round(f64::from(arguments.customers) / wall_s),
        "floor": { "events_sealed_and_read_s": round(floor_s) },
        "times_floor": round(wall_s / floor_s),
    });
    if arguments.json {
        say!("{told}");
        return Ok(ExitCode::SUCCESS);
    }
    let n = |field: &str| told[field].to_string();
    say!("{}: {} customers in {} s on {threads} threads", arguments.workflow, arguments.customers, n("wall_s"));
    say!("{} customers a second, {} ms of CPU each", n("customers_per_s"), n("cpu_ms_per_customer"));
    say!("floor: their {} events sealed and read back once, {} s", n("events"), round(floor_s));
    say!("{} times the floor", n("times_floor"));
    Ok(ExitCode::SUCCESS)
}

/// How long so many events take of which every record has some thirty, as an effect leaves them.
fn floor(events: usize, threads: usize) -> f64 {
    let data = json!({
        "node": "invitation.send", "key": "int_00000000000000000000000000000000.invitation.send.1", "attempt": 1,
        "connector": "brightline-sms", "function": "send", "class": "idempotent", "epoch": 0,
        "message": { "name": "invitation/text", "class": "COMMS", "commitment": format!("hmac-sha256:{:064}", 0) },
    });
    let share = events.div_ceil(threads);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut head = Head::start("rehearsal", "int_00000000000000000000000000000000");
                for n in 0..share {
                    if n % 30 == 0 {
                        head = Head::start("rehearsal", "int_00000000000000000000000000000000");
                    }
                    let draft = Draft::new("effect.intended", 1_795_438_800_000_000, "host", data.clone());
                    let read = head.append(draft).and_then(|sealed| Event::parse(&sealed.canonical));
                    debug_assert!(read.is_ok(), "{read:?}");
                    std::hint::black_box(read.is_ok());
                }
            });
        }
    });
    started.elapsed().as_secs_f64()
}
