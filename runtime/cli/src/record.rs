//! `selvedge record …`: evidence leaves the house here, and is verified anywhere.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use selvedge_record::pack::MAX_PACK_BYTES;
use selvedge_record::{LogVerifier, Verified};

use crate::beside::Beside;
use crate::failure::Failure;
use crate::{data_or_demo, exit, print};

/// The tenant of a data folder made by the demonstration.
pub const TENANT: &str = "riverside";

#[derive(Subcommand)]
pub enum Command {
    /// List the interactions of a data folder.
    List {
        /// The data folder; the demonstration's when left out.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Write an interaction's record with its proofs into one file.
    Export {
        /// The interaction, `int_…`.
        interaction: String,
        /// Where to write; stdout when left out.
        #[arg(short, long)]
        output: Option<PathBuf>,
        /// Open sealed values of these classes in it, such as `COMMS,PHI`. None by default.
        #[arg(long, value_delimiter = ',')]
        open: Vec<String>,
        /// The data folder; the demonstration's when left out.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Verify an exported file: nothing is needed but the file and the public key.
    Verify {
        /// The file.
        file: PathBuf,
        /// The operator's public key, or a file that holds it. Without it the key inside the file is used,
        /// and the answer says so.
        #[arg(long)]
        key: Option<String>,
        /// Print the answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Verify an exported file and print its timeline.
    Show {
        /// The file.
        file: PathBuf,
        /// The operator's public key, or a file that holds it.
        #[arg(long)]
        key: Option<String>,
    },
    /// Print the public key that a data folder's evidence verifies with.
    Key {
        /// The data folder; the demonstration's when left out.
        #[arg(long)]
        data: Option<PathBuf>,
    },
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::List { data } => list(&data_or_demo(data)?).await,
        Command::Export { interaction, output, open, data } => {
            export(&data_or_demo(data)?, interaction, output, &open).await
        }
        Command::Verify { file, key, json } => verify(&file, key.as_deref(), json),
        Command::Show { file, key } => show(&file, key.as_deref()),
        Command::Key { data } => {
            say!("{}", Beside::open(&data_or_demo(data)?).await?.keys.log_key.verifier());
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn list(data: &Path) -> miette::Result<ExitCode> {
    let Beside { engine, tenant, .. } = Beside::open(data).await?;
    for listed in engine.list(&tenant, 1000).await? {
        let opened = selvedge_record::time::to_rfc3339(listed.summary.opened)?;
        say!("{}  {}  {}  {}", listed.interaction, opened, listed.summary.workflow, listed.summary.at);
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(
    data: &Path,
    interaction: String,
    output: Option<PathBuf>,
    open: &[String],
) -> miette::Result<ExitCode> {
    let beside = Beside::open(data).await?;
    let pack = beside.engine.export(&beside.id(interaction), open).await?;
    match output {
        Some(path) => {
            std::fs::write(&path, &pack).map_err(|e| Failure::write(&path, &e))?;
            eprintln!(
                "wrote {} ({} bytes); verify it anywhere with `selvedge record verify {}`",
                path.display(),
                pack.len(),
                path.display()
            );
        }
        None => std::io::stdout().write_all(pack.as_bytes()).map_err(|e| Failure::write(Path::new("stdout"), &e))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a file that has no more than `limit` of them.
pub fn read(file: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(file).map_err(|e| Failure::read(file, &e))?.len();
    if size > limit as u64 {
        let why = format!("it has {size} bytes, the limit is {limit}");
        return Err(Failure::File { path: file.display().to_string(), what: "read", why });
    }
    std::fs::read(file).map_err(|e| Failure::read(file, &e))
}

/// Reads a pack and checks it. The outer error: it could not be read; the inner: it does not hold.
fn check(file: &Path, key: Option<&str>) -> miette::Result<Result<Verified, selvedge_record::Fault>> {
    let bytes = read(file, MAX_PACK_BYTES)?;
    let key = key.map(read_key).transpose()?;
    Ok(selvedge_record::pack::verify(&bytes, key.as_ref()))
}

/// A public key, or the one in a file.
pub fn read_key(given: &str) -> Result<LogVerifier, Failure> {
    let text = std::fs::read_to_string(given).unwrap_or_else(|_| given.to_owned());
    text.trim().parse().map_err(|_| Failure::NoKey { given: given.into() })
}

fn verify(file: &Path, key: Option<&str>, json: bool) -> miette::Result<ExitCode> {
    match check(file, key)? {
        Ok(verified) if json => {
            say!(
                "{}",
                serde_json::json!({
                    "verified": true,
                    "interaction": verified.interaction,
                    "tenant": verified.tenant,
                    "events": verified.events.len(),
                    "openings": verified.openings.len(),
                    "log_size": verified.checkpoint.size,
                    "log_root": verified.checkpoint.root.to_string(),
                    "key": verified.key.to_string(),
                    "key_was_given": verified.key_was_given,
                })
            );
            Ok(ExitCode::SUCCESS)
        }
        Ok(verified) => {
            print::verified(&verified);
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => refuse(file, &fault, json),
    }
}

/// Says where a file stops being true.
pub fn refuse(file: &Path, fault: &selvedge_record::Fault, json: bool) -> miette::Result<ExitCode> {
    if json {
        say!(
            "{}",
            serde_json::json!({ "verified": false, "code": fault.code, "line": fault.line, "place": fault.place, "what": fault.what, "help": fault.help })
        );
    } else {
        say!("NOT VERIFIED  {}:{}: {}: {}", file.display(), fault.line, fault.place, fault.what);
        say!("  {}  {}", fault.code, fault.help);
    }
    Ok(ExitCode::from(exit::REFUSED))
}

fn show(file: &Path, key: Option<&str>) -> miette::Result<ExitCode> {
    match check(file, key)? {
        Ok(verified) => {
            for event in &verified.events {
                print::event_whole(event);
            }
            for opening in &verified.openings {
                say!("opened  event {} {}: {}", opening.seq, opening.pointer, opening.value);
            }
            print::verified(&verified);
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => refuse(file, &fault, false),
    }
}
