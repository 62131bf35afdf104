//! The workflow as it was written: a tree of steps in which every word knows its place. Nothing here asks whether a
//! name exists; that is `lower` and `check`.

mod languages;
mod steps;

use self::languages::languages;
use self::steps::{name, steps};
use crate::dictionary::{FieldType, Level, word};
use crate::plan::{CHAT, Every, Noted, OUTGOING_CALL};
use crate::source::{DAY, Diagnostic, Reader, Span, Spanned, Value};

/// Most steps in one workflow, those inside others counted too.
pub const MAX_STEPS: usize = 500;
/// Deepest nesting of steps in steps.
pub const MAX_NESTING: usize = 5;
/// Most languages of its texts.
pub const MAX_LANGUAGES: usize = 10;
/// Most ways of one `choose` step.
pub const MAX_WAYS: usize = 20;
/// Most branches of one `parallel` step.
pub const MAX_BRANCHES: usize = 10;
/// Most items of a `for-each` that are under way at once.
pub const MAX_AT_ONCE: i64 = 100;
/// The channels that a step can record a word about.
pub const CHANNELS: [&str; 3] = ["call", "sms", "email"];
/// Longest question, and longest words of a consent, in characters.
pub const MAX_QUESTION: usize = 300;
/// Parts that an SMS may be sent in where its step does not say.
pub const PARTS: i64 = 2;
/// Most parts that a step may let its message take; no SMS is sent in more.
pub const MOST_PARTS: i64 = 10;
/// Most answers to a question.
pub const MAX_ANSWERS: usize = 10;
/// Longest id or name, in characters.
pub const MAX_NAME: usize = 64;
/// Longest time that a link may work or an answer may be awaited.
pub const MAX_WAIT: i64 = 366 * DAY;
/// Most inputs of a subworkflow.
pub const MAX_INPUTS: usize = 16;
/// Most parts of a payment plan.
pub const MAX_PAYMENTS: i64 = 60;
/// Most fields that one call hands over.
pub const MAX_WITH: usize = 16;
/// The effect classes of a service's functions, from the widest to the narrowest. `reconcile` is none of them: a
/// service has nobody to ask what became of a key.
pub const CALL_CLASSES: [&str; 3] = ["pure", "idempotent", "never-retry"];
/// Most tries at a code or a card.
pub const MAX_TRIES: i64 = 10;

/// A whole workflow.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// `workflow:`.
    pub name: Spanned<String>,
    /// `title:`.
    pub title: Spanned<String>,
    /// `purpose:`, of every disclosure and contact that does not say another.
    pub purpose: Spanned<String>,
    /// `starts:`, the conversation that it begins with; [`Workflow::medium`] is its medium.
    pub starts: Spanned<String>,
    /// `languages:`, of its texts; the first for whoever speaks none of them. Empty: one, which nobody names.
    pub languages: Vec<Spanned<String>>,
    /// `uses:`, from the workflow's names to connectors.
    pub uses: Vec<(Spanned<String>, Spanned<String>)>,
    /// `steps:`, in the order written.
    pub steps: Vec<Step>,
}

/// Steps that several workflows share: a `subworkflow.yaml`. Each workflow that names it has them as its own.
#[derive(Clone, Debug)]
pub struct Shared {
    /// `subworkflow:`.
    pub name: Spanned<String>,
    /// `title:`.
    pub title: Spanned<String>,
    /// `inputs:`, the fields that whoever names it hands in, each with its type.
    pub inputs: Vec<(Spanned<String>, FieldType)>,
    /// `uses:`, as of a workflow.
    pub uses: Vec<(Spanned<String>, Spanned<String>)>,
    /// `steps:`, in the order written.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// `id:`.
    pub id: Spanned<String>,
    /// The key that says what it is, and what belongs to it.
    pub kind: Kind,
}

impl Step {
    /// These steps and those inside them, in the order written.
    #[must_use]
    pub fn every(steps: &[Step]) -> Vec<&Step> {
        let with_inner = |step| std::iter::once(step).chain(Step::inner(step));
        steps.iter().flat_map(with_inner).collect()
    }

