//! May it? May this person be written to now, is it certain enough who it is, may this colleague do that?
//!
//! Each question has one door, and every door gives a [`Decision`]: a verdict with all its reasons, each
//! with the rule, its citation and the facts that it used. A decision goes into the record as it is.
//!
//! - [`RuleSet::decide`]: contact rules, which are dated data in `workflows/rules/*.yaml`;
//! - [`assess`]: does an assertion of identity suffice at this moment;
//! - [`Retention::until`]: how long is it kept, by which rule;
//! - [`Access::authorize`]: who may do what, written in Cedar in `workflows/policies/access.cedar`.
//!
//! Read `tests/contact.rs` first: the law as a table.
//!
//! Absent on purpose: a clock (the moment is a fact like any other), I/O, and any law in code. What no rule
//! permits is denied.

mod access;
mod assurance;
mod contact;
mod decision;
mod hours;
mod retention;
mod rules;

pub use access::{Access, Principal, Resource};
pub use assurance::{Assertion, assess};
pub use contact::{Consent, Contact, CustomerState, ZoneEvidence};
pub use decision::{Decision, Reason, Verdict};
pub use hours::{Hours, MAX_DEFER_DAYS};
pub use retention::{Keep, Retention, RetentionRule};
pub use rules::{Rule, RuleSet, Then};

/// The codes of this room, in one place. Each has a page in `runtime/docs/errors/`.
pub mod code {
    /// Hours that never begin: `from` is not before `to`.
    pub const EMPTY_HOURS: &str = "P201";
    /// A rule that ends before it begins.
    pub const DATES_REVERSED: &str = "P202";
    /// No rule in any file.
    pub const NO_RULES: &str = "P203";
    /// A consequence that no rule can have.
    pub const UNKNOWN_THEN: &str = "P204";
    /// An access policy that is not Cedar.
    pub const NOT_CEDAR: &str = "P210";
    /// An access policy that speaks of something that does not exist.
    pub const NOT_IN_SCHEMA: &str = "P211";

    /// All of them, for the test that each has its page.
    pub const ALL: &[&str] = &[EMPTY_HOURS, DATES_REVERSED, NO_RULES, UNKNOWN_THEN, NOT_CEDAR, NOT_IN_SCHEMA];
}
