//! What can go wrong in the engine, with its code, and what a store may answer.

use miette::Diagnostic;
use selvedge_policy::Reason;
use thiserror::Error;

use crate::ports::store::Commit;
use crate::switches::MAX_REASON_BYTES;

/// Why a store did not do what it was asked.
#[derive(Debug, Error, Diagnostic)]
pub enum StoreError {
    /// The record has another number of events than the commit was made for.
    #[error("another writer has added to record `{interaction}`")]
    #[diagnostic(code(S601), help("load the record again and decide again; nothing was written"))]
    Conflict {
        /// The record.
        interaction: String,
    },
    /// What a commit was decided on has changed.
    #[error("what is known of customer `{customer}` has changed meanwhile")]
    #[diagnostic(code(S608), help("read the customer's state again and decide again; nothing was written"))]
    Overtaken {
        /// The customer's id.
        customer: String,
    },
    /// The database said no.
    #[error("the store could not {doing}: {why}")]
    #[diagnostic(
        code(S602),
        help(
            "see whether the disk is full or read-only and whether the data folder is still there; nothing was acknowledged that is not stored"
        )
    )]
    Unavailable {
        /// What it was doing.
        doing: String,
        /// The database's words, free of values.
        why: String,
    },
    /// The data were written by a newer Selvedge.
    #[error("the data have schema version {found}; this binary knows {known}")]
    #[diagnostic(code(S603), help("start the newer `selvedge` that wrote it; this one has changed nothing"))]
    Newer {
        /// In the folder.
        found: i64,
        /// In the binary.
        known: i64,
    },
    /// The address of a database cannot be one.
    #[error("the address of the database cannot be read: {why}")]
    #[diagnostic(code(S609), help("write `postgres://user:password@host:port/database`"))]
    Address {
        /// What is wrong with it, without the address: it may hold a password.
        why: String,
    },
    /// Nobody answers there.
    #[error("the database at `{at}` cannot be reached: {why}")]
    #[diagnostic(
        code(S610),
        help("see whether it runs and whether this machine and user may connect: `pg_isready`, `pg_hba.conf`")
    )]
    Away {
        /// Host, port and database.
        at: String,
        /// The system's or the server's words.
        why: String,
    },
    /// The way there is not as safe as its address wants it.
    #[error("the database at `{at}` cannot be trusted: {why}")]
    #[diagnostic(
        code(S611),
        help(
            "give `sslrootcert=FILE` with the authority that signed its certificate, and the host as the certificate names it"
        )
    )]
    Untrusted {
        /// Host, port and database.
        at: String,
        /// What is wrong with its TLS.
        why: String,
    },
    /// A setting that durability rests on is not in force.
    #[error("the database answers `{found}` for `{setting}`, not `{wanted}`")]
    #[diagnostic(
        code(S604),
        help(
            "a data folder must be on a local disk that supports it, a PostgreSQL server must not be told otherwise; the node does not start without it"
        )
    )]
    Setting {
        /// The pragma.
        setting: String,
        /// What it must be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// The lease ended: another node has the run now.
    #[error("another node has taken `{interaction}` over")]
    #[diagnostic(code(S606), help("nothing was written; the other node goes on with it, ask again in a moment"))]
    Stale {
        /// The record.
        interaction: String,
    },
    /// A kill switch was set or lifted since the commit was decided. Gives the commit back: what in it does not
    /// depend on switches is still to be written.
    #[error("a kill switch was set or lifted in the meantime")]
    #[diagnostic(code(S607), help("nothing was written; the engine looks at the switches again and decides anew"))]
    Switched(Box<Commit>),
    /// Something in the store cannot be read.
    #[error("the store holds something unreadable: {what}")]
    #[diagnostic(
        code(S605),
        help(
            "restore the data folder from a backup; `selvedge record verify` on exported records shows which are whole"
        )
    )]
    Unreadable {
        /// What, free of values.
        what: String,
    },
}