    fn inner(step: &Step) -> Vec<&Step> {
        step.kind.inner().into_iter().flat_map(Step::every).collect()
    }
}

/// The kinds of steps.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Make sure who it is.
    Verify(Verify),
    /// Show fields.
    Disclose(Disclose),
    /// Offer a payment plan.
    Offer(Offer),
    /// Send a message.
    Communicate(Communicate),
    /// Take a payment.
    Pay(Pay),
    /// Take a card without charging it, to keep it on file.
    Capture(Capture),
    /// Charge the card on file, of a changed amount after a notice.
    Debit(Debit),
    /// Call a function of a service.
    Call(Call),
    /// Let time pass.
    Wait(Wait),
    /// Go on in another channel.
    Handoff(Handoff),
    /// Go on one way or another.
    Choose(Choose),
    /// Ask a person at work.
    Ask(Ask),
    /// Have a person at work approve.
    Approve(Approve),
    /// Do several things at once.
    Parallel(Parallel),
    /// Do the same for each of several.
    ForEach(ForEach),
    /// Write something down about the customer.
    Record(Record),
    /// Do what several workflows do alike.
    Subworkflow(Subworkflow),
}

impl Kind {
    /// Every key that says a kind.
    pub const NAMES: [&'static str; 17] = [
        "verify",
        "disclose",
        "offer",
        "communicate",
        "pay",
        "capture",
        "debit",
        "call",
        "wait",
        "handoff",
        "choose",
        "ask",
        "approve",
        "parallel",
        "for-each",
        "record",
        "subworkflow",
    ];

    /// The key that was written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Verify(_) => "verify",
            Kind::Disclose(_) => "disclose",
            Kind::Offer(_) => "offer",
            Kind::Communicate(_) => "communicate",
            Kind::Pay(_) => "pay",
            Kind::Capture(_) => "capture",
            Kind::Debit(_) => "debit",
            Kind::Call(_) => "call",
            Kind::Wait(_) => "wait",
            Kind::Handoff(_) => "handoff",
            Kind::Choose(_) => "choose",
            Kind::Ask(_) => "ask",
            Kind::Approve(_) => "approve",
            Kind::Parallel(_) => "parallel",
            Kind::ForEach(_) => "for-each",
            Kind::Subworkflow(_) => "subworkflow",
            Kind::Record(_) => "record",
        }
    }

    /// What the page asks of the customer, where a link opens one.
    #[must_use]
    pub fn page(&self) -> Option<&OnPage> {
        match self {
            Kind::Pay(pay) => Some(&pay.page),
            Kind::Capture(capture) => Some(&capture.page),
            _ => None,
        }
    }

    /// How what it did is undone, where that is said.
    #[must_use]
    pub fn undo(&self) -> Option<&Undo> {
        match self {
            Kind::Pay(pay) => Some(&pay.undo),
            Kind::Call(call) => call.undo.as_ref(),
            _ => None,
        }
    }

    /// The calls of services that it makes: its own, and the one that undoes it.
    #[must_use]
    pub fn calls(&self) -> Vec<&Call> {
        let own = if let Kind::Call(call) = self { Some(call) } else { None };
        let undo = self.undo().and_then(|undo| if let Undo::Call(call) = undo { Some(&**call) } else { None });
        own.into_iter().chain(undo).collect()
    }

    /// The sequences of steps inside this one, in the order written.
    #[must_use]
    pub fn inner(&self) -> Vec<&[Step]> {
        match self {
            Kind::Choose(choose) => {
                let arms = choose.when.iter().map(|arm| arm.steps.as_slice());
                arms.chain([choose.otherwise.as_slice()]).collect()
            }
            Kind::Parallel(parallel) => parallel.branches.iter().map(Vec::as_slice).collect(),
            Kind::ForEach(each) => vec![each.steps.as_slice()],
            Kind::Subworkflow(sub) => vec![sub.steps.as_slice()],
            _ => Vec::new(),
        }
    }

    /// The same, to be changed.
    pub(crate) fn inner_mut(&mut self) -> Vec<&mut Vec<Step>> {
        match self {
            Kind::Choose(choose) => {
                choose.when.iter_mut().map(|arm| &mut arm.steps).chain([&mut choose.otherwise]).collect()
            }
            Kind::Parallel(parallel) => parallel.branches.iter_mut().collect(),
            Kind::ForEach(each) => vec![&mut each.steps],
            Kind::Subworkflow(sub) => vec![&mut sub.steps],
            _ => Vec::new(),
        }
    }
}

