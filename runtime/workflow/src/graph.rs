//! A workflow as a drawing: a box for each step with what it does and what ends it, an arrow for each way on. Boxes lie in
//! rows, each below all that lead to it; a way that skips a row or goes back runs in a lane of its own beside them, so
//! that nothing lies over anything else.

mod svg;
mod terminal;

use crate::explain::{Explained, Leads, Otherwise, StepInWords};

pub use svg::svg;
pub use terminal::terminal;

/// The longest line in a box, in characters.
const LINE: usize = 58;

/// A line in a box.
struct Line {
    text: String,
    /// Something that goes otherwise.
    otherwise: bool,
}

/// One step, ready to be drawn.
struct Tile<'a> {
    step: &'a StepInWords,
    lines: Vec<Line>,
    row: usize,
}

/// A way from one step to another, by their places.
struct Way {
    from: usize,
    to: usize,
    /// What makes the run take it, where it is not the usual way on.
    label: Option<String>,
}

/// What is drawn.
struct Drawing<'a> {
    tiles: Vec<Tile<'a>>,
    ways: Vec<Way>,
}

impl<'a> Drawing<'a> {
    fn of(explained: &'a Explained) -> Self {
        let steps = &explained.steps;
        let place = |id: &String| steps.iter().position(|step| step.id == *id);
        let mut ways = Vec::new();
        for (from, step) in steps.iter().enumerate() {
            ways.extend(step.then.iter().filter_map(place).map(|to| Way { from, to, label: None }));
            for otherwise in &step.otherwise {
                if let Leads::Step(next) = &otherwise.leads {
                    ways.extend(place(next).map(|to| Way { from, to, label: Some(otherwise.when.clone()) }));
                }
            }
        }
        let rows = rows(steps.len(), &ways);
        let tile = |(step, row): (&'a StepInWords, usize)| Tile { step, lines: lines(step), row };
        Drawing { tiles: steps.iter().zip(rows).map(tile).collect(), ways }
    }
}

/// Each step lies below every step before it in the plan that leads to it.
fn rows(count: usize, ways: &[Way]) -> Vec<usize> {
    let mut rows = vec![0; count];
    for at in 0..count {
        let above = ways.iter().filter(|way| way.to == at && way.from < at).map(|way| rows[way.from] + 1);
        rows[at] = above.max().unwrap_or(if at == 0 { 0 } else { rows[at - 1] + 1 });
    }
    rows
}

/// The lines of a box: what the step does, then what can go otherwise within it or to an end.
fn lines(step: &StepInWords) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |text: &str, otherwise| {
        let (first, rest) = if otherwise { ("✗ ", "  ") } else { ("• ", "  ") };
        for (at, part) in wrap(text, LINE - 2).into_iter().enumerate() {
            lines.push(Line { text: format!("{}{part}", if at == 0 { first } else { rest }), otherwise });
        }
    };
    step.does.iter().for_each(|does| add(does, false));
    // All that leads to the same place in one line.
    let mut told: Vec<&Leads> = Vec::new();
    for Otherwise { leads, .. } in &step.otherwise {
        if !told.contains(&leads) {
            told.push(leads);
            let whens = step.otherwise.iter().filter(|other| other.leads == *leads).map(|other| other.when.as_str());
            add(&format!("{}: {}", leads.in_words(), whens.collect::<Vec<_>>().join("; ")), true);
        }
    }
    lines
}

/// Breaks a text at spaces into lines of at most so many characters; a longer word stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(from: usize, to: usize) -> Way {
        Way { from, to, label: None }
    }

    #[test]
    fn a_step_lies_below_all_that_lead_to_it() {
        // 0 forks to 1 and 2, which meet in 3; 3 goes back to 1.
        let ways = [way(0, 1), way(0, 2), way(1, 3), way(2, 3), way(3, 1)];
        assert_eq!(rows(4, &ways), [0, 1, 1, 2]);
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensibilities of", 7), ["incomprehensibilities", "of"]);
    }
}
