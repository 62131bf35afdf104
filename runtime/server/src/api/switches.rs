//! `/v1/switches`: kill switches. Set one, see them, lift one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use selvedge_engine::switches::{Killed, Over, Scope, Switch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Body;
use super::standing::rfc3339;
use crate::app::App;
use crate::auth::Staff;
use crate::error::{Problem, ServerError};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, set)).routes(routes!(lift))
}

/// A kill switch.
#[derive(Debug, Serialize, ToSchema)]
pub struct SwitchRow {
    /// Its id.
    #[schema(example = "kill-3")]
    pub switch: String,
    /// What it stops.
    #[schema(example = "connector:brightline-sms")]
    pub stops: String,
    /// Who set it, and as what.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when, RFC 3339 UTC.
    pub since: String,
    /// Set when it was lifted.
    pub lifted: Option<LiftedRow>,
}

/// The end of a kill switch.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiftedRow {
    /// Who lifted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339 UTC.
    pub at: String,
}

impl SwitchRow {
    pub(crate) fn of(switch: &Switch) -> SwitchRow {
        let lifted = switch.lifted.as_ref();
        SwitchRow {
            switch: switch.id.clone(),
            stops: switch.scope.to_string(),
            by: switch.by.clone(),
            reason: switch.reason.clone(),
            since: rfc3339(switch.at),
            lifted: lifted.map(|l| LiftedRow { by: l.by.clone(), reason: l.reason.clone(), at: rfc3339(l.at) }),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToStop {
    /// `workflow`, `connector`, `vendor`, `channel` or `tenant`.
    #[schema(example = "connector")]
    pub over: String,
    /// Its name.
    #[schema(example = "brightline-sms")]
    pub name: String,
    /// Why; it stands in the record with your name.
    pub reason: String,
}

/// A switch that was set, and what was under way. Nothing within its reach leaves any more.
#[derive(Serialize, ToSchema)]
struct SwitchSet {
    /// The switch.
    switch: SwitchRow,
    /// Effects that had left before; their outcomes are in their records.
    left: Vec<String>,
    /// Effects that had been intended and did not leave.
    stopped: Vec<String>,
    /// Effects of which nobody said in time whether they left.
    unknown: Vec<String>,
}

impl SwitchSet {
    fn of(killed: Killed) -> SwitchSet {
        let under_way = killed.under_way;
        SwitchSet {
            switch: SwitchRow::of(&killed.switch),
            left: under_way.left,
            stopped: under_way.stopped,
            unknown: under_way.unknown,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// It stands in the record with your name.
    pub reason: String,
}

/// All kill switches, the newest first
#[utoipa::path(get, path = "/v1/switches", tag = "node", security(("session" = [])), responses((status = 200, body = Vec<SwitchRow>)))]
async fn list(staff: Staff, State(app): State<Arc<App>>) -> Result<Json<Vec<SwitchRow>>, ServerError> {
    app.authorize(&staff, "read", "all", "").await?;
    let board = app.engine.read_board(&staff.session.tenant).await?;
    Ok(Json(board.switches().iter().rev().map(SwitchRow::of).collect()))
}

/// Stops a workflow, a connector, a vendor, a channel or the tenant
#[utoipa::path(
    post, path = "/v1/switches", tag = "node", security(("session" = [])), request_body = ToStop,
    responses(
        (status = 201, description = "Set: nothing within its reach leaves any more", body = SwitchSet),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E513: stopped already"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E511, E512, N805"),
    )
)]
async fn set(
    staff: Staff,
    State(app): State<Arc<App>>,
    Body(ToStop { over, name, reason }): Body<ToStop>,
) -> Result<(StatusCode, Json<SwitchSet>), ServerError> {
    let killed = app.kill(&staff, &over, name, &reason).await?;
    Ok((StatusCode::CREATED, Json(SwitchSet::of(killed))))
}

/// Lifts a switch; what it halted goes on
#[utoipa::path(
    post, path = "/v1/switches/{switch}/lift", tag = "node", security(("session" = [])), params(("switch" = String, Path)),
    request_body = Why,
    responses(
        (status = 204, description = "Lifted"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "E514: no such switch"),
    )
)]
async fn lift(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(switch): Path<String>,
    Body(Why { reason }): Body<Why>,
) -> Result<StatusCode, ServerError> {
    app.lift(&staff, &switch, &reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl App {
    /// Sets a switch, for the API and the console.
    pub(crate) async fn kill(
        &self,
        staff: &Staff,
        over: &str,
        name: String,
        reason: &str,
    ) -> Result<Killed, ServerError> {
        self.authorize(staff, "kill", "all", "").await?;
        let unreadable =
            |()| ServerError::Unreadable { why: "`over` is workflow, connector, vendor, channel or tenant".into() };
        let scope = Scope { over: over.parse::<Over>().map_err(unreadable)?, name };
        let killed = self.engine.kill(&staff.session.tenant, scope, reason, &staff.who()).await?;
        tracing::warn!(session = staff.session.id, switch = killed.switch.id, "a kill switch was set");
        Ok(killed)
    }

    /// Lifts one.
    pub(crate) async fn lift(&self, staff: &Staff, switch: &str, reason: &str) -> Result<(), ServerError> {
        self.authorize(staff, "kill", "all", "").await?;
        self.engine.lift(&staff.session.tenant, switch, reason, &staff.who()).await?;
        tracing::warn!(session = staff.session.id, switch, "a kill switch was lifted");
        Ok(())
    }
}
