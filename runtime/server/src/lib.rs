//! **Talk to people.** Colleagues, customers and vendors reach the engine through this room, over HTTP.
//!
//! The path of the main thing: a colleague's program opens an interaction (`api`), with a session that is
//! checked in one place (`auth`); the customer opens a link and gives a code and a card (`pay`); a vendor
//! reports what became of an effect (`webhooks`); an auditor reads the story (`console`), told in words by
//! [`timeline::in_words`]. Every request passes the limits and every answer carries the headers that [`router`]
//! sets.
//!
//! Read first: `pay.rs`; a link's whole life is in it.
//!
//! Absent on purpose: SQL, Wasm, keys and clocks (all behind the engine), TLS (a proxy's business), scripts on
//! any page, a token or a card number in any log or address of ours, and decisions: `auth` asks the access
//! policy, the engine decides all else.

mod api;
mod app;
mod auth;
mod console;
mod error;
mod health;
mod pages;
mod pay;
pub mod timeline;
mod webhooks;

pub use api::standing::Standing;
pub use app::{MAX_BODY_BYTES, REQUEST_TIME, ServerParts, openapi, router, serve};
pub use auth::{IDLE_LIMIT, token_hash};
pub use error::{Problem, ServerError};

#[cfg(test)]
mod tests;
