//! Takes steps out of the YAML tree: one function for each kind. Each takes every key before the first `?`, so that
//! all mistakes are told at once.

use super::{
    Approve, Ask, CALL_CLASSES, CHANNELS, Call, Capture, Choose, Communicate, Debit, Disclose, ForEach, Handoff, Kind,
    Link, MAX_ANSWERS, MAX_AT_ONCE, MAX_BRANCHES, MAX_NAME, MAX_NESTING, MAX_PAYMENTS, MAX_QUESTION, MAX_STEPS,
    MAX_TRIES, MAX_WAIT, MAX_WAYS, MAX_WITH, MOST_PARTS, Notice, Offer, OnPage, Parallel, Pay, Record, Step,
    Subworkflow, Undo, Verify, Wait, When,
};
use crate::dictionary::{Level, word};
use crate::plan::{CHAT, Every, Noted, Word};
use crate::source::{Diagnostic, Fields, Item, Reader, Span, Spanned, code, did_you_mean};

/// All steps; ids are unique over the whole tree.
pub(super) fn steps(reader: &Reader, list: &Item<'_, '_>) -> Vec<Step> {
    let mut taken = Taken { reader, ids: Vec::new() };
    let steps = taken.sequence(list, 1);
    if list.is_given() && steps.is_empty() && reader.clean() {
        taken.complain(list.span(), Diagnostic::new(code::WRONG_TYPE, "a workflow has at least one step"));
    }
    steps
}

/// The steps taken so far, by their ids.
struct Taken<'r> {
    reader: &'r Reader,
    ids: Vec<Spanned<String>>,
}

impl Taken<'_> {
    /// Steps that follow one another, `depth` levels down.
    fn sequence(&mut self, list: &Item<'_, '_>, depth: usize) -> Vec<Step> {
        let items = list.items();
        let beyond = if self.ids.len() + items.len() > MAX_STEPS {
            Some((format!("too many steps; at most {MAX_STEPS} are taken"), "divide the workflow"))
        } else if depth > MAX_NESTING {
            let message = format!("steps in steps, more than {MAX_NESTING} levels deep");
            Some((message, "put the inner ones after the outer ones"))
        } else {
            None
        };
        if let Some((message, help)) = beyond {
            self.complain(list.span(), Diagnostic::new(code::BEYOND_LIMITS, message).help(help));
            return Vec::new();
        }
        items.iter().filter_map(|item| self.step(item, depth)).collect()
    }

    fn step(&mut self, item: &Item<'_, '_>, depth: usize) -> Option<Step> {
        let (kind, body) = item.named("a step").tagged()?;
        let article = if kind.value.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let body = body.named(&format!("{article} `{}` step", kind.value));
        let step = match kind.value.as_str() {
            "verify" => verify(&body),
            "disclose" => disclose(&body),
            "offer" => offer(&body),
            "communicate" => communicate(&body),
            "pay" => pay(self.reader, &body),
            "capture" => capture(&body),
            "debit" => debit(self.reader, &body),
            "call" => call(self.reader, &body),
            "wait" => pause(&body),
            "handoff" => handoff(&body),
            "ask" => ask(self.reader, &body),
            "approve" => approve(&body),
            "record" => record(self.reader, &body),
            "subworkflow" => subworkflow(&body),
            "choose" => return self.choose(&body, depth),
            "parallel" => return self.parallel(&body, depth),
            "for-each" => return self.for_each(&body, depth),
            other => {
                let message = format!("there is no step of the kind `{other}`");
                let help = did_you_mean(other, Kind::NAMES);
                self.reader.report(Diagnostic::new(code::UNKNOWN_KIND, message).at(&kind.span).maybe_help(help));
                None
            }
        }?;
        self.note(&step.id);
        Some(step)
    }

    /// `choose:` with its ways; the id comes before those of the steps inside.
    fn choose(&mut self, body: &Item<'_, '_>, depth: usize) -> Option<Step> {
        let keys = body.map(&["id", "when", "otherwise"]);
        let id = name(&keys.required("id"));
        if let Some(id) = &id {
            self.note(id);
        }
        let list = keys.required("when");
        let ways = list.items();
        if list.is_given() && (ways.is_empty() || ways.len() > MAX_WAYS) {
            list.wrong::<()>(&format!("a list of 1 to {MAX_WAYS} ways"));
        }
        let when = ways.iter().take(MAX_WAYS).map(|way| {
            let keys = way.named("a way of `choose`").map(&["if", "steps"]);
            let condition = keys.required("if").text();
            let steps = self.some_steps(&keys.required("steps"), depth + 1);
            Some(When { condition: condition?, steps })
        });
        let when: Vec<Option<When>> = when.collect();
        let otherwise = self.sequence(&keys.required("otherwise"), depth + 1);
        let when = when.into_iter().collect::<Option<Vec<When>>>();
        Some(Step { id: id?, kind: Kind::Choose(Choose { when: when?, otherwise }) })
    }

    /// Steps of which there is at least one.
    fn some_steps(&mut self, list: &Item<'_, '_>, depth: usize) -> Vec<Step> {
        let steps = self.sequence(list, depth);
        if list.is_given() && steps.is_empty() && self.reader.clean() {
            list.wrong::<()>("at least one step");
        }
        steps
    }

    /// `parallel:` with its branches.
    fn parallel(&mut self, body: &Item<'_, '_>, depth: usize) -> Option<Step> {
        let keys = body.map(&["id", "branches", "if-one-fails"]);
        let id = name(&keys.required("id"));
        if let Some(id) = &id {
            self.note(id);
        }
        let list = keys.required("branches");
        let items = list.items();
        if list.is_given() && !(2..=MAX_BRANCHES).contains(&items.len()) {
            list.wrong::<()>(&format!("a list of 2 to {MAX_BRANCHES} branches"));
        }
        let branches = items.iter().take(MAX_BRANCHES).map(|branch| {
            let keys = branch.named("a branch of `parallel`").map(&["steps"]);
            self.some_steps(&keys.required("steps"), depth + 1)
        });
        let branches = branches.collect();
        let go_on = if_one_fails(&keys)?;
        Some(Step { id: id?, kind: Kind::Parallel(Parallel { branches, go_on }) })
    }

    /// `for-each:` with its steps.
    fn for_each(&mut self, body: &Item<'_, '_>, depth: usize) -> Option<Step> {
        let keys = body.map(&["id", "every", "at-once", "steps", "if-one-fails"]);
        let id = name(&keys.required("id"));
        if let Some(id) = &id {
            self.note(id);
        }
        let every = name(&keys.required("every"));
        let at_once = keys.required("at-once").count(1..=MAX_AT_ONCE);
        let steps = self.some_steps(&keys.required("steps"), depth + 1);
        let go_on = if_one_fails(&keys)?;
        Some(Step { id: id?, kind: Kind::ForEach(ForEach { every: every?, at_once: at_once?, steps, go_on }) })
    }

    fn note(&mut self, id: &Spanned<String>) {
        if let Some(first) = self.ids.iter().find(|earlier| earlier.value == id.value) {
            let message = format!("two steps have the id `{}`", id.value);
            let help = format!("the first one is on line {}; give this one another id", first.span.line);
            self.complain(Some(id.span.clone()), Diagnostic::new(code::DUPLICATE, message).help(help));
        }
        self.ids.push(id.clone());
    }

    fn complain(&self, span: Option<Span>, diagnostic: Diagnostic) {
        self.reader.report(match span {
            Some(span) => diagnostic.at(&span),
            None => diagnostic,
        });
    }
}

