//! What a run pins for life: the workflow with its templates, the rules, the policies and the grants in force
//! when it began, under one digest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use selvedge_policy::{Policies, Retention, Risk, RuleSet};
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::plan::{Noted, Op, Plan};
use selvedge_workflow::source::{Diagnostic, code, did_you_mean};
use selvedge_workflow::{Checked, ConnectorFacts, DICTIONARY, Files, Proof, bundle, compile};

use crate::engine::lock;
use crate::error::EngineError;

/// The file in a definition that keeps what the connectors could do when it was published.
const FACTS: &str = "connectors.json";
/// How long what is kept; see [`Retention`].
pub const RETENTION: &str = "policies/retention.yaml";
/// How high is a risk; see [`Risk`].
const RISK: &str = "policies/risk.yaml";

/// The rule packs that were read last. Definitions of one day have the same ones, and reading them takes longer than
/// all else of a definition, so whoever compiles many hands one of these on.
#[derive(Default)]
pub struct Packs {
    last: Mutex<Option<(Files, Arc<RuleSet>)>>,
}

impl Packs {
    fn of(&self, files: &Files) -> Result<Arc<RuleSet>, Vec<Diagnostic>> {
        let packs = || files.iter().filter(|(path, _)| Policies::is_pack(path));
        let mut last = lock(&self.last);
        if let Some((read, rules)) = &*last
            && packs().eq(read)
        {
            return Ok(rules.clone());
        }
        let read: Files = packs().map(|(path, text)| (path.clone(), text.clone())).collect();
        let rules = Arc::new(RuleSet::load(&read)?);
        *last = Some((read, rules.clone()));
        Ok(rules)
    }
}

/// A definition, compiled.
pub struct Definition {
    /// `sha256:…` over all its files.
    pub digest: String,
    /// Path to text.
    pub files: Files,
    /// The plan.
    pub plan: Plan,
    /// What was proved of it.
    pub proofs: Vec<Proof>,
    /// What deserves a look and stops nothing.
    pub warnings: Vec<Diagnostic>,
    /// The connectors' kinds, grants and effect classes.
    pub connectors: BTreeMap<String, ConnectorFacts>,
    /// The contact rules.
    pub rules: Arc<RuleSet>,
    /// The risk policy.
    pub risk: Risk,
    /// The data dictionary.
    pub dictionary: Dictionary,
}

impl Definition {
    /// Compiles `workflow` out of the files of a `workflows/` folder. Everything that is wrong comes at once.
    pub fn compile(
        all: &Files,
        workflow: &str,
        connectors: &BTreeMap<String, ConnectorFacts>,
        packs: &Packs,
    ) -> Result<Definition, Vec<Diagnostic>> {
        let mut files = bundle(all, workflow);
        for prefix in ["rules/", "policies/", "grants/"] {
            let in_force = |path: &str| path.starts_with(prefix) && !Policies::is_table(path);
            files.extend(all.iter().filter(|(path, _)| in_force(path)).map(|(p, t)| (p.clone(), t.clone())));
        }
        let compiled = compile(&files, workflow, connectors);
        let rules = packs.of(&files);
        // What is kept follows the policy of the day, not the one that a run pinned; but none is published broken.
        let kept = files.get(RETENTION).map_or(Ok(Retention::default()), |text| Retention::load(RETENTION, text));
        let risk = files.get(RISK).map_or(Ok(Risk::default()), |text| Risk::load(RISK, text));
        let (Checked { plan, proofs, warnings }, rules, risk) = match (compiled, rules, risk, kept) {
            (Ok(checked), Ok(rules), Ok(risk), Ok(_)) => (checked, rules, risk),
            (checked, rules, risk, kept) => {
                let all = [checked.err(), rules.err(), risk.err(), kept.err()];
                return Err(all.into_iter().flatten().flatten().collect());
            }
        };
        unknown(&plan, &rules)?;
        let dictionary = Dictionary::read(DICTIONARY, files.get(DICTIONARY).map_or("", String::as_str))?;
        let used: BTreeMap<&String, &ConnectorFacts> =
            connectors.iter().filter(|(name, _)| plan.uses.values().any(|u| u == *name)).collect();
        if let Ok(text) = serde_json::to_string(&used) {
            files.insert(FACTS.into(), text);
        }
        let digest = selvedge_record::control_digest(&files);
        Ok(Definition {
            digest,
            plan,
            proofs,
            warnings,
            connectors: connectors.clone(),
            rules,
            risk,
            dictionary,
            files,
        })
    }