/// `verify:`
#[derive(Clone, Debug)]
pub struct Verify {
    /// The level that it is to prove.
    pub level: Spanned<Level>,
    /// The method.
    pub by: Spanned<String>,
    /// The channel.
    pub over: Spanned<String>,
    /// The field that holds the address.
    pub to: Spanned<String>,
    /// The message with the code.
    pub template: Spanned<String>,
    /// The verifier that is asked about the address first.
    pub check: Option<Spanned<String>>,
    /// How long the code can be given.
    pub answer_within: Spanned<i64>,
    /// How often a wrong one may be given.
    pub tries: Spanned<i64>,
    /// How long the assertion holds.
    pub valid: Spanned<i64>,
}

/// `disclose:`
#[derive(Clone, Debug)]
pub struct Disclose {
    /// What is shown.
    pub fields: Vec<Spanned<String>>,
    /// The words that are said, whole.
    pub words: Option<Spanned<String>>,
    /// `call` or `page`.
    pub over: Spanned<String>,
}

/// `offer:`
#[derive(Clone, Debug)]
pub struct Offer {
    /// The money field to be paid.
    pub total: Spanned<String>,
    /// In how many parts.
    pub payments: Spanned<i64>,
    /// How often.
    pub every: Every,
    /// How long the answer is awaited.
    pub answer_within: Spanned<i64>,
}

/// `communicate:`
#[derive(Clone, Debug)]
pub struct Communicate {
    /// The channel.
    pub over: Spanned<String>,
    /// The field that holds the address.
    pub to: Spanned<String>,
    /// The message.
    pub template: Spanned<String>,
    /// The purpose, where it is not the workflow's.
    pub purpose: Option<Spanned<String>>,
    /// A single-use link.
    pub link: Option<Link>,
    /// The most parts that it may be sent in, where that is not [`PARTS`].
    pub parts: Option<Spanned<i64>>,
}

/// `link:`
#[derive(Clone, Debug)]
pub struct Link {
    /// The id of the `pay` or `capture` step.
    pub opens: Spanned<String>,
    /// How long it works.
    pub lasts: Spanned<i64>,
}

/// `pay:`
#[derive(Clone, Debug)]
pub struct Pay {
    /// `<offer>.first` or a money field.
    pub amount: Spanned<String>,
    /// The gateway.
    pub through: Spanned<String>,
    /// What the page asks of the customer.
    pub page: OnPage,
    /// How it is undone.
    pub undo: Undo,
}

/// `undo:`, what gives back what a step did, when the run fails later.
#[derive(Clone, Debug)]
pub enum Undo {
    /// Nothing; why, and who decides.
    None(Spanned<String>),
    /// A call of a service.
    Call(Box<Call>),
}

/// `capture:`
#[derive(Clone, Debug)]
pub struct Capture {
    /// The gateway that says whether the card is good.
    pub through: Spanned<String>,
    /// What the page asks of the customer.
    pub page: OnPage,
    /// How long the card stays on file.
    pub lasts: Spanned<i64>,
}

/// `debit:`
#[derive(Clone, Debug)]
pub struct Debit {
    /// The money field.
    pub amount: Spanned<String>,
    /// The gateway.
    pub through: Spanned<String>,
    /// What goes before an amount that is not the one that was charged last.
    pub notice: Notice,
    /// Why nothing undoes it.
    pub undo: Spanned<String>,
}

