//! Checking a pack with nothing but its bytes and a public key.
//!
//! Line by line, so that the fault names the line: the manifest and its checkpoint, the events, the controls,
//! the openings. The seal comes last; it guards what no line can tell, such as an opening that was taken out.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::chain::{Chain, line_of, place};
use super::rows::{self, Manifest, Row, Seal, Unreadable};
use super::{FORMAT, MAX_PACK_BYTES, Opening, Verified, commitment, control_digest, fault, seal_message};
use crate::{Checkpoint, Event, Fault, Hash, LogVerifier};

/// Checks a pack. With a trusted key it must be sealed by that key; without one, the key in the manifest is
/// used, and the pack only proves that it agrees with itself ([`Verified::key_was_given`]).
///
/// Errors: the first line that does not hold, R320 to R332. No input makes it panic.
pub fn verify(bytes: &[u8], trusted: Option<&LogVerifier>) -> Result<Verified, Fault> {
    let rows = rows::read(bytes, MAX_PACK_BYTES)?;
    let manifest = manifest(&rows)?;
    let (key, checkpoint) = opened(&manifest.key, &manifest.checkpoint, trusted)?;
    let counts_agree = matches!(rows.last(), Some(Ok(Row::Seal(seal))) if seal.lines == rows.len() as u64 - 1);

    Chain { rows: &rows, manifest, checkpoint: &checkpoint, counts_agree }.check()?;
    let mut rest = Rest { rows: &rows, next: line_of(manifest.events) - 1 };
    let controls = controls(&mut rest, manifest, counts_agree)?;
    check_controls_in_force(&rows, &controls)?;
    let openings = openings(&mut rest, &rows)?;
    seal(&mut rest, bytes, &key)?;

    let (tenant, interaction) = (manifest.tenant.clone(), manifest.interaction.clone());
    let key_was_given = trusted.is_some();
    let events = events(rows);
    Ok(Verified { tenant, interaction, events, checkpoint, key, key_was_given, controls, openings })
}

fn manifest(rows: &[Result<Row, Unreadable>]) -> Result<&Manifest, Fault> {
    let changed = |code, what: &str| Err(fault(code, 1, "manifest", what));
    match rows.first() {
        Some(Ok(Row::Manifest(manifest))) if manifest.format != FORMAT => {
            changed("R322", "its format is not `selvedge.pack/1`")
        }
        Some(Ok(Row::Manifest(manifest))) if manifest.events == 0 => changed("R322", "it announces no events"),
        Some(Ok(Row::Manifest(manifest))) => Ok(manifest),
        Some(Err((code, why))) => changed(code, why),
        _ => changed("R322", "the file does not begin with a manifest"),
    }
}

/// The key to believe, and what the log committed itself to.
pub(super) fn opened(
    key: &str,
    checkpoint: &str,
    trusted: Option<&LogVerifier>,
) -> Result<(LogVerifier, Checkpoint), Fault> {
    let key: LogVerifier = key.parse().map_err(|error| fault("R322", 1, "manifest", format!("in `key`: {error}")))?;
    if trusted.is_some_and(|trusted| *trusted != key) {
        return Err(fault("R323", 1, "manifest", "the file names another key than the one to be trusted"));
    }
    let checkpoint =
        key.open(checkpoint).map_err(|error| fault("R322", 1, "manifest", format!("in `checkpoint`: {error}")))?;
    Ok((key, checkpoint))
}

/// Lines that are taken one after the other.
pub(super) struct Rest<'a> {
    pub rows: &'a [Result<Row, Unreadable>],
    /// Index of the next row; its line is one more.
    pub next: usize,
}

