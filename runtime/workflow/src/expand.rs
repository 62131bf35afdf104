//! `subworkflow`: steps that several workflows share, put in the place of the step that names them. Each gets the id of that
//! step before its own, and each input becomes the field that was handed in. Then nothing is left of it: what is proved of
//! the plan, what the engine does and what the record says know of no second way.

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::{Files, conditions_of};
use crate::dictionary::Dictionary;
use crate::expression::Type;
use crate::lower::answer;
use crate::source::{Diagnostic, Document, Spanned, code, did_you_mean};
use crate::syntax::{Kind, MAX_NAME, MAX_STEPS, Shared, Step, Subworkflow, Undo, Workflow};

/// Most subworkflows inside one another.
pub const MAX_DEPTH: usize = 4;
/// How an input is named inside: `input.mobile`.
const INPUT: &str = "input.";

/// The file of a subworkflow, relative to `workflows/`.
pub(crate) fn file(name: &str) -> String {
    format!("{name}/subworkflow.yaml")
}

/// The subworkflows that a workflow is made from, by name. What cannot be read names none.
pub(crate) fn shared(files: &Files, workflow: &str) -> BTreeSet<String> {
    let named = |steps: &[Step]| -> Vec<String> {
        let all = Step::every(steps).into_iter();
        all.filter_map(
            |step| if let Kind::Subworkflow(sub) = &step.kind { Some(sub.workflow.value.clone()) } else { None },
        )
        .collect()
    };
    let parsed = |path: &str| Document::parse(path, files.get(path)?).ok();
    let own = parsed(&format!("{workflow}/workflow.yaml")).and_then(|tree| Workflow::read(&tree).ok());
    let (mut known, mut open) = (BTreeSet::new(), own.map(|own| named(&own.steps)).unwrap_or_default());
    while let Some(name) = open.pop() {
        let shared = parsed(&file(&name)).and_then(|tree| Shared::read(&tree).ok());
        if known.insert(name) {
            open.extend(shared.map(|shared| named(&shared.steps)).unwrap_or_default());
        }
    }
    known
}

/// Puts everything in its place. What is wrong is added to `wrong`, with the place in the file that holds the mistake.
pub(crate) fn expand(files: &Files, workflow: &mut Workflow, dictionary: &Dictionary, wrong: &mut Vec<Diagnostic>) {
    let before = wrong.len();
    let mut expanding = Expanding { files, dictionary, wrong, uses: &mut workflow.uses, path: Vec::new() };
    expanding.steps(&mut workflow.steps);
    if wrong.len() == before {
        unique(workflow, wrong);
    }
}

struct Expanding<'a> {
    files: &'a Files,
    dictionary: &'a Dictionary,
    wrong: &'a mut Vec<Diagnostic>,
    uses: &'a mut Vec<(Spanned<String>, Spanned<String>)>,
    /// The subworkflows that lead here, the outermost first.
    path: Vec<String>,
}

