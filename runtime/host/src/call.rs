//! One call of a connector: a fresh instance, a deadline, and an end. Nothing of a call outlives it.

use std::sync::Arc;
use std::time::Duration;

use selvedge_engine::ports::{Call, Failure, Field, Observed, Refusal};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use wasmtime::component::{Instance, Resource};
use wasmtime::{Store, UpdateDeadline};

use crate::Host;
use crate::bindings::types;
use crate::connector::Connector;
use crate::engine::{Limits, MAX_HANDLES, MAX_HOSTCALL, TICK};
use crate::scrub::short;
use crate::state::{Handle, State};

/// How long a connector may compute in one call; waiting for the vendor does not count.
pub const MAX_COMPUTING: Duration = Duration::from_secs(1);

/// A fresh instance of a connector, for one call.
pub(crate) struct Cell {
    pub store: Store<State>,
    pub instance: Instance,
    pub deadline: Instant,
    _place: OwnedSemaphorePermit,
}

/// A call that ended before the connector was reached.
pub(crate) struct Stop {
    pub failure: Failure,
    pub refusal: Option<Refusal>,
}

/// How a guest's function ended: in time or not, with a trap or not, with an answer or not.
pub(crate) type End<T> = Result<wasmtime::Result<Result<T, types::Failure>>, Elapsed>;

impl Cell {
    /// Makes an instance for this call. `way_out` is false while a webhook is read.
    pub async fn open(
        host: &Host,
        connector: &Arc<Connector>,
        call: &Call,
        fields: Vec<Field>,
        way_out: bool,
    ) -> Result<Self, Stop> {
        let deadline = Instant::now() + host.config.deadline;
        // A place in the pool; calls beyond it wait here, within their own deadline.
        let place = timeout_at(deadline, Arc::clone(&host.places).acquire_owned()).await;
        let Ok(Ok(_place)) = place else {
            return Err(Stop::retry("no place for another call became free in time".into()));
        };
        let mut store = store(host, connector, call, fields, way_out, deadline);
        let instance = timeout_at(deadline, connector.pre.instantiate_async(&mut store)).await;
        match instance {
            Ok(Ok(instance)) => Ok(Self { store, instance, deadline, _place }),
            Ok(Err(error)) => Err(Stop::retry(format!("the connector did not start: {}", trap_in_words(&error)))),
            Err(_) => Err(Stop::retry("the connector did not start in time".into())),
        }
    }

    /// What the guest answered, and what it did on the way. The instance ends here.
    pub fn close<T, U>(self, end: End<T>, answer: impl FnOnce(T) -> U) -> Observed<U> {
        let state = self.store.into_data();
        let result = match end {
            Ok(Ok(Ok(given))) => Ok(answer(given)),
            Ok(Ok(Err(failure))) => Err(said(&state, failure)),
            Ok(Err(error)) => Err(stopped(&state, &trap_in_words(&error))),
            Err(_) => Err(stopped(&state, "it was stopped at its deadline")),
        };
        Observed { result, accesses: state.accesses, refusals: state.refusals }
    }
}

impl Stop {
    fn retry(why: String) -> Self {
        Self { failure: Failure::Retry(why), refusal: None }
    }

    /// Refused by the host before any code ran.
    pub fn refused(refusal: Refusal) -> Self {
        let failure = Failure::Denied(format!("H731: {}; missing: {}", refusal.tried, refusal.missing));
        Self { failure, refusal: Some(refusal) }
    }

    /// As an answer.
    pub fn observed<T>(self) -> Observed<T> {
        Observed { result: Err(self.failure), accesses: Vec::new(), refusals: self.refusal.into_iter().collect() }
    }
}

fn store(
    host: &Host,
    connector: &Arc<Connector>,
    call: &Call,
    fields: Vec<Field>,
    way_out: bool,
    deadline: Instant,
) -> Store<State> {
    let state = State {
        connector: Arc::clone(connector),
        call: call.clone(),
        fields,
        way_out,
        deadline,
        client: host.client.clone(),
        limits: Limits::default(),
        busy_ticks: 0,
        sends: 0,
        reveals: 0,
        left: false,
        unanswered: false,
        accesses: Vec::new(),
        refusals: Vec::new(),
    };
    let mut store = Store::new(&host.engine, state);
    store.limiter(|state| &mut state.limits);
    store.set_hostcall_fuel(MAX_HOSTCALL);
    store.set_max_component_handles(MAX_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        state.busy_ticks += 1;
        let spent = TICK.saturating_mul(state.busy_ticks);
        // Yielding lets other calls go on, and lets the deadline drop this one.
        Ok(if spent > MAX_COMPUTING { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
    });
    store
}

/// A connector's own word for why not, held to what the host saw: it cannot call undone what may have happened.
fn said(state: &State, failure: types::Failure) -> Failure {
    let scrubber = state.scrubber(None);
    let clean = |why: String| short(&scrubber.text(&why));
    match failure {
        types::Failure::Retry(why) | types::Failure::Permanent(why) if state.unanswered => Failure::Unknown(clean(why)),
        types::Failure::Retry(why) => Failure::Retry(clean(why)),
        types::Failure::Permanent(why) => Failure::Permanent(clean(why)),
        types::Failure::Denied(why) => Failure::Denied(clean(why)),
        types::Failure::Unknown(why) => Failure::Unknown(clean(why)),
    }
}

/// A connector that ended without an answer: certain that nothing happened only when nothing left.
fn stopped(state: &State, why: &str) -> Failure {
    let why = format!("the connector gave no answer: {why}");
    if state.left { Failure::Unknown(why) } else { Failure::Retry(why) }
}

/// A trap's own name. The rest of an error can hold what the guest was working on.
fn trap_in_words(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::Interrupt) => format!("it computed for more than {} ms", MAX_COMPUTING.as_millis()),
        Some(trap) => format!("it trapped ({trap})"),
        None => "it broke a rule of the sandbox".into(),
    }
}

/// The handle of the field at this place in the call's list.
pub(crate) fn handle(index: u32) -> Resource<Handle> {
    Resource::new_borrow(index)
}

/// The call as the guest sees it.
pub(crate) fn circumstances(call: &Call, deadline: Instant) -> types::Call {
    let left = deadline.saturating_duration_since(Instant::now());
    types::Call {
        interaction: call.interaction.clone(),
        step: call.step.clone(),
        idempotency_key: call.idempotency_key.clone(),
        purpose: call.purpose.clone(),
        attempt: call.attempt,
        deadline_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
        attrs: Vec::new(),
    }
}
