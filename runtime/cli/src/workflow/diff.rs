//! `selvedge workflow diff`: what changed between two workflows.

use std::process::ExitCode;

use selvedge_engine::Definition;
use selvedge_workflow::diff::{Difference, Side, diff};
use selvedge_workflow::explain::{Explained, explain};

use super::{House, report};

pub fn run(before: &str, after: &str, json: bool) -> miette::Result<ExitCode> {
    let mut both = Vec::new();
    for workflow in [before, after] {
        match House::one(workflow)? {
            Ok(definition) => both.push((explain(&definition.plan, &definition.dictionary), definition)),
            Err(findings) => return report(&findings, json),
        }
    }
    let [(before_words, before), (after_words, after)] = &both[..] else { return Ok(ExitCode::SUCCESS) };
    let difference = diff(&side(before, before_words), &side(after, after_words));
    if json {
        say!("{}", serde_json::json!({ "before": before.digest, "after": after.digest, "difference": difference }));
    } else {
        print(&difference);
    }
    Ok(ExitCode::SUCCESS)
}

fn side<'a>(definition: &'a Definition, explained: &'a Explained) -> Side<'a> {
    Side { plan: &definition.plan, proofs: &definition.proofs, explained }
}

fn print(difference: &Difference) {
    if difference.is_empty() {
        say!("nothing changed that a run would notice");
        return;
    }
    for change in &difference.changes {
        say!("{}", change.of);
        change.before.iter().for_each(|line| say!("  - {line}"));
        change.after.iter().for_each(|line| say!("  + {line}"));
    }
    let proofs = difference.proofs_lost.iter().map(|proof| ('-', proof));
    let proofs: Vec<_> = proofs.chain(difference.proofs_gained.iter().map(|proof| ('+', proof))).collect();
    if !proofs.is_empty() {
        say!("\nWhat is proved");
        proofs.iter().for_each(|(sign, proof)| say!("  {sign} {} ({})", proof.claim, proof.rule));
    }
    let reaches = difference.reaches_lost.iter().map(|reach| ('-', reach));
    let reaches: Vec<_> = reaches.chain(difference.reaches_gained.iter().map(|reach| ('+', reach))).collect();
    if !reaches.is_empty() {
        say!("\nWho gets to know what");
        for (sign, reach) in reaches {
            let fields: Vec<&str> = reach.fields.iter().map(String::as_str).collect();
            say!("  {sign} {}: {} {}", reach.whom, reach.class, fields.join(", "));
        }
    }
    say!("\nRuns in flight keep the definition that they began with. Moved to the new one,");
    if difference.stuck.is_empty() {
        say!("a run could go on from wherever it stands.");
    } else {
        say!("a run could not go on from");
        difference.stuck.iter().for_each(|stuck| say!("  {}: {}", stuck.node, stuck.why));
    }
}
