//! The checked plan: what a workflow compiles to and what the engine walks. A graph of a few primitives;
//! every node knows the step it came from, so that a person is always told about steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::budget::Most;
use crate::dictionary::Level;
use crate::expression::Condition;
use crate::template::{Template, in_language};

/// What a workflow starts with where we call the customer: the contact rules are asked before anybody dials.
pub const OUTGOING_CALL: &str = "outgoing-call";
/// The channel of a conversation in writing, in which an agent answers at once.
pub const CHAT: &str = "chat";

/// A workflow that passed every proof.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workflow's name: `healthcare-balance`.
    pub workflow: String,
    /// One line for people.
    pub title: String,
    /// The purpose of every disclosure and contact that does not say another.
    pub purpose: String,
    /// The conversation that it begins with: `call`, [`OUTGOING_CALL`], [`CHAT`] or `sms`.
    pub starts: String,
    /// `sha256:<hex>` over all sources that the plan was made from.
    pub digest: String,
    /// The connectors by the workflow's own names for them: `texts` -> `brightline-sms`.
    pub uses: BTreeMap<String, String>,
    /// The graph; node 0 is the entry.
    pub nodes: Vec<Node>,
    /// The message and page texts, by name; those in another language than the first as `receipt.es`.
    pub templates: BTreeMap<String, Template>,
    /// The languages of the texts, the first for whoever speaks none of them. Empty: one, which nobody names.
    pub languages: Vec<String>,
    /// What a run takes at most, by each measure.
    pub most: Vec<Most>,
}

impl Plan {
    /// The text of this name for who speaks this language; in the first one where there is none in theirs.
    #[must_use]
    pub fn text(&self, name: &str, language: Option<&str>) -> Option<&Template> {
        let theirs = language.and_then(|language| self.templates.get(&in_language(name, language)));
        theirs.or_else(|| self.templates.get(name))
    }
}

/// One primitive of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Unique in the plan: `identity.challenge`.
    pub name: String,
    /// The id of the step that this node belongs to: `identity`.
    pub step: String,
    /// What to do.
    pub op: Op,
    /// Where to go on. Every exit that the op can take is listed once (checked).
    pub exits: Vec<(Exit, Target)>,
}

impl Node {
    /// Whether it undoes what its step did. No way leads there: the engine goes there when a run fails.
    #[must_use]
    pub fn undoes(&self) -> bool {
        self.name == undo_of(&self.step)
    }

    /// Where this exit leads. INVARIANT: the lowering lists every exit that an op can take.
    pub fn target(&self, exit: Exit) -> Target {
        self.exits.iter().find(|(e, _)| *e == exit).map_or(Target::End(Ending::Failed), |(_, t)| *t)
    }
}

/// What is known of a payment to what undoes it, beside the customer's fields.
pub const PAYMENT: [&str; 2] = ["payment.reference", "payment.amount"];

/// The node that undoes what a step did.
#[must_use]
pub fn undo_of(step: &str) -> String {
    let (step, item) = step.split_once('#').map_or((step, None), |(step, item)| (step, Some(item)));
    item.map_or_else(|| format!("{step}.undo"), |item| format!("{step}.undo#{item}"))
}

/// How a node can be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It did what it is for.
    Done,
    /// A policy said no.
    Refused,
    /// It could not be done.
    Failed,
    /// Its time ran out.
    Timeout,
    /// The customer said no (an offer), or the vendor did (a card).
    Declined,
    /// An assertion still suffices.
    Fresh,
    /// No assertion suffices any more.
    Stale,
    /// The condition holds.
    Yes,
    /// It does not.
    No,
    /// The start of a branch. All of them are taken, at once.
    Branch(u16),
}

/// Where an exit leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Index into [`Plan::nodes`].
    Node(usize),
    /// The run is over.
    End(Ending),
}

/// How a run can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every step was done.
    Completed,
    /// A step was not done and the workflow has nothing further for that case.
    Failed,
    /// The customer declined.
    Declined,
}

