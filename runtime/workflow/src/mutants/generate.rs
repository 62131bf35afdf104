//! The ways in which a workflow is spoilt. They are told by what stands in the tree, not by kinds of steps, so that a new
//! kind is spoilt as the others are: a list of steps loses one, a level becomes a lower one, a field another field.

use std::collections::{BTreeMap, BTreeSet};

use super::Mutant;
use crate::compile::{ConnectorFacts, DICTIONARY, Files};
use crate::dictionary::{Dictionary, Level};
use crate::plan::{CHAT, Plan};
use crate::source::{Diagnostic, Document, Node, Span, Value, parse_duration};
use crate::syntax::Kind;

/// A way down a tree: which entry or item at each level.
type Path = Vec<usize>;

/// What can stand in the place of something else.
struct Vocabulary {
    fields: Vec<String>,
    steps: Vec<String>,
    templates: Vec<String>,
    uses: Vec<String>,
    installed: Vec<String>,
}

/// Every mutant of a workflow.
pub fn mutants(
    files: &Files,
    name: &str,
    plan: &Plan,
    connectors: &BTreeMap<String, ConnectorFacts>,
) -> Result<Vec<Mutant>, Vec<Diagnostic>> {
    let dictionary = Dictionary::read(DICTIONARY, files.get(DICTIONARY).map_or("", String::as_str))?;
    let unique = |names: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        names.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    };
    let vocabulary = Vocabulary {
        fields: unique(&mut dictionary.fields.keys()),
        steps: unique(&mut plan.nodes.iter().map(|node| &node.step)),
        templates: unique(&mut plan.templates.values().map(|template| &template.name)),
        uses: unique(&mut plan.uses.keys()),
        installed: unique(&mut connectors.keys()),
    };
    let mut mutants = Vec::new();
    let own = format!("{name}/workflow.yaml");
    for (file, text) in files.iter().filter(|(path, _)| **path == own || path.ends_with("/subworkflow.yaml")) {
        let tree = Document::parse(&format!("workflows/{file}"), text)?;
        for (path, value, key) in places(&tree) {
            for (kind, change, new) in changes(value, &key, &vocabulary) {
                let mut spoilt = tree.clone();
                if let Some(place) = at(&mut spoilt, &path) {
                    place.node = new;
                }
                let mut files = files.clone();
                files.insert(file.clone(), written(&spoilt));
                mutants.push(Mutant { kind, place: value.span.clone(), change, files, connectors: connectors.clone() });
            }
        }
    }
    mutants.extend(spoilt_templates(files, plan, &vocabulary, connectors));
    mutants.extend(spoilt_grants(files, plan, &vocabulary, connectors));
    Ok(mutants)
}

/// Every value of a tree with the way to it and the key that it stands behind.
fn places(tree: &Value) -> Vec<(Path, &Value, String)> {
    let mut found = Vec::new();
    let mut open = vec![(Path::new(), tree, String::new())];
    while let Some((path, value, key)) = open.pop() {
        let below: Vec<(String, &Value)> = match &value.node {
            Node::Map(entries) => entries.iter().map(|(key, value)| (key.value.clone(), value)).collect(),
            Node::List(items) => items.iter().map(|item| (key.clone(), item)).collect(),
            _ => Vec::new(),
        };
        for (index, (key, below)) in below.into_iter().enumerate() {
            let mut path = path.clone();
            path.push(index);
            open.push((path, below, key));
        }
        found.push((path, value, key));
    }
    found
}

fn at<'v>(tree: &'v mut Value, path: &[usize]) -> Option<&'v mut Value> {
    path.iter().try_fold(tree, |value, index| match &mut value.node {
        Node::Map(entries) => entries.get_mut(*index).map(|(_, value)| value),
        Node::List(items) => items.get_mut(*index),
        _ => None,
    })
}

