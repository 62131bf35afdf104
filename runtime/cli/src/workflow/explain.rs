//! `selvedge workflow explain`: a workflow in words.

use std::process::ExitCode;

use selvedge_workflow::explain::{Explained, explain};
use selvedge_workflow::plan::OUTGOING_CALL;

use super::{House, report};

pub fn run(workflow: &str, json: bool) -> miette::Result<ExitCode> {
    let definition = match House::one(workflow)? {
        Ok(definition) => definition,
        Err(findings) => return report(&findings, json),
    };
    let explained = explain(&definition.plan, &definition.dictionary);
    if json {
        say!("{}", serde_json::json!(explained));
    } else {
        print(&explained);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(explained: &Explained) {
    say!("{}: {}", explained.workflow, explained.title);
    say!("Its purpose is `{}`.", explained.purpose);
    if explained.starts == OUTGOING_CALL {
        say!("It begins with a call that we place, where the contact rules permit it.");
    }
    if let Some(first) = explained.languages.first() {
        say!("Its texts are in {}; who speaks none of these gets them in {first}.", explained.languages.join(", "));
    }
    for (number, step) in explained.steps.iter().enumerate() {
        say!("\n{}. {}", number + 1, step.id);
        for does in &step.does {
            say!("   • {does}");
        }
        for otherwise in &step.otherwise {
            say!("   ✗ {} → {}", otherwise.when, otherwise.leads.in_words());
        }
    }
    say!("\nWho gets to know what");
    for reach in &explained.reaches {
        let fields: Vec<&str> = reach.fields.iter().map(String::as_str).collect();
        say!("   {:<28} {:<8} {}", reach.whom, reach.class.name(), fields.join(", "));
    }
    say!("\nWhat a run takes at most");
    for most in &explained.most {
        say!("   {:<8} {:<16} {}", most.measure.name(), most.measure.amount(most.most), most.adds_up());
    }
}