impl Expanding<'_> {
    fn steps(&mut self, steps: &mut [Step]) {
        for step in steps {
            let prefix = format!("{}-", step.id.value);
            if let Kind::Subworkflow(sub) = &mut step.kind {
                self.one(&prefix, sub);
                continue;
            }
            step.kind.inner_mut().into_iter().for_each(|inner| self.steps(inner));
        }
    }

    fn one(&mut self, prefix: &str, sub: &mut Subworkflow) {
        let name = sub.workflow.clone();
        let Some(mut shared) = self.read(&name) else { return };
        let types: BTreeMap<String, Type> =
            shared.inputs.iter().map(|(input, ty)| (format!("{INPUT}{}", input.value), Type::of(*ty))).collect();
        // Read where they are written, so that a mistake is told in the words of its file.
        conditions_of(&shared.steps, self.dictionary, types, self.wrong);
        self.join_uses(&name, &shared);
        let inputs = self.inputs(sub, &shared);
        let asks = Step::every(&shared.steps).into_iter().filter(|step| matches!(step.kind, Kind::Ask(_)));
        let asks = asks.map(|step| (answer(&step.id.value), answer(&format!("{prefix}{}", step.id.value))));
        let names = asks.chain(inputs).collect();
        let mut placing = Placing { prefix, names: &names, wrong: self.wrong };
        shared.steps.iter_mut().for_each(|step| placing.step(step));
        self.path.push(name.value);
        self.steps(&mut shared.steps);
        self.path.pop();
        sub.steps = shared.steps;
    }

    fn read(&mut self, name: &Spanned<String>) -> Option<Shared> {
        let refuse = |code, message: String, help: &str| Some(Diagnostic::new(code, message).at(&name.span).help(help));
        let round = || self.path.iter().chain([&name.value]).cloned().collect::<Vec<_>>().join(" → ");
        let refusal = if self.path.contains(&name.value) {
            let message = format!("a subworkflow is inside itself: {}", round());
            refuse(code::NESTED, message, "take one of these steps out")
        } else if self.path.len() >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} subworkflows inside one another: {}", round());
            refuse(code::NESTED, message, "name the inner one beside the outer one")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.wrong.push(refusal);
            return None;
        }
        let path = file(&name.value);
        let Some(text) = self.files.get(&path) else {
            let known = self.files.keys().filter_map(|path| path.strip_suffix("/subworkflow.yaml"));
            let near = did_you_mean(&name.value, known).filter(|help| help.starts_with("did"));
            let help = near.unwrap_or_else(|| format!("write it: `workflows/{path}`"));
            let message = format!("there is no subworkflow `{}`", name.value);
            self.wrong.push(Diagnostic::new(code::UNKNOWN_NAME, message).at(&name.span).help(help));
            return None;
        };
        let read = Document::parse(&format!("workflows/{path}"), text).and_then(|tree| Shared::read(&tree));
        let shared = match read {
            Ok(shared) => shared,
            Err(found) => {
                // Of one that is named twice each mistake is told once.
                let new: Vec<Diagnostic> = found.into_iter().filter(|found| !self.wrong.contains(found)).collect();
                self.wrong.extend(new);
                return None;
            }
        };
        if shared.name.value != name.value {
            let message = format!("the subworkflow is called `{}` and its folder `{}`", shared.name.value, name.value);
            let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&shared.name.span);
            self.wrong.push(refusal.help("give both the same name"));
        }
        Some(shared)
    }

    /// What the inner one calls `texts` is what the outer one calls so.
    fn join_uses(&mut self, name: &Spanned<String>, shared: &Shared) {
        for (own, connector) in &shared.uses {
            match self.uses.iter().find(|(known, _)| known.value == own.value) {
                Some((_, known)) if known.value != connector.value => {
                    let (here, there) = (&known.value, &connector.value);
                    let message = format!("`{}` is `{here}` here, and `{there}` in `{}`", own.value, name.value);
                    let refusal = Diagnostic::new(code::DUPLICATE, message).at(&name.span);
                    self.wrong.push(refusal.help("give it another name in one of them"));
                }
                Some(_) => {}
                None => self.uses.push((own.clone(), connector.clone())),
            }
        }
    }

    /// The field of each input. Every input is handed in, and nothing else, and each field is of the input's type.
    fn inputs(&mut self, sub: &Subworkflow, shared: &Shared) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        let known = || shared.inputs.iter().map(|(input, _)| input.value.as_str());
        for (input, _) in sub.with.iter().filter(|(input, _)| !known().any(|known| known == input.value)) {
            let message = format!("`{}` has no input `{}`", shared.name.value, input.value);
            let help = did_you_mean(&input.value, known());
            self.wrong.push(Diagnostic::new(code::UNKNOWN_KEY, message).at(&input.span).maybe_help(help));
        }
        for (input, ty) in &shared.inputs {
            let inside = format!("{INPUT}{}", input.value);
            let Some((_, field)) = sub.with.iter().find(|(name, _)| name.value == input.value) else {
                // Told once, and not wherever it is named.
                fields.insert(inside.clone(), inside);
                let message = format!("`{}` needs its input `{}`", shared.name.value, input.value);
                let refusal = Diagnostic::new(code::MISSING_KEY, message).at(&sub.workflow.span);
                self.wrong.push(refusal.help(format!(
                    "add `with: {{ {}: … }}`, a field of the type `{}`",
                    input.value,
                    ty.name()
                )));
                continue;
            };
            match self.dictionary.get(&field.value) {
                // An input that was handed on and is none was told where it stands.
                None if field.value.starts_with(INPUT) => {}
                None => self.wrong.push(self.dictionary.unknown(&field.value).at(&field.span)),
                Some(info) if info.ty != *ty => {
                    let (name, is) = (&field.value, info.ty.name());
                    let message = format!("`{name}` is a {is}, and the input `{}` is a {}", input.value, ty.name());
                    let refusal = Diagnostic::new(code::WRONG_KIND, message).at(&field.span);
                    self.wrong.push(refusal.help(format!("name a field of the type `{}`", ty.name())));
                }
                Some(_) => {}
            }
            fields.insert(inside, field.value.clone());
        }
        fields
    }
}

/// Gives what stands in a subworkflow the names that it has in its place.
struct Placing<'a> {
    prefix: &'a str,
    /// Inputs and answers, as the file names them, and what they are in their place.
    names: &'a BTreeMap<String, String>,
    wrong: &'a mut Vec<Diagnostic>,
}

