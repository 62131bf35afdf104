//! Is this webhook the vendor's? Decided on the raw body, before any connector sees it.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use selvedge_engine::ports::{Micros, Webhook, WebhookFault};
use serde_json::Value;

/// How old, or how far ahead, a signature may be.
pub const TOLERANCE: Micros = 5 * 60 * 1_000_000;
/// The largest webhook that is read.
pub const MAX_WEBHOOK: usize = 64 << 10;

/// `timestamped-hmac`: HMAC-SHA256 in hex over `<seconds>.<raw body>`. Either the signature's header holds both
/// (`t=1767225600,v1=5f…`, where `v1` may come twice while the vendor changes its secret), or the seconds have a
/// header of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The header of the signature, in lower case.
    pub signature: String,
    /// The header of the seconds, where they have one.
    pub timestamp: Option<String>,
}

impl Scheme {
    /// Verifies a webhook.
    ///
    /// # Errors
    /// [`WebhookFault::BadSignature`] when it is missing, wrong, or older than [`TOLERANCE`] at `now`;
    /// [`WebhookFault::Unreadable`] when the body is too large.
    pub fn verify(&self, secret: &SecretString, webhook: &Webhook, now: Micros) -> Result<(), WebhookFault> {
        if webhook.body.len() > MAX_WEBHOOK {
            return Err(WebhookFault::Unreadable(format!("more than {MAX_WEBHOOK} bytes")));
        }
        let (seconds, signatures) = self.parts(webhook).ok_or_else(|| bad("missing or malformed"))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let mut signed = format!("{seconds}.").into_bytes();
        signed.extend_from_slice(&webhook.body);
        if !signatures.iter().any(|signature| hmac::verify(&key, &signed, signature).is_ok()) {
            return Err(bad("wrong"));
        }
        // Its age is believed only now that the signature over it is right.
        let made: Option<Micros> = seconds.parse().ok().and_then(|seconds: i64| seconds.checked_mul(1_000_000));
        match made.and_then(|made| now.checked_sub(made)) {
            Some(age) if age.abs() <= TOLERANCE => Ok(()),
            _ => Err(bad("more than 5 minutes from now")),
        }
    }

    /// The seconds as written and the signatures.
    fn parts<'a>(&self, webhook: &'a Webhook) -> Option<(&'a str, Vec<Vec<u8>>)> {
        let signature = header(webhook, &self.signature)?;
        let Some(timestamp) = &self.timestamp else {
            let parts = || signature.split(',').filter_map(|part| part.trim().split_once('='));
            let seconds = parts().find(|(name, _)| *name == "t")?.1;
            let signatures = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, hex)| hex::decode(hex).ok());
            return Some((seconds, signatures.collect()));
        };
        Some((header(webhook, timestamp)?, vec![hex::decode(signature).ok()?]))
    }
}

/// Where a customer's own message stands in the JSON of a webhook, and by which channel it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// `sms`.
    pub channel: String,
    /// The slot of the address that it came from, as a JSON pointer.
    pub sender: String,
    /// The slot of its words.
    pub words: String,
}

/// What was taken out of a webhook.
#[derive(Default)]
pub(crate) struct Taken {
    pub sender: Option<SecretString>,
    pub words: Option<SecretString>,
}

impl Messages {
    /// Takes a customer's address and words out of the body, so that no connector reads them: `null` stands where
    /// they stood. What stands there and is no text is taken out as well.
    ///
    /// # Errors
    /// [`WebhookFault::Unreadable`]: the body is not JSON, so nobody knows where they stand.
    pub(crate) fn take_out(&self, body: &[u8]) -> Result<(Vec<u8>, Taken), WebhookFault> {
        let not_json = |_| WebhookFault::Unreadable("it is not JSON".into());
        let mut body: Value = serde_json::from_slice(body).map_err(not_json)?;
        let mut take = |slot: &str| match body.pointer_mut(slot).map(Value::take) {
            Some(Value::String(text)) => Some(SecretString::from(text)),
            _ => None,
        };
        let taken = Taken { sender: take(&self.sender), words: take(&self.words) };
        Ok((body.to_string().into_bytes(), taken))
    }
}

