//! `selvedge workflow check`: what was proved, by which rule; or what breaks which rule, on which path.

use std::path::Path;
use std::process::ExitCode;

use selvedge_workflow::Files;

use super::{House, name_of, report};
use crate::failure::Failure;
use crate::home;

pub fn run(workflow: &str, json: bool) -> miette::Result<ExitCode> {
    let name = name_of(workflow);
    let mut house = match House::open()? {
        Ok(house) => house,
        Err(problems) => return report(&problems, json),
    };
    let given = Path::new(workflow);
    if given.is_file() {
        overlay(&mut house.files, given, &name)?;
    } else if given.components().count() > 1 && !given.is_dir() {
        return Err(Failure::read(given, &std::io::ErrorKind::NotFound.into()).into());
    } else {
        house.chosen(Some(workflow))?;
    }
    let definition = match house.compile(&name) {
        Ok(definition) => definition,
        Err(findings) => return report(&findings, json),
    };
    if json {
        say!(
            "{}",
            serde_json::json!({ "workflow": name, "digest": definition.digest, "proofs": definition.proofs, "warnings": definition.warnings })
        );
        return Ok(ExitCode::SUCCESS);
    }
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
