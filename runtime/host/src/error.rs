//! What can go wrong before a connector runs: building it, reading what it asks and what an admin gave, and
//! loading it. What a running connector is refused is no error: it is part of the answer.

use std::path::PathBuf;

use miette::Diagnostic as Explained;
use selvedge_workflow::source::{Diagnostic, Span};
use thiserror::Error;

/// Every code of this room. Each has a page in `runtime/docs/errors/`.
pub const CODES: [&str; 17] = [
    "H701", "H702", "H703", "H704", "H705", "H706", "H707", "H708", "H709", "H710", "H720", "H721", "H722", "H723",
    "H724", "H730", "H731",
];

/// Why a connector was not loaded.
#[derive(Debug, Error, Explained)]
pub enum LoadError {
    /// An import that the grants file does not give.
    #[error("the connector `{connector}` imports `{import}`, which {at} does not grant")]
    #[diagnostic(code(H701), help("an admin who agrees adds the line `{line}` under `imports:` in `{}`", at.file))]
    NotGranted {
        /// The connector.
        connector: String,
        /// The import, without package and version: `reveal`.
        import: String,
        /// Where the grants file lists its imports.
        at: Span,
        /// The line that would grant it, as it stands in the file.
        line: String,
    },
    /// An import that is no part of the contract, so that nobody can grant it.
    #[error("the connector `{connector}` imports `{import}`, which no grant can give")]
    #[diagnostic(
        code(H702),
        help(
            "build it for `wasm32-unknown-unknown` with the SDK: a connector can import `egress` and `reveal`, no clock, no file, no socket"
        )
    )]
    UnknownImport {
        /// The connector.
        connector: String,
        /// The import as the component names it.
        import: String,
    },
    /// An import that is granted, but that the connector's own manifest does not ask for.
    #[error("the connector `{connector}` imports `{import}`, which its `connector.yaml` does not ask for")]
    #[diagnostic(
        code(H703),
        help("the developer adds `{import}: \"why it is needed\"` under `imports:` in {at}, or stops using it")
    )]
    NotAsked {
        /// The connector.
        connector: String,
        /// The import.
        import: String,
        /// Where the manifest lists its imports.
        at: Span,
    },
    /// A manifest or a grants file has mistakes; all of them.
    #[error("{}", in_lines(found))]
    #[diagnostic(code(H704), help("mend each line named above; the places are file:line:column"))]
    BadFile {
        /// Each with its place.
        found: Vec<Diagnostic>,
    },
    /// The bytes are no component, too large, or use what is switched off.
    #[error("the connector `{connector}` is not a component that can run here: {why}")]
    #[diagnostic(code(H705), help("build it again with the SDK and the flags in `plugins/.cargo/config.toml`"))]
    NotAComponent {
        /// The connector.
        connector: String,
        /// What the compiler said.
        why: String,
    },
    /// The component does not export what its kind promises, or shapes differ from the contract's.
    #[error("the connector `{connector}` does not fit the contract of a {kind}: {why}")]
    #[diagnostic(
        code(H706),
        help("build it against `sdk/wit/selvedge-connector@0.1.0`, and compare `kind:` in its `connector.yaml`")
    )]
    WrongContract {
        /// The connector.
        connector: String,
        /// `channel`, `verifier` or `gateway`.
        kind: String,
        /// What does not fit.
        why: String,
    },
    /// A connection that is granted, but not configured as it must be.
    #[error("the connection `{connection}` of the connector `{connector}` cannot be used: {why}")]
    #[diagnostic(
        code(H707),
        help(
            "give it a base URL such as `https://api.example.com`, without query or user; plain http is for loopback only"
        )
    )]
    BadConnection {
        /// The connector.
        connector: String,
        /// The connection.
        connection: String,
        /// What is wrong with it, free of its secrets.
        why: String,
    },
    /// Two connectors of the same name, or two that take the webhooks of one connection.
    #[error("`{name}` is taken: {why}")]
    #[diagnostic(code(H708), help("remove one of the two"))]
    Twice {
        /// The connector's or the connection's name.
        name: String,
        /// By what.
        why: String,
    },
    /// The sandbox cannot run on this machine.
    #[error("the sandbox cannot start: {why}")]
    #[diagnostic(
        code(H709),
        help("it reserves address space for its instances: look for a limit on virtual memory (`ulimit -v`)")
    )]
    Engine {
        /// What the sandbox said.
        why: String,
    },
}

impl From<Vec<Diagnostic>> for LoadError {
    fn from(found: Vec<Diagnostic>) -> Self {
        LoadError::BadFile { found }
    }
}

/// Why connectors were not built from their sources.
#[derive(Debug, Error, Explained)]
pub enum BuildError {
    /// There is no workspace to build.
    #[error("there is no `Cargo.toml` in `{}`", folder.display())]
    #[diagnostic(
        code(H724),
        help("run this in a clone of the repository, or name the folder that holds the connectors")
    )]
    NoWorkspace {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no cargo to run.
    #[error("the connectors in `{}` cannot be built: `cargo` did not start ({why})", folder.display())]
    #[diagnostic(code(H720), help("install Rust 1.95 or newer from https://rustup.rs and try again"))]
    NoCargo {
        /// The workspace.
        folder: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Rust cannot compile for the sandbox and the target could not be added.
    #[error("Rust lacks the target `wasm32-unknown-unknown` and it could not be added: {why}")]
    #[diagnostic(
        code(H721),
        help("run `rustup target add wasm32-unknown-unknown`; without rustup, install your system's package for it")
    )]
    NoTarget {
        /// What was tried and what was said.
        why: String,
    },
    /// The compiler refused the sources.
    #[error("the connectors in `{}` do not compile:\n{said}", folder.display())]
    #[diagnostic(
        code(H722),
        help("`cargo build --release --target wasm32-unknown-unknown` in that folder shows the same")
    )]
    Refused {
        /// The workspace.
        folder: PathBuf,
        /// The compiler's last words.
        said: String,
    },
    /// A core module that is no connector.
    #[error("`{name}` compiles, but is no connector: {why}")]
    #[diagnostic(
        code(H723),
        help("end its `lib.rs` with one of the SDK's `export_channel!`, `export_verifier!`, `export_gateway!`")
    )]
    NotAConnector {
        /// The package, or empty when only bytes are known.
        name: String,
        /// What is missing.
        why: String,
    },
}

fn in_lines(found: &[Diagnostic]) -> String {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_code_has_its_page() {
        for code in super::CODES {
            let page = format!("{}/../docs/errors/{code}.md", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(text.starts_with(&format!("# {code}: ")), "{page}");
            for part in ["## What happened", "## Why", "## How to mend it"] {
                assert!(text.contains(part), "{page} lacks {part}");
            }
        }
    }
}
