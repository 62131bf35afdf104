//! The router, its limits and the headers of every answer.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use selvedge_engine::Engine;
use selvedge_engine::ports::Micros;
use selvedge_policy::Access;
use selvedge_workflow::schedule::Schedule;
use tokio::net::TcpListener;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::error::ServerError;
use crate::{api, console, health, pages, pay, webhooks};

/// The largest body that anybody may send, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a request may take, body and answer together. What the engine has begun goes on all the same.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How many codes and cards one link takes in a minute.
pub const MAX_POSTS_PER_MINUTE: u32 = 20;

/// For every answer: nothing is loaded but our stylesheet, nothing is framed, nothing runs.
const CSP: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a server is made of.
pub struct ServerParts {
    /// The engine.
    pub engine: Engine,
    /// Who may do what.
    pub access: Access,
    /// When workflows begin by themselves.
    pub schedules: Vec<Schedule>,
    /// The tenant that this server speaks for.
    pub tenant: String,
    /// The organisation's name, as customers know it.
    pub sender_name: String,
    /// Where customers reach the payment page. When it begins with `https:`, cookies are sent over TLS only.
    pub public_url: String,
    /// A band on every page says that the vendors are doubles.
    pub test_mode: bool,
}

/// What the handlers share.
pub struct App {
    pub engine: Engine,
    pub access: Access,
    pub schedules: Vec<Schedule>,
    pub tenant: String,
    /// What all pages show around them.
    pub frame: pages::Frame,
    /// Cookies over TLS only.
    pub secure: bool,
    /// Posts by link.
    pub pace: Pace,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Selvedge",
        description = "Interactions that verify, message and charge as one durable workflow with one record. Errors are problem details (RFC 9457) with a code."
    ),
    modifiers(&BearerSession),
    tags(
        (name = "interactions", description = "Open them, see where they stand, answer for the customer, take the evidence"),
        (name = "campaigns", description = "One interaction with each of many customers, at a pace, and when such begin by themselves"),
        (name = "node", description = "For those who run and connect the node"),
    )
)]
struct Described;

struct BearerSession;

impl utoipa::Modify for BearerSession {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A person's session")).build();
        openapi.components.get_or_insert_default().add_security_scheme("session", SecurityScheme::Http(bearer));
    }
}

/// The routes for programs, with their description.
fn described() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Described::openapi())
        .merge(api::routes())
        .merge(webhooks::routes())
        .merge(health::routes())
}

/// The description of the routes for programs; `runtime/server/openapi.json` is its snapshot.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// All routes, behind all limits.
pub fn router(parts: ServerParts) -> Router {
    let app = Arc::new(App {
        engine: parts.engine,
        access: parts.access,
        schedules: parts.schedules,
        tenant: parts.tenant,
        frame: pages::Frame { sender: parts.sender_name, test_mode: parts.test_mode },
        secure: parts.public_url.starts_with("https:"),
        pace: Pace::default(),
    });
    let (programs, description) = described().split_for_parts();
    let describe = get(move || std::future::ready(axum::Json(description.clone())));
    // An address with a token in it is nobody's search result; the console's forms need an origin to be checked.
    let no_index = unless_set(HeaderName::from_static("x-robots-tag"), "noindex, nofollow");
    let own_referrer = unless_set(header::REFERRER_POLICY, "same-origin");
    let people = [
        limited(pay::routes()).layer(from_fn_with_state(app.clone(), pay::in_html)).layer(no_index),
        limited(console::routes()).layer(from_fn_with_state(app.clone(), console::in_html)).layer(own_referrer),
    ];
    let all = people
        .into_iter()
        .fold(limited(programs.route("/openapi.json", describe)), Router::merge)
        .route("/style.css", get(pages::style))
        .fallback(async || ServerError::NoRoute)
        .method_not_allowed_fallback(async || ServerError::NoMethod);
    all.layer(unless_set(header::CONTENT_SECURITY_POLICY, CSP))
        .layer(unless_set(header::REFERRER_POLICY, "no-referrer"))
        .layer(unless_set(header::CACHE_CONTROL, "no-store"))
        .layer(unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .with_state(app)
}

fn limited(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).layer(from_fn(in_time))
}

fn unless_set(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ServerError::TooSlow.into_response(),
    }
}

/// Serves until `shutdown` comes; requests under way are answered first.
///
/// Errors: the listener's.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// Counts posts by link and minute. Only links that exist are counted, so a stranger cannot fill it.
#[derive(Default)]
pub struct Pace {
    minute: Mutex<(Micros, HashMap<String, u32>)>,
}

impl Pace {
    /// Counts one more. Errors: N810 beyond [`MAX_POSTS_PER_MINUTE`].
    pub fn count(&self, link: &str, now: Micros) -> Result<(), ServerError> {
        let minute = now.div_euclid(60_000_000);
        let mut kept = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 != minute {
            *kept = (minute, HashMap::new());
        }
        let count = kept.1.entry(link.to_owned()).or_default();
        *count += 1;
        if *count > MAX_POSTS_PER_MINUTE { Err(ServerError::TooOften) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_takes_twenty_posts_a_minute() {
        let pace = Pace::default();
        for _ in 0..MAX_POSTS_PER_MINUTE {
            pace.count("a", 59_999_999).unwrap();
        }
        assert!(pace.count("a", 59_999_999).is_err());
        pace.count("b", 59_999_999).unwrap();
        pace.count("a", 60_000_000).unwrap();
    }

    /// `UPDATE_SNAPSHOTS=1 cargo test -p selvedge-server` writes it anew.
    #[test]
    fn the_description_is_the_one_in_the_repository() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let now = openapi().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(file, &now).unwrap();
        }
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert!(kept == now, "`openapi.json` is not what the routes say; write it anew and look at the difference");
    }
}
