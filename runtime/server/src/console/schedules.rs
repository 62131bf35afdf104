//! `/console/schedules`: when workflows begin by themselves, and the button that pauses that.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Serialize;

use crate::api;
use crate::api::schedules::{ScheduleRow, ToHold};
use crate::app::App;
use crate::auth::Console;
use crate::error::ServerError;
use crate::pages::{self, render};

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/schedules", get(list)).route("/console/schedules/{schedule}/act", post(act))
}

async fn list(Console(staff): Console, State(app): State<Arc<App>>) -> Result<Response, ServerError> {
    let rows = app.schedules(&staff).await?;
    let may_hold = app.may(&staff, "schedule", "all", "");
    Ok(render(&app.frame, &Schedules { person: staff.session.person, rows, may_hold })?.into_response())
}

async fn act(
    Console(staff): Console,
    State(app): State<Arc<App>>,
    Path(schedule): Path<String>,
    form: Result<Form<ToHold>, FormRejection>,
) -> Result<Response, ServerError> {
    let Form(to_hold) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    app.hold_schedule(&staff, &schedule, to_hold).await?;
    Ok(Redirect::to("/console/schedules").into_response())
}

/// The list.
#[derive(Serialize)]
pub(crate) struct Schedules {
    person: String,
    rows: Vec<ScheduleRow>,
    may_hold: bool,
}

impl pages::Page for Schedules {
    const TEMPLATE: &'static str = "console_schedules.html";
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use crate::api::schedules::TimeRow;

    fn row(name: &str, paused: Option<&str>) -> ScheduleRow {
        let next = TimeRow { at: "2026-11-23T15:30:00.000000Z".into(), local: "2026-11-23 09:30 CST".into() };
        ScheduleRow {
            schedule: name.into(),
            workflow: "utility-past-due".into(),
            cron: "30 9 * * mon-fri".into(),
            zone: "America/Chicago".into(),
            condition: paused.is_none().then(|| "bill.due < '2026-11-01'".into()),
            missed: "last",
            overlap: "skip",
            next: (name != "never").then_some(next),
            seen: name != "new",
            paused: paused.map(str::to_owned),
            campaigns: if name == "morning" { vec!["morning.20261120t153000z".into()] } else { Vec::new() },
        }
    }

    pub(crate) fn lists() -> Vec<Schedules> {
        let paused = Some("person:sam (supervisor): <b>holiday</b>");
        let rows = || vec![row("morning", None), row("evening", paused), row("new", None), row("never", None)];
        vec![
            Schedules { person: "sam".into(), rows: rows(), may_hold: true },
            Schedules { person: "noor".into(), rows: rows(), may_hold: false },
            Schedules { person: "sam".into(), rows: Vec::new(), may_hold: true },
        ]
    }
}
