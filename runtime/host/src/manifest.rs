//! What a connector says of itself: `plugins/<connector>/connector.yaml`. It asks, with a reason for each thing;
//! asking gives nothing.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_workflow::source::{Diagnostic, Document, Fields, Item, Reader, Span};
use serde::Serialize;

use crate::grant::{Powers, read_connections, read_imports, read_reasons};
use crate::route::{Routes, UNFIT};
use crate::webhook::{Messages, Scheme};

/// The functions that one service may declare.
pub const MAX_FUNCTIONS: usize = 64;
/// The longest name of a function, as the workflow language has it.
const MAX_FUNCTION: usize = 64;
/// The functions of the other kinds.
const TAKEN: [&str; 6] = ["send", "check", "validate", "charge", "lookup", "receive"];

/// What a connector is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Carries messages.
    Channel,
    /// Answers a question about a customer.
    Verifier,
    /// Moves money.
    Gateway,
    /// Offers functions of its own, by name.
    Service,
}

impl Kind {
    const NAMES: [&'static str; 4] = ["channel", "verifier", "gateway", "service"];

    /// `channel`, `verifier`, `gateway` or `service`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Channel => "channel",
            Kind::Verifier => "verifier",
            Kind::Gateway => "gateway",
            Kind::Service => "service",
        }
    }

    /// The functions that have an effect class; those of a service are its own.
    #[must_use]
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            Kind::Channel => &["send", "lookup"],
            Kind::Verifier => &["check"],
            Kind::Gateway => &["validate", "charge", "lookup"],
            Kind::Service => &[],
        }
    }

    fn named(name: &str) -> Kind {
        match name {
            "channel" => Kind::Channel,
            "verifier" => Kind::Verifier,
            "gateway" => Kind::Gateway,
            _ => Kind::Service,
        }
    }
}

/// What may be done when nobody knows whether a function's effect happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// It changes nothing: call it again.
    Pure,
    /// The vendor knows a repetition by its key: call it again with the same one.
    Idempotent,
    /// Ask `lookup` what became of the key, then decide.
    Reconcile,
    /// A person decides.
    NeverRetry,
}

impl EffectClass {
    const NAMES: [&'static str; 4] = ["pure", "idempotent", "reconcile", "never-retry"];

    fn named(name: &str) -> Self {
        match name {
            "pure" => EffectClass::Pure,
            "idempotent" => EffectClass::Idempotent,
            "reconcile" => EffectClass::Reconcile,
            _ => EffectClass::NeverRetry,
        }
    }

    /// `pure`, `idempotent`, `reconcile` or `never-retry`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EffectClass::Pure => "pure",
            EffectClass::Idempotent => "idempotent",
            EffectClass::Reconcile => "reconcile",
            EffectClass::NeverRetry => "never-retry",
        }
    }
}

/// The vendor's webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// The connection that they belong to.
    pub connection: String,
    /// How they are signed.
    pub scheme: Scheme,
    /// Where a customer's own message stands in one, where the vendor carries such messages.
    pub messages: Option<Messages>,
}

/// The vendor's answers to what an admin asks before a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vetting {
    /// Who has production access?
    pub production_access: String,
    /// How are support sessions controlled?
    pub support_sessions: String,
    /// Where are the logs?
    pub logs: String,
    /// Who patches?
    pub patches: String,
}

/// A manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The connector's name.
    pub connector: String,
    /// Its version, for people; the digest is what counts.
    pub version: String,
    /// Whose service it speaks to.
    pub vendor: String,
    /// What it is for.
    pub kind: Kind,
    /// One line for people.
    pub about: String,
    /// What it asks for.
    pub asks: Powers,
    /// Why, by import and by field.
    pub reasons: BTreeMap<String, String>,
    /// What a verifier's finding is called: `sim-swap`; empty for the other kinds.
    pub signal: String,
    /// The class of each of its functions.
    pub effects: BTreeMap<String, EffectClass>,
    /// Present when the vendor calls back.
    pub webhooks: Option<Webhooks>,
    /// The answers.
    pub vetting: Vetting,
    /// The file, as people know it.
    pub file: String,
    /// Where `imports:` stands.
    pub imports_at: Span,
}

