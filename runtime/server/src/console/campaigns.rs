//! `/console/campaigns`: how far each campaign is, and its three buttons.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Serialize;

use crate::api;
use crate::api::campaigns::{CampaignRow, ToSteer};
use crate::app::App;
use crate::auth::Console;
use crate::error::ServerError;
use crate::pages::{self, render};

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/campaigns", get(list)).route("/console/campaigns/{campaign}/act", post(act))
}

async fn list(Console(staff): Console, State(app): State<Arc<App>>) -> Result<Response, ServerError> {
    let rows = app.campaigns(&staff).await?;
    let may_steer = app.may(&staff, "campaign", "all", "");
    Ok(render(&app.frame, &Campaigns { person: staff.session.person, rows, may_steer })?.into_response())
}

async fn act(
    Console(staff): Console,
    State(app): State<Arc<App>>,
    Path(campaign): Path<String>,
    form: Result<Form<ToSteer>, FormRejection>,
) -> Result<Response, ServerError> {
    let Form(to_steer) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    app.steer_campaign(&staff, &campaign, to_steer).await?;
    Ok(Redirect::to("/console/campaigns").into_response())
}

/// The list.
#[derive(Serialize)]
pub(crate) struct Campaigns {
    person: String,
    rows: Vec<CampaignRow>,
    may_steer: bool,
}

impl pages::Page for Campaigns {
    const TEMPLATE: &'static str = "console_campaigns.html";
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    fn row(stage: &'static str) -> CampaignRow {
        CampaignRow {
            campaign: format!("november-{stage}"),
            workflow: "healthcare-balance".into(),
            stage,
            condition: (stage == "going").then(|| "bill.due < '2026-11-01'".into()),
            per_minute: 30,
            at_once: 100,
            by: "person:sam (supervisor)".into(),
            at: "2026-11-23T16:04:00.000000Z".into(),
            held: (stage == "paused").then(|| "person:sam (supervisor): the text has a slip".into()),
            queued: 70,
            open: 1,
            waiting: 9,
            done: 15,
            refused: 4,
            failed: 1,
        }
    }

    pub(crate) fn lists() -> Vec<Campaigns> {
        let rows = || ["going", "paused", "stopped", "finished"].into_iter().map(row).collect();
        vec![
            Campaigns { person: "sam".into(), rows: rows(), may_steer: true },
            Campaigns { person: "maria".into(), rows: rows(), may_steer: false },
            Campaigns { person: "maria".into(), rows: Vec::new(), may_steer: true },
        ]
    }
}
