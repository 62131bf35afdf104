//! YAML text to a tree with places. We take the plain part of YAML: what a stranger could use to make a small
//! file large (anchors and aliases) or to mean another thing than it says (tags, fractions, several
//! documents) is refused by name.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::{Diagnostic, Node, Span, Spanned, Value, code};

/// Largest file, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// Deepest nesting of lists and maps.
pub const MAX_DEPTH: usize = 32;
/// Most nodes in one file, keys included.
pub const MAX_NODES: usize = 20_000;
/// After this many mistakes in one file the rest is noise.
pub const MAX_DIAGNOSTICS: usize = 100;

/// Reads YAML.
pub struct Document;

impl Document {
    /// The tree of one YAML document. `file` is only used to name places.
    ///
    /// # Errors
    /// Not YAML (W101), beyond a limit or a part of YAML that we do not take (W105), a key twice (W106). Mistakes
    /// that still leave a tree are collected; the others end the reading.
    pub fn parse(file: &str, text: &str) -> Result<Value, Vec<Diagnostic>> {
        if text.len() > MAX_BYTES {
            let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
            let too_large = Diagnostic::new(code::BEYOND_LIMITS, message).at(&Span::start_of(file));
            return Err(vec![too_large.help("split the file")]);
        }
        let mut builder = Builder::new(file);
        let mut events = Parser::new_from_str(text);
        while let Some(event) = events.next_event() {
            match event {
                Ok((event, span)) => builder.take(event, span),
                Err(error) => {
                    let message = format!("this is not YAML: {}", error.info());
                    let here = point(file, error.marker());
                    builder.stop(Diagnostic::new(code::SYNTAX, message).at(&here).maybe_help(hint(error.info())));
                }
            }
            if builder.stopped {
                break;
            }
        }
        builder.finish()
    }
}

/// What people most often did when the parser says so.
fn hint(info: &str) -> Option<String> {
    let help = if info.contains("unprintable") {
        "remove the sign that cannot be seen here"
    } else if info.contains("tab") {
        "indent with spaces, never with tabs"
    } else if info.contains("quoted scalar") {
        "a quotation mark is opened and not closed"
    } else {
        "look at the indentation and the colons of this line and the one before; put texts with `: ` or `#` in quotes"
    };
    Some(help.to_owned())
}

fn point(file: &str, mark: &Marker) -> Span {
    Span { file: file.to_owned(), line: mark.line().max(1), column: mark.col() + 1, len: 0 }
}

/// A collection that is still open.
enum Open {
    Map {
        span: Span,
        entries: Vec<(Spanned<String>, Value)>,
        key: Option<Spanned<String>>,
        lines: BTreeMap<String, usize>,
    },
    List {
        span: Span,
        items: Vec<Value>,
    },
}

/// Builds the tree from events, on a stack of its own: depth costs no call stack.
struct Builder<'a> {
    file: &'a str,
    open: Vec<Open>,
    root: Option<Value>,
    nodes: usize,
    documents: usize,
    found: Vec<Diagnostic>,
    stopped: bool,
}

