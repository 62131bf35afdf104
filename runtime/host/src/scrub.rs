//! Takes secrets out of what comes back: the credential, and every value that the call put into a request.
//!
//! A vendor that echoes what it got must not become a `reveal`. A JSON reply is read and its texts and numbers are
//! cleaned one by one, so no way of escaping hides a value; other replies are cleaned as text. A value is found
//! plain, percent-, form- and base64-encoded, and a number of eight or more digits also with separators in it
//! (`4242 4242 4242 4242`, a phone number without its country code).
//!
//! A value of fewer than [`SHORT`] characters (a security code, a month, a year) is removed only where it is a whole
//! JSON text or number: inside a longer word it is more often a part of an id than an echo. A vendor that wants to
//! smuggle a value past this can encode it in ways that nobody foresees; the grant says which vendor gets it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::egress::body::percent_encode;

/// Values from this length on are removed wherever they stand.
pub const SHORT: usize = 6;
/// The longest reason that a connector can give, in characters.
const MAX_WORDS: usize = 256;

/// Knows what to remove.
pub(crate) struct Scrubber {
    secrets: Vec<Secret>,
}

struct Secret {
    /// `[removed:patient.mobile]`.
    mark: String,
    value: Zeroizing<String>,
    /// The value in each of its encodings; empty for a short one.
    forms: Vec<Zeroizing<String>>,
    /// The digits by which a long number is known; empty for other values.
    digits: Zeroizing<String>,
}

impl Scrubber {
    /// For these values, by the paths of their fields.
    pub fn new<'a>(
        fields: impl Iterator<Item = (&'a str, &'a SecretString)>,
        credential: Option<&'a SecretString>,
    ) -> Self {
        let credential = credential.map(|secret| ("credential", secret));
        let mut secrets: Vec<Secret> =
            fields.chain(credential).filter_map(|(name, value)| Secret::new(name, value)).collect();
        // The longest first, so that a message is removed as a whole before a number that stands in it.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.value.len()));
        Self { secrets }
    }

    /// A reply's body.
    pub fn body(&self, body: &[u8]) -> Vec<u8> {
        if let Ok(json) = serde_json::from_slice::<Value>(body) {
            return self.json(json).to_string().into_bytes();
        }
        self.text(&String::from_utf8_lossy(body)).into_bytes()
    }

    /// Any text.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            for form in &secret.forms {
                if text.contains(form.as_str()) {
                    text = text.replace(form.as_str(), &secret.mark);
                }
            }
            if !secret.digits.is_empty() {
                text = without_digits(&text, &secret.digits, &secret.mark);
            }
        }
        text
    }

    fn json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.token(&text).unwrap_or_else(|| self.text(&text))),
            Value::Number(number) => {
                let written = number.to_string();
                let cleaned = self.token(&written).unwrap_or_else(|| self.text(&written));
                if cleaned == written { Value::Number(number) } else { Value::String(cleaned) }
            }
            Value::Array(items) => items.into_iter().map(|item| self.json(item)).collect(),
            Value::Object(members) => {
                let cleaned = members.into_iter().map(|(name, value)| (self.text(&name), self.json(value)));
                Value::Object(cleaned.collect::<Map<_, _>>())
            }
            other => other,
        }
    }

    /// The mark, when the whole token is a value. `07` is also told as `7`.
    fn token(&self, token: &str) -> Option<String> {
        let plain = |text: &str| text.trim_start_matches('0').to_owned();
        let same =
            |secret: &&Secret| *secret.value == token || (is_digits(token) && plain(token) == plain(&secret.value));
        self.secrets.iter().find(same).map(|secret| secret.mark.clone())
    }
}

impl Secret {
    fn new(name: &str, value: &SecretString) -> Option<Self> {
        let value = Zeroizing::new(value.expose_secret().to_owned());
        if value.is_empty() {
            return None;
        }
        let mut secret =
            Secret { mark: format!("[removed:{name}]"), value, forms: Vec::new(), digits: Zeroizing::default() };
        if secret.value.chars().count() >= SHORT {
            secret.forms = forms(&secret.value);
            secret.digits = long_number(&secret.value);
        }
        Some(secret)
    }
}

fn forms(value: &str) -> Vec<Zeroizing<String>> {
    let percent = percent_encode(value);
    let form = percent.replace("%20", "+");
    let mut forms = vec![
        value.to_owned(),
        Value::from(value).to_string().trim_matches('"').to_owned(),
        with_lower_hex(&percent),
        with_lower_hex(&form),
        percent,
        form,
        STANDARD.encode(value),
        STANDARD_NO_PAD.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ];
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms.into_iter().map(Zeroizing::new).collect()
}

/// `%3a` for `%3A`.
fn with_lower_hex(percent: &str) -> String {
    let mut out = String::with_capacity(percent.len());
    let mut after_percent = 0;
    for c in percent.chars() {
        out.push(if after_percent > 0 { c.to_ascii_lowercase() } else { c });
        after_percent = if c == '%' { 2 } else { after_percent.max(1) - 1 };
    }
    out
}

