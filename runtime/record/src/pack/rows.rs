//! From bytes to rows: one line of a pack at a time, strictly.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::verify::printable;
use super::{MAX_LINE_BYTES, MAX_LINE_DEPTH, MAX_LINES, Opening, fault};
use crate::{Event, Fault, Hash, canonical, event};

/// A line of a pack, or of a stretch of the log, by what it holds.
pub enum Row {
    Manifest(Manifest),
    Event(Box<EventRow>),
    Control { digest: String, files: BTreeMap<String, String> },
    Opening(Opening),
    Seal(Seal),
    Stretch(Begin),
    Leaf { index: u64, leaf: Leaf },
}

/// The first line of a stretch of the log.
pub struct Begin {
    pub format: String,
    pub tenant: String,
    pub about: String,
    pub from: u64,
    pub edge: Vec<Hash>,
    pub places: u64,
    pub key: String,
    pub checkpoint: String,
}

/// What a stretch shows of a place: its event, or of another tenant's only the hash.
pub enum Leaf {
    Open(Box<Event>),
    Closed(Hash),
}

pub struct Manifest {
    pub format: String,
    pub tenant: String,
    pub interaction: String,
    pub events: u64,
    pub key: String,
    pub checkpoint: String,
    pub controls: Vec<String>,
}

pub struct EventRow {
    pub event: Event,
    pub index: u64,
    pub proof: Vec<Hash>,
}

pub struct Seal {
    pub digest: Hash,
    pub lines: u64,
    pub signature: String,
}

impl Row {
    pub fn as_control(&self) -> Option<(&String, &BTreeMap<String, String>)> {
        match self {
            Row::Control { digest, files } => Some((digest, files)),
            _ => None,
        }
    }

    pub fn as_opening(&self) -> Option<&Opening> {
        match self {
            Row::Opening(opening) => Some(opening),
            _ => None,
        }
    }

    pub fn as_event(&self) -> Option<&EventRow> {
        match self {
            Row::Event(row) => Some(row),
            _ => None,
        }
    }

    pub fn as_leaf(&self) -> Option<(u64, &Leaf)> {
        match self {
            Row::Leaf { index, leaf } => Some((*index, leaf)),
            _ => None,
        }
    }

    pub fn as_seal(&self) -> Option<&Seal> {
        match self {
            Row::Seal(seal) => Some(seal),
            _ => None,
        }
    }
}

