//! Why the server did not do what it was asked, as an enum, and as a problem details body (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use miette::Diagnostic;
use selvedge_engine::{EngineError, StoreError};
use selvedge_policy::Reason;
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::app::{MAX_BODY_BYTES, REQUEST_TIME};
use crate::auth::IDLE_LIMIT;

/// Why the server did not do what it was asked.
#[derive(Debug, Error, Diagnostic)]
pub enum ServerError {
    /// No session was named.
    #[error("nobody is signed in")]
    #[diagnostic(
        code(N801),
        help("send `Authorization: Bearer <token>`; the console asks for the token at `/console/login`")
    )]
    NoSession,
    /// The session is unknown, or at its end.
    #[error("the session is over: {why}")]
    #[diagnostic(code(N802), help("sign in again; a session ends after {} idle minutes", IDLE_LIMIT / 60_000_000))]
    SessionOver {
        /// Unknown, expired or idle.
        why: &'static str,
    },
    /// The session's device did not prove which one it is.
    #[error("the device `{device}` was not verified")]
    #[diagnostic(code(N803), help("sign in again from a device that was enrolled, or enrol this one"))]
    DeviceNotVerified {
        /// The device's id.
        device: String,
    },
    /// The access policy did not permit it.
    #[error("`{function}` may not `{action}`")]
    #[diagnostic(code(N804), help("{help}"))]
    Refused {
        /// The person's function.
        function: String,
        /// What they wanted to do.
        action: String,
        /// What would permit it: a fact, or a line.
        help: String,
        /// The decision's reasons.
        reasons: Vec<Reason>,
    },
    /// A request that makes no sense.
    #[error("the request cannot be read: {why}")]
    #[diagnostic(code(N805), help("`/openapi.json` says what each route takes"))]
    Unreadable {
        /// Why, without what was sent.
        why: String,
    },
    /// A body over the limit.
    #[error("the request is larger than {MAX_BODY_BYTES} bytes")]
    #[diagnostic(code(N806), help("send less at a time"))]
    TooLarge,
    /// No answer in time.
    #[error("there was no answer within {} seconds", REQUEST_TIME.as_secs())]
    #[diagnostic(code(N807), help("look at the interaction before you ask again: what was begun goes on by itself"))]
    TooSlow,
    /// An address that leads nowhere.
    #[error("there is nothing at this address")]
    #[diagnostic(code(N808), help("`/openapi.json` lists the routes"))]
    NoRoute,
    /// An address that takes other methods.
    #[error("this address does not take this method")]
    #[diagnostic(code(N809), help("`/openapi.json` lists the methods of each route"))]
    NoMethod,
    /// Too many tries.
    #[error("too many tries in one minute")]
    #[diagnostic(code(N810), help("wait a minute and try again"))]
    TooOften,
    /// A form that was sent from another site's page.
    #[error("this form was sent from another site")]
    #[diagnostic(code(N811), help("open the console itself and send the form from there"))]
    CrossSite,
    /// A webhook for a connection that takes none.
    #[error("there is no connection `{connection}` that takes webhooks")]
    #[diagnostic(
        code(N812),
        help("the address that the vendor calls ends in the connection's name, as its grant file has it")
    )]
    NoSuchConnection {
        /// As the address has it.
        connection: String,
    },
    /// A webhook that is not the vendor's.
    #[error("the signature of this webhook does not hold: {why}")]
    #[diagnostic(
        code(N813),
        help("see that the connection's webhook secret is the vendor's, and that both clocks are right")
    )]
    BadSignature {
        /// Missing, wrong or too old.
        why: String,
    },
    /// A webhook that its connector does not understand.
    #[error("connection `{connection}` could not read this webhook: {why}")]
    #[diagnostic(code(N814), help("the vendor may have changed its format: look for a newer connector"))]
    UnreadableWebhook {
        /// The connection.
        connection: String,
        /// The connector's word.
        why: String,
    },
    /// A page that could not be made: a defect of Selvedge itself.
    #[error("a page could not be made: {what}")]
    #[diagnostic(code(N815), help("this is a defect: report it with the code and this line"))]
    Page {
        /// What, free of values.
        what: String,
    },
    /// The engine's answer.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] EngineError),
}

impl From<StoreError> for ServerError {
    fn from(error: StoreError) -> ServerError {
        ServerError::Engine(error.into())
    }
}

