//! What a developer sees when connectors do not build.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use selvedge_host::{BuildError, build_workspace};

fn workspace(folder: &Path, source: &str) {
    let manifest = "[package]\nname = \"broken\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let lock = "version = 4\n\n[[package]]\nname = \"broken\"\nversion = \"0.0.0\"\n";
    std::fs::write(folder.join("Cargo.lock"), lock).unwrap();
    std::fs::create_dir(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/lib.rs"), source).unwrap();
}

#[test]
fn a_folder_without_a_workspace_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = build_workspace(folder.path(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, BuildError::NoWorkspace { .. }), "{error}");
}

#[test]
fn the_compilers_words_come_with_the_error() {
    let folder = tempfile::tempdir().unwrap();
    workspace(folder.path(), "fn broken( {}");
    let mut heard = Vec::new();
    let error = build_workspace(folder.path(), &mut |line| heard.push(line.to_owned())).unwrap_err();
    assert!(matches!(&error, BuildError::Refused { said, .. } if said.contains("src/lib.rs:1")), "{error}");
    assert!(heard.iter().any(|line| line.starts_with("Compiling broken")), "{heard:?}");
}

#[test]
fn a_module_that_is_no_connector_is_named() {
    let folder = tempfile::tempdir().unwrap();
    workspace(
        folder.path(),
        "unsafe extern \"C\" { fn clock() -> u64; }\n#[unsafe(no_mangle)]\npub extern \"C\" fn f() -> u64 { unsafe { clock() } }\n",
    );
    let error = build_workspace(folder.path(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, BuildError::NotAConnector { .. }), "{error}");
}

#[test]
fn what_is_up_to_date_is_not_built_again() {
    let mut heard = Vec::new();
    let first = build_workspace(&common::root().join("plugins"), &mut |_| {}).unwrap();
    let second = build_workspace(&common::root().join("plugins"), &mut |line| heard.push(line.to_owned())).unwrap();
    assert!(!heard.iter().any(|line| line.starts_with("Compiling")), "{heard:?}");
    assert_eq!(first, second);
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        ["brightline-sim", "brightline-sms", "northgate-cards", "northgate-refunds"]
    );
}
