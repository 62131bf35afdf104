//! Whole runs on the real engine and the real store, against connectors that do as they are told and a clock that
//! the story moves. Read `ways.rs` first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

mod branches;
mod handoff;
mod house;
mod language;
mod noted;
mod outgoing;
mod people;
mod undo;
mod ways;