impl ServerError {
    /// The status that tells a program what kind of thing went wrong.
    pub fn status(&self) -> StatusCode {
        match self {
            ServerError::NoSession | ServerError::SessionOver { .. } | ServerError::BadSignature { .. } => {
                StatusCode::UNAUTHORIZED
            }
            ServerError::DeviceNotVerified { .. } | ServerError::Refused { .. } | ServerError::CrossSite => {
                StatusCode::FORBIDDEN
            }
            ServerError::Unreadable { .. } | ServerError::UnreadableWebhook { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ServerError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ServerError::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            ServerError::NoRoute | ServerError::NoSuchConnection { .. } => StatusCode::NOT_FOUND,
            ServerError::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            ServerError::TooOften => StatusCode::TOO_MANY_REQUESTS,
            ServerError::Page { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            ServerError::Engine(error) => engine_status(error),
        }
    }

    /// Which layer refused, where one did.
    fn layer(&self) -> Option<&'static str> {
        match self {
            ServerError::NoSession | ServerError::SessionOver { .. } | ServerError::DeviceNotVerified { .. } => {
                Some("session")
            }
            ServerError::Refused { .. } => Some("access policy"),
            ServerError::CrossSite => Some("origin"),
            ServerError::BadSignature { .. } => Some("webhook signature"),
            ServerError::Engine(EngineError::NoCall { .. }) => Some("contact rules"),
            _ => None,
        }
    }
}

fn engine_status(error: &EngineError) -> StatusCode {
    match error {
        EngineError::NoSuchInteraction { .. }
        | EngineError::NoSuchSwitch { .. }
        | EngineError::NeverSet { .. }
        | EngineError::NoCampaign { .. }
        | EngineError::NoSchedule { .. } => StatusCode::NOT_FOUND,
        EngineError::NotPublished { .. }
        | EngineError::NoSuchField { .. }
        | EngineError::BadValue { .. }
        | EngineError::NoSuchClass { .. }
        | EngineError::NoReason
        | EngineError::NothingToStop { .. }
        | EngineError::BadCampaign { .. }
        | EngineError::BadCondition { .. }
        | EngineError::Limit { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        EngineError::NotNow { .. }
        | EngineError::Stopped { .. }
        | EngineError::StoppedAlready { .. }
        | EngineError::CampaignThere { .. }
        | EngineError::CampaignNot { .. }
        | EngineError::CannotHandOver { .. }
        | EngineError::CannotMove { .. } => StatusCode::CONFLICT,
        EngineError::NotYours { .. } | EngineError::NoCall { .. } => StatusCode::FORBIDDEN,
        EngineError::NotReady { .. }
        | EngineError::Store(
            StoreError::Conflict { .. }
            | StoreError::Overtaken { .. }
            | StoreError::Stale { .. }
            | StoreError::Unavailable { .. },
        ) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A problem details body, `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:selvedge:error:<code>`; `runtime/docs/errors/<code>.md` is its page.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The code: `N804`.
    pub code: String,
    /// What went wrong this time.
    pub detail: String,
    /// How to mend it; for a refusal, the fact or the line that would permit it.
    pub help: String,
    /// Which layer refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The reasons of a refusal: rule, where it stands, facts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub reasons: Vec<Reason>,
}

impl From<&ServerError> for Problem {
    fn from(error: &ServerError) -> Problem {
        let status = error.status();
        let code = error.code().map_or_else(String::new, |code| code.to_string());
        // What broke inside is for the log; a stranger learns the code.
        let detail = if status.is_server_error() && !matches!(error, ServerError::TooSlow) {
            "the node could not do this now".to_owned()
        } else {
            error.to_string()
        };
        Problem {
            r#type: format!("urn:selvedge:error:{code}"),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            code,
            detail,
            help: error.help().map_or_else(String::new, |help| help.to_string()),
            layer: error.layer().map(str::to_owned),
            reasons: match error {
                ServerError::Refused { reasons, .. } | ServerError::Engine(EngineError::NoCall { reasons, .. }) => {
                    reasons.clone()
                }
                _ => Vec::new(),
            },
        }
    }
}

impl IntoResponse for ServerError {
    /// The problem as JSON. The response also carries the [`Problem`] itself, which the pages turn into HTML.
    fn into_response(self) -> Response {
        let problem = Problem::from(&self);
        if self.status().is_server_error() {
            tracing::error!(code = problem.code, error = %self, "a request failed");
        }
        let mut response = (self.status(), Json(&problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self, ServerError::NoSession | ServerError::SessionOver { .. }) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_layer_the_facts_and_the_line() {
        let reason: Reason = serde_json::from_value(serde_json::json!({
            "rule": "default", "cite": "", "verdict": {"kind": "deny"},
            "facts": {"function": "supervisor", "action": "export"},
            "says": "no line permits `supervisor` to `export`; this one would:\npermit (…);",
        }))
        .unwrap();
        let refused = ServerError::Refused {
            function: "supervisor".into(),
            action: "export".into(),
            help: reason.says.clone(),
            reasons: vec![reason],
        };
        insta::assert_snapshot!(serde_json::to_string_pretty(&Problem::from(&refused)).unwrap());
    }

    #[test]
    fn what_broke_inside_stays_inside() {
        let broken = ServerError::from(EngineError::Broken { what: "record `int_1` names `secret`".into() });
        let problem = Problem::from(&broken);
        assert_eq!((problem.status, problem.code.as_str()), (500, "E599"));
        assert_eq!(problem.detail, "the node could not do this now");
    }

    #[test]
    fn the_engine_s_answers_have_their_status() {
        let not_now = EngineError::NotNow { interaction: "int_1".into(), what: "a code".into(), at: "plan".into() };
        let away = StoreError::Unavailable { doing: "commit".into(), why: "disk full".into() };
        for (error, status, code) in [
            (ServerError::from(EngineError::NoSuchInteraction { interaction: "int_1".into() }), 404, "E501"),
            (EngineError::NotPublished { workflow: "w".into() }.into(), 422, "E502"),
            (not_now.into(), 409, "E504"),
            (away.into(), 503, "S602"),
        ] {
            let problem = Problem::from(&error);
            assert_eq!((problem.status, problem.code.as_str()), (status, code));
        }
    }
}
