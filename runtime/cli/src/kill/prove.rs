//! `selvedge kill prove …`: nothing left behind a switch. From a data folder it writes the file that a stranger can check,
//! and checks that very file; from the file it needs nothing else.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use selvedge_engine::switches::is_id;
use selvedge_engine::switches::prove::{Before, Doubt, Proof, prove};
use selvedge_record::pack::stretch::{self, MAX_STRETCH_BYTES, Stretch};
use selvedge_record::time::to_rfc3339;

use crate::beside::{Asked, Beside};
use crate::failure::Failure;
use crate::{exit, record};

/// How many effects and doubts are told one by one; `--json` has all.
const MAX_TOLD: usize = 20;

#[derive(Args)]
pub struct ToProve {
    /// A switch of the data folder, such as `kill-3`; or a file that `-o` wrote, which is all that is needed then.
    what: String,
    /// Write what proves it into this file, for whoever shall check it without us.
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// The operator's public key, or a file that holds it. Without it the key inside the file is used, and the answer
    /// says so.
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

pub async fn run(to_prove: ToProve) -> miette::Result<ExitCode> {
    let ToProve { what, output, key, asked } = to_prove;
    let json = asked.json;
    let key = key.as_deref().map(record::read_key).transpose()?;
    let (bytes, key) = if is_id(&what) {
        let Beside { engine, tenant, keys } = asked.open().await?;
        let file = engine.silence(&tenant, &what).await?;
        if let Some(path) = &output {
            std::fs::write(path, &file).map_err(|error| Failure::write(path, &error))?;
            eprintln!("wrote {}; `selvedge kill prove {}` checks it anywhere", path.display(), path.display());
        }
        (file.into_bytes(), key.or_else(|| Some(keys.log_key.verifier())))
    } else {
        (record::read(Path::new(&what), MAX_STRETCH_BYTES)?, key)
    };
    let stretch = match stretch::verify(&bytes, key.as_ref()) {
        Ok(stretch) => stretch,
        Err(fault) => return record::refuse(Path::new(&what), &fault, json),
    };
    let proof = prove(&stretch)?;
    if json {
        say!("{}", as_json(&stretch, &proof));
    } else {
        tell(&stretch, &proof)?;
    }
    Ok(if proof.holds() { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) })
}

fn as_json(stretch: &Stretch, proof: &Proof) -> serde_json::Value {
    serde_json::json!({
        "proved": proof.holds(),
        "verified": true,
        "tenant": stretch.tenant,
        "proof": proof,
        "log_size": stretch.checkpoint.size,
        "log_root": stretch.checkpoint.root.to_string(),
        "key": stretch.key.to_string(),
        "key_was_given": stretch.key_was_given,
    })
}

fn tell(stretch: &Stretch, proof: &Proof) -> miette::Result<()> {
    let switch = &proof.switch;
    let head = if proof.holds() { "PROVED  nothing" } else { "NOT PROVED that nothing" };
    say!("{head} of {} left behind {}", switch.scope, switch.id);
    say!("  set {} by {}: {}", to_rfc3339(switch.at)?, switch.by, switch.reason);
    match &switch.lifted {
        Some(lifted) => say!("  lifted {} by {}: {}", to_rfc3339(lifted.at)?, lifted.by, lifted.reason),
        None => say!("  still set when this was signed"),
    }
    let Proof { from, to, records, beside, halted, .. } = proof;
    let end = if switch.lifted.is_some() { "where it was lifted" } else { "the end of the signed log" };
    say!("  looked at every place of the log from {from}, where it was set, to {to}, {end}");
    say!(
        "  {records} records went on there: {halted} runs were stopped by it, {beside} effects outside its reach were intended"
    );
    match &proof.last_before {
        Some(last) => say!("  the last effect before it: {}", intent(last)?),
        None => say!("  no effect within its reach stands shortly before it"),
    }
    match proof.under_way.len() {
        0 => say!("  nothing was under way"),
        many => say!("  intended before it and not over then: {many}"),
    }
    for effect in proof.under_way.iter().take(MAX_TOLD) {
        say!("    {}", intent(effect)?);
        match &effect.became {
            Some((became, place)) => say!("      {became} (place {place})"),
            None => say!("      nobody has said what became of it"),
        }
    }
    more(proof.under_way.len());
    if !proof.doubts.is_empty() {
        say!("  against it:");
    }
    for Doubt { place, what } in proof.doubts.iter().take(MAX_TOLD) {
        match place {
            Some(place) => say!("    place {place} of the log: {what}"),
            None => say!("    {what}"),
        }
    }
    more(proof.doubts.len());
    say!("  the log of {} events has the root {}", stretch.checkpoint.size, stretch.checkpoint.root);
    say!("  which {} signed", stretch.key);
    if !stretch.key_was_given {
        say!("  the key came with the file: compare it with the one the operator published, or give that with --key");
    }
    Ok(())
}

fn intent(effect: &Before) -> miette::Result<String> {
    Ok(format!("{}, {}, intended {} (place {})", effect.key, effect.calls, to_rfc3339(effect.at)?, effect.place))
}

fn more(told: usize) {
    if told > MAX_TOLD {
        say!("    and {} more: `--json` has them all", told - MAX_TOLD);
    }
}
