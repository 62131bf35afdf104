//! What both vendors have in common: who may ask, orders under idempotency keys, and telling the client.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::faults::{Fault, Faults, Kind};
use crate::ledger::{Entry, Ledger};
use crate::webhooks::{Sign, Webhooks};
use crate::witness::Witness;
use crate::{DoubleConfig, Now, control, seal};

/// The largest body that a vendor reads.
pub(crate) const MAX_BODY: usize = 64 * 1024;
/// The longest idempotency key or reference, in bytes.
pub(crate) const MAX_KEY: usize = 255;

/// The trade of one vendor; the type itself is what its ledger keeps of an order.
pub(crate) trait Trade: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the vendor and of its ledger file.
    const NAME: &'static str;
    /// The desks that faults can be commanded for.
    const DESKS: &'static [&'static str];
    /// The form fields in which card data is meant to arrive.
    const CARD_SLOTS: &'static [&'static str];
    /// How it signs webhooks.
    const SIGN: Sign;
    /// The prefix of the id of such an order.
    fn prefix(&self) -> &'static str;
    /// How it words an error.
    fn error(status: StatusCode, code: &str, text: &str) -> Response;
    /// What it tells the client about an order: the type of the event and its `data`.
    fn news(entry: &Entry<Self>) -> (&'static str, Value);
    /// How many `messages`, `charges`, `declined` charges and `refunds` there are.
    fn counts(entries: &[Entry<Self>]) -> [(&'static str, usize); 4];
}

/// A request that is refused: the answer that says so, on the heap because it is large and rare.
pub(crate) struct Refused(Box<Response>);

impl From<Response> for Refused {
    fn from(answer: Response) -> Self {
        Refused(Box::new(answer))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// What became of an order under a key.
pub(crate) enum Taken<T> {
    /// It is new and on the disk.
    New(Entry<T>),
    /// The very same order was taken on before.
    Replayed(Entry<T>),
    /// Another order was taken on under this key.
    Mismatch,
}

/// A vendor at work.
pub(crate) struct Vendor<T> {
    ledger: Mutex<Ledger<T>>,
    pub faults: Faults,
    pub webhooks: Arc<Webhooks>,
    pub requests: AtomicU64,
    pub control_token: String,
    api_key: String,
    fingerprint_secret: String,
    witness: Witness,
    now: Now,
}

impl<T: Trade> Vendor<T> {
    /// Opens the ledger in the folder of `config`, which is made if it is missing.
    pub fn open(config: DoubleConfig) -> std::io::Result<Arc<Self>> {
        std::fs::create_dir_all(&config.dir)?;
        let ledger = Ledger::open(&config.dir.join(format!("{}.jsonl", T::NAME)))?;
        let fingerprint_secret = seal::mac(&config.webhook_secret, b"fingerprints of orders");
        let webhooks = Webhooks::new(config.webhook_url, config.webhook_secret, T::SIGN, config.now.clone())?;
        Ok(Arc::new(Vendor {
            ledger: Mutex::new(ledger),
            faults: Faults::default(),
            webhooks: Arc::new(webhooks),
            requests: AtomicU64::new(0),
            control_token: config.control_token,
            api_key: config.api_key,
            fingerprint_secret,
            witness: Witness::open(&config.dir.join(format!("{}.requests.jsonl", T::NAME)), T::CARD_SLOTS)?,
            now: config.now,
        }))
    }

    /// UTC microseconds.
    pub fn now(&self) -> i64 {
        (self.now)()
    }

    /// The orders and what is known of them. The lock is held across writes to the disk: a vendor takes on one
    /// order at a time, and its runtime serves nobody else.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger<T>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A keyed hash over the parts of an order that make it the same order.
    pub fn fingerprint(&self, parts: &[&str]) -> String {
        // As JSON, so that no two lists of parts look alike.
        seal::mac(&self.fingerprint_secret, json!(parts).to_string().as_bytes())
    }

    /// Takes on an order, or finds the one that was taken on under this key, and sends the news of a new one.
    /// Nothing here waits: a client that hangs up cannot leave an order half done.
    /// Errors: the disk refuses; nothing was taken on.
    pub fn take(self: &Arc<Self>, order: Order<T>, fault: Option<Fault>) -> Result<Taken<T>, Refused> {
        let mut ledger = self.ledger();
        if let Some(known) = ledger.find(&order.key) {
            let same = seal::same(&known.fingerprint, &order.fingerprint);
            return Ok(if same { Taken::Replayed(known.clone()) } else { Taken::Mismatch });
        }
        let entry = Entry {
            id: seal::id(order.what.prefix(), &order.key),
            key: order.key,
            fingerprint: order.fingerprint,
            status: order.status.to_owned(),
            at: self.now(),
            what: order.what,
        };
        ledger
            .accept(entry.clone())
            .map_err(|_| T::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "nothing was done; try again"))?;
        drop(ledger);
        self.tell(entry.clone(), fault);
        Ok(Taken::New(entry))
    }

    /// Sends the news of every order whose event nobody has acknowledged.
    pub fn tell_again(self: &Arc<Self>) {
        let entries: Vec<_> = {
            let ledger = self.ledger();
            let unheard = |entry: &&Entry<T>| !ledger.is_acknowledged(&event_id(entry));
            ledger.entries().iter().filter(unheard).cloned().collect()
        };
        for entry in entries {
            self.tell(entry, None);
        }
    }

    fn tell(self: &Arc<Self>, entry: Entry<T>, fault: Option<Fault>) {
        let vendor = Arc::clone(self);
        let twice = fault.is_some_and(|fault| fault.kind == Kind::Twice);
        let delay = fault.map(Fault::webhook_delay).unwrap_or_default();
        tokio::spawn(async move {
            let event = event_id(&entry);
            let (kind, data) = T::news(&entry);
            let body = json!({ "id": event, "type": kind, "data": data }).to_string();
            tokio::time::sleep(delay).await;
            vendor.webhooks.deliver(&body).await;
            if twice {
                vendor.webhooks.deliver(&body).await;
            }
            // A line that cannot be written costs nothing but the same news once more after a restart.
            let _ = vendor.ledger().acknowledge(&event);
        });
    }

    /// The address book of this vendor: `api` behind the API key, the control surface behind its token.
    pub fn router(self: &Arc<Self>, api: Router<Arc<Self>>, extra: Router<Arc<Self>>) -> Router {
        let api = api.route_layer(middleware::from_fn_with_state(Arc::clone(self), check_key::<T>));
        let control = extra
            .merge(control::routes::<T>())
            .route_layer(middleware::from_fn_with_state(Arc::clone(self), check_token::<T>));
        api.merge(control)
            .fallback(|| async { T::error(StatusCode::NOT_FOUND, "not_found", "no such path") })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::clone(self))
    }
}

/// An order before it is taken on.
pub(crate) struct Order<T> {
    pub key: String,
    pub fingerprint: String,
    pub status: &'static str,
    pub what: T,
}

/// The id of the one event that an order has.
pub(crate) fn event_id<T>(entry: &Entry<T>) -> String {
    seal::id("evt", &entry.id)
}

/// The idempotency key of a request; a vendor that moves money or disturbs people insists on one.
pub(crate) fn idempotency_key<T: Trade>(headers: &HeaderMap) -> Result<String, Refused> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY {
        let text = "the header `Idempotency-Key` holds 1 to 255 characters";
        return Err(T::error(StatusCode::BAD_REQUEST, "idempotency_key_invalid", text).into());
    }
    Ok(key.to_owned())
}

/// Asks whether a fault was commanded for this request. `fail` ends it here.
pub(crate) fn fault<T: Trade>(vendor: &Vendor<T>, desk: &str) -> Result<Option<Fault>, Refused> {
    match vendor.faults.next(desk) {
        Some(fault) if fault.kind == Kind::Fail => {
            Err(T::error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "nothing was done; try again").into())
        }
        fault => Ok(fault),
    }
}

/// Holds an answer back for as long as the fault says.
pub(crate) async fn hold(fault: Option<Fault>) {
    if let Some(fault) = fault {
        tokio::time::sleep(fault.answer_delay()).await;
    }
}

async fn check_key<T: Trade>(State(vendor): State<Arc<Vendor<T>>>, request: Request, next: Next) -> Response {
    vendor.requests.fetch_add(1, Ordering::Relaxed);
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(key) if seal::same(key, &vendor.api_key) => {
            let (head, body) = request.into_parts();
            let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
                return T::error(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body has at most 64 KiB");
            };
            vendor.witness.saw(&head, &body);
            next.run(Request::from_parts(head, body.into())).await
        }
        _ => T::error(StatusCode::UNAUTHORIZED, "unauthorized", "the API key is missing or wrong"),
    }
}

async fn check_token<T: Trade>(State(vendor): State<Arc<Vendor<T>>>, request: Request, next: Next) -> Response {
    let given = request.headers().get("x-double-control").and_then(|value| value.to_str().ok());
    match given {
        Some(token) if seal::same(token, &vendor.control_token) => next.run(request).await,
        _ => (StatusCode::UNAUTHORIZED, "the header `X-Double-Control` is missing or wrong").into_response(),
    }
}
