//! `/v1/interactions`: open one, see where it stands, answer for the customer, take its evidence.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use selvedge_engine::ports::store::RunId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Body;
use super::standing::{Approval, Row, Standing};
use crate::app::App;
use crate::auth::Staff;
use crate::error::{Problem, ServerError};

/// How many interactions a list shows when nobody says.
pub const DEFAULT_LIST: u32 = 50;
/// How many it shows at most.
pub const MAX_LIST: u32 = 500;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(open, list))
        .routes(routes!(show))
        .routes(routes!(events))
        .routes(routes!(give_code))
        .routes(routes!(answer))
        .routes(routes!(read))
        .routes(routes!(pack))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToOpen {
    /// The name of a published workflow.
    #[schema(example = "healthcare-balance")]
    workflow: String,
    /// The customer's id.
    #[schema(example = "c_1")]
    customer: String,
    /// How the customer got in touch.
    #[schema(example = "call")]
    channel: String,
}

#[derive(Serialize, ToSchema)]
struct Opened {
    /// The interaction's id.
    interaction: String,
}

/// Opens an interaction and starts its run
#[utoipa::path(
    post, path = "/v1/interactions", tag = "interactions", security(("session" = [])), request_body = ToOpen,
    responses(
        (status = 201, description = "Opened, durably", body = Opened),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "N801, N802: no session"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N803, N804, E515: refused, with the reasons"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E502, E503, N805"),
    )
)]
async fn open(
    staff: Staff,
    State(app): State<Arc<App>>,
    Body(to_open): Body<ToOpen>,
) -> Result<(StatusCode, Json<Opened>), ServerError> {
    let who = staff.who();
    app.authorize(&staff, "open", "new", &who.actor).await?;
    let ToOpen { workflow, customer, channel } = to_open;
    let id = app.engine.open(&staff.session.tenant, &workflow, &customer, &channel, &who).await?;
    Ok((StatusCode::CREATED, Json(Opened { interaction: id.interaction })))
}

#[derive(Deserialize, IntoParams)]
struct HowMany {
    /// At most so many, 50 if not given, never more than 500.
    limit: Option<u32>,
}

/// Lists interactions, newest first
#[utoipa::path(
    get, path = "/v1/interactions", tag = "interactions", security(("session" = [])), params(HowMany),
    responses((status = 200, body = Vec<Row>))
)]
async fn list(
    staff: Staff,
    State(app): State<Arc<App>>,
    how_many: Result<Query<HowMany>, QueryRejection>,
) -> Result<Json<Vec<Row>>, ServerError> {
    let Query(HowMany { limit }) = how_many.map_err(|_| unreadable("`limit` is not a number"))?;
    app.authorize(&staff, "read", "all", "").await?;
    let limit = limit.unwrap_or(DEFAULT_LIST).min(MAX_LIST);
    let listed = app.engine.list(&staff.session.tenant, limit).await?;
    Ok(Json(listed.iter().map(Row::of).collect()))
}

