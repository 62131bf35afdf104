use std::sync::LazyLock;

use super::*;
use crate::{Draft, Head, merkle};

const TIME: i64 = 1_795_539_780_000_000;
const EVENTS: u64 = 9;
const SALT: [u8; 32] = [5; 32];
const KINDS: [&str; 9] = [
    "interaction.opened",
    "assertion.made",
    "decision.made",
    "effect.intended",
    "effect.succeeded",
    "decision.made",
    "effect.intended",
    "effect.succeeded",
    "interaction.closed",
];

/// A log of two interactions whose events alternate, and the pack source of the first.
struct Fixture {
    key: LogKey,
    source: PackSource,
    /// An event of the other interaction.
    stranger: PackEvent,
}

fn files(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("workflow.yaml".to_owned(), text.to_owned())])
}

fn fixture() -> Fixture {
    let key = LogKey::from_seed("selvedge.demo/log", &[7; 32]).unwrap();
    let controls: BTreeMap<_, _> = ["workflow: one\n", "rules: \"two\"\n"]
        .map(files)
        .into_iter()
        .map(|files| (control_digest(&files), files))
        .collect();
    let in_force = controls.keys().cloned().collect::<Vec<_>>().join(" ");

    let (mut ours, mut other) = (Head::start("clinic", "i_1"), Head::start("clinic", "i_2"));
    let mut log = Vec::new();
    for (count, kind) in (0..).zip(KINDS) {
        let data = json!({ "count": count, "phone": commitment(&SALT, &format!("+1555010{count}")) });
        let draft = Draft { controls: Some(in_force.clone()), ..Draft::new(kind, TIME + count, "host", data) };
        log.push(ours.append(draft.clone()).unwrap());
        log.push(other.append(draft).unwrap());
    }

    let leaves: Vec<Hash> = log.iter().map(|event| event.hash).collect();
    let tree = merkle::Tree::new(&leaves);
    let pack_event = |index: usize| PackEvent {
        canonical: log[index].canonical.clone(),
        index: index as u64,
        proof: tree.inclusion_proof(index as u64),
    };
    let opening = |seq: u64| Opening { seq, pointer: "/phone".into(), salt: SALT, value: format!("+1555010{seq}") };
    let source = PackSource {
        tenant: "clinic".into(),
        interaction: "i_1".into(),
        checkpoint: key.sign(&key.checkpoint(leaves.len() as u64, merkle::root(&leaves))),
        events: (0..log.len()).step_by(2).map(pack_event).collect(),
        controls,
        openings: vec![opening(4), opening(2)],
    };
    Fixture { stranger: pack_event(7), key, source }
}

static PACK: LazyLock<String> = LazyLock::new(|| write(&fixture().source, &fixture().key).unwrap());

fn lines() -> Vec<String> {
    PACK.split_inclusive('\n').map(str::to_owned).collect()
}

/// The line in which event `seq` stands, as an index.
fn at(seq: u64) -> usize {
    usize::try_from(seq).unwrap() + 1
}

fn check(pack: &str) -> Result<Verified, Fault> {
    verify(pack.as_bytes(), Some(&fixture().key.verifier()))
}

/// Seals the lines as an attacker would who has the key.
fn resealed(mut lines: Vec<String>) -> String {
    lines.pop();
    let above = lines.concat();
    above.clone() + &seal_line(&above, &fixture().key).unwrap()
}

/// What is wrong with the lines, as they are and when sealed again by someone with the key.
fn faults(lines: Vec<String>) -> [Fault; 2] {
    [lines.concat(), resealed(lines)].map(|pack| check(&pack).unwrap_err())
}

fn assert_fault(fault: &Fault, code: &str, line: usize, place: &str, what: &str) {
    let found = (fault.code, fault.line, &*fault.place, &*fault.what);
    assert_eq!(found, (code, line, place, what));
}

#[test]
fn a_pack_is_written_and_verified() {
    let Fixture { key, source, .. } = fixture();
    let verified = check(&PACK).unwrap();
    assert_eq!((verified.tenant.as_str(), verified.interaction.as_str()), ("clinic", "i_1"));
    assert!(verified.events.iter().map(|event| event.kind.as_str()).eq(KINDS));
    assert_eq!(verified.checkpoint.size, 2 * EVENTS);
    assert_eq!((verified.key, verified.key_was_given), (key.verifier(), true));
    assert_eq!(verified.controls, source.controls);
    assert_eq!(verified.openings, [source.openings[1].clone(), source.openings[0].clone()]);
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let Fixture { key, mut source, .. } = fixture();
    source.openings.reverse();
    assert_eq!(write(&source, &key).unwrap(), *PACK);
}

