//! `selvedge policy …`: asks the policies and plays their tables, without a node.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use selvedge_policy::{
    CHANNELS, Case, Consent, Decision, Given, Note, Played, Policies, Reason, Verdict, ZoneEvidence,
};
use selvedge_workflow::source::Diagnostic;

use crate::failure::Failure;
use crate::{exit, home};

#[derive(Subcommand)]
pub enum Command {
    /// Would this contact be allowed? Each rule with its verdict, facts and citation, and the earliest time.
    Explain(Box<Question>),
    /// Play the tables under `workflows/rules/tests/` and `workflows/policies/tests/`.
    Test {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A contact that somebody asks about.
#[derive(Args)]
pub struct Question {
    /// A YAML file with what is known of the customer; the options below add to it.
    #[arg(long, value_name = "FILE")]
    customer: Option<PathBuf>,
    /// Whose law applies: `US`, `US-FL`; more than once if need be.
    #[arg(long)]
    jurisdiction: Vec<String>,
    /// The time zone of the customer's address: `America/Chicago`.
    #[arg(long)]
    zone: Option<String>,
    /// A phone number, `+13125550142`: a clue to the time zone.
    #[arg(long)]
    phone: Option<String>,
    /// What holds of the customer: `opted-out`, `attorney`.
    #[arg(long)]
    flag: Vec<String>,
    /// What was noted when: `reassignment-check=2026-02-20T12:00:00Z`.
    #[arg(long, value_name = "WHAT=WHEN", value_parser = note)]
    note: Vec<Note>,
    /// A consent that was given before: `billing:sms`, `marketing:sms:written`.
    #[arg(long, value_name = "PURPOSE:CHANNEL[:written]", value_parser = consent)]
    consent: Vec<Consent>,
    /// The account or debt that it is about.
    #[arg(long)]
    account: Option<String>,
    /// In whose name, where consent is given to one sender alone.
    #[arg(long)]
    sender: Option<String>,
    /// Why: `billing`, `collections`, `marketing`, `identity`.
    #[arg(long)]
    purpose: String,
    /// By what.
    #[arg(long, value_parser = CHANNELS)]
    channel: String,
    /// When, with an offset: `2026-03-02T22:00:00-06:00`.
    #[arg(long)]
    at: Timestamp,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Explain(question) => explain(&question),
        Command::Test { json } => test(json),
    }
}

/// The policies of the project.
pub fn load() -> miette::Result<Policies> {
    let files = home::definitions(&home::find()?)?;
    Policies::load(&files).map_err(|findings| Failure::Findings { findings }.into())
}

fn explain(question: &Question) -> miette::Result<ExitCode> {
    let policies = load()?;
    let Question { purpose, channel, at, json, .. } = question;
    let case = case(question)?;
    let decision = policies.rules.decide_case(&case, purpose, channel, at.as_microsecond());
    let earliest = match decision.verdict {
        Verdict::Permit => Some(*at),
        Verdict::Defer { until } => Timestamp::from_microsecond(until).ok(),
        Verdict::Deny => None,
    };
    let zone = case.state.zones.iter().find_map(|clue| TimeZone::get(&clue.zone).ok());
    if *json {
        let earliest = earliest.map(|at| at.to_string());
        say!(
            "{}",
            serde_json::json!({ "purpose": purpose, "channel": channel, "at": at.to_string(), "earliest": earliest, "decision": decision })
        );
    } else {
        let answer = match decision.verdict {
            Verdict::Permit => "permitted",
            Verdict::Defer { .. } => "not yet",
            Verdict::Deny => "refused",
        };
        say!("{channel} for {purpose} on {}: {answer}", local(*at, zone.as_ref()));
        page(&decision);
        match earliest {
            Some(earliest) => say!("earliest: {}", local(earliest, zone.as_ref())),
            None => say!("earliest: never, as things stand"),
        }
    }
    Ok(if decision.is_permit() { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) })
}

