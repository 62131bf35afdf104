//! What both back ends read out of a row, whoever brought it.

use selvedge_engine::StoreError;
use selvedge_engine::ports::campaigns::Enlisted;
use selvedge_engine::ports::store::{RunId, SealedField, SealedValue, Session, Stored, Summary};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::bodies::Unpacker;

/// The cells of a row, by the name of their column. A column that is not there is a defect of the statement; a
/// story reads every one of them.
pub trait Cells {
    fn text(&self, column: &str) -> String;
    fn maybe_text(&self, column: &str) -> Option<String>;
    fn number(&self, column: &str) -> i64;
    fn maybe_number(&self, column: &str) -> Option<i64>;
    fn flag(&self, column: &str) -> bool;
    fn bytes(&self, column: &str) -> Vec<u8>;
    fn maybe_bytes(&self, column: &str) -> Option<Vec<u8>>;

    /// A number that is never negative.
    fn count(&self, column: &str) -> u64 {
        u64::try_from(self.number(column)).unwrap_or(0)
    }
}

macro_rules! cells_of {
    ($row:ty) => {
        impl Cells for $row {
            fn text(&self, column: &str) -> String {
                self.get(column)
            }
            fn maybe_text(&self, column: &str) -> Option<String> {
                self.get(column)
            }
            fn number(&self, column: &str) -> i64 {
                self.get(column)
            }
            fn maybe_number(&self, column: &str) -> Option<i64> {
                self.get(column)
            }
            fn flag(&self, column: &str) -> bool {
                self.get(column)
            }
            fn bytes(&self, column: &str) -> Vec<u8> {
                self.get(column)
            }
            fn maybe_bytes(&self, column: &str) -> Option<Vec<u8>> {
                self.get(column)
            }
        }
    };
}
cells_of!(SqliteRow);
cells_of!(PgRow);

/// The events of turns, in their order.
pub fn stored(turns: &[impl Cells]) -> Result<Vec<Stored>, StoreError> {
    let (mut unpacker, mut events) = (Unpacker::new()?, Vec::new());
    for turn in turns {
        let texts = unpacker.unpack(&turn.bytes("bodies"))?;
        events.extend((turn.count("seq")..).zip(texts).map(|(seq, canonical)| Stored { seq, canonical }));
    }
    Ok(events)
}

pub fn run_id(row: &impl Cells) -> RunId {
    RunId { tenant: row.text("tenant"), interaction: row.text("interaction") }
}

pub fn enlisted(row: &impl Cells) -> Enlisted {
    Enlisted { customer: row.text("customer"), interaction: row.text("interaction") }
}

pub fn summary(row: &impl Cells) -> Summary {
    Summary {
        workflow: row.text("workflow"),
        controls: row.text("controls"),
        customer: row.text("customer"),
        opened: row.number("opened"),
        updated: row.number("updated"),
        at: row.text("at"),
        over: row.flag("over"),
        busy: row.flag("busy"),
        wake: row.maybe_number("wake"),
        halted: row.maybe_text("halted"),
    }
}

pub fn field(row: &impl Cells) -> SealedField {
    SealedField {
        path: row.text("path"),
        class: row.text("class"),
        blob: row.bytes("blob"),
        number: row.maybe_bytes("number").and_then(|hash| hash.try_into().ok()),
    }
}

pub fn sealed_value(row: &impl Cells) -> SealedValue {
    SealedValue { name: row.text("name"), class: row.text("class"), blob: row.bytes("blob") }
}

/// A session as it was kept, with the time of its last use.
pub fn session(row: &impl Cells) -> Result<Session, StoreError> {
    let kept: Session = serde_json::from_str(&row.text("body"))
        .map_err(|e| StoreError::Unreadable { what: format!("a session: {e}") })?;
    Ok(Session { last_used: row.number("last_used"), ..kept })
}

/// Databases know no unsigned numbers; a log of 2^63 events is out of reach.
pub fn as_i64(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
