//! May a run that stands in one plan go on in another? What was proved of a plan holds on every way through it. So the way
//! that the run has come must be a way through the other plan too; then all of it holds for this run.

use serde::Serialize;

use crate::plan::{Ending, Node, Op, Plan, Target};

/// Why a run cannot go on in another plan, and at which node that shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// The node.
    pub node: String,
    /// Why not.
    pub why: String,
}

/// Whether a run of `before` that went this way, from node to node, and stands at these nodes could go on in `after`.
///
/// Errors: the first node at which it could not.
pub fn may_move(before: &Plan, after: &Plan, way: &[(String, String)], standing: &[&str]) -> Result<(), Stuck> {
    for (from, to) in way {
        went(before, after, from, to)?;
    }
    for place in standing {
        same(before, after, place)?;
    }
    let entry = way.first().map(|(from, _)| from.as_str()).or(standing.first().copied());
    let begins = after.nodes.first().map(|node| node.name.as_str());
    if let Some(entry) = entry.filter(|entry| Some(*entry) != begins) {
        return Err(stuck(entry, "it began there, and the other definition begins elsewhere"));
    }
    Ok(())
}

/// Whether the same happens at this node in both.
pub(crate) fn same<'p>(before: &'p Plan, after: &'p Plan, place: &str) -> Result<(&'p Node, &'p Node), Stuck> {
    let Some(node) = find(before, place) else { return Err(stuck(place, "there is no such place in its definition")) };
    let Some(other) = find(after, place) else { return Err(stuck(place, "there is no such place any more")) };
    if std::mem::discriminant(&other.op) != std::mem::discriminant(&node.op) {
        return Err(stuck(place, "something else happens at this place"));
    }
    if let (Op::Ask { answers, .. }, Op::Ask { answers: others, .. }) = (&node.op, &other.op)
        && let Some(gone) = answers.iter().find(|answer| !others.contains(answer))
    {
        return Err(stuck(place, &format!("`{gone}` cannot be answered any more")));
    }
    Ok((node, other))
}

/// Whether a run that went from one node to another could have gone so in the other plan, by whichever exit it did.
fn went(before: &Plan, after: &Plan, from: &str, to: &str) -> Result<(), Stuck> {
    let (node, other) = same(before, after, from)?;
    let exits = node.exits.iter().filter(|(_, target)| name(before, *target) == Some(to));
    let mut known = false;
    for (exit, _) in exits {
        known = true;
        if name(after, other.target(*exit)) != Some(to) {
            return Err(stuck(from, &format!("it went on to `{to}`, and the other definition goes elsewhere")));
        }
    }
    // A step goes back within itself without an exit: to the card after a refusal, to the code on another device.
    let within = find(before, to).is_some_and(|target| target.step == node.step);
    match known || within {
        true => Ok(()),
        false => Err(stuck(from, &format!("how it came from there to `{to}` is in no definition"))),
    }
}

fn find<'p>(plan: &'p Plan, name: &str) -> Option<&'p Node> {
    plan.nodes.iter().find(|node| node.name == name)
}

/// A target as the record writes it.
fn name(plan: &Plan, target: Target) -> Option<&str> {
    match target {
        Target::Node(index) => plan.nodes.get(index).map(|node| node.name.as_str()),
        Target::End(Ending::Completed) => Some("end:completed"),
        Target::End(Ending::Failed) => Some("end:failed"),
        Target::End(Ending::Declined) => Some("end:declined"),
    }
}

fn stuck(node: &str, why: &str) -> Stuck {
    Stuck { node: node.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests;
