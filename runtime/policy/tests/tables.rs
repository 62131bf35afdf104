//! The tables of compliance, played: `workflows/rules/tests/` and `workflows/policies/tests/`. And the proof that a new
//! law is a change of data: a pack that this code never saw turns an outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selvedge_policy::{Case, Policies, Shown, Then, Verdict};

/// The YAML files of `workflows/rules` and `workflows/policies`, by their path below `workflows/`.
#[allow(clippy::unwrap_used, reason = "this is a test")]
fn files() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let mut files = BTreeMap::new();
    for folder in ["rules", "rules/tests", "policies", "policies/tests"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

#[allow(clippy::panic, reason = "this is a test")]
fn policies(files: &BTreeMap<String, String>) -> Policies {
    let all = |found: Vec<selvedge_workflow::source::Diagnostic>| {
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    Policies::load(files).unwrap_or_else(|found| panic!("{}", all(found)))
}

#[test]
fn every_row_of_every_table_comes_out_as_it_says() {
    let files = files();
    let policies = policies(&files);
    let (mut rows, mut failed) = (0, Vec::new());
    for (path, text) in files.iter().filter(|(path, _)| Policies::is_table(path)) {
        match policies.run(path, text) {
            Ok(played) => {
                rows += played.rows;
                failed.extend(played.failed.iter().map(ToString::to_string));
            }
            Err(found) => failed.extend(found.iter().map(ToString::to_string)),
        }
    }
    assert_eq!(failed, [""; 0], "{}", failed.join("\n"));
    assert!(rows > 150, "the tables lost rows: {rows}");
}

#[test]
fn every_rule_objects_in_some_row_and_lets_another_pass() {
    let files = files();
    let policies = policies(&files);
    let tables = files.iter().filter(|(path, _)| Policies::is_table(path));
    let shown: Vec<Shown> = tables.map(|(path, text)| policies.run(path, text).unwrap().shown).collect();
    let rules = policies.rules.rules().iter().map(|rule| rule.law.id.as_str());
    let unseen = |of: fn(&Shown) -> &BTreeSet<String>| -> Vec<&str> {
        rules.clone().filter(|id| !shown.iter().any(|shown| of(shown).contains(*id))).collect()
    };
    assert_eq!(unseen(|shown| &shown.objecting), [""; 0], "no table shows what these rules refuse");
    assert_eq!(unseen(|shown| &shown.passing), [""; 0], "no table shows what these rules let pass");
}

#[test]
fn a_row_shows_the_rules_that_it_names_and_those_that_pass_and_one_that_fails_shows_nothing() {
    let policies = policies(&files());
    let table = |expect: &str| {
        format!(
            "about: x\ncustomers:\n  ada: {{ jurisdictions: [US], zones: {{ address: America/Chicago }} }}\ncontacts:\n  \
             - {{ customer: ada, purpose: billing, channel: sms, at: 2026-03-02T18:00:00Z, {expect} }}\n"
        )
    };
    let shown = policies.run("t.yaml", &table("expect: deny, by: [tcpa.consent]")).unwrap().shown;
    assert_eq!(shown.objecting, BTreeSet::from(["tcpa.consent".to_owned()]));
    assert!(shown.passing.contains("tcpa.hours") && !shown.passing.contains("tcpa.consent"), "{shown:?}");
    let failed = policies.run("t.yaml", &table("expect: permit")).unwrap();
    assert_eq!((failed.failed.len(), failed.shown), (1, Shown::default()));
}

#[test]
fn every_place_that_an_obligation_names_exists_and_what_nobody_does_names_none() {
    let policies = policies(&files());
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for asked in policies.rules.obligations() {
        assert_eq!(asked.places.is_empty(), asked.enforced_by == "nobody yet", "{}", asked.law.id);
        for place in &asked.places {
            assert!(home.join(place).exists(), "{} names {place}", asked.law.id);
        }
    }
}

#[test]
fn a_row_that_does_not_come_out_is_told_at_its_line() {
    let policies = policies(&files());
    let table = "\
about: x
customers:
  ada: { jurisdictions: [US], zones: { address: America/Chicago } }
contacts:
  - { customer: ada, purpose: identity, channel: sms, at: 2026-03-02T03:00:00Z, expect: deny, by: [tcpa.hours] }
  - { customer: ada, purpose: billing, channel: sms, at: 2026-03-02T18:00:00Z, expect: deny, by: [tcpa.hours] }
texts:
  - { text: hello, expect: help }
risk:
  - { signals: {}, expect: allow, points: 0 }
";
    let played = policies.run("t.yaml", table).unwrap();
    let failed: Vec<String> = played.failed.iter().map(ToString::to_string).collect();
    assert_eq!((played.rows, failed.len()), (4, 4));
    assert!(failed[0].starts_with("P220 t.yaml:5:5: `deny` by tcpa.hours is expected, and what comes out is `permit`"));
    assert!(failed[1].contains("what comes out is `deny` by tcpa.consent"), "{}", failed[1]);
    assert!(failed[2].starts_with("P220 t.yaml:8:5: `help` is expected of `hello`"), "{}", failed[2]);
    assert!(failed[3].starts_with("P220 t.yaml:10:5: `allow` by 0 points"), "{}", failed[3]);
}

#[test]
fn a_table_that_counts_on_what_no_rule_knows_is_refused() {
    let policies = policies(&files());
    let table = "\
about: x
customers:
  ada: { jurisdictions: [US], flags: [atorney], notes: { refusl: 2026-03-02T03:00:00Z } }
contacts:
  - { customer: adda, purpose: identity, channel: sms, at: 2026-03-02T03:00:00Z, expect: permit }
risk:
  - { signals: { sim-swop: clear }, expect: allow, points: 0 }
";
    let found: Vec<String> = policies.run("t.yaml", table).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(found.iter().filter(|line| line.starts_with("P221")).count(), 4, "{found:#?}");
    for near in ["`attorney`", "`refusal`", "`ada`", "`sim-swap`"] {
        assert!(found.iter().any(|line| line.contains(&format!("did you mean {near}?"))), "{near}: {found:#?}");
    }
}

#[test]
fn a_new_law_is_a_new_file_and_nothing_else() {
    let customer = "jurisdictions: [US, US-MN]\nzones: { address: America/Chicago }\n\
        consents: [{ purpose: billing, channel: sms, at: 2026-01-05T16:00:00Z }]\n";
    let customer = Case::load("customer.yaml", customer).unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let verdict = |files: &BTreeMap<String, String>, moment: &str| {
        policies(files).rules.decide_case(&customer, "billing", "sms", at(moment)).verdict
    };
    let (before, sunday) = (files(), "2027-06-06T15:00:00-05:00");
    assert_eq!(verdict(&before, sunday), Verdict::Permit);

    let mut after = before.clone();
    let pack = "\
pack: Minnesota, invented for this test
owner: Nobody
status: unreviewed
rules:
  - id: mn.sundays
    cite: Invented 1
    about: No text about a bill on Sundays.
    jurisdiction: US-MN
    effective: 2027-01-01
    until: 2027-12-31
    applies: { channels: [sms], purposes: [billing] }
    then: { hours: { mon-sat: { from: \"00:00\", to: \"23:59\" }, sun: none } }
";
    after.insert("rules/minnesota.yaml".into(), pack.into());
    assert_eq!(verdict(&after, sunday), Verdict::Defer { until: at("2027-06-07T08:00:00-05:00") });
    assert_eq!(verdict(&after, "2027-06-05T15:00:00-05:00"), Verdict::Permit, "a Saturday");
    assert_eq!(verdict(&after, "2026-06-07T15:00:00-05:00"), Verdict::Permit, "a Sunday before it is in force");
    assert_eq!(verdict(&after, "2028-06-04T15:00:00-05:00"), Verdict::Permit, "a Sunday after it");
}

#[test]
fn every_demand_of_the_language_is_used_by_a_shipped_rule() {
    let policies = policies(&files());
    let kind = |then: &Then| std::mem::discriminant(then);
    let used: Vec<_> = policies.rules.rules().iter().map(|rule| kind(&rule.then)).collect();
    let kinds = used.iter().fold(Vec::new(), |mut kinds, kind| {
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
        kinds
    });
    assert_eq!(kinds.len(), 7);
}
