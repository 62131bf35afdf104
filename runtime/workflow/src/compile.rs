//! From files to a checked plan: read everything, report every mistake of form; lower; prove.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::budget::{Budget, most};
use crate::check::{self, Context};
use crate::dictionary::{Assurance, Dictionary};
use crate::disclosures::Disclosures;
use crate::expand;
use crate::expression::{Condition, Type};
use crate::lower::{Conditions, answer, lower, way};
use crate::plan::Plan;
use crate::source::{Diagnostic, Document, Span, code, did_you_mean};
use crate::syntax::{Kind, Step, Workflow};
use crate::template::{Template, is_language, key};

/// Path relative to `workflows/` -> text.
pub type Files = BTreeMap<String, String>;

/// The data dictionary, relative to `workflows/`.
pub const DICTIONARY: &str = "fields.yaml";
/// The assurance policy, relative to `workflows/`.
pub const ASSURANCE: &str = "policies/assurance.yaml";
/// The disclosure rules, relative to `workflows/`. What was published before there were any has none.
pub const DISCLOSURES: &str = "policies/disclosures.yaml";
/// How much a run may take, relative to `workflows/`. What was published before there was any has no limits.
pub const BUDGET: &str = "policies/budget.yaml";

/// What a connector is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectorKind {
    /// Carries messages.
    Channel,
    /// Answers a question about a customer.
    Verifier,
    /// Moves money.
    Gateway,
    /// Whatever else a vendor offers, by the name of a function.
    Service,
}

impl ConnectorKind {
    /// `channel`, `verifier`, `gateway`, `service`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ConnectorKind::Channel => "channel",
            ConnectorKind::Verifier => "verifier",
            ConnectorKind::Gateway => "gateway",
            ConnectorKind::Service => "service",
        }
    }
}

/// What the checker needs to know of an installed connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorFacts {
    /// What it is for.
    pub kind: ConnectorKind,
    /// Whose service it speaks to. What was published before this was known keeps its digest.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub vendor: String,
    /// The fields that it was granted.
    pub fields: BTreeSet<String>,
    /// The purposes that it was granted.
    pub purposes: BTreeSet<String>,
    /// Function -> effect class: `send` -> `reconcile`.
    pub effects: BTreeMap<String, String>,
    /// What a verifier's finding is called: `sim-swap`; empty for the other kinds.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub signal: String,
    /// The file of its grant, for messages.
    pub grant_file: String,
}

/// Something that was proved of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What holds.
    pub claim: String,
    /// The rule that asks for it.
    pub rule: String,
    /// The law behind the rule.
    pub cite: String,
    /// Why it holds.
    pub because: String,
}

/// A workflow that may run.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What the engine walks.
    pub plan: Plan,
    /// What was proved.
    pub proofs: Vec<Proof>,
    /// What is allowed and yet worth a look.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles the workflow `name` and proves it. `connectors` are those installed, by name.
///
/// # Errors
/// All mistakes of form in all files; or, where the form is right, everything that cannot be proved.
pub fn compile(
    files: &Files,
    name: &str,
    connectors: &BTreeMap<String, ConnectorFacts>,
) -> Result<Checked, Vec<Diagnostic>> {
    let files = bundle(files, name);
    let sources = Sources::read(&files, name)?;
    let Sources { workflow, dictionary, assurance, disclosures, budget, templates, .. } = &sources;
    let nodes = lower(&sources);
    let most = most(&nodes, workflow.medium());
    let context = Context {
        folder: name,
        workflow,
        dictionary,
        assurance,
        disclosures,
        budget,
        most: &most,
        templates,
        connectors,
        nodes: &nodes,
    };
    let findings = check::check(&context);
    if !findings.refusals.is_empty() {
        return Err(findings.refusals);
    }
    let used = check::templates_used(workflow);
    let named =
        |(key, template): (&String, &Template)| used.contains(key).then(|| (template.called(), template.clone()));
    let plan = Plan {
        workflow: workflow.name.value.clone(),
        title: workflow.title.value.clone(),
        purpose: workflow.purpose.value.clone(),
        starts: workflow.starts.value.clone(),
        digest: digest_of(&files),
        uses: workflow.uses.iter().map(|(own, connector)| (own.value.clone(), connector.value.clone())).collect(),
        templates: templates.iter().filter_map(named).collect(),
        languages: workflow.languages.iter().map(|language| language.value.clone()).collect(),
        nodes,
        most,
    };
    Ok(Checked { plan, proofs: findings.proofs, warnings: findings.warnings })
}

