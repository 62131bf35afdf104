//! Keys in files: 32 bytes as 64 hex digits and a newline, readable by their owner alone.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::VaultError;

/// Name of the master key's file.
const MASTER_KEY_FILE: &str = "master.key";
/// 64 hex digits and a newline.
const KEY_FILE_BYTES: usize = 65;

/// The key over all keys. It has no `Debug`; its bytes are wiped when it goes.
pub struct MasterKey(pub(crate) Zeroizing<[u8; 32]>);

impl MasterKey {
    /// The master key in `dir/master.key`, made from `random` on the first call.
    ///
    /// Errors: V401 (others can read the file), V402 (it is malformed), V403 (the file system refused).
    pub fn load_or_create(dir: &Path, random: &dyn Fn(&mut [u8])) -> Result<MasterKey, VaultError> {
        load_or_create_seed(dir, MASTER_KEY_FILE, random).map(MasterKey)
    }

    /// A key that lies in no file: what is sealed under it can be opened as long as the process runs.
    pub fn passing(random: &dyn Fn(&mut [u8])) -> MasterKey {
        let mut key = Zeroizing::new([0; 32]);
        random(key.as_mut());
        MasterKey(key)
    }
}

/// The 32 bytes in `dir/name`, made from `random` on the first call. A folder made for them is its owner's alone.
///
/// A key appears under its name whole or not at all, and is on disk before this returns. When two nodes start at
/// once, both get the key of the one that was first.
///
/// Errors: V401 (others can read the file), V402 (it is malformed), V403 (the file system refused).
pub fn load_or_create_seed(
    dir: &Path,
    name: &str,
    random: &dyn Fn(&mut [u8]),
) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let path = dir.join(name);
    match load(&path) {
        Err(VaultError::KeyFile { source, .. }) if source.kind() == ErrorKind::NotFound => {}
        loaded => return loaded,
    }
    make_private_dir(dir).map_err(failed("create", dir))?;
    let draft = draft_path(dir, name, random);
    write_draft(&draft, random).map_err(failed("create", &draft))?;
    // A link, unlike a rename, never replaces a key that another node has made in the meantime.
    let linked = std::fs::hard_link(&draft, &path);
    std::fs::remove_file(&draft).map_err(failed("remove", &draft))?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed("create", &path)(error));
        }
        _ => {}
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("create", dir))?;
    load(&path)
}

fn load(path: &Path) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let mut file = File::open(path).map_err(failed("read", path))?;
    let metadata = file.metadata().map_err(failed("read", path))?;
    if is_exposed(&metadata) {
        return Err(VaultError::KeyExposed { path: path.to_owned() });
    }
    let malformed = || VaultError::KeyMalformed { path: path.to_owned() };
    if !metadata.is_file() || metadata.len() != KEY_FILE_BYTES as u64 {
        return Err(malformed());
    }
    let mut text = Zeroizing::new([0; KEY_FILE_BYTES]);
    file.read_exact(text.as_mut()).map_err(failed("read", path))?;

    let (digits, end) = text.split_at(KEY_FILE_BYTES - 1);
    let mut key = Zeroizing::new([0; 32]);
    let lower = !digits.iter().any(u8::is_ascii_uppercase);
    match hex::decode_to_slice(digits, key.as_mut()) {
        Ok(()) if lower && end == b"\n" => Ok(key),
        _ => Err(malformed()),
    }
}

/// A name that no other start is using, for the key before it is whole.
fn draft_path(dir: &Path, name: &str, random: &dyn Fn(&mut [u8])) -> PathBuf {
    let mut suffix = [0; 8];
    random(&mut suffix);
    dir.join(format!(".{name}.{}.{}", std::process::id(), hex::encode(suffix)))
}

