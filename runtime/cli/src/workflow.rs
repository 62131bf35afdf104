//! `selvedge workflow …`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use selvedge_engine::Definition;
use selvedge_workflow::source::Diagnostic;
use selvedge_workflow::{ConnectorFacts, Files};

use selvedge_host::{Grant, Manifest, connector_facts};

use crate::connector::Papers;
use crate::failure::Failure;
use crate::{connector, exit, home};

#[derive(Subcommand)]
pub enum Command {
    /// Prove a workflow, or say what breaks which rule, and on which path.
    Check {
        /// Its name, or the path of its `workflow.yaml`.
        workflow: String,
        /// Print findings or proofs as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Check { workflow, json } => check(&workflow, json),
    }
}

fn check(workflow: &str, json: bool) -> miette::Result<ExitCode> {
    let home = home::find()?;
    let (name, mut files) = (name_of(workflow), home::definitions(&home)?);
    let given = Path::new(workflow);
    if given.is_file() {
        overlay(&mut files, given, &name)?;
    } else if given.components().count() > 1 && !given.is_dir() {
        return Err(Failure::read(given, &std::io::ErrorKind::NotFound.into()).into());
    } else if !files.contains_key(&format!("{name}/workflow.yaml")) {
        let path = format!("workflows/{name}/workflow.yaml");
        return Err(Failure::File { path, what: "read", why: "there is no such file".into() }.into());
    }
    let (connectors, problems) = facts(&home)?;
    if !problems.is_empty() {
        return report(&problems, json);
    }
    match Definition::compile(&files, &name, &connectors) {
        Ok(definition) if json => {
            say!(
                "{}",
                serde_json::json!({ "workflow": name, "digest": definition.digest, "proofs": definition.proofs, "warnings": definition.warnings })
            );
            Ok(ExitCode::SUCCESS)
        }
        Ok(definition) => {
            say!("{name}: proved ({})", definition.digest);
            for proof in &definition.proofs {
                say!("  ✓ {}", proof.claim);
                say!("      {}", proof.because);
                say!("      {} ({})", proof.rule, proof.cite);
            }
            for warning in &definition.warnings {
                eprintln!("{warning}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(findings) => report(&findings, json),
    }
}

fn report(findings: &[Diagnostic], json: bool) -> miette::Result<ExitCode> {
    if json {
        say!("{}", serde_json::json!({ "findings": findings }));
    } else {
        for finding in findings {
            eprintln!("{finding}\n");
        }
        eprintln!(
            "not publishable: {} to mend",
            match findings.len() {
                1 => "one thing".into(),
                n => format!("{n} things"),
            }
        );
    }
    Ok(ExitCode::from(exit::REFUSED))
}

/// `healthcare-balance` of `workflows/healthcare-balance/workflow.yaml`.
fn name_of(given: &str) -> String {
    let path = Path::new(given);
    let folder = if path.file_name().is_some_and(|f| f == "workflow.yaml") { path.parent() } else { Some(path) };
    let name = folder.and_then(|f| {
        f.canonicalize().ok().unwrap_or_else(|| f.to_path_buf()).file_name().map(|n| n.to_string_lossy().into_owned())
    });
    name.unwrap_or_else(|| given.to_owned())
}

/// A workflow from elsewhere is checked against the house's dictionary, rules and grants.
fn overlay(files: &mut Files, given: &Path, name: &str) -> Result<(), Failure> {
    files.insert(format!("{name}/workflow.yaml"), home::text(given)?);
    let templates = given.parent().unwrap_or(Path::new(".")).join("templates");
    for entry in std::fs::read_dir(&templates).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "txt") {
            files.insert(format!("{name}/templates/{}", entry.file_name().to_string_lossy()), home::text(&path)?);
        }
    }
    Ok(())
}

/// What the connectors may do, from their manifests and the admin's grants; no component is run for it.
fn facts(home: &Path) -> miette::Result<(BTreeMap<String, ConnectorFacts>, Vec<Diagnostic>)> {
    let (mut facts, mut problems) = (BTreeMap::new(), Vec::new());
    for Papers { name, manifest, grant } in connector::papers(home)? {
        match (Manifest::read(&manifest.0, &manifest.1), Grant::read(&grant.0, &grant.1)) {
            (Ok(manifest), Ok(grant)) => drop(facts.insert(name, connector_facts(&manifest, &grant))),
            (manifest, grant) => {
                problems.extend(manifest.err().into_iter().flatten().chain(grant.err().into_iter().flatten()));
            }
        }
    }
    Ok((facts, problems))
}