/// An interaction of one event, in a log of its own.
fn small_source() -> PackSource {
    let key = fixture().key;
    let sealed = Head::start("t", "i").append(Draft::new("interaction.opened", TIME, "host", json!({}))).unwrap();
    PackSource {
        tenant: "t".into(),
        interaction: "i".into(),
        checkpoint: key.sign(&key.checkpoint(1, merkle::root(&[sealed.hash]))),
        events: vec![PackEvent { canonical: sealed.canonical, index: 0, proof: vec![] }],
        controls: BTreeMap::new(),
        openings: vec![],
    }
}

#[test]
fn a_pack_without_controls_and_openings_holds() {
    let pack = write(&small_source(), &fixture().key).unwrap();
    insta::assert_snapshot!(pack);
    assert_eq!(check(&pack).unwrap().events.len(), 1);
}

#[test]
fn without_a_key_the_pack_vouches_for_itself_and_says_so() {
    assert!(!verify(PACK.as_bytes(), None).unwrap().key_was_given);
}

#[test]
fn a_pack_of_another_key_is_refused() {
    let other = LogKey::from_seed("selvedge.demo/log", &[8; 32]).unwrap().verifier();
    let fault = verify(PACK.as_bytes(), Some(&other)).unwrap_err();
    assert_fault(&fault, "R323", 1, "manifest", "the file names another key than the one to be trusted");
}

#[test]
fn a_dropped_event_is_named() {
    for seq in 0..EVENTS {
        let mut dropped = lines();
        dropped.remove(at(seq));
        let fault = check(&dropped.concat()).unwrap_err();
        assert_fault(&fault, "R324", at(seq) + 1, &format!("event {seq}"), &format!("event {seq} is missing"));
    }
    let mut dropped = lines();
    dropped.drain(at(3)..at(6));
    for fault in faults(dropped) {
        assert_fault(&fault, "R324", at(3) + 1, "event 3", "events 3 to 5 are missing");
    }
}

#[test]
fn a_last_event_dropped_together_with_its_count_breaks_the_seal() {
    let mut dropped = lines();
    dropped.remove(at(EVENTS - 1));
    dropped[0] = dropped[0].replace("\"events\":9", "\"events\":8");
    let fault = check(&dropped.concat()).unwrap_err();
    let seal = dropped.len();
    assert_fault(
        &fault,
        "R331",
        seal,
        "seal",
        &format!("it was made over {} lines, there are {} above it", seal, seal - 1),
    );

    dropped[seal - 1] = dropped[seal - 1].replace(&format!("\"lines\":{seal}"), &format!("\"lines\":{}", seal - 1));
    let fault = check(&dropped.concat()).unwrap_err();
    let what = "the bytes above it are not those that were sealed, though each line holds by itself";
    assert_fault(&fault, "R331", seal, "seal", what);
}

#[test]
fn swapped_events_are_named() {
    let mut swapped = lines();
    swapped.swap(at(6), at(7));
    for fault in faults(swapped) {
        assert_fault(&fault, "R325", at(6) + 1, "event 7 (effect.succeeded)", "events 6 and 7 are swapped");
    }
    let mut moved = lines();
    let event = moved.remove(at(2));
    moved.insert(at(5), event);
    for fault in faults(moved) {
        assert_fault(
            &fault,
            "R325",
            at(2) + 1,
            "event 3 (effect.intended)",
            "event 2 should stand here; it stands in line 7",
        );
    }
}

#[test]
fn an_added_event_is_named() {
    // A copy of an earlier event.
    let mut added = lines();
    added.insert(at(8), added[at(4)].clone());
    let what = "an event was added after event 7: it is event 4 once more";
    assert_fault(&faults(added)[0], "R326", at(8) + 1, "event 4 (effect.succeeded)", what);

    // An event of another interaction that the log does hold.
    let mut added = lines();
    added.insert(at(8), event_line(&fixture().stranger).unwrap());
    let what = "an event was added after event 7: it belongs to another interaction";
    assert_fault(&faults(added)[0], "R332", at(8) + 1, "event 8 (effect.intended)", what);

    // A forged one that hangs on the chain but is in no log, in the middle and at the end.
    for seq in [3, EVENTS] {
        let mut head = Head::start("clinic", "i_1");
        head.seq = seq;
        head.hash = Event::parse(&fixture().source.events[at(seq) - 2].canonical).unwrap().hash;
        let forged = head.append(Draft::new("consent.given", TIME, "host", json!({}))).unwrap();
        let forged = PackEvent { canonical: forged.canonical, ..fixture().source.events[3].clone() };
        let mut added = lines();
        added.insert(at(seq), event_line(&forged).unwrap());
        for fault in faults(added) {
            let what = format!("an event was added after event {}", seq - 1);
            assert_fault(&fault, "R326", at(seq) + 1, &format!("event {seq} (consent.given)"), &what);
        }
    }

    let mut added = lines();
    added.insert(at(2), added[at(EVENTS)].clone());
    let what = "a line that is no event was added among the events";
    assert_fault(&faults(added)[0], "R326", at(2) + 1, "event 2", what);
}

