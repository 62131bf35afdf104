//! Proof 1: every path to a sensitive step passes a verification of the level that the step needs, still fresh.
//!
//! A forward dataflow over the graph. For each node and level we keep the least time for which an assertion of that
//! level still holds when the node is reached, over all paths: none at all, used up, or so many microseconds. An
//! answered code sets the time anew, waits use it up, and where paths meet the worse one counts.
//!
//! What is not counted: the time that a vendor takes, and between the question and the charge the time that a customer
//! spends on the payment page. For those the engine asks again at the moment of acting.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Findings, chain};
use crate::dictionary::{Class, Level};
use crate::plan::{Carries, Exit, Node, Op, Target};
use crate::source::{DAY, Diagnostic, HOUR, code, duration_in_words};

/// The longest that a contact decision may hold a message: over a night, wherever the customer is.
pub(crate) const HELD: i64 = 24 * HOUR;
/// More waiting than any assertion survives.
const FOREVER: i64 = -20_000 * DAY;
/// A node that is reached anew more often than this stands in a loop with a wait, which may be walked for ever.
const ROUNDS: usize = 64;

/// Least time left per level (by [`Level`] as index), and the node from which the worst path came.
#[derive(Clone, Copy)]
struct Arrival {
    left: [Option<i64>; 3],
    from: [Option<usize>; 3],
}

/// A step that needs to know who it is.
struct Need {
    level: Level,
    /// "shows `account.balance`".
    does: String,
    /// `assurance.levels.disclose.PHI`.
    rule: String,
    /// The law behind it.
    cite: String,
}

pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    let arrivals = arrivals(context.nodes);
    for (at, node) in context.nodes.iter().enumerate() {
        let (Some(need), Some(arrival)) = (need(context, node), &arrivals[at]) else { continue };
        if need.level == Level::L0 {
            findings.proved(
                format!("`{}` {} to anyone", node.step, need.does),
                &need.rule,
                &need.cite,
                "the policy asks for L0",
            );
            continue;
        }
        let level = need.level as usize;
        let nodes = chain(at, |node| arrivals[node].as_ref().and_then(|arrival| arrival.from[level]));
        let source = nodes.iter().rev().skip(1).map(|node| &context.nodes[*node]).find(|node| proves(node, need.level));
        let verdict = match (arrival.left[level], source) {
            (Some(left), Some(source)) if left > 0 => Ok(because(source, left)),
            (Some(left), Some(source)) => Err(stale(node, &need, source, left)),
            _ => Err(unverified(node, &need, weaker(arrival, need.level))),
        };
        match verdict {
            Ok(because) => {
                let claim = format!("`{}` {} only to someone proved at {}", node.step, need.does, need.level);
                findings.proved(claim, &need.rule, &need.cite, because);
            }
            Err(refusal) => {
                let cite = format!("{} ({})", need.rule, need.cite);
                let span = context.span_of(&node.step);
                findings.refuse(refusal.at(&span).along(context.steps_along(&nodes)).cite(cite));
            }
        }
    }
}

/// What a node needs, by the assurance policy.
fn need(context: &Context<'_>, node: &Node) -> Option<Need> {
    let policy = context.assurance;
    let strictest = |fields: &[String]| {
        let classes = fields.iter().filter_map(|field| context.dictionary.class(field));
        // A class that is never shown asks for the most here; that it is never shown is said elsewhere.
        classes.map(|class| (policy.to_disclose(class).unwrap_or(Level::L2), class)).max()
    };
    let cite = policy.cite.clone();
    let shows = |fields: &[String], does: String| {
        let (level, class): (Level, Class) = strictest(fields)?;
        Some(Need { level, does, rule: format!("assurance.levels.disclose.{class}"), cite: cite.clone() })
    };
    match &node.op {
        Op::Disclose { fields, words: Some(words), .. } => {
            let asked = context.disclosures.level(words);
            let said = asked.map(|(level, rule)| Need {
                level,
                does: format!("says `{words}`"),
                rule: rule.id.clone(),
                cite: rule.cite.clone(),
            });
            let shown = shows(fields, format!("says `{words}`"));
            shown.into_iter().chain(said).max_by_key(|need| need.level)
        }
        Op::Disclose { fields, .. } => {
            shows(fields, format!("shows {}", super::ticked(fields.iter().map(String::as_str))))
        }
        Op::Offer { total, .. } => shows(std::slice::from_ref(total), format!("tells `{total}`")),
        Op::Card { authorization, .. } => {
            let template = context.template(authorization, super::PAGE)?;
            shows(&template.variables, format!("opens the page `{authorization}`"))
        }
        Op::Charge { needs, .. } => {
            let (does, rule) = ("charges a card".to_owned(), "assurance.levels.pay".to_owned());
            Some(Need { level: *needs, does, rule, cite })
        }
        Op::Validate { needs, .. } => {
            let rule = "assurance.levels.change-method".to_owned();
            Some(Need { level: *needs, does: "puts a card on file".to_owned(), rule, cite })
        }
        _ => None,
    }
}

/// The worst arrival at each node; `None` where no path leads.
fn arrivals(nodes: &[Node]) -> Vec<Option<Arrival>> {
    let lasts = link_lasts(nodes);
    let mut arrivals: Vec<Option<Arrival>> = vec![None; nodes.len()];
    let mut rounds = vec![0; nodes.len()];
    // By index, which is nearly the order of the graph: a node is rarely visited twice.
    let mut work = BTreeSet::new();
    if let Some(entry) = arrivals.first_mut() {
        *entry = Some(Arrival { left: [None; 3], from: [None; 3] });
        work.insert(0);
    }
    while let Some(at) = work.pop_first() {
        let Some(here) = arrivals[at] else { continue };
        let node = &nodes[at];
        for (exit, target) in &node.exits {
            let Target::Node(next) = *target else { continue };
            let left = after(node, *exit, here.left, &lasts);
            let endless = rounds[next] > ROUNDS;
            if join(&mut arrivals[next], left, at, endless) {
                rounds[next] += 1;
                work.insert(next);
            }
        }
    }
    arrivals
}

