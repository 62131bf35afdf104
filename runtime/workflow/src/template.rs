//! The words that customers read. A template is text with `{{ field }}` in it and nothing else: no condition, no
//! loop, no filter. So the list of its variables is exact, no field can hide behind an expression, and filling it in
//! always ends.

mod card;
mod sms;

use std::collections::BTreeMap;

use miette::Diagnostic as _;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use thiserror::Error;

pub use card::contains_card_number;
pub use sms::{Encoding, Segments, segments};

use crate::source::{Diagnostic, Span, Spanned, code};

/// Largest template, in bytes.
pub const MAX_TEMPLATE: usize = 8 * 1024;
/// Largest text that a template may become, in bytes.
pub const MAX_RENDERED: usize = 16 * 1024;
/// Most parts that one SMS may be sent in.
pub const MAX_SEGMENTS: usize = 10;

/// A text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// `payment-link`, of the file `payment-link.sms.txt`.
    pub name: String,
    /// What it is written for: `sms` or `page`.
    pub medium: String,
    /// The language in its file's name: `es`, of `payment-link.sms.es.txt`; empty: the first of its workflow's.
    pub language: String,
    /// The file, as people know it.
    pub file: String,
    /// The text with its variables in it, without the line break at the end.
    pub text: String,
    /// The fields that it names, each once, in the order of first use.
    pub variables: Vec<String>,
}

/// A template could not be filled in. Never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, Error, miette::Diagnostic)]
pub enum RenderError {
    /// A variable has no value.
    #[error("the template `{template}` needs a value for `{variable}` and there is none")]
    #[diagnostic(code(W122), help("enter the field for this customer, or take it out of the template"))]
    Missing {
        /// The template's name.
        template: String,
        /// The field.
        variable: String,
    },
    /// The text became too long.
    #[error("the template `{template}` became longer than {limit}")]
    #[diagnostic(code(W122), help("shorten the template; a long value may have been put in"))]
    TooLong {
        /// The template's name.
        template: String,
        /// `16384 bytes` or `10 SMS parts`.
        limit: String,
    },
    /// The template itself is broken: it did not pass [`Template::parse`].
    #[error("the template `{template}` cannot be filled in")]
    #[diagnostic(code(W122), help("check the workflow again"))]
    Broken {
        /// The template's name.
        template: String,
    },
}

impl RenderError {
    /// The same as a [`Diagnostic`], for those who show no others.
    #[must_use]
    pub fn to_diagnostic(&self) -> Diagnostic {
        Diagnostic::new(code::NOT_RENDERED, self.to_string()).maybe_help(self.help().map(|help| help.to_string()))
    }
}

impl Template {
    /// Reads a template. Whether its variables exist and may be here is the checker's question.
    ///
    /// # Errors
    /// Every place (W120) where it is anything but text and `{{ field }}`; a text that is empty or too long.
    pub fn parse(file: &str, name: &str, medium: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let text = text.trim_end_matches(['\n', '\r']);
        if text.len() > MAX_TEMPLATE || text.trim().is_empty() {
            let message = format!("a template has between 1 and {MAX_TEMPLATE} bytes; this one has {}", text.len());
            return Err(vec![Diagnostic::new(code::BAD_TEMPLATE, message).at(&Span::start_of(file))]);
        }
        let found = occurrences(file, text)?;
        let mut variables: Vec<String> = Vec::new();
        for variable in found {
            if !variables.contains(&variable.value) {
                variables.push(variable.value);
            }
        }
        let (name, medium, file) = (name.to_owned(), medium.to_owned(), file.to_owned());
        let template = Self { name, medium, language: String::new(), file, text: text.to_owned(), variables };
        template.confirm()?;
        Ok(template)
    }

    /// What it is called among the texts of a workflow: `receipt`, in another language than its first `receipt.es`.
    #[must_use]
    pub fn called(&self) -> String {
        in_language(&self.name, &self.language)
    }

    /// The text with something in the place of each variable, however long it becomes.
    #[must_use]
    pub fn filled(&self, value: impl Fn(&str) -> String) -> String {
        let (mut text, mut rest) = (String::new(), self.text.as_str());
        // INVARIANT: what parsed closes each `{{`.
        while let Some((before, (variable, after))) =
            rest.split_once("{{").and_then(|(before, behind)| Some((before, behind.split_once("}}")?)))
        {
            text.push_str(before);
            text.push_str(&value(variable.trim()));
            rest = after;
        }
        text + rest
    }

