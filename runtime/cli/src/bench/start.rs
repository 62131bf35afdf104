//! `selvedge bench start`: what a node reads before it takes work. The shipped workflows, each under many names, compiled and
//! proved with the rules and policies in force. The floor: their YAML alone, read into trees.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use selvedge_engine::Definition;
use selvedge_workflow::BUDGET;
use selvedge_workflow::source::Document;
use serde_json::json;

use super::meter::round;
use crate::workflow::{House, report};

#[derive(Args)]
pub struct Arguments {
    /// How many workflows.
    #[arg(long, default_value_t = 1_000)]
    workflows: usize,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> miette::Result<ExitCode> {
    let mut house = match House::open()? {
        Ok(house) => house,
        Err(findings) => return report(&findings, arguments.json),
    };
    let names = many(&mut house, arguments.workflows);
    let budget = house.files.get(BUDGET).cloned().unwrap_or_default();
    let started = Instant::now();
    for (shipped, name) in &names {
        // What is excepted of a workflow is excepted of it under another name.
        house.files.insert(BUDGET.to_owned(), budget.replace(&format!("  {shipped}:\n"), &format!("  {name}:\n")));
        if let Err(findings) = Definition::compile(&house.files, name, &house.connectors, &house.packs) {
            return report(&findings, arguments.json);
        }
    }
    let wall_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    for (_, name) in &names {
        let path = format!("{name}/workflow.yaml");
        std::hint::black_box(Document::parse(&path, &house.files[&path]).is_ok());
    }
    let floor_s = started.elapsed().as_secs_f64();
    if arguments.json {
        let floor = json!({ "yaml_alone_s": round(floor_s) });
        let (n, wall) = (names.len(), round(wall_s));
        say!("{}", json!({ "workflows": n, "wall_s": wall, "floor": floor, "times_floor": round(wall_s / floor_s) }));
    } else {
        say!("{} workflows compiled and proved in {} s on one thread", names.len(), round(wall_s));
        say!("floor: their YAML alone, {} s", round(floor_s));
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives the house so many workflows, the shipped ones under other names: what each was called, and is.
fn many(house: &mut House, workflows: usize) -> Vec<(String, String)> {
    let shipped = house.workflows();
    let mut names = Vec::new();
    for (n, name) in shipped.iter().cycle().take(workflows).enumerate() {
        let another = format!("{name}-{n}");
        let own = house.files.range(format!("{name}/")..).take_while(|(path, _)| path.starts_with(&format!("{name}/")));
        let own: Vec<(String, String)> = own.map(|(path, text)| (path.clone(), text.clone())).collect();
        for (path, text) in own {
            let text = text.replace(&format!("workflow: {name}\n"), &format!("workflow: {another}\n"));
            house.files.insert(path.replacen(name, &another, 1), text);
        }
        names.push((name.clone(), another));
    }
    names
}
