//! Builds connectors from their sources: a cargo workspace in, components out.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::BuildError;
use crate::component::{build_component, digest};

/// What connectors are compiled for: no clock, no files, no network of its own.
const TARGET: &str = "wasm32-unknown-unknown";
/// How much of the compiler's complaints is kept, in lines.
const LAST_LINES: usize = 60;

/// Builds every connector of the workspace in `folder` and gives their components by package name. `progress` hears a
/// line now and then: "Compiling brightline-sms". What is up to date is not built again; a missing target is added
/// with rustup.
///
/// # Errors
/// [`BuildError`]: no cargo, no target, sources that do not compile or are no connectors.
pub fn build_workspace(folder: &Path, progress: &mut dyn FnMut(&str)) -> Result<BTreeMap<String, Vec<u8>>, BuildError> {
    if !folder.join("Cargo.toml").is_file() {
        return Err(BuildError::NoWorkspace { folder: folder.to_owned() });
    }
    add_target(folder, progress)?;
    let modules = compile(folder, progress)?;
    let mut components = BTreeMap::new();
    for (name, path) in modules {
        let refused = |why: String| BuildError::NotAConnector { name: name.clone(), why };
        let module = std::fs::read(&path).map_err(|error| refused(error.to_string()))?;
        let component = build_component(&module).map_err(refused)?;
        components.insert(name, component);
    }
    Ok(components)
}

/// Makes sure that rustc has a library for the target.
fn add_target(folder: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), BuildError> {
    if has_target(folder)? {
        return Ok(());
    }
    progress(&format!("Adding the target {TARGET} with rustup"));
    let output = Command::new("rustup").current_dir(folder).args(["target", "add", TARGET]).output();
    let output = output.map_err(|error| BuildError::NoTarget { why: format!("rustup did not start ({error})") })?;
    if !output.status.success() {
        return Err(BuildError::NoTarget { why: last_lines(&String::from_utf8_lossy(&output.stderr)) });
    }
    Ok(())
}

fn has_target(folder: &Path) -> Result<bool, BuildError> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .current_dir(folder)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| BuildError::NoCargo { folder: folder.to_owned(), why: format!("rustc: {error}") })?;
    let libdir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(output.status.success() && libdir.is_dir())
}

/// Runs cargo; gives the path of each wasm module by the name of its package.
fn compile(folder: &Path, progress: &mut dyn FnMut(&str)) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let no_cargo = |error: std::io::Error| BuildError::NoCargo { folder: folder.to_owned(), why: error.to_string() };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let mut running = cargo
        .current_dir(folder)
        .args(["build", "--release", "--locked", "--target", TARGET, "--message-format=json-render-diagnostics"])
        .env("CARGO_TARGET_DIR", target_dir(folder))
        // Flags meant for the surrounding build would replace those of the workspace's own configuration.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(no_cargo)?;

    // Messages for programs come on stdout, those for people on stderr; each must be drained.
    let stdout = running.stdout.take();
    let artifacts = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.map(|mut out| out.read_to_string(&mut text)).transpose().map(|_| text)
    });
    let mut said = String::new();
    if let Some(stderr) = running.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            progress(line.trim());
            said.push_str(&line);
            said.push('\n');
        }
    }
    let status = running.wait().map_err(no_cargo)?;
    let artifacts = artifacts.join().ok().and_then(Result::ok).unwrap_or_default();
    if status.success() {
        Ok(artifacts.lines().filter_map(wasm_artifact).collect())
    } else {
        Err(BuildError::Refused { folder: folder.to_owned(), said: last_lines(&said) })
    }
}

/// The package's name, which is that of its folder, and the module, from one line of cargo's JSON.
fn wasm_artifact(line: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    if message.get("reason")?.as_str()? != "compiler-artifact" {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    let module = files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm"))?;
    let folder = Path::new(message.get("manifest_path")?.as_str()?).parent()?;
    Some((folder.file_name()?.to_str()?.to_owned(), PathBuf::from(module)))
}

/// `target` in the workspace; where the environment names another place, a folder of its own there: this build never
/// waits for the lock of the one that runs it, and never takes what another checkout left for its own. Cargo would: to
/// it, two workspaces with the same packages in different places are one, and the newer one's components win.
fn target_dir(folder: &Path) -> OsString {
    let Some(outer) = env::var_os("CARGO_TARGET_DIR") else { return folder.join("target").into_os_string() };
    let place = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = digest(place.as_os_str().as_encoded_bytes()).replace(':', "-");
    Path::new(&outer).join("connectors").join(name).into_os_string()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
