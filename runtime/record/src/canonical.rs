//! RFC 8785 canonical JSON, narrowed to what every reader reads the same: no floats, no `null`, integers that
//! a double holds exactly, bounded depth.

use serde_json::Value;

use crate::RecordError;

/// The largest integer that every JSON reader keeps exact (RFC 8785 §3.2.2.3): 2^53 - 1.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// The canonical text of a value, nested at most `depth` deep.
pub fn text(value: &Value, depth: usize) -> Result<String, RecordError> {
    check(value, depth, "")?;
    serde_jcs::to_string(value).map_err(|error| RecordError::NotCanonical { why: error.to_string() })
}

/// Refuses what the record cannot hold. `pointer` is where `value` stands.
pub fn check(value: &Value, depth: usize, pointer: &str) -> Result<(), RecordError> {
    let refuse = |why| Err(RecordError::Value { pointer: pointer.to_owned(), why });
    match value {
        Value::Null => refuse("is null"),
        Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if (-MAX_INTEGER..=MAX_INTEGER).contains(&integer) => Ok(()),
            Some(_) => refuse("is an integer beyond 2^53 - 1"),
            None if number.is_u64() => refuse("is an integer beyond 2^53 - 1"),
            None => refuse("is not a whole number"),
        },
        Value::Array(_) | Value::Object(_) if depth == 0 => refuse("is nested too deep"),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(i, item)| check(item, depth - 1, &format!("{pointer}/{i}")))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            check(field, depth - 1, &format!("{pointer}/{name}"))
        }),
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
        fn reading_and_writing_again_gives_the_same_bytes(keys in proptest::collection::vec(any::<String>(), 0..6), number in -MAX_INTEGER..=MAX_INTEGER) {
            let object: serde_json::Map<String, Value> = keys.iter().map(|k| (k.clone(), json!([k, number]))).collect();
            let once = text(&Value::Object(object), 4).unwrap();
            let again: Value = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(text(&again, 4).unwrap(), once);
        }
    }
}
