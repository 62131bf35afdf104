//! `selvedge workflow mutants`: does the checker refuse what it should?

use std::process::ExitCode;

use selvedge_workflow::mutants::{Spoilt, spoil};

use super::{House, report};
use crate::exit;

pub fn run(workflow: Option<&str>, json: bool) -> miette::Result<ExitCode> {
    let house = match House::open()? {
        Ok(house) => house,
        Err(problems) => return report(&problems, json),
    };
    let mut all: Vec<Spoilt> = Vec::new();
    for name in house.chosen(workflow)? {
        match spoil(&house.files, &name, &house.connectors) {
            Ok(spoilt) => all.push(spoilt),
            Err(findings) => return report(&findings, json),
        }
    }
    let sum = |count: fn(&Spoilt) -> usize| all.iter().map(count).sum::<usize>();
    let (mutants, unsafe_mutants) = (sum(|s| s.mutants), sum(|s| s.unsafe_mutants));
    let published = sum(|s| s.published_unsafe.len());
    if json {
        let counts = serde_json::json!({
            "mutants": mutants, "unsafe": unsafe_mutants, "published_unsafe": published, "workflows": all,
        });
        say!("{counts}");
    } else {
        all.iter().for_each(print);
        say!("{mutants} mutants, {unsafe_mutants} of them unsafe, {published} of those published");
    }
    Ok(if published == 0 { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) })
}

fn print(spoilt: &Spoilt) {
    say!("{}: {} mutants, {} not well formed", spoilt.workflow, spoilt.mutants, spoilt.malformed);
    say!("  unsafe, by what was changed");
    for (change, count) in &spoilt.unsafe_by_change {
        say!("    {count:>5}  {change}");
    }
    say!("  unsafe, by what would have happened");
    for (rule, count) in &spoilt.unsafe_by_rule {
        say!("    {count:>5}  {rule}");
    }
    for survivor in &spoilt.published_unsafe {
        say!("  PUBLISHED {}: {}", survivor.place, survivor.change);
        survivor.breaks.iter().for_each(|rule| say!("            {rule}"));
    }
}
