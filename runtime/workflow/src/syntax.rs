//! The workflow as it was written: a tree of steps in which every word knows its place. Nothing here asks whether a
//! name exists; that is `lower` and `check`.

use crate::dictionary::{Level, word};
use crate::plan::Every;
use crate::source::{DAY, Diagnostic, Fields, Item, Reader, Span, Spanned, Value, code, did_you_mean};

/// Most steps in one workflow.
pub const MAX_STEPS: usize = 500;
/// Longest id or name, in characters.
pub const MAX_NAME: usize = 64;
/// Longest time that a link may work or an answer may be awaited.
pub const MAX_WAIT: i64 = 366 * DAY;
/// Most parts of a payment plan.
pub const MAX_PAYMENTS: i64 = 60;
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
    /// `starts:`, the medium of the conversation that it begins with.
    pub starts: Spanned<String>,
    /// `uses:`, from the workflow's names to connectors.
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
}

impl Kind {
    /// Every key that says a kind.
    pub const NAMES: [&'static str; 5] = ["verify", "disclose", "offer", "communicate", "pay"];

    /// The key that was written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Verify(_) => "verify",
            Kind::Disclose(_) => "disclose",
            Kind::Offer(_) => "offer",
            Kind::Communicate(_) => "communicate",
            Kind::Pay(_) => "pay",
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
}

/// `link:`
#[derive(Clone, Debug)]
pub struct Link {
    /// The id of the `pay` step.
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
    /// The level that it asks for.
    pub level: Spanned<Level>,
    /// The `verify` step to repeat when the assertion has expired.
    pub step_up: Option<Spanned<String>>,
    /// The words that the customer agrees to.
    pub authorization: Spanned<String>,
    /// How many cards may be tried.
    pub tries: Spanned<i64>,
    /// Why nothing undoes it.
    pub undo: Spanned<String>,
}

impl Workflow {
    /// Reads the tree of a `workflow.yaml`.
    ///
    /// # Errors
    /// Every mistake of form. Where there are any, there is no workflow.
    pub fn read(tree: &Value) -> Result<Self, Vec<Diagnostic>> {
        let reader = Reader::new();
        let top = reader.item(tree, "a workflow").map(&["workflow", "title", "purpose", "starts", "uses", "steps"]);
        let name = name(&top.required("workflow"));
        let title = top.required("title").text();
        let purpose = self::name(&top.required("purpose"));
        let starts = top.required("starts").one_of(&["call"]);
        let uses = top.required("uses").entries();
        let uses = uses.into_iter().filter_map(|(name, connector)| Some((name, self::name(&connector)?))).collect();
        let steps = steps(&reader, &top.required("steps"));
        let read = || Some(Self { name: name?, title: title?, purpose: purpose?, starts: starts?, uses, steps });
        reader.finish(read())
    }

    /// The step of this id.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id.value == id)
    }

    /// Where this step stands; the number of steps, if it does not exist.
    #[must_use]
    pub fn position(&self, id: &str) -> usize {
        self.steps.iter().position(|step| step.id.value == id).unwrap_or(self.steps.len())
    }
}

/// The steps; ids are unique.
fn steps(reader: &Reader, list: &Item<'_, '_>) -> Vec<Step> {
    let items = list.items();
    let complain = |span: Option<Span>, diagnostic: Diagnostic| {
        let diagnostic = match span {
            Some(span) => diagnostic.at(&span),
            None => diagnostic,
        };
        reader.report(diagnostic);
    };
    if items.len() > MAX_STEPS {
        let message = format!("{} steps; at most {MAX_STEPS} are taken", items.len());
        complain(list.span(), Diagnostic::new(code::BEYOND_LIMITS, message).help("divide the workflow"));
        return Vec::new();
    }
    if list.is_given() && items.is_empty() && reader.clean() {
        complain(list.span(), Diagnostic::new(code::WRONG_TYPE, "a workflow has at least one step"));
    }
    let mut steps: Vec<Step> = Vec::new();
    for item in &items {
        let Some(step) = step(reader, item) else { continue };
        if let Some(first) = steps.iter().find(|earlier| earlier.id.value == step.id.value) {
            let message = format!("two steps have the id `{}`", step.id.value);
            let help = format!("the first one is on line {}; give this one another id", first.id.span.line);
            complain(Some(step.id.span.clone()), Diagnostic::new(code::DUPLICATE, message).help(help));
        }
        steps.push(step);
    }
    steps
}

