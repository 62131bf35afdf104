//! `selvedge workflow graph`: a workflow as a drawing, in the terminal or as SVG.

use std::path::Path;
use std::process::ExitCode;

use selvedge_workflow::explain::explain;
use selvedge_workflow::graph;
use selvedge_workflow::plan::{Plan, Target};
use serde_json::{Value, json};

use super::{House, report};
use crate::failure::Failure;

pub fn run(workflow: &str, svg: Option<&Path>, json: bool) -> miette::Result<ExitCode> {
    let definition = match House::one(workflow)? {
        Ok(definition) => definition,
        Err(findings) => return report(&findings, json),
    };
    let explained = explain(&definition.plan, &definition.dictionary);
    if let Some(file) = svg {
        std::fs::write(file, graph::svg(&explained)).map_err(|e| Failure::write(file, &e))?;
    }
    match (json, svg) {
        (true, _) => say!("{}", nodes(&definition.plan)),
        (false, Some(file)) => say!("{}", file.display()),
        (false, None) => say!("{}", graph::terminal(&explained).trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

fn nodes(plan: &Plan) -> Value {
    let to = |target: &Target| match target {
        Target::Node(at) => plan.nodes.get(*at).map_or(Value::Null, |node| json!({ "node": node.name })),
        Target::End(ending) => json!({ "end": ending }),
    };
    let nodes = plan.nodes.iter().map(|node| {
        let exits = node.exits.iter().map(|(exit, target)| json!({ "exit": exit, "to": to(target) }));
        json!({ "name": node.name, "step": node.step, "exits": exits.collect::<Vec<_>>() })
    });
    json!({ "workflow": plan.workflow, "nodes": nodes.collect::<Vec<_>>() })
}