/// The primitives. Durations are microseconds; connectors are names from [`Plan::uses`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Asks a verifier about a field. Done = clear; Failed = raised or missing (deny by default).
    Check {
        /// The verifier.
        connector: String,
        /// The field that it is asked about.
        subject: String,
    },
    /// Sends a message after a contact decision. Done, Refused, Failed.
    Send {
        /// The channel connector.
        connector: String,
        /// The field that holds the address.
        to: String,
        /// The template's name.
        template: String,
        /// The purpose that consent is asked for: `identity` for codes.
        purpose: String,
        /// What the message carries beside its text.
        carries: Carries,
    },
    /// Waits for the one-time code that the step's last `Send` carried; the right code makes an assertion of
    /// identity. Done, Failed (tries used up), Timeout.
    Answer {
        /// How long the code can be given.
        within: i64,
        /// How often a wrong one may be given.
        tries: u32,
        /// The level that the assertion proves.
        level: Level,
        /// How long the assertion holds.
        valid: i64,
    },
    /// Makes fields visible to the other side of the conversation. Done, Refused (no fresh assertion).
    Disclose {
        /// Paths of the fields.
        fields: Vec<String>,
        /// The template of the words that are said with them; its fields are among `fields`.
        words: Option<String>,
        /// `call`, [`CHAT`] or `page`.
        over: String,
        /// The level that the strictest field needs, or the words.
        needs: Level,
    },
    /// Waits for the conversation to be handed over to another channel. Done, Timeout.
    Handoff {
        /// The channel in which it goes on: `call`.
        to: String,
        /// How long that is awaited.
        within: i64,
    },
    /// Offers a payment plan and waits for the answer. Done (accepted), Declined, Timeout.
    Offer {
        /// The money field to be paid.
        total: String,
        /// In how many parts.
        payments: u32,
        /// One part every `month` or `week`.
        every: Every,
        /// How long the answer is awaited.
        within: i64,
    },
    /// Waits for the link of this step to be opened. Done, Timeout (the link expired).
    Open,
    /// Does an assertion of this level still hold? Fresh, Stale.
    Fresh {
        /// The level.
        needs: Level,
        /// Only one that was made since the link of this step was opened.
        anew: bool,
    },
    /// Waits, whatever happens. Done.
    Wait {
        /// For how long.
        lasts: i64,
    },
    /// Asks a condition. Yes, No, Failed (a value that it needs is not there).
    When {
        /// The condition.
        condition: Condition,
    },
    /// Asks a person at work. Done; Timeout (nobody answered, which is answered by `otherwise`).
    Ask {
        /// The question, as it is put.
        question: String,
        /// The job function of those who may answer.
        of: String,
        /// The answers to choose from.
        answers: Vec<String>,
        /// How long the answer is awaited.
        within: i64,
        /// The answer that stands where nobody gives one.
        otherwise: String,
    },
    /// Has a person at work, who is not who asked, approve terms. Done, Refused, Timeout: nobody's silence approves.
    Approve {
        /// The `offer` step whose terms they are.
        terms: String,
        /// The job function of those who may approve.
        of: String,
        /// How long that is awaited.
        within: i64,
    },
    /// Waits on the payment page for the authorization and the card. Done, Timeout (the link expired).
    Card {
        /// The template of the words that the customer agrees to.
        authorization: String,
        /// Which amount is authorized; `None`: the card is to be kept, and nothing is taken now.
        amount: Option<Amount>,
    },
    /// Asks the gateway whether the captured card is good; no money moves. Done, Declined, Failed. An unclear answer is
    /// no exit: it is reconciled.
    Validate {
        /// The gateway connector.
        connector: String,
        /// The level without which no card is kept.
        needs: Level,
        /// How many cards may be tried.
        tries: u32,
    },
    /// Makes the validated card the customer's method on file. Done.
    Keep {
        /// How long it stays there.
        lasts: i64,
    },
    /// Is this amount another one than the one that the card on file was charged last? Yes, No.
    Changed {
        /// Which amount.
        amount: Amount,
    },
    /// Keeps a hash of the amount with the method on file. Done.
    Remember {
        /// Which amount.
        amount: Amount,
        /// It was charged; otherwise the customer was told of it beforehand.
        charged: bool,
    },
    /// Charges the card on file while the customer is not there, after a contact decision on the channel `debit`. Done,
    /// Refused, Declined, Failed. An unclear answer is no exit: it is reconciled.
    Debit {
        /// The gateway connector.
        connector: String,
        /// Which amount.
        amount: Amount,
    },
    /// Charges the captured card. Done, Declined, Failed. An unclear answer is no exit: it is reconciled.
    Charge {
        /// The gateway connector.
        connector: String,
        /// Which amount.
        amount: Amount,
        /// The level without which nothing is charged.
        needs: Level,
        /// How many cards may be tried.
        tries: u32,
    },
    /// Begins branches, each by an exit of its own, which meet at `join`.
    Fork {
        /// The name of the `Join` node.
        join: String,
        /// Set where the one branch is taken once for each item of a list.
        each: Option<Each>,
    },
    /// Where branches meet: left when the last one is over. Done, Failed (one of them did not get here).
    Join,
    /// Writes down something about the customer. Done.
    Record {
        /// What.
        what: Noted,
    },
    /// Calls a function of a service. Done, Failed.
    Call {
        /// The service connector.
        connector: String,
        /// The function.
        function: String,
        /// Fields by the name that the function knows them by; the connector gets handles.
        with: Vec<(String, String)>,
        /// What it is called for.
        purpose: String,
        /// The effect class, where the workflow narrows the one that the manifest declares (checked).
        class: Option<String>,
    },
}

