//! `selvedge workflow publish`: makes a workflow the one that new runs of a data folder take, if it proves.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use selvedge_engine::ports::store::Definitions;

use super::{House, name_of, report};
use crate::clock::StoryClock;
use crate::node::Folder;
use crate::record::TENANT;

pub async fn run(workflow: &str, data: &Path, json: bool) -> miette::Result<ExitCode> {
    let house = match House::open()? {
        Ok(house) => house,
        Err(problems) => return report(&problems, json),
    };
    house.chosen(Some(workflow))?;
    let name = name_of(workflow);
    let folder = Folder::beside(data).await?;
    let before = folder.store.published(TENANT, &name).await?;
    let now = folder.newest().await?.unwrap_or(0);
    let engine = folder.reader(Arc::new(StoryClock::at(now)));
    let definition = match engine.publish(TENANT, &house.files, &name, &house.connectors).await? {
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
