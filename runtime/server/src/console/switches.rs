//! `/console/switches`: what is stopped, by whom and why; to set a switch, and to lift one.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use selvedge_engine::ports::store::RunId;
use selvedge_engine::switches::{Board, SWITCHES};
use selvedge_record::Event;
use serde::Serialize;

use crate::api;
use crate::api::switches::{SwitchRow, ToStop, Why};
use crate::app::App;
use crate::auth::Console;
use crate::error::ServerError;
use crate::pages::{Page, render};
use crate::timeline::{self, Line};

/// What can be stopped, in the order of the form.
const KINDS: [&str; 5] = ["channel", "connector", "vendor", "workflow", "tenant"];

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/switches", get(list).post(set)).route("/console/switches/{switch}/lift", post(lift))
}

/// All switches, and what was done to them.
#[derive(Serialize)]
pub(crate) struct Switches {
    person: String,
    /// The newest first.
    rows: Vec<SwitchRow>,
    /// Their record in words, the newest first.
    told: Vec<Line>,
    kinds: [&'static str; 5],
    may_kill: bool,
}

impl Page for Switches {
    const TEMPLATE: &'static str = "console_switches.html";
}

impl Switches {
    fn of(person: String, board: &Board, events: &[Event], may_kill: bool) -> Switches {
        let rows = board.switches().iter().rev().map(SwitchRow::of).collect();
        let told = events.iter().rev().map(timeline::in_words).collect();
        Switches { person, rows, told, kinds: KINDS, may_kill }
    }
}

async fn list(Console(staff): Console, State(app): State<Arc<App>>) -> Result<Response, ServerError> {
    let may_kill = app.may(&staff, "kill", "all", "");
    if !may_kill {
        app.authorize(&staff, "read", "all", "").await?;
    }
    let tenant = &staff.session.tenant;
    let board = app.engine.read_board(tenant).await?;
    let events = match board.epoch() {
        0 => Vec::new(),
        _ => app.engine.events(&RunId { tenant: tenant.clone(), interaction: SWITCHES.into() }).await?,
    };
    Ok(render(&app.frame, &Switches::of(staff.session.person, &board, &events, may_kill))?.into_response())
}

async fn set(
    Console(staff): Console,
    State(app): State<Arc<App>>,
    form: Result<Form<ToStop>, FormRejection>,
) -> Result<Response, ServerError> {
    let Form(ToStop { over, name, reason }) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    app.kill(&staff, &over, name.trim().to_owned(), &reason).await?;
    Ok(Redirect::to("/console/switches").into_response())
}

async fn lift(
    Console(staff): Console,
    State(app): State<Arc<App>>,
    Path(switch): Path<String>,
    form: Result<Form<Why>, FormRejection>,
) -> Result<Response, ServerError> {
    let Form(Why { reason }) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    app.lift(&staff, &switch, &reason).await?;
    Ok(Redirect::to("/console/switches").into_response())
}

#[cfg(test)]
pub(crate) mod samples {
    use selvedge_engine::ports::store::Stored;
    use selvedge_record::{Draft, Head};
    use serde_json::json;

    use super::*;

    pub(crate) fn switches() -> Vec<Switches> {
        let mut head = Head::start("clinic", SWITCHES);
        let told = [
            ("switch.set", json!({"scope": {"over": "channel", "name": "sms"}, "reason": "texts go out <b>twice</b>"})),
            ("switch.set", json!({"scope": {"over": "vendor", "name": "Northgate"}, "reason": "an outage there"})),
            ("switch.lifted", json!({"switch": "kill-1", "reason": "mended"})),
        ];
        let stored = told.into_iter().zip(0..).map(|((kind, data), n)| {
            let sealed = head.append(Draft::new(kind, 1_795_539_780_000_000 + n, "person:sam", data)).unwrap();
            Stored { seq: sealed.seq, canonical: sealed.canonical }
        });
        let record: Vec<Stored> = stored.collect();
        let events: Vec<Event> = record.iter().map(|stored| Event::parse(&stored.canonical).unwrap()).collect();
        let board = Board::fold("clinic", &record).unwrap();
        let none = Board::fold("clinic", &[]).unwrap();
        vec![
            Switches::of("sam".into(), &board, &events, true),
            Switches::of("noor".into(), &board, &events, false),
            Switches::of("sam".into(), &none, &[], true),
        ]
    }
}