/// `notice:`
#[derive(Clone, Debug)]
pub struct Notice {
    /// The channel.
    pub over: Spanned<String>,
    /// The field that holds the address.
    pub to: Spanned<String>,
    /// The message; it names the amount.
    pub template: Spanned<String>,
    /// How long the customer has between the notice and the charge.
    pub before: Spanned<i64>,
}

/// What the page that a link opens asks of the customer: who they are, words to agree to, and a card.
#[derive(Clone, Debug)]
pub struct OnPage {
    /// The level that it asks for.
    pub level: Spanned<Level>,
    /// The `verify` step to repeat when the assertion has expired.
    pub step_up: Option<Spanned<String>>,
    /// The words that the customer agrees to.
    pub authorization: Spanned<String>,
    /// How many cards may be tried.
    pub tries: Spanned<i64>,
}

/// `call:`
#[derive(Clone, Debug)]
pub struct Call {
    /// The service.
    pub through: Spanned<String>,
    /// Its function.
    pub function: Spanned<String>,
    /// `with:`, from the function's names to fields.
    pub with: Vec<(Spanned<String>, Spanned<String>)>,
    /// The purpose, where it is not the workflow's.
    pub purpose: Option<Spanned<String>>,
    /// A narrower effect class than the manifest declares.
    pub class: Option<Spanned<String>>,
    /// How it is undone, where it is.
    pub undo: Option<Undo>,
}

/// `wait:`
#[derive(Clone, Debug)]
pub struct Wait {
    /// For how long.
    pub lasts: Spanned<i64>,
}

/// `handoff:`
#[derive(Clone, Debug)]
pub struct Handoff {
    /// The channel in which the conversation goes on.
    pub to: Spanned<String>,
    /// How long that is awaited.
    pub within: Spanned<i64>,
    /// The `verify` step that is repeated where no proof is carried that still holds.
    pub step_up: Spanned<String>,
}

/// `choose:`
#[derive(Clone, Debug)]
pub struct Choose {
    /// Asked in their order; the first that holds is taken.
    pub when: Vec<When>,
    /// What happens where none holds; nothing, if empty.
    pub otherwise: Vec<Step>,
}

/// One way of a `choose` step.
#[derive(Clone, Debug)]
pub struct When {
    /// The condition, as written.
    pub condition: Spanned<String>,
    /// What happens then.
    pub steps: Vec<Step>,
}

/// `ask:`
#[derive(Clone, Debug)]
pub struct Ask {
    /// The question.
    pub question: Spanned<String>,
    /// Who may answer: a job function.
    pub of: Spanned<String>,
    /// What can be answered.
    pub answers: Vec<Spanned<String>>,
    /// How long the answer is awaited.
    pub within: Spanned<i64>,
    /// One of the answers, for when nobody gives one.
    pub otherwise: Spanned<String>,
}

/// `record:`
#[derive(Clone, Debug)]
pub struct Record {
    /// What is written down.
    pub what: Noted,
    /// Where that is written.
    pub at: Span,
}

/// `approve:`
#[derive(Clone, Debug)]
pub struct Approve {
    /// The `offer` step whose terms are approved.
    pub terms: Spanned<String>,
    /// Who may approve: a job function.
    pub of: Spanned<String>,
    /// How long that is awaited.
    pub within: Spanned<i64>,
}

/// `parallel:`
#[derive(Clone, Debug)]
pub struct Parallel {
    /// They begin together; the run goes on when the last one is over.
    pub branches: Vec<Vec<Step>>,
    /// `if-one-fails: go-on`: the run goes on all the same. Otherwise the others go on to their end, then it fails.
    pub go_on: bool,
}