fn write_draft(draft: &Path, random: &dyn Fn(&mut [u8])) -> std::io::Result<()> {
    let mut key = Zeroizing::new([0; 32]);
    random(key.as_mut());
    let mut text = Zeroizing::new([b'\n'; KEY_FILE_BYTES]);
    hex::encode_to_slice(key.as_ref(), &mut text[..KEY_FILE_BYTES - 1]).map_err(std::io::Error::other)?;

    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    only_for_owner(&mut options);
    let mut file = options.open(draft)?;
    file.write_all(text.as_ref())?;
    file.sync_all()
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> VaultError {
    let path = path.to_owned();
    move |source| VaultError::KeyFile { doing, path, source }
}

#[cfg(unix)]
fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(unix)]
fn only_for_owner(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(unix)]
fn is_exposed(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 != 0
}

// Elsewhere the folder's own access list decides who reads the file; there are no mode bits to check.

#[cfg(not(unix))]
fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).create(dir)
}

#[cfg(not(unix))]
fn only_for_owner(_: &mut OpenOptions) {}

#[cfg(not(unix))]
fn is_exposed(_: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use miette::Diagnostic;

    use super::*;

    /// Fills with 1s at first, then 2s, and so on.
    fn counting() -> impl Fn(&mut [u8]) {
        let count = Cell::new(0);
        move |bytes: &mut [u8]| {
            count.set(count.get() + 1);
            bytes.fill(count.get());
        }
    }

    fn refusal(dir: &Path) -> VaultError {
        match MasterKey::load_or_create(dir, &counting()) {
            Ok(_) => panic!("the key was accepted"),
            Err(refused) => refused,
        }
    }

    #[test]
    fn the_first_call_makes_the_key_and_the_next_one_finds_it() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data/keys");
        let random = counting();
        let made = MasterKey::load_or_create(&dir, &random).unwrap();
        let found = MasterKey::load_or_create(&dir, &random).unwrap();
        assert_eq!((*made.0, *found.0), ([2; 32], [2; 32]));

        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("master.key"))), (0o700, 0o600));
        assert_eq!(std::fs::read_to_string(dir.join("master.key")).unwrap(), "02".repeat(32) + "\n");
    }

    #[test]
    fn nothing_but_the_key_stays_in_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        MasterKey::load_or_create(dir.path(), &counting()).unwrap();
        let names: Vec<_> = dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["master.key"]);
    }

    #[test]
    fn seeds_of_other_names_are_kept_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let random = counting();
        let log = load_or_create_seed(dir.path(), "log.key", &random).unwrap();
        let master = MasterKey::load_or_create(dir.path(), &random).unwrap();
        assert_ne!(*log, *master.0);
        assert_eq!(*load_or_create_seed(dir.path(), "log.key", &random).unwrap(), *log);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_line_that_mends_it() {
        for mode in [0o640, 0o604, 0o620, 0o601] {
            let dir = tempfile::tempdir().unwrap();
            MasterKey::load_or_create(dir.path(), &counting()).unwrap();
            let path = dir.path().join("master.key");
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = refusal(dir.path());
            assert!(matches!(refused, VaultError::KeyExposed { .. }), "{mode:o}");
            let help = refused.help().unwrap().to_string();
            assert!(help.contains(&format!("chmod 600 '{}'", path.display())), "{help}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused_and_kept() {
        let good = "0a".repeat(32);
        for text in [
            "",
            "\n",
            &good,
            &format!("{good}\n\n"),
            &format!("{}\n", good.to_uppercase()),
            &format!("{}g\n", &good[1..]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("master.key");
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(refusal(dir.path()), VaultError::KeyMalformed { .. }), "{text:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), *text);
        }
    }

    #[test]
    fn a_key_that_appears_while_ours_is_being_made_wins() {
        let dir = tempfile::tempdir().unwrap();
        let other = counting();
        let race = |bytes: &mut [u8]| {
            // While we draw our key, another node has already written its own.
            load_or_create_seed(dir.path(), "master.key", &other).unwrap();
            bytes.fill(9);
        };
        let ours = MasterKey::load_or_create(dir.path(), &race).unwrap();
        assert_eq!(*ours.0, [2; 32]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let home = tempfile::NamedTempFile::new().unwrap();
        let refused = refusal(&home.path().join("keys"));
        assert_eq!(refused.code().unwrap().to_string(), "V403");
        assert!(refused.to_string().contains("keys"), "{refused}");
    }
}