/// What the file says of the customer, and what the options add.
fn case(question: &Question) -> miette::Result<Case> {
    let mut case = match &question.customer {
        Some(path) => Case::load(&path.display().to_string(), &home::text(path)?)
            .map_err(|findings| Failure::Findings { findings })?,
        None => Case::default(),
    };
    let clue = |zone: &String| ZoneEvidence { zone: zone.clone(), source: "address".into() };
    case.state.zones.extend(question.zone.iter().map(clue));
    case.state.zones.extend(question.phone.iter().flat_map(|phone| ZoneEvidence::of_phone(phone)));
    case.state.jurisdictions.extend(question.jurisdiction.iter().cloned());
    case.state.flags.extend(question.flag.iter().cloned());
    case.state.notes.extend(question.note.iter().cloned());
    case.state.consents.extend(question.consent.iter().cloned());
    case.account = question.account.clone().or(case.account);
    case.sender = question.sender.clone().unwrap_or(case.sender);
    Ok(case)
}

fn page(decision: &Decision) {
    for Reason { rule, cite, verdict, facts, says } in &decision.reasons {
        let mark = if *verdict == Verdict::Permit { '✓' } else { '✗' };
        say!("  {mark} {rule}: {says}");
        let facts: Vec<String> = facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
        say!(
            "      {}",
            [cite.clone(), facts.join(", ")].iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join("; ")
        );
    }
}

fn local(at: Timestamp, zone: Option<&TimeZone>) -> String {
    match zone {
        Some(zone) => format!("{} ({at})", at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z")),
        None => at.to_string(),
    }
}

fn test(json: bool) -> miette::Result<ExitCode> {
    let files = home::definitions(&home::find()?)?;
    let policies = Policies::load(&files).map_err(|findings| Failure::Findings { findings })?;
    let (mut played, mut failed): (Vec<(String, Played)>, Vec<Diagnostic>) = (Vec::new(), Vec::new());
    for (path, text) in files.iter().filter(|(path, _)| Policies::is_table(path)) {
        let path = format!("workflows/{path}");
        match policies.run(&path, text) {
            Ok(table) => {
                failed.extend(table.failed.iter().cloned());
                played.push((path, table));
            }
            Err(found) => failed.extend(found),
        }
    }
    let rows: usize = played.iter().map(|(_, table)| table.rows).sum();
    if json {
        let tables: Vec<_> = played
            .iter()
            .map(|(path, table)| {
                serde_json::json!({ "file": path, "about": table.about, "rows": table.rows, "failed": table.failed.len() })
            })
            .collect();
        say!("{}", serde_json::json!({ "rows": rows, "tables": tables, "findings": failed }));
    } else {
        for (path, table) in &played {
            let mark = if table.failed.is_empty() { '✓' } else { '✗' };
            say!("{mark} {path}: {} of {} rows", table.rows - table.failed.len(), table.rows);
            say!("    {}", table.about);
        }
        failed.iter().for_each(|finding| eprintln!("\n{finding}"));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) })
}

fn note(text: &str) -> Result<Note, String> {
    let (what, at) = text.split_once('=').ok_or("write WHAT=WHEN, as in `refusal=2026-02-20T12:00:00Z`")?;
    let at: Timestamp = at.parse().map_err(|error| format!("{error}"))?;
    Ok(Note { what: what.to_owned(), at: at.as_microsecond() })
}

/// Given before anything that can be asked about.
fn consent(text: &str) -> Result<Consent, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (purpose, channel, given) = match parts[..] {
        [purpose, channel] => (purpose, channel, Given::Express),
        [purpose, channel, "written"] => (purpose, channel, Given::Written),
        _ => return Err("write PURPOSE:CHANNEL, or PURPOSE:CHANNEL:written".to_owned()),
    };
    if !CHANNELS.contains(&channel) {
        return Err(format!("there is no channel `{channel}`; there are {}", CHANNELS.join(", ")));
    }
    Ok(Consent {
        purpose: purpose.to_owned(),
        channel: channel.to_owned(),
        granted: true,
        at: i64::MIN,
        words: String::new(),
        sender: String::new(),
        act: String::new(),
        given,
    })
}
