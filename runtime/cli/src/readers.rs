//! Whatever stands in a file that people write, its reader gives a value or mistakes, each with its place: never a panic,
//! and never a wait that grows faster than the file. One table of all readers, and all of them are spoilt alike.

use std::fmt::Write;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use selvedge_engine::Definition;
use selvedge_host::{Grant, Manifest};
use selvedge_policy::{Access, OptOut, Policies, Retention, Risk, RuleSet};
use selvedge_workflow::budget::Budget;
use selvedge_workflow::dictionary::{Assurance, Dictionary};
use selvedge_workflow::disclosures::Disclosures;
use selvedge_workflow::schedule::{self, SCHEDULES};
use selvedge_workflow::source::{Diagnostic, Document, MAX_BYTES};
use selvedge_workflow::syntax::Workflow;
use selvedge_workflow::template::Template;
use selvedge_workflow::{ASSURANCE, BUDGET, DICTIONARY, DISCLOSURES, Files};

use crate::connector::{self, Papers};
use crate::customer::Lines;
use crate::home;
use crate::workflow::House;
use crate::workflow::test::format;

type Read = Box<dyn Fn(&str, &str) -> Result<(), Vec<Diagnostic>> + Send + Sync>;

/// One kind of file: those that are shipped, and what reads them.
struct Kind {
    name: &'static str,
    shipped: Vec<(String, String)>,
    read: Read,
}

const CUSTOMERS: &str = "customer,patient.mobile,account.balance,account.month,zones,jurisdictions,flags,\
    consent.billing.sms,consent.words,consent.act,contract.due#1,contract.due#2\n\
    c_ada,+1 312 555 0142,\"$1,375.50\",2026-10,America/Chicago,US US-IL,attorney,2026-08-25T16:04:00Z,\"You may, gladly.\",web,$1.00,$2.00\n";
const CUSTOMERS_JSON: &str = "{\"customer\": \"c_ada\", \"fields\": {\"patient.mobile\": \"+1 312 555 0142\"}, \
    \"zones\": [\"America/Chicago\"], \"jurisdictions\": [\"US\"], \"consents\": [{\"purpose\": \"billing\", \
    \"channel\": \"sms\", \"at\": \"2026-08-25T16:04:00Z\", \"words\": \"Yes.\", \"act\": \"web\"}]}\n";

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let home = home::find().unwrap();
    let House { files, connectors, packs } = House::open().unwrap().unwrap();
    let pick = |wanted: &dyn Fn(&str) -> bool| -> Vec<(String, String)> {
        let picked = files.iter().filter(|(path, _)| wanted(path));
        picked.map(|(path, text)| (format!("workflows/{path}"), text.clone())).collect()
    };
    let papers = connector::papers(&home).unwrap();
    let (manifests, grants) =
        papers.into_iter().map(|Papers { manifest, grant, .. }| (manifest, grant)).unzip::<_, _, Vec<_>, Vec<_>>();
    let dictionary = Dictionary::read(DICTIONARY, &files[DICTIONARY]).unwrap();
    let definition = Definition::compile(&files, "healthcare-balance", &connectors, &packs).unwrap();
    let policies = Policies::load(&files).unwrap();
    let packs: Files = pick(&Policies::is_pack).into_iter().collect();
    let (all, theirs, again) = (files.clone(), dictionary.clone(), dictionary);
    let is = |path: &'static str| move |other: &str| other == path;
    let kind = |name, shipped: Vec<(String, String)>, read: Read| {
        assert!(!shipped.is_empty(), "no {name} is shipped");
        Kind { name, shipped, read }
    };
    vec![
        kind(
            "workflow",
            pick(&|path| path.ends_with("/workflow.yaml")),
            Box::new(|file, text| Workflow::read(&Document::parse(file, text)?).map(drop)),
        ),
        kind("fields", pick(&is(DICTIONARY)), Box::new(|file, text| Dictionary::read(file, text).map(drop))),
        kind("assurance", pick(&is(ASSURANCE)), Box::new(|file, text| Assurance::read(file, text).map(drop))),
        kind("disclosures", pick(&is(DISCLOSURES)), Box::new(|file, text| Disclosures::read(file, text).map(drop))),
        kind("budget", pick(&is(BUDGET)), Box::new(|file, text| Budget::read(file, text).map(drop))),
        kind(
            "schedules",
            pick(&is(SCHEDULES)),
            Box::new(move |_, text| {
                let mut files = all.clone();
                files.insert(SCHEDULES.to_owned(), text.to_owned());
                schedule::read(&files).map(drop)
            }),
        ),
        kind(
            "template",
            pick(&|path| path.ends_with(".txt")),
            Box::new(|file, text| Template::parse(file, "code", "sms", text).map(drop)),
        ),
        kind(
            "rules",
            pick(&Policies::is_pack),
            Box::new(move |file, text| {
                let mut packs = packs.clone();
                packs.insert(file.to_owned(), text.to_owned());
                RuleSet::load(&packs).map(drop)
            }),
        ),
        kind("tables", pick(&Policies::is_table), Box::new(move |file, text| policies.run(file, text).map(drop))),
        kind("risk", pick(&is("policies/risk.yaml")), Box::new(|file, text| Risk::load(file, text).map(drop))),
        kind("opt-out", pick(&is("policies/opt-out.yaml")), Box::new(|file, text| OptOut::load(file, text).map(drop))),
        kind(
            "retention",
            pick(&is("policies/retention.yaml")),
            Box::new(|file, text| Retention::load(file, text).map(drop)),
        ),
        kind("access", pick(&is("policies/access.cedar")), Box::new(|file, text| Access::load(file, text).map(drop))),
        kind("grant", grants, Box::new(|file, text| Grant::read(file, text).map(drop))),
        kind("manifest", manifests, Box::new(|file, text| Manifest::read(file, text).map(drop))),
        kind(
            "stories",
            pick(&|path| path.starts_with("healthcare-balance/tests/")),
            Box::new(move |file, text| format::read(file, text, &definition).map(drop)),
        ),
        kind(
            "customers as CSV",
            vec![("ours.csv".to_owned(), CUSTOMERS.to_owned())],
            Box::new(move |file, text| customers(Lines::csv(file, text.as_bytes(), &theirs).unwrap(), &theirs)),
        ),
        kind(
            "customers as JSON",
            vec![("ours.jsonl".to_owned(), CUSTOMERS_JSON.to_owned())],
            Box::new(move |file, text| customers(Lines::json(file, text.as_bytes()), &again)),
        ),
    ]
});

