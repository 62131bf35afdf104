//! What a demonstration must find again when it was killed: its ports, its vendors' keys, the customer's browser.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use selvedge_engine::ports::Random;
use serde::{Deserialize, Serialize};

use crate::clock::SystemRandom;
use crate::failure::Failure;

const FILE: &str = "demo.json";

/// Kept in the data folder, readable by its owner alone.
#[derive(Serialize, Deserialize)]
pub struct Place {
    #[serde(skip)]
    path: PathBuf,
    /// The node's port: the link in the customer's text message names it.
    pub port: u16,
    /// The vendors' API key, in this demonstration the same for both.
    pub api_key: String,
    /// What the vendors sign webhooks with.
    pub webhook_secret: String,
    /// For the doubles' control surface.
    pub control_token: String,
    /// Where the vendors listen, by the name of the connection: their control surfaces are for whoever tries things out.
    #[serde(default)]
    pub vendors: BTreeMap<String, String>,
    /// The cookie in the customer's browser.
    #[serde(default)]
    pub cookie: Option<String>,
    /// The story was told to its end.
    #[serde(default)]
    pub told: bool,
}

impl Place {
    /// What an earlier start left in `folder`.
    pub fn find(folder: &Path) -> Option<Place> {
        let path = folder.join(FILE);
        let place: Place = serde_json::from_str(&std::fs::read_to_string(&path).ok()?).ok()?;
        Some(Place { path, ..place })
    }

    /// A new one.
    pub fn new(folder: &Path, port: u16) -> Place {
        let secret = |prefix: &str| {
            let mut bytes = [0; 16];
            SystemRandom.fill(&mut bytes);
            format!("{prefix}{}", hex::encode(bytes))
        };
        Place {
            path: folder.join(FILE),
            port,
            api_key: secret("sk_test_"),
            webhook_secret: secret("whsec_"),
            control_token: secret("ctl_"),
            vendors: BTreeMap::new(),
            cookie: None,
            told: false,
        }
    }

    /// What one vendor signs with; none can sign for another.
    pub fn webhook_secret_of(&self, vendor: &str) -> String {
        format!("{}_{vendor}", self.webhook_secret)
    }

    /// Writes it down, whole or not at all.
    pub fn keep(&self) -> Result<(), Failure> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let text = serde_json::to_string(self).unwrap_or_default();
        let half = self.path.with_extension("new");
        let write = || {
            let mut file = std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&half)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&half, &self.path)
        };
        write().map_err(|e| Failure::write(&self.path, &e))
    }
}