impl Manifest {
    /// Reads a manifest; `file` only names it in messages.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let tree = Document::parse(file, text)?;
        let reader = Reader::new();
        let top = reader.item(&tree, "the manifest").map(&[
            "connector",
            "version",
            "vendor",
            "kind",
            "about",
            "signal",
            "effects",
            "imports",
            "fields",
            "connections",
            "webhooks",
            "vetting",
        ]);
        let connector = top.required("connector").text();
        let version = top.required("version").text();
        let vendor = top.required("vendor").text();
        let kind = top.required("kind").one_of(&Kind::NAMES).map(|word| Kind::named(&word.value));
        let about = top.required("about").text();
        let imports = top.optional("imports");
        let import_reasons = read_reasons(&imports);
        let field_reasons = read_reasons(&top.optional("fields"));
        let names: Vec<_> = import_reasons.iter().map(|(name, _)| name.clone()).collect();
        let fields: BTreeSet<String> = field_reasons.iter().map(|(path, _)| path.value.clone()).collect();
        let connections = read_connections(&top, &fields, &reader);
        let asks = Powers { imports: read_imports(&names, &reader), fields, connections };
        let effects = kind.map(|kind| match kind {
            Kind::Service => read_own_effects(&top.required("effects"), &reader),
            kind => read_effects(kind, &top.required("effects")),
        });
        let signal = read_signal(kind, &top, &reader);
        let webhooks = read_webhooks(&top.optional("webhooks"), &asks.connections, &reader);
        let vetting = read_vetting(&top.required("vetting"));
        let imports_at = imports.span().unwrap_or_else(|| Span::start_of(file));
        let manifest = || {
            Some(Manifest {
                connector: connector?.value,
                version: version?.value,
                vendor: vendor?.value,
                kind: kind?,
                about: about?.value,
                asks,
                reasons: import_reasons.into_iter().chain(field_reasons).map(|(name, why)| (name.value, why)).collect(),
                signal: signal?,
                effects: effects?,
                webhooks,
                vetting: vetting?,
                file: file.to_owned(),
                imports_at,
            })
        };
        let manifest = manifest();
        reader.finish(manifest)
    }

    /// The class of a function; `never-retry` for one that the manifest does not name.
    #[must_use]
    pub fn effect(&self, function: &str) -> EffectClass {
        self.effects.get(function).copied().unwrap_or(EffectClass::NeverRetry)
    }
}

/// A verifier says what its finding is called, so that a risk rule can ask about it; nobody else finds anything.
fn read_signal(kind: Option<Kind>, top: &Fields<'_, '_>, reader: &Reader) -> Option<String> {
    if kind == Some(Kind::Verifier) {
        return top.required("signal").text().map(|signal| signal.value);
    }
    if let Some(span) = top.optional("signal").span() {
        let mistake = Diagnostic::new(UNFIT, "only a verifier gives a signal").at(&span);
        reader.report(mistake.help("take `signal:` out, or write `kind: verifier`"));
    }
    Some(String::new())
}

fn read_effects(kind: Kind, effects: &Item<'_, '_>) -> BTreeMap<String, EffectClass> {
    let map = effects.map(kind.functions());
    let class = |name: &str| Some(EffectClass::named(&map.required(name).one_of(&EffectClass::NAMES)?.value));
    kind.functions().iter().filter_map(|name| Some(((*name).to_owned(), class(name)?))).collect()
}

