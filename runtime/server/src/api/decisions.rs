//! `/v1/interactions/{id}/question` and `/approval`: what colleagues decide in a run.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Body;
use crate::app::App;
use crate::auth::Staff;
use crate::error::{Problem, ServerError};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(tell)).routes(routes!(approve))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToTell {
    /// The step that asks.
    #[schema(example = "review")]
    step: String,
    /// One of its answers.
    #[schema(example = "hardship")]
    answer: String,
}

/// Answers the question of a step, as a colleague in the function that it asks
#[utoipa::path(
    post, path = "/v1/interactions/{id}/question", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = ToTell,
    responses(
        (status = 204, description = "Taken in"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804; E509: it is for others to decide"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: not this answer, not now"),
    )
)]
async fn tell(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(ToTell { step, answer }): Body<ToTell>,
) -> Result<StatusCode, ServerError> {
    let (id, _) = app.interaction(&staff, "decide", &id).await?;
    app.engine.answer_question(&id, &step, &answer, staff.who()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToApprove {
    /// The step that asks.
    #[schema(example = "second-look")]
    step: String,
    /// The terms that were looked at, as `approval.terms` names them.
    terms: String,
    /// Yes or no.
    approved: bool,
}

/// Approves the terms of an offer, or refuses them. Who opened the interaction cannot
#[utoipa::path(
    post, path = "/v1/interactions/{id}/approval", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = ToApprove,
    responses(
        (status = 204, description = "Taken in"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804; E509: it is for others to decide"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: not these terms, not now"),
    )
)]
async fn approve(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(ToApprove { step, terms, approved }): Body<ToApprove>,
) -> Result<StatusCode, ServerError> {
    let (id, _) = app.interaction(&staff, "decide", &id).await?;
    app.engine.approve(&id, &step, &terms, approved, staff.who()).await?;
    Ok(StatusCode::NO_CONTENT)
}