/// All that a value can be spoilt into: the kind of change, what it is in words, and the new value.
fn changes(value: &Value, key: &str, words: &Vocabulary) -> Vec<(&'static str, String, Node)> {
    match &value.node {
        Node::Map(entries) => without_each("drop a key", entries, |(key, _)| format!("`{}`", key.value), Node::Map),
        Node::List(items) if items.iter().all(is_step) => {
            let mut changes = without_each("drop a step", items, step_name, Node::List);
            for first in 0..items.len() {
                for second in first + 1..items.len() {
                    let mut swapped = items.clone();
                    swapped.swap(first, second);
                    let change = format!("{} and {} are swapped", step_name(&items[first]), step_name(&items[second]));
                    changes.push(("swap two steps", change, Node::List(swapped)));
                }
            }
            changes
        }
        Node::List(items) if key == "fields" => {
            let known: Vec<&Node> = items.iter().map(|item| &item.node).collect();
            let more =
                words.fields.iter().map(|field| Node::Text(field.clone())).filter(|field| !known.contains(&field));
            let widened = more.map(|field| {
                let change = format!("`fields` also has {}", field.in_words());
                let item = Value { span: value.span.clone(), node: field };
                ("widen the fields", change, Node::List(items.iter().cloned().chain([item]).collect()))
            });
            widened.collect()
        }
        Node::Text(text) => texts(text, key, words)
            .into_iter()
            .map(|(kind, text)| (kind, format!("`{key}` is `{text}`"), Node::Text(text)))
            .collect(),
        Node::Int(_) => vec![("raise a number", format!("`{key}` is 10"), Node::Int(10))],
        _ => Vec::new(),
    }
}

/// What a text can be spoilt into.
fn texts(text: &str, key: &str, words: &Vocabulary) -> Vec<(&'static str, String)> {
    let others = |kind: &'static str, names: &[String]| -> Vec<(&'static str, String)> {
        if !names.iter().any(|name| name == text) {
            return Vec::new();
        }
        names.iter().filter(|name| *name != text).map(|name| (kind, name.clone())).collect()
    };
    let mut found = Vec::new();
    if let Some(level) = Level::named(text) {
        let lower = Level::ALL.iter().filter(|(_, other)| *other < level);
        found.extend(lower.map(|(name, _)| ("weaken a level", (*name).to_owned())));
    }
    if parse_duration(text).is_some() {
        found.extend([("lengthen a time", "366d".to_owned()), ("lengthen a time", "30d".to_owned())]);
        found.extend([("shorten a time", "1s".to_owned())]);
    }
    if key == "purpose" {
        found.extend(["identity", "marketing"].map(|purpose| ("change a purpose", purpose.to_owned())));
    }
    if ["call", CHAT, "page"].contains(&text) {
        found.push(("change the conversation", if text == "call" { "page" } else { "call" }.to_owned()));
    }
    if key == "by" {
        found.extend(["knowledge", "voice"].map(|method| ("weaken the method", method.to_owned())));
    }
    if key != "id" {
        found.extend(others("name another field", &words.fields));
        found.extend(others("name another step", &words.steps));
        found.extend(others("name another template", &words.templates));
        found.extend(others("reroute", &words.uses));
        found.extend(others("reroute", &words.installed));
    }
    found
}

/// The list without each of its items in turn.
fn without_each<T: Clone>(
    kind: &'static str,
    items: &[T],
    name: impl Fn(&T) -> String,
    node: impl Fn(Vec<T>) -> Node,
) -> Vec<(&'static str, String, Node)> {
    let without = |gone: usize| -> Vec<T> {
        items.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, item)| item.clone()).collect()
    };
    items.iter().enumerate().map(|(at, item)| (kind, format!("{} is gone", name(item)), node(without(at)))).collect()
}

/// A map with one key, which is a kind of step.
fn is_step(item: &Value) -> bool {
    matches!(&item.node, Node::Map(entries) if entries.len() == 1 && Kind::NAMES.contains(&entries[0].0.value.as_str()))
}

/// `identity`, in backticks.
fn step_name(item: &Value) -> String {
    let Node::Map(entries) = &item.node else { return "a step".to_owned() };
    let id = entries.iter().find_map(|(_, body)| match &body.node {
        Node::Map(keys) => keys.iter().find(|(key, _)| key.value == "id").map(|(_, id)| &id.node),
        _ => None,
    });
    match id {
        Some(Node::Text(id)) => format!("`{id}`"),
        _ => "a step".to_owned(),
    }
}

