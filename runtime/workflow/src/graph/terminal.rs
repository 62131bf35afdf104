//! The drawing for a terminal: one box below the other, in the order of the plan.

use std::fmt::Write;

use super::{Drawing, LINE};
use crate::explain::Explained;

/// Draws with box characters; lines end with `\n`.
#[must_use]
pub fn terminal(explained: &Explained) -> String {
    let drawing = Drawing::of(explained);
    let mut out = String::new();
    for (at, tile) in drawing.tiles.iter().enumerate() {
        let title = format!("─ {} ", tile.step.id);
        let _ = writeln!(out, "┌{title}{}┐", "─".repeat((LINE + 2).saturating_sub(title.chars().count())));
        for line in &tile.lines {
            let space = " ".repeat(LINE.saturating_sub(line.text.chars().count()));
            let _ = writeln!(out, "│ {}{space} │", line.text);
        }
        let ways: Vec<_> = drawing.ways.iter().filter(|way| way.from == at).collect();
        let on = ways.iter().any(|way| way.to == at + 1 && way.label.is_none());
        let (left, right) = (LINE / 2, LINE + 2 - LINE / 2 - 1);
        let _ = writeln!(out, "└{}{}{}┘", "─".repeat(left), if on { "┬" } else { "─" }, "─".repeat(right));
        // The usual way on is drawn, every other one is named.
        for way in ways.iter().filter(|way| way.to != at + 1 && way.label.is_none()) {
            let _ = writeln!(out, "{}└─▶ {}", " ".repeat(left + 1), drawing.tiles[way.to].step.id);
        }
        if on {
            let _ = writeln!(out, "{}▼", " ".repeat(left + 1));
        } else if tile.step.then.is_empty() {
            let _ = writeln!(out, "{}● the run ends", " ".repeat(left + 1));
        }
    }
    out
}
