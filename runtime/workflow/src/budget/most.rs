//! The most that a run takes: the longest way through the plan, by each measure. Nodes stand in the order in which they
//! can be reached, so one pass from the last to the first finds it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Measure;
use crate::check::{HELD as NIGHT, MAX_HOLD, link_lasts, longest};
use crate::dictionary::MAX_ITEMS;
use crate::plan::{Each, Exit, Node, Op, Target};

/// The most that a run takes of one measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Most {
    /// Of what.
    pub measure: Measure,
    /// Steps, tries or microseconds.
    pub most: i64,
    /// What adds up to it, in the order of the path.
    pub parts: Vec<Part>,
    /// The path that takes so much, as step names from `start`. Of branches it goes through the longest.
    pub path: Vec<String>,
}

/// What one step adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The step.
    pub step: String,
    /// Steps, tries or microseconds.
    pub adds: i64,
}

impl Most {
    /// What adds up, largest first, and no more than can be read: "`first-payment` 72h, `invitation` 24h".
    #[must_use]
    pub fn adds_up(&self) -> String {
        const TOLD: usize = 6;
        let mut parts: Vec<&Part> = self.parts.iter().filter(|part| part.adds > 0).collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.adds));
        let told = parts.iter().take(TOLD).map(|part| format!("`{}` {}", part.step, self.measure.amount(part.adds)));
        let mut told: Vec<String> = told.collect();
        if parts.len() > TOLD {
            let rest = parts[TOLD..].iter().fold(0_i64, |sum, part| sum.saturating_add(part.adds));
            told.push(format!("{} more steps {}", parts.len() - TOLD, self.measure.amount(rest)));
        }
        told.join(", ")
    }
}

/// What a run of this plan takes at most, by every measure. `starts`: the medium of the conversation that it begins with.
#[must_use]
pub fn most(nodes: &[Node], starts: &str) -> Vec<Most> {
    let lasts = link_lasts(nodes);
    let all = Measure::ALL.map(|(_, measure)| {
        let mut walk = Walk { nodes, measure, lasts: &lasts, ways: vec![[Way::default(); 2]; nodes.len()] };
        walk.longest();
        let begins = match measure {
            Measure::Held if starts != "call" => State::After,
            _ => State::Before,
        };
        walk.told(begins)
    });
    all.to_vec()
}

/// What counts of the way so far. Of `held`: somebody is on the line, and nobody any more. Of `open`: a message may be held
/// over a night, and those that go right after it are not held again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    After,
}

/// The longest way from a node to the end of the run, or to where its branch meets the others.
#[derive(Clone, Copy, Default)]
struct Way {
    /// All of it.
    total: i64,
    /// What the node itself adds; a fork adds its branches.
    own: i64,
    next: Option<(usize, State)>,
    /// The longest branch.
    inner: Option<(usize, State)>,
}

struct Walk<'a> {
    nodes: &'a [Node],
    measure: Measure,
    lasts: &'a BTreeMap<&'a str, i64>,
    /// By node and [`State`].
    ways: Vec<[Way; 2]>,
}