/// Says where an interaction stands
#[utoipa::path(
    get, path = "/v1/interactions/{id}", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    responses(
        (status = 200, body = Standing),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "E501"),
    )
)]
async fn show(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Standing>, ServerError> {
    let (id, run) = app.interaction(&staff, "read", &id).await?;
    Ok(Json(Standing::of(&run, &app.engine.events(&id).await?)))
}

/// The events of the record, in order, each as the record has it
#[utoipa::path(
    get, path = "/v1/interactions/{id}/events", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Vec<serde_json::Value>, description = "CloudEvents in canonical JSON"))
)]
async fn events(staff: Staff, State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, ServerError> {
    let (id, _) = app.interaction(&staff, "read", &id).await?;
    let record = app.engine.store().record(&id).await?;
    let canonical: Vec<&str> = record.iter().map(|stored| stored.canonical.as_str()).collect();
    Ok(([(header::CONTENT_TYPE, "application/json")], format!("[{}]", canonical.join(","))).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenCode {
    /// As the customer read it out.
    #[schema(example = "123456")]
    code: String,
}

#[derive(Serialize, ToSchema)]
struct Matched {
    /// Whether it was the code.
    matched: bool,
}

/// Gives a code that the customer read out
#[utoipa::path(
    post, path = "/v1/interactions/{id}/code", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = GivenCode,
    responses(
        (status = 200, body = Matched),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: no code is awaited"),
    )
)]
async fn give_code(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(GivenCode { code }): Body<GivenCode>,
) -> Result<Json<Matched>, ServerError> {
    let (id, _) = app.interaction(&staff, "signal", &id).await?;
    let matched = app.engine.give_code(&id, &code, Some(staff.who())).await?;
    Ok(Json(Matched { matched }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenAnswer {
    /// The step that made the offer.
    #[schema(example = "plan")]
    step: String,
    /// The customer's yes or no.
    accepted: bool,
    /// The terms that were read out, as `offers[].terms` names them.
    terms: String,
}

/// Passes on the customer's answer to an offer
#[utoipa::path(
    post, path = "/v1/interactions/{id}/answer", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = GivenAnswer,
    responses(
        (status = 204, description = "Taken in"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: not this answer, not now"),
    )
)]
async fn answer(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(GivenAnswer { step, accepted, terms }): Body<GivenAnswer>,
) -> Result<StatusCode, ServerError> {
    let (id, _) = app.interaction(&staff, "signal", &id).await?;
    app.engine.answer(&id, &step, accepted, &terms, staff.who()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToRead {
    /// The step that disclosed or offered something.
    #[schema(example = "owed")]
    step: String,
}

#[derive(Serialize, ToSchema)]
struct ReadValue {
    /// `owed/account.balance`
    name: String,
    /// In words.
    value: String,
}

#[derive(Serialize, ToSchema)]
struct ReadValues {
    values: Vec<ReadValue>,
}

/// The values that a step disclosed. The look is in the record before it is granted
#[utoipa::path(
    post, path = "/v1/interactions/{id}/read", tag = "interactions", security(("session" = [])), params(("id" = String, Path)),
    request_body = ToRead,
    responses(
        (status = 200, body = ReadValues),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E504: it disclosed nothing"),
    )
)]
async fn read(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(ToRead { step }): Body<ToRead>,
) -> Result<Json<ReadValues>, ServerError> {
    let action = app.looking_at(&staff, &id, &step).await;
    let (id, _) = app.interaction(&staff, action, &id).await?;
    let values = app.engine.read(&id, &step, staff.who()).await?;
    let values = values.into_iter().map(|(name, value)| ReadValue { name, value }).collect();
    Ok(Json(ReadValues { values }))
}

impl App {
    /// Terms that a colleague is asked to approve are seen to be decided on, by those who are asked; anything else is
    /// seen as disclosed.
    async fn looking_at(&self, staff: &Staff, id: &str, step: &str) -> &'static str {
        let id = RunId { tenant: staff.session.tenant.clone(), interaction: id.to_owned() };
        let run = if id.is_well_formed() { self.engine.run_state(&id).await.ok() } else { None };
        let approved = run.as_ref().and_then(|run| Standing::of(run, &[]).approval);
        let asked = |approval: &Approval| approval.about == step && approval.of == staff.session.function;
        if approved.is_some_and(|approval| asked(&approval)) { "decide" } else { "see-disclosed" }
    }
}

/// The longest name of a class.
const MAX_CLASS: usize = 16;

#[derive(Deserialize, IntoParams)]
struct ToPack {
    /// Classes whose sealed values are opened in the file, with commas between: `PHI,COMMS`.
    open: Option<String>,
}

/// The record as a file that verifies offline
#[utoipa::path(
    get, path = "/v1/interactions/{id}/pack", tag = "interactions", security(("session" = [])),
    params(("id" = String, Path), ToPack),
    responses((status = 200, body = String, content_type = "application/jsonl", description = "For `selvedge record verify`"))
)]
async fn pack(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<ToPack>, QueryRejection>,
) -> Result<Response, ServerError> {
    let Query(ToPack { open }) = query.map_err(|_| unreadable("`open` is not a list of classes"))?;
    let classes = open.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|class| !class.is_empty());
    app.pack(&staff, &id, classes.map(str::to_owned).collect()).await
}

impl App {
    /// The evidence file of an interaction, for the API and the console.
    pub(crate) async fn pack(&self, staff: &Staff, id: &str, open: Vec<String>) -> Result<Response, ServerError> {
        let (id, _) = self.interaction(staff, "export", id).await?;
        if open.iter().any(|class| class.len() > MAX_CLASS || !class.bytes().all(|b| b.is_ascii_uppercase())) {
            return Err(unreadable("`open` is not a list of classes"));
        }
        // Before the values are out: who opened which classes stands in the access record.
        let exported = json!({ "interaction": id.interaction, "opened": open });
        self.engine.note(&id.tenant, &staff.who(), "record.exported", exported).await?;
        let pack = self.engine.export(&id, &open).await?;
        let session = staff.session.id.as_str();
        tracing::info!(session, interaction = id.interaction, opened = open.join(","), "a record was exported");
        let name = format!("attachment; filename=\"{}.jsonl\"", id.interaction);
        let headers = [(header::CONTENT_TYPE, "application/jsonl"), (header::CONTENT_DISPOSITION, name.as_str())];
        Ok((headers, pack).into_response())
    }
}

fn unreadable(why: &str) -> ServerError {
    ServerError::Unreadable { why: why.into() }
}
