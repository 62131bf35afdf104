//! `selvedge backup` and `selvedge restore`: a data folder taken away while its node runs, and brought back.
//!
//! A backup is a folder with `selvedge.db`, a snapshot; `log.pub`, what its evidence verifies with; and
//! `backup.json`, which names the snapshot by digest and is signed with the log's key. It has its name only once it
//! was verified. The keys are not in it: who finds a backup finds ciphertext.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use clap::Args;
use selvedge_engine::{StoreError, Who};
use selvedge_record::{LogKey, LogVerifier};
use selvedge_store::sqlite::SCHEMA;
use selvedge_store::sqlite::backup::{Examined, examine};
use serde::{Deserialize, Serialize};

use crate::clock::StoryClock;
use crate::failure::Failure;
use crate::node::{self, Folder, PUBLIC_KEY};
use crate::{data_or_demo, home};

const DATABASE: &str = "selvedge.db";
const MANIFEST: &str = "backup.json";
/// What a manifest calls its form.
const FORMAT: &str = "selvedge.backup/1";
/// What the signature below a manifest is for.
const SIGNED: &str = "backup";
/// The keys of a data folder.
const KEYS: [&str; 2] = ["master.key", "log.key"];

#[derive(Args)]
pub struct Backup {
    /// The folder to make. It must not exist.
    #[arg(short, long)]
    output: PathBuf,
    /// The data folder; the demonstration's when left out. Its node may run.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Args)]
pub struct Restore {
    /// The backup, as `selvedge backup` made it.
    backup: PathBuf,
    /// The data folder to make. It must not exist, or be empty.
    #[arg(long)]
    data: PathBuf,
    /// The folder with `master.key` and `log.key`, which you kept apart from the backup.
    #[arg(long)]
    keys: PathBuf,
}

/// What `backup.json` says, in one line. The line below it is the signature.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: String,
    schema: i64,
    /// SHA-256 of the snapshot.
    database: String,
    /// The log's public key.
    key: String,
    events: u64,
    root: String,
    /// The time of the newest event of a run: what happened later is not in it.
    until: i64,
}

/// Takes a backup and verifies it.
pub async fn backup(arguments: Backup) -> miette::Result<ExitCode> {
    let data = data_or_demo(arguments.data)?;
    let folder = Folder::beside(&data, false).await?;
    refuse_if_filled(&arguments.output)?;
    let draft = beside(&arguments.output)?;
    let made = make(&folder, &draft).await.and_then(|manifest| {
        appear(&draft, &arguments.output)?;
        Ok(manifest)
    });
    let manifest = made.inspect_err(|_| drop(std::fs::remove_dir_all(&draft)))?;
    let shown = arguments.output.display();
    say!("verified  {shown}: {} events until {}", manifest.events, selvedge_record::time::to_rfc3339(manifest.until)?);
    say!("          root {}, signed by {}", manifest.root, folder.keys.log_key.verifier().name());
    say!("the keys are not in it, and without them it opens for nobody: keep {} in another place", keys_of(&data));
    Ok(ExitCode::SUCCESS)
}

fn keys_of(data: &Path) -> String {
    data.join("keys").display().to_string()
}

async fn make(folder: &Folder, draft: &Path) -> miette::Result<Manifest> {
    node::create(draft)?;
    let database = draft.join(DATABASE);
    folder.store.snapshot(&database).await?;
    let examined = examine(&database).await?;
    if let Err(why) = agrees(&examined, &folder.keys.log_key.verifier()) {
        return Err(StoreError::Unreadable { what: why }.into());
    }
    if !folder.opens(examined.data_key.as_ref()) {
        return Err(Failure::OtherKeys { keys: keys_of(&folder.path), why: "its data do not open".into() }.into());
    }
    let manifest = Manifest {
        format: FORMAT.into(),
        schema: examined.schema,
        database: digest(&database)?,
        key: folder.keys.log_key.verifier().to_string(),
        events: examined.events,
        root: examined.root.to_string(),
        until: examined.newest,
    };
    let text = signed(&manifest, &folder.keys.log_key);
    for (name, text) in [(MANIFEST, text), (PUBLIC_KEY, format!("{}\n", manifest.key))] {
        let path = draft.join(name);
        std::fs::write(&path, text).map_err(|e| Failure::write(&path, &e))?;
    }
    Ok(manifest)
}

fn signed(manifest: &Manifest, key: &LogKey) -> String {
    let line = serde_json::to_string(manifest).unwrap_or_default();
    format!("{line}\n{}\n", key.sign_text(SIGNED, &line))
}