/// A header that is there exactly once.
fn header<'a>(webhook: &'a Webhook, name: &str) -> Option<&'a str> {
    let mut found = webhook.headers.iter().filter(|(given, _)| given == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

fn bad(why: &str) -> WebhookFault {
    WebhookFault::BadSignature(format!("the signature is {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = 1_767_225_600_000_000;
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn sign(secret: &str, seconds: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hex::encode(hmac::sign(&key, &[format!("{seconds}.").as_bytes(), BODY].concat()))
    }

    fn check(scheme: &Scheme, headers: &[(&str, String)]) -> Result<(), WebhookFault> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let webhook = Webhook { connection: "v".into(), headers, body: BODY.to_vec() };
        scheme.verify(&SecretString::from("whsec"), &webhook, NOW)
    }

    fn one_header() -> Scheme {
        Scheme { signature: "northgate-signature".into(), timestamp: None }
    }

    fn two_headers() -> Scheme {
        Scheme { signature: "brightline-signature".into(), timestamp: Some("brightline-timestamp".into()) }
    }

    #[test]
    fn what_a_customer_wrote_is_taken_out_of_the_body() {
        let messages = Messages { channel: "sms".into(), sender: "/data/from".into(), words: "/data/text".into() };
        let read = |body: &str| {
            let (left, taken) = messages.take_out(body.as_bytes()).unwrap();
            let text = |taken: Option<SecretString>| taken.map(|text| text.expose_secret().to_owned());
            (String::from_utf8(left).unwrap(), text(taken.sender), text(taken.words))
        };
        let (from, stop) = (Some("+13125550142".to_owned()), Some("STOP".to_owned()));
        let inbound = r#"{"data":{"from":"+13125550142","text":"STOP"},"id":"evt_1"}"#;
        let left = r#"{"data":{"from":null,"text":null},"id":"evt_1"}"#;
        assert_eq!(read(inbound), (left.into(), from.clone(), stop));
        // The same name twice hides nothing, and neither does another form.
        let twice = r#"{"data":{"from":["+13125550142"],"text":"one","text":"two"},"id":"evt_1"}"#;
        assert_eq!(read(twice), (left.into(), None, Some("two".into())));
        let report = r#"{"data":{"client_ref":"int_1.code.1"},"id":"evt_1"}"#;
        assert_eq!(read(report), (report.into(), None, None));
        assert!(messages.take_out(b"from=%2B13125550142&text=STOP").is_err());
    }

    #[test]
    fn both_header_forms_are_understood() {
        let now = NOW / 1_000_000;
        let good = sign("whsec", now);
        assert_eq!(check(&one_header(), &[("northgate-signature", format!("t={now},v1={good}"))]), Ok(()));
        let headers = [("brightline-signature", good), ("brightline-timestamp", now.to_string())];
        assert_eq!(check(&two_headers(), &headers), Ok(()));
    }

    #[test]
    fn while_a_secret_changes_either_signature_counts() {
        let now = NOW / 1_000_000;
        let both = format!("t={now},v1={},v1={}", sign("old", now), sign("whsec", now));
        assert_eq!(check(&one_header(), &[("northgate-signature", both)]), Ok(()));
    }

    #[test]
    fn a_forged_or_missing_signature_is_refused() {
        let now = NOW / 1_000_000;
        for value in [
            format!("t={now},v1={}", sign("guess", now)),
            format!("t={now},v1={}", sign("whsec", now - 1)),
            format!("t={now},v1="),
            format!("t={now}"),
            format!("v1={}", sign("whsec", now)),
            String::new(),
        ] {
            assert!(check(&one_header(), &[("northgate-signature", value.clone())]).is_err(), "{value}");
        }
        assert!(check(&one_header(), &[]).is_err());
        let twice = format!("t={now},v1={}", sign("whsec", now));
        let headers = [("northgate-signature", twice.clone()), ("northgate-signature", twice)];
        assert!(check(&one_header(), &headers).is_err());
    }

    #[test]
    fn a_signature_has_five_minutes_in_either_direction() {
        for (seconds, good) in [(-300, true), (-301, false), (300, true), (301, false)] {
            let at = NOW / 1_000_000 + seconds;
            let value = format!("t={at},v1={}", sign("whsec", at));
            assert_eq!(check(&one_header(), &[("northgate-signature", value)]).is_ok(), good, "{seconds}");
        }
    }
}
