//! One customer out of a line. As JSON:
//!
//! ```json
//! {"customer": "c_ada", "fields": {"patient.mobile": "+13125550142", "account.balance": "$375.50"},
//!  "zones": ["America/Chicago"], "jurisdictions": ["US", "US-IL"],
//!  "consents": [{"purpose": "billing", "channel": "sms", "at": "2026-08-25T16:04:00Z",
//!                "words": "You may text me about my bill.", "act": "signature"}],
//!  "notes": [{"what": "reassignment-check", "at": "2026-10-01T16:00:00Z"}]}
//! ```
//!
//! A row of a CSV is brought into the same form first. What is wrong is told by its place and the field's name, never
//! with the value: it is a customer's.

use std::io::{self, BufRead};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use selvedge_engine::money::Money;
use selvedge_engine::ports::Micros;
use selvedge_policy::{Consent, CustomerState, Given, Note, ZoneEvidence};
use selvedge_vault::is_phone_number;
use selvedge_workflow::dictionary::{Dictionary, FieldInfo, FieldType, Source};
use selvedge_workflow::source::{Diagnostic, Document, Item, Node, Reader, Span, Spanned, Value, code};
use selvedge_workflow::template::is_language;

use crate::csv::{self, Line, Rows};

/// The longest text of a field, in bytes.
const MAX_TEXT_BYTES: usize = 2000;
/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 64;
/// Most consents and such of one customer.
const MAX_ITEMS: usize = 100;
/// The columns that are no fields.
const COLUMNS: [&str; 7] = ["customer", "zones", "jurisdictions", "flags", "language", "consent.words", "consent.act"];

/// One customer.
pub struct Customer {
    /// Its id, and where it stands.
    pub id: String,
    /// Where.
    pub span: Span,
    /// What contact rules ask.
    pub state: CustomerState,
    /// Fields and their values, as the store keeps them.
    pub fields: Vec<(String, SecretString)>,
}

/// The lines of a file.
pub enum Lines<R> {
    /// Rows below a row of names.
    Csv(Rows<R>, Vec<Spanned<String>>),
    /// A row of names below which nothing can be read; what is wrong with it, until it is told.
    Unnamed(Vec<Diagnostic>),
    /// One document a line.
    Json { input: R, file: String, line: usize },
}

impl<R: BufRead> Lines<R> {
    /// Reads the row of names; what is wrong with it comes in the place of the rows.
    pub fn csv(file: &str, input: R, dictionary: &Dictionary) -> io::Result<Lines<R>> {
        let mut rows = Rows::new(file, input);
        let (names, mut found) = match rows.next()? {
            Some(Ok(names)) => (names, Vec::new()),
            Some(Err(wrong)) => (Vec::new(), vec![*wrong]),
            None => (Vec::new(), Vec::new()),
        };
        for (at, name) in names.iter().enumerate() {
            let consent = name.value.strip_prefix("consent.").is_some_and(|of| of.split('.').count() == 2);
            let note = name.value.strip_prefix("note.").is_some_and(|what| !what.is_empty());
            if names[..at].iter().any(|before| before.value == name.value) {
                let message = format!("the column `{}` stands here twice", name.value);
                found.push(Diagnostic::new(code::DUPLICATE, message).at(&name.span));
            } else if !consent && !note && !COLUMNS.contains(&name.value.as_str()) {
                found.extend(info(dictionary, name).err().map(|found| *found));
            }
        }
        Ok(if found.is_empty() { Lines::Csv(rows, names) } else { Lines::Unnamed(found) })
    }

    /// One document a line.
    pub fn json(file: &str, input: R) -> Lines<R> {
        Lines::Json { input, file: file.to_owned(), line: 0 }
    }

