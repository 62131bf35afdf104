//! Writes a body from slots, so that escaping is the host's business and always right.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// What stands in a slot.
pub(crate) enum Content {
    Text(String),
    Number(i64),
    Secret(SecretString),
}

impl Content {
    fn as_text(&self) -> String {
        match self {
            Content::Text(text) => text.clone(),
            Content::Number(number) => number.to_string(),
            Content::Secret(value) => value.expose_secret().to_owned(),
        }
    }
}

/// A JSON object from pointers (RFC 6901) to its leaves. A number in a pointer is a member's name: there are no
/// arrays.
///
/// # Errors
/// The slot that is no pointer, is there twice, or lies below another.
pub(crate) fn json(entries: &[(String, Content)]) -> Result<Vec<u8>, String> {
    let mut root = Value::Object(Map::new());
    for (slot, content) in entries {
        let Some(path) = slot.strip_prefix('/') else { return Err(slot.clone()) };
        let mut place = &mut root;
        for name in path.split('/') {
            let Value::Object(members) = place else { return Err(slot.clone()) };
            place = members.entry(name.replace("~1", "/").replace("~0", "~")).or_insert(Value::Object(Map::new()));
        }
        // A leaf replaces an object that was made for it just now and is empty.
        if place.as_object().is_none_or(|members| !members.is_empty()) {
            return Err(slot.clone());
        }
        *place = match content {
            Content::Number(number) => Value::from(*number),
            text => Value::String(text.as_text()),
        };
    }
    Ok(root.to_string().into_bytes())
}

/// `application/x-www-form-urlencoded`, in the order given.
pub(crate) fn form(entries: &[(String, Content)]) -> Vec<u8> {
    let pair =
        |(name, content): &(String, Content)| format!("{}={}", form_encode(name), form_encode(&content.as_text()));
    entries.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes()
}

fn form_encode(text: &str) -> String {
    percent_encode(text).replace("%20", "+")
}

/// Everything but letters, digits and `-._~` as `%XX` (RFC 3986, section 2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(slot: &str, value: &str) -> (String, Content) {
        (slot.to_owned(), Content::Text(value.to_owned()))
    }

    #[test]
    fn slots_become_an_object_and_nothing_escapes_from_its_place() {
        let entries = [
            text("/to/number", "\"},{\"admin\":true"),
            ("/to/secret".into(), Content::Secret("a\"b".into())),
            ("/n".into(), Content::Number(-3)),
            text("/a~1b", "slash"),
        ];
        let body = String::from_utf8(json(&entries).unwrap()).unwrap();
        assert_eq!(body, r#"{"to":{"number":"\"},{\"admin\":true","secret":"a\"b"},"n":-3,"a/b":"slash"}"#);
    }

    #[test]
    fn a_slot_twice_or_below_another_is_refused() {
        for slots in [["/a", "/a"], ["/a", "/a/b"], ["/a/b", "/a"], ["/a", "b"], ["/a", ""]] {
            assert!(json(&slots.map(|slot| text(slot, "x"))).is_err(), "{slots:?}");
        }
    }

    #[test]
    fn a_form_value_cannot_add_a_field() {
        let entries = [text("card[cvc]", "1&amount=1"), text("name", "Zoë O Hara")];
        assert_eq!(form(&entries), b"card%5Bcvc%5D=1%26amount%3D1&name=Zo%C3%AB+O+Hara");
    }
}
