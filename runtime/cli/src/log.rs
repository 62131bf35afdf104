//! The node's log: JSON lines in the data folder, so that nothing of it mixes with what a command prints. Names of
//! fields and reasons, never values.

use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// The log, below a data folder.
pub const LOG: &str = "log/node.log";

/// Logs to [`LOG`] in the folder; `SELVEDGE_LOG` sets the level, `info` when unset.
pub fn to(folder: &Path) -> Result<(), Failure> {
    let path = folder.join(LOG);
    let open = || {
        std::fs::create_dir_all(folder.join("log"))?;
        std::fs::File::options().create(true).append(true).open(&path)
    };
    let file = open().map_err(|e| Failure::write(&path, &e))?;
    let filter = EnvFilter::try_from_env("SELVEDGE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second node in one process logs where the first one does.
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(Mutex::new(file)).try_init();
    Ok(())
}