/// Each text also names each field, and one holds a card number; each loses each of its sentences.
fn spoilt_templates(
    files: &Files,
    plan: &Plan,
    words: &Vocabulary,
    connectors: &BTreeMap<String, ConnectorFacts>,
) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for template in plan.templates.values() {
        let path = template.file.trim_start_matches("workflows/");
        for gone in template.text.split_inclusive(['.', ':', ';']).filter(|part| *part != template.text) {
            let mut files = files.clone();
            let Some(text) = files.get_mut(path) else { continue };
            *text = text.replacen(gone, "", 1);
            let (place, change) =
                (Span::start_of(&template.file), format!("`{}` does not say `{gone}`", template.called()));
            mutants.push(Mutant { kind: "shorten a template", place, change, files, connectors: connectors.clone() });
        }
        let named = words.fields.iter().filter(|field| !template.variables.contains(field) && !field.contains('-'));
        let more = named.map(|field| format!("{{{{ {field} }}}}")).chain(["4242 4242 4242 4242".to_owned()]);
        for more in more {
            let mut files = files.clone();
            let Some(text) = files.get_mut(path) else { continue };
            *text = format!("{} {more}\n", text.trim_end());
            let (place, change) =
                (Span::start_of(&template.file), format!("`{}` also says `{more}`", template.called()));
            let connectors = connectors.clone();
            mutants.push(Mutant { kind: "widen a template", place, change, files, connectors });
        }
    }
    mutants
}

/// Each connector is granted more, or less; or says otherwise how its effects are answered.
fn spoilt_grants(
    files: &Files,
    plan: &Plan,
    words: &Vocabulary,
    connectors: &BTreeMap<String, ConnectorFacts>,
) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for name in plan.uses.values().collect::<BTreeSet<_>>() {
        let Some(facts) = connectors.get(name) else { continue };
        let place = Span::start_of(&facts.grant_file);
        let mut add = |kind: &'static str, change: String, spoil: &dyn Fn(&mut ConnectorFacts)| {
            let mut connectors = connectors.clone();
            if let Some(facts) = connectors.get_mut(name) {
                spoil(facts);
            }
            mutants.push(Mutant { kind, place: place.clone(), change, files: files.clone(), connectors });
        };
        for field in words.fields.iter().filter(|field| !facts.fields.contains(*field)) {
            let change = format!("`{name}` is granted `{field}`");
            add("widen a grant", change, &|facts| {
                facts.fields.insert(field.clone());
            });
        }
        for field in &facts.fields {
            let change = format!("`{name}` is not granted `{field}`");
            add("narrow a grant", change, &|facts| {
                facts.fields.remove(field);
            });
        }
        for purpose in &facts.purposes {
            let change = format!("`{name}` is not granted the purpose `{purpose}`");
            add("narrow a grant", change, &|facts| {
                facts.purposes.remove(purpose);
            });
        }
        for function in facts.effects.keys() {
            let change = format!("`{name}` calls `{function}` pure");
            add("hide an effect", change, &|facts| {
                facts.effects.insert(function.clone(), "pure".into());
            });
            let change = format!("`{name}` says nothing of `{function}`");
            add("hide an effect", change, &|facts| {
                facts.effects.remove(function);
            });
        }
    }
    mutants
}

/// A tree as YAML again, in the form that is JSON as well.
fn written(value: &Value) -> String {
    match &value.node {
        Node::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}: {}", quoted(&key.value), written(value))).collect();
            format!("{{{}}}", entries.join(",\n"))
        }
        Node::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(",\n")),
        Node::Text(text) => quoted(text),
        Node::Int(number) => number.to_string(),
        Node::Bool(flag) => flag.to_string(),
        Node::Null => "null".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_is_written_reads_as_itself() {
        let text = "a: [x, 3, true, ~, 'q\"\\n: #']\nb: { c: 10m }\n";
        let tree = Document::parse("t.yaml", text).unwrap();
        let again = Document::parse("t.yaml", &written(&tree)).unwrap();
        assert_eq!(written(&again), written(&tree));
    }
}
