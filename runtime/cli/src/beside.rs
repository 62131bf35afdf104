//! A node's data from beside the nodes that run on them: what the command line reads, exports and steers. Nothing is
//! driven here, and nobody is called.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use selvedge_engine::ports::store::{Journal, RunId, Store};
use selvedge_engine::ports::{Clock, Micros};
use selvedge_engine::{Engine, Who};
use selvedge_store::PostgresStore;

use crate::clock::{StoryClock, SystemClock, wall};
use crate::data_or_demo;
use crate::node::{DATABASE, Folder, Keys};
use crate::record::TENANT;
use crate::serve::settings::NodeSettings;

const DAY: Micros = 86_400_000_000;

/// What every command beside a node is told.
#[derive(Args)]
pub struct Asked {
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// The data folder; the demonstration's when left out.
    #[arg(long)]
    data: Option<PathBuf>,
}

impl Asked {
    /// The data folder.
    pub fn folder(&self) -> miette::Result<PathBuf> {
        data_or_demo(self.data.clone())
    }

    /// [`Beside::open`].
    pub async fn open(&self) -> miette::Result<Beside> {
        Beside::open(&self.folder()?).await
    }
}

/// The same where something is changed.
#[derive(Args)]
pub struct By {
    /// Who you are, for the record; the system's name for you when left out.
    #[arg(long = "as", value_name = "WHO")]
    who: Option<String>,
    #[command(flatten)]
    pub asked: Asked,
}

impl By {
    /// Who acts. Whoever holds the data folder is no session: the record says so.
    pub fn who(&self) -> Who {
        let name = self.who.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "unnamed".into());
        Who { actor: format!("operator:{name}"), function: Some("holder of the data folder".into()), ..Who::default() }
    }
}

/// Says what was done, for a program or in words.
pub fn say_done(json: bool, told: &serde_json::Value, words: &str) {
    match json {
        true => say!("{told}"),
        false => say!("{words}"),
    }
}

/// A data folder, with the database that its records may be in.
pub struct Beside {
    /// The tenant of the folder's node.
    pub tenant: String,
    /// Reads, and leaves what it is told in inboxes.
    pub engine: Engine,
    /// The folder's keys.
    pub keys: Keys,
}

impl Beside {
    /// Opens a data folder at the time of its node: the machine's, or in a folder of the demonstration its story's.
    ///
    /// Errors: C906 (it is none), and the store's.
    pub async fn open(data: &Path) -> miette::Result<Beside> {
        // What is written with this time, such as a kill switch, must not stand before what is there.
        Beside::with(data, |served, newest| match served {
            true => Arc::new(SystemClock::not_before(newest)),
            false => Arc::new(StoryClock::at(newest)),
        })
        .await
    }

    /// The same as it will be so many days from now.
    pub async fn ahead(data: &Path, days: i64) -> miette::Result<Beside> {
        Beside::with(data, |_, newest| Arc::new(StoryClock::at(wall().max(newest) + days * DAY))).await
    }

    async fn with(data: &Path, clock: impl FnOnce(bool, Micros) -> Arc<dyn Clock>) -> miette::Result<Beside> {
        let told = NodeSettings::tenant(data)?;
        let database = std::env::var(DATABASE).ok().filter(|_| told.is_some() && !Folder::is_at(data));
        let (store, newest, keys): (Arc<dyn Store>, _, Keys) = match database {
            Some(url) => {
                let store = PostgresStore::open(&url.parse()?).await?;
                let newest = store.newest().await?;
                (Arc::new(store), newest, Keys::load(data, newest.is_some())?)
            }
            None => {
                let folder = Folder::beside(data, told.is_some()).await?;
                (Arc::new(folder.store.clone()), folder.newest().await?, folder.keys)
            }
        };
        let engine = keys.reader(store, clock(told.is_some(), newest.unwrap_or(0)));
        Ok(Beside { tenant: told.unwrap_or_else(|| TENANT.into()), engine, keys })
    }

    /// An interaction of this tenant.
    pub fn id(&self, interaction: String) -> RunId {
        RunId { tenant: self.tenant.clone(), interaction }
    }
}
