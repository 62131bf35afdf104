//! What an admin gives a connector: `workflows/grants/<connector>.yaml`. Nothing else is linked, opened or sent.

use std::collections::BTreeSet;

use selvedge_workflow::source::{Diagnostic, Document, Fields, Item, Reader, Span, Spanned, did_you_mean};

use crate::route::{self, Route, Routes, UNFIT};

/// The imports that a grant can give. The rest of the contract gives no power and is always there.
pub const IMPORTS: [&str; 2] = ["egress", "reveal"];

/// What a connector may do: asked for in a manifest, given in a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Powers {
    /// `egress`, `reveal`.
    pub imports: BTreeSet<String>,
    /// Paths of fields that it may get handles of.
    pub fields: BTreeSet<String>,
    /// Where it may send them.
    pub connections: Routes,
}

/// A grants file.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The connector that it is for.
    pub connector: String,
    /// Who granted.
    pub by: String,
    /// What for.
    pub reason: String,
    /// What is given.
    pub gives: Powers,
    /// The purposes of steps that may use it.
    pub purposes: BTreeSet<String>,
    /// The file, as people know it.
    pub file: String,
    /// Where `imports:` stands, for the message that says what is missing there.
    pub imports_at: Span,
}

impl Grant {
    /// Reads a grants file; `file` only names it in messages.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let tree = Document::parse(file, text)?;
        let reader = Reader::new();
        let top = reader.item(&tree, "the grant").map(&[
            "connector",
            "by",
            "reason",
            "imports",
            "fields",
            "purposes",
            "connections",
        ]);
        let connector = top.required("connector").text();
        let by = top.required("by").text();
        let reason = top.required("reason").text();
        let imports = top.optional("imports");
        let purposes = top.required("purposes").texts();
        let gives = Powers {
            imports: read_imports(&imports.texts(), &reader),
            fields: values(top.optional("fields").texts()),
            connections: Routes::new(),
        };
        let connections = read_connections(&top, &gives.fields, &reader);
        let imports_at = imports.span().unwrap_or_else(|| Span::start_of(file));
        let grant = connector.zip(by).zip(reason).map(|((connector, by), reason)| Grant {
            connector: connector.value,
            by: by.value,
            reason: reason.value,
            gives: Powers { connections, ..gives },
            purposes: values(purposes),
            file: file.to_owned(),
            imports_at,
        });
        reader.finish(grant)
    }

    /// `fields: [message.text, patient.mobile]` with one more, as it would stand in the file.
    pub(crate) fn line_with_field(&self, field: &str) -> String {
        self.line(&format!("fields: [{}]", joined(&self.gives.fields, field)))
    }

    /// `purposes: [billing, identity]` with one more.
    pub(crate) fn line_with_purpose(&self, purpose: &str) -> String {
        self.line(&format!("purposes: [{}]", joined(&self.purposes, purpose)))
    }

    /// The route as a line below its connection.
    pub(crate) fn line_with_route(&self, connection: &str, route: &Route) -> String {
        self.line(&format!("connections: {connection}: {}", route.line()))
    }

    fn line(&self, line: &str) -> String {
        format!("{}: {line}", self.file)
    }
}

/// Reads `connections:`.
pub(crate) fn read_connections(top: &Fields<'_, '_>, fields: &BTreeSet<String>, reader: &Reader) -> Routes {
    route::read(&top.optional("connections"), fields, &|mistake| reader.report(mistake))
}

/// The names of imports that exist; others are reported.
pub(crate) fn read_imports(names: &[Spanned<String>], reader: &Reader) -> BTreeSet<String> {
    for name in names.iter().filter(|name| !IMPORTS.contains(&name.value.as_str())) {
        let message = format!("`{}` is no import that can be granted", name.value);
        reader.report(Diagnostic::new(UNFIT, message).at(&name.span).maybe_help(did_you_mean(&name.value, IMPORTS)));
    }
    values(names.to_vec())
}

/// A map of names and reasons: `egress: "Sends the message"`.
pub(crate) fn read_reasons(item: &Item<'_, '_>) -> Vec<(Spanned<String>, String)> {
    let each = item.entries().into_iter();
    each.filter_map(|(name, why)| Some((name, why.text()?.value))).collect()
}

pub(crate) fn values(texts: Vec<Spanned<String>>) -> BTreeSet<String> {
    texts.into_iter().map(|text| text.value).collect()
}

fn joined(have: &BTreeSet<String>, one_more: &str) -> String {
    let mut all: BTreeSet<&str> = have.iter().map(String::as_str).collect();
    all.insert(one_more);
    all.into_iter().collect::<Vec<_>>().join(", ")
}
