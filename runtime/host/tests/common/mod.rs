//! What both test stories need: connectors built once, files of the repository, calls and fields.

#![allow(dead_code, reason = "each test crate uses a part")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use selvedge_engine::ports::{Call, Field};
use selvedge_host::{Connection, Connections, Package, Registry, build_workspace};

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The first-party components, by name.
pub static PLUGINS: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| build("plugins"));
/// The misbehaving ones.
pub static MISCHIEF: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| build("tests/connectors"));

fn build(folder: &str) -> BTreeMap<String, Vec<u8>> {
    build_workspace(&root().join(folder), &mut |line| eprintln!("{line}")).unwrap()
}

pub fn read(path: &str) -> (String, String) {
    (path.to_owned(), std::fs::read_to_string(root().join(path)).unwrap())
}

/// A first-party connector with its real manifest and grant.
pub fn first_party(name: &str) -> Package {
    Package {
        wasm: PLUGINS[name].clone(),
        manifest: read(&format!("plugins/{name}/connector.yaml")),
        grant: read(&format!("workflows/grants/{name}.yaml")),
    }
}

pub fn connection(base_url: &str) -> Connection {
    Connection {
        base_url: base_url.to_owned(),
        credential: "sk_test_0123456789".into(),
        webhook_secret: Some("whsec_0123456789".into()),
    }
}

pub fn connections(all: &[(&str, &str)]) -> Connections {
    all.iter().map(|(name, url)| ((*name).to_owned(), connection(url))).collect()
}

pub fn field(path: &str, class: &str, value: &str) -> Field {
    Field { path: path.into(), class: class.into(), value: value.into() }
}

/// A call of `connector` as the registry has it loaded.
pub fn call(registry: &Registry, connector: &str, step: &str, key: &str) -> Call {
    Call {
        connector: connector.into(),
        digest: registry.get(connector).map(|it| it.digest().to_owned()).unwrap_or_default(),
        interaction: "int_01j0000000000000000000000".into(),
        step: step.into(),
        idempotency_key: key.into(),
        purpose: "billing".into(),
        attempt: 1,
    }
}

pub fn mobile() -> Field {
    field("patient.mobile", "PII", "+12175550142")
}

pub fn text() -> Field {
    field("message.text", "COMMS", "Your code is \"481516\" & nothing else")
}

/// Shares what a server heard with the test.
pub type Heard<T> = Arc<std::sync::Mutex<Vec<T>>>;
