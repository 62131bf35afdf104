//! What can go wrong in the vault. No message holds a secret: only paths, limits and what to do.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// A key that cannot be used, or a value that stays closed.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum VaultError {
    /// Others on this machine can read a key file.
    #[error("the key file `{}` can be read by others", path.display())]
    #[diagnostic(
        code(V401),
        help("chmod 600 '{}'\nthen replace the key if others may have read it", path.display())
    )]
    KeyExposed {
        /// The key file.
        path: PathBuf,
    },

    /// A key file that is not 64 hex digits and a newline.
    #[error("the key file `{}` does not hold 64 lower-case hex digits and a newline", path.display())]
    #[diagnostic(
        code(V402),
        help("restore the file from its backup; with another key the sealed data cannot be opened")
    )]
    KeyMalformed {
        /// The key file.
        path: PathBuf,
    },

    /// The file system refused.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    #[diagnostic(code(V403), help("give the account that runs the node a folder that it owns and can write"))]
    KeyFile {
        /// What was being done: `read`, `create`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },

    /// A sealed value or wrapped key that does not open.
    #[error("a sealed value cannot be opened")]
    #[diagnostic(
        code(V404),
        help(
            "it was sealed with another key, for another scope or place, or its bytes were changed; look for a restored backup without its `master.key`"
        )
    )]
    Closed,

    /// [`Transient`](crate::Transient) holds as many codes as it may.
    #[error("too many payments are waiting for their security code, the limit is {limit}")]
    #[diagnostic(code(V405), help("the customer can try again in a few minutes, when waiting codes have expired"))]
    TransientFull {
        /// How many it may hold.
        limit: usize,
    },
}
