//! A request to a connection, and what its answer means for the call.

use miniserde::Deserialize;

use crate::bindings::selvedge::connector::egress;
use crate::{Failure, Field, SendError, Value};

/// A request on its way. Slots are JSON pointers (`/to`) or form fields (`card[number]`); what stands in
/// them is a text, a number or a handle, and the host escapes it.
pub struct Request<'a> {
    connection: &'a str,
    method: &'a str,
    path: String,
    headers: Vec<(String, String)>,
    body: egress::Body<'a>,
}

impl<'a> Request<'a> {
    /// Asks `connection` for `path`.
    #[must_use]
    pub fn get(connection: &'a str, path: impl Into<String>) -> Self {
        Self { connection, method: "GET", path: path.into(), headers: Vec::new(), body: egress::Body::None }
    }

    /// Posts to `path` of `connection`.
    #[must_use]
    pub fn post(connection: &'a str, path: impl Into<String>) -> Self {
        Self { method: "POST", ..Self::get(connection, path) }
    }

    /// Gives the vendor the key by which it knows a repetition.
    #[must_use]
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Sets a header. The host lets `idempotency-key` and `accept` pass and refuses others.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Fills the slots of a JSON body.
    #[must_use]
    pub fn json(mut self, slots: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Self {
        self.body = egress::Body::Json(entries(slots));
        self
    }

    /// Fills the fields of a form.
    #[must_use]
    pub fn form(mut self, slots: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Self {
        self.body = egress::Body::Form(entries(slots));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// `denied` when it was not granted, `retry` when it certainly did not arrive, `unknown` when it may
    /// have.
    pub fn send(self) -> Result<Response, Failure> {
        let request = egress::Request {
            connection: self.connection.into(),
            method: self.method.into(),
            path: self.path,
            headers: self.headers,
            body: self.body,
        };
        match egress::send(&request) {
            Ok(response) => Ok(Response { status: response.status, body: response.body }),
            Err(SendError::Denied(grant)) => Err(Failure::Denied(grant)),
            Err(SendError::Unreachable(why)) => Err(Failure::Retry(why)),
            Err(SendError::NoAnswer(why)) => Err(Failure::Unknown(why)),
        }
    }
}

/// What the vendor answered, free of credentials and of the values that were sent.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON of this shape.
    ///
    /// # Errors
    /// `unknown`: the vendor answered, but not with what its documentation says.
    pub fn json<T: Deserialize>(&self) -> Result<T, Failure> {
        read(&self.body).ok_or_else(|| Failure::Unknown(format!("HTTP {} with an unexpected body", self.status)))
    }

    /// What a status that is not success means: 429 and 503 `retry` (not taken up), other 4xx `permanent`
    /// (refused), everything else `unknown`. 409 counts as unknown: a conflict says that something with
    /// this key exists, not what became of it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let said = format!("HTTP {}", self.status);
        match self.status {
            429 | 503 => Failure::Retry(said),
            408 | 409 => Failure::Unknown(said),
            400..=499 => Failure::Permanent(said),
            _ => Failure::Unknown(said),
        }
    }
}

/// Reads JSON of this shape; `None` when it is not.
#[must_use]
pub fn read<T: Deserialize>(body: &[u8]) -> Option<T> {
    miniserde::json::from_str(core::str::from_utf8(body).ok()?).ok()
}

/// A text as one value of a query: everything but letters, digits and `-._~` is percent-encoded.
#[must_use]
pub fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

fn entries<'a>(slots: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Vec<egress::Entry<'a>> {
    slots.into_iter().map(|(slot, value)| egress::Entry { slot: slot.into(), value }).collect()
}

impl<'a> From<&'a Field> for Value<'a> {
    fn from(field: &'a Field) -> Self {
        Value::Handle(field)
    }
}

impl From<&str> for Value<'_> {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}
