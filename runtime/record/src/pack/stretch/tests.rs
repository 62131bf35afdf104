use super::*;
use crate::{Draft, Head, Sealed};

const FROM: usize = 5;

/// A log of two records whose events alternate, and one event of another tenant.
fn log() -> (LogKey, Vec<Sealed>) {
    let key = LogKey::from_seed("selvedge.demo/log", &[7; 32]).unwrap();
    let mut heads = [("clinic", "int_1"), ("clinic", "int_2")].map(|(tenant, id)| Head::start(tenant, id));
    let draft = |n: usize| Draft::new("step.entered", n as i64, "host", json!({ "n": n }));
    let mut log: Vec<Sealed> = (0..12).map(|n| heads[n % 2].append(draft(n)).unwrap()).collect();
    log.insert(8, Head::start("elsewhere", "int_3").append(draft(99)).unwrap());
    (key, log)
}

fn source(from: usize) -> StretchSource {
    let (key, log) = log();
    let leaves: Vec<Hash> = log.iter().map(|event| event.hash).collect();
    let mut edge = Frontier::new();
    for leaf in &leaves[..from] {
        edge.push(*leaf);
    }
    let place = |event: &Sealed| match event.canonical.contains("elsewhere") {
        true => Place::Closed(event.hash),
        false => Place::Open(event.canonical.clone()),
    };
    let before = if from > 2 { vec![2] } else { vec![] };
    let shown = |index: usize| PackEvent {
        canonical: log[index].canonical.clone(),
        index: index as u64,
        proof: merkle::inclusion_proof(&leaves, index as u64),
    };
    StretchSource {
        tenant: "clinic".into(),
        about: "kill-1".into(),
        edge,
        checkpoint: key.sign(&key.checkpoint(leaves.len() as u64, merkle::root(&leaves))),
        before: before.into_iter().map(shown).collect(),
        places: log[from..].iter().map(place).collect(),
    }
}

fn text(from: usize) -> String {
    write(&source(from), &log().0).unwrap()
}

fn check(text: &str) -> Result<Stretch, Fault> {
    verify(text.as_bytes(), Some(&log().0.verifier()))
}

/// Seals the lines as the operator could, who has the key; the checkpoint was signed before.
fn resealed(mut lines: Vec<String>) -> String {
    lines.pop();
    let above = lines.concat();
    above.clone() + &seal_line(&above, &log().0).unwrap()
}

fn lines() -> Vec<String> {
    text(FROM).split_inclusive('\n').map(str::to_owned).collect()
}

/// The line of a place, as an index: the first line and one event from before come first.
fn at(place: usize) -> usize {
    place - FROM + 2
}

#[test]
fn it_holds_every_place_from_the_first_to_the_signed_end() {
    for from in 0..13 {
        let stretch = check(&text(from)).unwrap();
        assert_eq!((stretch.from, stretch.places.len()), (from as u64, 13 - from));
        assert_eq!(stretch.places.iter().filter(|place| place.is_none()).count(), usize::from(from <= 8));
        assert_eq!(stretch.before.len(), usize::from(from > 2));
    }
}

#[test]
fn a_place_that_was_left_out_is_named_even_when_it_is_sealed_again() {
    for place in FROM..13 {
        let mut dropped = lines();
        dropped.remove(at(place));
        let fault = check(&resealed(dropped)).unwrap_err();
        assert_eq!((fault.code, fault.place), ("R333", format!("place {place} of the log")), "{place}");
    }
}

#[test]
fn whoever_numbers_the_rest_anew_still_does_not_reach_the_signed_end() {
    for place in FROM..13 {
        let mut lines = lines();
        lines.remove(at(place));
        for (line, index) in lines[2..].iter_mut().zip(FROM..) {
            *line = line.replace(&format!("\"index\":{}", index + 1), &format!("\"index\":{index}"));
        }
        lines[0] = lines[0].replace("\"places\":8", "\"places\":7");
        assert_eq!(check(&resealed(lines)).unwrap_err().code, "R322", "{place}");
    }
}

#[test]
fn an_event_that_is_hidden_behind_its_hash_is_missed_where_its_record_goes_on() {
    let (key, mut source) = (log().0, source(FROM));
    let Place::Open(text) = &source.places[2] else { panic!("it is open") };
    source.places[2] = Place::Closed(Hash::leaf(text));
    let Err(RecordError::Pack(fault)) = write(&source, &key) else { panic!("it was written") };
    assert_eq!((fault.code, &*fault.place), ("R333", "place 10 of the log"));
    // The last event of a record has nobody to miss it; the place is closed, and so is said to be.
    let mut source = self::source(FROM);
    let Some(Place::Open(text)) = source.places.last() else { panic!("it is open") };
    let hidden = Hash::leaf(text);
    *source.places.last_mut().unwrap() = Place::Closed(hidden);
    let stretch = check(&write(&source, &key).unwrap()).unwrap();
    assert_eq!(stretch.places.last(), Some(&None));
}

#[test]
fn another_event_in_its_place_does_not_lead_to_the_root() {
    let (key, log) = log();
    let mut head = Head { tenant: "clinic".into(), interaction: "int_2".into(), seq: 5, hash: log[10].hash };
    let other = head.append(Draft::new("step.entered", 11, "host", json!({ "n": 12 }))).unwrap();
    let mut source = source(FROM);
    *source.places.last_mut().unwrap() = Place::Open(other.canonical);
    let Err(RecordError::Pack(fault)) = write(&source, &key) else { panic!("it was written") };
    assert_eq!(fault.code, "R334");
}

#[test]
fn no_changed_byte_is_overlooked() {
    let text = text(FROM);
    for at in (0..text.len()).step_by(7) {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        assert!(verify(&changed, Some(&log().0.verifier())).is_err(), "byte {at}");
    }
}

#[test]
fn a_swapped_a_doubled_and_an_added_line_are_found() {
    for line in 1..lines().len() - 1 {
        let (mut swapped, mut doubled) = (lines(), lines());
        swapped.swap(line - 1, line);
        doubled.insert(line, doubled[line].clone());
        assert!(check(&resealed(swapped)).is_err(), "lines {line} and {}", line + 1);
        assert!(check(&resealed(doubled)).is_err(), "line {}", line + 1);
    }
}

#[test]
fn another_key_does_not_verify_it() {
    let stranger = LogKey::from_seed("selvedge.demo/log", &[8; 32]).unwrap();
    assert_eq!(verify(text(FROM).as_bytes(), Some(&stranger.verifier())).unwrap_err().code, "R323");
    assert!(!verify(text(FROM).as_bytes(), None).unwrap().key_was_given);
}

#[test]
fn a_pack_is_no_stretch_and_a_stretch_is_no_pack() {
    assert_eq!(super::super::verify(text(FROM).as_bytes(), None).unwrap_err().code, "R322");
}
