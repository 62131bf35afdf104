//! Canaries: values planted in the story that must be found nowhere afterwards. The scan reads every file below
//! the data folder: tables, write-ahead log, logs, ledgers of the doubles, exported evidence.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The test card of the gateway's double.
pub const CARD: &str = "4242424242424242";
/// Its security code.
pub const CODE: &str = "961";
/// Why the patient was seen; on file, and nobody's business in this story.
pub const DIAGNOSIS: &str = "canary-erythema-5b1f";

/// A canary that got out.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Which one.
    pub canary: &'static str,
    /// In which file.
    pub file: PathBuf,
    /// At which byte.
    pub at: usize,
}

/// Looks through every file below `folder`.
pub fn scan(folder: &Path) -> Result<Vec<Found>, Failure> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| Failure::read(&folder, &e))?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = content(&path).map_err(|e| Failure::read(&path, &e))?;
                found.extend(look(&bytes).into_iter().map(|(canary, at)| Found { canary, file: path.clone(), at }));
            }
        }
    }
    Ok(found)
}

/// The bytes of a file, whose handle stays open. POSIX takes all of a process's locks on a file away when it closes any
/// handle to it (fcntl(2)), and SQLite's are such locks: without them, who opens the folder beside this node and leaves it
/// again takes the tables for abandoned, and shortens what the node has mapped.
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let (mut file, mut bytes) = (File::open(path)?, Vec::new());
    file.read_to_end(&mut bytes)?;
    std::mem::forget(file);
    Ok(bytes)
}

/// The canaries in `bytes`, each with its place.
pub fn look(bytes: &[u8]) -> Vec<(&'static str, usize)> {
    let grouped: Vec<String> = ["", " ", "-", "%20", "+"].iter().map(|by| group(CARD, by)).collect();
    let mut found = Vec::new();
    for text in &grouped {
        found.extend(places(bytes, text.as_bytes()).map(|at| ("card number", at)));
    }
    found.extend(places(bytes, DIAGNOSIS.as_bytes()).map(|at| ("diagnosis", at)));
    found.extend(
        places(bytes, CODE.as_bytes())
            .filter(|at| stands_alone(bytes, *at, CODE.len()))
            .map(|at| ("security code", at)),
    );
    found
}

fn group(digits: &str, by: &str) -> String {
    digits.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect::<Vec<_>>().join(by)
}

fn places<'b>(bytes: &'b [u8], needle: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    bytes.windows(needle.len()).enumerate().filter(move |(_, window)| *window == needle).map(|(at, _)| at)
}

/// Three digits occur in any ciphertext by chance; a code that got out stands as a value of its own.
fn stands_alone(bytes: &[u8], at: usize, len: usize) -> bool {
    let opens = |b: u8| matches!(b, b'"' | b'=' | b':' | b' ' | b'\'');
    let closes = |b: u8| matches!(b, b'"' | b'&' | b',' | b' ' | b'\n' | b'}' | b'\'');
    at > 0 && opens(bytes[at - 1]) && bytes.get(at + len).is_none_or(|b| closes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_are_found_however_they_are_written() {
        for leak in [
            "{\"number\":\"4242424242424242\"}",
            "4242 4242 4242 4242",
            "pan=4242-4242-4242-4242",
            "seen for canary-erythema-5b1f.",
            "cvc=961&x=1",
            "{\"code\":\"961\"}",
        ] {
            assert_eq!(look(leak.as_bytes()).len(), 1, "{leak}");
        }
    }

    #[test]
    fn digits_inside_other_numbers_are_no_code() {
        for harmless in ["1796140961000", "0x961f", "961", "ending 4242", "a961b"] {
            assert_eq!(look(harmless.as_bytes()), [], "{harmless}");
        }
    }

    #[test]
    fn the_scan_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        std::fs::write(folder.path().join("log/node.log"), "card 4242424242424242\n").unwrap();
        let found = scan(folder.path()).unwrap();
        assert_eq!(found, [Found { canary: "card number", file: folder.path().join("log/node.log"), at: 5 }]);
    }
}