/// The longest time that may pass before a node is left by an exit.
pub(crate) fn longest(node: &Node, exit: Exit, lasts: &BTreeMap<&str, i64>) -> i64 {
    let link = || lasts.get(node.step.as_str()).copied().unwrap_or(-FOREVER);
    match &node.op {
        Op::Send { .. } => HELD,
        Op::Answer { within, .. } | Op::Offer { within, .. } => *within,
        Op::Ask { within, .. } | Op::Approve { within, .. } | Op::Handoff { within, .. } => *within,
        Op::Wait { lasts } => *lasts,
        Op::Open => link(),
        // The customer may have stayed on the page until the link expired.
        Op::Charge { .. } | Op::Validate { .. } if exit != Exit::Declined => link(),
        Op::Check { .. } | Op::Disclose { .. } | Op::Fresh { .. } | Op::Keep { .. } | Op::Record { .. } => 0,
        // Each way through one of the branches counts the time of its own steps, and the worst of them is kept.
        Op::Fork { .. } | Op::Join => 0,
        Op::Changed { .. } | Op::Remember { .. } | Op::Debit { .. } => 0,
        Op::Call { .. } | Op::When { .. } | Op::Card { .. } | Op::Charge { .. } | Op::Validate { .. } => 0,
    }
}

/// What is left after leaving a node by an exit.
fn after(node: &Node, exit: Exit, left: [Option<i64>; 3], lasts: &BTreeMap<&str, i64>) -> [Option<i64>; 3] {
    let wait = longest(node, exit, lasts);
    let mut left = left.map(|left| left.map(|left| left.saturating_sub(wait).max(FOREVER)));
    let proved = match (&node.op, exit) {
        (Op::Answer { level, valid, .. }, Exit::Done) => Some((*level, *valid)),
        // It holds at this instant; how long it goes on holding is not known.
        (Op::Fresh { needs, .. }, Exit::Fresh) => Some((*needs, 1)),
        _ => None,
    };
    if let Some((level, valid)) = proved {
        for slot in &mut left[1..=level as usize] {
            *slot = (*slot).max(Some(valid));
        }
    }
    left
}

/// Where paths meet the worse one counts. Says whether anything became worse.
fn join(arrival: &mut Option<Arrival>, left: [Option<i64>; 3], from: usize, endless: bool) -> bool {
    let Some(known) = arrival else {
        *arrival = Some(Arrival { left, from: [Some(from); 3] });
        return true;
    };
    let mut worse = false;
    for (level, left) in left.into_iter().enumerate() {
        if left < known.left[level] {
            known.left[level] = if endless { left.map(|_| FOREVER) } else { left };
            known.from[level] = Some(from);
            worse = true;
        }
    }
    worse
}

/// How long the link to each step works.
pub(crate) fn link_lasts(nodes: &[Node]) -> BTreeMap<&str, i64> {
    let mut longest = BTreeMap::new();
    for node in nodes {
        if let Op::Send { carries: Carries::Link { opens, lasts }, .. } = &node.op {
            let known = longest.entry(opens.as_str()).or_insert(0);
            *known = (*known).max(*lasts);
        }
    }
    longest
}

fn proves(node: &Node, needed: Level) -> bool {
    match &node.op {
        Op::Answer { level, .. } => *level >= needed,
        Op::Fresh { needs, .. } => *needs >= needed,
        _ => false,
    }
}

/// The best lower level that every path has.
fn weaker(arrival: &Arrival, needed: Level) -> Option<Level> {
    let lower = Level::ALL.iter().rev().map(|(_, level)| *level).filter(|level| *level < needed && *level > Level::L0);
    lower.into_iter().find(|level| arrival.left[*level as usize].is_some_and(|left| left > 0))
}

fn because(source: &Node, left: i64) -> String {
    match &source.op {
        Op::Answer { level, valid, .. } => format!(
            "every path passes the code of `{}` ({level}); at worst {} of its {} are left",
            source.step,
            duration_in_words(left),
            duration_in_words(*valid)
        ),
        _ => format!("`{}` asks for a fresh assertion right before, and steps up where there is none", source.step),
    }
}

fn unverified(node: &Node, need: &Need, weaker: Option<Level>) -> Diagnostic {
    let found = match weaker {
        Some(level) => format!("proves no more than {level}"),
        None => "passes no verification".to_owned(),
    };
    let message = format!("`{}` {}, which needs {}, and a path to it {found}", node.step, need.does, need.level);
    let help = format!("put a `verify` step that proves {} before `{}`", need.level, node.step);
    Diagnostic::new(code::UNVERIFIED, message).help(help)
}

fn stale(node: &Node, need: &Need, source: &Node, left: i64) -> Diagnostic {
    let from = &source.step;
    let found = match &source.op {
        Op::Answer { valid, .. } if left > FOREVER => {
            let (holds, waits) = (duration_in_words(*valid), duration_in_words(valid - left));
            format!("the assertion of `{from}` holds {holds} and {waits} may pass before")
        }
        Op::Answer { .. } => format!("any time may pass after `{from}`"),
        _ => format!("`{from}` asked for a fresh assertion then, and more time may have passed since"),
    };
    let message = format!("`{}` {}, which needs {}; {found}", node.step, need.does, need.level);
    let help = format!("verify again right before `{}`, raise `valid:`, or shorten the waits between", node.step);
    Diagnostic::new(code::STALE, message).help(help)
}