/// A line that cannot be read: its code and why.
pub type Unreadable = (&'static str, String);

/// All lines of a file of at most `limit` bytes, each readable or not. Errors: R320.
pub fn read(bytes: &[u8], limit: usize) -> Result<Vec<Result<Row, Unreadable>>, Fault> {
    let whole = |line, what| fault("R320", line, "the file", what);
    if bytes.len() > limit {
        return Err(whole(1, format!("it has {} bytes, the limit is {limit}", bytes.len())));
    }
    if bytes.is_empty() {
        return Err(whole(1, "it is empty".to_owned()));
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').take(MAX_LINES + 1).collect();
    if lines.len() > MAX_LINES {
        return Err(whole(MAX_LINES + 1, format!("it has more than {MAX_LINES} lines")));
    }
    if let Some(long) = lines.iter().position(|line| line.len() > MAX_LINE_BYTES) {
        return Err(whole(long + 1, format!("a line is longer than {MAX_LINE_BYTES} bytes")));
    }
    Ok(lines.into_iter().map(row).collect())
}

fn row(line: &[u8]) -> Result<Row, Unreadable> {
    let Some(line) = line.strip_suffix(b"\n") else {
        return Err(("R320", "the file is cut short here: the line does not end".to_owned()));
    };
    let damaged = |why: &str| ("R321", format!("the line was changed: {}", printable(why)));
    let text = std::str::from_utf8(line).map_err(|_| damaged("it is not UTF-8 text"))?;
    let value: Value = serde_json::from_str(text).map_err(|error| damaged(&format!("it is not JSON ({error})")))?;
    match canonical::text(&value, MAX_LINE_DEPTH) {
        Ok(rewritten) if rewritten == text => {}
        Ok(_) => return Err(damaged("it is not in canonical form")),
        Err(error) => return Err(damaged(&error.to_string())),
    }
    let Value::Object(fields) = value else {
        return Err(damaged("it is not an object"));
    };
    shape(fields).map_err(|why| damaged(&why))
}

fn shape(fields: Map<String, Value>) -> Result<Row, String> {
    let mut fields = Fields(fields);
    let row = if fields.has("event") {
        event_row(&mut fields).map(|row| Row::Event(Box::new(row)))
    } else if fields.has("control") {
        fields.inside("control", |control| {
            let digest = control.text("digest")?;
            if !event::is_control_digest(&digest) {
                return Err("`digest` is not `sha256:` and 64 hex digits".to_owned());
            }
            Ok(Row::Control { digest, files: control.texts("files")? })
        })
    } else if fields.has("opening") {
        fields.inside("opening", opening).map(Row::Opening)
    } else if fields.has("seal") {
        fields.inside("seal", |seal| {
            Ok(Row::Seal(Seal {
                digest: seal.hash("digest")?,
                lines: seal.number("lines")?,
                signature: seal.text("signature")?,
            }))
        })
    } else if fields.has("leaf") {
        fields.inside("leaf", leaf)
    } else if fields.has("stretch") {
        fields.inside("stretch", begin).map(Row::Stretch)
    } else {
        manifest(&mut fields).map(Row::Manifest)
    }?;
    fields.end()?;
    Ok(row)
}

fn manifest(fields: &mut Fields) -> Result<Manifest, String> {
    let manifest = Manifest {
        format: fields.text("format")?,
        tenant: fields.text("tenant")?,
        interaction: fields.text("interaction")?,
        events: fields.number("events")?,
        key: fields.text("key")?,
        checkpoint: fields.text("checkpoint")?,
        controls: fields.list("controls", |item| item.as_str().map(str::to_owned))?,
    };
    if !event::is_name(&manifest.tenant) || !event::is_name(&manifest.interaction) {
        return Err("the manifest's tenant or interaction is not a name".to_owned());
    }
    Ok(manifest)
}

fn begin(fields: &mut Fields) -> Result<Begin, String> {
    let begin = Begin {
        format: fields.text("format")?,
        tenant: fields.text("tenant")?,
        about: fields.text("about")?,
        from: fields.number("from")?,
        edge: fields.list("edge", |item| item.as_str()?.parse().ok())?,
        places: fields.number("places")?,
        key: fields.text("key")?,
        checkpoint: fields.text("checkpoint")?,
    };
    if !event::is_name(&begin.tenant) || !event::is_name(&begin.about) {
        return Err("its tenant or what it is about is not a name".to_owned());
    }
    Ok(begin)
}

fn leaf(fields: &mut Fields) -> Result<Row, String> {
    let leaf = match fields.has("hash") {
        true => Leaf::Closed(fields.hash("hash")?),
        false => Leaf::Open(Box::new(fields.event()?)),
    };
    Ok(Row::Leaf { index: fields.number("index")?, leaf })
}

fn event_row(fields: &mut Fields) -> Result<EventRow, String> {
    Ok(EventRow {
        event: fields.event()?,
        index: fields.number("index")?,
        proof: fields.list("proof", |item| item.as_str()?.parse().ok())?,
    })
}

fn opening(fields: &mut Fields) -> Result<Opening, String> {
    Ok(Opening {
        seq: fields.number("seq")?,
        pointer: fields.text("pointer")?,
        salt: fields.hash("salt")?.0,
        value: fields.text("value")?,
    })
}

/// An object whose fields are taken one by one; what is left over is an error.
struct Fields(Map<String, Value>);

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn take(&mut self, name: &str) -> Result<Value, String> {
        self.0.swap_remove(name).ok_or_else(|| format!("`{name}` is missing"))
    }

    fn event(&mut self) -> Result<Event, String> {
        let text = serde_jcs::to_string(&self.take("event")?).map_err(|error| error.to_string())?;
        Event::parse(&text).map_err(|error| error.to_string())
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        match self.take(name)? {
            Value::String(text) => Ok(text),
            _ => Err(format!("`{name}` is not a string")),
        }
    }

    fn hash(&mut self, name: &str) -> Result<Hash, String> {
        self.text(name)?.parse().map_err(|_| format!("`{name}` is not 64 lower-case hex digits"))
    }

    fn number(&mut self, name: &str) -> Result<u64, String> {
        self.take(name)?.as_u64().ok_or_else(|| format!("`{name}` is not a number from 0"))
    }

    fn list<T>(&mut self, name: &str, item: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, String> {
        let items = self.take(name)?;
        let list = items.as_array().and_then(|items| items.iter().map(item).collect());
        list.ok_or_else(|| format!("`{name}` is not a list of what belongs there"))
    }

    fn texts(&mut self, name: &str) -> Result<BTreeMap<String, String>, String> {
        serde_json::from_value(self.take(name)?).map_err(|_| format!("`{name}` is not a map of texts"))
    }

    fn inside<T>(&mut self, name: &str, read: impl Fn(&mut Fields) -> Result<T, String>) -> Result<T, String> {
        let Value::Object(fields) = self.take(name)? else {
            return Err(format!("`{name}` is not an object"));
        };
        let mut fields = Fields(fields);
        let value = read(&mut fields)?;
        fields.end()?;
        Ok(value)
    }

    fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("`{name}` does not belong there")),
        }
    }
}
