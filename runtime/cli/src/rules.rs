//! `selvedge rules …`: the law as data, and who sees to each line of it.

use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use selvedge_policy::{Law, Pack};
use serde::Serialize;

use crate::policy;

#[derive(Subcommand)]
pub enum Command {
    /// List rules and obligations: citation, owner, status, from when until when, and what enforces each.
    List {
        /// Those that hold in this place: `US-FL`, `US-NY-NYC`.
        #[arg(long)]
        jurisdiction: Option<String>,
        /// Those in force on this day (`2026-09-01`) or at this moment.
        #[arg(long, value_parser = moment)]
        at: Option<Timestamp>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What decides a contact rule, at queueing and again at sending.
const DECIDED: &str = "contact decision";

/// A line of the list.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    pack: &'a str,
    cite: &'a str,
    seen: &'a str,
    about: &'a str,
    owner: &'a str,
    status: &'a str,
    jurisdictions: &'a [String],
    effective: String,
    until: Option<String>,
    enforced_by: &'a str,
    places: &'a [String],
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    let Command::List { jurisdiction, at, json } = command;
    let policies = policy::load()?;
    let chosen = |law: &Law| {
        jurisdiction.as_ref().is_none_or(|place| law.reaches(place)) && at.is_none_or(|at| law.force.at(at))
    };
    let rules = policies.rules.rules().iter().map(|rule| (&rule.law, line(&rule.law, DECIDED, &[])));
    let asked = policies.rules.obligations().iter().map(|o| (&o.law, line(&o.law, &o.enforced_by, &o.places)));
    let lines: Vec<Line<'_>> = rules.chain(asked).filter(|(law, _)| chosen(law)).map(|(_, line)| line).collect();
    if json {
        say!("{}", serde_json::json!({ "rules": lines }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut pack = "";
    for line in &lines {
        if line.pack != pack {
            pack = line.pack;
            say!("\n{pack}  ({}; {})", line.owner, line.status);
        }
        let until = line.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        let places = if line.places.is_empty() { String::new() } else { format!(": {}", line.places.join(", ")) };
        say!("  {:26} {}", line.id, line.about);
        say!("  {:26} {}; {}; from {}{until}", "", line.cite, line.jurisdictions.join(", "), line.effective);
        say!("  {:26} enforced by {}{places}", "", line.enforced_by);
    }
    let nobody = lines.iter().filter(|line| line.enforced_by == "nobody yet").count();
    say!("\n{} in all, {nobody} of them enforced by nobody yet", lines.len());
    Ok(ExitCode::SUCCESS)
}

fn line<'a>(law: &'a Law, enforced_by: &'a str, places: &'a [String]) -> Line<'a> {
    let Law { id, cite, about, seen, pack: Pack { title, owner, status }, jurisdictions, force } = law;
    let (effective, until) = (force.effective.to_string(), force.until.map(|day| day.to_string()));
    Line { id, pack: title, cite, seen, about, owner, status, jurisdictions, effective, until, enforced_by, places }
}

/// A moment, or noon of a day in UTC: in every place the rule's first day has begun by then, or begins that day.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = text.parse::<Date>()
        && let Ok(noon) = day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC)
    {
        return Ok(noon.timestamp());
    }
    text.parse()
        .map_err(|_| "write a day such as `2026-09-01`, or a moment such as `2026-09-01T08:00:00-04:00`".to_owned())
}
