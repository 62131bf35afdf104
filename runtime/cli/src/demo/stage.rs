//! The stage: everything that the story needs, set up in a data folder and started.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use miette::IntoDiagnostic;
use secrecy::SecretString;
use selvedge_doubles::{DoubleConfig, RunningDouble, brightline, northgate};
use selvedge_engine::inbound::{CONFIRMS, ENDS_PAYMENTS, HELPS};
use selvedge_engine::ports::store::Customers;
use selvedge_engine::ports::{Clock, Random};
use selvedge_engine::{Engine, Settings};
use selvedge_host::{Connection, Connections};
use selvedge_policy::{Access, Consent, CustomerState, ZoneEvidence};
use selvedge_server::{ServerParts, router, serve};
use selvedge_store::sqlite::writer::Watch;
use tokio::net::TcpListener;

use super::place::Place;
use super::{Arguments, canary, people};
use crate::clock::{StoryClock, SystemRandom};
use crate::failure::Failure;
use crate::node::{self, Folder};
use crate::record::TENANT;
use crate::{connector, home, log, retention};

/// The workflow of the story.
pub const WORKFLOW: &str = "healthcare-balance";
/// The patient.
pub const PATIENT: &str = "c_ada";
/// Where the patient's texts arrive.
pub const MOBILE: &str = "+13125550142";
/// The organisation.
const CLINIC: &str = "Riverside Clinic";
/// Monday 2026-11-23, 10:04 in Chicago: a fixed day, so that the story is the same whenever it is told.
const MONDAY: i64 = 1_795_449_840_000_000;
/// Who may do what.
const ACCESS: &str = "policies/access.cedar";

/// A running node with its vendors.
pub struct Stage {
    /// The data folder.
    pub folder: Folder,
    /// The clock that the story moves.
    pub clock: Arc<StoryClock>,
    /// The engine.
    pub engine: Engine,
    /// What a second start must find again.
    pub place: Place,
    /// The SMS vendor.
    pub texts: RunningDouble,
    /// The card gateway.
    pub cards: RunningDouble,
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    /// For people's requests.
    pub http: reqwest::Client,
}

/// Whether a node runs in this folder.
pub fn in_use(folder: &Path) -> bool {
    let lock = std::fs::File::options().write(true).open(folder.join(node::LOCK));
    lock.is_ok_and(|file| file.try_lock().is_err())
}

impl Stage {
    /// Sets everything up, or takes up what is in `path` already.
    pub async fn set(home: &Path, path: &Path, port: Option<u16>, watch: Option<Watch>) -> miette::Result<Stage> {
        // Before the clock starts: building may take a while.
        let components = connector::build(home).await?;
        if in_use(path) {
            return Err(Failure::InUse { folder: path.display().to_string() }.into());
        }
        // A port that is taken leaves no folder behind.
        let before = Place::find(path);
        let (listener, port) = listen(port.or(before.as_ref().map(|p| p.port))).await?;
        let folder = Folder::open(path, watch).await?;
        log::to(path)?;
        let clock = Arc::new(StoryClock::at(folder.newest().await?.unwrap_or(MONDAY).max(MONDAY)));
        let mut place = before.unwrap_or_else(|| Place::new(path, port));
        place.port = port;
        let url = format!("http://127.0.0.1:{port}");

        let double = |name: &str| DoubleConfig {
            dir: path.join("doubles"),
            webhook_url: format!("{url}/webhooks/{name}"),
            api_key: place.api_key.clone(),
            webhook_secret: place.webhook_secret_of(name),
            control_token: place.control_token.clone(),
            port: 0,
            now: {
                let clock = clock.clone();
                Arc::new(move || clock.now())
            },
        };
        let texts = brightline(double("brightline")).await.into_diagnostic()?;
        let cards = northgate(double("northgate")).await.into_diagnostic()?;
        place.vendors = [("brightline", &texts), ("northgate", &cards)]
            .map(|(name, double)| (name.to_owned(), double.base_url.clone()))
            .into();
        place.keep()?;

        let connection = |name: &str, double: &RunningDouble| Connection {
            base_url: double.base_url.clone(),
            credential: SecretString::from(place.api_key.clone()),
            webhook_secret: Some(SecretString::from(place.webhook_secret_of(name))),
        };
        let connections = Connections::from([
            ("brightline".into(), connection("brightline", &texts)),
            ("northgate".into(), connection("northgate", &cards)),
        ]);
        let registry = connector::load(home, components, connections).await?;
        let facts = registry.connector_facts();

        let sender = BTreeMap::from([
            ("sender.name".to_owned(), CLINIC.to_owned()),
            ("sender.phone".to_owned(), "312-555-0100".to_owned()),
        ]);
        let files = home::definitions(home)?;
        let settings = Settings { sender, public_url: url.clone(), opt_out: home::opt_out(&files)? };
        let engine = folder.engine(Arc::new(registry), clock.clone(), settings);
        let publish = async |workflow: &str| -> miette::Result<_> {
            let published = engine.publish(TENANT, &files, workflow, &facts).await?;
            Ok(published.map_err(|findings| Failure::Findings { findings })?)
        };
        for answer in [CONFIRMS, ENDS_PAYMENTS, HELPS] {
            publish(answer).await?;
        }
        let definition = publish(WORKFLOW).await?;
        if folder.store.customer(TENANT, PATIENT).await?.is_none() {
            engine
                .put_customer(&definition.dictionary, TENANT, PATIENT, &consents(clock.now(), MOBILE), &fields(MOBILE))
                .await?;
        }

        let access = Access::load(ACCESS, files.get(ACCESS).map_or("", String::as_str))
            .map_err(|findings| Failure::Findings { findings })?;
        let parts = ServerParts {
            engine: engine.clone(),
            access,
            // Its clock jumps over days: nothing begins by itself.
            schedules: Vec::new(),
            tenant: TENANT.into(),
            sender_name: CLINIC.into(),
            public_url: url.clone(),
            test_mode: true,
        };
        tokio::spawn(serve(listener, router(parts), std::future::pending()));
        tokio::spawn({
            let engine = engine.clone();
            async move { engine.run().await }
        });
        tokio::spawn({
            let (engine, policy) = (engine.clone(), retention::policy(&files)?);
            async move { engine.sweep(TENANT, &policy).await }
        });
        tokio::spawn({
            let engine = engine.clone();
            async move { engine.conduct(TENANT, &[]).await }
        });
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .into_diagnostic()?;
        Ok(Stage { folder, clock, engine, place, texts, cards, url, http })
    }

