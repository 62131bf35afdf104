//! `/console`: the list of interactions and the story of one. A colleague signs in with a token, by a form, so
//! that it stands in no address; the session is then a cookie that only `/console` gets.

pub(crate) mod campaigns;
pub(crate) mod schedules;
pub(crate) mod switches;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use selvedge_engine::ports::Access;
use selvedge_engine::{EngineError, Fact};
use selvedge_policy::{Decision, Verdict};
use selvedge_record::Event;
use serde::{Deserialize, Serialize};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::api;
use crate::api::acts::ToDo;
use crate::api::interactions::DEFAULT_LIST;
use crate::api::standing::{Row, Standing};
use crate::app::App;
use crate::auth::{Console, SESSION_COOKIE, cookie, set_cookie, token_hash};
use crate::error::{Problem, ServerError};
use crate::pages::{self, render};
use crate::timeline::{self, Line};

pub(crate) fn routes() -> Router<Arc<App>> {
    let cross_site = |_: ProtectionError| ServerError::CrossSite.into_response();
    Router::new()
        .route("/console", get(list))
        .route("/console/login", get(ask).post(login))
        .route("/console/logout", post(logout))
        .route("/console/interactions/{id}", get(show))
        .route("/console/interactions/{id}/pack", post(pack))
        .route("/console/interactions/{id}/act", post(act))
        .merge(campaigns::routes())
        .merge(schedules::routes())
        .merge(switches::routes())
        .route_layer(CsrfLayer::new().with_rejection_response(cross_site))
}

/// Turns what went wrong into a page; who is not signed in goes to the login.
pub(crate) async fn in_html(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_login = request.uri().path() == "/console/login";
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let html = match (problem.status, is_login) {
        (401, false) => return Redirect::to("/console/login").into_response(),
        (401, true) => render(&app.frame, &Login { wrong: Some(problem.detail.clone()) }),
        _ => render(&app.frame, &ProblemPage { problem: problem.clone() }),
    };
    html.map_or_else(IntoResponse::into_response, |html| (response.status(), html).into_response())
}

async fn ask(State(app): State<Arc<App>>) -> Result<Response, ServerError> {
    Ok(render(&app.frame, &Login { wrong: None })?.into_response())
}

#[derive(Deserialize)]
struct LoginForm {
    #[serde(default)]
    token: String,
}

async fn login(
    State(app): State<Arc<App>>,
    form: Result<Form<LoginForm>, FormRejection>,
) -> Result<Response, ServerError> {
    let Form(LoginForm { token }) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    let token = token.trim();
    app.staff(token).await?;
    let line = set_cookie(SESSION_COOKIE, token, "/console", app.secure).ok_or(ServerError::NoSession)?;
    Ok(([(header::SET_COOKIE, line)], Redirect::to("/console")).into_response())
}

/// Takes the cookie away. The session itself ends when it is idle, expires or is revoked.
/// Ends the session itself, not only the browser's memory of it.
async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ServerError> {
    if let Some(token) = cookie(&headers, SESSION_COOKIE) {
        app.engine.store().end_session(&token_hash(token)).await.map_err(EngineError::from)?;
    }
    let none = set_cookie(SESSION_COOKIE, "", "/console", app.secure).map(|line| (header::SET_COOKIE, line));
    Ok((HeaderMap::from_iter(none), Redirect::to("/console/login")).into_response())
}

async fn list(Console(staff): Console, State(app): State<Arc<App>>) -> Result<Response, ServerError> {
    app.authorize(&staff, "read", "all", "").await?;
    let listed = app.engine.list(&staff.session.tenant, DEFAULT_LIST).await?;
    let rows = listed.iter().map(Row::of).collect();
    Ok(render(&app.frame, &List { person: staff.session.person, rows })?.into_response())
}