/// Why the engine did not do what it was asked.
#[derive(Debug, Error, Diagnostic)]
pub enum EngineError {
    /// The store.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// The vault.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Vault(#[from] selvedge_vault::VaultError),
    /// The record.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Record(#[from] selvedge_record::RecordError),
    /// No such interaction.
    #[error("there is no interaction `{interaction}`")]
    #[diagnostic(code(E501), help("list them with `selvedge record list`, or look for it in the console"))]
    NoSuchInteraction {
        /// As asked for.
        interaction: String,
    },
    /// Nothing is published under this name.
    #[error("no workflow `{workflow}` is published")]
    #[diagnostic(
        code(E502),
        help(
            "compare the name with the folders below `workflows/`; `selvedge workflow check {workflow}` says whether it can be published"
        )
    )]
    NotPublished {
        /// As asked for.
        workflow: String,
    },
    /// No such customer, or one of the fields is not on file.
    #[error("customer `{customer}` has no `{field}` on file")]
    #[diagnostic(
        code(E503),
        help("import the customer with every field that the workflow names in `workflows/fields.yaml`")
    )]
    NoSuchField {
        /// The customer's id.
        customer: String,
        /// The field's path.
        field: String,
    },
    /// The run is not where this makes sense.
    #[error("interaction `{interaction}` does not wait for {what} now; it stands at `{at}`")]
    #[diagnostic(
        code(E504),
        help("look at the interaction again: somebody may have answered already, or its time ran out")
    )]
    NotNow {
        /// The interaction.
        interaction: String,
        /// What was given.
        what: String,
        /// Where it stands.
        at: String,
    },
    /// Somebody else must decide.
    #[error("`{step}` is decided by a `{of}` {whom}")]
    #[diagnostic(
        code(E509),
        help("hand it to a colleague in that function; who opened an interaction approves nothing in it")
    )]
    NotYours {
        /// The step.
        step: String,
        /// The function.
        of: String,
        /// Who that is not: `and you are a `billing-agent``, `who did not open the interaction`.
        whom: String,
    },
    /// A value that cannot be what its field says it is.
    #[error("`{field}` holds something that is not {wanted}")]
    #[diagnostic(code(E505), help("correct the field at its source and import it again"))]
    BadValue {
        /// The field's path.
        field: String,
        /// What it should be.
        wanted: String,
    },
    /// A class that the data dictionary does not have.
    #[error("there is no class `{class}`")]
    #[diagnostic(
        code(E508),
        help(
            "the classes are PAN SAD BANK GOVID PHI PII CONSENT COMMS RECORDING RISK KEY PUBLIC; sealed beside records are PHI, PII and COMMS"
        )
    )]
    NoSuchClass {
        /// As given.
        class: String,
    },
    /// A definition that was published cannot be compiled any more.
    #[error("the definition `{digest}` that this run pinned does not compile: {why}")]
    #[diagnostic(
        code(E506),
        help("the run is kept as it is; start it with the `selvedge` version that published the definition")
    )]
    Definition {
        /// The digest.
        digest: String,
        /// The first diagnostic.
        why: String,
    },
    /// A limit.
    #[error("{what} is over the limit of {limit}")]
    #[diagnostic(code(E507), help("send less at a time"))]
    Limit {
        /// What.
        what: String,
        /// How much is allowed.
        limit: usize,
    },
    /// No such hold is in force.
    #[error("there is no legal hold `{hold}` in force")]
    #[diagnostic(
        code(E521),
        help("`selvedge hold list` shows those in force; `selvedge record export holds` also those that were lifted")
    )]
    NoSuchHold {
        /// As given.
        hold: String,
    },
    /// The node takes no work for a while.
    #[error("the node takes no work now: {why}")]
    #[diagnostic(
        code(E520),
        help("what was acknowledged is kept, and the node goes on by itself when this is over; `/health` says when")
    )]
    NotReady {
        /// What is wrong, free of values.
        why: String,
    },
    /// A kill switch is set.
    #[error("`{scope}` is stopped by {switch}, set by {by}: {reason}")]
    #[diagnostic(
        code(E510),
        help("serve the customer by the way that your supervisor names; `selvedge kill lift {switch}` ends it")
    )]
    Stopped {
        /// What is stopped.
        scope: String,
        /// The switch.
        switch: String,
        /// Who set it.
        by: String,
        /// Why.
        reason: String,
    },
    /// The contact rules do not let this customer be called.
    #[error("no call may be placed now; `{interaction}` holds the decision")]
    #[diagnostic(code(E515), help("{help}"))]
    NoCall {
        /// The record of the refusal.
        interaction: String,
        /// From when on it may, or that it may not.
        help: String,
        /// What each rule said that is against it.
        reasons: Vec<Reason>,
    },
    /// An act that needs a reason, without one.
    #[error("a reason is missing, or is not one")]
    #[diagnostic(
        code(E511),
        help("say in 3 to {MAX_REASON_BYTES} bytes on one line why; it stands in the record with your name")
    )]
    NoReason,
    /// A second campaign of one name.
    #[error("there is a campaign `{campaign}` already")]
    #[diagnostic(
        code(E530),
        help("`selvedge campaign show {campaign}` says how far it is; another one needs another name")
    )]
    CampaignThere {
        /// Its name.
        campaign: String,
    },
    /// No such campaign.
    #[error("there is no campaign `{campaign}`")]
    #[diagnostic(code(E531), help("`selvedge campaign list` shows those that there are"))]
    NoCampaign {
        /// As given, where it is a name.
        campaign: String,
    },
    /// A name or a pace that cannot be one.
    #[error("the campaign cannot be started: {what}")]
    #[diagnostic(code(E532), help("correct it and start the campaign again; nothing was started"))]
    BadCampaign {
        /// What it must be.
        what: String,
    },
    /// A condition over customers that is none.
    #[error("the condition over customers is none: {why}")]
    #[diagnostic(
        code(E533),
        help(
            "it may name the customer's fields in `workflows/fields.yaml` but those of health, cards, banks and ids: `bill.due < '2026-11-01'`"
        )
    )]
    BadCondition {
        /// Each thing that is wrong.
        why: String,
    },
    /// An act that makes no sense for a campaign or schedule now.
    #[error("nothing was done to `{campaign}`: {why}")]
    #[diagnostic(code(E534), help("look at it again: somebody may have been quicker"))]
    CampaignNot {
        /// Its name.
        campaign: String,
        /// Why not.
        why: String,
    },
    /// A schedule that no node has seen.
    #[error("no node has seen a schedule `{schedule}` yet")]
    #[diagnostic(code(E535), help("start a node with it: `selvedge schedule list` says which were seen"))]
    NoSchedule {
        /// As given.
        schedule: String,
    },
    /// A switch for a name that nothing has.
    #[error("there is no {over} of this name to stop")]
    #[diagnostic(code(E512), help("names are compared letter by letter; there are: {known}"))]
    NothingToStop {
        /// `workflow`, `connector`, `vendor`, `channel` or `tenant`.
        over: String,
        /// The names that there are.
        known: String,
    },
    /// A second switch over the same.
    #[error("`{scope}` is stopped already, by {switch}")]
    #[diagnostic(code(E513), help("`selvedge kill list` says who set it and why; nothing was changed"))]
    StoppedAlready {
        /// What.
        scope: String,
        /// The switch that is set.
        switch: String,
    },
    /// A flag that is not on file of the customer.
    #[error("`{flag}` is not on file of the customer `{customer}`")]
    #[diagnostic(code(E516), help("nothing was changed; look for a slip in the name, or somebody was quicker"))]
    NoSuchFlag {
        /// The customer's id.
        customer: String,
        /// The flag.
        flag: String,
    },
    /// No such switch, or one that was lifted before.
    #[error("there is no switch `{switch}` to lift")]
    #[diagnostic(code(E514), help("`selvedge kill list` shows the switches that are set"))]
    NoSuchSwitch {
        /// The id.
        switch: String,
    },
    /// The other definition is none for this run.
    #[error("the run cannot be moved: at `{at}`, {why}")]
    #[diagnostic(
        code(E525),
        help(
            "let it end by the definition that it has, or pause it and see later; `selvedge workflow diff` shows what differs. Nothing was changed"
        )
    )]
    CannotMove {
        /// The node at which it shows.
        at: String,
        /// Why.
        why: String,
    },
    /// An interaction cannot be handed over like this.
    #[error("the interaction cannot be handed over: at `{at}`, {why}")]
    #[diagnostic(
        code(E526),
        help(
            "a `handoff` step of the workflow says when it goes on in which other channel; to another agent it is handed over at any time. Nothing was changed"
        )
    )]
    CannotHandOver {
        /// The step at which it stands.
        at: String,
        /// Why.
        why: String,
    },
    /// A switch that nobody set, or a stretch of the log that does not begin with it.
    #[error("there is no switch `{switch}` to prove anything about")]
    #[diagnostic(
        code(E524),
        help("`selvedge kill list` shows all switches; a file must be one that `kill prove -o` wrote")
    )]
    NeverSet {
        /// The id.
        switch: String,
    },
    /// A record that cannot be folded, or another impossibility: a defect of Selvedge itself.
    #[error("{what}")]
    #[diagnostic(code(E599), help("this is a defect: keep the data folder and report it with the code and this line"))]
    Broken {
        /// What.
        what: String,
    },
}