    /// The next customer, or what is wrong with the line.
    pub fn next(&mut self, dictionary: &Dictionary) -> io::Result<Option<Result<Customer, Vec<Diagnostic>>>> {
        let tree = match self {
            Lines::Unnamed(found) => {
                let found = std::mem::take(found);
                return Ok((!found.is_empty()).then_some(Err(found)));
            }
            Lines::Csv(rows, names) => match rows.next()? {
                None => return Ok(None),
                Some(row) => row.map_err(|wrong| vec![*wrong]).and_then(|cells| tree(names, cells)),
            },
            Lines::Json { input, file, line } => loop {
                let mut text = String::new();
                let read = csv::line(input, &mut text)?;
                *line += 1;
                match read {
                    Line::End => return Ok(None),
                    Line::Bad(why) => {
                        let span = Span { line: *line, ..Span::start_of(file) };
                        break Err(vec![Diagnostic::new(code::SYNTAX, why).at(&span)]);
                    }
                    Line::Whole if text.trim().is_empty() => {}
                    Line::Whole => break parse(file, *line, text.trim_end()),
                }
            },
        };
        Ok(Some(tree.and_then(|tree| customer(&tree, dictionary))))
    }
}

/// A document, with the places that it has in its file.
fn parse(file: &str, line: usize, text: &str) -> Result<Value, Vec<Diagnostic>> {
    fn shift(value: &mut Value, by: usize) {
        value.span.line += by;
        match &mut value.node {
            Node::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.span.line += by;
                shift(value, by);
            }),
            Node::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
            _ => {}
        }
    }
    let by = line - 1;
    match Document::parse(file, text) {
        Ok(mut tree) => {
            shift(&mut tree, by);
            Ok(tree)
        }
        Err(found) => Err(found
            .into_iter()
            // What ends too early ends behind its line.
            .map(|wrong| match wrong.span.clone() {
                Some(span) => wrong.at(&Span { line, ..span }).help("each line holds one customer, whole, as JSON"),
                None => wrong,
            })
            .collect()),
    }
}

/// A row as the JSON of the same customer. An empty cell says nothing.
fn tree(names: &[Spanned<String>], cells: Vec<Spanned<String>>) -> Result<Value, Vec<Diagnostic>> {
    let Some(first) = cells.first().map(|cell| cell.span.clone()) else { return Err(Vec::new()) };
    if cells.len() != names.len() {
        let message = format!("the row has {} cells and there are {} names above", cells.len(), names.len());
        return Err(vec![Diagnostic::new(code::SYNTAX, message).at(&first)]);
    }
    let text = |cell: &Spanned<String>| Value { span: cell.span.clone(), node: Node::Text(cell.value.clone()) };
    let key = |name: &str, span: &Span| Spanned::new(name.to_owned(), span.clone());
    let given = |name: &str| names.iter().zip(&cells).find(|(n, c)| n.value == name && !c.value.is_empty());
    let (mut whole, mut fields, mut consents, mut notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, cell) in names.iter().zip(&cells).filter(|(_, cell)| !cell.value.is_empty()) {
        match name.value.as_str() {
            one @ ("customer" | "language") => whole.push((key(one, &cell.span), text(cell))),
            list @ ("zones" | "jurisdictions" | "flags") => {
                let words = cell.value.split_whitespace();
                let items = words.map(|w| Value { span: cell.span.clone(), node: Node::Text(w.into()) }).collect();
                whole.push((key(list, &cell.span), Value { span: cell.span.clone(), node: Node::List(items) }));
            }
            "consent.words" | "consent.act" => {}
            note if note.starts_with("note.") => {
                let what = Value { span: name.span.clone(), node: Node::Text(note["note.".len()..].to_owned()) };
                let of = [("what", what), ("at", text(cell))].map(|(name, value)| (key(name, &cell.span), value));
                notes.push(Value { span: cell.span.clone(), node: Node::Map(of.into()) });
            }
            other => match other.strip_prefix("consent.").and_then(|of| of.split_once('.')) {
                None => fields.push((key(other, &cell.span), text(cell))),
                Some((purpose, channel)) => {
                    let word = |word: &str| Value { span: cell.span.clone(), node: Node::Text(word.to_owned()) };
                    let of = [("purpose", word(purpose)), ("channel", word(channel)), ("at", text(cell))];
                    let said = ["words", "act"]
                        .into_iter()
                        .filter_map(|said| Some((said, text(given(&format!("consent.{said}"))?.1))));
                    let of = of.into_iter().chain(said).map(|(name, value)| (key(name, &cell.span), value)).collect();
                    consents.push(Value { span: cell.span.clone(), node: Node::Map(of) });
                }
            },
        }
    }
    let span = || first.clone();
    whole.push((key("fields", &first), Value { span: span(), node: Node::Map(fields) }));
    whole.push((key("notes", &first), Value { span: span(), node: Node::List(notes) }));
    whole.push((key("consents", &first), Value { span: span(), node: Node::List(consents) }));
    Ok(Value { span: first, node: Node::Map(whole) })
}

