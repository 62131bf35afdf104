//! What the law wants said, in the collections workflow: in order, in time, in its words, or it does not publish.

use std::collections::BTreeMap;
use std::path::Path;

use crate::house::{connectors, told};
use selvedge_workflow::dictionary::Dictionary;
use selvedge_workflow::explain::explain;
use selvedge_workflow::mutants::{RULES, spoil};
use selvedge_workflow::{Checked, ConnectorFacts, DISCLOSURES, Files, compile};

const NAME: &str = "collections-outreach";
const WORKFLOW: &str = "collections-outreach/workflow.yaml";

/// The shipped workflow with its texts and the shared policies.
fn files() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let mut paths = ["fields.yaml", "policies/assurance.yaml", DISCLOSURES, WORKFLOW].map(str::to_owned).to_vec();
    for entry in std::fs::read_dir(root.join(NAME).join("templates")).unwrap() {
        paths.push(format!("{NAME}/templates/{}", entry.unwrap().file_name().to_str().unwrap()));
    }
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(root.join(path)).unwrap())).collect()
}

/// The connectors of the demo clinic, as they are granted to those who collect.
fn granted() -> BTreeMap<String, ConnectorFacts> {
    let mut connectors = connectors();
    for facts in connectors.values_mut() {
        facts.purposes.insert("collections".to_owned());
        if facts.fields.contains("patient.mobile") {
            facts.fields.insert("customer.mobile".to_owned());
        }
    }
    connectors
}

fn check(files: &Files) -> Result<Checked, String> {
    compile(files, NAME, &granted()).map_err(|found| told(&found))
}

/// What is said of the shipped files with one text changed in one of them.
fn refused(path: &str, old: &str, new: &str) -> String {
    let mut files = files();
    let text = files.get_mut(path).unwrap();
    assert!(text.contains(old), "`{old}` is not in {path}");
    *text = text.replacen(old, new, 1);
    check(&files).unwrap_err()
}

const MINI_MIRANDA: &str = "  - disclose:\n      id: collector\n      words: mini-miranda\n      over: call\n\n";
const NOTICE: &str = "  - disclose:\n      id: notice\n      words: validation-notice\n      over: call\n\n";

#[test]
fn the_shipped_workflow_says_everything_in_its_order() {
    let checked = check(&files()).unwrap();
    let rules = ["regf.right-party", "regf.mini-miranda", "regf.validation-notice", "regf.opt-out-notice"];
    for rule in rules {
        assert!(checked.proofs.iter().any(|proof| proof.rule == rule && proof.cite.starts_with("12 CFR")), "{rule}");
    }
    assert!(check(&files()).is_ok_and(|checked| checked.plan.templates.contains_key("mini-miranda")));
}

