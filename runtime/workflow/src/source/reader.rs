//! Takes typed values out of a YAML tree and collects every mistake on the way.
//!
//! Reading never stops: what is missing or wrong becomes `None` (or an empty list) and a diagnostic, and
//! [`Reader::finish`] gives the value only when nothing was found. So write the reading of a file as if all were well,
//! *take every key before the first `?`*, and all mistakes are told at once.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::words::{did_you_mean, list, nearest, shorten};
use super::{Diagnostic, Node, Span, Spanned, Value, code};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day of 24 hours.
pub const DAY: i64 = 24 * HOUR;
/// The longest duration that can be written: ten years.
pub const MAX_DURATION: i64 = 3_653 * DAY;

/// Microseconds of `10s`, `30m`, `72h` or `2d`: a whole number above 0 and one unit, at most [`MAX_DURATION`].
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let unit = match text.as_bytes().last()? {
        b's' => SECOND,
        b'm' => MINUTE,
        b'h' => HOUR,
        b'd' => DAY,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let plain = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    let count: i64 = plain.then(|| digits.parse().ok()).flatten()?;
    count.checked_mul(unit).filter(|micros| (1..=MAX_DURATION).contains(micros))
}

/// `72h`, `24h 15m`: the duration as one would say it. Hours are what people compare waits by, so days begin at seven.
#[must_use]
pub fn duration_in_words(micros: i64) -> String {
    let mut rest = micros;
    let mut parts = Vec::new();
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "µs")] {
        if rest >= unit && (unit != DAY || micros >= 7 * DAY) {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Collects the mistakes of one file.
#[derive(Debug, Default)]
pub struct Reader {
    found: RefCell<Vec<Diagnostic>>,
}

impl Reader {
    /// A reader that has found nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to read a value. `name` stands for it in messages: "the grant".
    pub fn item<'r, 'v>(&'r self, value: &'v Value, name: &str) -> Item<'r, 'v> {
        Item { reader: self, value: Some(value), name: name.to_owned() }
    }

    /// Adds a mistake that the caller found.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// Whether nothing was found so far.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The mistakes so far, in the order found.
    #[must_use]
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.found.into_inner()
    }

    /// The value, if nothing was found.
    ///
    /// # Errors
    /// Everything that was found. A caller that gives `None` has reported why.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Diagnostic>> {
        let found = self.found.into_inner();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ => Err(found),
        }
    }
}

/// A value that may be there, about to be read as something. Each reading of an absent value gives `None` without a
/// word: whoever required it has spoken already.
#[derive(Clone)]
pub struct Item<'r, 'v> {
    reader: &'r Reader,
    value: Option<&'v Value>,
    name: String,
}