fn step(reader: &Reader, item: &Item<'_, '_>) -> Option<Step> {
    let (kind, body) = item.named("a step").tagged()?;
    let body = body.named(&format!("a `{}` step", kind.value));
    match kind.value.as_str() {
        "verify" => verify(&body),
        "disclose" => disclose(&body),
        "offer" => offer(&body),
        "communicate" => communicate(&body),
        "pay" => pay(reader, &body),
        other => {
            let message = format!("there is no step of the kind `{other}`");
            let help = did_you_mean(other, Kind::NAMES);
            reader.report(Diagnostic::new(code::UNKNOWN_KIND, message).at(&kind.span).maybe_help(help));
            None
        }
    }
}

fn verify(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "level", "by", "over", "to", "template", "check", "answer-within", "tries", "valid"]);
    let id = name(&keys.required("id"));
    let level = level(&keys);
    let by = name(&keys.required("by"));
    let over = name(&keys.required("over"));
    let to = keys.required("to").text();
    let template = name(&keys.required("template"));
    let check = name(&keys.optional("check"));
    let answer_within = wait(&keys.required("answer-within"));
    let tries = keys.required("tries").count(1..=MAX_TRIES);
    let valid = wait(&keys.required("valid"));
    let kind = Kind::Verify(Verify {
        level: level?,
        by: by?,
        over: over?,
        to: to?,
        template: template?,
        check,
        answer_within: answer_within?,
        tries: tries?,
        valid: valid?,
    });
    Some(Step { id: id?, kind })
}

fn disclose(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "fields", "over"]);
    let id = name(&keys.required("id"));
    let fields = keys.required("fields").texts();
    let over = keys.required("over").one_of(&["call", "page"]);
    Some(Step { id: id?, kind: Kind::Disclose(Disclose { fields, over: over? }) })
}

fn offer(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "total", "payments", "every", "answer-within"]);
    let id = name(&keys.required("id"));
    let total = keys.required("total").text();
    let payments = keys.required("payments").count(1..=MAX_PAYMENTS);
    let every = word(&keys.required("every"), &[("week", Every::Week), ("month", Every::Month)]);
    let answer_within = wait(&keys.required("answer-within"));
    let kind = Offer { total: total?, payments: payments?, every: every?, answer_within: answer_within? };
    Some(Step { id: id?, kind: Kind::Offer(kind) })
}

fn communicate(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "over", "to", "template", "purpose", "link"]);
    let id = name(&keys.required("id"));
    let over = name(&keys.required("over"));
    let to = keys.required("to").text();
    let template = name(&keys.required("template"));
    let purpose = name(&keys.optional("purpose"));
    let link = keys.optional("link");
    let link = link.is_given().then(|| {
        let keys = link.map(&["opens", "lasts"]);
        let (opens, lasts) = (name(&keys.required("opens")), wait(&keys.required("lasts")));
        Some(Link { opens: opens?, lasts: lasts? })
    });
    let link = match link {
        Some(link) => Some(link?),
        None => None,
    };
    let kind = Communicate { over: over?, to: to?, template: template?, purpose, link };
    Some(Step { id: id?, kind: Kind::Communicate(kind) })
}

fn pay(reader: &Reader, body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "amount", "by", "through", "level", "step-up", "authorization", "tries", "undo"]);
    let id = name(&keys.required("id"));
    let amount = keys.required("amount").text();
    let by = keys.required("by").one_of(&["link"]);
    let through = name(&keys.required("through"));
    let level = level(&keys);
    let step_up = name(&keys.optional("step-up"));
    let authorization = name(&keys.required("authorization"));
    let tries = keys.required("tries").count(1..=MAX_TRIES);
    let undo = keys.optional("undo");
    if let (false, Some(span)) = (undo.is_given(), keys.span()) {
        let message = "a `pay` step says how the money is given back, or why never";
        let help = "add `undo: { none: \"who decides, and why no workflow does\" }`";
        reader.report(Diagnostic::new(code::MISSING_KEY, message).at(span).help(help));
    }
    let undo = undo.map(&["none"]).required("none").text();
    by?;
    let kind = Kind::Pay(Pay {
        amount: amount?,
        through: through?,
        level: level?,
        step_up,
        authorization: authorization?,
        tries: tries?,
        undo: undo?,
    });
    Some(Step { id: id?, kind })
}

fn level(keys: &Fields<'_, '_>) -> Option<Spanned<Level>> {
    let item = keys.required("level");
    Some(Spanned::new(word(&item, &Level::ALL)?, item.span()?))
}

/// An id or a name: lower-case letters, digits and hyphens, beginning with a letter.
fn name(item: &Item<'_, '_>) -> Option<Spanned<String>> {
    item.parsed("a name of lower-case letters, digits and `-`", |text| is_name(text).then(|| text.to_owned()))
}

fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn wait(item: &Item<'_, '_>) -> Option<Spanned<i64>> {
    let duration = item.duration()?;
    if duration.value <= MAX_WAIT { Some(duration) } else { item.wrong("at most `366d`") }
}
