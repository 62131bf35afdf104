//! `selvedge bench crash`: a node under load is killed, again and again, at moments that a seed draws. At the end its
//! record and the vendor's own ledger are counted: what was promised and is not there is lost, what the vendor took twice
//! or the record tells twice is duplicated.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use miette::IntoDiagnostic;
use selvedge_doubles::{DoubleConfig, RunningDouble, brightline};
use selvedge_engine::ports::Random;
use selvedge_engine::ports::store::{Journal, RunId};
use selvedge_engine::{Engine, Fact};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Place;
use super::load::{DONE, READY};
use super::stage::{KEY, ORDERS, build};
use crate::clock::{StoryClock, SystemRandom};
use crate::failure::Failure;
use crate::node::Folder;
use crate::record::TENANT;
use crate::{exit, home};

const SIGKILL: i32 = 9;
/// How long a node may take to get ready, or to end its work undisturbed.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub struct Arguments {
    /// How often the node is killed.
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Executions in all; each start opens its share of them.
    #[arg(long, default_value_t = 500)]
    executions: usize,
    /// Draws the same moments again.
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Keep the data below this folder; a passing one when left out.
    #[arg(long)]
    data: Option<PathBuf>,
}

pub async fn run(arguments: Arguments) -> miette::Result<ExitCode> {
    let home = home::find()?;
    let place = Place::new(arguments.data.as_ref(), "crash")?;
    std::fs::create_dir_all(&place.path).map_err(|error| Failure::write(&place.path, &error))?;
    let component = place.path.join("spindle.wasm");
    std::fs::write(&component, build(&home).await?).map_err(|error| Failure::write(&component, &error))?;
    let vendor = vendor(&place.path).await?;
    let seed = arguments.seed.unwrap_or_else(|| {
        let mut bytes = [0; 8];
        SystemRandom.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    });
    let ground = Ground { data: place.path.join("node"), component, vendor: vendor.base_url.clone() };

    let (mut moments, mut promised, mut killed) = (Moments(seed), BTreeSet::new(), 0);
    let share = |start: u32| arguments.executions * (start as usize + 1) / (arguments.kills as usize + 1);
    let mut whole = Duration::from_millis(50);
    for kill in 0..arguments.kills {
        let mut node = Node::start(&ground, share(kill)).await?;
        // The first moments lie within a guess, later ones within the time that the last share would have taken.
        let until = Instant::now() + moments.within(whole);
        let taken = node.listen(until, &mut promised).await?;
        killed += u32::from(node.kill()?);
        whole = taken.map_or(whole.mul_f64(1.1), |taken| taken.mul_f64(1.2)).min(Duration::from_millis(400));
    }
    let recovering = Instant::now();
    let mut node = Node::start(&ground, arguments.executions).await?;
    let ready = recovering.elapsed();
    let done = node.listen(Instant::now() + PATIENCE, &mut promised).await?;
    node.kill()?;
    let stuck = || Failure::Measurement { at: "the end".into(), why: format!("executions did not end; seed {seed}") };
    done.ok_or_else(stuck)?;

    let counted = count(&ground, &place.path, &promised, arguments.executions).await?;
    let good = counted.lost.is_empty() && counted.duplicated.is_empty();
    let summary = json!({
        "kills": killed,
        "lost": counted.lost.len(),
        "duplicated": counted.duplicated.len(),
        "seed": seed,
        "executions": arguments.executions,
        "attempts_repeated": counted.repeated,
        "restart_ready_s": super::meter::round(ready.as_secs_f64()),
    });
    if arguments.json {
        say!("{summary}");
    } else {
        say!("{killed} kills, {} lost, {} duplicated, seed {seed}", counted.lost.len(), counted.duplicated.len());
    }
    for what in counted.lost.iter().chain(&counted.duplicated) {
        eprintln!("{what}");
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) })
}

/// The vendor, in this process, which nobody kills: it remembers what it took.
async fn vendor(path: &Path) -> miette::Result<RunningDouble> {
    let config = DoubleConfig {
        dir: path.to_owned(),
        webhook_url: String::new(),
        api_key: KEY.into(),
        webhook_secret: "whsec_bench".into(),
        control_token: "ctl_bench".into(),
        port: 0,
        now: Arc::new(|| 0),
    };
    brightline(config).await.into_diagnostic()
}

/// What every start of the node finds again.
struct Ground {
    data: PathBuf,
    component: PathBuf,
    vendor: String,
}

/// The process that is killed.
struct Node {
    child: Child,
    said: mpsc::UnboundedReceiver<String>,
    ready: Instant,
}

