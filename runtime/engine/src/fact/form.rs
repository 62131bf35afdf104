//! How a fact stands in an event: a kind and its data.

use serde_json::Value;

use super::{Commitment, Fact};
use crate::error::EngineError;

impl Fact {
    /// The event's kind and data.
    pub fn kind_and_data(&self) -> Result<(String, Value), EngineError> {
        let broken = |why: &str| EngineError::Broken { what: format!("a fact could not be written: {why}") };
        let Value::Object(mut map) = serde_json::to_value(self).map_err(|e| broken(&e.to_string()))? else {
            return Err(broken("not an object"));
        };
        match (map.remove("type"), map.remove("data")) {
            (Some(Value::String(kind)), Some(data)) => Ok((kind, data)),
            _ => Err(broken("no kind")),
        }
    }

    /// The fact that an event tells.
    pub fn from_kind_and_data(kind: &str, data: Value) -> Result<Fact, EngineError> {
        serde_json::from_value(serde_json::json!({ "type": kind, "data": data }))
            .map_err(|e| EngineError::Broken { what: format!("event `{kind}` cannot be read: {e}") })
    }

    /// The same outcome of an effect with what a service answered.
    #[must_use]
    pub fn with_answer(mut self, given: Commitment) -> Fact {
        if let Fact::Done { answer, .. } = &mut self {
            *answer = Some(given);
        }
        self
    }
}
