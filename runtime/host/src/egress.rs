//! The one door out. A request names a connection, never a URL; [`rules`] decide whether it was granted, this
//! module adds the credential, puts values into their slots ([`body`]), sends it to that one host and
//! takes secrets out of the reply.
//!
//! Absent on purpose: redirects, proxies, cookies, decompression, and headers of the connector's own choice.

pub(crate) mod body;
pub(crate) mod rules;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Url};
use secrecy::ExposeSecret;
use selvedge_engine::ports::{Access, Refusal};
use tokio::time::Instant;

use crate::bindings::egress::{Request, Response, SendError};
use crate::connection::Connection;
use crate::egress::rules::Allowed;
use crate::state::State;

/// The largest reply that is read.
pub const MAX_REPLY: usize = 64 << 10;
/// The requests that one call may try.
pub const MAX_REQUESTS: usize = 8;
/// A connection is there within this time or not at all.
const CONNECT: Duration = Duration::from_secs(3);
/// Kept back of a call's time, so that the connector can still say what a missing answer means.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// The headers of a reply that a connector sees.
const REPLY_HEADERS: [&str; 4] = ["content-type", "retry-after", "x-request-id", "request-id"];

/// Makes the client that all connectors share.
///
/// # Errors
/// TLS cannot be set up on this machine.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .user_agent("selvedge")
        .build()
}

/// Sends a request, if it is granted.
pub(crate) async fn send(state: &mut State, request: Request) -> Result<Response, SendError> {
    state.sends += 1;
    if state.sends > MAX_REQUESTS + 1 {
        // The first one too many is in the record already; a thousand more would only fill it.
        return Err(SendError::Denied(format!("H730: more than {MAX_REQUESTS} requests in one call")));
    }
    let allowed = match judge(state, request) {
        Ok(allowed) => allowed,
        Err(refusal) => return Err(SendError::Denied(state.refuse(refusal))),
    };
    // INVARIANT: a granted connection was checked to be there when the connector was loaded.
    let Some(connection) = state.connector.connections.get(&allowed.connection).cloned() else {
        return Err(SendError::Unreachable("the connection is not configured".into()));
    };

    // From here on a field may have left, whatever becomes of the call, unless the connection is never made.
    let before = (state.accesses.len(), state.left);
    state.accesses.extend(allowed.accesses.iter().cloned());
    (state.left, state.unanswered) = (true, true);
    let time = state.deadline.saturating_duration_since(Instant::now()).saturating_sub(LAST_WORDS);
    match exchange(&state.client, &connection, allowed, time).await {
        Ok(raw) => {
            state.unanswered = false;
            let scrubber = state.scrubber(Some(&connection.credential));
            let headers = raw.headers.into_iter().map(|(name, value)| (name, scrubber.text(&value))).collect();
            Ok(Response { status: raw.status, headers, body: scrubber.body(&raw.body) })
        }
        Err(SendError::Unreachable(why)) => {
            state.accesses.truncate(before.0);
            (state.left, state.unanswered) = (before.1, false);
            Err(SendError::Unreachable(why))
        }
        Err(other) => Err(other),
    }
}

fn judge(state: &State, request: Request) -> Result<Allowed, Refusal> {
    if !state.way_out {
        let tried = format!("sending to `{}` while a webhook is read", request.connection);
        return Err(Refusal { missing: "nothing grants this: a webhook is read with no way out".into(), tried });
    }
    if state.sends > MAX_REQUESTS {
        let tried = format!("more than {MAX_REQUESTS} requests in one call");
        return Err(Refusal { missing: "nothing grants this: it is a limit".into(), tried });
    }
    rules::judge(&state.connector, &state.call, request, |handle| state.field(handle).cloned())
}

struct RawReply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

async fn exchange(client: &Client, to: &Connection, what: Allowed, time: Duration) -> Result<RawReply, SendError> {
    let not_sent = |why: &str| SendError::Unreachable(why.to_owned());
    let url = Url::parse(&format!("{}{}", to.base_url, what.path)).map_err(|_| not_sent("the URL is malformed"))?;
    let method = Method::from_bytes(what.method.as_bytes()).map_err(|_| not_sent("the method is malformed"))?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", to.credential.expose_secret()))
        .map_err(|_| not_sent("the credential cannot stand in a header"))?;
    bearer.set_sensitive(true);
    let mut request = client.request(method, url).timeout(time).header(AUTHORIZATION, bearer);
    for (name, value) in &what.headers {
        request = request.header(name, value);
    }
    if let Some((content_type, body)) = what.body {
        request = request.header(CONTENT_TYPE, content_type).body(body);
    }

    let mut reply = request.send().await.map_err(|error| explain(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > MAX_REPLY {
            return Err(SendError::NoAnswer(format!("the reply is longer than {MAX_REPLY} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let header = |name: &&str| Some(((*name).to_owned(), reply.headers().get(*name)?.to_str().ok()?.to_owned()));
    Ok(RawReply { status: reply.status().as_u16(), headers: REPLY_HEADERS.iter().filter_map(header).collect(), body })
}

/// Without the error's own words, which can hold the URL.
fn explain(error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::Unreachable("no connection could be made".into())
    } else if error.is_timeout() {
        SendError::NoAnswer("no answer in time".into())
    } else {
        SendError::NoAnswer("the connection broke before the answer was whole".into())
    }
}

/// What was used of a field, as the record keeps it.
pub(crate) fn access(field: &selvedge_engine::ports::Field, place: String) -> Access {
    Access { field: field.path.clone(), class: field.class.clone(), how: "egress".into(), place }
}
