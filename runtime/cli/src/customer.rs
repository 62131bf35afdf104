//! `selvedge customer import`: customers out of a file into a node's store, beside the node that may run. The file is
//! read twice: only when every line of it is good, anything is kept. `selvedge customer unflag` takes one flag off one
//! customer, with a reason.
//!
//! A CSV has a row of names: `customer`, fields of `workflows/fields.yaml`, `zones`, `jurisdictions`, `flags`, and for
//! consents `consent.<purpose>.<channel>` with the time at which it was given, `consent.words` and `consent.act`. A file
//! of JSON lines has one customer a line, with all that is known ([`read`]).

mod read;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::source::{Diagnostic, Span, code};
use tokio::task::JoinSet;

use self::read::Customer;
pub use self::read::{Lines, is_id};
use crate::beside::{Beside, By, say_done};
use crate::failure::Failure;
use crate::home;

/// Most customers in one file.
pub const MAX_CUSTOMERS: usize = 1_000_000;
/// After so many mistakes the rest is noise.
const MAX_FINDINGS: usize = 100;
/// How many are kept at a time.
const AT_ONCE: usize = 64;
/// What the fields are.
const FIELDS: &str = "fields.yaml";

#[derive(Subcommand)]
pub enum Command {
    /// Import customers from a CSV file or from JSON lines. What is known of a customer's consent and flags is added to,
    /// all else is replaced; importing the same file again changes nothing.
    Import {
        /// `….csv`, or `….jsonl` with one customer a line.
        file: PathBuf,
        /// Only read it, and say what is wrong with it.
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        by: By,
    },
    /// Take a flag such as `dispute` off a customer. Who did it and why stands in the record of access.
    Unflag {
        /// The customer's id.
        customer: String,
        /// The flag.
        flag: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    let (file, check, by) = match command {
        Command::Import { file, check, by } => (file, check, by),
        Command::Unflag { customer, flag, reason, by } => {
            let Beside { engine, tenant, .. } = by.asked.open().await?;
            engine.unflag(&tenant, &customer, &flag, &reason, &by.who()).await?;
            let told = serde_json::json!({ "customer": customer, "unflagged": flag });
            say_done(by.asked.json, &told, &format!("`{flag}` is no longer on file of {customer}"));
            return Ok(ExitCode::SUCCESS);
        }
    };
    let customers = examine(&file, &dictionary()?)?;
    if !check {
        // Only now: a bad file does not even open the store.
        let beside = by.asked.open().await?;
        import(&file, &beside).await?;
        let what = serde_json::json!({ "customers": customers });
        beside.engine.note(&beside.tenant, &by.who(), "customers.imported", what).await?;
    }
    let done = if check { "can be imported" } else { "imported" };
    let told = serde_json::json!({ "customers": customers, "imported": !check });
    say_done(by.asked.json, &told, &format!("{customers} customers {done} from {}", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// The fields of the checkout.
pub fn dictionary() -> Result<Dictionary, Failure> {
    let files = home::definitions(&home::find()?)?;
    let text = files.get(FIELDS).map_or("", String::as_str);
    Dictionary::read(FIELDS, text).map_err(|findings| Failure::Findings { findings })
}

/// Keeps the customers of a file, all of them or, where a line is bad, none.
///
/// Errors: C940 with every bad line.
pub async fn import(file: &Path, beside: &Beside) -> miette::Result<()> {
    let dictionary = dictionary()?;
    examine(file, &dictionary)?;
    keep(file, &dictionary, beside).await
}

fn open(file: &Path, dictionary: &Dictionary) -> Result<Lines<BufReader<File>>, Failure> {
    let input = BufReader::new(File::open(file).map_err(|e| Failure::read(file, &e))?);
    let name = file.display().to_string();
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Lines::csv(&name, input, dictionary).map_err(|e| Failure::read(file, &e)),
        Some("jsonl" | "ndjson") => Ok(Lines::json(&name, input)),
        _ => {
            let why = "its name ends neither in `.csv` nor in `.jsonl`".into();
            Err(Failure::File { path: name, what: "read", why })
        }
    }
}

/// Reads all of it and keeps nothing; how many customers there are.
fn examine(file: &Path, dictionary: &Dictionary) -> Result<usize, Failure> {
    let (mut lines, mut ids, mut findings) = (open(file, dictionary)?, BTreeSet::new(), Vec::new());
    while findings.len() < MAX_FINDINGS {
        match lines.next(dictionary).map_err(|e| Failure::read(file, &e))? {
            None => break,
            Some(Err(found)) => findings.extend(found),
            Some(Ok(Customer { id, span, .. })) => {
                if ids.len() == MAX_CUSTOMERS {
                    let message = format!("more than {MAX_CUSTOMERS} customers");
                    findings.push(Diagnostic::new(code::BEYOND_LIMITS, message).at(&span).help("divide the file"));
                    break;
                }
                if !ids.insert(id) {
                    findings.push(Diagnostic::new(code::DUPLICATE, "this customer stands in the file twice").at(&span));
                }
            }
        }
    }
    if findings.is_empty() && ids.is_empty() {
        let nobody = Diagnostic::new(code::MISSING_KEY, "there is no customer in it");
        findings.push(nobody.at(&Span::start_of(&file.display().to_string())));
    }
    if findings.is_empty() { Ok(ids.len()) } else { Err(Failure::NotImported { findings }) }
}

async fn keep(file: &Path, dictionary: &Dictionary, beside: &Beside) -> miette::Result<()> {
    let (mut lines, mut keeping) = (open(file, dictionary)?, JoinSet::new());
    let dictionary = std::sync::Arc::new(dictionary.clone());
    loop {
        let next = lines.next(&dictionary).map_err(|e| Failure::read(file, &e))?;
        let done = next.is_none();
        if let Some(customer) = next {
            let Customer { id, state, fields, .. } = customer.map_err(|findings| Failure::NotImported { findings })?;
            let (engine, tenant, dictionary) = (beside.engine.clone(), beside.tenant.clone(), dictionary.clone());
            keeping.spawn(async move { engine.put_customer(&dictionary, &tenant, &id, &state, &fields).await });
        }
        while keeping.len() >= if done { 1 } else { AT_ONCE } {
            if let Some(kept) = keeping.join_next().await {
                kept.map_err(|e| Failure::read(file, &std::io::Error::other(e)))??;
            }
        }
        if done {
            return Ok(());
        }
    }
}