/// The functions that a service declares. Nobody can ask what became of one, so none is reconciled; and none goes by
/// the name of a function that means something else in a record.
fn read_own_effects(effects: &Item<'_, '_>, reader: &Reader) -> BTreeMap<String, EffectClass> {
    let functions = effects.entries();
    let wrong = |message: String, at: Option<&Span>, help: &str| {
        let mistake = Diagnostic::new(UNFIT, message).help(help);
        reader.report(at.map_or_else(|| mistake.clone(), |at| mistake.clone().at(at)));
    };
    if functions.is_empty() && effects.is_given() {
        wrong("a service has at least one function".into(), effects.span().as_ref(), "write `quote: pure`");
    }
    if functions.len() > MAX_FUNCTIONS {
        let message = format!("{} functions; a service has at most {MAX_FUNCTIONS}", functions.len());
        wrong(message, effects.span().as_ref(), "divide the connector");
        return BTreeMap::new();
    }
    let mut classes = BTreeMap::new();
    for (name, class) in functions {
        if TAKEN.contains(&name.value.as_str()) || !is_function(&name.value) {
            let message = format!("a service has no function named `{}`", name.value);
            wrong(message, Some(&name.span), "take another name of lower-case letters, digits and `-`");
        }
        let class =
            class.one_of(&[EffectClass::Pure, EffectClass::Idempotent, EffectClass::NeverRetry].map(EffectClass::name));
        classes.extend(class.map(|class| (name.value, EffectClass::named(&class.value))));
    }
    classes
}

/// A name that a workflow can write.
fn is_function(name: &str) -> bool {
    name.len() <= MAX_FUNCTION
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn read_webhooks(item: &Item<'_, '_>, connections: &Routes, reader: &Reader) -> Option<Webhooks> {
    if !item.is_given() {
        return None;
    }
    let map = item.map(&["connection", "scheme", "signature", "timestamp", "messages"]);
    let connection = map.required("connection").text();
    let scheme = map.required("scheme").one_of(&["timestamped-hmac"]);
    let header = |item: Item<'_, '_>| {
        item.parsed("a header's name in lower case", |text| is_header(text).then(|| text.to_owned()))
    };
    let signature = header(map.required("signature"));
    let timestamp = header(map.optional("timestamp"));
    let (connection, _) = connection.zip(scheme)?;
    if !connections.contains_key(&connection.value) {
        let message = format!("`{}` is no connection of this manifest", connection.value);
        reader.report(Diagnostic::new(UNFIT, message).at(&connection.span));
    }
    let scheme = Scheme { signature: signature?.value, timestamp: timestamp.map(|name| name.value) };
    Some(Webhooks { connection: connection.value, scheme, messages: read_messages(&map.optional("messages")) })
}

fn read_messages(item: &Item<'_, '_>) -> Option<Messages> {
    if !item.is_given() {
        return None;
    }
    let map = item.map(&["channel", "sender", "words"]);
    let channel = map.required("channel").one_of(&["sms", "email"]);
    let slot = |item: Item<'_, '_>| {
        item.parsed("a JSON pointer such as `/data/from`", |text| is_pointer(text).then(|| text.to_owned()))
    };
    let (sender, words) = (slot(map.required("sender")), slot(map.required("words")));
    Some(Messages { channel: channel?.value, sender: sender?.value, words: words?.value })
}

/// A JSON pointer (RFC 6901) into an object.
fn is_pointer(text: &str) -> bool {
    text.len() > 1 && text.starts_with('/') && !text.ends_with('/')
}

fn read_vetting(item: &Item<'_, '_>) -> Option<Vetting> {
    let map = item.map(&["production-access", "support-sessions", "logs", "patches"]);
    let answers =
        ["production-access", "support-sessions", "logs", "patches"].map(|question| map.required(question).text());
    let [production_access, support_sessions, logs, patches] = answers;
    Some(Vetting {
        production_access: production_access?.value,
        support_sessions: support_sessions?.value,
        logs: logs?.value,
        patches: patches?.value,
    })
}

fn is_header(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
