//! `selvedge connector …`, and loading the first-party connectors.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use miette::IntoDiagnostic;
use secrecy::SecretString;
use selvedge_host::{Connection, Connections, Facts, Host, HostConfig, Package, Registry, build_workspace};

use crate::failure::Failure;
use crate::home;

#[derive(Subcommand)]
pub enum Command {
    /// Build the connectors in `plugins/` and print what each one is, asks and may do.
    Vet {
        /// One connector; all when left out.
        connector: Option<String>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A connector's papers: what it says of itself, and what an admin gave it.
pub struct Papers {
    /// Its name.
    pub name: String,
    /// `plugins/<name>/connector.yaml` and its text.
    pub manifest: (String, String),
    /// `grants/<name>.yaml` (below `workflows/`) and its text.
    pub grant: (String, String),
}

/// The papers of every connector in `plugins/`.
pub fn papers(home: &Path) -> Result<Vec<Papers>, Failure> {
    let plugins = home.join("plugins");
    let mut papers = Vec::new();
    for entry in std::fs::read_dir(&plugins).map_err(|e| Failure::read(&plugins, &e))?.flatten() {
        let manifest = entry.path().join("connector.yaml");
        if !manifest.is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let grant = home.join("workflows/grants").join(format!("{name}.yaml"));
        if !grant.is_file() {
            return Err(Failure::NoGrant { connector: name });
        }
        papers.push(Papers {
            manifest: (format!("plugins/{name}/connector.yaml"), home::text(&manifest)?),
            grant: (format!("workflows/grants/{name}.yaml"), home::text(&grant)?),
            name,
        });
    }
    papers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(papers)
}

/// Components by the name of their connector.
pub type Components = BTreeMap<String, Vec<u8>>;

/// Builds the connectors in `plugins/`; what is up to date is not built again.
pub async fn build(home: &Path) -> miette::Result<Components> {
    let plugins = home.join("plugins");
    let built = tokio::task::spawn_blocking(move || build_workspace(&plugins, &mut |line| eprintln!("  {line}")));
    Ok(built.await.into_diagnostic()??)
}

/// Loads components with their grants, ready to be called.
pub async fn load(home: &Path, mut components: Components, connections: Connections) -> miette::Result<Registry> {
    let papers = papers(home)?;
    let loaded = tokio::task::spawn_blocking(move || -> miette::Result<Registry> {
        let mut registry = Registry::new(Host::new(HostConfig::default())?);
        for Papers { name, manifest, grant } in papers {
            let Some(wasm) = components.remove(&name) else { continue };
            let connector = registry.host().load(Package { wasm, manifest, grant }, &connections)?;
            registry.add(connector)?;
        }
        Ok(registry)
    });
    loaded.await.into_diagnostic()?
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    let Command::Vet { connector, json } = command;
    let home = home::find()?;
    let registry = load(&home, build(&home).await?, nowhere(&home)?).await?;
    let chosen: Vec<Facts> =
        registry.facts().into_iter().filter(|f| connector.as_ref().is_none_or(|c| *c == f.connector)).collect();
    if let (Some(asked), true) = (&connector, chosen.is_empty()) {
        let path = format!("plugins/{asked}/connector.yaml");
        return Err(Failure::File { path, what: "read", why: "there is no such connector".into() }.into());
    }
    if json {
        say!("{}", serde_json::json!(chosen));
    } else {
        chosen.iter().for_each(page);
    }
    Ok(ExitCode::SUCCESS)
}

/// Connections that lead nowhere: enough to load a connector and look at it.
fn nowhere(home: &Path) -> miette::Result<Connections> {
    let names = papers(home)?
        .into_iter()
        .filter_map(|p| selvedge_host::Grant::read(&p.grant.0, &p.grant.1).ok())
        .flat_map(|g| g.gives.connections.into_keys());
    let connection = || Connection {
        base_url: "https://not-configured.invalid".into(),
        credential: SecretString::from(String::new()),
        webhook_secret: Some(SecretString::from(String::new())),
    };
    Ok(names.map(|name| (name, connection())).collect::<BTreeMap<_, _>>())
}

/// One connector's vetting page.
fn page(facts: &Facts) {
    say!("{} {}  ({}; {})", facts.connector, facts.version, facts.kind.name(), facts.vendor);
    say!("  {}", facts.about);
    say!("  {}", facts.digest);
    say!("\n  The component imports, and so can do, no more than:");
    for import in &facts.component_imports {
        say!("    {import}");
    }
    let table = |title: &str, rows: &[selvedge_host::Asked]| {
        say!("\n  {title}:");
        for row in rows {
            say!("    [{}] {:24} {}", if row.granted { "granted" } else { "refused" }, row.name, row.why);
        }
    };
    table("It asks for these powers", &facts.imports);
    table("and to put these fields into requests, without seeing them", &facts.fields);
    say!("\n  Granted by {} for: {}", facts.granted_by, facts.granted_for);
    say!("  Purposes: {}", facts.purposes.join(", "));
    say!("  It can send nothing but:");
    for sends in &facts.sends {
        say!("    {} via `{}`", sends.route.line(), sends.connection);
    }
    say!(
        "\n  Did it happen? {}",
        facts.effects.iter().map(|(f, class)| format!("{f}: {}", class.name())).collect::<Vec<_>>().join(", ")
    );
    say!("  Production access: {}", facts.vetting.production_access);
    say!("  Support sessions:  {}", facts.vetting.support_sessions);
    say!("  Logs:              {}", facts.vetting.logs);
    say!("  Patches:           {}\n", facts.vetting.patches);
}