    /// Asks the template engine for its own view: it must see the same variables as we do.
    fn confirm(&self) -> Result<(), Vec<Diagnostic>> {
        let broken = |message: String, line: usize| {
            let span = Span { line, ..Span::start_of(&self.file) };
            vec![Diagnostic::new(code::BAD_TEMPLATE, message).at(&span)]
        };
        let environment = environment();
        let parsed = environment
            .template_from_str(&self.text)
            .map_err(|error| broken(format!("not a template: {}", error.kind()), error.line().unwrap_or(1)))?;
        let mut seen: Vec<String> = parsed.undeclared_variables(true).into_iter().collect();
        let mut ours = self.variables.clone();
        seen.sort();
        ours.sort();
        if seen == ours { Ok(()) } else { Err(broken("its variables cannot be told for certain".to_owned(), 1)) }
    }

    /// The place where a variable is first used.
    #[must_use]
    pub fn place_of(&self, variable: &str) -> Span {
        let found = occurrences(&self.file, &self.text).unwrap_or_default();
        found.into_iter().find(|v| v.value == variable).map_or_else(|| Span::start_of(&self.file), |v| v.span)
    }

    /// The text with these values in it. Values of other fields may be given and are not looked at. A page's text is
    /// not escaped here: it is text, and whoever puts it into HTML escapes it.
    ///
    /// # Errors
    /// A variable without a value; a text beyond [`MAX_RENDERED`], or an SMS beyond [`MAX_SEGMENTS`].
    pub fn render(&self, values: &BTreeMap<String, String>) -> Result<String, RenderError> {
        let template = || self.name.clone();
        let mut context = serde_json::Map::new();
        let mut room = MAX_RENDERED;
        for variable in &self.variables {
            let missing = || RenderError::Missing { template: template(), variable: variable.clone() };
            let value = values.get(variable).ok_or_else(missing)?;
            let too_long = || RenderError::TooLong { template: template(), limit: format!("{MAX_RENDERED} bytes") };
            room = room.checked_sub(value.len()).ok_or_else(too_long)?;
            put(&mut context, variable, value).ok_or_else(|| RenderError::Broken { template: template() })?;
        }
        let text = environment()
            .render_str(&self.text, minijinja::value::Serde(&context))
            .map_err(|_| RenderError::Broken { template: template() })?;
        if text.len() > MAX_RENDERED {
            return Err(RenderError::TooLong { template: template(), limit: format!("{MAX_RENDERED} bytes") });
        }
        if self.medium == "sms" && segments(&text).count > MAX_SEGMENTS {
            return Err(RenderError::TooLong { template: template(), limit: format!("{MAX_SEGMENTS} SMS parts") });
        }
        Ok(text)
    }
}

/// What a text is called in a language; empty: the first of its workflow's.
#[must_use]
pub fn in_language(name: &str, language: &str) -> String {
    if language.is_empty() { name.to_owned() } else { format!("{name}.{language}") }
}

/// How a text is found among the files of a workflow: `receipt.sms`, `receipt.sms.es`.
pub(crate) fn key(name: &str, medium: &str, language: &str) -> String {
    in_language(&format!("{name}.{medium}"), language)
}

/// A language as files, workflows and customers name it: two letters, as in ISO 639-1.
#[must_use]
pub fn is_language(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase())
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment
}

/// Puts a value at a dotted path; `None` where a part of the path already is a value.
fn put(context: &mut serde_json::Map<String, serde_json::Value>, path: &str, value: &str) -> Option<()> {
    let mut groups: Vec<&str> = path.split('.').collect();
    let leaf = groups.pop()?;
    let mut here = context;
    for group in groups {
        here = here.entry(group).or_insert_with(|| serde_json::Map::new().into()).as_object_mut()?;
    }
    here.insert(leaf.to_owned(), value.into()).is_none().then_some(())
}