/// Every customer of a file, or what is wrong with all of them.
fn customers(mut lines: Lines<&[u8]>, dictionary: &Dictionary) -> Result<(), Vec<Diagnostic>> {
    let all: Vec<_> = std::iter::from_fn(|| lines.next(dictionary).unwrap()).collect();
    let found: Vec<Diagnostic> = all.into_iter().filter_map(Result::err).flatten().collect();
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Reads a text and looks at what comes out.
fn holds(kind: &Kind, file: &str, text: &str) -> Result<(), String> {
    let Err(found) = (kind.read)(file, text) else { return Ok(()) };
    if found.is_empty() {
        return Err(format!("{}: refused without a word", kind.name));
    }
    // YAML knows more ends of lines than one.
    let lines = text.split(['\n', '\r']).count() + 1;
    for wrong in &found {
        let placed = wrong.span.as_ref().is_some_and(|span| (1..=lines).contains(&span.line) && span.column >= 1);
        // That there is no rule at all has no line.
        let nowhere = wrong.span.is_none() && wrong.message.starts_with("there is no");
        if wrong.message.is_empty() || !(placed || nowhere) {
            return Err(format!("{}: no place in {lines} lines: {wrong:?}", kind.name));
        }
    }
    Ok(())
}

/// What somebody can put where something else stood.
const NASTY: [&str; 40] = [
    "",
    " ",
    "~",
    "null",
    "true",
    "-1",
    "0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1e999",
    ".inf",
    "0x7f",
    "1_000",
    "366d",
    "999999999d",
    "9999999999s",
    "0s",
    "2026-02-29",
    "9999-12-31",
    "-0001-01-01",
    "24:00",
    "99:99",
    "[]",
    "{}",
    "[[]]",
    "{ a: { b: c } }",
    "&a [*a]",
    "*a",
    "!!binary x",
    "|",
    ">-",
    "\"",
    "'",
    "`",
    "💳",
    "é\u{301}",
    "\u{202e}",
    "\0",
    "\u{feff}",
];

#[derive(Clone, Debug)]
enum Slip {
    /// What stands behind the colon of a line becomes something else.
    Value(Index, &'static str),
    /// Something stands in the middle of a line.
    Insert(Index, Index, &'static str),
    /// A stretch of letters is gone.
    Gone(Index, usize),
    Drop(Index),
    Double(Index),
    Swap(Index, Index),
    Indent(Index, usize),
    /// A line of another file.
    Stray(Index, Index, Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), select(NASTY.to_vec())).prop_map(|(line, text)| Slip::Value(line, text)),
        2 => (at(), at(), select(NASTY.to_vec())).prop_map(|(line, column, text)| Slip::Insert(line, column, text)),
        1 => (at(), 1usize..60).prop_map(|(from, length)| Slip::Gone(from, length)),
        1 => at().prop_map(Slip::Drop),
        1 => at().prop_map(Slip::Double),
        1 => (at(), at()).prop_map(|(one, other)| Slip::Swap(one, other)),
        1 => (at(), 1usize..9).prop_map(|(line, by)| Slip::Indent(line, by)),
        1 => (at(), at(), at()).prop_map(|(line, kind, other)| Slip::Stray(line, kind, other)),
    ]
}

fn spoil(text: &str, slips: &[Slip]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for slip in slips {
        if lines.is_empty() {
            break;
        }
        let (count, line) = (lines.len(), |index: &Index| index.index(lines.len()));
        match slip {
            Slip::Value(at, text) => {
                let at = line(at);
                let kept = lines[at].find([':', ',', '[']).map_or(0, |colon| colon + 1);
                lines[at] = format!("{} {text}", &lines[at][..kept]);
            }
            Slip::Insert(at, column, text) => {
                let at = line(at);
                let places: Vec<usize> =
                    lines[at].char_indices().map(|(place, _)| place).chain([lines[at].len()]).collect();
                lines[at].insert_str(*column.get(&places), text);
            }
            Slip::Gone(from, length) => {
                let whole: Vec<char> = lines.join("\n").chars().collect();
                let from = if whole.is_empty() { 0 } else { from.index(whole.len()) };
                let kept: String = whole[..from].iter().chain(whole.iter().skip(from + length)).collect();
                lines = kept.lines().map(str::to_owned).collect();
            }
            Slip::Drop(at) => drop(lines.remove(line(at))),
            Slip::Double(at) => lines.insert(line(at), lines[line(at)].clone()),
            Slip::Swap(one, other) => lines.swap(one.index(count), other.index(count)),
            Slip::Indent(at, by) => {
                let at = line(at);
                lines[at].insert_str(0, &" ".repeat(*by));
            }
            Slip::Stray(at, kind, other) => {
                let (_, text) = &kind.get(&KINDS).shipped[0];
                let others: Vec<&str> = text.lines().collect();
                let at = line(at);
                lines.insert(at, (*other.get(&others)).to_owned());
            }
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_spoilt_file_gives_a_value_or_places(kind in any::<Index>(), file in any::<Index>(), slips in prop::collection::vec(slip(), 1..6)) {
        let kind = kind.get(&KINDS);
        let (file, text) = file.get(&kind.shipped);
        let spoilt = spoil(text, &slips);
        prop_assert_eq!(holds(kind, file, &spoilt), Ok(()), "{}", spoilt);
    }

    #[test]
    fn any_bytes_give_a_value_or_places(kind in any::<Index>(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (kind, text) = (kind.get(&KINDS), String::from_utf8_lossy(&bytes));
        prop_assert_eq!(holds(kind, "some.yaml", &text), Ok(()), "{}", text);
    }

    #[test]
    fn any_signs_of_yaml_give_a_value_or_places(kind in any::<Index>(), text in "[-a-c0-9:{}\\[\\],&*!|>'\"%@`#?~ \n\t{}.$]{0,200}") {
        let kind = kind.get(&KINDS);
        prop_assert_eq!(holds(kind, "some.yaml", &text), Ok(()), "{}", text);
    }
}

#[test]
fn what_is_shipped_is_read_by_every_reader() {
    for kind in KINDS.iter() {
        for (file, text) in &kind.shipped {
            assert_eq!((kind.read)(file, text), Ok(()), "{file}");
        }
    }
}

/// Texts that are small to write and large to read, each as a whole file and behind each key that a file begins with.
fn bombs() -> Vec<(&'static str, String)> {
    let aliases = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |mut text, n| {
        let _ = writeln!(text, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 9].join(", "));
        text
    });
    let nested: String = (0..400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    vec![
        ("brackets", "[".repeat(MAX_BYTES - 1_000)),
        ("braces", "{a: ".repeat(60_000)),
        ("dashes", "- ".repeat(100_000)),
        ("questions", "? ".repeat(100_000)),
        ("levels", nested),
        ("aliases", aliases),
        ("a long text", "x".repeat(200_000)),
        ("a long quotation", format!("\"{}\"", "\\u0041".repeat(40_000))),
        ("a text beyond the limit", "x".repeat(MAX_BYTES + 1)),
        ("many items", format!("[{}]", "x, ".repeat(80_000))),
        ("many numbers", format!("[{}]", "9223372036854775807, ".repeat(10_000))),
        ("many keys", (0..19_000).map(|n| format!("k{n}: v\n")).collect()),
        ("many of one key", "k: v\n".repeat(19_000)),
        ("many documents", "---\n".repeat(50_000)),
        ("many anchors", (0..19_000).map(|n| format!("- &a{n} x\n")).collect()),
        ("placeholders", "{{ account.balance }}".repeat(9_000)),
        ("open placeholders", "{{".repeat(100_000)),
        ("quotation marks", "\"".repeat(200_001)),
        ("commas", ",".repeat(200_000)),
        ("parentheses", format!("permit {}", "(".repeat(100_000))),
    ]
}

#[test]
fn what_is_small_to_write_and_large_to_read_is_refused_in_its_place() {
    for kind in KINDS.iter() {
        let (file, text) = &kind.shipped[0];
        let heads: Vec<&str> =
            text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())).take(6).collect();
        for (name, bomb) in bombs() {
            assert_eq!(holds(kind, file, &bomb), Ok(()), "{name}");
            for head in heads.iter().filter_map(|line| line.split_once(':')).map(|(key, _)| key) {
                let below: String = bomb.lines().map(|line| format!("  {line}\n")).collect();
                let whole: Vec<&str> = text.lines().filter(|line| !line.starts_with(&format!("{head}:"))).collect();
                assert_eq!(
                    holds(kind, file, &format!("{}\n{head}:\n{below}", whole.join("\n"))),
                    Ok(()),
                    "{name} behind {head}"
                );
            }
        }
    }
}
