//! **Make it happen.** The engine carries runs from one wait to the next and writes down everything on the way.
//!
//! The path of the main thing: something arrives ([`Engine::deliver`]) or comes due ([`Engine::run`]); the run
//! is folded from its record ([`Run::fold`]); [`decide::next`] says what it asks for; [`drive`] makes that
//! happen, through [`act`] where it leaves the house; what came of it becomes facts of a [`turn`], which one
//! transaction makes durable before the run goes on.
//!
//! Read first: [`decide`], which is pure and says everything that can happen in one place.
//!
//! Absent on purpose: SQL, HTTP, Wasm (ports: [`ports`]), a clock, and any state of a run outside its record.

pub mod access;
mod act;
pub mod campaign;
pub mod decide;
pub mod defect;
pub mod definition;
mod drive;
mod engine;
pub mod error;
mod evidence;
pub mod fact;
mod flight;
mod folds;
pub mod handoff;
pub mod health;
pub mod inbound;
mod language;
mod method;
pub mod money;
pub mod moving;
mod noted;
pub mod operate;
mod outgoing;
pub mod page;
mod people;
pub mod ports;
mod restored;
pub mod retention;
mod risk;
pub mod run;
pub mod schedule;
pub mod signal;
pub mod switches;
mod turn;
mod values;

pub use definition::{Definition, Packs};
pub use engine::{Engine, Parts, Settings};
pub use error::{EngineError, StoreError};
pub use fact::Fact;
pub use run::Run;
pub use signal::{Signal, Who};