fn customer(tree: &Value, dictionary: &Dictionary) -> Result<Customer, Vec<Diagnostic>> {
    let reader = Reader::new();
    let reading = Reading { reader: &reader };
    let keys = reader.item(tree, "a customer");
    let keys = keys.map(&["customer", "fields", "zones", "jurisdictions", "flags", "language", "notes", "consents"]);
    let id = reading.read(&keys.required("customer"), "letters, digits, `-` and `_`, at most 64", id);
    let list = |key: &str| {
        let items = keys.optional(key).items();
        if let Some(beyond) = items.get(MAX_ITEMS) {
            reading.tell(beyond, code::BEYOND_LIMITS, format!("more than {MAX_ITEMS} in `{key}`"));
        }
        items
    };
    let words = |key: &str| {
        let word = |item: &Item<'_, '_>| reading.read(item, "a word without spaces", word);
        list(key).iter().filter_map(word).collect::<Vec<String>>()
    };
    let zone = |text: &str| TimeZone::get(text).ok().map(|_| text.to_owned());
    let zones = list("zones");
    let zones = zones.iter().filter_map(|item| reading.read(item, "a zone such as `America/Chicago`", zone));
    let zones = zones.map(|zone| ZoneEvidence { zone, source: "address".into() });
    let mut state = CustomerState {
        zones: zones.collect(),
        jurisdictions: words("jurisdictions"),
        flags: words("flags"),
        notes: list("notes").iter().filter_map(|item| reading.note(item)).collect(),
        language: reading.read(&keys.optional("language"), "a language such as `es`", language),
        consents: list("consents").iter().filter_map(|item| reading.consent(item)).collect(),
        ..CustomerState::default()
    };
    let mut fields = Vec::new();
    for (path, item) in keys.optional("fields").entries() {
        let info = match info(dictionary, &path) {
            Ok(info) => info,
            Err(found) => {
                reader.report(*found);
                continue;
            }
        };
        let Some(value) = reading.value(&item, info) else { continue };
        if info.ty == FieldType::Phone {
            state.zones.extend(ZoneEvidence::of_phone(&value));
        }
        fields.push((path.value, SecretString::from(value)));
    }
    let span = keys.required("customer").span().unwrap_or_else(|| tree.span.clone());
    let customer = id.map(|id| Customer { id, span, state, fields });
    reader.finish(customer)
}

/// A field that customers have.
fn info<'d>(dictionary: &'d Dictionary, path: &Spanned<String>) -> Result<&'d FieldInfo, Box<Diagnostic>> {
    let info = dictionary.at(&path.value).ok_or_else(|| Box::new(dictionary.unknown(&path.value).at(&path.span)))?;
    let not_theirs = || Diagnostic::new(code::WRONG_KIND, format!("`{}` is no field of the customer", path.value));
    if info.source == Source::Customer { Ok(info) } else { Err(Box::new(not_theirs().at(&path.span))) }
}

/// Tells what is wrong without showing it.
struct Reading<'r> {
    reader: &'r Reader,
}

