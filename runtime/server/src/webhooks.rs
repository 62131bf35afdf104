//! What vendors tell us, unasked. The signature is checked over the raw body, behind the engine's door, before
//! anything reads it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use selvedge_engine::ports::{Webhook, WebhookFault};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api;
use crate::app::App;
use crate::error::{Problem, ServerError};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// Takes in a vendor's signed news: of an effect of ours, or a message from a customer
#[utoipa::path(
    post,
    path = "/webhooks/{connection}",
    tag = "node",
    params(("connection" = String, Path, description = "The connection's name")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "As the vendor sends it"),
    responses(
        (status = 204, description = "Taken in, durably"),
        (status = 401, description = "N813: the signature", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "N812: no such connection", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "N814: not understood", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn receive(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ServerError> {
    let body = body.map_err(|rejection| api::unreadable(rejection.status()))?.to_vec();
    let text = |value: &axum::http::HeaderValue| value.to_str().ok().map(str::to_owned);
    // `http` keeps header names in lower case. A value that is not text can be no signature that we know.
    let headers = headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect();
    let webhook = Webhook { connection: connection.clone(), headers, body };
    match app.engine.webhook(&app.tenant, webhook).await? {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(WebhookFault::NoSuchConnection) => Err(ServerError::NoSuchConnection { connection }),
        Err(WebhookFault::BadSignature(why)) => Err(ServerError::BadSignature { why }),
        Err(WebhookFault::Unreadable(why)) => Err(ServerError::UnreadableWebhook { connection, why }),
    }
}
