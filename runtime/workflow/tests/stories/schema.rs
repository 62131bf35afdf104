//! The schemas that lie in `workflows/schema/` are those that are made, they fit every shipped file, and they know what
//! the readers know.

use std::path::{Path, PathBuf};

use selvedge_workflow::schema::{NAMES, schema};
use selvedge_workflow::source::{Document, Node, Value as Tree};
use selvedge_workflow::syntax::{Kind, Workflow};
use serde_json::{Value, json};

fn workflows() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows")
}

fn as_json(tree: &Tree) -> Value {
    match &tree.node {
        Node::Map(entries) => entries.iter().map(|(key, value)| (key.value.clone(), as_json(value))).collect(),
        Node::List(items) => items.iter().map(as_json).collect(),
        Node::Text(text) => text.as_str().into(),
        Node::Int(number) => (*number).into(),
        Node::Bool(flag) => (*flag).into(),
        Node::Null => Value::Null,
    }
}

fn file(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    as_json(&Document::parse(&path.display().to_string(), &text).unwrap())
}

/// What of a value does not fit a schema: the words of draft 7 that our schemas use, and no others.
fn misfits(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    misfits_in(schema, schema, value, at)
}

fn misfits_in(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let misfits = |schema: &Value, value: &Value, at: &str| misfits_in(root, schema, value, at);
    let mut found = Vec::new();
    for (word, says) in schema.as_object().unwrap() {
        let fits = match word.as_str() {
            "$schema" | "title" | "description" | "examples" | "definitions" => true,
            "$ref" => {
                let target = root.pointer(says.as_str().unwrap().trim_start_matches('#')).unwrap();
                found.extend(misfits(target, value, at));
                true
            }
            "type" => match says.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "integer" => value.is_i64(),
                "boolean" => value.is_boolean(),
                other => panic!("no type `{other}` is used"),
            },
            "enum" => says.as_array().unwrap().contains(value),
            "minimum" => value.as_i64().is_none_or(|number| number >= says.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= says.as_i64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= says.as_u64().unwrap()),
            "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= says.as_u64().unwrap()),
            "maxProperties" => value.as_object().is_none_or(|map| map.len() as u64 <= says.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| matches(says.as_str().unwrap(), text)),
            "required" => value
                .as_object()
                .is_none_or(|map| says.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))),
            "oneOf" => {
                says.as_array().unwrap().iter().filter(|schema| misfits(schema, value, at).is_empty()).count() == 1
            }
            "anyOf" => says.as_array().unwrap().iter().any(|schema| misfits(schema, value, at).is_empty()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(misfits(says, item, &format!("{at}[{index}]")));
                }
                true
            }
            "propertyNames" => {
                value.as_object().into_iter().flatten().for_each(|(key, _)| {
                    found.extend(misfits(says, &json!(key), &format!("{at}.{key}")));
                });
                true
            }
            "properties" | "additionalProperties" => {
                for (key, below) in value.as_object().into_iter().flatten() {
                    let known = schema.get("properties").and_then(|known| known.get(key));
                    match (word.as_str(), known, says) {
                        ("properties", Some(known), _) => found.extend(misfits(known, below, &format!("{at}.{key}"))),
                        ("additionalProperties", None, Value::Bool(false)) => {
                            found.push(format!("{at}: `{key}` is unknown"))
                        }
                        ("additionalProperties", None, other) => {
                            found.extend(misfits(other, below, &format!("{at}.{key}")))
                        }
                        _ => {}
                    }
                }
                true
            }
            other => panic!("the word `{other}` is not used"),
        };
        if !fits {
            found.push(format!("{at}: {value} does not fit `{word}: {says}`"));
        }
    }
    found
}

