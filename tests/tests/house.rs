//! The house keeps its shape: arrows between rooms point one way, every error code has its page, no file grows
//! beyond what one reads in a sitting.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use selvedge_tests::home;
use serde_json::Value;

/// Which room may know which. What is not here may know no other room. As in `runtime/docs/architecture.md`:
/// cli -> server, host, store -> engine -> workflow, policy, record, vault.
const ARROWS: [(&str, &[&str]); 10] = [
    ("selvedge", &["server", "host", "store", "engine", "workflow", "policy", "record", "vault", "doubles"]),
    ("server", &["engine", "workflow", "policy", "record", "vault"]),
    ("host", &["engine", "workflow", "policy", "record", "vault"]),
    ("store", &["engine", "workflow", "policy", "record", "vault"]),
    ("engine", &["workflow", "policy", "record", "vault"]),
    // Only to read YAML with places.
    ("policy", &["workflow"]),
    ("workflow", &[]),
    ("record", &[]),
    ("vault", &[]),
    // Somebody else's machine: it agrees with the product over HTTP or not at all.
    ("doubles", &[]),
];

/// What a room must not name: the pure rooms do no I/O, and each of the outer ones has one craft.
const FOREIGN: [(&str, &[&str]); 7] = [
    ("workflow", &["tokio", "sqlx", "wasmtime", "axum", "reqwest"]),
    ("policy", &["tokio", "sqlx", "wasmtime", "axum", "reqwest"]),
    ("record", &["tokio", "sqlx", "wasmtime", "axum", "reqwest"]),
    ("vault", &["tokio", "sqlx", "wasmtime", "axum", "reqwest"]),
    ("engine", &["sqlx", "wasmtime", "axum", "reqwest"]),
    ("server", &["sqlx", "wasmtime", "reqwest"]),
    ("host", &["sqlx", "axum"]),
];

/// The longest file, in lines.
const MAX_LINES: usize = 600;

/// What each package of the workspace depends on, outside its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let output = Command::new(cargo).args(args).current_dir(home()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |of: &Value| of["name"].as_str().unwrap().trim_start_matches("selvedge-").to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let needs = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"] != "dev").map(name).collect()
    };
    packages.map(|package| (name(package), needs(package))).collect()
}

#[test]
fn arrows_between_rooms_point_one_way() {
    let dependencies = dependencies();
    let rooms: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let found: BTreeSet<&str> = dependencies.keys().map(String::as_str).filter(|name| *name != "tests").collect();
    assert_eq!(rooms, found, "a room came or went: say here what it may know");
    for (room, may_know) in ARROWS {
        let knows = dependencies[room].iter().map(String::as_str).filter(|name| rooms.contains(name));
        for other in knows {
            assert!(may_know.contains(&other), "`{room}` must not know `{other}`");
        }
    }
    assert!(dependencies["tests"].iter().all(|name| !rooms.contains(name.as_str())), "tests see what a user sees");
}

#[test]
fn no_room_names_what_is_another_s_craft() {
    let dependencies = dependencies();
    for (room, foreign) in FOREIGN {
        for name in foreign {
            assert!(!dependencies[room].contains(*name), "`{room}` must not name `{name}`");
        }
    }
}

#[test]
fn every_error_code_has_its_page_and_every_page_its_code() {
    let mut codes = BTreeSet::new();
    for file in files(&home().join("runtime"), "rs") {
        if is_product(file.strip_prefix(home()).unwrap()) {
            codes.extend(codes_in(&std::fs::read_to_string(&file).unwrap()));
        }
    }
    let pages = files(&home().join("runtime/docs/errors"), "md");
    let pages = pages.into_iter().filter(|page| !page.ends_with("README.md"));
    let pages: BTreeMap<String, PathBuf> = pages.map(|page| (stem(&page), page)).collect();
    let without_page: Vec<&String> = codes.iter().filter(|code| !pages.contains_key(*code)).collect();
    let without_code: Vec<&String> = pages.keys().filter(|page| !codes.contains(*page)).collect();
    assert!(codes.len() > 100, "only {} codes were found", codes.len());
    assert_eq!((without_page, without_code), (Vec::new(), Vec::new()), "(codes without a page, pages without a code)");
    for (code, page) in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.starts_with(&format!("# {code}: ")), "{}: the title names the code", page.display());
        for section in ["What happened", "Why", "How to mend it"] {
            assert!(text.contains(&format!("\n## {section}\n")), "{}: no section `{section}`", page.display());
        }
    }
}

/// Tests name codes that they expect; those are no places where an error is made.
fn is_product(file: &Path) -> bool {
    !file.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

/// The codes that a source makes errors with: `code(X123)`, `"X123"`.
fn codes_in(source: &str) -> Vec<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    let starts = product.match_indices("code(").map(|(at, mark)| at + mark.len());
    let quoted = product.match_indices('"').map(|(at, mark)| at + mark.len());
    starts.chain(quoted).filter_map(|at| code_at(&product[at..])).collect()
}

/// A code at the beginning of a text: a room's letter and three digits, and nothing more of the word.
fn code_at(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    let digits = word.strip_prefix(|c: char| "WPRVESHNC".contains(c))?;
    (digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(word)
}

#[test]
fn codes_are_found_where_they_are_made() {
    assert_eq!(
        codes_in(r#"#[diagnostic(code(R301), help("x"))] fault("W101", "W1") #[cfg(test)] "N999""#),
        ["R301", "W101"]
    );
    assert!(codes_in(r#"code(no) "X100" "W10" "W1011""#).is_empty());
}

#[test]
fn no_file_is_too_long_to_be_read() {
    for folder in ["runtime", "plugins", "sdk", "tests"] {
        for file in files(&home().join(folder), "rs") {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= MAX_LINES, "{} has {lines} lines; the most is {MAX_LINES}", file.display());
        }
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The files below a folder whose name ends so; what cargo built is left out.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
