//! After the story: the evidence taken out and verified offline, what each connector saw, and the canary scan.

use std::collections::BTreeMap;

use selvedge_engine::Fact;
use selvedge_engine::ports::Access;
use selvedge_engine::ports::store::RunId;
use serde_json::Value;

use super::canary::{self, Found};
use super::people;
use super::stage::Stage;
use crate::failure::Failure;
use crate::{node, print};

/// What one connector did and saw.
#[derive(Default)]
struct Saw {
    attempts: u64,
    accesses: Vec<Access>,
}

/// What the demonstration shows at its end.
pub struct Summary {
    interaction: String,
    messages: u64,
    charges: u64,
    canaries: Vec<Found>,
    /// Card fields that a person looked at.
    card_reads: usize,
    /// The customer said stop, so that nobody pays.
    stopped: bool,
    saw: BTreeMap<String, Saw>,
    pack: std::path::PathBuf,
    public_key: std::path::PathBuf,
    verified: Result<selvedge_record::Verified, selvedge_record::Fault>,
}

/// Gathers it all. Messages and charges are the vendors' counts, not ours.
pub async fn gather(stage: &Stage, id: &RunId) -> miette::Result<Summary> {
    let pack = stage.folder.path.join("evidence").join(format!("{}.jsonl", id.interaction));
    let text = people::take_evidence(stage, &id.interaction).await?;
    std::fs::create_dir_all(pack.parent().unwrap_or(&pack)).map_err(|e| Failure::write(&pack, &e))?;
    std::fs::write(&pack, &text).map_err(|e| Failure::write(&pack, &e))?;
    // As an auditor would: the file as it lies there, and the key that the operator published.
    let bytes = std::fs::read(&pack).map_err(|e| Failure::read(&pack, &e))?;
    let verified = selvedge_record::pack::verify(&bytes, Some(&stage.folder.keys.log_key.verifier()));
    let told =
        stage.engine.events(id).await?.into_iter().map(|event| Fact::from_kind_and_data(&event.kind, event.data));
    let told = told.collect::<Result<Vec<_>, _>>()?;
    let stopped = told.iter().any(|fact| matches!(fact, Fact::ConsentRevoked(_)));
    let (saw, card_reads) = read_from(&told);
    Ok(Summary {
        interaction: id.interaction.clone(),
        messages: count(
            &people::control(stage, &format!("{}/control/ledger", stage.texts.base_url)).await?,
            "messages",
        ),
        charges: count(&people::control(stage, &format!("{}/control/ledger", stage.cards.base_url)).await?, "charges"),
        canaries: canary::scan(&stage.folder.path)?,
        saw,
        card_reads,
        stopped,
        pack,
        public_key: stage.folder.path.join(node::PUBLIC_KEY),
        verified,
    })
}

fn count(ledger: &Value, what: &str) -> u64 {
    ledger[what].as_u64().unwrap_or(0)
}

fn read_from(facts: &[Fact]) -> (BTreeMap<String, Saw>, usize) {
    let (mut saw, mut by_key, mut card_reads) = (BTreeMap::<String, Saw>::new(), BTreeMap::new(), 0);
    for fact in facts {
        match fact {
            Fact::Intended { key, connector, .. } => {
                saw.entry(connector.clone()).or_default().attempts += 1;
                by_key.insert(key, connector);
            }
            Fact::Done { key, accesses, .. }
            | Fact::Postponed { key, accesses, .. }
            | Fact::Unclear { key, accesses, .. } => {
                if let Some(connector) = by_key.get(key) {
                    saw.entry((*connector).clone()).or_default().accesses.extend(accesses.iter().cloned());
                }
            }
            Fact::Read { fields, .. } => card_reads += fields.iter().filter(|name| name.contains("card.")).count(),
            _ => {}
        }
    }
    (saw, card_reads)
}

impl Summary {
    fn reveals(&self) -> usize {
        self.saw.values().flat_map(|s| &s.accesses).filter(|a| a.how == "reveal").count()
    }

    /// Whether everything is as it must be.
    pub fn is_good(&self) -> bool {
        self.verified.is_ok()
            && self.canaries.is_empty()
            && self.reveals() == 0
            && self.card_reads == 0
            && self.charges == u64::from(!self.stopped)
    }

    /// The summary line.
    pub fn json(&self) -> Value {
        serde_json::json!({
            "interaction": self.interaction,
            "messages": self.messages,
            "charges": self.charges,
            "reveals": self.reveals(),
            "canaries": self.canaries.len(),
            "verified": self.verified.is_ok(),
        })
    }

    /// In words.
    pub fn print(&self) {
        say!("\nWhat each connector saw");
        for (connector, saw) in &self.saw {
            say!("  {connector} ({} calls)", saw.attempts);
            let fields: std::collections::BTreeSet<String> = saw
                .accesses
                .iter()
                .map(|a| format!("{} ({}) as a handle; the host put it into {}", a.field, a.class, a.place))
                .collect();
            fields.iter().for_each(|line| say!("    {line}"));
            let revealed: Vec<&str> =
                saw.accesses.iter().filter(|a| a.how == "reveal").map(|a| a.field.as_str()).collect();
            say!("    revealed: {}", if revealed.is_empty() { "none".into() } else { revealed.join(", ") });
        }
        let touched = |class: &str, connector: &str| {
            self.saw.get(connector).into_iter().flat_map(|s| &s.accesses).filter(|a| a.class == class).count()
        };
        say!("\nCounted by the vendors: {} messages, {} charge(s)", self.messages, self.charges);
        say!(
            "Health fields given to the card gateway: {}. Card fields read by a person: {}.",
            touched("PHI", "northgate-cards"),
            self.card_reads
        );
        match self.canaries.as_slice() {
            [] => {
                say!("Canaries (card number, security code, diagnosis) in tables, logs, ledgers and evidence: 0 found")
            }
            found => found
                .iter()
                .for_each(|f| say!("CANARY OUT: the {} stands in {} at byte {}", f.canary, f.file.display(), f.at)),
        }
        say!("\nThe record, taken out over the API and verified from the file alone");
        match &self.verified {
            Ok(verified) => print::verified(verified),
            Err(fault) => say!("NOT VERIFIED  {fault}"),
        }
        say!("\nTry it:  selvedge record verify {} --key {}", self.pack.display(), self.public_key.display());
        say!("         selvedge record show {}", self.pack.display());
    }
}