/// The files that a workflow depends on: its own, those of the subworkflows in it, the data dictionary, the assurance policy,
/// the disclosure rules and the budget.
#[must_use]
pub fn bundle(files: &Files, name: &str) -> Files {
    let shared = expand::shared(files, name);
    let folders: Vec<String> =
        shared.iter().map(String::as_str).chain([name]).map(|of| format!("{of}/templates/")).collect();
    let steps: Vec<String> =
        shared.iter().map(|of| expand::file(of)).chain([format!("{name}/workflow.yaml")]).collect();
    let belongs = |path: &String| {
        let general = [DICTIONARY, ASSURANCE, DISCLOSURES, BUDGET].contains(&path.as_str());
        let text = path.ends_with(".txt") && folders.iter().any(|folder| path.starts_with(folder));
        general || text || steps.contains(path)
    };
    files.iter().filter(|(path, _)| belongs(path)).map(|(path, text)| (path.clone(), text.clone())).collect()
}

/// `sha256:<hex>` over the canonical JSON of the files.
///
/// `BTreeMap` sorts by bytes and RFC 8785 by UTF-16 units; for our paths, which are ASCII, that is the same order, and
/// `serde_json` escapes texts as RFC 8785 asks.
#[must_use]
pub fn digest_of(files: &Files) -> String {
    let canonical =
        serde_json::Value::from_iter(files.iter().map(|(path, text)| (path.as_str(), text.as_str()))).to_string();
    format!("sha256:{}", hex::encode(digest(&SHA256, canonical.as_bytes())))
}

/// Everything that a workflow is made from, read.
pub(crate) struct Sources {
    pub workflow: Workflow,
    pub dictionary: Dictionary,
    pub assurance: Assurance,
    pub disclosures: Disclosures,
    pub budget: Budget,
    /// By `<name>.<medium>`, in another language than the first `<name>.<medium>.<language>`.
    pub templates: BTreeMap<String, Template>,
    pub conditions: Conditions,
}

impl Sources {
    pub fn read(files: &Files, name: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut wrong = Vec::new();
        let own = format!("{name}/workflow.yaml");
        let mut workflow = read(files, &own, &mut wrong, |file, text| Workflow::read(&Document::parse(file, text)?));
        let dictionary = read(files, DICTIONARY, &mut wrong, Dictionary::read);
        let assurance = read(files, ASSURANCE, &mut wrong, Assurance::read);
        let disclosures = match files.contains_key(DISCLOSURES) {
            true => read(files, DISCLOSURES, &mut wrong, Disclosures::read),
            false => Some(Disclosures::default()),
        };
        let budget = match files.contains_key(BUDGET) {
            true => read(files, BUDGET, &mut wrong, Budget::read),
            false => Some(Budget::default()),
        };
        let mut templates = BTreeMap::new();
        for path in files.keys().filter(|path| path.ends_with(".txt")) {
            let template = read(files, path, &mut wrong, |file, text| {
                let (name, medium, language) = parts_of(file)?;
                let template = Template::parse(file, name, medium, text)?;
                Ok(Template { language: language.to_owned(), ..template })
            });
            let Some(template) = template else { continue };
            let key = key(&template.name, &template.medium, &template.language);
            if let Some(other) = templates.get(&key).map(|other: &Template| &other.file) {
                let message = format!("`{other}` has this name too");
                let refusal = Diagnostic::new(code::DUPLICATE, message).at(&Span::start_of(&template.file));
                wrong.push(refusal.help("texts of a workflow and of its subworkflows have names of their own"));
            }
            templates.insert(key, template);
        }
        let conditions = match (&mut workflow, &dictionary) {
            (Some(workflow), Some(dictionary)) => {
                let before = wrong.len();
                expand::expand(files, workflow, dictionary, &mut wrong);
                match wrong.len() == before {
                    true => conditions_of(&workflow.steps, dictionary, BTreeMap::new(), &mut wrong),
                    false => Conditions::new(),
                }
            }
            _ => Conditions::new(),
        };
        match (workflow, dictionary, assurance, disclosures, budget) {
            (Some(workflow), Some(dictionary), Some(assurance), Some(disclosures), Some(budget))
                if wrong.is_empty() =>
            {
                Ok(Self { workflow, dictionary, assurance, disclosures, budget, templates, conditions })
            }
            _ => {
                check::in_order(&mut wrong);
                Err(wrong)
            }
        }
    }
}