impl<'r, 'v> Item<'r, 'v> {
    /// Whether a value was written at all.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.value.is_some()
    }

    /// The tree below.
    #[must_use]
    pub fn value(&self) -> Option<&'v Value> {
        self.value
    }

    /// Where it was written.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.value.map(|value| value.span.clone())
    }

    /// What stands for it in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same item under another name, for messages.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// A text that is not blank.
    #[must_use]
    pub fn text(&self) -> Option<Spanned<String>> {
        let value = self.value?;
        match &value.node {
            Node::Text(text) if !text.trim().is_empty() => Some(Spanned::new(text.clone(), value.span.clone())),
            Node::Int(_) | Node::Bool(_) => self.wrong("a text; put it in quotes"),
            _ => self.wrong("a text"),
        }
    }

    /// One of a few words.
    #[must_use]
    pub fn one_of(&self, words: &[&str]) -> Option<Spanned<String>> {
        let text = self.text()?;
        if words.contains(&text.value.as_str()) {
            return Some(text);
        }
        let found = shorten(&text.value);
        let message = format!("{} should be one of {}; found the text `{found}`", self.name, list(words));
        let near = nearest(&text.value, words.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        self.reader.report(Diagnostic::new(code::WRONG_TYPE, message).at(&text.span).maybe_help(near));
        None
    }

    /// A text that `parse` understands; `expected` says what that is: "a date such as `2025-04-11`".
    #[must_use]
    pub fn parsed<T>(&self, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Spanned<T>> {
        let text = self.text()?;
        match parse(&text.value) {
            Some(value) => Some(Spanned::new(value, text.span)),
            None => self.wrong(expected),
        }
    }

    /// A whole number in a range.
    #[must_use]
    pub fn count(&self, range: RangeInclusive<i64>) -> Option<Spanned<i64>> {
        let value = self.value?;
        match value.node {
            Node::Int(number) if range.contains(&number) => Some(Spanned::new(number, value.span.clone())),
            _ => self.wrong(&format!("a whole number from {} to {}", range.start(), range.end())),
        }
    }

    /// `true` or `false`.
    #[must_use]
    pub fn flag(&self) -> Option<Spanned<bool>> {
        let value = self.value?;
        match value.node {
            Node::Bool(flag) => Some(Spanned::new(flag, value.span.clone())),
            _ => self.wrong("true or false"),
        }
    }

    /// A duration such as `10s`, `30m`, `72h` or `2d`, in microseconds.
    #[must_use]
    pub fn duration(&self) -> Option<Spanned<i64>> {
        let value = self.value?;
        let micros = match &value.node {
            Node::Text(text) => parse_duration(text),
            _ => None,
        };
        match micros {
            Some(micros) => Some(Spanned::new(micros, value.span.clone())),
            None => self.wrong("a duration such as `10s`, `30m`, `72h` or `2d` (at most ten years)"),
        }
    }

    /// The items of a list. A key with nothing behind it is a list without items: what is left of a list when its
    /// last line is taken away.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'r, 'v>> {
        match self.value.map(|value| &value.node) {
            None | Some(Node::Null) => Vec::new(),
            Some(Node::List(items)) => {
                items.iter().map(|item| self.inner(item, format!("an item of {}", self.name))).collect()
            }
            Some(_) => self.wrong("a list").unwrap_or_default(),
        }
    }

    /// The items of a list, or the one value that stands in its place: `jurisdiction: US`.
    #[must_use]
    pub fn items_or_one(&self) -> Vec<Item<'r, 'v>> {
        match self.value.map(|value| &value.node) {
            Some(Node::List(_)) | None => self.items(),
            Some(_) => vec![self.clone()],
        }
    }

    /// A list of texts.
    #[must_use]
    pub fn texts(&self) -> Vec<Spanned<String>> {
        self.items().iter().filter_map(Item::text).collect()
    }

    /// A map with these keys and no others. What is no map reads as a map without keys, and its missing keys are not
    /// held against it.
    #[must_use]
    pub fn map(&self, allowed: &[&str]) -> Fields<'r, 'v> {
        let nothing = Fields { reader: self.reader, entries: &[], name: self.name.clone(), span: None };
        let Some(value) = self.value else { return nothing };
        let Node::Map(entries) = &value.node else {
            return self.wrong("keys and values").unwrap_or(nothing);
        };
        for (key, _) in entries.iter().filter(|(key, _)| !allowed.contains(&key.value.as_str())) {
            let message = format!("`{}` is no key of {}", shorten(&key.value), self.name);
            let help = did_you_mean(&key.value, allowed.iter().copied());
            self.reader.report(Diagnostic::new(code::UNKNOWN_KEY, message).at(&key.span).maybe_help(help));
        }
        Fields { entries, span: Some(value.span.clone()), ..nothing }
    }

    /// A map whose keys are the author's own names.
    #[must_use]
    pub fn entries(&self) -> Vec<(Spanned<String>, Item<'r, 'v>)> {
        match self.value.map(|value| &value.node) {
            None => Vec::new(),
            Some(Node::Map(entries)) => entries
                .iter()
                .map(|(key, value)| (key.clone(), self.inner(value, format!("`{}`", shorten(&key.value)))))
                .collect(),
            Some(_) => self.wrong("names and values").unwrap_or_default(),
        }
    }

    /// A map with exactly one key, which says what kind of thing it is: `verify: {…}`. The key is not judged here.
    #[must_use]
    pub fn tagged(&self) -> Option<(Spanned<String>, Item<'r, 'v>)> {
        match &self.value?.node {
            Node::Map(entries) if entries.len() == 1 => self.entries().into_iter().next(),
            Node::Map(entries) if entries.len() > 1 => {
                let extra = &entries[1].0;
                let message =
                    format!("{} has one key that says its kind; `{}` is one more", self.name, shorten(&extra.value));
                let help = format!(
                    "indent `{}` below `{}:`, or begin a new item with `- `",
                    shorten(&extra.value),
                    shorten(&entries[0].0.value)
                );
                self.reader.report(Diagnostic::new(code::WRONG_TYPE, message).at(&extra.span).help(help));
                None
            }
            _ => self.wrong("one key that says its kind, and what belongs to it"),
        }
    }

    fn inner(&self, value: &'v Value, name: String) -> Item<'r, 'v> {
        Item { reader: self.reader, value: Some(value), name }
    }

    /// Reports what was expected and what was found; always `None`. For a caller that knows more about the value.
    pub fn wrong<T>(&self, expected: &str) -> Option<T> {
        let value = self.value?;
        let message = format!("{} should be {expected}; found {}", self.name, value.node.in_words());
        self.reader.report(Diagnostic::new(code::WRONG_TYPE, message).at(&value.span));
        None
    }
}

/// The keys of a map that was read with [`Item::map`].
#[derive(Clone)]
pub struct Fields<'r, 'v> {
    reader: &'r Reader,
    entries: &'v [(Spanned<String>, Value)],
    name: String,
    /// Absent when the value was no map at all.
    span: Option<Span>,
}

impl<'r, 'v> Fields<'r, 'v> {
    /// Where the map begins; `None` if it was none.
    #[must_use]
    pub fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    /// The value of a key that may be left out.
    #[must_use]
    pub fn optional(&self, key: &str) -> Item<'r, 'v> {
        let value = self.entries.iter().find(|(k, _)| k.value == key).map(|(_, value)| value);
        Item { reader: self.reader, value, name: format!("`{key}`") }
    }