impl<'a> Builder<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, open: Vec::new(), root: None, nodes: 0, documents: 0, found: Vec::new(), stopped: false }
    }

    fn take(&mut self, event: Event<'_>, at: saphyr_parser::Span) {
        let span = Span { len: at.end.index().saturating_sub(at.start.index()), ..point(self.file, &at.start) };
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.stop(beyond(
                        "a second document begins here; a file holds one",
                        &span,
                        "remove the `---` line",
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), &span);
                self.scalar(&text, style, span);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), &span);
                self.push(Open::List { span, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), &span);
                self.push(Open::Map { span, entries: Vec::new(), key: None, lines: BTreeMap::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Map { span, entries, .. }) => self.place(Value { span, node: Node::Map(entries) }),
                Some(Open::List { span, items }) => self.place(Value { span, node: Node::List(items) }),
                None => {}
            },
            Event::Alias(_) => {
                self.report(beyond("aliases (`*name`) are not taken", &span, "write the value out"));
                self.place(Value { span, node: Node::Null });
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
        }
    }

    fn refuse_extras(&mut self, anchor: usize, tagged: bool, span: &Span) {
        if anchor != 0 {
            self.report(beyond("anchors (`&name`) are not taken", span, "write the value out wherever it is needed"));
        }
        if tagged {
            self.report(beyond(
                "tags (`!name`) are not taken",
                span,
                "remove the tag; put the value in quotes if it is a text",
            ));
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) {
        // A key is always a text, whatever it looks like.
        if let Some(Open::Map { key: key @ None, lines, .. }) = self.open.last_mut() {
            let line = span.line;
            let first = lines.insert(text.to_owned(), line);
            *key = Some(Spanned::new(text.to_owned(), span.clone()));
            self.count(&span);
            if let Some(first) = first {
                let message = format!("the key `{}` is here twice", super::words::shorten(text));
                let twice = Diagnostic::new(code::DUPLICATE, message).at(&span);
                self.report(twice.help(format!("the first one is on line {first}; keep one of them")));
            }
            return;
        }
        let node = if style == ScalarStyle::Plain {
            plain(text).unwrap_or_else(|message| {
                self.report(beyond(message, &span, "put it in quotes if it is a text; amounts are whole minor units"));
                Node::Null
            })
        } else {
            Node::Text(text.to_owned())
        };
        self.place(Value { span, node });
    }

    fn push(&mut self, collection: Open) {
        let (Open::Map { span, .. } | Open::List { span, .. }) = &collection;
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            let as_key = beyond("a list or a map cannot be a key", span, "look for a stray `?`, `[` or `{`");
            self.stop(as_key);
        } else if self.open.len() >= MAX_DEPTH {
            let too_deep = beyond(format!("nested deeper than {MAX_DEPTH} levels"), span, "flatten the file");
            self.stop(too_deep);
        }
        self.open.push(collection);
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, value: Value) {
        self.count(&value.span);
        match self.open.last_mut() {
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some(key) => entries.push((key, value)),
                // Only an alias can stand here, and it has been refused already.
                None => self.stopped = true,
            },
            None => self.root = Some(value),
        }
    }

    fn count(&mut self, span: &Span) {
        self.nodes += 1;
        if self.nodes == MAX_NODES + 1 {
            self.stop(beyond(format!("more than {MAX_NODES} values in one file"), span, "split the file"));
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
        self.stopped |= self.found.len() >= MAX_DIAGNOSTICS;
    }

    fn stop(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
        self.stopped = true;
    }

    fn finish(self) -> Result<Value, Vec<Diagnostic>> {
        if self.found.is_empty() && !self.stopped {
            Ok(self.root.unwrap_or(Value { span: Span::start_of(self.file), node: Node::Null }))
        } else {
            Err(self.found)
        }
    }
}

fn beyond(message: impl Into<String>, span: &Span, help: &str) -> Diagnostic {
    Diagnostic::new(code::BEYOND_LIMITS, message).at(span).help(help)
}

