//! `selvedge workflow simulate`: many made-up customers through the real engine, with vendors and people who behave as
//! they do, and what came of it all. The same seed gives the same customers, whatever the machine.

mod chance;
mod crowd;
mod tally;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::process::ExitCode;
use std::sync::Arc;

use selvedge_engine::Definition;
use selvedge_engine::ports::Micros;
use tokio::task::JoinSet;

use super::rehearsal::Rehearsal;
use super::{House, report};
use chance::Chance;
use crowd::{Then, Walk};
use tally::Tally;

/// Most customers of one simulation.
const MAX_CUSTOMERS: u32 = 1_000_000;
/// Times are taken to the minute, so that what happens in the same minute is done together.
const MINUTE: Micros = 60_000_000;
/// Monday 2026-11-23, 08:00 in New York: the first calls come in.
const FIRST_CALL: Micros = 1_795_438_800_000_000;

#[derive(clap::Args)]
pub struct Arguments {
    /// Its name.
    workflow: String,
    /// How many customers.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CUSTOMERS)))]
    customers: u32,
    /// Another seed, other customers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let definition = match House::one(&arguments.workflow)? {
        Ok(definition) => Arc::new(definition),
        Err(findings) => return report(&findings, arguments.json),
    };
    let tally = simulate(&definition, arguments.customers, arguments.seed).await?;
    if arguments.json {
        say!("{}", tally.json(&definition.plan.workflow, arguments.seed));
    } else {
        tally.print(&definition.plan.workflow, arguments.seed);
    }
    Ok(ExitCode::SUCCESS)
}

/// So many customers through a workflow. Each share of them has an engine of its own; what comes of a customer depends on
/// nobody else.
pub async fn simulate(definition: &Arc<Definition>, customers: u32, seed: u64) -> miette::Result<Tally> {
    let shares = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    let mut running = JoinSet::new();
    for share in 0..shares {
        let definition = definition.clone();
        let numbers: Vec<u32> = (0..customers).filter(|number| number % shares == share).collect();
        running.spawn(async move { play(&definition, seed, &numbers).await });
    }
    let mut tally = Tally::default();
    for played in running.join_all().await {
        tally.add(played?);
    }
    Ok(tally)
}

/// Plays these customers on one engine, in the order in which things happen.
async fn play(definition: &Definition, seed: u64, numbers: &[u32]) -> miette::Result<Tally> {
    let sender = crowd::sender(definition);
    let stage = Arc::new(Rehearsal::set(definition, &sender, FIRST_CALL, crowd::vendors(definition, seed)).await?);
    let mut agenda = BinaryHeap::new();
    let mut walks: Vec<Option<Walk>> = Vec::new();
    for number in numbers {
        let walk = Walk::new(*number, definition, Chance::of(seed, u64::from(*number)));
        agenda.push(Reverse((to_the_minute(walk.calls), walks.len())));
        walks.push(Some(walk));
    }
    let mut tally = Tally::default();
    while let Some(Reverse((at, _))) = agenda.peek().copied() {
        stage.move_to(at);
        let mut together = JoinSet::new();
        while let Some(Reverse((_, index))) = agenda.peek().copied().filter(|Reverse((when, _))| *when == at) {
            agenda.pop();
            let (Some(mut walk), stage) = (walks[index].take(), stage.clone()) else { continue };
            together.spawn(async move {
                let then = walk.step(&stage).await?;
                miette::Result::<_>::Ok((index, walk, then))
            });
        }
        for done in together.join_all().await {
            match done? {
                (index, walk, Then::At(when)) => {
                    agenda.push(Reverse((to_the_minute(when.max(at + 1)), index)));
                    walks[index] = Some(walk);
                }
                (_, _, Then::Over(outcome)) => tally.count(outcome),
            }
        }
    }
    Ok(tally)
}

fn to_the_minute(at: Micros) -> Micros {
    (at + MINUTE - 1) / MINUTE * MINUTE
}
