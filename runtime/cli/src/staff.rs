//! `selvedge staff …`: a colleague's session, given by whoever holds the data folder. They vouch for person and device;
//! the record of access says so. For the first sign-in of a node, and for programs at the API.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use selvedge_engine::ports::Random;
use selvedge_engine::ports::store::Session;
use selvedge_policy::{Access, Principal, Resource};
use selvedge_record::time::to_rfc3339;
use selvedge_server::token_hash;

use crate::beside::{Beside, By};
use crate::clock::SystemRandom;
use crate::failure::Failure;
use crate::home;
use crate::serve::ACCESS;

const HOUR: i64 = 3_600_000_000;
/// The longest name of a person, function or device, in bytes.
const MAX_NAME_BYTES: usize = 64;

#[derive(Subcommand)]
pub enum Command {
    /// Give a colleague a session: the token is shown once, for the console's sign-in or as `Authorization: Bearer`.
    SignIn {
        /// The person's own name at work: `maria`.
        person: String,
        /// The job function, as `workflows/policies/access.cedar` names it: `billing-agent`.
        #[arg(long)]
        function: String,
        /// The device that you have seen to be theirs; `desk-<person>` when left out.
        #[arg(long)]
        device: Option<String>,
        /// How long the session lasts at most; fifteen idle minutes end it in any case.
        #[arg(long, value_name = "HOURS", default_value_t = 8, value_parser = clap::value_parser!(i64).range(1..=24))]
        hours: i64,
        /// Write the token to this new file, which only you can read, instead of showing it.
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        #[command(flatten)]
        by: By,
    },
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    let Command::SignIn { person, function, device, hours, token_file, by } = command;
    let device = device.unwrap_or_else(|| format!("desk-{person}"));
    for (what, name) in [("person", &person), ("function", &function), ("device", &device)] {
        is_name(what, name)?;
    }
    knows(&function)?;
    let Beside { engine, tenant, .. } = by.asked.open().await?;
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes);
    let (token, now) = (hex::encode(bytes), engine.now());
    let hash = token_hash(&token);
    let session = Session {
        // Shown in the record; the token must not be guessed from it.
        id: format!("ses_{}", &hash[..12]),
        tenant: tenant.clone(),
        person,
        device,
        device_verified: true,
        function,
        expires: now + hours * HOUR,
        last_used: now,
    };
    // A file that cannot be written leaves no session that nobody has the token of.
    if let Some(file) = &token_file {
        write(file, &token)?;
    }
    let what = serde_json::json!({
        "session": session.id, "person": session.person, "function": session.function, "device": session.device,
        "expires": to_rfc3339(session.expires)?,
    });
    engine.note(&tenant, &by.who(), "staff.signed-in", what.clone()).await?;
    engine.store().put_session(&hash, &session).await?;
    match (by.asked.json, &token_file) {
        (true, None) => say!("{}", with_token(what, &token)),
        (true, Some(_)) => say!("{what}"),
        (false, None) => say!("{token}"),
        (false, Some(file)) => say!("{}", file.display()),
    }
    let Session { id, person, function, device, .. } = session;
    eprintln!("{person} is signed in as {function} on {device} for {hours} h at most: {id}");
    Ok(ExitCode::SUCCESS)
}

fn with_token(mut what: serde_json::Value, token: &str) -> serde_json::Value {
    what["token"] = token.into();
    what
}

fn is_name(what: &'static str, name: &str) -> Result<(), Failure> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
    match (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(good) {
        true => Ok(()),
        false => Err(Failure::NoName { what }),
    }
}

/// A function that the access policy permits nothing is a slip.
fn knows(function: &str) -> Result<(), Failure> {
    let files = home::definitions(&home::find()?)?;
    let access = Access::load(ACCESS, files.get(ACCESS).map_or("", String::as_str))
        .map_err(|findings| Failure::Findings { findings })?;
    let principal = Principal {
        session: String::new(),
        person: "somebody".into(),
        device: String::new(),
        device_verified: true,
        function: function.to_owned(),
    };
    let own = Resource { interaction: String::new(), opened_by: "somebody".into() };
    match access.permitted(&principal, &own).is_empty() {
        true => Err(Failure::NoFunction { function: function.to_owned() }),
        false => Ok(()),
    }
}

fn write(file: &Path, token: &str) -> Result<(), Failure> {
    let made = std::fs::File::options().write(true).create_new(true).mode(0o600).open(file);
    made.and_then(|mut made| writeln!(made, "{token}")).map_err(|e| Failure::write(file, &e))
}
