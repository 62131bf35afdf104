//! A data folder is lost and comes back from a backup that was taken while its node ran. What happened after the
//! backup is not in it, the vendors know better, and nobody pays twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use selvedge_tests::node::{NOBODY, beside, settle};
use selvedge_tests::{copy, demo, demo_command, export, folder, orders, selvedge, text};
use serde_json::Value;
use tempfile::TempDir;

/// Taken while the customer has the link and has not opened it, by a node that was told to wait.
struct Taken {
    /// The node's folder, in which the story went on to its end afterwards.
    data: TempDir,
    /// Holds the backup, and the vendors as they were then.
    kept: TempDir,
}

impl Taken {
    fn backup(&self) -> PathBuf {
        self.kept.path().join("backup")
    }

    fn keys(&self) -> PathBuf {
        self.data.path().join("keys")
    }
}

fn taken() -> &'static Taken {
    static TAKEN: OnceLock<Taken> = OnceLock::new();
    TAKEN.get_or_init(|| {
        let (data, kept) = (folder(), folder());
        let said = kept.path().join("said");
        let mut waiting = demo_command(data.path(), &["--by-hand"]);
        let mut waiting =
            waiting.stdout(File::create("/dev/null").unwrap()).stderr(File::create(&said).unwrap()).spawn().unwrap();
        let started = Instant::now();
        while !std::fs::read_to_string(&said).unwrap().contains("\nlink ") {
            assert!(started.elapsed() < Duration::from_secs(120), "the story does not come to the link");
            thread::sleep(Duration::from_millis(5));
        }
        let output = backup(data.path(), &kept.path().join("backup"));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with("verified  "), "{}", text(&output.stdout));
        copy(&data.path().join("doubles"), &kept.path().join("doubles"));
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        demo(data.path(), &[]).assert_good("the story whose end is lost");
        Taken { data, kept }
    })
}

fn backup(data: &Path, output: &Path) -> Output {
    let (data, output) = (data.to_str().unwrap(), output.to_str().unwrap());
    selvedge(["backup", "--data", data, "--output", output])
}

fn restore(backup: &Path, data: &Path, keys: &Path) -> Output {
    let [backup, data, keys] = [backup, data, keys].map(|path| path.to_str().unwrap());
    selvedge(["restore", backup, "--data", data, "--keys", keys])
}

/// A restored folder, and the right to its port: the link in the customer's text names it.
struct Restored {
    _home: TempDir,
    data: PathBuf,
    _port: MutexGuard<'static, ()>,
}

/// Restores into a new folder and puts the vendors beside it, who are somebody else's and lose nothing.
fn restored(vendors: &Path) -> Restored {
    static PORT: Mutex<()> = Mutex::new(());
    let port = PORT.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = taken();
    let home = folder();
    let data = home.path().join("data");
    let output = restore(&taken.backup(), &data, &taken.keys());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1 open runs"), "{}", text(&output.stdout));
    copy(vendors, &data.join("doubles"));
    std::fs::copy(taken.data.path().join("demo.json"), data.join("demo.json")).unwrap();
    Restored { _home: home, data, _port: port }
}

fn charge(told: &selvedge_tests::Told, kind: &str) -> Vec<Value> {
    let of_charge = |data: &&Value| data["key"].as_str().is_some_and(|key| key.contains(".charge."));
    told.all(kind).filter(of_charge).cloned().collect()
}

#[test]
fn after_a_restore_to_before_the_charge_the_gateway_is_asked_and_nobody_pays_twice() {
    let vendors = taken().data.path().join("doubles");
    let restored = restored(&vendors);
    let data = &restored.data;
    let paid = orders(taken().data.path(), "northgate");

    let told = demo(data, &[]);

    told.assert_good("restored to before the charge");
    told.assert_each_effect_once("restored to before the charge");
    assert_eq!(told.all("run.restored").count(), 1);
    assert_eq!(orders(data, "northgate").len(), 1, "the gateway's ledger");
    let done = charge(&told, "effect.done");
    assert_eq!(done.len(), 1);
    assert_eq!(done[0]["reference"], paid[0]["id"], "it is the payment that the backup knew nothing of");
    assert_eq!(done[0]["accesses"].as_array().map(Vec::len), Some(0), "no card left the house: {}", done[0]);
    let texts: Vec<Value> = orders(data, "brightline").iter().map(|text| text["key"].clone()).collect();
    assert_eq!(texts, orders(taken().data.path(), "brightline").iter().map(|t| t["key"].clone()).collect::<Vec<_>>());
}

#[test]
fn what_had_not_happened_happens_after_the_restore() {
    let restored = restored(&taken().kept.path().join("doubles"));
    let data = &restored.data;
    assert!(orders(data, "northgate").is_empty(), "nobody has paid yet");

    let told = demo(data, &[]);

    told.assert_good("restored, and then paid");
    let done = charge(&told, "effect.done");
    assert_eq!(done.len(), 1);
    assert!(done[0]["accesses"].as_array().is_some_and(|fields| !fields.is_empty()), "the card left: {}", done[0]);
}

