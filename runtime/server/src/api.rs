//! The routes for colleagues' programs, under `/v1`. Every one takes a session and asks `App::authorize`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::{EngineError, Run};
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::auth::Staff;
use crate::error::ServerError;

pub mod acts;
pub mod campaigns;
pub mod decisions;
pub mod interactions;
pub mod schedules;
pub mod standing;
pub mod switches;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    interactions::routes()
        .merge(acts::routes())
        .merge(decisions::routes())
        .merge(campaigns::routes())
        .merge(schedules::routes())
        .merge(switches::routes())
}

/// A JSON body. What does not fit is refused without a word of what was sent.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = ServerError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Body<T>, ServerError> {
        let bytes = Bytes::from_request(request, app).await.map_err(|rejection| unreadable(rejection.status()))?;
        serde_json::from_slice(&bytes).map(Body).map_err(|error| ServerError::Unreadable { why: why(&error) })
    }
}

/// Where and why, but none of the words: they may be a customer's. Only the name of a missing field is ours.
fn why(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let missing = message.split(" at line").next().filter(|start| start.starts_with("missing field"));
    let problem = missing.unwrap_or("the body is not the JSON that this route takes");
    format!("{problem} (line {}, column {})", error.line(), error.column())
}

/// A body that did not arrive whole, or is over the limit.
pub(crate) fn unreadable(status: StatusCode) -> ServerError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return ServerError::TooLarge;
    }
    ServerError::Unreadable { why: "the body did not arrive whole".into() }
}

impl App {
    /// An interaction that this person may do `action` to. Who may not is not told whether it exists.
    pub(crate) async fn interaction(&self, staff: &Staff, action: &str, id: &str) -> Result<(RunId, Run), ServerError> {
        let id = RunId { tenant: staff.session.tenant.clone(), interaction: id.to_owned() };
        // What is no id is not looked up, logged or recorded: it may be anything, a card number too.
        if !id.is_well_formed() {
            self.authorize(staff, action, "unknown", "").await?;
            return Err(EngineError::NoSuchInteraction { interaction: "as asked for".into() }.into());
        }
        match self.engine.run_state(&id).await {
            Ok(run) => {
                self.authorize(staff, action, &id.interaction, &run.held_by).await?;
                Ok((id, run))
            }
            Err(error @ EngineError::NoSuchInteraction { .. }) => {
                self.authorize(staff, action, &id.interaction, "").await?;
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_repeated() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only its shape matters")]
        struct Code {
            code: String,
        }
        let why = |text: &str| why(&serde_json::from_str::<Code>(text).unwrap_err());
        assert_eq!(why("{}"), "missing field `code` (line 1, column 2)");
        assert_eq!(why("{\"code\": 4242}"), "the body is not the JSON that this route takes (line 1, column 13)");
        assert_eq!(why("4242424242424242"), "the body is not the JSON that this route takes (line 1, column 16)");
    }
}
