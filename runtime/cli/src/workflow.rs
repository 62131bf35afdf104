//! `selvedge workflow …`: what operations do with workflows. One file per subcommand; the last argument of each is
//! `--json`.

mod check;
mod diff;
mod explain;
mod graph;
mod mutants;
mod publish;
mod rehearsal;
mod schema;
pub mod simulate;
pub mod test;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use selvedge_engine::{Definition, Packs};
use selvedge_host::{Grant, Manifest, connector_facts};
use selvedge_workflow::source::Diagnostic;
use selvedge_workflow::{ConnectorFacts, Files};

use crate::connector::Papers;
use crate::failure::Failure;
use crate::{connector, exit, home};

#[derive(Subcommand)]
pub enum Command {
    /// Prove a workflow, or say what breaks which rule, and on which path.
    Check {
        /// Its name, or the path of its `workflow.yaml`.
        workflow: String,
        /// Print findings or proofs as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say in words what a workflow does, step by step, what can go wrong, and who gets to know what.
    Explain {
        /// Its name.
        workflow: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Draw a workflow.
    Graph {
        /// Its name.
        workflow: String,
        /// Write the drawing into this file as SVG.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Print the nodes of the plan and where they lead as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what changed between two workflows, in words and in what is proved.
    Diff {
        /// The one before: its name, or the path of its `workflow.yaml`.
        before: String,
        /// The one after.
        after: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a workflow the one that new runs take, if it proves.
    Publish {
        /// Its name.
        workflow: String,
        /// The data folder of the node.
        #[arg(long)]
        data: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Spoil workflows in every way in which people spoil them, and see whether the checker refuses each unsafe one.
    Mutants {
        /// One workflow; all when left out.
        workflow: Option<String>,
        /// Print the counts and each survivor as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of a kind of file, for editors.
    Schema {
        /// `workflow`, `fields`, `assurance`, `disclosures`, `budget`, `stories`, `rules`, `grants` or `schedules`.
        #[arg(default_value = "workflow", value_parser = clap::builder::PossibleValuesParser::new(selvedge_workflow::schema::NAMES))]
        name: String,
    },
    /// Send many made-up customers through a workflow and add up what came of it.
    Simulate(simulate::Arguments),
    /// Play the stories in `workflows/<name>/tests/` on the real engine, a clock that is moved and vendors that answer
    /// as the story says.
    Test {
        /// One workflow; all when left out.
        workflow: Option<String>,
        /// Print what came of each story as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Check { workflow, json } => check::run(&workflow, json),
        Command::Explain { workflow, json } => explain::run(&workflow, json),
        Command::Graph { workflow, svg, json } => graph::run(&workflow, svg.as_deref(), json),
        Command::Diff { before, after, json } => diff::run(&before, &after, json),
        Command::Publish { workflow, data, json } => publish::run(&workflow, &data, json).await,
        Command::Mutants { workflow, json } => mutants::run(workflow.as_deref(), json),
        Command::Schema { name } => schema::run(&name),
        Command::Simulate(arguments) => simulate::run(arguments).await,
        Command::Test { workflow, json } => test::run(workflow.as_deref(), json).await,
    }
}

/// The house as the tools see it: every definition, and what the connectors may do.
pub struct House {
    /// Every definition below `workflows/`.
    pub files: Files,
    /// The connectors, from their manifests and the admin's grants; no component is run for it.
    pub connectors: BTreeMap<String, ConnectorFacts>,
    /// The rule packs that a definition was last compiled with.
    pub packs: Packs,
}

impl House {
    /// Reads all of it. Manifests and grants with mistakes come back as findings.
    pub fn open() -> miette::Result<Result<House, Vec<Diagnostic>>> {
        let home = home::find()?;
        let files = home::definitions(&home)?;
        let (connectors, problems) = facts(&home)?;
        Ok(if problems.is_empty() { Ok(House { files, connectors, packs: Packs::default() }) } else { Err(problems) })
    }

    /// The names of all workflows.
    pub fn workflows(&self) -> Vec<String> {
        let names = self.files.keys().filter_map(|path| path.strip_suffix("/workflow.yaml"));
        names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    /// The workflow of this name, if there is one; all when none is named.
    fn chosen(&self, workflow: Option<&str>) -> Result<Vec<String>, Failure> {
        let Some(workflow) = workflow else { return Ok(self.workflows()) };
        let name = name_of(workflow);
        if self.files.contains_key(&format!("{name}/workflow.yaml")) {
            return Ok(vec![name]);
        }
        let path = format!("workflows/{name}/workflow.yaml");
        Err(Failure::File { path, what: "read", why: "there is no such file".into() })
    }

    /// The one workflow of this name or at this path, compiled and proved. One from elsewhere is checked against the
    /// house's dictionary, rules and grants.
    pub fn one(workflow: &str) -> miette::Result<Result<Definition, Vec<Diagnostic>>> {
        let mut house = match House::open()? {
            Ok(house) => house,
            Err(problems) => return Ok(Err(problems)),
        };
        let (given, name) = (Path::new(workflow), name_of(workflow));
        if given.is_file() {
            house.take_in(given, &name)?;
        } else if given.components().count() > 1 && !given.is_dir() {
            return Err(Failure::read(given, &std::io::ErrorKind::NotFound.into()).into());
        } else {
            house.chosen(Some(workflow))?;
        }
        Ok(house.compile(&name))
    }

    fn take_in(&mut self, given: &Path, name: &str) -> Result<(), Failure> {
        self.files.insert(format!("{name}/workflow.yaml"), home::text(given)?);
        let templates = given.parent().unwrap_or(Path::new(".")).join("templates");
        for entry in std::fs::read_dir(&templates).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "txt") {
                self.files
                    .insert(format!("{name}/templates/{}", entry.file_name().to_string_lossy()), home::text(&path)?);
            }
        }
        Ok(())
    }

    /// Compiles and proves one.
    fn compile(&self, name: &str) -> Result<Definition, Vec<Diagnostic>> {
        Definition::compile(&self.files, name, &self.connectors, &self.packs)
    }
}

/// Prints what a person has to mend, and answers that what was checked does not hold.
pub fn report(findings: &[Diagnostic], json: bool) -> miette::Result<ExitCode> {
    if json {
        say!("{}", serde_json::json!({ "findings": findings }));
    } else {
        for finding in findings {
            eprintln!("{finding}\n");
        }
        eprintln!(
            "not publishable: {} to mend",
            match findings.len() {
                1 => "one thing".into(),
                n => format!("{n} things"),
            }
        );
    }
    Ok(ExitCode::from(exit::REFUSED))
}

/// `healthcare-balance` of `workflows/healthcare-balance/workflow.yaml`.
fn name_of(given: &str) -> String {
    let path = Path::new(given);
    let folder = if path.file_name().is_some_and(|f| f == "workflow.yaml") { path.parent() } else { Some(path) };
    let name = folder.and_then(|f| {
        f.canonicalize().ok().unwrap_or_else(|| f.to_path_buf()).file_name().map(|n| n.to_string_lossy().into_owned())
    });
    name.unwrap_or_else(|| given.to_owned())
}

/// What the connectors may do, and what is wrong with their papers.
fn facts(home: &Path) -> miette::Result<(BTreeMap<String, ConnectorFacts>, Vec<Diagnostic>)> {
    let (mut facts, mut problems) = (BTreeMap::new(), Vec::new());
    for Papers { name, manifest, grant } in connector::papers(home)? {
        match (Manifest::read(&manifest.0, &manifest.1), Grant::read(&grant.0, &grant.1)) {
            (Ok(manifest), Ok(grant)) => drop(facts.insert(name, connector_facts(&manifest, &grant))),
            (manifest, grant) => {
                problems.extend(manifest.err().into_iter().flatten().chain(grant.err().into_iter().flatten()));
            }
        }
    }
    Ok((facts, problems))
}
