//! What can go wrong in the wiring.

use miette::Diagnostic;
use selvedge_workflow::source::Diagnostic as Finding;
use thiserror::Error;

/// A failure of the command line itself; the rooms bring their own.
#[derive(Debug, Error, Diagnostic)]
pub enum Failure {
    /// Neither here nor above.
    #[error("there is no folder with `workflows/` and `plugins/` here or above")]
    #[diagnostic(code(C901), help("run `selvedge` inside a checkout of the project"))]
    NoHome,
    /// Somebody else listens there.
    #[error("port {port} on 127.0.0.1 is in use")]
    #[diagnostic(
        code(C902),
        help("stop what listens there (`ss -ltnp 'sport = :{port}'` names it), or choose another port with `--port`")
    )]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// A file that was named is not there, or cannot be read or written.
    #[error("`{path}` cannot be {what}: {why}")]
    #[diagnostic(code(C903), help("see whether the path is right and whose the file is: `ls -l {path}`"))]
    File {
        /// As given.
        path: String,
        /// `read` or `written`.
        what: &'static str,
        /// The system's words.
        why: String,
    },
    /// Another process runs a node in this data folder.
    #[error("another `selvedge` runs in the data folder `{folder}`")]
    #[diagnostic(code(C904), help("stop it, or give this one a folder of its own with `--data`"))]
    InUse {
        /// The folder.
        folder: String,
    },
    /// The story of the demonstration did not go on.
    #[error("the story stopped at `{at}`: {why}")]
    #[diagnostic(
        code(C905),
        help(
            "correct the flag if the line names one; otherwise start it again with the same `--data`: it goes on where it stopped. If it stops there again, keep the folder and report it"
        )
    )]
    Story {
        /// Where the run stood.
        at: String,
        /// What happened.
        why: String,
    },
    /// No store there.
    #[error("`{folder}` is no data folder")]
    #[diagnostic(
        code(C906),
        help("run `selvedge demo --data {folder}` first, or name the folder of a node with `--data`")
    )]
    NoData {
        /// The folder.
        folder: String,
    },
    /// Findings that a person has to mend.
    #[error("{}", all(.findings))]
    #[diagnostic(code(C907), help("mend them in the files named; nothing was published"))]
    Findings {
        /// All at once.
        findings: Vec<Finding>,
    },
    /// A connector that no admin has granted anything.
    #[error("the connector `{connector}` has no grants")]
    #[diagnostic(
        code(C909),
        help(
            "an admin reads `plugins/{connector}/connector.yaml` and writes `workflows/grants/{connector}.yaml`; until then it is not loaded"
        )
    )]
    NoGrant {
        /// Its name.
        connector: String,
    },
    /// Records, and no keys.
    #[error("the data folder `{folder}` holds records, but not the keys that they were made with")]
    #[diagnostic(
        code(C910),
        help("restore `{folder}/keys/` from the backup that the database came from; nothing was changed")
    )]
    NoKeys {
        /// The folder.
        folder: String,
    },
    /// A backup that is not whole, or was changed.
    #[error("the backup `{folder}` is not what was written: {why}")]
    #[diagnostic(code(C920), help("nothing was restored; take another copy of the backup, or an older one: {folder}"))]
    Damaged {
        /// The backup.
        folder: String,
        /// What does not hold.
        why: String,
    },
    /// There is something already.
    #[error("`{folder}` is not empty")]
    #[diagnostic(code(C921), help("name a folder that does not exist yet; nothing was changed"))]
    NotEmpty {
        /// The folder.
        folder: String,
    },
    /// The keys are those of other data.
    #[error("the keys in `{keys}` are not those of the backup: {why}")]
    #[diagnostic(
        code(C922),
        help(
            "give `--keys` the folder with the `master.key` and `log.key` that the node had when the backup was taken; nothing was restored"
        )
    )]
    OtherKeys {
        /// The folder of keys.
        keys: String,
        /// What does not fit.
        why: String,
    },
    /// A measurement did not do its work.
    #[error("the measurement stopped at {at}: {why}")]
    #[diagnostic(
        code(C930),
        help(
            "run it again, with the same `--seed` where it says one; if it stops there again, keep the folder (`--data`) and report it"
        )
    )]
    Measurement {
        /// Where.
        at: String,
        /// What happened.
        why: String,
    },
    /// A key that was given is none.
    #[error("`{given}` is not a log's public key, nor a file with one")]
    #[diagnostic(
        code(C908),
        help("a key is one line, `name+8 hex digits+base64`; `selvedge record key` prints the node's own")
    )]
    NoKey {
        /// As given.
        given: String,
    },
    /// No such schedule.
    #[error("there is no such schedule")]
    #[diagnostic(code(C943), help("`workflows/schedules.yaml` has: {known}"))]
    NoSchedule {
        /// Those that there are.
        known: String,
    },
    /// Customers that cannot be imported as they are.
    #[error("{}", all(.findings))]
    #[diagnostic(code(C940), help("mend them in the file; nothing was imported"))]
    NotImported {
        /// All at once; without values.
        findings: Vec<Finding>,
    },
    /// A name that is none.
    #[error("the {what} has no name that can stand in a record")]
    #[diagnostic(code(C941), help("use letters, digits and `-`, `_`, `.`, `@`, at most 64"))]
    NoName {
        /// Whose.
        what: &'static str,
    },
    /// A function that may do nothing.
    #[error("the access policy permits nothing to `{function}`")]
    #[diagnostic(
        code(C942),
        help(
            "take a function that `workflows/policies/access.cedar` names, or write the lines that permit it something"
        )
    )]
    NoFunction {
        /// As given.
        function: String,
    },
    /// A node that was told nothing.
    #[error("there is no `{file}`")]
    #[diagnostic(
        code(C932),
        help("write it: tenant, public_url, sender and connections; `runtime/docs/errors/C932.md` shows one")
    )]
    NoSettings {
        /// Where it should be.
        file: String,
    },
    /// The address that people reach the node at.
    #[error("the node cannot listen on {address}: {why}")]
    #[diagnostic(
        code(C931),
        help("choose another address with `--listen HOST:PORT`, or stop what listens there: `ss -ltnp`")
    )]
    Listen {
        /// As given.
        address: String,
        /// The system's words.
        why: String,
    },
}

fn all(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    format!(
        "{} to mend\n{}",
        match findings.len() {
            1 => "one thing".into(),
            n => format!("{n} things"),
        },
        lines.join("\n")
    )
}

impl Failure {
    /// A file that could not be read.
    pub fn read(path: &std::path::Path, error: &std::io::Error) -> Failure {
        Failure::File { path: path.display().to_string(), what: "read", why: error.to_string() }
    }

    /// A file that could not be written.
    pub fn write(path: &std::path::Path, error: &std::io::Error) -> Failure {
        Failure::File { path: path.display().to_string(), what: "written", why: error.to_string() }
    }
}
