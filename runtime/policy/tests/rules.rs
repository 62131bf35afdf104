//! What is wrong with rule files is told all at once, each mistake at its place.

use std::collections::BTreeMap;

use selvedge_policy::{CHANNELS, RuleSet, code};

fn mistakes(files: &[(&str, &str)]) -> Vec<String> {
    let files: BTreeMap<_, _> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    RuleSet::load(&files).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn with_rule(rule: &str) -> String {
    format!("pack: Test\nowner: Counsel\nstatus: reviewed\nrules:\n{rule}")
}

const GOOD: &str = "  - id: test.one
    cite: Test 1
    about: A test.
    jurisdiction: US
    effective: 2026-03-02
    applies: { channels: [sms] }
    then: { consent: express }
";

#[test]
fn a_good_rule_loads() {
    assert_eq!(mistakes(&[("a.yaml", &with_rule(GOOD))]), [""; 0]);
}

#[test]
fn every_mistake_of_every_file_is_told_with_its_place() {
    let bad = GOOD
        .replace("cite: Test 1", "sight: Test 1")
        .replace("US\n", "us\n")
        .replace("2026-03-02", "2026-02-30")
        .replace("[sms]", "[smss]")
        .replace("consent: express", "consent: implied");
    let found = mistakes(&[("a.yaml", &with_rule(&bad)), ("b.yaml", "pack: Test\n  owner: x")]);
    let places: Vec<_> = found.iter().map(|text| text.split(": ").next().unwrap()).collect();
    let expected = [
        "W102 a.yaml:6:5",
        "W103 a.yaml:5:5",
        "W104 a.yaml:8:19",
        "W104 a.yaml:9:16",
        "W104 a.yaml:10:27",
        "W104 a.yaml:11:22",
        "W101 b.yaml:2:8",
    ];
    assert_eq!(places, expected, "{found:#?}");
    assert!(found[4].contains("did you mean `sms`?"), "{}", found[4]);
}

#[test]
fn what_can_be_written_and_not_meant_is_refused() {
    let table = [
        ("then: { consent: express }", "then: { hours: { from: \"21:00\", to: \"08:00\" } }", code::EMPTY_HOURS),
        ("then: { consent: express }", "then: { hours: { from: \"08:00\", to: \"08:00\" } }", code::EMPTY_HOURS),
        ("then: { consent: express }", "then: { hour: { from: \"08:00\", to: \"21:00\" } }", code::UNKNOWN_THEN),
        ("effective: 2026-03-02", "effective: 2026-03-02\n    until: 2026-03-01", code::DATES_REVERSED),
        ("[sms]", "[]", "W104"),
        ("jurisdiction: US", "jurisdiction: []", "W104"),
        ("{ consent: express }", "{ hours: { from: \"8:00\", to: \"21:00\" } }", "W104"),
        ("{ consent: express }", "{ hours: { from: \"08:00\", to: \"24:00\" } }", "W104"),
        ("2026-03-02", "1492-03-02", "W104"),
        ("id: test.one", "id: Test One", "W104"),
        ("status: reviewed", "status: fine", "W104"),
    ];
    for (right, wrong, code) in table {
        let text = with_rule(GOOD);
        assert!(text.contains(right), "{right}");
        let found = mistakes(&[("a.yaml", &text.replacen(right, wrong, 1))]);
        assert_eq!(found.len(), 1, "{wrong}: {found:#?}");
        assert!(found[0].starts_with(code), "{wrong}: {}", found[0]);
    }
}

#[test]
fn an_id_is_there_once_over_all_files() {
    let text = with_rule(GOOD);
    let found = mistakes(&[("a.yaml", &text), ("b.yaml", &text)]);
    let expected = "W106 b.yaml:5:9: the rule `test.one` is there twice; first at a.yaml:5:9\n  \
                    help: give one of them another id";
    assert_eq!(found, [expected]);
}

#[test]
fn no_rule_at_all_is_a_mistake() {
    assert!(mistakes(&[])[0].starts_with(code::NO_RULES));
    assert!(
        mistakes(&[("a.yaml", "pack: Test\nowner: Counsel\nstatus: reviewed\nrules: []\n")])[0]
            .starts_with(code::NO_RULES)
    );
}

#[test]
fn every_code_of_this_room_has_its_page() {
    for code in code::ALL {
        let page = format!("{}/../docs/errors/{code}.md", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(text.starts_with(&format!("# {code}: ")), "{page}");
    }
}

/// Editors underline by the schema, which another room makes.
#[test]
fn the_schema_knows_the_words_and_bounds_that_the_reader_knows() {
    let schema = selvedge_workflow::schema::schema("rules").unwrap();
    let rule = &schema["properties"]["rules"]["items"]["properties"];
    assert_eq!(rule["applies"]["properties"]["channels"]["anyOf"][0]["enum"], serde_json::json!(CHANNELS));
    let then = &rule["then"]["properties"];
    let answers = |then: &str| mistakes(&[("a.yaml", &with_rule(&GOOD.replace("consent: express", then)))]);
    for (asked, _) in then.as_object().unwrap() {
        let told = answers(&format!("{asked}: [1]"));
        assert!(!told.is_empty() && told.iter().all(|told| !told.contains(code::UNKNOWN_THEN)), "{asked}: {told:?}");
    }
    for (key, text) in [("contacts", "contacts: N, of: call, days: 7"), ("days", "contacts: 1, of: call, days: N")] {
        let most = then["at-most"]["properties"][key]["maximum"].as_i64().unwrap();
        let with = |n: i64| answers(&format!("at-most: {{ {}, per: account }}", text.replace('N', &n.to_string())));
        assert_eq!((with(most).len(), with(most + 1).len()), (0, 1), "{key}");
    }
}
