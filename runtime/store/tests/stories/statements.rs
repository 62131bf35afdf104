//! The statements of a back end, out of its sources: a test prepares every one of them.

use std::collections::BTreeSet;
use std::path::Path;

/// How a statement begins.
const BEGINNINGS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// Every statement below `src/<back_end>`.
pub fn of(back_end: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(back_end)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None => folders.push(path),
                Some(_) if path.ends_with("tests.rs") => {}
                // What a bench compares with has a database of its own.
                Some(_) if path.ends_with("floor.rs") => {}
                Some(_) => found.extend(literals(&std::fs::read_to_string(path).unwrap())),
            }
        }
    }
    found.retain(|text| BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)));
    found.into_iter().map(whole).collect()
}

/// A beginning that rows are added to at run time (`INSERT INTO t (a, b)`, `UPDATE t SET a = column2 FROM (`), with a row.
fn whole(text: String) -> String {
    if text.ends_with('(') {
        let named = (1..=9).rfind(|n| text.contains(&format!("column{n}"))).unwrap_or(2);
        return format!("{text}VALUES ({}))", vec!["NULL"; named].join(", "));
    }
    let columns = text.strip_prefix("INSERT ").and_then(|rest| rest.split_once('(')?.1.strip_suffix(')'));
    match columns {
        Some(columns) if !columns.contains('(') => {
            let row: Vec<&str> = columns.split(',').map(|_| "NULL").collect();
            format!("{text} VALUES ({})", row.join(", "))
        }
        _ => text,
    }
}

/// The string literals of a source, with its tests left out.
fn literals(source: &str) -> Vec<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = product.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let text = lines.join("\n");
    let (mut found, mut rest) = (Vec::new(), text.as_str());
    while let Some(start) = rest.find('"') {
        let (literal, end) = literal(&rest[start + 1..]);
        found.push(literal);
        rest = &rest[start + 1 + end..];
    }
    found
}

/// One literal, without its quotes, and where the text goes on behind it.
fn literal(text: &str) -> (String, usize) {
    let (mut value, mut characters) = (String::new(), text.char_indices().peekable());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, at + 1),
            '\\' => match characters.next() {
                // A line that goes on: what the next one is indented by does not count.
                Some((_, '\n')) => while characters.next_if(|(_, next)| next.is_whitespace()).is_some() {},
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            other => value.push(other),
        }
    }
    (value, text.len())
}