#[test]
fn without_the_mini_miranda_nothing_about_the_debt_is_said() {
    insta::assert_snapshot!(refused(WORKFLOW, MINI_MIRANDA, ""), @r"
    W138 workflows/collections-outreach/workflow.yaml:31:11: a path to `notice` does not say `mini-miranda` first
      path: start → right-party → notice
      rule: regf.mini-miranda (12 CFR 1006.18(e)(1))
      help: put `- disclose: { …, words: mini-miranda }` where every path to `notice` passes it
    ");
}

#[test]
fn words_in_a_subworkflow_are_said_and_without_them_it_is_refused() {
    let mut files = files();
    let named = "  - subworkflow: { id: who, workflow: who-speaks }\n\n";
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replacen(MINI_MIRANDA, named, 1);
    let shared = format!("subworkflow: who-speaks\ntitle: Who speaks\nuses: {{}}\nsteps:\n{MINI_MIRANDA}");
    files.insert("who-speaks/subworkflow.yaml".into(), shared);
    assert!(check(&files).is_ok_and(|checked| checked.plan.nodes.iter().any(|node| node.name == "who-collector")));
    let text = files.get_mut("who-speaks/subworkflow.yaml").unwrap();
    *text = text.replace("words: mini-miranda", "fields: [debt.amount]");
    let found = check(&files).unwrap_err();
    assert!(found.contains("W138 workflows/who-speaks/subworkflow.yaml:6:11: a path to `who-collector`"), "{found}");
}

#[test]
fn the_notice_does_not_come_before_who_speaks() {
    let found = refused(WORKFLOW, &format!("{MINI_MIRANDA}{NOTICE}"), &format!("{NOTICE}{MINI_MIRANDA}"));
    assert!(found.contains("W138") && found.contains("regf.mini-miranda (12 CFR 1006.18(e)(1))"), "{found}");
    assert!(found.contains("a path to `notice` does not say `mini-miranda` first"), "{found}");
}

#[test]
fn nothing_is_said_of_a_debt_to_who_was_not_proved() {
    let found = refused(WORKFLOW, "steps:\n", &format!("steps:\n{}", MINI_MIRANDA.replace("collector", "first")));
    assert!(found.contains("W130") && found.contains("regf.right-party (12 CFR 1006.6(d)(1))"), "{found}");
}

#[test]
fn the_notice_follows_within_five_days() {
    let wait = "  - wait: { id: later, for: 6d }\n\n";
    let found = refused(WORKFLOW, NOTICE, &format!("{wait}{NOTICE}"));
    assert!(found.contains("after `collector` more than 120h may pass before `validation-notice` is said"), "{found}");
    assert!(found.contains("regf.validation-notice (12 CFR 1006.34(a)(1))"), "{found}");
}

#[test]
fn each_text_says_how_to_opt_out_and_who_it_is_from() {
    let text = format!("{NAME}/templates/agreed.sms.txt");
    let found = refused(&text, " Reply STOP to end texts.", "");
    assert!(found.contains("W139") && found.contains("\"reply stop\" or \"text stop\""), "{found}");
    assert!(
        found.contains("start → right-party → collector → notice → reply → route → plan → confirmation"),
        "{found}"
    );
    let found = refused(&text, ", a debt collector", "");
    assert!(found.contains("W139") && found.contains("regf.collector"), "{found}");
}

#[test]
fn what_the_law_wants_in_a_text_is_wanted_in_its_language() {
    let mut files = files();
    let workflow = files.get_mut(WORKFLOW).unwrap();
    *workflow = workflow.replace("starts: outgoing-call", "languages: [en, es]\nstarts: outgoing-call");
    let texts: Vec<(String, String)> = files.iter().filter(|(path, _)| path.ends_with(".txt")).map(own).collect();
    for (path, text) in texts {
        files.insert(path.replace(".txt", ".es.txt"), text.replace("Reply STOP", "Responda STOP"));
    }
    let found = check(&files).unwrap_err();
    assert!(found.contains("lacks words that `regf.opt-out-notice` does not have in `es`"), "{found}");
    let rules = files.get_mut(DISCLOSURES).unwrap();
    *rules = rules.replace(
        " }\n\n  - id: regf.collector",
        ", languages: { es: { one-of: [responda stop] } } }\n\n  - id: regf.collector",
    );
    let found = check(&files).unwrap_err();
    assert!(!found.contains("regf.opt-out-notice") && found.contains("regf.collector"), "{found}");
    let text = files.get_mut(&format!("{NAME}/templates/code.sms.es.txt")).unwrap();
    *text = text.replace("Responda STOP", "Conteste STOP");
    let found = check(&files).unwrap_err();
    assert!(found.contains("the text `code.es` of `right-party` lacks \"responda stop\""), "{found}");
}

fn own((path, text): (&String, &String)) -> (String, String) {
    (path.clone(), text.clone())
}

#[test]
fn the_notice_names_the_creditor() {
    let found = refused(&format!("{NAME}/templates/validation-notice.call.txt"), "{{ debt.creditor }}", "us");
    assert!(found.contains("W139") && found.contains("the field `debt.creditor`"), "{found}");
}

#[test]
fn a_new_law_is_a_change_of_data_only() {
    let law = "\n  - id: us-xx.recording\n    cite: A new law\n    about: That calls are recorded is said before money is spoken of.\n    \
               jurisdiction: US-XX\n    effective: 2027-01-01\n    purposes: [collections]\n    \
               then: { said: recording-notice, before: [offer] }\n";
    let mut files = files();
    files.get_mut(DISCLOSURES).unwrap().push_str(law);
    let found = check(&files).unwrap_err();
    assert!(found.contains("a path to `plan` does not say `recording-notice` first"), "{found}");
    assert!(found.contains("us-xx.recording (A new law)"), "{found}");
    let say = "  - disclose:\n      id: recorded\n      words: recording-notice\n      over: call\n\n";
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replacen(NOTICE, &format!("{NOTICE}{say}"), 1);
    files.insert(format!("{NAME}/templates/recording-notice.call.txt"), "This call is recorded.".into());
    assert_eq!(check(&files).err(), None);
}

#[test]
fn what_was_published_before_there_were_such_rules_has_none() {
    let mut files = files();
    files.remove(DISCLOSURES);
    assert!(check(&files).is_ok());
}

#[test]
fn no_mutant_without_its_disclosures_is_published() {
    let spoilt = spoil(&files(), NAME, &granted()).unwrap();
    assert!(spoilt.published_unsafe.is_empty(), "{:#?}", spoilt.published_unsafe);
    assert!(spoilt.unsafe_by_rule[RULES[9]] > 10, "{spoilt:#?}");
    for change in ["drop a step", "swap two steps", "shorten a template"] {
        assert!(spoilt.unsafe_by_change[change] > 0, "{change}: {spoilt:#?}");
    }
}

#[test]
fn what_is_recorded_is_told_in_words() {
    let dictionary = Dictionary::read("fields.yaml", &files()["fields.yaml"]).unwrap();
    let told = explain(&check(&files()).unwrap().plan, &dictionary);
    let does = |id: &str| told.steps.iter().find(|step| step.id == id).map(|step| step.does.join("; ")).unwrap();
    assert_eq!(does("disputed"), "writes down `dispute` of the customer, which the contact rules see from then on");
    assert!(does("no-texts").contains("wants no more sms for `all`: \"Asked on the call"), "{}", does("no-texts"));
}

#[test]
fn what_is_recorded_is_of_a_known_kind_and_no_card_number() {
    let record = "record: { id: disputed, fact: { flag: dispute } }";
    let with = |fact: &str| refused(WORKFLOW, record, &format!("record: {{ id: disputed, fact: {{ {fact} }} }}"));
    let found = with("flagg: dispute");
    assert!(found.contains("W110") && found.contains("did you mean `flag`?"), "{found}");
    let found = with("consent: { channel: sms, purpose: all, words: \"Yes\" }");
    assert!(found.contains("a consent for every purpose at once, which nobody gives"), "{found}");
    let found = with("consent: { channel: sms, purpose: collections, words: \"4242 4242 4242 4242\" }");
    assert!(found.contains("W133"), "{found}");
    let found = with("consent: { channel: fax, purpose: collections, words: \"Yes\" }");
    assert!(found.contains("W104"), "{found}");
}