    /// Keeps the node up until it is interrupted. Each line of stdin that is a time moves the clock on to it.
    pub async fn serve(&self, arguments: &Arguments) -> miette::Result<()> {
        let token = people::session(self, "sam", "supervisor").await?;
        let auditor = people::session(self, "noor", "auditor").await?;
        let say = |line: String| if arguments.json { eprintln!("{line}") } else { say!("{line}") };
        say(format!("\nconsole     {}/console", self.url));
        say(format!("sign in as  supervisor  {token}"));
        say(format!("            auditor     {auditor}  (may export)"));
        say("time        a line such as 2026-12-01T09:00:00-06:00 moves the node's clock there".into());
        say("stop with Ctrl-C".into());
        let (clock, json) = (self.clock.clone(), arguments.json);
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                let told = match line.trim().parse::<Timestamp>() {
                    Ok(until) => {
                        clock.move_to(until.as_microsecond());
                        format!("it is       {until}")
                    }
                    Err(_) => "that is no time such as 2026-12-01T09:00:00-06:00".into(),
                };
                if json { eprintln!("{told}") } else { say!("{told}") }
            }
        });
        tokio::signal::ctrl_c().await.into_diagnostic()
    }
}

/// Ports of which systems hand out none by themselves: a demonstration that was killed wants its own again.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// How many of them are tried.
const MOST_PORTS: u32 = 20;

/// On this port; or on any that will be free later as well.
async fn listen(port: Option<u16>) -> miette::Result<(TcpListener, u16)> {
    let any = || {
        let mut random = [0; 2];
        SystemRandom.fill(&mut random);
        PORTS.start + u16::from_le_bytes(random) % (PORTS.end - PORTS.start)
    };
    let mut tries = if port.is_some() { 1 } else { MOST_PORTS };
    loop {
        let port = port.unwrap_or_else(any);
        tries -= 1;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => {
                let port = listener.local_addr().into_diagnostic()?.port();
                return Ok((listener, port));
            }
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => return Err(error).into_diagnostic(),
            Err(_) if tries == 0 => return Err(Failure::PortInUse { port }.into()),
            Err(_) => {}
        }
    }
}

/// The patient agreed, at registration, to texts about the bill; lives in Chicago.
pub fn consents(now: i64, mobile: &str) -> CustomerState {
    let consent = Consent {
        purpose: "billing".into(),
        channel: "sms".into(),
        granted: true,
        at: now - 90 * 86_400_000_000,
        words: "You may text me about my bill. I can stop it at any time by replying STOP.".into(),
        act: "signature".into(),
        ..Consent::default()
    };
    let address = ZoneEvidence { zone: "America/Chicago".into(), source: "address".into() };
    CustomerState {
        consents: vec![consent],
        zones: std::iter::once(address).chain(ZoneEvidence::of_phone(mobile)).collect(),
        jurisdictions: vec!["US".into(), "US-IL".into()],
        ..CustomerState::default()
    }
}

/// What is on file about the patient.
pub fn fields(mobile: &str) -> Vec<(String, SecretString)> {
    let field = |path: &str, value: &str| (path.to_owned(), SecretString::from(value.to_owned()));
    vec![
        field("patient.name", "Ada Example"),
        field("patient.mobile", mobile),
        field("account.balance", "{\"minor\":37550,\"currency\":\"USD\"}"),
        field("account.month", "2026-10"),
        field("visit.diagnosis", canary::DIAGNOSIS),
    ]
}