impl Op {
    /// Every exit that this op can take. The lowering gives each of them a target.
    #[must_use]
    pub fn exits(&self) -> &'static [Exit] {
        match self {
            Op::Check { .. } | Op::Call { .. } => &[Exit::Done, Exit::Failed],
            Op::Send { .. } => &[Exit::Done, Exit::Refused, Exit::Failed],
            Op::Answer { .. } => &[Exit::Done, Exit::Failed, Exit::Timeout],
            Op::Disclose { .. } => &[Exit::Done, Exit::Refused],
            Op::Offer { .. } => &[Exit::Done, Exit::Declined, Exit::Timeout],
            Op::Open | Op::Card { .. } | Op::Handoff { .. } => &[Exit::Done, Exit::Timeout],
            Op::Fresh { .. } => &[Exit::Fresh, Exit::Stale],
            Op::Charge { .. } | Op::Validate { .. } => &[Exit::Done, Exit::Declined, Exit::Failed],
            Op::Wait { .. } | Op::Keep { .. } | Op::Record { .. } | Op::Remember { .. } => &[Exit::Done],
            Op::Changed { .. } => &[Exit::Yes, Exit::No],
            Op::Debit { .. } => &[Exit::Done, Exit::Refused, Exit::Declined, Exit::Failed],
            Op::Ask { .. } => &[Exit::Done, Exit::Timeout],
            Op::Approve { .. } => &[Exit::Done, Exit::Refused, Exit::Timeout],
            Op::When { .. } => &[Exit::Yes, Exit::No, Exit::Failed],
            // How many branches there are stands in the node alone.
            Op::Fork { .. } => &[],
            Op::Join => &[Exit::Done, Exit::Failed],
        }
    }
}

/// A list whose items are gone through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Each {
    /// The group of its fields: `loan`.
    pub every: String,
    /// How many items are under way at once at most.
    pub at_once: u32,
}

/// What a `record` step writes down about the customer. All but a conversation changes what is on file of them, which the
/// contact rules read from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noted {
    /// A flag, which holds until somebody takes it away: `dispute`.
    Flag(String),
    /// Something that was done or said now: `reassignment-check`.
    Note(String),
    /// They were spoken with on this channel: the right party, whoever called whom.
    Conversation(String),
    /// They agreed.
    Consent(Word),
    /// They took a consent away.
    Withdrawal(Word),
}

/// A word on consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// To be contacted by this channel.
    pub channel: String,
    /// For this purpose; a withdrawal also for `all`.
    pub purpose: String,
    /// In these words, which were read to the customer or stand for what they said.
    pub words: String,
}

/// What a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Its text alone.
    Nothing,
    /// A one-time code, answered at the step's `Answer` node.
    Code,
    /// A single-use link to the page of a later `pay` or `capture` step.
    Link {
        /// The id of that step.
        opens: String,
        /// How long the link works.
        lasts: i64,
    },
}

/// How often a part of a plan is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Every {
    /// Every week.
    Week,
    /// Every month.
    Month,
}

/// Which amount a step moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    /// The first part of the accepted offer of this step: `plan.first`.
    FirstPart {
        /// The id of the `offer` step.
        offer: String,
    },
    /// A money field of the customer, whole.
    Field(String),
}