/// `for-each:`
#[derive(Clone, Debug)]
pub struct ForEach {
    /// The group of fields with `list: true` whose items they are: `loan`.
    pub every: Spanned<String>,
    /// How many items are under way at once at most.
    pub at_once: Spanned<i64>,
    /// What is done for each item.
    pub steps: Vec<Step>,
    /// `if-one-fails: go-on`, as of `parallel`.
    pub go_on: bool,
}

/// `subworkflow:`
#[derive(Clone, Debug)]
pub struct Subworkflow {
    /// The folder of its `subworkflow.yaml`.
    pub workflow: Spanned<String>,
    /// `with:`, from its inputs to fields.
    pub with: Vec<(Spanned<String>, Spanned<String>)>,
    /// Its steps, once they are put in its place.
    pub steps: Vec<Step>,
}

impl Shared {
    /// Reads the tree of a `subworkflow.yaml`.
    ///
    /// # Errors
    /// Every mistake of form. Where there are any, there is none.
    pub fn read(tree: &Value) -> Result<Self, Vec<Diagnostic>> {
        let reader = Reader::new();
        let top = reader.item(tree, "a subworkflow").map(&["subworkflow", "title", "inputs", "uses", "steps"]);
        let name = name(&top.required("subworkflow"));
        let title = top.required("title").text();
        let list = top.optional("inputs");
        let entries = list.entries();
        if entries.len() > MAX_INPUTS {
            list.wrong::<()>(&format!("at most {MAX_INPUTS} inputs"));
        }
        let inputs = entries.into_iter().filter_map(|(name, ty)| Some((name, word(&ty, &FieldType::ALL)?))).collect();
        let uses = top.required("uses").entries();
        let uses = uses.into_iter().filter_map(|(name, connector)| Some((name, steps::name(&connector)?))).collect();
        let steps = steps(&reader, &top.required("steps"));
        let read = || Some(Self { name: name?, title: title?, inputs, uses, steps });
        reader.finish(read())
    }
}

impl Workflow {
    /// Reads the tree of a `workflow.yaml`.
    ///
    /// # Errors
    /// Every mistake of form. Where there are any, there is no workflow.
    pub fn read(tree: &Value) -> Result<Self, Vec<Diagnostic>> {
        let reader = Reader::new();
        let top = reader.item(tree, "a workflow").map(&[
            "workflow",
            "title",
            "purpose",
            "starts",
            "languages",
            "uses",
            "steps",
        ]);
        let name = name(&top.required("workflow"));
        let title = top.required("title").text();
        let purpose = steps::name(&top.required("purpose"));
        let starts = top.required("starts").one_of(&["call", OUTGOING_CALL, CHAT, "sms"]);
        let languages = languages(&reader, &top.optional("languages"));
        let uses = top.required("uses").entries();
        let uses = uses.into_iter().filter_map(|(name, connector)| Some((name, steps::name(&connector)?))).collect();
        let steps = steps(&reader, &top.required("steps"));
        let read = || {
            let (name, title, purpose, starts) = (name?, title?, purpose?, starts?);
            Some(Self { name, title, purpose, starts, languages, uses, steps })
        };
        reader.finish(read())
    }

    /// The medium of the conversation that it begins with: whoever called whom, a call is a call.
    #[must_use]
    pub fn medium(&self) -> &str {
        if self.starts.value == OUTGOING_CALL { "call" } else { &self.starts.value }
    }

    /// The medium that an offer is read out on: nobody agrees to terms in a chat.
    #[must_use]
    pub fn offers_on(&self) -> &str {
        if self.medium() == CHAT { "call" } else { self.medium() }
    }

    /// Every step, also those inside others, in the order written.
    #[must_use]
    pub fn every_step(&self) -> Vec<&Step> {
        Step::every(&self.steps)
    }

    /// The step of this id.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&Step> {
        fn find<'a>(steps: &'a [Step], id: &str) -> Option<&'a Step> {
            steps.iter().find_map(|step| match step.id.value == id {
                true => Some(step),
                false => step.kind.inner().into_iter().find_map(|inner| find(inner, id)),
            })
        }
        find(&self.steps, id)
    }
}
