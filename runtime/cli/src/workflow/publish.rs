//! `selvedge workflow publish`: makes a workflow the one that new runs of a data folder take, if it proves.

use std::path::Path;
use std::process::ExitCode;

use super::{House, name_of, report};
use crate::beside::Beside;

pub async fn run(workflow: &str, data: &Path, json: bool) -> miette::Result<ExitCode> {
    let house = match House::open()? {
        Ok(house) => house,
        Err(problems) => return report(&problems, json),
    };
    house.chosen(Some(workflow))?;
    let name = name_of(workflow);
    let Beside { engine, tenant, .. } = Beside::open(data).await?;
    let before = engine.store().published(&tenant, &name).await?;
    let definition = match engine.publish(&tenant, &house.files, &name, &house.connectors).await? {
        Ok(definition) => definition,
        Err(findings) => return report(&findings, json),
    };
    let changed = before.as_deref() != Some(definition.digest.as_str());
    if json {
        say!(
            "{}",
            serde_json::json!({ "workflow": name, "digest": definition.digest, "before": before, "changed": changed })
        );
        return Ok(ExitCode::SUCCESS);
    }
    match (&before, changed) {
        (_, false) => say!("{name}: published already ({})", definition.digest),
        (None, _) => say!("{name}: published ({})", definition.digest),
        (Some(before), _) => {
            say!("{name}: published ({})", definition.digest);
            say!("  new runs take it; those that began before go on with {before}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