/// What an unquoted scalar means. Narrower than YAML's core schema on purpose: `0x1f`, `+1555…` and `007` stay
/// texts, so that no phone number or reference quietly becomes a number.
fn plain(text: &str) -> Result<Node, String> {
    match text {
        "" | "~" | "null" => return Ok(Node::Null),
        "true" => return Ok(Node::Bool(true)),
        "false" => return Ok(Node::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if all_digits && (digits == "0" || !digits.starts_with('0')) {
        return text
            .parse()
            .map(Node::Int)
            .map_err(|_| format!("the number `{}` is too large", super::words::shorten(text)));
    }
    let looks_like_fraction = !all_digits
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.parse::<f64>().is_ok();
    if looks_like_fraction || matches!(text, ".inf" | "-.inf" | ".nan") {
        return Err(format!("`{}` is a fraction; only whole numbers are taken", super::words::shorten(text)));
    }
    Ok(Node::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first_error(text: &str) -> String {
        Document::parse("t.yaml", text).unwrap_err()[0].to_string()
    }

    #[test]
    fn every_node_knows_its_place() {
        let tree = Document::parse("t.yaml", "steps:\n  - verify:\n      id: identity\n").unwrap();
        let Node::Map(top) = &tree.node else { panic!("a map") };
        assert_eq!((top[0].0.span.line, top[0].0.span.column), (1, 1));
        let Node::List(steps) = &top[0].1.node else { panic!("a list") };
        let Node::Map(step) = &steps[0].node else { panic!("a step") };
        assert_eq!((step[0].0.span.line, step[0].0.span.column), (2, 5));
        let Node::Map(verify) = &step[0].1.node else { panic!("keys") };
        assert_eq!(verify[0].1.span, Span { file: "t.yaml".into(), line: 3, column: 11, len: 8 });
    }

    #[test]
    fn plain_scalars_mean_what_people_mean() {
        assert_eq!(plain("3"), Ok(Node::Int(3)));
        assert_eq!(plain("-3"), Ok(Node::Int(-3)));
        assert_eq!(plain("true"), Ok(Node::Bool(true)));
        for text in ["yes", "no", "+15550100", "007", "0x1f", "10m", "10:30", "1991-12-20", "-", "1_000"] {
            assert_eq!(plain(text), Ok(Node::Text(text.to_owned())), "{text}");
        }
        for text in ["1.5", ".5", "1e5", "-0.1", ".nan", "99999999999999999999"] {
            assert!(plain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_file_names_line_and_column() {
        insta::assert_snapshot!(first_error("steps:\n  - verify: [a, b\n  id: x\n"), @r"
        W101 t.yaml:3:5: this is not YAML: illegal placement of ':' indicator
          help: look at the indentation and the colons of this line and the one before; put texts with `: ` or `#` in quotes
        ");
        insta::assert_snapshot!(first_error("a: \"open\nb: 1\n"), @r"
        W101 t.yaml:1:4: this is not YAML: invalid indentation in quoted scalar
          help: a quotation mark is opened and not closed
        ");
        insta::assert_snapshot!(first_error("a:\n\t- b\n"), @r"
        W101 t.yaml:2:2: this is not YAML: tabs disallowed within this context (block indentation)
          help: indent with spaces, never with tabs
        ");
    }

    #[test]
    fn what_we_do_not_take_is_refused_by_name() {
        insta::assert_snapshot!(first_error("a: 1\nb: 2\na: 3\n"), @r"
        W106 t.yaml:3:1: the key `a` is here twice
          help: the first one is on line 1; keep one of them
        ");
        insta::assert_snapshot!(first_error("a: &x 1\n"), @r"
        W105 t.yaml:1:4: anchors (`&name`) are not taken
          help: write the value out wherever it is needed
        ");
        insta::assert_snapshot!(first_error("a: 1.5\n"), @r"
        W105 t.yaml:1:4: `1.5` is a fraction; only whole numbers are taken
          help: put it in quotes if it is a text; amounts are whole minor units
        ");
        insta::assert_snapshot!(first_error("a: !!str 1\n"), @r"
        W105 t.yaml:1:4: tags (`!name`) are not taken
          help: remove the tag; put the value in quotes if it is a text
        ");
        insta::assert_snapshot!(first_error("a: 1\n---\nb: 2\n"), @r"
        W105 t.yaml:2:1: a second document begins here; a file holds one
          help: remove the `---` line
        ");
        insta::assert_snapshot!(first_error("? [a]\n: b\n"), @r"
        W105 t.yaml:1:3: a list or a map cannot be a key
          help: look for a stray `?`, `[` or `{`
        ");
    }

    #[test]
    fn several_mistakes_are_told_at_once() {
        let found = Document::parse("t.yaml", "a: 1.5\na: 2\nb: &x 3\nc: *x\n").unwrap_err();
        assert_eq!(found.iter().map(|d| d.span.as_ref().unwrap().line).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn limits_hold() {
        assert_eq!(Document::parse("t", &" ".repeat(MAX_BYTES + 1)).unwrap_err()[0].code, code::BEYOND_LIMITS);
        assert!(Document::parse("t", &format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH))).is_ok());
        let deep = Document::parse("t", &"[".repeat(MAX_DEPTH + 1)).unwrap_err();
        assert!(deep[0].message.contains("deeper than 32"), "{}", deep[0]);
        assert!(Document::parse("t", &"- 1\n".repeat(MAX_NODES - 1)).is_ok());
        let many = Document::parse("t", &"- 1\n".repeat(MAX_NODES + 5)).unwrap_err();
        assert!(many[0].message.contains("more than 20000"), "{}", many[0]);
        assert_eq!(Document::parse("t", &"- 1.5\n".repeat(500)).unwrap_err().len(), MAX_DIAGNOSTICS);
    }

    #[test]
    fn an_empty_file_is_nothing() {
        assert_eq!(Document::parse("t", "").unwrap().node, Node::Null);
        assert_eq!(Document::parse("t", "# only a comment\n").unwrap().node, Node::Null);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = Document::parse("t", &text);
        }

        #[test]
        fn no_yaml_like_text_makes_it_panic(text in "[-a:{}\\[\\]\"'&*!|>?#%@,~0-9. \n\t\u{feff}\r]{0,200}") {
            if let Err(found) = Document::parse("t", &text) {
                prop_assert!(found.iter().all(|d| d.span.as_ref().is_some_and(|s| s.line >= 1 && s.column >= 1)));
            }
        }
    }
}