/// Reads every condition, or adds what is wrong with it. `names`: what can be named beside fields and answers.
pub(crate) fn conditions_of(
    steps: &[Step],
    dictionary: &Dictionary,
    mut names: BTreeMap<String, Type>,
    wrong: &mut Vec<Diagnostic>,
) -> Conditions {
    names.extend(dictionary.fields.iter().map(|(path, info)| (path.clone(), Type::of(info.ty))));
    for step in Step::every(steps) {
        let Kind::Ask(ask) = &step.kind else { continue };
        let name = answer(&step.id.value);
        let words = ask.answers.iter().map(|answer| answer.value.clone()).collect();
        if names.insert(name.clone(), Type::OneOf(words)).is_some() {
            let message = format!("`{name}` is a field of the data dictionary and the answer of this step");
            let refusal = Diagnostic::new(code::DUPLICATE, message).at(&step.id.span);
            wrong.push(refusal.help("give the step another id"));
        }
    }
    let mut conditions = Conditions::new();
    for step in Step::every(steps) {
        let Kind::Choose(choose) = &step.kind else { continue };
        for (at, when) in choose.when.iter().enumerate() {
            match Condition::read(&when.condition, &names) {
                Ok(condition) => drop(conditions.insert(way(&step.id.value, at), condition)),
                Err(found) => wrong.extend(found),
            }
        }
    }
    conditions
}

/// Reads one file, or adds what is wrong with it.
fn read<T>(
    files: &Files,
    path: &str,
    wrong: &mut Vec<Diagnostic>,
    read: impl FnOnce(&str, &str) -> Result<T, Vec<Diagnostic>>,
) -> Option<T> {
    let file = format!("workflows/{path}");
    let Some(text) = files.get(path) else {
        let message = format!("there is no file `{file}`");
        let help = did_you_mean(path, files.keys().map(String::as_str)).filter(|help| help.starts_with("did"));
        let help = help.unwrap_or_else(|| "look for a slip in the name, or write the file".to_owned());
        wrong.push(Diagnostic::new(code::MISSING_FILE, message).help(help));
        return None;
    };
    read(&file, text).map_err(|found| wrong.extend(found)).ok()
}

/// `code`, `sms` and `es`, of `…/code.sms.es.txt`.
fn parts_of(file: &str) -> Result<(&str, &str, &str), Vec<Diagnostic>> {
    let base = file.rsplit('/').next().unwrap_or(file);
    let parts: Vec<&str> = base.split('.').collect();
    match parts[..] {
        [name, medium, "txt"] if !name.is_empty() && !medium.is_empty() => Ok((name, medium, "")),
        [name, medium, language, "txt"] if !name.is_empty() && !medium.is_empty() && is_language(language) => {
            Ok((name, medium, language))
        }
        _ => {
            let message = format!("`{base}` is no name for a template");
            let help = "name it `<name>.<medium>.txt`: `code.sms.txt`, or in a further language `code.sms.es.txt`";
            Err(vec![Diagnostic::new(code::BAD_TEMPLATE, message).at(&Span::start_of(file)).help(help)])
        }
    }
}
