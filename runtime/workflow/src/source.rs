//! Where a text came from, what is wrong with it, and the YAML tree that remembers its places.
//!
//! Every YAML file of the house (workflows, rules, policies, grants, manifests) is read the same way:
//! [`Document::parse`] gives a tree in which each node knows its line and column, and a [`Reader`] takes
//! typed values out of the tree and collects *every* mistake on the way.
//!
//! ```
//! use selvedge_workflow::source::{Document, Reader};
//!
//! let tree = Document::parse("grants/texts.yaml", "connector: texts\nexpires: 90d\n")?;
//! let reader = Reader::new();
//! let grant = reader.item(&tree, "the grant").map(&["connector", "expires", "fields"]);
//! let connector = grant.required("connector").text();
//! let expires = grant.optional("expires").duration();
//! let fields = grant.optional("fields").texts();
//! assert!(fields.is_empty() && expires.is_some());
//! let connector = reader.finish(connector)?;
//! assert_eq!(connector.value, "texts");
//! # Ok::<(), Vec<selvedge_workflow::source::Diagnostic>>(())
//! ```

mod reader;
mod words;
mod yaml;

use std::fmt;

use serde::Serialize;

pub use reader::{DAY, Fields, HOUR, Item, MAX_DURATION, MINUTE, Reader, SECOND, duration_in_words, parse_duration};
pub use words::{did_you_mean, nearest};
pub use yaml::{Document, MAX_BYTES, MAX_DEPTH, MAX_DIAGNOSTICS, MAX_NODES};

/// The codes of this room, in one place. Each has a page in `runtime/docs/errors/`.
pub mod code {
    /// The text is not YAML.
    pub const SYNTAX: &str = "W101";
    /// A key that nothing here knows.
    pub const UNKNOWN_KEY: &str = "W102";
    /// A key that must be there and is not.
    pub const MISSING_KEY: &str = "W103";
    /// A value of the wrong kind or form.
    pub const WRONG_TYPE: &str = "W104";
    /// YAML that we do not take: too large, too deep, anchors, tags, fractions.
    pub const BEYOND_LIMITS: &str = "W105";
    /// The same key, id or name twice.
    pub const DUPLICATE: &str = "W106";
    /// A file that should be there and is not.
    pub const MISSING_FILE: &str = "W107";
    /// A step of a kind that the language does not have.
    pub const UNKNOWN_KIND: &str = "W110";
    /// A reference to a step or connector that does not exist.
    pub const UNKNOWN_NAME: &str = "W111";
    /// A field that the data dictionary does not have.
    pub const UNKNOWN_FIELD: &str = "W112";
    /// A name that exists, but is the wrong kind of thing for this place.
    pub const WRONG_KIND: &str = "W113";
    /// A subworkflow that holds itself, or too many others.
    pub const NESTED: &str = "W114";
    /// A template that does not parse or does more than name fields.
    pub const BAD_TEMPLATE: &str = "W120";
    /// A variable that this template may not use here.
    pub const MISPLACED_VARIABLE: &str = "W121";
    /// A condition that is not one, or compares what cannot be compared.
    pub const BAD_CONDITION: &str = "W123";
    /// A template could not be filled in.
    pub const NOT_RENDERED: &str = "W122";
    /// A path reaches a sensitive step without a verification of the needed level.
    pub const UNVERIFIED: &str = "W130";
    /// A path reaches a sensitive step with an assertion that may have expired.
    pub const STALE: &str = "W131";
    /// A class of data would travel where it may not.
    pub const CLASS_FLOW: &str = "W132";
    /// Card data outside the way from capture to gateway.
    pub const CARD_DATA: &str = "W133";
    /// A connector is not granted what the step needs.
    pub const MISSING_GRANT: &str = "W134";
    /// A step settles for less assurance than the policy asks for.
    pub const WEAK_LEVEL: &str = "W135";
    /// An effect that does not say how "did it happen?" is answered.
    pub const NO_EFFECT_CLASS: &str = "W136";

    /// A step speaks on a conversation that is not there any more, or not yet.
    pub const CONVERSATION_OVER: &str = "W137";
    /// A path goes on before, or without, the words that the law wants said.
    pub const NOT_SAID: &str = "W138";
    /// A text lacks the words that the law wants in it.
    pub const LACKS_WORDS: &str = "W139";
    /// A message that may take more parts than its step lets it, or of which nobody can say how many.
    pub const TOO_MANY_PARTS: &str = "W142";
    /// A run may take more than the budget allows.
    pub const OVER_BUDGET: &str = "W145";
    /// A warning: a name that is defined and not used.
    pub const UNUSED: &str = "W140";
    /// A warning: a text that costs more than it looks.
    pub const COSTLY_TEXT: &str = "W141";
    /// A warning: one path on which the same amount is paid by two steps.
    pub const PAID_TWICE: &str = "W143";