/// The patterns of our schemas, read by hand.
fn matches(pattern: &str, text: &str) -> bool {
    let place = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    match pattern {
        "^[a-z][a-z0-9-]{0,63}$" => word(text) && text.len() <= 64,
        "^[a-z][a-z0-9-]{0,63}(#[1-9][0-9]{0,2})?$" => word(text.split('#').next().unwrap_or_default()),
        r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$" => text.contains('.') && text.split('.').all(word),
        "^[a-z][a-z0-9.-]{0,63}$" => word(&text.replace('.', "-")),
        "^[0-9]{1,9}[smhd]$" => selvedge_workflow::source::parse_duration(text).is_some(),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => text.len() == 10 && text.split('-').count() == 3,
        "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}$" => text.len() == 16 && text.split(':').count() == 2,
        "^[A-Z0-9]+(-[A-Z0-9]+)*$" => text.split('-').all(place),
        "^([01][0-9]|2[0-3]):[0-5][0-9]$" => text.len() == 5 && text.split(':').all(|part| part.parse::<u8>().is_ok()),
        "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$" => {
            text.split('-').all(|day| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(&day))
        }
        "^[a-z]{2}$" => selvedge_workflow::template::is_language(text),
        other => panic!("the pattern `{other}` is new"),
    }
}

fn word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Every shipped file with the schema that it must fit.
fn shipped() -> Vec<(PathBuf, &'static str)> {
    let root = workflows();
    let one = [
        ("fields.yaml", "fields"),
        ("schedules.yaml", "schedules"),
        ("policies/assurance.yaml", "assurance"),
        ("policies/disclosures.yaml", "disclosures"),
        ("policies/budget.yaml", "budget"),
    ];
    let mut found = one.map(|(path, schema)| (root.join(path), schema)).to_vec();
    let yaml = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
    };
    found.extend(yaml(&root.join("rules")).into_iter().map(|path| (path, "rules")));
    found.extend(yaml(&root.join("grants")).into_iter().map(|path| (path, "grants")));
    for folder in std::fs::read_dir(&root).unwrap().flatten().map(|entry| entry.path()) {
        if folder.join("subworkflow.yaml").is_file() {
            found.push((folder.join("subworkflow.yaml"), "subworkflow"));
        }
        if folder.join("workflow.yaml").is_file() {
            found.push((folder.join("workflow.yaml"), "workflow"));
            found.extend(yaml(&folder.join("tests")).into_iter().map(|path| (path, "stories")));
        }
    }
    found
}

#[test]
fn the_schemas_in_the_folder_are_those_that_are_made() {
    for name in NAMES {
        let path = workflows().join(format!("schema/{name}.json"));
        let made = format!("{:#}\n", schema(name).unwrap());
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let lies = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(lies == made, "{} is old: run this test with UPDATE_SNAPSHOTS=1", path.display());
    }
}

#[test]
fn every_shipped_file_fits_its_schema() {
    let shipped = shipped();
    assert!(NAMES.iter().all(|name| shipped.iter().any(|(_, schema)| schema == name)));
    for (path, name) in shipped {
        let misfits = misfits(&schema(name).unwrap(), &file(&path), name);
        assert!(misfits.is_empty(), "{}: {misfits:#?}", path.display());
    }
}

#[test]
fn a_key_that_is_misspelt_does_not_fit() {
    for (path, name) in shipped() {
        let mut value = file(&path);
        let keys = value.as_object_mut().unwrap();
        let (_, first) = keys.shift_remove_entry(&keys.keys().next().unwrap().clone()).unwrap();
        keys.insert("misspelt".into(), first);
        assert!(!misfits(&schema(name).unwrap(), &value, name).is_empty(), "{}", path.display());
    }
    let mut workflow = file(&workflows().join("healthcare-balance/workflow.yaml"));
    workflow["steps"][0]["verify"]["trys"] = json!(3);
    let found = misfits(&schema("workflow").unwrap(), &workflow, "workflow");
    assert_eq!(found, ["workflow.steps[0].verify: `trys` is unknown"]);
}