/// The newest checkpoint is the log's own, and about these events.
fn agrees(examined: &Examined, key: &LogVerifier) -> Result<(), String> {
    let Some((note, root)) = &examined.checkpoint else { return Ok(()) };
    match key.open(note) {
        Ok(checkpoint) if checkpoint.root == *root => Ok(()),
        Ok(checkpoint) => Err(format!("the checkpoint over {} events has another root than they", checkpoint.size)),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes a data folder out of a backup. It has its name only when all of it was verified and marked.
pub async fn restore(arguments: Restore) -> miette::Result<ExitCode> {
    let Restore { backup, data, keys } = arguments;
    let manifest = read(&backup, &keys)?;
    refuse_if_filled(&data)?;
    let draft = beside(&data)?;
    let done = bring_back(&backup, &keys, &manifest, &draft).await.and_then(|open| {
        appear(&draft, &data)?;
        Ok(open)
    });
    let open = done.inspect_err(|_| drop(std::fs::remove_dir_all(&draft)))?;
    let until = selvedge_record::time::to_rfc3339(manifest.until)?;
    say!("restored  {}: {} events until {until}, {open} open runs", data.display(), manifest.events);
    say!("what happened later is not in it. Each open run asks the vendor before it moves money again;");
    say!("interactions that began later are gone: compare the vendors' lists from {until} on");
    Ok(ExitCode::SUCCESS)
}

/// The manifest, if this binary can read it and whoever has these keys signed it.
fn read(backup: &Path, keys: &Path) -> miette::Result<Manifest> {
    let damaged = |why: &str| Failure::Damaged { folder: backup.display().to_string(), why: why.into() };
    let path = backup.join(MANIFEST);
    let text = home::text(&path)?;
    let unreadable = || damaged("`backup.json` is not two lines, what is in it and who signed it");
    let (line, signature) = text.trim_end().split_once('\n').ok_or_else(unreadable)?;
    let manifest: Manifest = serde_json::from_str(line).map_err(|_| unreadable())?;
    if manifest.schema > SCHEMA || manifest.format != FORMAT {
        return Err(StoreError::Newer { found: manifest.schema, known: SCHEMA }.into());
    }
    let others = |why: String| Failure::OtherKeys { keys: keys.display().to_string(), why };
    if let Some(missing) = KEYS.iter().find(|key| !keys.join(key).is_file()) {
        return Err(others(format!("there is no `{missing}`")).into());
    }
    let verifier = node::log_key(keys)?.verifier();
    if verifier.to_string() != manifest.key {
        return Err(others(format!("`log.key` is that of {}", verifier.name())).into());
    }
    if !verifier.has_signed_text(SIGNED, line, signature) {
        return Err(damaged("`backup.json` was changed after it was signed").into());
    }
    Ok(manifest)
}

async fn bring_back(backup: &Path, keys: &Path, manifest: &Manifest, draft: &Path) -> miette::Result<usize> {
    let damaged = |why: String| Failure::Damaged { folder: backup.display().to_string(), why };
    node::create(&draft.join("keys"))?;
    copy(&backup.join(DATABASE), &draft.join(DATABASE))?;
    for key in KEYS {
        copy(&keys.join(key), &draft.join("keys").join(key))?;
    }
    let found = digest(&draft.join(DATABASE))?;
    if found != manifest.database {
        return Err(damaged(format!("`{DATABASE}` has the digest {found}, not {}", manifest.database)).into());
    }
    // Opening brings an older schema up to date, so the examination is of what the node will have.
    let folder = Folder::open(draft, None).await?;
    let examined = examine(&draft.join(DATABASE)).await?;
    agrees(&examined, &folder.keys.log_key.verifier()).map_err(damaged)?;
    if !folder.opens(examined.data_key.as_ref()) {
        let why = "`master.key` does not open its data".into();
        return Err(Failure::OtherKeys { keys: keys.display().to_string(), why }.into());
    }
    let engine = folder.reader(Arc::new(StoryClock::at(manifest.until)));
    let open = folder.store.unfinished().await?;
    engine.mark_restored(&open, manifest.until).await?;
    let what = serde_json::json!({ "until": manifest.until, "events": manifest.events, "root": manifest.root });
    for tenant in folder.store.tenants().await? {
        engine.note(&tenant, &Who::host(), "node.restored", what.clone()).await?;
    }
    drop(engine);
    folder.store.close().await;
    Ok(open.len())
}

fn refuse_if_filled(folder: &Path) -> Result<(), Failure> {
    let filled = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    if filled { Err(Failure::NotEmpty { folder: folder.display().to_string() }) } else { Ok(()) }
}

/// Where a folder is made before it has its name; on the same disk, so that it can be given it at once.
fn beside(folder: &Path) -> Result<PathBuf, Failure> {
    let why = || std::io::Error::other("it has no name");
    let name = folder.file_name().ok_or_else(|| Failure::write(folder, &why()))?;
    Ok(folder.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id())))
}

/// Gives a folder its name once all of it is on the disk.
fn appear(draft: &Path, folder: &Path) -> Result<(), Failure> {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all()).map_err(|e| Failure::write(path, &e));
    let mut folders = vec![draft.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).map_err(|e| Failure::read(&next, &e))? {
            let path = entry.map_err(|e| Failure::read(&next, &e))?.path();
            if path.is_dir() { folders.push(path) } else { sync(&path)? }
        }
        sync(&next)?;
    }
    std::fs::rename(draft, folder).map_err(|e| Failure::write(folder, &e))?;
    sync(folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map(|_| ()).map_err(|e| Failure::read(from, &e))
}

/// SHA-256 of a file, in hex.
fn digest(path: &Path) -> Result<String, Failure> {
    let failed = |e: std::io::Error| Failure::read(path, &e);
    let (mut file, mut hash) = (File::open(path).map_err(failed)?, Context::new(&SHA256));
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => return Ok(hex::encode(hash.finish())),
            read => hash.update(&chunk[..read]),
        }
    }
}