#[test]
fn a_changed_event_is_named_even_when_it_is_sealed_again() {
    for (from, to) in [
        ("\"count\":5", "\"count\":6"),
        ("\"sequence\":5", "\"sequence\":4"),
        ("\"actor\":\"host\"", "\"actor\":\"hosts\""),
    ] {
        let mut changed = lines();
        changed[at(5)] = changed[at(5)]
            .replace(from, to)
            .replace("\"id\":\"i_1/5\"", &format!("\"id\":\"i_1/{}\"", if to.ends_with('4') { 4 } else { 5 }));
        for fault in faults(changed) {
            let what = "event 5 was changed: the log does not hold it in this form";
            assert_fault(&fault, "R327", at(5) + 1, "event 5 (decision.made)", what);
        }
    }
}

#[test]
fn a_changed_proof_is_told_from_a_changed_event() {
    let mut changed = lines();
    changed[at(5)] = changed[at(5)].replace("\"index\":10", "\"index\":11");
    for fault in faults(changed) {
        let what = "the proof of event 5 was changed, or its place in the log";
        assert_fault(&fault, "R328", at(5) + 1, "event 5 (decision.made)", what);
    }
}

#[test]
fn an_event_of_another_record_of_the_same_name_does_not_follow() {
    // The log's owner wrote the interaction twice; the pack mixes the two.
    let key = fixture().key;
    let record = |actor: &str| {
        let mut head = Head::start("t", "i");
        ["a", "b"].map(|kind| head.append(Draft::new(kind, TIME, actor, json!({}))).unwrap())
    };
    let log = [record("host"), record("person:maria")].concat();
    let leaves: Vec<Hash> = log.iter().map(|event| event.hash).collect();
    let event = |i: usize| PackEvent {
        canonical: log[i].canonical.clone(),
        index: i as u64,
        proof: merkle::inclusion_proof(&leaves, i as u64),
    };
    let source = PackSource {
        tenant: "t".into(),
        interaction: "i".into(),
        checkpoint: key.sign(&key.checkpoint(4, merkle::root(&leaves))),
        events: vec![event(0), event(3)],
        controls: BTreeMap::new(),
        openings: vec![],
    };
    let Err(RecordError::Pack(fault)) = write(&source, &key) else { panic!("it was written") };
    let what = "event 1 does not follow the event before it: it is from another record";
    assert_fault(&fault, "R332", 3, "event 1 (b)", what);
}

#[test]
fn the_manifest_is_blamed_for_its_own_changes() {
    for (from, to) in [
        ("\"events\":9", "\"events\":8"),
        ("\"events\":9", "\"events\":10"),
        ("\"events\":9", "\"events\":0"),
        ("\"interaction\":\"i_1\"", "\"interaction\":\"i_3\""),
        ("\"tenant\":\"clinic\"", "\"tenant\":\"clonic\""),
        ("selvedge.pack/1", "selvedge.pack/2"),
        ("selvedge.demo/log\\n18", "selvedge.demo/log\\n19"),
        ("\"controls\":[\"", "\"controls\":[\"x"),
    ] {
        let mut changed = lines();
        changed[0] = changed[0].replacen(from, to, 1);
        assert_ne!(changed, lines(), "{from} is not there");
        for fault in faults(changed) {
            assert_eq!((fault.code, fault.line, fault.place.as_str()), ("R322", 1, "manifest"), "{to}: {fault}");
        }
    }
}

#[test]
fn controls_must_be_whole() {
    let first = at(EVENTS);
    let mut changed = lines();
    changed[first] = changed[first].replacen("two", "2", 1).replacen("one", "1", 1);
    for fault in faults(changed) {
        assert_eq!((fault.code, fault.line), ("R329", first + 1), "{fault}");
        assert!(fault.what.contains("was changed"), "{fault}");
    }

    // Dropped: noticed by the manifest's list; with the list changed too, by the events that name it.
    let mut dropped = lines();
    dropped.remove(first);
    let digests: Vec<String> = fixture().source.controls.into_keys().collect();
    let fault = check(&dropped.concat()).unwrap_err();
    assert_fault(&fault, "R329", first + 2, "controls", &format!("control `{}` is missing", digests[0]));
    dropped[0] = dropped[0].replace(&format!("\"{}\",", digests[0]), "");
    for fault in faults(dropped) {
        let what = format!("it names `{}` as in force, which the file does not hold", digests[0]);
        assert_fault(&fault, "R329", 2, "event 0 (interaction.opened)", &what);
    }

    let mut added = lines();
    let files = files("workflow: three\n");
    let control = json!({ "control": { "digest": control_digest(&files), "files": files } });
    added.insert(first, line(&control).unwrap());
    added[first..first + 3].sort();
    let fault = check(&added.concat()).unwrap_err();
    assert_eq!(fault.what, "it was added: the manifest does not list it");
    added[first..first + 3].reverse();
    let fault = check(&added.concat()).unwrap_err();
    assert_eq!((fault.code, fault.line), ("R329", first + 2));
}

