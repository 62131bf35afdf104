//! RFC 8785 canonical JSON, narrowed to what every reader reads the same: no floats, no `null`, integers that
//! a double holds exactly, bounded depth.

use std::cmp::Ordering;

use serde_json::Value;

use crate::RecordError;

/// The largest integer that every JSON reader keeps exact (RFC 8785 §3.2.2.3): 2^53 - 1.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// The canonical text of a value, nested at most `depth` deep.
pub fn text(value: &Value, depth: usize) -> Result<String, RecordError> {
    check(value, depth, "")?;
    let mut out = Vec::with_capacity(512);
    write(value, &mut out)?;
    into_text(out)
}

/// Bytes that [`write()`] and [`write_text`] made.
pub(crate) fn into_text(bytes: Vec<u8>) -> Result<String, RecordError> {
    String::from_utf8(bytes).map_err(|error| RecordError::NotCanonical { why: error.to_string() })
}

/// Writes a value that was checked. `serde_json` escapes texts as RFC 8785 §3.2.2.2 asks, and writes integers so.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), RecordError> {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_unstable_by(|(a, _), (b, _)| in_order(a, b));
            out.push(b'{');
            for (n, (name, field)) in fields.into_iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write_text(name, out)?;
                out.push(b':');
                write(field, out)?;
            }
            out.push(b'}');
        }
        Value::String(text) => write_text(text, out)?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            serde_json::to_writer(out, value).map_err(|error| RecordError::NotCanonical { why: error.to_string() })?;
        }
    }
    Ok(())
}

/// Writes a text in its quotes.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) -> Result<(), RecordError> {
    serde_json::to_writer(out, text).map_err(|error| RecordError::NotCanonical { why: error.to_string() })
}

/// By UTF-16 units (RFC 8785 §3.2.3), which for ASCII is by bytes.
fn in_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Refuses what the record cannot hold. `pointer` is where `value` stands.
pub fn check(value: &Value, depth: usize, pointer: &str) -> Result<(), RecordError> {
    // The place is put together only where there is something to tell: most values are fit.
    unfit(value, depth).map_or(Ok(()), |(place, why)| {
        let place: String = place.into_iter().rev().map(|step| format!("/{step}")).collect();
        Err(RecordError::Value { pointer: format!("{pointer}{place}"), why })
    })
}

/// What the record cannot hold: where, from the inside out, and why.
fn unfit(value: &Value, depth: usize) -> Option<(Vec<String>, &'static str)> {
    let here = |why| Some((Vec::new(), why));
    let within = |found: Option<(Vec<String>, &'static str)>, step: &dyn Fn() -> String| {
        found.map(|(mut place, why)| {
            place.push(step());
            (place, why)
        })
    };
    match value {
        Value::Null => here("is null"),
        Value::Bool(_) | Value::String(_) => None,
        Value::Number(number) => match number.as_i64() {
            Some(integer) if (-MAX_INTEGER..=MAX_INTEGER).contains(&integer) => None,
            Some(_) => here("is an integer beyond 2^53 - 1"),
            None if number.is_u64() => here("is an integer beyond 2^53 - 1"),
            None => here("is not a whole number"),
        },
        Value::Array(_) | Value::Object(_) if depth == 0 => here("is nested too deep"),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(n, item)| within(unfit(item, depth - 1), &|| n.to_string()))
        }
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, field)| within(unfit(field, depth - 1), &|| name.replace('~', "~0").replace('/', "~1"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_by_utf16_and_spaces_are_gone() {
        // U+10000 sorts before U+FF61 in UTF-16 though its code point is larger.
        let value = json!({ "b": [1, true], "\u{ff61}": "x", "\u{10000}": "y", "a": {} });
        assert_eq!(text(&value, 4).unwrap(), "{\"a\":{},\"b\":[1,true],\"\u{10000}\":\"y\",\"\u{ff61}\":\"x\"}");
    }

    #[test]
    fn floats_null_and_inexact_integers_are_refused_with_their_place() {
        for (value, why) in [
            (json!(1.5), "is not a whole number"),
            (json!(1.0), "is not a whole number"),
            (json!(null), "is null"),
            (json!(MAX_INTEGER + 1), "is an integer beyond 2^53 - 1"),
            (json!(u64::MAX), "is an integer beyond 2^53 - 1"),
            (json!(-MAX_INTEGER - 1), "is an integer beyond 2^53 - 1"),
        ] {
            let refused = text(&json!({ "a/b": [0, value] }), 4);
            assert_eq!(refused, Err(RecordError::Value { pointer: "/a~1b/1".into(), why }));
        }
        assert_eq!(text(&json!([MAX_INTEGER, -MAX_INTEGER]), 1).unwrap(), "[9007199254740991,-9007199254740991]");
    }

    #[test]
    fn depth_is_bounded() {
        assert!(text(&json!([[1]]), 2).is_ok());
        assert!(text(&json!([[[]]]), 2).is_err());
    }

    proptest! {
        #[test]
        fn it_is_what_an_independent_writer_writes(texts in proptest::collection::vec(any::<String>(), 0..6), number in -MAX_INTEGER..=MAX_INTEGER) {
            let object: serde_json::Map<String, Value> = texts.iter().map(|t| (t.clone(), json!([t, number, { t: [true] }]))).collect();
            let value = Value::Object(object);
            prop_assert_eq!(text(&value, 4).unwrap(), serde_jcs::to_string(&value).unwrap());
        }

        #[test]
        fn reading_and_writing_again_gives_the_same_bytes(keys in proptest::collection::vec(any::<String>(), 0..6), number in -MAX_INTEGER..=MAX_INTEGER) {
            let object: serde_json::Map<String, Value> = keys.iter().map(|k| (k.clone(), json!([k, number]))).collect();
            let once = text(&Value::Object(object), 4).unwrap();
            let again: Value = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(text(&again, 4).unwrap(), once);
        }
    }
}