impl Walk<'_> {
    fn longest(&mut self) {
        let joins: BTreeMap<&str, usize> = self.nodes.iter().enumerate().map(|(at, n)| (n.name.as_str(), at)).collect();
        for (at, node) in self.nodes.iter().enumerate().rev() {
            for state in [State::Before, State::After] {
                self.ways[at][state as usize] = match &node.op {
                    Op::Fork { join, each } => self.fork(node, each.as_ref(), joins.get(join.as_str()).copied(), state),
                    _ => self.node(at, node, state),
                };
            }
        }
    }

    fn node(&self, at: usize, node: &Node, state: State) -> Way {
        let mut best = Way::default();
        for (exit, target) in &node.exits {
            let (own, then) = self.adds(node, *exit, state);
            let (rest, next) = match *target {
                // A declined card leads back to the page; its tries are counted where it is charged or validated.
                Target::Node(next) if next <= at && *exit == Exit::Declined => continue,
                // INVARIANT: nothing else leads back. If ever it does, there is no telling how often.
                Target::Node(next) if next <= at => (i64::MAX, None),
                Target::Node(next) if !self.is_join(next) => (self.from((next, then)), Some((next, then))),
                // Where branches meet, the fork goes on.
                Target::Node(_) | Target::End(_) => (0, None),
            };
            let total = own.saturating_add(rest);
            if total > best.total || best.next.is_none() && total == best.total {
                best = Way { total, own, next, inner: None };
            }
        }
        best
    }

    /// Branches at once: their steps and tries add up, and of their times the longest counts. Items of a list begin when
    /// one before is over.
    fn fork(&self, node: &Node, each: Option<&Each>, join: Option<usize>, state: State) -> Way {
        let starts = node.exits.iter().filter_map(|(_, target)| match target {
            Target::Node(next) if !self.is_join(*next) => Some((*next, state)),
            _ => None,
        });
        let starts: Vec<(usize, State)> = starts.collect();
        let inner = starts.iter().copied().max_by_key(|start| self.from(*start));
        let longest = inner.map_or(0, |start| self.from(start));
        let items = each.map_or(1, |_| i64::from(MAX_ITEMS));
        let together = match self.measure {
            Measure::Steps | Measure::Tries => {
                starts.iter().fold(0, |sum: i64, start| sum.saturating_add(self.from(*start))).saturating_mul(items)
            }
            Measure::Held => longest,
            Measure::Open => {
                // Where no time passes but a night's, all items go on in the same morning.
                let waits = inner.is_some_and(|(at, _)| self.from((at, State::After)) > 0);
                let at_once = each.map_or(1, |each| i64::from(each.at_once.max(1)));
                longest.saturating_mul(if waits { (items + at_once - 1) / at_once } else { 1 })
            }
        };
        let own = together.saturating_add(i64::from(self.measure == Measure::Steps));
        let next = join.map(|join| (join, if self.measure == Measure::Held { state } else { State::Before }));
        Way { total: own.saturating_add(next.map_or(0, |next| self.from(next))), own, next, inner }
    }

    /// The longest way from there on.
    fn from(&self, (at, state): (usize, State)) -> i64 {
        self.ways.get(at).map_or(0, |ways| ways[state as usize].total)
    }

    fn is_join(&self, at: usize) -> bool {
        self.nodes.get(at).is_some_and(|node| node.op == Op::Join)
    }

    /// What leaving a node by an exit adds, and what counts after it.
    fn adds(&self, node: &Node, exit: Exit, state: State) -> (i64, State) {
        match self.measure {
            Measure::Steps => match &node.op {
                Op::Answer { tries, .. } => (i64::from(*tries), state),
                // The page is counted once, and each card but the last brings the customer back to it.
                Op::Charge { tries, .. } | Op::Validate { tries, .. } => (2 * i64::from(*tries) - 1, state),
                _ => (1, state),
            },
            Measure::Tries => match &node.op {
                Op::Answer { tries, .. } | Op::Charge { tries, .. } | Op::Validate { tries, .. } => {
                    (i64::from(*tries), state)
                }
                _ => (0, state),
            },
            Measure::Held => self.held(node, state),
            Measure::Open => self.open(node, exit, state),
        }
    }

    fn held(&self, node: &Node, state: State) -> (i64, State) {
        match &node.op {
            // Whoever is on a chat does not hold a line.
            Op::Handoff { to, .. } => (0, if to == "call" { State::Before } else { State::After }),
            _ if state == State::After => (0, State::After),
            Op::Answer { within, .. } | Op::Offer { within, .. } => (*within, state),
            Op::Ask { within, .. } | Op::Approve { within, .. } if *within <= MAX_HOLD => (*within, state),
            Op::Ask { .. } | Op::Approve { .. } | Op::Wait { .. } | Op::Open => (0, State::After),
            _ => (0, state),
        }
    }

    fn open(&self, node: &Node, exit: Exit, state: State) -> (i64, State) {
        if let Some(lasts) = self.lasts.get(node.step.as_str()) {
            // All of the step is over when its link expires.
            return if node.op == Op::Open { (*lasts, State::Before) } else { (0, state) };
        }
        match (&node.op, longest(node, exit, self.lasts)) {
            // The contact rules are asked before the card on file is charged, and hold it as they hold a message.
            (Op::Send { .. } | Op::Debit { .. }, _) if state == State::After => (0, state),
            (Op::Send { .. } | Op::Debit { .. }, _) => (NIGHT, State::After),
            (Op::Open | Op::Charge { .. } | Op::Validate { .. }, _) | (_, 0) => (0, state),
            (_, lasts) => (lasts, State::Before),
        }
    }

    /// The longest way of all, told.
    fn told(&self, begins: State) -> Most {
        let mut parts: Vec<Part> = Vec::new();
        let mut path = vec!["start".to_owned()];
        self.along((0, begins), &mut |step, adds| {
            path.push(step.to_owned());
            match parts.iter_mut().find(|part| part.step == step) {
                Some(part) => part.adds = part.adds.saturating_add(adds),
                None => parts.push(Part { step: step.to_owned(), adds }),
            }
        });
        path.dedup();
        parts.retain(|part| part.adds > 0);
        Most { measure: self.measure, most: self.from((0, begins)), parts, path }
    }

    /// Tells each node on the longest way, and what it adds. Of branches the longest is told; what they add is the fork's.
    fn along(&self, from: (usize, State), tell: &mut dyn FnMut(&str, i64)) {
        let mut here = Some(from);
        while let Some((at, state)) = here {
            let (Some(node), Some(ways)) = (self.nodes.get(at), self.ways.get(at)) else { break };
            let way = ways[state as usize];
            tell(&node.step, way.own);
            if let Some(inner) = way.inner {
                self.along(inner, &mut |step, _| tell(step, 0));
            }
            here = way.next;
        }
    }
}
