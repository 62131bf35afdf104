//! `/v1/campaigns`: start one, see how far it is, pause, resume and stop it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use selvedge_engine::campaign::{Act, Campaign, Plan};
use selvedge_engine::ports::campaigns::Progress;
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
    OpenApiRouter::new().routes(routes!(list, start)).routes(routes!(show)).routes(routes!(act))
}

/// How many campaigns a list shows.
const MAX_LIST: u32 = 500;

/// A campaign, and how far it came.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignRow {
    /// Its name.
    #[schema(example = "november")]
    pub campaign: String,
    /// The workflow that it opens.
    #[schema(example = "healthcare-balance")]
    pub workflow: String,
    /// `listing`, `going`, `paused`, `stopped` or `finished`.
    pub stage: &'static str,
    /// The condition that chose its customers, where they were no list.
    pub condition: Option<String>,
    /// Customers taken up within a minute, at most.
    pub per_minute: u32,
    /// Interactions open at a time, at most.
    pub at_once: u32,
    /// Who started it.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Who paused or stopped it, and why.
    pub held: Option<String>,
    /// Customers on the list.
    pub queued: u64,
    /// Customers of whom something is being done.
    pub open: u64,
    /// Customers whose interaction waits.
    pub waiting: u64,
    /// Customers who came to their end.
    pub done: u64,
    /// Customers whom a rule refused.
    pub refused: u64,
    /// Customers with whom it failed.
    pub failed: u64,
}

impl CampaignRow {
    pub(crate) fn of((campaign, progress): (Campaign, Progress)) -> CampaignRow {
        let Progress { queued, open, waiting, done, refused, failed } = progress;
        CampaignRow {
            campaign: campaign.name,
            workflow: campaign.plan.workflow,
            stage: campaign.stage.name(),
            condition: campaign.plan.customers,
            per_minute: campaign.plan.per_minute,
            at_once: campaign.plan.at_once,
            by: campaign.by,
            at: rfc3339(campaign.at),
            held: campaign.held.map(|(by, reason)| format!("{by}: {reason}")),
            queued,
            open,
            waiting,
            done,
            refused,
            failed,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToStart {
    /// Its name: lower-case letters, digits, `-` and `.`; used once.
    #[schema(example = "november")]
    campaign: String,
    /// The workflow that is opened with each customer.
    #[schema(example = "healthcare-balance")]
    workflow: String,
    /// The customers; longer lists come by `selvedge campaign start --list`.
    #[serde(default)]
    customers: Vec<String>,
    /// In their place: those for whom this holds.
    condition: Option<String>,
    /// Customers taken up within a minute, at most.
    per_minute: u32,
    /// Interactions open at a time, at most.
    at_once: u32,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToSteer {
    /// `pause`, `resume` or `stop`.
    #[schema(example = "pause")]
    pub act: String,
    /// Why; it stands in the record with your name.
    pub reason: String,
}

/// All campaigns, by name
#[utoipa::path(get, path = "/v1/campaigns", tag = "campaigns", security(("session" = [])), responses((status = 200, body = Vec<CampaignRow>)))]
async fn list(staff: Staff, State(app): State<Arc<App>>) -> Result<Json<Vec<CampaignRow>>, ServerError> {
    Ok(Json(app.campaigns(&staff).await?))
}

/// Starts a campaign: one interaction with each customer, at a pace
#[utoipa::path(
    post, path = "/v1/campaigns", tag = "campaigns", security(("session" = [])), request_body = ToStart,
    responses(
        (status = 201, description = "Started", body = CampaignRow),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E530: there is one of this name"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E502, E532, E533, N805"),
    )
)]
async fn start(
    staff: Staff,
    State(app): State<Arc<App>>,
    Body(to_start): Body<ToStart>,
) -> Result<(StatusCode, Json<CampaignRow>), ServerError> {
    app.authorize(&staff, "campaign", "all", "").await?;
    let ToStart { campaign, workflow, customers, condition, per_minute, at_once } = to_start;
    if customers.is_empty() == condition.is_none() {
        return Err(ServerError::Unreadable { why: "give either `customers` or `condition`".into() });
    }
    let plan = Plan { workflow, channel: "campaign".into(), per_minute, at_once, customers: condition, after: None };
    let tenant = &staff.session.tenant;
    app.engine.start_campaign(tenant, &campaign, plan, customers.into_iter(), &staff.who()).await?;
    Ok((StatusCode::CREATED, Json(CampaignRow::of(app.engine.campaign_progress(tenant, &campaign).await?))))
}

/// How far a campaign is
#[utoipa::path(
    get, path = "/v1/campaigns/{campaign}", tag = "campaigns", security(("session" = [])), params(("campaign" = String, Path)),
    responses(
        (status = 200, body = CampaignRow),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "E531: no such campaign"),
    )
)]
async fn show(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(campaign): Path<String>,
) -> Result<Json<CampaignRow>, ServerError> {
    app.authorize(&staff, "read", "all", "").await?;
    Ok(Json(CampaignRow::of(app.engine.campaign_progress(&staff.session.tenant, &campaign).await?)))
}

/// Pauses, resumes or stops a campaign; what is open goes on
#[utoipa::path(
    post, path = "/v1/campaigns/{campaign}/act", tag = "campaigns", security(("session" = [])), params(("campaign" = String, Path)),
    request_body = ToSteer,
    responses(
        (status = 200, description = "How far it is", body = CampaignRow),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "E531: no such campaign"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E534: it makes no sense now"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E511, N805"),
    )
)]
async fn act(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(campaign): Path<String>,
    Body(to_steer): Body<ToSteer>,
) -> Result<Json<CampaignRow>, ServerError> {
    app.steer_campaign(&staff, &campaign, to_steer).await?;
    Ok(Json(CampaignRow::of(app.engine.campaign_progress(&staff.session.tenant, &campaign).await?)))
}

impl App {
    /// All campaigns, for the API and the console.
    pub(crate) async fn campaigns(&self, staff: &Staff) -> Result<Vec<CampaignRow>, ServerError> {
        self.authorize(staff, "read", "all", "").await?;
        let campaigns = self.engine.campaigns(&staff.session.tenant, MAX_LIST).await?;
        Ok(campaigns.into_iter().map(CampaignRow::of).collect())
    }

    /// Pauses, resumes or stops one.
    pub(crate) async fn steer_campaign(
        &self,
        staff: &Staff,
        campaign: &str,
        ToSteer { act, reason }: ToSteer,
    ) -> Result<(), ServerError> {
        self.authorize(staff, "campaign", "all", "").await?;
        let unreadable = || ServerError::Unreadable { why: "`act` is pause, resume or stop".into() };
        let act = Act::named(&act).ok_or_else(unreadable)?;
        Ok(self.engine.steer_campaign(&staff.session.tenant, campaign, act, &reason, &staff.who()).await?)
    }
}
