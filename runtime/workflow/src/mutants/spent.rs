//! What a run takes, as the other judge adds it up: over the steps as they are written, one inside the other, where the
//! checker looks for the longest way through the plan. No night is counted here, so that it never finds more than there is.

use crate::budget::Measure;
use crate::compile::Sources;
use crate::dictionary::MAX_ITEMS;
use crate::source::MINUTE;
use crate::syntax::{Kind, Step, Verify};

/// How long a customer holds the line.
const HOLDS: i64 = 15 * MINUTE;

/// So much of each measure, and whether somebody is still on the line.
#[derive(Clone, Copy)]
struct Spent {
    steps: i64,
    tries: i64,
    held: i64,
    open: i64,
    on_line: bool,
}

/// Whether a run can take more than the budget allows.
pub fn over(sources: &Sources) -> bool {
    let workflow = &sources.workflow;
    let begins = Spent { steps: 0, tries: 0, held: 0, open: 0, on_line: workflow.medium() == "call" };
    let spent = sequence(sources, &workflow.steps, begins);
    let each = [
        (Measure::Steps, spent.steps),
        (Measure::Tries, spent.tries),
        (Measure::Held, spent.held),
        (Measure::Open, spent.open),
    ];
    let limit = |measure| sources.budget.limit(&workflow.name.value, measure).map_or(i64::MAX, |limit| limit.most);
    each.into_iter().any(|(measure, spent)| spent > limit(measure))
}

fn sequence(sources: &Sources, steps: &[Step], before: Spent) -> Spent {
    steps.iter().fold(before, |spent, step| after(sources, step, spent))
}

/// What was spent once a step is over, at worst.
fn after(sources: &Sources, step: &Step, mut spent: Spent) -> Spent {
    spent.steps += 1;
    let talk = |spent: &mut Spent, within: i64| {
        spent.open += within;
        spent.held += if spent.on_line { within } else { 0 };
    };
    let guesses = |spent: &mut Spent, verify: &Verify| {
        spent.steps += verify.tries.value;
        spent.tries += verify.tries.value;
    };
    match &step.kind {
        Kind::Verify(verify) => {
            guesses(&mut spent, verify);
            talk(&mut spent, verify.answer_within.value);
        }
        Kind::Offer(offer) => talk(&mut spent, offer.answer_within.value),
        Kind::Ask(_) | Kind::Approve(_) => {
            let within = match &step.kind {
                Kind::Ask(ask) => ask.within.value,
                Kind::Approve(approve) => approve.within.value,
                _ => 0,
            };
            spent.on_line &= within <= HOLDS;
            talk(&mut spent, within);
        }
        Kind::Handoff(handoff) => {
            spent.open += handoff.within.value;
            spent.on_line = handoff.to.value == "call";
            if let Some(verify) = verification(sources, &handoff.step_up.value) {
                guesses(&mut spent, verify);
                talk(&mut spent, verify.answer_within.value);
            }
        }
        Kind::Wait(wait) => {
            spent.on_line = false;
            spent.open += wait.lasts.value;
        }
        Kind::Pay(_) | Kind::Capture(_) => {
            let page = step.kind.page();
            let repeats = page.and_then(|page| verification(sources, &page.step_up.as_ref()?.value));
            repeats.into_iter().for_each(|verify| guesses(&mut spent, verify));
            let tries = page.map_or(0, |page| page.tries.value);
            spent.steps += 2 * tries + i64::from(matches!(step.kind, Kind::Capture(_)));
            spent.tries += tries;
            spent.on_line = false;
            spent.open += works(sources, &step.id.value);
        }
        Kind::Debit(debit) => {
            // Notice, wait and charge, each written down. An amount that did not change is charged without a wait, so
            // that somebody may still be on the line.
            spent.steps += 5;
            spent.open += debit.notice.before.value;
        }
        Kind::Choose(choose) => {
            let ways = choose.when.iter().map(|when| &when.steps).chain([&choose.otherwise]);
            return ways.map(|steps| sequence(sources, steps, spent)).fold(spent, worst);
        }
        Kind::Parallel(parallel) => {
            let branches = parallel.branches.iter().map(|steps| sequence(sources, steps, spent));
            return branches.fold(spent, |all, one| Spent {
                steps: all.steps + one.steps - spent.steps,
                tries: all.tries + one.tries - spent.tries,
                ..worst(all, one)
            });
        }
        Kind::ForEach(each) => {
            let one = sequence(sources, &each.steps, spent);
            let (items, at_once) = (i64::from(MAX_ITEMS), each.at_once.value.max(1));
            spent.steps += (one.steps - spent.steps) * items;
            spent.open += (one.open - spent.open) * ((items + at_once - 1) / at_once);
        }
        _ => {}
    }
    spent
}

/// The worse of two, by each measure.
fn worst(one: Spent, other: Spent) -> Spent {
    Spent {
        steps: one.steps.max(other.steps),
        tries: one.tries.max(other.tries),
        held: one.held.max(other.held),
        open: one.open.max(other.open),
        on_line: one.on_line && other.on_line,
    }
}

/// The verification of this name, which a page or a handoff repeats.
fn verification<'a>(sources: &'a Sources, step: &str) -> Option<&'a Verify> {
    match &sources.workflow.step(step)?.kind {
        Kind::Verify(verify) => Some(verify),
        _ => None,
    }
}

/// How long the link to a step with a page works.
fn works(sources: &Sources, opens: &str) -> i64 {
    let links = sources.workflow.every_step().into_iter().filter_map(|step| match &step.kind {
        Kind::Communicate(communicate) => communicate.link.as_ref(),
        _ => None,
    });
    links.filter(|link| link.opens.value == opens).map(|link| link.lasts.value).max().unwrap_or(0)
}
