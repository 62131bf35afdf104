//! Is the node there, and does it take work?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use selvedge_engine::EngineError;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health))
}

#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, or `not-ready`: the node answers, keeps what it has and takes no work
    #[schema(example = "ok")]
    status: &'static str,
    /// What it waits for, such as `the disk is full`; it goes on by itself
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Says whether the node takes work
///
/// Asked more than once a second, it answers what it found before.
#[utoipa::path(get, path = "/health", tag = "node", responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn health(State(app): State<Arc<App>>) -> (StatusCode, Json<Health>) {
    let why = match app.engine.health().await {
        Ok(()) => return (StatusCode::OK, Json(Health { status: "ok", why: None })),
        Err(EngineError::NotReady { why }) => why,
        Err(_) => "the node could not be asked".to_owned(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "not-ready", why: Some(why) }))
}
