//! Where the workflows and the plugins are: this folder or the nearest above it, then above the binary.

use std::path::{Path, PathBuf};

use selvedge_policy::OptOut;
use selvedge_workflow::Files;

use crate::failure::Failure;

/// The largest file that is read as a definition.
const MAX_FILE: u64 = 256 * 1024;
/// Which texts ask to be left alone.
const OPT_OUT: &str = "policies/opt-out.yaml";
/// What belongs to definitions.
const ENDINGS: [&str; 3] = ["yaml", "txt", "cedar"];

/// The folder with `workflows/` and `plugins/`.
pub fn find() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().ok();
    let binary = std::env::current_exe().ok();
    let above = here.iter().chain(binary.iter()).flat_map(|start| start.ancestors());
    above
        .filter(|dir| dir.join("workflows").is_dir() && dir.join("plugins/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .next()
        .ok_or(Failure::NoHome)
}

/// Every definition below `workflows/`, by its path from there.
pub fn definitions(home: &Path) -> Result<Files, Failure> {
    let root = home.join("workflows");
    let (mut files, mut folders) = (Files::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| Failure::read(&folder, &e))?;
        for entry in entries {
            let path = entry.map_err(|e| Failure::read(&folder, &e))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e == *known)) {
                let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                files.insert(name, text(&path)?);
            }
        }
    }
    Ok(files)
}

/// The words by which a customer's text asks to be left alone.
pub fn opt_out(files: &Files) -> Result<OptOut, Failure> {
    OptOut::load(OPT_OUT, files.get(OPT_OUT).map_or("", String::as_str))
        .map_err(|findings| Failure::Findings { findings })
}

/// A text file within the limit.
pub fn text(path: &Path) -> Result<String, Failure> {
    let size = std::fs::metadata(path).map_err(|e| Failure::read(path, &e))?.len();
    if size > MAX_FILE {
        let why = format!("it has {size} bytes, the limit is {MAX_FILE}");
        return Err(Failure::File { path: path.display().to_string(), what: "read", why });
    }
    std::fs::read_to_string(path).map_err(|e| Failure::read(path, &e))
}
