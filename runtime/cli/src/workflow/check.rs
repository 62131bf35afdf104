//! `selvedge workflow check`: what was proved, by which rule; or what breaks which rule, on which path.

use std::process::ExitCode;

use super::{House, report};

pub fn run(workflow: &str, json: bool) -> miette::Result<ExitCode> {
    let definition = match House::one(workflow)? {
        Ok(definition) => definition,
        Err(findings) => return report(&findings, json),
    };
    let name = &definition.plan.workflow;
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