/// `if-one-fails:`, whether the run goes on all the same.
fn if_one_fails(keys: &Fields<'_, '_>) -> Option<bool> {
    let item = keys.optional("if-one-fails");
    if item.is_given() { Some(item.one_of(&["fail", "go-on"])?.value == "go-on") } else { Some(false) }
}

fn pause(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "for"]);
    let id = name(&keys.required("id"));
    let lasts = wait(&keys.required("for"));
    Some(Step { id: id?, kind: Kind::Wait(Wait { lasts: lasts? }) })
}

fn handoff(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "to", "within", "step-up"]);
    let id = name(&keys.required("id"));
    let to = keys.required("to").one_of(&["call", CHAT]);
    let within = wait(&keys.required("within"));
    let step_up = name(&keys.required("step-up"));
    Some(Step { id: id?, kind: Kind::Handoff(Handoff { to: to?, within: within?, step_up: step_up? }) })
}

fn ask(reader: &Reader, body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "question", "of", "answers", "within", "otherwise"]);
    let id = name(&keys.required("id"));
    let fits = |text: &str| (text.chars().count() <= MAX_QUESTION).then(|| text.to_owned());
    let question = keys.required("question").parsed(&format!("a question of at most {MAX_QUESTION} characters"), fits);
    let of = name(&keys.required("of"));
    let list = keys.required("answers");
    let items = list.items();
    if list.is_given() && !(2..=MAX_ANSWERS).contains(&items.len()) {
        list.wrong::<()>(&format!("a list of 2 to {MAX_ANSWERS} answers"));
    }
    let mut answers: Vec<Spanned<String>> = Vec::new();
    for answer in items.iter().take(MAX_ANSWERS).filter_map(name) {
        if answers.iter().any(|earlier| earlier.value == answer.value) {
            let message = format!("the answer `{}` stands there twice", answer.value);
            reader.report(Diagnostic::new(code::DUPLICATE, message).at(&answer.span).help("remove one of them"));
        }
        answers.push(answer);
    }
    let within = wait(&keys.required("within"));
    let words: Vec<&str> = answers.iter().map(|answer| answer.value.as_str()).collect();
    let otherwise = keys.required("otherwise").one_of(&words);
    let kind = Ask { question: question?, of: of?, answers, within: within?, otherwise: otherwise? };
    Some(Step { id: id?, kind: Kind::Ask(kind) })
}