    /// Compiles a definition that a run pinned, from what was kept.
    pub fn restore(digest: &str, workflow: &str, files: &Files, packs: &Packs) -> Result<Definition, EngineError> {
        let broken = |why: String| EngineError::Definition { digest: digest.into(), why };
        let facts = files.get(FACTS).ok_or_else(|| broken("it has no connectors".into()))?;
        let connectors: BTreeMap<String, ConnectorFacts> =
            serde_json::from_str(facts).map_err(|e| broken(e.to_string()))?;
        let definition = Definition::compile(files, workflow, &connectors, packs)
            .map_err(|all| broken(all.first().map_or_else(String::new, ToString::to_string)))?;
        if definition.digest == digest {
            Ok(definition)
        } else {
            Err(broken(format!("it compiles to {}", definition.digest)))
        }
    }

    /// The effect class of a connector's function; what nobody declared is never tried twice.
    pub fn class_of(&self, connector: &str, function: &str) -> String {
        let class = self.connectors.get(connector).and_then(|c| c.effects.get(function));
        class.cloned().unwrap_or_else(|| "never-retry".into())
    }
}

/// Flags and notes that a workflow writes down and no rule asks about would change nothing.
fn unknown(plan: &Plan, rules: &RuleSet) -> Result<(), Vec<Diagnostic>> {
    let told = plan.nodes.iter().filter_map(|node| {
        let (kind, name, known) = match &node.op {
            Op::Record { what: Noted::Flag(flag) } => ("flag", flag, rules.flags()),
            Op::Record { what: Noted::Note(note) } => ("note", note, rules.notes()),
            _ => return None,
        };
        if known.contains(name.as_str()) {
            return None;
        }
        let message = format!("`{}` writes down the {kind} `{name}`, which no rule asks about", node.step);
        Some(Diagnostic::new(code::UNKNOWN_NAME, message).maybe_help(did_you_mean(name, known)))
    });
    let told: Vec<Diagnostic> = told.collect();
    if told.is_empty() { Ok(()) } else { Err(told) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(about: &str) -> Files {
        let text = format!(
            "pack: FCRA\nowner: counsel\nstatus: unreviewed\nobligations:\n  - id: fcra.dispute\n    cite: FCRA 623\n    \
             seen: secondary\n    about: {about}\n    jurisdiction: US\n    effective: 2003-12-04\n    enforced-by: nobody yet\n"
        );
        let rule = include_str!("../../../workflows/rules/tcpa.yaml");
        [("rules/fcra.yaml".to_owned(), text), ("rules/tcpa.yaml".to_owned(), rule.to_owned())].into()
    }

    #[test]
    fn packs_are_read_again_when_a_word_of_them_changed_and_only_then() {
        let read = Packs::default();
        let first = read.of(&packs("A dispute is answered.")).unwrap();
        let mut more = packs("A dispute is answered.");
        more.insert("fields.yaml".into(), "no pack".into());
        assert!(Arc::ptr_eq(&first, &read.of(&more).unwrap()));
        let changed = read.of(&packs("A dispute is answered in time.")).unwrap();
        assert!(!Arc::ptr_eq(&first, &changed));
        assert!(changed.obligations().iter().any(|asked| asked.law.about == "A dispute is answered in time."));
        let fewer: Files = packs("A dispute is answered in time.").into_iter().skip(1).collect();
        assert!(read.of(&fewer).unwrap().obligations().iter().all(|asked| asked.law.id != "fcra.dispute"));
    }

    #[test]
    fn packs_that_cannot_be_read_are_never_taken_for_the_last_ones() {
        let read = Packs::default();
        let whole = packs("A dispute is answered.");
        read.of(&whole).unwrap();
        let mut spoilt = whole.clone();
        spoilt.insert("rules/house.yaml".into(), "pack: [".into());
        assert!(read.of(&spoilt).is_err());
        assert!(read.of(&spoilt).is_err());
        assert!(read.of(&whole).is_ok());
    }
}
