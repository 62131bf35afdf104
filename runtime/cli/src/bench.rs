//! `selvedge bench`: how fast is it here, and does it stay exact when it is killed? Everything is real: the engine, the
//! sandbox, the store at full durability, intent and outcome durable, chain and log on. Each number stands beside the
//! floor that the same machine allowed in the same run. The fields are those of the peers' harness, so that lines of
//! both can be laid side by side.

mod campaign;
mod crash;
mod each;
mod flat;
mod floor;
mod ground;
mod idle;
mod load;
mod meter;
mod simulate;
mod stage;
mod start;
mod steps;
mod story;
mod timers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use selvedge_store::postgres::Address;

pub use load::Arguments as LoadArguments;

#[derive(Subcommand)]
pub enum Command {
    /// Executions of ten steps, each one call of a component that answers with 200 bytes: many at once, one at a time,
    /// and many that sleep.
    Steps(steps::Arguments),
    /// Timers that fire together: how long until all went on.
    Timers(timers::Arguments),
    /// What a node costs that has nothing to do beside many parked runs.
    Idle(idle::Arguments),
    /// Steps a second beside many finished and parked runs, and in an empty store.
    Flat(flat::Arguments),
    /// The healthcare story end to end, many at a time.
    Story(story::Arguments),
    /// Runs of a `for-each` of 100 items that are all under way at once.
    Each(each::Arguments),
    /// A campaign over many customers, each with an execution of one step.
    Campaign(campaign::Arguments),
    /// Kill a node at random moments under load, and count what was lost or done twice.
    Crash(crash::Arguments),
    /// Made-up customers through a workflow, as `workflow simulate` plays them.
    Simulate(simulate::Arguments),
    /// Workflows compiled and proved, as a node does before it takes work.
    Start(start::Arguments),
    /// The node that `crash` kills.
    #[command(hide = true)]
    Load(LoadArguments),
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Steps(arguments) => steps::run(arguments).await,
        Command::Timers(arguments) => timers::run(arguments).await,
        Command::Idle(arguments) => idle::run(arguments).await,
        Command::Flat(arguments) => flat::run(arguments).await,
        Command::Story(arguments) => story::run(arguments).await,
        Command::Each(arguments) => each::run(arguments).await,
        Command::Campaign(arguments) => campaign::run(arguments).await,
        Command::Crash(arguments) => crash::run(arguments).await,
        Command::Simulate(arguments) => simulate::run(arguments).await,
        Command::Start(arguments) => start::run(&arguments),
        Command::Load(arguments) => load::run(arguments).await,
    }
}

/// A folder for one measurement: below the one that was named, or a new one of the system's temporary folder, which goes with
/// its owner. With a database, that has the records and the folder the keys.
struct Place {
    path: PathBuf,
    passing: bool,
    database: Option<Address>,
}

impl Place {
    /// A folder that stays, and may be there already.
    fn at(path: &Path) -> Place {
        Place { path: path.to_owned(), passing: false, database: None }
    }

    fn new(data: Option<&PathBuf>, name: &str) -> miette::Result<Place> {
        let (parent, passing) = match data {
            Some(data) => (data.clone(), false),
            None => (std::env::temp_dir().join(format!("selvedge-bench-{}", std::process::id())), true),
        };
        let path = parent.join(name);
        if path.exists() {
            let why = "there is something already".into();
            return Err(crate::failure::Failure::File { path: path.display().to_string(), what: "written", why }.into());
        }
        Ok(Place { path, passing, database: None })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.passing {
            // What cannot be removed lies in the temporary folder and is removed with it.
            let _ = std::fs::remove_dir_all(&self.path);
            let _ = self.path.parent().map(std::fs::remove_dir);
        }
    }
}