fn approve(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "terms", "of", "within"]);
    let id = name(&keys.required("id"));
    let terms = name(&keys.required("terms"));
    let of = name(&keys.required("of"));
    let within = wait(&keys.required("within"));
    Some(Step { id: id?, kind: Kind::Approve(Approve { terms: terms?, of: of?, within: within? }) })
}

fn record(reader: &Reader, body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "fact"]);
    let id = name(&keys.required("id"));
    let fact = keys.required("fact");
    let (kind, value) = fact.named("what is recorded").tagged()?;
    let what = match kind.value.as_str() {
        "flag" => Noted::Flag(name(&value)?.value),
        "note" => Noted::Note(name(&value)?.value),
        "conversation" => Noted::Conversation(value.one_of(&CHANNELS)?.value),
        "consent" => Noted::Consent(consent(&value)?),
        "withdrawal" => Noted::Withdrawal(consent(&value)?),
        other => {
            let message = format!("`{other}` is nothing that is recorded");
            let help = did_you_mean(other, ["flag", "note", "conversation", "consent", "withdrawal"]);
            reader.report(Diagnostic::new(code::UNKNOWN_KIND, message).at(&kind.span).maybe_help(help));
            return None;
        }
    };
    Some(Step { id: id?, kind: Kind::Record(Record { what, at: kind.span }) })
}

fn consent(item: &Item<'_, '_>) -> Option<Word> {
    let keys = item.map(&["channel", "purpose", "words"]);
    let channel = keys.required("channel").one_of(&CHANNELS);
    let purpose = name(&keys.required("purpose"));
    let fits = |text: &str| (text.chars().count() <= MAX_QUESTION).then(|| text.to_owned());
    let words = keys.required("words").parsed(&format!("words of at most {MAX_QUESTION} characters"), fits);
    Some(Word { channel: channel?.value, purpose: purpose?.value, words: words?.value })
}

fn subworkflow(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "workflow", "with"]);
    let id = name(&keys.required("id"));
    let workflow = name(&keys.required("workflow"));
    let with = keys.optional("with").entries();
    let with = with.into_iter().filter_map(|(input, field)| Some((input, field.text()?))).collect();
    Some(Step { id: id?, kind: Kind::Subworkflow(Subworkflow { workflow: workflow?, with, steps: Vec::new() }) })
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
    let keys = body.map(&["id", "fields", "words", "over"]);
    let id = name(&keys.required("id"));
    let fields = keys.optional("fields").texts();
    let words = name(&keys.optional("words"));
    let over = keys.required("over").one_of(&["call", CHAT, "page"]);
    Some(Step { id: id?, kind: Kind::Disclose(Disclose { fields, words, over: over? }) })
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
    let keys = body.map(&["id", "over", "to", "template", "purpose", "link", "parts"]);
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
    let parts = keys.optional("parts");
    let parts = if parts.is_given() { Some(parts.count(1..=MOST_PARTS)?) } else { None };
    let kind = Communicate { over: over?, to: to?, template: template?, purpose, link, parts };
    Some(Step { id: id?, kind: Kind::Communicate(kind) })
}

fn pay(reader: &Reader, body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "amount", "by", "through", "level", "step-up", "authorization", "tries", "undo"]);
    let id = name(&keys.required("id"));
    let amount = keys.required("amount").text();
    let by = keys.required("by").one_of(&["link"]);
    let through = name(&keys.required("through"));
    let page = on_page(&keys, keys.optional("step-up"));
    let undo = undone(reader, &undo(reader, &keys, "pay"));
    by?;
    let kind = Kind::Pay(Pay { amount: amount?, through: through?, page: page?, undo: undo? });
    Some(Step { id: id?, kind })
}

/// How the money of a step is given back.
fn undo<'r, 'v>(reader: &Reader, keys: &Fields<'r, 'v>, kind: &str) -> Item<'r, 'v> {
    let undo = keys.optional("undo");
    if let (false, Some(span)) = (undo.is_given(), keys.span()) {
        let message = format!("a `{kind}` step says how the money is given back, or why never");
        let help = "add `undo: { none: \"who decides, and why no workflow does\" }`";
        reader.report(Diagnostic::new(code::MISSING_KEY, message).at(span).help(help));
    }
    undo
}