impl Reading<'_> {
    fn tell(&self, item: &Item<'_, '_>, code: &str, message: String) {
        let told = Diagnostic::new(code, message);
        self.reader.report(item.span().map_or(told.clone(), |span| told.at(&span)));
    }

    /// A text or a number that `parse` takes; `wanted` says what that is.
    fn read<T>(&self, item: &Item<'_, '_>, wanted: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let read = match &item.value()?.node {
            Node::Text(text) => parse(text),
            Node::Int(number) => parse(&number.to_string()),
            _ => None,
        };
        if read.is_none() {
            self.tell(item, code::WRONG_TYPE, format!("{} should be {wanted}", item.name()));
        }
        read
    }

    /// The value of a field as the store keeps it.
    fn value(&self, item: &Item<'_, '_>, info: &FieldInfo) -> Option<String> {
        let same = |holds: bool, text: &str| holds.then(|| text.to_owned());
        let month = |text: &str| same(text.len() == 7 && format!("{text}-01").parse::<Date>().is_ok(), text);
        let date = |text: &str| same(text.len() == 10 && text.parse::<Date>().is_ok(), text);
        match info.ty {
            FieldType::Phone => {
                self.read(item, "a phone number such as `+13125550142`", |text| same(is_phone_number(text), text))
            }
            FieldType::Money => self.read(item, "an amount such as `$375.50` or `EUR 12.00`", |text| {
                let Money { minor, currency } = Money::from_words(text)?;
                Some(serde_json::json!({ "minor": minor, "currency": currency }).to_string())
            }),
            FieldType::Month => self.read(item, "a month such as `2026-10`", month),
            FieldType::Date => self.read(item, "a date such as `2026-10-31`", date),
            FieldType::Count => {
                self.read(item, "a whole number", |text| text.parse::<i64>().ok().map(|n| n.to_string()))
            }
            FieldType::Text => match info.longest {
                None => self.read(item, "a text of at most 2000 bytes in one line", line),
                Some(longest) => {
                    let wanted = format!("a text of at most {longest} characters in one line");
                    self.read(item, &wanted, |text| line(text).filter(|text| text.chars().count() <= longest))
                }
            },
        }
    }

    fn note(&self, item: &Item<'_, '_>) -> Option<Note> {
        let keys = item.named("a note").map(&["what", "at"]);
        let what = self.read(&keys.required("what"), "a word without spaces", word);
        let at = self.read(&keys.required("at"), "a time such as `2026-08-25T16:04:00Z`", time);
        Some(Note { what: what?, at: at? })
    }

    fn consent(&self, item: &Item<'_, '_>) -> Option<Consent> {
        let keys = item.named("a consent");
        let keys = keys.map(&["purpose", "channel", "granted", "at", "words", "act", "given", "sender"]);
        let text = |key: &str| self.read(&keys.required(key), "a text of at most 2000 bytes in one line", line);
        let optional = |key: &str| self.read(&keys.optional(key), "a text of at most 2000 bytes in one line", line);
        let (purpose, channel, words, act) = (text("purpose"), text("channel"), text("words"), text("act"));
        let at = self.read(&keys.required("at"), "a time such as `2026-08-25T16:04:00Z`", time);
        let given = self.read(&keys.optional("given"), "`express` or `written`", |word| match word {
            "express" => Some(Given::Express),
            "written" => Some(Given::Written),
            _ => None,
        });
        Some(Consent {
            granted: keys.optional("granted").flag().is_none_or(|granted| granted.value),
            sender: optional("sender").unwrap_or_default(),
            given: given.unwrap_or_default(),
            purpose: purpose?,
            channel: channel?,
            at: at?,
            words: words?,
            act: act?,
        })
    }
}

/// The form of a customer's id: it stands in records, lists and addresses.
pub fn is_id(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(good)
}

fn id(text: &str) -> Option<String> {
    is_id(text).then(|| text.to_owned())
}

fn language(text: &str) -> Option<String> {
    is_language(text).then(|| text.to_owned())
}

fn word(text: &str) -> Option<String> {
    line(text).filter(|text| !text.contains(char::is_whitespace))
}

fn line(text: &str) -> Option<String> {
    let good = !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

fn time(text: &str) -> Option<Micros> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

#[cfg(test)]
mod tests;