#[test]
fn an_opening_must_match_its_commitment() {
    let first = at(EVENTS) + 2;
    for (from, to) in [
        ("+15550102", "+15550103"),
        ("0505", "0605"),
        ("\"seq\":2", "\"seq\":3"),
        ("\"seq\":2", "\"seq\":900719925474099"),
        ("/phone", "/count"),
        ("/phone", "/nothing"),
    ] {
        let mut changed = lines();
        changed[first] = changed[first].replacen(from, to, 1);
        assert_ne!(changed, lines(), "{from} is not there");
        for fault in faults(changed) {
            assert_eq!((fault.code, fault.line, fault.place.as_str()), ("R330", first + 1, "opening 0"), "{fault}");
        }
    }
    let mut twice = lines();
    twice.insert(first, twice[first].clone());
    assert_eq!(faults(twice).map(|fault| (fault.code, fault.line)), [("R330", first + 2); 2]);

    // Taking one out leaves every other line true; the seal notices.
    let mut dropped = lines();
    dropped.remove(first);
    let fault = check(&dropped.concat()).unwrap_err();
    assert_eq!((fault.code, fault.line), ("R331", dropped.len()));
}

#[test]
fn the_seal_is_the_last_line_and_signed() {
    let whole = lines();
    let mut unsealed = whole.clone();
    unsealed.pop();
    assert_eq!(check(&unsealed.concat()).unwrap_err().what, "the file ends without its seal");

    let mut trailing = whole.clone();
    trailing.push("{}\n".into());
    assert_eq!(check(&trailing.concat()).unwrap_err().what, "lines were added after the seal");

    let mut moved = whole.clone();
    let last = moved.len() - 1;
    moved.swap(last - 1, last);
    assert_eq!(check(&moved.concat()).unwrap_err().line, last + 1);

    let stranger = LogKey::from_seed("selvedge.demo/log", &[8; 32]).unwrap();
    let above = whole[..last].concat();
    let fault = check(&format!("{above}{}", seal_line(&above, &stranger).unwrap())).unwrap_err();
    assert_fault(&fault, "R331", last + 1, "seal", "it is not signed by `selvedge.demo/log`");
}

#[test]
fn a_seal_cannot_be_taken_for_a_checkpoint() {
    let message = seal_message(Hash::ZERO);
    let origin = message.lines().next().unwrap();
    assert!(LogKey::from_seed(origin, &[7; 32]).is_err());
}

#[test]
fn limits_are_kept() {
    let fault = |bytes: &[u8]| verify(bytes, None).unwrap_err();
    assert_eq!((fault(b"").code, fault(b"").line), ("R320", 1));
    assert_eq!(fault(&vec![b' '; MAX_PACK_BYTES + 1]).code, "R320");
    assert!(fault(&vec![b'\n'; MAX_LINES + 1]).what.contains("more than 1000000 lines"));
    let mut long = lines()[0].clone().into_bytes();
    long.resize(long.len() + MAX_LINE_BYTES, b' ');
    long.push(b'\n');
    assert_eq!((fault(&long).code, fault(&long).line), ("R320", 2));
    let deep = format!("{}\n", "[".repeat(100_000));
    assert_eq!(fault(deep.as_bytes()).code, "R321");
}

#[test]
fn what_would_not_verify_is_not_written() {
    let Fixture { key, mut source, .. } = fixture();
    source.events.pop();
    source.openings.push(Opening { seq: 8, pointer: "/phone".into(), salt: SALT, value: "+15550108".into() });
    let Err(RecordError::Pack(fault)) = write(&source, &key) else { panic!("it was written") };
    assert_eq!(fault.code, "R330");
    source.events.clear();
    assert!(write(&source, &key).is_err());
}

#[test]
fn a_witness_may_sign_the_checkpoint_of_a_pack() {
    let Fixture { key, mut source, .. } = fixture();
    let witness = LogKey::from_seed("witness.example", &[9; 32]).unwrap();
    let text = source.checkpoint.split_once("\n\n").unwrap().0.to_owned();
    let cosigned = witness.sign(&key.verifier().open(&source.checkpoint).unwrap());
    assert!(cosigned.starts_with(&text));
    source.checkpoint += cosigned.rsplit_once("\n\n").unwrap().1;
    assert!(check(&write(&source, &key).unwrap()).is_ok());
}

mod hostile;