impl Node {
    /// Starts it and waits until it takes on work.
    async fn start(ground: &Ground, executions: usize) -> miette::Result<Node> {
        let mut command = Command::new(std::env::current_exe().into_diagnostic()?);
        command.args(["bench", "load", "--vendor", &ground.vendor, "--executions", &executions.to_string()]);
        command.arg("--data").arg(&ground.data).arg("--component").arg(&ground.component);
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().into_diagnostic()?;
        let stdout = child.stdout.take();
        let (say, said) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            // A line that the end of the process cut off was never said.
            for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(Result::ok) {
                if say.send(line).is_err() {
                    break;
                }
            }
        });
        let mut node = Node { child, said, ready: Instant::now() };
        match tokio::time::timeout(PATIENCE, node.said.recv()).await {
            Ok(Some(line)) if line == READY => node.ready = Instant::now(),
            _ => {
                let why = "the node did not get ready".into();
                return Err(Failure::Measurement { at: "a start".into(), why }.into());
            }
        }
        Ok(node)
    }

    /// Hears which executions it promises, until this moment or until all are over: then how long that took.
    async fn listen(&mut self, until: Instant, promised: &mut BTreeSet<String>) -> miette::Result<Option<Duration>> {
        while let Ok(line) = tokio::time::timeout_at(until.into(), self.said.recv()).await {
            match line {
                Some(line) if line == DONE => return Ok(Some(self.ready.elapsed())),
                Some(id) => drop(promised.insert(id)),
                None => {
                    let why = "the node went by itself".into();
                    return Err(Failure::Measurement { at: "the load".into(), why }.into());
                }
            }
        }
        Ok(None)
    }

    /// `kill -9`. Whether that is what ended it.
    fn kill(mut self) -> miette::Result<bool> {
        use std::os::unix::process::ExitStatusExt;
        self.child.kill().into_diagnostic()?;
        Ok(self.child.wait().into_diagnostic()?.signal() == Some(SIGKILL))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It is gone already where it was killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Moments(u64);

impl Moments {
    fn within(&mut self, whole: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        whole.mul_f64((mixed >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// What the record and the ledger say, each wrong thing in words.
struct Counted {
    lost: Vec<String>,
    duplicated: Vec<String>,
    /// Attempts that were made again because nobody knew what became of them.
    repeated: usize,
}

async fn count(
    ground: &Ground,
    ledger: &Path,
    promised: &BTreeSet<String>,
    executions: usize,
) -> miette::Result<Counted> {
    let folder = Folder::beside(&ground.data, false).await?;
    let engine = folder.reader(Arc::new(StoryClock::at(0)));
    let limit = u32::try_from(2 * executions + promised.len()).unwrap_or(u32::MAX);
    let runs = folder.store.runs(TENANT, limit).await?;
    let mut counted = Counted { lost: Vec::new(), duplicated: Vec::new(), repeated: 0 };
    let there: BTreeSet<&str> = runs.iter().map(|run| run.interaction.as_str()).collect();
    let gone = promised.iter().filter(|id| !there.contains(id.as_str()));
    counted.lost.extend(gone.map(|id| format!("lost: {id} was promised and is not in the store")));
    let ordered = orders(ledger)?;
    for run in &runs {
        if run.summary.at != "completed" || !run.summary.over {
            counted.lost.push(format!("lost: {} stands at {}", run.interaction, run.summary.at));
        }
        read(&engine, &run.interaction, &mut counted).await?;
        for step in ORDERS {
            let times = ordered.get(&format!("{}.{step}", run.interaction)).copied().unwrap_or(0);
            match times {
                0 => counted.lost.push(format!("lost: the vendor has no order {step} of {}", run.interaction)),
                1 => {}
                _ => counted.duplicated.push(format!("duplicated: {times} orders {step} of {}", run.interaction)),
            }
        }
    }
    Ok(counted)
}

/// Reads a record, whose chain is checked on the way: no effect comes out twice, none is begun again when it is out.
async fn read(engine: &Engine, interaction: &str, counted: &mut Counted) -> miette::Result<()> {
    let id = RunId { tenant: TENANT.into(), interaction: interaction.into() };
    let mut done = BTreeSet::new();
    for event in engine.events(&id).await? {
        match Fact::from_kind_and_data(&event.kind, event.data)? {
            Fact::Intended { key, attempt, .. } => {
                counted.repeated += usize::from(attempt > 1);
                if done.contains(&key) {
                    counted.duplicated.push(format!("duplicated: {key} was begun again when it was out"));
                }
            }
            Fact::Done { key, .. } if !done.insert(key.clone()) => {
                counted.duplicated.push(format!("duplicated: {key} came out twice"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// How often the vendor took each order, by `<interaction>.<step>`, from its ledger on the disk.
fn orders(ledger: &Path) -> miette::Result<BTreeMap<String, usize>> {
    let path = ledger.join("brightline.jsonl");
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::read(&path, &error))?;
    let mut orders = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).into_diagnostic()?;
        let Some(key) = line.pointer("/entry/what/client_ref").and_then(Value::as_str) else { continue };
        let order: Vec<&str> = key.split('.').take(2).collect();
        *orders.entry(order.join(".")).or_default() += 1;
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_moments_again() {
        let whole = Duration::from_secs(1);
        let draw = |seed| {
            std::iter::repeat_with({
                let mut moments = Moments(seed);
                move || moments.within(whole)
            })
            .take(20)
            .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(9).iter().all(|moment| *moment < whole));
    }
}