#[test]
fn a_rule_that_its_reader_refuses_is_underlined() {
    let schema = schema("rules").unwrap();
    let rule = |applies: Value, then: Value| {
        json!({
            "pack": "House", "owner": "Counsel", "status": "unreviewed",
            "rules": [{
                "id": "house.one", "cite": "house", "about": "A rule.", "jurisdiction": "US", "effective": "2026-01-01",
                "applies": applies, "then": then,
            }],
        })
    };
    let sms = || json!({ "channels": ["sms"] });
    let consent = || json!({ "consent": "express" });
    for fits in [
        rule(sms(), consent()),
        rule(json!({ "channels": "call", "purposes": ["billing"] }), json!({ "hours": "convenient" })),
        rule(sms(), json!({ "hours": { "mon-sat": { "from": "09:00", "to": "21:00" }, "sun": "none" } })),
        rule(sms(), json!({ "quiet": { "after": "refusal", "within": "366d" } })),
        rule(sms(), json!({ "at-most": { "contacts": 3, "of": ["sms"], "days": 7, "per": "account" } })),
    ] {
        assert_eq!(misfits(&schema, &fits, "rules"), Vec::<String>::new());
    }
    for spoilt in [
        rule(json!({}), consent()),
        rule(json!({ "channels": ["fax"] }), consent()),
        rule(json!({ "channels": ["sms"], "purpose": ["billing"] }), consent()),
        rule(sms(), json!({ "consents": "express" })),
        rule(sms(), json!({ "consent": "oral" })),
        rule(sms(), json!({ "consent": "express", "not-flagged": "attorney" })),
        rule(sms(), json!({ "hours": { "from": "8:00", "to": "21:00" } })),
        rule(sms(), json!({ "hours": { "from": "08:00" } })),
        rule(sms(), json!({ "hours": { "monday": "none" } })),
        rule(sms(), json!({ "noted": { "any": ["own-text"] } })),
        rule(sms(), json!({ "quiet": { "after": "conversation", "of": ["call"] } })),
        rule(
            sms(),
            json!({ "at-most": { "contacts": 3, "of": ["sms"], "days": 7, "within": "7d", "per": "account" } }),
        ),
        rule(sms(), json!({ "at-most": { "contacts": 0, "of": ["sms"], "days": 7, "per": "account" } })),
        rule(sms(), json!({ "at-most": { "contacts": 3, "of": ["sms"], "days": 7, "per": "household" } })),
        rule(sms(), json!({ "at-most": { "contacts": 3, "days": 7, "per": "account" } })),
    ] {
        assert!(!misfits(&schema, &spoilt, "rules").is_empty(), "{spoilt:#}");
    }
}

/// A step of each kind that has every key, with the example of the schema behind it.
#[test]
fn the_schema_and_the_reader_know_the_same_keys_of_every_kind() {
    let schema = schema("workflow").unwrap();
    let kinds = schema["definitions"]["step"]["properties"].as_object().unwrap();
    assert_eq!(kinds.keys().collect::<Vec<_>>(), Kind::NAMES);
    for (kind, body) in kinds {
        let whole = example(body);
        assert_eq!(mistakes(kind, &whole), "", "{whole:#}");
        for key in body["properties"].as_object().unwrap().keys() {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().shift_remove(key);
            let needed = body["required"].as_array().unwrap().contains(&json!(key));
            assert_eq!(!mistakes(kind, &without).is_empty(), needed, "`{kind}` without `{key}`");
        }
    }
}

fn example(schema: &Value) -> Value {
    if let Some(example) =
        schema.get("examples").and_then(|all| all.get(0)).or_else(|| schema.get("enum").and_then(|all| all.get(0)))
    {
        return example.clone();
    }
    match schema["type"].as_str().unwrap() {
        "object" => match schema["properties"].as_object() {
            Some(keys) => keys.iter().map(|(key, below)| (key.clone(), example(below))).collect(),
            None => json!({ "name": example(&schema["additionalProperties"]) }),
        },
        "array" => json!([example(&schema["items"])]),
        "integer" => schema["minimum"].clone(),
        "boolean" => json!(true),
        other => panic!("no example of `{other}`"),
    }
}

/// What the reader says of a workflow with this one step.
fn mistakes(kind: &str, body: &Value) -> String {
    let workflow = json!({
        "workflow": "w", "title": "t", "purpose": "billing", "starts": "call", "uses": { "texts": "x" }, "steps": [{ kind: body }],
    });
    let tree = Document::parse("w.yaml", &workflow.to_string()).unwrap();
    let found = Workflow::read(&tree).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
