//! What the vendor will never forget: one JSON line per accepted order and one per acknowledged webhook,
//! on the disk before anybody hears of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One order that the vendor took on: a message or a charge. `T` is the vendor's own part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry<T> {
    /// The vendor's id: `msg_…`, `ch_…`.
    pub id: String,
    /// The idempotency key that the client gave.
    pub key: String,
    /// A keyed hash of the request, which tells a replay from a second order under the same key.
    pub fingerprint: String,
    /// `delivered`, `succeeded` or `failed`.
    pub status: String,
    /// UTC microseconds.
    pub at: i64,
    /// What was ordered, as far as this vendor may keep it.
    pub what: T,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
enum Line<T> {
    Accepted { seq: usize, entry: Entry<T> },
    Acknowledged { seq: usize, event: String },
}

impl<T> Line<T> {
    fn seq(&self) -> usize {
        match self {
            Line::Accepted { seq, .. } | Line::Acknowledged { seq, .. } => *seq,
        }
    }
}

/// An append-only JSONL file and its content in memory. One process at a time holds it.
pub(crate) struct Ledger<T> {
    file: File,
    /// Bytes of whole lines; what lies behind is a torn write.
    length: u64,
    lines: usize,
    entries: Vec<Entry<T>>,
    by_key: BTreeMap<String, usize>,
    acknowledged: BTreeSet<String>,
}

impl<T: Clone + Serialize + DeserializeOwned> Ledger<T> {
    /// Opens or creates the file and reads it. A last line without its end was never answered for and is cut
    /// off. Errors: the file is held by another process (`AddrInUse`), a whole line makes no sense
    /// (`InvalidData`, naming the line), or the disk refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        file.try_lock()
            .map_err(|_| Error::new(ErrorKind::AddrInUse, format!("`{}` is held by another double", path.display())))?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }

        let text = std::fs::read(path)?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let mut ledger = Ledger {
            file,
            length: whole as u64,
            lines: 0,
            entries: Vec::new(),
            by_key: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        };
        ledger.file.set_len(ledger.length)?;
        for (index, line) in text[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
            let line =
                serde_json::from_slice::<Line<T>>(line).ok().filter(|line| line.seq() == index).ok_or_else(|| {
                    let text = format!("line {} of `{}` is not a ledger line", index + 1, path.display());
                    Error::new(ErrorKind::InvalidData, text)
                })?;
            ledger.apply(line);
        }
        Ok(ledger)
    }

    /// Keeps one order. When this returns `Ok` it is on the disk; when it does not, nothing was taken on.
    pub fn accept(&mut self, entry: Entry<T>) -> Result<()> {
        self.append(Line::Accepted { seq: self.lines, entry })
    }

    /// Keeps that the client has taken note of an event.
    pub fn acknowledge(&mut self, event: &str) -> Result<()> {
        self.append(Line::Acknowledged { seq: self.lines, event: event.to_owned() })
    }

    /// The order under this key.
    pub fn find(&self, key: &str) -> Option<&Entry<T>> {
        self.by_key.get(key).map(|index| &self.entries[*index])
    }

    /// All orders, oldest first.
    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// Was this event acknowledged?
    pub fn is_acknowledged(&self, event: &str) -> bool {
        self.acknowledged.contains(event)
    }

    fn append(&mut self, line: Line<T>) -> Result<()> {
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line must not stay in front of the next one.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.apply(line);
        Ok(())
    }

    fn apply(&mut self, line: Line<T>) {
        self.lines += 1;
        match line {
            Line::Accepted { entry, .. } => {
                self.by_key.insert(entry.key.clone(), self.entries.len());
                self.entries.push(entry);
            }
            Line::Acknowledged { event, .. } => {
                self.acknowledged.insert(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str) -> Entry<String> {
        Entry {
            id: format!("msg_{key}"),
            key: key.into(),
            fingerprint: "f".into(),
            status: "delivered".into(),
            at: 1,
            what: "hello".into(),
        }
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_rest_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.accept(entry("a")).unwrap();
        ledger.acknowledge("evt_a").unwrap();
        drop(ledger);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], br#"{"line":"accepted","seq":2,"ent"#].concat()).unwrap();

        let mut ledger = Ledger::<String>::open(&path).unwrap();
        assert_eq!(ledger.entries(), [entry("a")]);
        assert!(ledger.is_acknowledged("evt_a"));
        ledger.accept(entry("b")).unwrap();
        drop(ledger);
        assert_eq!(Ledger::<String>::open(&path).unwrap().find("b"), Some(&entry("b")));
    }

    #[test]
    fn a_whole_line_that_makes_no_sense_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        Ledger::open(&path).unwrap().accept(entry("a")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{text}")).unwrap();
        let error = Ledger::<String>::open(&path).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().starts_with("line 2 of"), "{error}");
    }

    #[test]
    fn two_doubles_cannot_share_one_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        let _first = Ledger::<String>::open(&path).unwrap();
        assert_eq!(Ledger::<String>::open(&path).err().unwrap().kind(), ErrorKind::AddrInUse);
    }
}
