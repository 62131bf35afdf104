//! May it? May this person be written to now, is it certain enough who it is, may this colleague do that?
//!
//! Each question has one door, and every door gives a [`Decision`]: a verdict with all its reasons, each
//! with the rule, its citation and the facts that it used. A decision goes into the record as it is.
//!
//! - [`RuleSet::decide`]: contact rules, which are dated data in `workflows/rules/*.yaml`;
//! - [`Risk::assess`]: what the signals add up to, by `workflows/policies/risk.yaml`;
//! - [`OptOut::hear`]: does an inbound text ask to be left alone, by `workflows/policies/opt-out.yaml`;
//! - [`assess`]: does an assertion of identity suffice at this moment;
//! - [`Retention::until`]: how long is it kept, by which rule;
//! - [`Access::authorize`]: who may do what, written in Cedar in `workflows/policies/access.cedar`.
//!
//! Read `tests/contact.rs` first, and `workflows/rules/tests/`: the law as tables, which [`Policies::run`] plays.
//!
//! Absent on purpose: a clock (the moment is a fact like any other), I/O, and any law in code. What no rule
//! permits is denied.

mod access;
mod assurance;
mod contact;
mod customer;
mod decision;
mod history;
mod hours;
mod opt_out;
mod retention;
mod risk;
mod rules;
mod table;

pub use access::{Access, Principal, Resource};
pub use assurance::{Assertion, assess, assess_anew};
pub use contact::Contact;
pub use customer::{ALL, Consent, Convenient, CustomerState, Given, Method, Note, RiskFound, Told, ZoneEvidence};
pub use decision::{Decision, Reason, Verdict};
pub use history::{Contacted, Count, MAX_COUNTED, Past, Span, Tally, Window};
pub use hours::{Hours, MAX_DEFER_DAYS, Open};
pub use opt_out::{Heard, MAX_TEXT, OptOut};
pub use retention::{Keep, Retention, RetentionRule};
pub use risk::{Action, Assessment, Finding, Place, Risk, RiskReason, RiskRule, Weighed, Weighing};
pub use rules::{
    AMOUNT_NOTICE, CHANNELS, DEBIT, Force, Law, Needs, Obligation, Pack, Rule, RuleSet, SAME_AMOUNT, Then,
};
pub use table::{Case, Played, Policies, Shown};

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
    /// A row of a table that does not come out as it says.
    pub const ROW_FAILED: &str = "P220";
    /// A table that speaks of a flag, a note or a signal that no rule asks about.
    pub const UNKNOWN_IN_TABLE: &str = "P221";
    /// A risk rule by which a voice would lower the risk.
    pub const RISK_LOWERED: &str = "P231";
    /// Levels of risk that do not begin at 0 and ascend.
    pub const LEVELS_DISORDERED: &str = "P232";
    /// A risk that would follow a customer for too long.
    pub const RISK_HOLDS: &str = "P233";
    /// An access policy that is not Cedar.
    pub const NOT_CEDAR: &str = "P210";
    /// An access policy that speaks of something that does not exist.
    pub const NOT_IN_SCHEMA: &str = "P211";

    /// All of them, for the test that each has its page.
    pub const ALL: &[&str] = &[
        EMPTY_HOURS,
        DATES_REVERSED,
        NO_RULES,
        UNKNOWN_THEN,
        ROW_FAILED,
        UNKNOWN_IN_TABLE,
        RISK_LOWERED,
        LEVELS_DISORDERED,
        RISK_HOLDS,
        NOT_CEDAR,
        NOT_IN_SCHEMA,
    ];
}