    /// All of them, for the test that each has its page.
    pub const ALL: &[&str] = &[
        SYNTAX,
        UNKNOWN_KEY,
        MISSING_KEY,
        WRONG_TYPE,
        BEYOND_LIMITS,
        DUPLICATE,
        MISSING_FILE,
        UNKNOWN_KIND,
        UNKNOWN_NAME,
        UNKNOWN_FIELD,
        WRONG_KIND,
        NESTED,
        BAD_TEMPLATE,
        MISPLACED_VARIABLE,
        NOT_RENDERED,
        BAD_CONDITION,
        UNVERIFIED,
        STALE,
        CLASS_FLOW,
        CARD_DATA,
        MISSING_GRANT,
        WEAK_LEVEL,
        NO_EFFECT_CLASS,
        CONVERSATION_OVER,
        NOT_SAID,
        LACKS_WORDS,
        TOO_MANY_PARTS,
        OVER_BUDGET,
        UNUSED,
        COSTLY_TEXT,
        PAID_TWICE,
    ];
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span {
    /// The file as people know it: `workflows/healthcare-balance/workflow.yaml`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The length in characters; 0 where the place is a point.
    pub len: usize,
}

impl Span {
    /// The first character of a file: for what concerns the file as a whole.
    #[must_use]
    pub fn start_of(file: &str) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1, len: 0 }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Another value at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

/// One mistake, for a person and for an editor alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// `W103`; its page is `runtime/docs/errors/W103.md`.
    pub code: String,
    /// What is wrong, in lower case, with the author's words in backticks.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What would mend it.
    pub help: Option<String>,
    /// The names of the steps on an offending path, from `start`; empty where no path is meant.
    pub path: Vec<String>,
    /// The rule that says so.
    pub cite: Option<String>,
}

impl Diagnostic {
    /// A mistake without a place yet.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), span: None, help: None, path: Vec::new(), cite: None }
    }

    /// At this place.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.span = Some(span.clone());
        self
    }

    /// With this way to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With this way to mend it, where one is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Along this path.
    #[must_use]
    pub fn along(mut self, path: Vec<String>) -> Self {
        self.path = path;
        self
    }

    /// By this rule.
    #[must_use]
    pub fn cite(mut self, cite: impl Into<String>) -> Self {
        self.cite = Some(cite.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(span) = &self.span {
            write!(f, " {span}")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.path.is_empty() {
            write!(f, "\n  path: {}", self.path.join(" → "))?;
        }
        if let Some(cite) = &self.cite {
            write!(f, "\n  rule: {cite}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// A node of a YAML tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it begins.
    pub span: Span,
    /// What it is.
    pub node: Node,
}

/// What a YAML node can be. There are no fractions and no dates: those are texts with a meaning of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Keys and values, in the order written; no key twice.
    Map(Vec<(Spanned<String>, Value)>),
    /// Items.
    List(Vec<Value>),
    /// A text, quoted or plain.
    Text(String),
    /// A whole number, written plainly.
    Int(i64),
    /// `true` or `false`.
    Bool(bool),
    /// Nothing, `~` or `null`.
    Null,
}

impl Node {
    /// What this is, for a sentence: "found `…`".
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Node::Map(_) => "keys and values".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Text(text) => format!("the text `{}`", words::shorten(text)),
            Node::Int(number) => format!("the number {number}"),
            Node::Bool(flag) => format!("{flag}"),
            Node::Null => "nothing".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_page() {
        for code in code::ALL {
            let page = format!("{}/../docs/errors/{code}.md", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            let parts = [format!("# {code}: "), "## What happened".into(), "## Why".into(), "## How to mend it".into()];
            for part in parts {
                assert!(text.contains(&part), "{page} needs `{part}`");
            }
        }
    }

    #[test]
    fn a_diagnostic_is_data_and_a_line() {
        let span = Span { file: "a.yaml".into(), line: 12, column: 7, len: 3 };
        let diagnostic = Diagnostic::new(code::MISSING_KEY, "m")
            .at(&span)
            .help("h")
            .cite("c")
            .along(vec!["start".into(), "owed".into()]);
        assert_eq!(diagnostic.to_string(), "W103 a.yaml:12:7: m\n  path: start → owed\n  rule: c\n  help: h");
        assert_eq!(
            serde_json::to_string(&diagnostic).unwrap(),
            r#"{"code":"W103","message":"m","span":{"file":"a.yaml","line":12,"column":7,"len":3},"help":"h","path":["start","owed"],"cite":"c"}"#
        );
    }
}
