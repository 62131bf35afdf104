//! What an event says. A fact is the body of one event of the record; the engine's state is nothing but the
//! fold of these. Values never stand here: they are named, and committed to with a salt.

mod form;
mod parts;
mod place;

use std::collections::BTreeMap;

use selvedge_policy::{Assertion, Decision};
pub use selvedge_workflow::plan::{Noted, Word};
use serde::{Deserialize, Serialize};

pub use self::parts::{Commitment, Items, Means, Moment, Revoked, Text};
use crate::handoff::HandedOver;
use crate::ports::{Access, Finding, Micros, Refusal, Report};

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Where a run goes on: a node's name, or `end:<ending>`.
pub type Next = String;

/// One thing that happened. In each, `node` is the node of the plan where it did, and `next` is where the run goes on.
#[allow(missing_docs, reason = "`node` and `next` are the same in each, and said once above")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Fact {
    /// Somebody got in touch.
    #[serde(rename = "interaction.opened")]
    Opened {
        /// The workflow that takes the interaction.
        workflow: String,
        /// The customer's id.
        customer: String,
        /// How it began: `call`.
        channel: String,
        /// The person who opened it.
        by: String,
        /// The digest of each connector that this run may call.
        connectors: BTreeMap<String, String>,
        /// The first node.
        next: Next,
    },
    /// The language that the customer is spoken with in, for the rest of the interaction.
    #[serde(rename = "language.chosen")]
    LanguageChosen {
        /// One of the workflow's: `es`.
        language: String,
        /// The one on file, where the workflow does not have it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        wanted: Option<String>,
    },
    /// May this contact be made?
    #[serde(rename = "contact.decided")]
    ContactDecided {
        /// The node that wants to send.
        node: String,
        /// Queued or sending.
        moment: Moment,
        /// Consent is asked for this purpose.
        purpose: String,
        /// `sms`.
        channel: String,
        /// The answer with all its reasons.
        decision: Decision,
        /// Set when the answer was no.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        next: Option<Next>,
    },
    /// Are we sure enough of who it is?
    #[serde(rename = "assurance.decided")]
    AssuranceDecided {
        /// The node that asks.
        node: String,
        /// The level that it needs.
        needs: String,
        /// The answer with its reasons.
        decision: Decision,
        /// Set when the answer decides where the run goes.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        next: Option<Next>,
    },
    /// A signal found a risk, or none, or could not tell.
    #[serde(rename = "signal.found")]
    SignalFound {
        /// The node at which it was heard.
        node: String,
        /// `sim-swap`.
        signal: String,
        /// What it found.
        finding: Finding,
        /// The vendor's reason, or ours.
        reason: String,
        /// Of a risk: until when every later try of this customer inherits it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        until: Option<Micros>,
    },
    /// Is the risk too high?
    #[serde(rename = "risk.decided")]
    RiskDecided {
        /// The node before which it was weighed.
        node: String,
        /// What the policy asks for: `allow`, `step-up`, `refuse`, `person`.
        action: String,
        /// The points that led to it.
        points: u32,
        /// Whether it may happen, with the rules that added points.
        decision: Decision,
        /// Set when the answer decides where the run goes.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        next: Option<Next>,
    },
    /// A link was made; its token is in no event.
    #[serde(rename = "link.issued")]
    LinkIssued {
        /// The node whose message carries it.
        node: String,
        /// What the token hashes to.
        link: String,
        /// The step that it opens.
        opens: String,
        /// The terms that it is bound to.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        terms: Option<String>,
        /// When it stops working.
        expires: Micros,
    },
    /// An effect is about to be tried; nothing has left yet.
    #[serde(rename = "effect.intended")]
    Intended {
        node: String,
        /// The effect's name for the vendor; the same over all attempts.
        key: String,
        /// The connector's name.
        connector: String,
        /// Its function: `send`.
        function: String,
        /// `pure`, `idempotent`, `reconcile` or `never-retry`.
        class: String,
        /// 1 for the first.
        attempt: u32,
        /// The epoch of the kill switches that it was decided at.
        #[serde(skip_serializing_if = "is_zero", default)]
        epoch: u64,
        /// The workflow, as far as a switch can stop it.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        workflow: String,
        /// The connector's vendor.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        vendor: String,
        /// The channel of a message.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        channel: String,
        /// The fields that the connector is handed, as handles: after a crash, these may have left.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        hands: Vec<String>,
        /// What it will carry.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        carries: Vec<Commitment>,
    },
    /// It was done, or certainly was not and never will be.
    #[serde(rename = "effect.done")]
    Done {
        node: String,
        /// The effect.
        key: String,
        /// `done`, `failed` or `declined`.
        exit: String,
        /// The vendor's reference.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        reference: String,
        /// The vendor's word, or why not.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        detail: String,
        /// What a service answered; its text is sealed.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        answer: Option<Commitment>,
        /// Fields that left.
        accesses: Vec<Access>,
        /// What the host refused.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        refusals: Vec<Refusal>,
        next: Next,
    },
    /// An attempt certainly did nothing; there will be another.
    #[serde(rename = "effect.postponed")]
    Postponed {
        node: String,
        /// The effect.
        key: String,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        why: String,
        /// Fields that left all the same.
        accesses: Vec<Access>,
        /// When the next attempt is made.
        at: Micros,
    },
    /// Maybe done. Never tried again blindly: the vendor is asked.
    #[serde(rename = "effect.unclear")]
    Unclear {
        node: String,
        /// The effect.
        key: String,
        /// What is known.
        why: String,
        /// Fields that left, as far as it is known.
        accesses: Vec<Access>,
        /// How often the vendor has been asked.
        asked: u32,
        /// When it is asked next.
        at: Micros,
    },
    /// The vendor did not say in all that time; a person decides.
    #[serde(rename = "effect.needs-person")]
    NeedsPerson {
        node: String,
        /// The effect.
        key: String,
        /// What is known.
        why: String,
        /// Fields that left, as far as it is known.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        accesses: Vec<Access>,
    },
    /// A kill switch stopped what comes next, before it left.
    #[serde(rename = "run.halted")]
    Halted {
        node: String,
        /// The switch: `kill-3`.
        switch: String,
        /// What it stops: `connector:brightline-sms`.
        scope: String,
        /// Who set it, and as what.
        by: String,
        /// Why.
        reason: String,
        /// Set when it was intended already: this effect did not leave all the same.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        key: Option<String>,
    },
    /// A person paused the run.
    #[serde(rename = "run.paused")]
    Paused {
        /// Who, and as what.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person let it go on.
    #[serde(rename = "run.resumed")]
    Resumed {
        /// Who, and as what.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person ended it. What may have happened is cleared up first.
    #[serde(rename = "run.cancelled")]
    Cancelled {
        /// Who, and as what.
        by: String,
        /// Why.
        reason: String,
    },
    /// The run failed or was cancelled, and what it did is undone, the newest first.
    #[serde(rename = "undo.began")]
    UndoBegan {
        /// What the run ends with afterwards.
        ending: String,
        /// Where each step is undone, in this order.
        places: Vec<Next>,
    },
    /// What a step did could not be undone. A person has it tried again, or decides.
    #[serde(rename = "undo.failed")]
    UndoFailed {
        node: String,
        /// The effect.
        key: String,
        /// Why.
        why: String,
        /// Fields that left all the same.
        accesses: Vec<Access>,
        /// What the host refused.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        refusals: Vec<Refusal>,
    },
    /// A person moved it to another definition of its workflow.
    #[serde(rename = "run.moved")]
    Moved {
        /// Who, and as what.
        by: String,
        /// Why.
        reason: String,
        /// The digest of the definition so far.
        from: String,
        /// The digest of the one that it goes by from here on.
        to: String,
        /// The digest of each connector that it may call from here on.
        connectors: BTreeMap<String, String>,
    },
    /// It goes on in another channel, or with another agent.
    #[serde(rename = "interaction.handed-over")]
    HandedOver(Box<HandedOver>),
    /// A person had it try, or ask, now.
    #[serde(rename = "run.retried")]
    Retried {
        /// Who, and as what.
        by: String,
        /// Why.
        reason: String,
    },
    /// A vendor told us something, signed, unasked.
    #[serde(rename = "vendor.reported")]
    Reported {
        /// The connection that it came in by.
        connection: String,
        /// What it said.
        report: Report,
    },
    /// The customer wrote to us.
    #[serde(rename = "text.received")]
    TextReceived(Text),
    /// The customer took a consent away.
    #[serde(rename = "consent.revoked")]
    ConsentRevoked(Revoked),
    /// The run waits for somebody.
    #[serde(rename = "wait.began")]
    WaitBegan {
        node: String,
        /// For what, in words: `the code`.
        what: String,
        /// Until when.
        until: Micros,
    },
    /// What was waited for came, or its time ran out, without more to say about it.
    #[serde(rename = "wait.ended")]
    WaitEnded {
        node: String,
        /// Why: `opened`, `time ran out`.
        why: String,
        next: Next,
    },
    /// Somebody gave a code that is not the one.
    #[serde(rename = "code.wrong")]
    CodeWrong {
        node: String,
        /// How many tries are left.
        left: u32,
        /// Set when none is.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        next: Option<Next>,
    },
    /// The right code: we know who it is, for a while.
    #[serde(rename = "assertion.issued")]
    AssertionIssued {
        node: String,
        /// The assertion.
        assertion: Assertion,
        next: Next,
    },
    /// Fields were made visible to the other side, and no others.
    #[serde(rename = "fields.disclosed")]
    Disclosed {
        node: String,
        /// `call` or `page`.
        over: String,
        /// Exactly these.
        fields: Vec<Commitment>,
        next: Next,
    },
    /// Somebody at work looked at disclosed values.
    #[serde(rename = "fields.read")]
    Read {
        /// The step that disclosed them.
        step: String,
        /// Names of the values.
        fields: Vec<String>,
    },
    /// A plan was put to the customer.
    #[serde(rename = "plan.offered")]
    Offered {
        node: String,
        /// The terms, whole.
        terms: Commitment,
        /// In how many parts.
        payments: u32,
        /// How long the answer is awaited.
        until: Micros,
    },
    /// The customer answered.
    #[serde(rename = "plan.answered")]
    Answered {
        node: String,
        /// Yes or no.
        accepted: bool,
        /// The commitment of the terms that the answer is about.
        terms: String,
        next: Next,
    },
    /// The link was opened.
    #[serde(rename = "link.opened")]
    LinkOpened {
        /// What the token hashes to.
        link: String,
    },
    /// The customer agreed, in these words, to be charged, or to have their card kept.
    #[serde(rename = "authorization.given")]
    Authorized {
        node: String,
        /// The words, as they stood on the page.
        words: Commitment,
        /// The terms that they belong to.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        terms: Option<String>,
        /// How the customer got a copy.
        copy: String,
    },
    /// A card went to the vault.
    #[serde(rename = "card.captured")]
    CardCaptured {
        node: String,
        /// What stands for it from here on.
        token: String,
        /// `visa`.
        brand: String,
        /// What may be shown of it (PCI DSS 3.4.1).
        last4: String,
        next: Next,
    },
    /// A card that its gateway called good became the customer's method on file.
    #[serde(rename = "method.kept")]
    MethodKept {
        node: String,
        /// What stands for it.
        token: String,
        /// `Visa`.
        brand: String,
        /// What may be shown of it.
        last4: String,
        /// From when on it may not be charged any more.
        until: Micros,
        /// The one before, which left the vault with this.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        replaces: Option<String>,
        next: Next,
    },
    /// With the method on file a hash of an amount is kept: of the one that was charged, or that the customer was told of.
    #[serde(rename = "amount.remembered")]
    Remembered {
        node: String,
        /// Whether it was charged; otherwise the customer was told of it.
        charged: bool,
        next: Next,
    },
    /// The security code was lost with the process that held it, before anything was charged.
    #[serde(rename = "card.forgotten")]
    CardForgotten {
        node: String,
        /// The card.
        token: String,
        /// Why.
        why: String,
        /// Back to the page.
        next: Next,
    },
    /// The record came out of a backup. What the run did after `until` is not in it, so an effect is asked about
    /// before it is made, where its class wants that.
    #[serde(rename = "run.restored")]
    Restored {
        /// The time of the newest event of all runs in the backup.
        until: Micros,
    },
    /// A person at work is asked.
    #[serde(rename = "question.asked")]
    QuestionAsked {
        node: String,
        /// The question, as the workflow puts it.
        question: String,
        /// The job function of those who may answer.
        of: String,
        /// What can be answered.
        answers: Vec<String>,
        /// How long the answer is awaited.
        until: Micros,
    },
    /// It was answered, by who caused this event; or, in nobody's place, by the workflow.
    #[serde(rename = "question.answered")]
    QuestionAnswered {
        node: String,
        /// One of the answers.
        answer: String,
        /// Whether a person gave it; otherwise it stands because nobody did in time.
        in_time: bool,
        next: Next,
    },
    /// A person at work is to approve terms.
    #[serde(rename = "approval.asked")]
    ApprovalAsked {
        node: String,
        /// The job function of those who may approve.
        of: String,
        /// The step whose terms they are.
        about: String,
        /// The commitment of the terms: these, and no others.
        terms: String,
        /// How long the approval is awaited.
        until: Micros,
    },
    /// It was approved or refused, by who caused this event.
    #[serde(rename = "approval.decided")]
    ApprovalDecided {
        node: String,
        /// Yes or no.
        approved: bool,
        /// The commitment of the terms that the answer is about.
        terms: String,
        next: Next,
    },
    /// Something was written down about the customer.
    #[serde(rename = "customer.noted")]
    Noted {
        node: String,
        /// What.
        what: Noted,
        next: Next,
    },
    /// A condition was asked, which decides the way that the run takes. Neither side of it stands here.
    #[serde(rename = "condition.decided")]
    ConditionDecided {
        node: String,
        /// `yes`, `no`, or `none` where it has no answer.
        answer: String,
        /// Why it has none.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        why: String,
        /// The fields that were opened for it.
        accesses: Vec<Access>,
        next: Next,
    },
    /// Branches began, each at its own place; the run goes on from `join` when the last one is over.
    #[serde(rename = "branches.began")]
    Forked {
        node: String,
        /// Where they meet.
        join: String,
        /// Where each begins; of a list the one place that every item begins at.
        starts: Vec<Next>,
        /// The items of a list.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        items: Option<Items>,
    },
    /// The last branch is over.
    #[serde(rename = "branches.met")]
    Joined {
        /// Where they met.
        node: String,
        next: Next,
    },
    /// Values that this record commits to outlived their rule: their keys were destroyed, and nobody can open them.
    #[serde(rename = "values.destroyed")]
    Destroyed {
        /// The classes of the data dictionary that they were of.
        classes: Vec<String>,
        /// The rule that kept them longest.
        rule: String,
        /// The law behind it.
        cite: String,
        /// How long that is after the interaction closed: `6y`.
        keep: String,
        /// When it closed.
        closed: Micros,
    },
    /// The interaction is over.
    #[serde(rename = "interaction.closed")]
    Closed {
        /// `completed`, `failed` or `declined`.
        ending: String,
    },
}