async fn show(
    Console(staff): Console,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ServerError> {
    let (id, run) = app.interaction(&staff, "read", &id).await?;
    let events = app.engine.events(&id).await?;
    let may_export = app.may(&staff, "export", &id.interaction, &run.held_by);
    let may_operate = app.may(&staff, "operate", &id.interaction, &run.held_by);
    let page = Story::of(staff.session.person, Standing::of(&run, &events), &events, may_export, may_operate);
    Ok(render(&app.frame, &page)?.into_response())
}

async fn act(
    Console(staff): Console,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: Result<Form<ToDo>, FormRejection>,
) -> Result<Response, ServerError> {
    let Form(to_do) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    let run = app.operate(&staff, &id, to_do).await?;
    Ok(Redirect::to(&format!("/console/interactions/{}", run.id.interaction)).into_response())
}

async fn pack(
    Console(staff): Console,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ServerError> {
    app.pack(&staff, &id, Vec::new()).await
}

/// The login.
#[derive(Serialize)]
pub(crate) struct Login {
    wrong: Option<String>,
}

/// The list.
#[derive(Serialize)]
pub(crate) struct List {
    person: String,
    rows: Vec<Row>,
}

/// What went wrong.
#[derive(Serialize)]
pub(crate) struct ProblemPage {
    problem: Problem,
}

/// One interaction: where it stands and everything that happened.
#[derive(Serialize)]
pub(crate) struct Story {
    person: String,
    standing: Standing,
    entries: Vec<Entry>,
    accesses: Vec<Seen>,
    revealed: usize,
    may_export: bool,
    may_operate: bool,
}

/// One event.
#[derive(Serialize)]
struct Entry {
    seq: u64,
    kind: String,
    line: Line,
    device: Option<String>,
    function: Option<String>,
    session: Option<String>,
    actor: String,
    purpose: Option<String>,
    controls: Option<String>,
    hash: String,
    decision: Option<Decided>,
}

/// A decision with its reasons.
#[derive(Serialize)]
struct Decided {
    verdict: &'static str,
    reasons: Vec<Because>,
}

/// One reason.
#[derive(Serialize)]
struct Because {
    rule: String,
    cite: String,
    verdict: &'static str,
    says: String,
    facts: Vec<(String, String)>,
}

/// A field that left, or was revealed.
#[derive(Serialize)]
struct Seen {
    seq: u64,
    by: String,
    field: String,
    class: String,
    how: String,
    place: String,
}

impl Story {
    fn of(person: String, standing: Standing, events: &[Event], may_export: bool, may_operate: bool) -> Story {
        let mut accesses = Vec::new();
        let mut entries = Vec::new();
        for event in events {
            let line = timeline::in_words(event);
            let fact = Fact::from_kind_and_data(&event.kind, event.data.clone()).ok();
            for Access { field, class, how, place } in fact.as_ref().into_iter().flat_map(accesses_of).cloned() {
                accesses.push(Seen { seq: event.seq, by: line.who.clone(), field, class, how, place });
            }
            entries.push(Entry {
                seq: event.seq,
                kind: event.kind.clone(),
                line,
                device: event.device.clone(),
                function: event.function.clone(),
                session: event.session.clone(),
                actor: event.actor.clone(),
                purpose: event.purpose.clone(),
                controls: event.controls.clone(),
                hash: event.hash.to_string(),
                decision: fact.as_ref().and_then(decision_of).map(Decided::of),
            });
        }
        let revealed = accesses.iter().filter(|access| access.how == "reveal").count();
        Story { person, standing, entries, accesses, revealed, may_export, may_operate }
    }
}

fn accesses_of(fact: &Fact) -> &[Access] {
    match fact {
        Fact::Done { accesses, .. } | Fact::Postponed { accesses, .. } | Fact::Unclear { accesses, .. } => accesses,
        _ => &[],
    }
}

fn decision_of(fact: &Fact) -> Option<&Decision> {
    match fact {
        Fact::ContactDecided { decision, .. }
        | Fact::AssuranceDecided { decision, .. }
        | Fact::RiskDecided { decision, .. } => Some(decision),
        _ => None,
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Permit => "permit",
        Verdict::Defer { .. } => "defer",
        Verdict::Deny => "deny",
    }
}

impl Decided {
    fn of(decision: &Decision) -> Decided {
        let because = |reason: &selvedge_policy::Reason| Because {
            rule: reason.rule.clone(),
            cite: reason.cite.clone(),
            verdict: verdict(reason.verdict),
            says: reason.says.clone(),
            facts: reason.facts.clone().into_iter().collect(),
        };
        Decided { verdict: verdict(decision.verdict), reasons: decision.reasons.iter().map(because).collect() }
    }
}

impl pages::Page for Login {
    const TEMPLATE: &'static str = "console_login.html";
}
impl pages::Page for List {
    const TEMPLATE: &'static str = "console_list.html";
}
impl pages::Page for ProblemPage {
    const TEMPLATE: &'static str = "console_problem.html";
}
impl pages::Page for Story {
    const TEMPLATE: &'static str = "console_interaction.html";
}

#[cfg(test)]
pub(crate) mod samples {
    use selvedge_engine::Run;
    use selvedge_engine::ports::store::{Listed, RunId, Stored};

    use super::*;
    use crate::timeline::tests::story;

    pub(crate) fn logins() -> Vec<Login> {
        vec![Login { wrong: None }, Login { wrong: Some("the session is over: it has expired".into()) }]
    }

    fn run(events: usize) -> (Run, Vec<Event>) {
        let id = RunId { tenant: "clinic".into(), interaction: "int_1".into() };
        let events: Vec<Event> = story().into_iter().take(events).collect();
        let stored = |e: &Event| Stored { seq: e.seq, canonical: e.canonical().unwrap() };
        let record: Vec<Stored> = events.iter().map(stored).collect();
        (Run::fold(&id, &record).unwrap(), events)
    }

    pub(crate) fn lists() -> Vec<List> {
        let (run, _) = run(usize::MAX);
        let row = Row::of(&Listed { interaction: "int_1".into(), summary: run.summary() });
        vec![List { person: "maria".into(), rows: vec![row] }, List { person: "maria".into(), rows: Vec::new() }]
    }

    pub(crate) fn interactions() -> Vec<Story> {
        let (all, events) = run(usize::MAX);
        let count = events.len();
        let whole = Story::of("olga".into(), Standing::of(&all, &events), &events, true, false);
        let begun = (1..count).map(|upto| {
            let (run, events) = run(upto);
            Story::of("maria".into(), Standing::of(&run, &events), &events, false, true)
        });
        std::iter::once(whole).chain(begun).collect()
    }

    pub(crate) fn problems() -> Vec<ProblemPage> {
        let reason = serde_json::from_value(serde_json::json!({
            "rule": "default", "cite": "", "verdict": {"kind": "deny"}, "facts": {"function": "supervisor"}, "says": "no line permits it",
        }));
        let refused = ServerError::Refused {
            function: "supervisor".into(),
            action: "export".into(),
            help: "no line permits it".into(),
            reasons: vec![reason.unwrap()],
        };
        [refused, ServerError::TooSlow].iter().map(|error| ProblemPage { problem: error.into() }).collect()
    }
}
