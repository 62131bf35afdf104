//! `/v1/schedules`: when workflows begin by themselves, and pausing that.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use selvedge_engine::EngineError;
use selvedge_engine::schedule::Standing;
use selvedge_workflow::schedule::{Missed, Overlap, Schedule, Whom};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Body;
use super::standing::rfc3339;
use crate::app::App;
use crate::auth::Staff;
use crate::error::{Problem, ServerError};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(next)).routes(routes!(act))
}

/// How many times are told where nobody says how many.
const DEFAULT_TIMES: usize = 5;
/// How many times are told at most.
pub const MAX_TIMES: usize = 100;

/// A schedule, and where the nodes are with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleRow {
    /// Its name.
    #[schema(example = "morning-reminders")]
    pub schedule: String,
    /// The workflow that begins.
    #[schema(example = "utility-past-due")]
    pub workflow: String,
    /// When, in local time: minute, hour, day of the month, month, day of the week.
    #[schema(example = "30 9 * * mon-fri")]
    pub cron: String,
    /// Where that is.
    #[schema(example = "America/Chicago")]
    pub zone: String,
    /// The condition that chooses its customers, where it does not list them.
    pub condition: Option<String>,
    /// What becomes of times that nobody was there for: `skip`, `last` or `all`.
    pub missed: &'static str,
    /// What becomes of a time while the campaign before still goes: `skip`, `queue` or `allow`.
    pub overlap: &'static str,
    /// The next time.
    pub next: Option<TimeRow>,
    /// Whether a node has seen it: from then on it counts, and can be paused.
    pub seen: bool,
    /// Who paused it, and why.
    pub paused: Option<String>,
    /// The campaigns that began last.
    pub campaigns: Vec<String>,
}

/// A time of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimeRow {
    /// RFC 3339 UTC.
    pub at: String,
    /// As people there read it.
    #[schema(example = "2026-11-23 09:30 CST")]
    pub local: String,
}

impl TimeRow {
    fn of(schedule: &Schedule, at: i64) -> TimeRow {
        TimeRow { at: rfc3339(at), local: schedule.local(at) }
    }
}

impl ScheduleRow {
    pub(crate) fn of(schedule: &Schedule, standing: Option<Standing>, now: i64) -> ScheduleRow {
        let next = schedule.times(now).next().map(|at| TimeRow::of(schedule, at));
        let seen = standing.is_some();
        let (paused, campaigns) =
            standing.map_or_else(Default::default, |standing| (standing.paused, standing.campaigns));
        ScheduleRow {
            schedule: schedule.name.clone(),
            workflow: schedule.workflow.clone(),
            cron: schedule.cron.text().to_owned(),
            zone: schedule.zone.clone(),
            condition: match &schedule.whom {
                Whom::Where(condition) => Some(condition.clone()),
                Whom::Listed(_) => None,
            },
            missed: match schedule.missed {
                Missed::Skip => "skip",
                Missed::Last => "last",
                Missed::All(_) => "all",
            },
            overlap: match schedule.overlap {
                Overlap::Skip => "skip",
                Overlap::Queue => "queue",
                Overlap::Allow => "allow",
            },
            next,
            seen,
            paused: paused.map(|(by, reason)| format!("{by}: {reason}")),
            campaigns,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HowMany {
    /// How many times, 5 when left out, at most 100.
    count: Option<usize>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToHold {
    /// `pause` or `resume`.
    #[schema(example = "pause")]
    pub act: String,
    /// Why; it stands in the record with your name.
    pub reason: String,
}

/// All schedules, by name
#[utoipa::path(get, path = "/v1/schedules", tag = "campaigns", security(("session" = [])), responses((status = 200, body = Vec<ScheduleRow>)))]
async fn list(staff: Staff, State(app): State<Arc<App>>) -> Result<Json<Vec<ScheduleRow>>, ServerError> {
    Ok(Json(app.schedules(&staff).await?))
}

/// The next times of a schedule, if nobody pauses it
#[utoipa::path(
    get, path = "/v1/schedules/{schedule}/next", tag = "campaigns", security(("session" = [])),
    params(("schedule" = String, Path), HowMany),
    responses(
        (status = 200, body = Vec<TimeRow>),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "E535: no such schedule"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "N805: no such number of times"),
    )
)]
async fn next(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(schedule): Path<String>,
    many: Result<Query<HowMany>, QueryRejection>,
) -> Result<Json<Vec<TimeRow>>, ServerError> {
    app.authorize(&staff, "read", "all", "").await?;
    let count = many.ok().map(|Query(HowMany { count })| count.unwrap_or(DEFAULT_TIMES));
    let unreadable = || ServerError::Unreadable { why: format!("`count` is a number from 1 to {MAX_TIMES}") };
    let count = count.filter(|count| (1..=MAX_TIMES).contains(count)).ok_or_else(unreadable)?;
    let schedule = app.schedule(&schedule)?;
    Ok(Json(schedule.times(app.engine.now()).take(count).map(|at| TimeRow::of(schedule, at)).collect()))
}

/// Pauses or resumes a schedule; with what comes meanwhile it does as its `missed` says
#[utoipa::path(
    post, path = "/v1/schedules/{schedule}/act", tag = "campaigns", security(("session" = [])),
    params(("schedule" = String, Path)), request_body = ToHold,
    responses(
        (status = 200, description = "Where it is", body = ScheduleRow),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "N804: not your function"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "E535: no such schedule, or no node has seen it"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "E534: it makes no sense now"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "E511, N805"),
    )
)]
async fn act(
    staff: Staff,
    State(app): State<Arc<App>>,
    Path(schedule): Path<String>,
    Body(to_hold): Body<ToHold>,
) -> Result<Json<ScheduleRow>, ServerError> {
    app.hold_schedule(&staff, &schedule, to_hold).await?;
    let schedule = app.schedule(&schedule)?;
    let standing = app.engine.schedule(&staff.session.tenant, &schedule.name).await?;
    Ok(Json(ScheduleRow::of(schedule, standing, app.engine.now())))
}

impl App {
    /// All schedules, for the API and the console.
    pub(crate) async fn schedules(&self, staff: &Staff) -> Result<Vec<ScheduleRow>, ServerError> {
        self.authorize(staff, "read", "all", "").await?;
        let mut rows = Vec::new();
        for schedule in &self.schedules {
            let standing = self.engine.schedule(&staff.session.tenant, &schedule.name).await?;
            rows.push(ScheduleRow::of(schedule, standing, self.engine.now()));
        }
        Ok(rows)
    }

    /// Pauses or resumes one.
    pub(crate) async fn hold_schedule(
        &self,
        staff: &Staff,
        schedule: &str,
        ToHold { act, reason }: ToHold,
    ) -> Result<(), ServerError> {
        self.authorize(staff, "schedule", "all", "").await?;
        let pause = match act.as_str() {
            "pause" => true,
            "resume" => false,
            _ => return Err(ServerError::Unreadable { why: "`act` is pause or resume".into() }),
        };
        let name = &self.schedule(schedule)?.name;
        Ok(self.engine.pause_schedule(&staff.session.tenant, name, pause, &reason, &staff.who()).await?)
    }

    /// A schedule of this node. What is none is not repeated.
    fn schedule(&self, name: &str) -> Result<&Schedule, ServerError> {
        let unknown = || EngineError::NoSchedule { schedule: "as given".into() };
        Ok(self.schedules.iter().find(|schedule| schedule.name == name).ok_or_else(unknown)?)
    }
}
