//! `selvedge workflow schema`: the form of a kind of file, as editors want it.

use std::process::ExitCode;

use selvedge_workflow::schema::schema;

pub fn run(name: &str) -> miette::Result<ExitCode> {
    // The names are those that the arguments allow.
    say!("{:#}", schema(name).unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}