#[test]
fn no_key_travels_with_a_backup() {
    let names = |folder: &Path| {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&taken().backup()), ["backup.json", "log.pub", "selvedge.db"]);
    for key in ["master.key", "log.key"] {
        let hexadecimal = std::fs::read_to_string(taken().keys().join(key)).unwrap();
        let digits = hexadecimal.trim();
        let raw: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()).collect();
        for name in names(&taken().backup()) {
            let bytes = std::fs::read(taken().backup().join(&name)).unwrap();
            let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!holds(digits.as_bytes()) && !holds(&raw), "{key} is in {name}");
        }
    }
}

/// A copy of the backup that somebody changed.
fn changed(change: impl FnOnce(&Path)) -> TempDir {
    let copied = folder();
    copy(&taken().backup(), copied.path());
    change(copied.path());
    copied
}

/// It is refused with this code, and leaves nothing where it would have gone.
fn refused(backup: &Path, keys: &Path, code: &str) -> String {
    let home = folder();
    let output = restore(backup, &home.path().join("data"), keys);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(code), "not {code}: {said}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was left behind");
    said
}

#[test]
fn one_flipped_bit_is_found() {
    let flipped = changed(|folder| {
        let file = folder.join("selvedge.db");
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).unwrap();
    });
    refused(flipped.path(), &taken().keys(), "C920");
}

#[test]
fn a_manifest_that_was_changed_is_refused() {
    let changed = changed(|folder| {
        let file = folder.join("backup.json");
        let manifest = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, manifest.replacen("\"events\":", "\"events\":1", 1)).unwrap();
    });
    let said = refused(changed.path(), &taken().keys(), "C920");
    assert!(said.contains("changed after it was signed"), "{said}");
}

#[test]
fn a_backup_from_a_newer_version_is_refused() {
    let newer = changed(|folder| {
        let file = folder.join("backup.json");
        let manifest = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, manifest.replacen("\"schema\":", "\"schema\":9", 1)).unwrap();
    });
    refused(newer.path(), &taken().keys(), "S603");
}

#[test]
fn a_restore_is_noted_under_the_tenant_whose_folder_it_is() {
    let home = folder();
    let (data, kept, back) = (home.path().join("data"), home.path().join("kept"), home.path().join("back"));
    std::fs::create_dir(&data).unwrap();
    settle(&data, NOBODY);
    let settings = std::fs::read_to_string(data.join("node.yaml")).unwrap().replace("riverside", "lakeside");
    std::fs::write(data.join("node.yaml"), &settings).unwrap();
    let customers = data.join("customers.csv");
    std::fs::write(&customers, "customer,patient.name\nc_ada,Ada Example\n").unwrap();
    beside(&data, None, &["customer", "import", customers.to_str().unwrap()]);
    for output in [backup(&data, &kept), restore(&kept, &back, &data.join("keys"))] {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    std::fs::write(back.join("node.yaml"), settings).unwrap();
    let access = export(&back, "access", &[]);
    assert!(access.contains("selvedge.node.restored") && !access.contains("riverside"), "{access}");
}

#[test]
fn another_nodes_keys_open_nothing() {
    let other = folder();
    let keys = other.path().join("keys");
    copy(&taken().keys(), &keys);
    let log_key = keys.join("log.key");
    std::fs::write(&log_key, format!("{}\n", "0a".repeat(32))).unwrap();
    refused(&taken().backup(), &keys, "C922");

    std::fs::copy(taken().keys().join("log.key"), &log_key).unwrap();
    std::fs::write(keys.join("master.key"), format!("{}\n", "0a".repeat(32))).unwrap();
    refused(&taken().backup(), &keys, "C922");

    std::fs::remove_file(keys.join("master.key")).unwrap();
    refused(&taken().backup(), &keys, "C922");
    assert!(!keys.join("master.key").exists(), "a key was made");
}

#[test]
fn neither_a_backup_nor_a_restore_goes_where_something_is() {
    let filled = folder();
    std::fs::write(filled.path().join("a-file"), "mine").unwrap();
    let outputs =
        [restore(&taken().backup(), filled.path(), &taken().keys()), backup(taken().data.path(), filled.path())];
    for output in outputs {
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("C921"), "{}", text(&output.stderr));
    }
    assert_eq!(std::fs::read_to_string(filled.path().join("a-file")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(filled.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_is_damaged_gives_no_backup() {
    let (restored, kept) = (restored(&taken().kept.path().join("doubles")), folder());
    let file = restored.data.join("selvedge.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // The events of a turn are pressed: how such a frame begins, by RFC 8878.
    let frame = [0x28, 0xb5, 0x2f, 0xfd];
    let turns: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&frame)).collect();
    assert!(!turns.is_empty(), "no events are in the file");
    // One alone may be a page that is not used any more.
    turns.into_iter().for_each(|at| bytes[at] ^= 1);
    std::fs::write(file, bytes).unwrap();

    let output = backup(&restored.data, &kept.path().join("backup"));

    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("S605"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(kept.path()).unwrap().count(), 0, "something was left behind");
}