/// Every `{{ field }}` with its place.
fn occurrences(file: &str, text: &str) -> Result<Vec<Spanned<String>>, Vec<Diagnostic>> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    let mut rest = 0;
    while let Some(start) = text[rest..].find('{').map(|at| rest + at) {
        let body = start + 2;
        let opener = text.get(start..body).unwrap_or_default();
        let complain = |message: &str| {
            let help = "only `{{ group.field }}` is allowed in a template";
            Diagnostic::new(code::BAD_TEMPLATE, message).at(&place(file, text, start, opener.len())).help(help)
        };
        rest = start + 1;
        match opener {
            "{%" => wrong.push(complain("conditions and loops are not allowed in a template")),
            "{#" => wrong.push(complain("comments are not allowed in a template")),
            "{{" => {
                let Some(end) = text[body..].find("}}").map(|at| body + at) else {
                    wrong.push(complain("`{{` is never closed with `}}`"));
                    break;
                };
                let name = text[body..end].trim();
                rest = end + 2;
                if is_variable(name) {
                    found.push(Spanned::new(name.to_owned(), place(file, text, start, rest - start)));
                } else {
                    wrong.push(complain("this is not the name of one field"));
                }
            }
            _ => {}
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// `group.field`, or with more groups: lower-case letters, digits and hyphens.
fn is_variable(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.contains('.') && name.split('.').all(part)
}

/// The place of a byte position in a text.
fn place(file: &str, text: &str, byte: usize, len: usize) -> Span {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Span {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        len,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Template, String> {
        let all = |found: Vec<Diagnostic>| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Template::parse("t/note.sms.txt", "note", "sms", text).map_err(all)
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_template_says_what_it_names_and_is_filled_in() {
        let template = parse("{{ sender.name }}: {{ challenge.code }} is your code, {{ sender.name }}.\n").unwrap();
        assert_eq!(template.variables, ["sender.name", "challenge.code"]);
        let text = template.render(&values(&[("sender.name", "Clinic"), ("challenge.code", "123 456"), ("x.y", "z")]));
        assert_eq!(text.unwrap(), "Clinic: 123 456 is your code, Clinic.");
        assert_eq!(template.place_of("challenge.code").column, 20);
    }

    #[test]
    fn what_it_becomes_can_be_measured_before_there_are_values() {
        let template = parse("{{ sender.name }}: { {{ challenge.code }} } is {{ sender.name }}").unwrap();
        assert_eq!(
            template.filled(|variable| format!("<{variable}>")),
            "<sender.name>: { <challenge.code> } is <sender.name>"
        );
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        let template = parse("Dear {{ patient.name }}").unwrap();
        let sly = values(&[("patient.name", "{{ card.number }}<b>")]);
        assert_eq!(template.render(&sly).unwrap(), "Dear {{ card.number }}<b>");
    }

    #[test]
    fn a_missing_value_is_an_error_and_no_blank() {
        let template = parse("Dear {{ patient.name }}").unwrap();
        let error = template.render(&values(&[("patient.nam", "x")])).unwrap_err();
        insta::assert_snapshot!(error.to_diagnostic(), @r"
        W122: the template `note` needs a value for `patient.name` and there is none
          help: enter the field for this customer, or take it out of the template
        ");
    }

    #[test]
    fn a_text_that_grows_too_long_is_refused() {
        let template = parse("Dear {{ patient.name }}").unwrap();
        let huge = "x".repeat(MAX_RENDERED + 1);
        assert!(matches!(template.render(&values(&[("patient.name", &huge)])), Err(RenderError::TooLong { .. })));
        let long = "x".repeat(153 * MAX_SEGMENTS);
        let error = template.render(&values(&[("patient.name", &long)])).unwrap_err();
        assert!(error.to_string().contains("10 SMS parts"), "{error}");
        assert!(!error.to_string().contains("xxx"));
    }

    #[test]
    fn nothing_but_fields_is_allowed() {
        insta::assert_snapshot!(parse("{% if a %}x{% endif %}\n{# note #}\n{{ a.b|upper }} {{ f() }} {{ name }}").unwrap_err(), @r"
        W120 t/note.sms.txt:1:1: conditions and loops are not allowed in a template
          help: only `{{ group.field }}` is allowed in a template
        W120 t/note.sms.txt:1:12: conditions and loops are not allowed in a template
          help: only `{{ group.field }}` is allowed in a template
        W120 t/note.sms.txt:2:1: comments are not allowed in a template
          help: only `{{ group.field }}` is allowed in a template
        W120 t/note.sms.txt:3:1: this is not the name of one field
          help: only `{{ group.field }}` is allowed in a template
        W120 t/note.sms.txt:3:17: this is not the name of one field
          help: only `{{ group.field }}` is allowed in a template
        W120 t/note.sms.txt:3:27: this is not the name of one field
          help: only `{{ group.field }}` is allowed in a template
        ");
        insta::assert_snapshot!(parse("Hello\n  {{ a.b").unwrap_err(), @r"
        W120 t/note.sms.txt:2:3: `{{` is never closed with `}}`
          help: only `{{ group.field }}` is allowed in a template
        ");
        assert!(parse("").is_err() && parse(&"x".repeat(MAX_TEMPLATE + 1)).is_err());
        // A hyphen would be a subtraction to the template engine.
        assert!(parse("{{ card.expiry-month }}").is_err());
    }

    #[test]
    fn a_lone_brace_is_text() {
        let template = parse("{ \"a\": 1 } {{ a.b }} {").unwrap();
        assert_eq!(template.render(&values(&[("a.b", "x")])).unwrap(), "{ \"a\": 1 } x {");
    }

    proptest! {
        #[test]
        fn what_parses_names_every_variable_that_it_needs(text in "[{}%# a-c.|é\n]{0,40}") {
            if let Ok(template) = parse(&text) {
                let values = template.variables.iter().map(|v| (v.clone(), "v".to_owned())).collect();
                let missing = matches!(template.render(&values), Err(RenderError::Missing { .. }));
                prop_assert!(!missing, "a value is missing");
            }
        }
    }
}