fn debit(reader: &Reader, body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "amount", "through", "notice", "undo"]);
    let id = name(&keys.required("id"));
    let amount = keys.required("amount").text();
    let through = name(&keys.required("through"));
    let notice = keys.required("notice").map(&["over", "to", "template", "before"]);
    let (over, to) = (name(&notice.required("over")), notice.required("to").text());
    let (template, before) = (name(&notice.required("template")), wait(&notice.required("before")));
    let undo = undo(reader, &keys, "debit").map(&["none"]).required("none").text();
    let notice = Notice { over: over?, to: to?, template: template?, before: before? };
    Some(Step { id: id?, kind: Kind::Debit(Debit { amount: amount?, through: through?, notice, undo: undo? }) })
}

fn capture(body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "by", "through", "level", "step-up", "authorization", "tries", "lasts"]);
    let id = name(&keys.required("id"));
    let by = keys.required("by").one_of(&["link"]);
    let through = name(&keys.required("through"));
    // No proof from before the link was opened is fresh enough, so there has to be a way to give a new one.
    let page = on_page(&keys, keys.required("step-up"));
    let lasts = wait(&keys.required("lasts"));
    by?;
    Some(Step { id: id?, kind: Kind::Capture(Capture { through: through?, page: page?, lasts: lasts? }) })
}

fn on_page(keys: &Fields<'_, '_>, step_up: Item<'_, '_>) -> Option<OnPage> {
    let level = level(keys);
    let step_up = name(&step_up);
    let authorization = name(&keys.required("authorization"));
    let tries = keys.required("tries").count(1..=MAX_TRIES);
    Some(OnPage { level: level?, step_up, authorization: authorization?, tries: tries? })
}

fn call(reader: &Reader, body: &Item<'_, '_>) -> Option<Step> {
    let keys = body.map(&["id", "through", "function", "with", "purpose", "class", "undo"]);
    let id = name(&keys.required("id"));
    let undo = keys.optional("undo");
    let undo = if undo.is_given() { undone(reader, &undo).map(Some) } else { Some(None) };
    let call = called(reader, &keys)?;
    Some(Step { id: id?, kind: Kind::Call(Call { undo: undo?, ..call }) })
}

/// `undo:`, of which there is one way or the reason why there is none.
fn undone(reader: &Reader, item: &Item<'_, '_>) -> Option<Undo> {
    let keys = item.named("`undo`").map(&["none", "call"]);
    let (none, call) = (keys.optional("none"), keys.optional("call"));
    match (none.is_given(), call.is_given()) {
        (true, false) => none.text().map(Undo::None),
        (false, true) => {
            let keys = call.map(&["through", "function", "with", "purpose", "class"]);
            called(reader, &keys).map(|call| Undo::Call(Box::new(call)))
        }
        _ if item.is_given() => item.wrong("one of `none: \"why not\"` and `call: { … }`"),
        _ => None,
    }
}

/// What a call says: of a step, or of what undoes one.
fn called(reader: &Reader, keys: &Fields<'_, '_>) -> Option<Call> {
    let through = name(&keys.required("through"));
    let function = name(&keys.required("function"));
    let with = keys.optional("with");
    let purpose = name(&keys.optional("purpose"));
    let class = keys.optional("class");
    let class = if class.is_given() { Some(class.one_of(&CALL_CLASSES)?) } else { None };
    let handed: Vec<_> = with
        .entries()
        .into_iter()
        .filter_map(|(slot, field)| Some((slot, field.text()?)))
        .inspect(|(slot, _)| {
            if !is_name(&slot.value) {
                let message = format!("`{}` is no name of lower-case letters, digits and `-`", slot.value);
                reader.report(Diagnostic::new(code::WRONG_TYPE, message).at(&slot.span));
            }
        })
        .collect();
    if let (true, Some(span)) = (handed.len() > MAX_WITH, with.span()) {
        let message = format!("{} fields; at most {MAX_WITH} are handed over in one call", handed.len());
        reader.report(Diagnostic::new(code::BEYOND_LIMITS, message).at(&span).help("divide the step"));
    }
    Some(Call { through: through?, function: function?, with: handed, purpose, class, undo: None })
}

fn level(keys: &Fields<'_, '_>) -> Option<Spanned<Level>> {
    let item = keys.required("level");
    Some(Spanned::new(word(&item, &Level::ALL)?, item.span()?))
}

/// An id or a name: lower-case letters, digits and hyphens, beginning with a letter.
pub(super) fn name(item: &Item<'_, '_>) -> Option<Spanned<String>> {
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
