//! The stories of the workflow room, told through its public door: `compile`.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod branches;
mod budget;
mod captures;
mod disclosures;
mod handoff;
mod healthcare;
mod hostile;
mod house;
mod languages;
mod people;
mod refusals;
mod schema;
mod services;
mod subworkflows;
mod tools;
mod ways;
