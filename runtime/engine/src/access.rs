//! The access record: what people did to records rather than in them. Refusals at the door and exports stand in a
//! chain of their own, one per tenant, under the name [`ACCESS`], so that an interaction's record stays as it was
//! when it is looked at, and two exports of it are the same bytes (PCI DSS 10.2; seed 21, 50).

use selvedge_record::{Draft, Event, Head};
use serde_json::Value;

use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::ports::store::RunId;
use crate::signal::Who;

/// The name of each tenant's access record.
pub const ACCESS: &str = "access";
/// How often another writer may be quicker.
const MAX_TRIES: u32 = 5;

impl Engine {
    /// Adds an event to the tenant's access record; returns once it is durable.
    ///
    /// Errors: the store's. Whoever asks must not go on without it.
    pub async fn note(&self, tenant: &str, who: &Who, kind: &str, data: Value) -> Result<(), EngineError> {
        let id = RunId { tenant: tenant.into(), interaction: ACCESS.into() };
        let _one_at_a_time = self.inner.access.lock().await;
        for attempt in 1.. {
            let (mut head, time) = match self.store().last(&id).await? {
                None => (Head::start(tenant, ACCESS), self.now()),
                Some(stored) => {
                    let last = Event::parse(&stored.canonical)?;
                    let head =
                        Head { tenant: last.tenant, interaction: last.interaction, seq: last.seq + 1, hash: last.hash };
                    (head, self.now().max(last.time))
                }
            };
            let sealed = head.append(Draft {
                device: who.device.clone(),
                function: who.function.clone(),
                session: who.session.clone(),
                ..Draft::new(kind, time, who.actor.clone(), data.clone())
            })?;
            match self.store().append(&id, sealed).await {
                Err(StoreError::Conflict { .. }) if attempt < MAX_TRIES => {}
                other => return Ok(other?),
            }
        }
        Ok(())
    }
}
