//! `selvedge demo`: the healthcare story on real parts. A node on SQLite, connectors in their sandbox, the two
//! vendors as doubles over HTTP, people who do what people do; then the evidence, verified offline.

mod by_hand;
mod canary;
mod crash;
pub mod customer;
pub mod people;
mod place;
pub mod stage;
mod story;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::{DEMO_DATA, exit, home};
use place::Place;
use stage::Stage;
pub use stage::in_use;

#[derive(Args)]
pub struct Arguments {
    /// Print events as JSON lines, and one summary line at the end.
    #[arg(long)]
    json: bool,
    /// Keep the node up afterwards and print the address of the console.
    #[arg(long)]
    serve: bool,
    /// Stop before the customer opens the payment link: you open it in a browser, and go on when it is paid.
    #[arg(long)]
    by_hand: bool,
    /// Keep the data here. Started again with the same folder, an unfinished story goes on.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The port of the node on 127.0.0.1; any free one when left out.
    #[arg(long)]
    port: Option<u16>,
    /// A fault of a vendor, before the story begins: `charges=timeout`, `messages=fail`, `charges=twice`.
    #[arg(long, value_name = "WHERE=KIND")]
    fault: Vec<String>,
    /// What the customer texts back when the link has arrived, before opening it: `STOP`, `please quit texting me`.
    #[arg(long, value_name = "TEXT", conflicts_with = "by_hand")]
    reply: Vec<String>,
    /// End the process at this commit, as `kill -9` would (for the crash tests).
    #[arg(long, hide = true)]
    die_at_commit: Option<u64>,
    /// On which side of that commit.
    #[arg(long, hide = true, value_enum, default_value = "before")]
    die: crash::Side,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let home = home::find()?;
    let folder = match &arguments.data {
        Some(folder) => folder.clone(),
        None => fresh_unless_unfinished(&home.join(DEMO_DATA))?,
    };
    let watch = arguments.die_at_commit.map(|nth| crash::at_commit(nth, arguments.die));
    let mut stage = Stage::set(&home, &folder, arguments.port, watch).await?;
    for fault in &arguments.fault {
        people::order_fault(&stage, fault).await?;
    }
    let mut teller = story::Teller::new(arguments.json);
    let by_hand = arguments.by_hand.then(|| by_hand::ByHand::new(arguments.json));
    let id = story::play(&mut stage, &mut teller, by_hand, arguments.reply.clone()).await?;
    let summary = summary::gather(&stage, &id).await?;
    let good = summary.is_good();
    stage.place.told = true;
    stage.place.keep()?;
    if arguments.json {
        say!("{}", summary.json());
    } else {
        summary.print();
    }
    if arguments.serve {
        stage.serve(&arguments).await?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) })
}

/// The usual folder: what a killed demonstration left goes on; what was told to its end makes room.
fn fresh_unless_unfinished(folder: &Path) -> Result<PathBuf, Failure> {
    let told = Place::find(folder).is_some_and(|place| place.told);
    if told && !in_use(folder) {
        std::fs::remove_dir_all(folder).map_err(|e| Failure::write(folder, &e))?;
    }
    Ok(folder.to_path_buf())
}