impl<'a> Rest<'a> {
    /// The next row when `pick` wants it, with its line.
    pub fn take<T>(&mut self, pick: impl Fn(&'a Row) -> Option<T>) -> Option<(usize, T)> {
        let picked = pick(self.rows.get(self.next)?.as_ref().ok()?)?;
        self.next += 1;
        Some((self.next, picked))
    }
}

/// The control lines: in order of digest, each text matching its digest, just those that the manifest lists.
fn controls(
    rest: &mut Rest<'_>,
    manifest: &Manifest,
    counts_agree: bool,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Fault> {
    let listed: BTreeSet<&String> = manifest.controls.iter().collect();
    let mut controls: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut unlisted = None;
    while let Some((line, (digest, files))) = rest.take(Row::as_control) {
        let refuse = |what| Err(fault("R329", line, format!("control {digest}"), what));
        if control_digest(files) != *digest {
            return refuse("its text was changed: it does not have this digest");
        }
        if controls.last_key_value().is_some_and(|(last, _)| last >= digest) {
            return refuse("the controls are not in order, or one stands there twice");
        }
        if !listed.contains(digest) {
            unlisted.get_or_insert((line, digest));
        }
        controls.insert(digest.clone(), files.clone());
    }

    let missing = listed.iter().find(|digest| !controls.contains_key(**digest));
    let list_changed =
        !manifest.controls.iter().eq(listed.iter().copied()) || (missing.is_some() && unlisted.is_some());
    match (unlisted, missing) {
        // What stands here instead of a control may be one whose line cannot be read.
        (None, Some(_)) if matches!(rest.rows.get(rest.next), Some(Err(_))) => Err(unexpected(rest)),
        _ if list_changed && counts_agree => {
            Err(fault("R322", 1, "manifest", "its list of controls was changed: the file holds others"))
        }
        (None, Some(_)) if counts_agree => {
            Err(fault("R322", 1, "manifest", "its list of controls was changed: the file holds fewer"))
        }
        (Some((line, digest)), _) => {
            Err(fault("R329", line, format!("control {digest}"), "it was added: the manifest does not list it"))
        }
        (None, Some(digest)) => {
            let what = format!("control `{}` is missing", printable(digest));
            Err(fault("R329", rest.next + 1, "controls", what))
        }
        (None, None) if list_changed => Err(fault("R322", 1, "manifest", "its list of controls is not in order")),
        (None, None) => Ok(controls),
    }
}

/// Every definition that an event names must be in the file.
fn check_controls_in_force(
    rows: &[Result<Row, Unreadable>],
    controls: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<(), Fault> {
    for row in rows.iter().flatten() {
        let Row::Event(row) = row else { continue };
        if let Some(absent) = row.event.control_digests().find(|digest| !controls.contains_key(*digest)) {
            let what = format!("it names `{absent}` as in force, which the file does not hold");
            return Err(fault("R329", line_of(row.event.seq), place(row.event.seq, row), what));
        }
    }
    Ok(())
}

/// The opening lines: in order, each matching the commitment in its event.
fn openings(rest: &mut Rest<'_>, rows: &[Result<Row, Unreadable>]) -> Result<Vec<Opening>, Fault> {
    let mut openings: Vec<Opening> = Vec::new();
    while let Some((line, opening)) = rest.take(Row::as_opening) {
        let place = format!("opening {}", openings.len());
        let target = |opening: &Opening| (opening.seq, opening.pointer.clone());
        if openings.last().is_some_and(|last| target(last) >= target(opening)) {
            return Err(fault("R330", line, place, "the openings are not in order, or one stands there twice"));
        }
        let event = match rows.get(line_of(opening.seq) - 1) {
            Some(Ok(Row::Event(row))) => Some(&row.event),
            _ => None,
        };
        let committed = event.and_then(|event| event.data.pointer(&opening.pointer)?.as_str());
        if committed != Some(commitment(&opening.salt, &opening.value).as_str()) {
            let what = format!("it does not match what event {} committed to", opening.seq);
            return Err(fault("R330", line, place, what));
        }
        openings.push(opening.clone());
    }
    Ok(openings)
}

/// The last line: signed over all bytes above it.
pub(super) fn seal(rest: &mut Rest<'_>, bytes: &[u8], key: &LogVerifier) -> Result<(), Fault> {
    let Some((line, seal)) = rest.take(Row::as_seal) else {
        return Err(unexpected(rest));
    };
    let Seal { digest, lines, signature } = seal;
    let refuse = |what: String| Err(fault("R331", line, "seal", what));

    if rest.next != rest.rows.len() {
        return Err(fault("R331", line + 1, "after the seal", "lines were added after the seal"));
    }
    let above = line as u64 - 1;
    if *lines != above {
        return refuse(format!("it was made over {lines} lines, there are {above} above it"));
    }
    let seal_length = bytes.iter().rev().skip(1).take_while(|byte| **byte != b'\n').count() + 1;
    if *digest != Hash::of(&[&bytes[..bytes.len() - seal_length]]) {
        return refuse(
            "the bytes above it are not those that were sealed, though each line holds by itself".to_owned(),
        );
    }
    let signature = BASE64.decode(signature).unwrap_or_default();
    if !key.verify_bytes(seal_message(*digest).as_bytes(), &signature) {
        return refuse(format!("it is not signed by `{}`", key.name()));
    }
    Ok(())
}

/// The next line is not what may stand there.
pub(super) fn unexpected(rest: &Rest<'_>) -> Fault {
    let line = rest.next + 1;
    match rest.rows.get(rest.next) {
        None => fault("R331", line, "seal", "the file ends without its seal"),
        Some(Err((code, why))) => fault(code, line, "a line after the events", why),
        Some(Ok(_)) => fault("R321", line, "a line after the events", "it was added or moved: it does not belong here"),
    }
}

fn events(rows: Vec<Result<Row, Unreadable>>) -> Vec<Event> {
    let event = |row| match row {
        Ok(Row::Event(row)) => Some(row.event),
        _ => None,
    };
    rows.into_iter().filter_map(event).collect()
}

/// Text from the file as a message may show it: short, and nothing that moves a terminal's cursor.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
