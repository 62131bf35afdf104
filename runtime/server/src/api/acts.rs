//! `/v1/interactions/{id}/act`: people steer a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use selvedge_engine::Run;
use selvedge_engine::handoff::Handoff;
use selvedge_engine::operate::Act;
use selvedge_engine::run::step_of;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Body;
use super::standing::Standing;
use crate::app::App;
use crate::auth::Staff;
use crate::error::{Problem, ServerError};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(act)).routes(routes!(move_to)).routes(routes!(hand_over))
}

/// The acts, as the API and the console name them.
const ACTS: [&str; 6] = ["pause", "resume", "cancel", "retry", "done", "not-done"];

/// Whether an act makes sense now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Offer {
    /// The act.
    #[schema(example = "pause")]
    pub act: String,
    /// Why it does not.
    pub not_now: Option<String>,
}

/// All acts, with why one makes no sense where the run stands.
pub(crate) fn offers(run: &Run) -> Vec<Offer> {
    // Of several effects that wait for a person the request says which one it decides.
    let waiting =
        run.cursors.iter().find(|cursor| cursor.needs_person().is_some()).map(|cursor| step_of(&cursor.place));
    let waiting = waiting.as_deref();
    let offer = |word: &str| {
        let act = Act::named(word, "").map(|act| match (&act, waiting) {
            (Act::Done(_) | Act::NotDone, Some(step)) => Act::At(step.to_owned(), Box::new(act)),
            _ => act,
        });
        let not_now = act.and_then(|act| run.allows(&act).err());
        Offer { act: word.to_owned(), not_now: not_now.map(str::to_owned) }
    };
    ACTS.into_iter().map(offer).collect()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToDo {
    /// `pause`, `resume`, `cancel`, `retry`; `done` and `not-done` decide the effect that waits for a person.
    #[schema(example = "pause")]
    pub act: String,
    /// Why; it stands in the record with your name.
    pub reason: String,
    /// For `done`: the vendor's reference.
    #[serde(default)]
    pub reference: String,
    /// For `done` and `not-done`, where several effects wait for a person: the step of the one that is decided.
    #[serde(default)]
    pub step: String,
}

/// Pauses a run, resumes, cancels or retries it, or decides what became of an effect
#[utoipa::path(
    post, path = "/v1/interactions/{id}/act", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = ToDo,
    responses(
        (status = 200, description = "Where it stands now", body = Standing),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: it makes no sense now"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E505, E511, N805"),
    )
)]
async fn act(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(to_do): Body<ToDo>,
) -> Result<Json<Standing>, ServerError> {
    let run = app.operate(&staff, &id, to_do).await?;
    Ok(Json(Standing::of(&run, &app.engine.events(&run.id).await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToMove {
    /// `latest`, or the digest of a definition of its workflow that was published.
    #[schema(example = "latest")]
    to: String,
    /// Why; it stands in the record with your name.
    reason: String,
}

/// Moves a run to another definition of its workflow, in which it goes on where it stands
#[utoipa::path(
    post, path = "/v1/interactions/{id}/move", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = ToMove,
    responses(
        (status = 200, description = "Where it stands now", body = Standing),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: it is over. E525: it cannot go on there"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E505, E511, N805"),
    )
)]
async fn move_to(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(ToMove { to, reason }): Body<ToMove>,
) -> Result<Json<Standing>, ServerError> {
    let (id, _) = app.interaction(&staff, "move", &id).await?;
    let run = app.engine.operate(&id, Act::Move(to), &reason, staff.who()).await?;
    tracing::info!(session = staff.session.id, interaction = id.interaction, to = run.controls, "a run was moved");
    Ok(Json(Standing::of(&run, &app.engine.events(&run.id).await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToHandOver {
    /// The channel in which it goes on, where the workflow waits for that: `call`, `chat`.
    #[schema(example = "call")]
    channel: Option<String>,
    /// The colleague who takes it over.
    #[schema(example = "ben")]
    agent: Option<String>,
    /// Why; it stands in the record with your name.
    reason: String,
}

/// Hands an interaction over to another channel, to another agent, or both. What is carried stands in the record
#[utoipa::path(
    post, path = "/v1/interactions/{id}/handoff", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = ToHandOver,
    responses(
        (status = 200, description = "Where it stands now", body = Standing),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function, or not your interaction"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: it is over. E526: not to this channel, not now"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E505, E511, N805"),
    )
)]
async fn hand_over(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(ToHandOver { channel, agent, reason }): Body<ToHandOver>,
) -> Result<Json<Standing>, ServerError> {
    let (id, _) = app.interaction(&staff, "hand-over", &id).await?;
    let run = app.engine.operate(&id, Act::Handoff(Handoff { channel, agent }), &reason, staff.who()).await?;
    tracing::info!(session = staff.session.id, interaction = id.interaction, "an interaction was handed over");
    Ok(Json(Standing::of(&run, &app.engine.events(&run.id).await?)))
}

impl App {
    /// Does an act, for the API and the console.
    pub(crate) async fn operate(&self, staff: &Staff, id: &str, to_do: ToDo) -> Result<Run, ServerError> {
        let (id, _) = self.interaction(staff, "operate", id).await?;
        let unreadable = || ServerError::Unreadable { why: format!("`act` is one of {}", ACTS.join(", ")) };
        let act = Act::named(&to_do.act, &to_do.reference).ok_or_else(unreadable)?;
        let act = if to_do.step.is_empty() { act } else { Act::At(to_do.step, Box::new(act)) };
        let run = self.engine.operate(&id, act, &to_do.reason, staff.who()).await?;
        tracing::info!(session = staff.session.id, interaction = id.interaction, act = to_do.act, "a run was steered");
        Ok(run)
    }
}
