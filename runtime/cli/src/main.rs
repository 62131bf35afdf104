//! The `selvedge` binary: the only place where rooms are wired to one another, and where a clock is read.
//!
//! Data go to stdout, everything else to stderr. Exit codes: [`exit`].

#[macro_use]
mod print;
mod backup;
mod bench;
mod beside;
mod campaign;
mod clock;
mod connector;
mod csv;
mod customer;
mod demo;
mod failure;
mod home;
mod kill;
mod log;
mod node;
mod policy;
#[cfg(test)]
mod readers;
mod record;
mod retention;
mod rules;
mod run;
mod schedule;
mod serve;
mod staff;
mod workflow;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A step takes and gives back some hundred small pieces of memory, many on another thread than took them; the system's own
/// allocator spends a tenth of a step on that, and gives pages back only to ask for them again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the process answers to its caller.
pub mod exit {
    /// Something could not be done; stderr says what, where and how to mend it.
    pub const FAILED: u8 = 1;
    /// What was checked does not hold: evidence that does not verify, a workflow that is refused.
    pub const REFUSED: u8 = 3;
}

/// Runs verify → communicate → pay workflows whose evidence verifies itself.
#[derive(Parser)]
#[command(name = "selvedge", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the healthcare story on real parts and vendor doubles, and verify its evidence.
    Demo(demo::Arguments),
    /// Take a data folder away while its node runs: a verified snapshot, without the keys.
    Backup(backup::Backup),
    /// Bring a backup back as a new data folder.
    Restore(backup::Restore),
    /// Run a node, on SQLite or on a PostgreSQL that many nodes share.
    Serve(serve::Arguments),
    /// Start a campaign over many customers, see how far it is, pause and stop it.
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// See when workflows begin by themselves, and pause that.
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// Bring customers in.
    #[command(subcommand)]
    Customer(customer::Command),
    /// Sign colleagues in.
    #[command(subcommand)]
    Staff(staff::Command),
    /// List, export, verify and read records.
    #[command(subcommand)]
    Record(record::Command),
    /// Stop a workflow, a connector, a vendor, a channel or a tenant at once, and let it go on.
    #[command(subcommand)]
    Kill(kill::Command),
    /// List and destroy what has outlived its rule.
    #[command(subcommand)]
    Retention(retention::Command),
    /// Set, lift and list legal holds: what is held is not destroyed.
    #[command(subcommand)]
    Hold(retention::Hold),
    /// See where runs stand, and pause, resume, cancel, retry or decide.
    #[command(subcommand)]
    Run(run::Command),
    /// Check workflows.
    #[command(subcommand)]
    Workflow(workflow::Command),
    /// Look at connectors.
    #[command(subcommand)]
    Connector(connector::Command),
    /// Ask the policies whether a contact would be allowed, and play their tables.
    #[command(subcommand)]
    Policy(policy::Command),
    /// List the rules.
    #[command(subcommand)]
    Rules(rules::Command),
    /// Measure this machine, or kill a node under load and count what was lost.
    #[command(subcommand)]
    Bench(bench::Command),
}

/// Where the demonstration keeps its data when nobody says otherwise, below the project's folder.
pub const DEMO_DATA: &str = ".selvedge/demo";

/// `--data`, or the demonstration's folder.
fn data_or_demo(data: Option<PathBuf>) -> miette::Result<PathBuf> {
    data.map_or_else(|| Ok(home::find()?.join(DEMO_DATA)), Ok)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A path or a command that is broken over lines cannot be copied. Fails only where a hook is set already.
    let _ = miette::set_hook(Box::new(|_| Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(4 << 20).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the system gives no threads: {error}");
            return ExitCode::from(exit::FAILED);
        }
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Backup(arguments) => backup::backup(arguments).await,
            Command::Restore(arguments) => backup::restore(arguments).await,
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Campaign(command) => campaign::run(command).await,
            Command::Schedule(command) => schedule::run(command).await,
            Command::Customer(command) => customer::run(command).await,
            Command::Staff(command) => staff::run(command).await,
            Command::Record(command) => record::run(command).await,
            Command::Run(command) => run::run(command).await,
            Command::Kill(command) => kill::run(command).await,
            Command::Retention(command) => retention::run(command).await,
            Command::Hold(command) => retention::hold(command).await,
            Command::Workflow(command) => workflow::run(command).await,
            Command::Connector(command) => connector::run(command).await,
            Command::Policy(command) => policy::run(command).await,
            Command::Rules(command) => rules::run(command).await,
            Command::Bench(command) => bench::run(command).await,
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match done {
        Ok(code) => code,
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::from(exit::FAILED)
        }
    }
}