    /// The value of a key that must be there.
    #[must_use]
    pub fn required(&self, key: &str) -> Item<'r, 'v> {
        let item = self.optional(key);
        if let (None, Some(span)) = (item.value, &self.span) {
            let message = format!("{} needs the key `{key}`", self.name);
            self.reader.report(Diagnostic::new(code::MISSING_KEY, message).at(span).help(format!("add `{key}: …`")));
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;
    use proptest::prelude::*;

    fn read<T>(text: &str, read: impl FnOnce(Item<'_, '_>) -> Option<T>) -> Result<T, Vec<String>> {
        let tree = Document::parse("t.yaml", text).unwrap();
        let reader = Reader::new();
        let value = read(reader.item(&tree, "the file"));
        reader.finish(value).map_err(|found| found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_mistakes_of_a_file_come_together() {
        let found = read("trise: 3\nvalid: 30 minutes\nfields: mobile\n", |file| {
            let file = file.map(&["tries", "valid", "fields", "id"]);
            let tries = file.required("tries").count(1..=10);
            let valid = file.required("valid").duration();
            let fields = file.required("fields").texts();
            Some((tries?, valid?, fields))
        });
        insta::assert_snapshot!(found.unwrap_err().join("\n"), @r"
        W102 t.yaml:1:1: `trise` is no key of the file
          help: did you mean `tries`?
        W103 t.yaml:1:1: the file needs the key `tries`
          help: add `tries: …`
        W104 t.yaml:2:8: `valid` should be a duration such as `10s`, `30m`, `72h` or `2d` (at most ten years); found the text `30 minutes`
        W104 t.yaml:3:9: `fields` should be a list; found the text `mobile`
        ");
    }

    #[test]
    fn a_wrong_map_is_told_once_and_not_key_by_key() {
        let found = read("steps: 3\n", |file| {
            let step = file.map(&["steps"]).required("steps").map(&["id"]);
            step.required("id").text()
        });
        assert_eq!(found.unwrap_err(), ["W104 t.yaml:1:8: `steps` should be keys and values; found the number 3"]);
    }

    #[test]
    fn an_optional_key_may_be_absent_but_not_wrong() {
        assert_eq!(read("{}", |file| Some(file.map(&["a"]).optional("a").flag())), Ok(None));
        assert!(read("a: 1", |file| Some(file.map(&["a"]).optional("a").flag())).is_err());
    }

    #[test]
    fn one_value_can_stand_for_a_list_of_one() {
        let names = |file: Item<'_, '_>| {
            let items = file.map(&["in"]).required("in").items_or_one();
            Some(items.iter().filter_map(Item::text).map(|text| text.value).collect::<Vec<_>>())
        };
        assert_eq!(read("in: US", names).unwrap(), ["US"]);
        assert_eq!(read("in: [US-FL, US-OK]", names).unwrap(), ["US-FL", "US-OK"]);
    }

    #[test]
    fn a_step_has_one_kind() {
        let kind = |file: Item<'_, '_>| file.tagged().map(|(key, _)| key.value);
        assert_eq!(read("verify: {}", kind).unwrap(), "verify");
        insta::assert_snapshot!(read("verify: {}\nid: x\n", kind).unwrap_err().join("\n"), @r"
        W104 t.yaml:2:1: the file has one key that says its kind; `id` is one more
          help: indent `id` below `verify:`, or begin a new item with `- `
        ");
        insta::assert_snapshot!(read("verify", kind).unwrap_err().join("\n"), @"W104 t.yaml:1:1: the file should be one key that says its kind, and what belongs to it; found the text `verify`");
    }

    #[test]
    fn words_are_chosen_from_a_list() {
        insta::assert_snapshot!(read("over: cal", |f| f.map(&["over"]).required("over").one_of(&["call", "page"])).unwrap_err().join("\n"), @r"
        W104 t.yaml:1:7: `over` should be one of `call`, `page`; found the text `cal`
          help: did you mean `call`?
        ");
    }

    #[test]
    fn durations_have_one_number_and_one_unit() {
        assert_eq!(parse_duration("10s"), Some(10 * SECOND));
        assert_eq!(parse_duration("72h"), Some(3 * DAY));
        assert_eq!(parse_duration("3653d"), Some(MAX_DURATION));
        for wrong in ["", "h", "0m", "3654d", "-1h", "1.5h", "1h30m", "10", "10 m", "９m", "9999999999s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        assert_eq!(duration_in_words(72 * HOUR), "72h");
        assert_eq!(duration_in_words(30 * MINUTE), "30m");
        assert_eq!(duration_in_words(DAY + 15 * MINUTE), "24h 15m");
        assert_eq!(duration_in_words(8 * DAY), "8d");
    }

    proptest! {
        #[test]
        fn a_duration_in_words_says_all_of_it(count in 1i64..=3000, unit in prop::sample::select(vec![SECOND, MINUTE, HOUR, DAY])) {
            let words = duration_in_words(count * unit);
            let sum: Option<i64> = words.split(' ').map(parse_duration).sum();
            prop_assert_eq!(sum, Some(count * unit));
        }
    }
}
