//! What should happen?
//!
//! Operations write a workflow in YAML; this room turns it into a plan, a graph of a few primitives that the engine
//! walks, and proves before anything runs that the plan is safe.
//!
//! The main path, through [`compile()`]:
//!
//! 1. [`source`] reads YAML into a tree whose nodes know their line and column;
//! 2. [`syntax`] takes the steps out of the tree and collects all mistakes of form;
//! 3. [`dictionary`] and [`template`] say what the fields are, how sure we must be, and what customers read;
//! 4. [`expression`] reads the conditions and checks their types;
//! 5. [`lower`] turns steps into nodes of the [`plan`];
//! 6. `check` proves: who it is is known wherever it matters, classes of data stay where they may be, every name
//!    exists, every effect and wait has an answer, and no run takes more than the [`budget`] allows.
//!
//! What else can be said of a plan: [`explain`] puts it into words, [`graph`] draws it, [`diff`] tells two apart,
//! [`moving`] says whether a run of the one can go on in the other, [`mutants`] spoils it to see whether the proofs notice.
//!
//! Read first: `workflows/healthcare-balance/workflow.yaml`, then its story in `tests/stories/healthcare.rs`.
//!
//! Absent on purpose: input and output, a clock, randomness, tokio. The same files give the same plan, the same digest
//! and the same words of refusal on every machine. Whether a contact is allowed *now* is `policy`'s question; to make
//! it happen is the engine's.

pub mod budget;
mod check;
mod compile;
pub mod dictionary;
pub mod diff;
pub mod disclosures;
mod expand;
pub mod explain;
pub mod expression;
pub mod graph;
pub mod lower;
pub mod moving;
pub mod mutants;
pub mod plan;
pub mod schedule;
pub mod schema;
pub mod source;
pub mod syntax;
pub mod template;

pub use compile::{
    ASSURANCE, BUDGET, Checked, ConnectorFacts, ConnectorKind, DICTIONARY, DISCLOSURES, Files, Proof, bundle, compile,
    digest_of,
};