/// The digits of a number of at least eight, without separators; of a longer one than ten that is written with `+`
/// the last ten, because a country code may be left out.
fn long_number(value: &str) -> Zeroizing<String> {
    let is_number = value.chars().all(|c| c.is_ascii_digit() || is_separator(c));
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    if !is_number || digits.len() < 8 {
        return Zeroizing::default();
    }
    let local = if value.starts_with('+') { digits.len().saturating_sub(10) } else { 0 };
    Zeroizing::new(digits[local..].to_owned())
}

/// Replaces each run of digits and separators that holds `digits`.
fn without_digits(text: &str, digits: &str, mark: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let run_end =
            rest[start..].find(|c: char| !c.is_ascii_digit() && !is_separator(c)).map_or(rest.len(), |end| start + end);
        let run = rest[start..run_end].trim_end_matches(is_separator);
        let only_digits: String = run.chars().filter(char::is_ascii_digit).collect();
        out.push_str(&rest[..start]);
        out.push_str(if only_digits.contains(digits) { mark } else { run });
        rest = &rest[start + run.len()..];
    }
    out.push_str(rest);
    out
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '(' | ')' | '+' | '\u{a0}')
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// A reason without control characters, cut to a length that a record can hold.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scrubber(fields: &[(&str, &str)]) -> Scrubber {
        let fields: Vec<_> = fields.iter().map(|(path, value)| (*path, SecretString::from(*value))).collect();
        let credential = SecretString::from("sk_live_9f8e7d");
        Scrubber::new(fields.iter().map(|(path, value)| (*path, value)), Some(&credential))
    }

    fn body(scrubber: &Scrubber, text: &str) -> String {
        String::from_utf8(scrubber.body(text.as_bytes())).unwrap()
    }

    #[test]
    fn an_echo_is_removed_however_it_is_escaped() {
        let s = scrubber(&[("patient.name", "Zoë \"Z\" O/Hara")]);
        for echo in [
            r#"{"name":"Zoë \"Z\" O/Hara"}"#,
            r#"{"name":"Zo\u00eb \u0022Z\" O\/Hara"}"#,
            r#"{"name":"Zo%C3%AB%20%22Z%22%20O%2FHara"}"#,
            r#"{"name":"Zo%c3%ab+%22Z%22+O%2fHara"}"#,
        ] {
            assert_eq!(body(&s, echo), r#"{"name":"[removed:patient.name]"}"#, "{echo}");
        }
        assert_eq!(body(&s, "sorry, Zoë \"Z\" O/Hara"), "sorry, [removed:patient.name]");
    }

    #[test]
    fn a_number_is_known_by_its_digits() {
        let s = scrubber(&[("card.number", "4242424242424242"), ("patient.mobile", "+12175550142")]);
        for echo in ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"] {
            assert_eq!(body(&s, &format!("no {echo}.")), "no [removed:card.number].");
        }
        assert_eq!(body(&s, r#"{"n":4242424242424242}"#), r#"{"n":"[removed:card.number]"}"#);
        for echo in ["+12175550142", "2175550142", "217.555.0142"] {
            assert!(!body(&s, echo).contains("0142"), "{echo}");
        }
        assert_eq!(body(&s, r#"{"last4":"4242","at":1767225600}"#), r#"{"last4":"4242","at":1767225600}"#);
    }

    #[test]
    fn a_short_value_is_removed_as_a_whole_token_only() {
        let s = scrubber(&[("card.code", "123"), ("card.expiry-month", "07")]);
        let echo = r#"{"cvc":"123","n":123,"month":7,"id":"ch_12345","amount":12300}"#;
        let clean = r#"{"cvc":"[removed:card.code]","n":"[removed:card.code]","month":"[removed:card.expiry-month]","id":"ch_12345","amount":12300}"#;
        assert_eq!(body(&s, echo), clean);
    }

    #[test]
    fn the_credential_is_removed() {
        let s = scrubber(&[]);
        assert_eq!(body(&s, r#"{"auth":"Bearer sk_live_9f8e7d"}"#), r#"{"auth":"Bearer [removed:credential]"}"#);
        assert_eq!(body(&s, &STANDARD.encode("sk_live_9f8e7d")), "[removed:credential]");
    }

    #[test]
    fn what_holds_no_secret_is_not_changed() {
        let s = scrubber(&[("patient.mobile", "+12175550142")]);
        let text = r#"{"data":{"id":"msg_0a1b2c3d4e5f60718293a4b5","status":"queued","list":[1,null,true,-2]}}"#;
        assert_eq!(body(&s, text), text);
    }

    proptest! {
        /// However a vendor's JSON library writes it, wherever it stands.
        #[test]
        fn no_json_text_holds_a_value_afterwards(
            value in "[A-Z0-9+@ \"\\\\/é]{6,24}",
            before in "\\PC{0,8}",
            after in "\\PC{0,8}",
            escape in any::<bool>(),
        ) {
            let text = format!("{before}{value}{after}");
            let written = if escape { escaped(&text) } else { Value::from(text.as_str()).to_string() };
            let cleaned = body(&scrubber(&[("a.b", &value)]), &format!("{{\"k\":[{written}]}}"));
            let cleaned: Value = serde_json::from_str(&cleaned).unwrap();
            prop_assert!(!cleaned["k"][0].as_str().unwrap().contains(&value), "{cleaned}");
        }
    }

    /// Every character as `\uXXXX`.
    fn escaped(text: &str) -> String {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    }
}
