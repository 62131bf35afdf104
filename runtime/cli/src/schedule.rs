//! `selvedge schedule …`: when workflows begin by themselves (`workflows/schedules.yaml`), and pausing that.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use selvedge_record::time::to_rfc3339;
use selvedge_workflow::schedule::{Schedule, read};

use crate::beside::{Asked, Beside, say_done};
use crate::clock::wall;
use crate::failure::Failure;
use crate::{home, kill};

#[derive(Subcommand)]
pub enum Command {
    /// Print the next times, in UTC and as they are read there.
    Next {
        /// One schedule; all when left out.
        name: Option<String>,
        /// How many times of each.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// After this time instead of now: `2026-11-23T16:04:00Z`.
        #[arg(long)]
        after: Option<Timestamp>,
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the schedules: their next time, and where a node is with them.
    List(Asked),
    /// Begin nothing until it is resumed.
    Pause(OfSchedule),
    /// Let it go on; with what came meanwhile it does as its `missed` says.
    Resume(OfSchedule),
}

#[derive(Args)]
pub struct OfSchedule {
    /// Its name.
    name: String,
    #[command(flatten)]
    act: kill::Act,
}

/// The schedules of the checkout.
pub fn all() -> miette::Result<Vec<Schedule>> {
    let files = home::definitions(&home::find()?)?;
    Ok(read(&files).map_err(|findings| Failure::Findings { findings })?)
}

fn one(schedules: Vec<Schedule>, name: Option<&str>) -> Result<Vec<Schedule>, Failure> {
    let Some(name) = name else { return Ok(schedules) };
    let known: Vec<String> = schedules.iter().map(|schedule| schedule.name.clone()).collect();
    let found: Vec<Schedule> = schedules.into_iter().filter(|schedule| schedule.name == name).collect();
    if found.is_empty() { Err(Failure::NoSchedule { known: known.join(", ") }) } else { Ok(found) }
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Next { name, count, after, json } => {
            let after = after.map_or_else(wall, Timestamp::as_microsecond);
            next(&one(all()?, name.as_deref())?, usize::from(count), after, json)
        }
        Command::List(asked) => list(&asked).await,
        Command::Pause(of) => pause(of, true).await,
        Command::Resume(of) => pause(of, false).await,
    }
}

fn next(schedules: &[Schedule], count: usize, after: i64, json: bool) -> miette::Result<ExitCode> {
    let mut all = Vec::new();
    for schedule in schedules {
        for at in schedule.times(after).take(count) {
            all.push((at, schedule));
        }
    }
    all.sort_by_key(|(at, schedule)| (*at, schedule.name.as_str()));
    if json {
        let told = |(at, schedule): &(i64, &Schedule)| -> miette::Result<_> {
            Ok(serde_json::json!({
                "schedule": schedule.name, "at": to_rfc3339(*at)?, "local": schedule.local(*at), "zone": schedule.zone,
            }))
        };
        say!("{}", serde_json::Value::Array(all.iter().map(told).collect::<miette::Result<_>>()?));
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        eprintln!("there are no schedules: `workflows/README.md` says how one is written");
    }
    for (at, schedule) in all {
        let utc = to_rfc3339(at)?;
        let utc = utc.get(..16).unwrap_or(&utc).replace('T', " ");
        say!("{utc} UTC  {}  {}", schedule.local(at), schedule.name);
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(asked: &Asked) -> miette::Result<ExitCode> {
    let Beside { engine, tenant, .. } = asked.open().await?;
    let (mut told, now) = (Vec::new(), engine.now());
    for schedule in all()? {
        let standing = engine.schedule(&tenant, &schedule.name).await?;
        let next = schedule.times(now).next();
        if asked.json {
            told.push(serde_json::json!({
                "schedule": schedule.name, "workflow": schedule.workflow, "cron": schedule.cron.text(),
                "zone": schedule.zone, "next": next.map(to_rfc3339).transpose()?, "standing": standing,
            }));
            continue;
        }
        say!("{}  {}  \"{}\" {}", schedule.name, schedule.workflow, schedule.cron.text(), schedule.zone);
        let Some(standing) = standing else {
            say!("    no node has seen it yet");
            continue;
        };
        match (standing.paused, next) {
            (Some((by, reason)), _) => say!("    paused by {by}: {reason}"),
            (None, Some(next)) => say!("    next {}", schedule.local(next)),
            (None, None) => {}
        }
        for campaign in standing.campaigns {
            say!("    began {campaign}");
        }
    }
    if asked.json {
        say!("{}", serde_json::Value::Array(told));
    }
    Ok(ExitCode::SUCCESS)
}

async fn pause(
    OfSchedule { name, act: kill::Act { reason, by } }: OfSchedule,
    pause: bool,
) -> miette::Result<ExitCode> {
    one(all()?, Some(&name))?;
    let Beside { engine, tenant, .. } = by.asked.open().await?;
    engine.pause_schedule(&tenant, &name, pause, &reason, &by.who()).await?;
    let words = format!("{name} {}", if pause { "begins nothing until it is resumed" } else { "goes on" });
    say_done(by.asked.json, &serde_json::json!({ "schedule": name, "paused": pause }), &words);
    Ok(ExitCode::SUCCESS)
}