impl Placing<'_> {
    fn step(&mut self, step: &mut Step) {
        self.put(&mut step.id);
        match &mut step.kind {
            Kind::Verify(verify) => self.field(&mut verify.to),
            Kind::Disclose(disclose) => disclose.fields.iter_mut().for_each(|field| self.field(field)),
            Kind::Offer(offer) => self.field(&mut offer.total),
            Kind::Communicate(communicate) => {
                self.field(&mut communicate.to);
                communicate.link.iter_mut().for_each(|link| self.put(&mut link.opens));
            }
            Kind::Pay(pay) => {
                pay.page.step_up.iter_mut().for_each(|step| self.put(step));
                match pay.amount.value.ends_with(".first") {
                    true => self.put(&mut pay.amount),
                    false => self.field(&mut pay.amount),
                }
                if let Undo::Call(call) = &mut pay.undo {
                    call.with.iter_mut().for_each(|(_, field)| self.field(field));
                }
            }
            Kind::Capture(capture) => capture.page.step_up.iter_mut().for_each(|step| self.put(step)),
            Kind::Debit(debit) => {
                self.field(&mut debit.amount);
                self.field(&mut debit.notice.to);
            }
            Kind::Call(call) => {
                call.with.iter_mut().for_each(|(_, field)| self.field(field));
                if let Some(Undo::Call(call)) = &mut call.undo {
                    call.with.iter_mut().for_each(|(_, field)| self.field(field));
                }
            }
            Kind::Choose(choose) => {
                choose.when.iter_mut().for_each(|way| way.condition.value = renamed(&way.condition.value, self.names));
            }
            Kind::Handoff(handoff) => self.put(&mut handoff.step_up),
            Kind::Approve(approve) => self.put(&mut approve.terms),
            Kind::Subworkflow(sub) => sub.with.iter_mut().for_each(|(_, field)| self.field(field)),
            Kind::Wait(_) | Kind::Ask(_) | Kind::Record(_) | Kind::Parallel(_) | Kind::ForEach(_) => {}
        }
        step.kind.inner_mut().into_iter().flatten().for_each(|inner| self.step(inner));
    }

    fn put(&self, name: &mut Spanned<String>) {
        name.value = format!("{}{}", self.prefix, name.value);
    }

    fn field(&mut self, field: &mut Spanned<String>) {
        let Some(input) = field.value.strip_prefix(INPUT) else { return };
        if let Some(name) = self.names.get(&field.value) {
            field.value.clone_from(name);
            return;
        }
        let known = self.names.keys().filter_map(|name| name.strip_prefix(INPUT));
        let help = did_you_mean(input, known);
        let refusal = Diagnostic::new(code::UNKNOWN_NAME, format!("there is no input `{input}`")).at(&field.span);
        self.wrong.push(refusal.maybe_help(help));
    }
}

/// A condition with other names in it; what stands in quotes stays.
fn renamed(condition: &str, names: &BTreeMap<String, String>) -> String {
    let (mut out, mut name, mut quote) = (String::new(), String::new(), None);
    let flush = |out: &mut String, name: &mut String| {
        let other = names.get(&name.replace('_', "-")).map(|other| other.replace('-', "_"));
        out.push_str(other.as_deref().unwrap_or(name));
        name.clear();
    };
    for sign in condition.chars() {
        if quote.is_none() && (sign.is_ascii_alphanumeric() || sign == '_' || sign == '.') {
            name.push(sign);
            continue;
        }
        flush(&mut out, &mut name);
        out.push(sign);
        match quote {
            Some(open) if open == sign => quote = None,
            None if sign == '\'' || sign == '"' => quote = Some(sign),
            _ => {}
        }
    }
    flush(&mut out, &mut name);
    out
}

/// Ids are unique over everything that was put in place, and no longer than any other.
fn unique(workflow: &Workflow, wrong: &mut Vec<Diagnostic>) {
    let steps = workflow.every_step();
    if steps.len() > MAX_STEPS {
        let message = format!("with its subworkflows it has {} steps; at most {MAX_STEPS} are taken", steps.len());
        wrong.push(Diagnostic::new(code::BEYOND_LIMITS, message).at(&workflow.name.span).help("divide the workflow"));
    }
    let mut known = BTreeSet::new();
    for step in steps {
        if step.id.value.len() > MAX_NAME {
            let message = format!("the step is `{}` in its place, more than {MAX_NAME} characters", step.id.value);
            wrong
                .push(Diagnostic::new(code::BEYOND_LIMITS, message).at(&step.id.span).help("shorten one of its parts"));
        }
        if !known.insert(&step.id.value) {
            let message = format!("two steps have the id `{}`", step.id.value);
            wrong.push(Diagnostic::new(code::DUPLICATE, message).at(&step.id.span).help("give one of them another id"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_inputs_get_their_names_and_words_in_quotes_do_not() {
        let names = [("first-look.answer", "who-first-look.answer"), ("input.owed", "account.balance")];
        let names = names.map(|(old, new)| (old.to_owned(), new.to_owned())).into();
        let condition = "first_look.answer == 'first_look.answer' && input.owed > '5.00 USD'";
        let other = "who_first_look.answer == 'first_look.answer' && account.balance > '5.00 USD'";
        assert_eq!(renamed(condition, &names), other);
    }
}
