//! The drawing as SVG: no script, no font and no picture from elsewhere; light or dark as the reader has it.

use std::fmt::Write;

use super::{Drawing, LINE, Tile, Way};
use crate::explain::Explained;

/// Pixels for one character of the box font, generously: fonts differ.
const CHAR: usize = 7;
/// Between two lines of text.
const LEADING: usize = 17;
/// A box: as wide as its longest line may be, with room on both sides.
const WIDTH: usize = LINE * CHAR + 2 * PAD;
const PAD: usize = 14;
/// The line with the step's name.
const HEAD: usize = 30;
/// Between boxes of a row, between rows, between lanes, and around everything.
const GAP: usize = 40;
const ROW_GAP: usize = 44;
const LANE: usize = 16;
const MARGIN: usize = 28;
/// The title above.
const TITLE: usize = 34;

const STYLE: &str = "\
:root{color-scheme:light dark}\
.page{fill:#ffffff}.box{fill:#f6f7f9;stroke:#9aa4b2}.way{fill:none;stroke:#5b6675;stroke-width:1.5}.tip{fill:#5b6675}\
.title{fill:#1b2430;font:600 16px system-ui,sans-serif}.name{fill:#1b2430;font:600 14px system-ui,sans-serif}\
.text{fill:#3a4553;font:11.5px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}.not{fill:#a4262c}\
@media (prefers-color-scheme:dark){\
.page{fill:#14181d}.box{fill:#1e242c;stroke:#566273}.way{stroke:#9aa7b8}.tip{fill:#9aa7b8}\
.title,.name{fill:#eef2f7}.text{fill:#c3ccd8}.not{fill:#ff9a94}}";

/// Where a box lies.
#[derive(Clone, Copy)]
struct Place {
    x: usize,
    y: usize,
    height: usize,
}

impl Place {
    fn bottom(self) -> usize {
        self.y + self.height
    }
    fn middle(self) -> usize {
        self.x + WIDTH / 2
    }
}

/// Draws a workflow.
#[must_use]
pub fn svg(explained: &Explained) -> String {
    let drawing = Drawing::of(explained);
    let places = places(&drawing.tiles);
    let right = places.iter().map(|place| place.x + WIDTH).max().unwrap_or(WIDTH);
    let beside: Vec<&Way> = drawing.ways.iter().filter(|way| !is_next(&drawing.tiles, way)).collect();
    let width = right + MARGIN + beside.len() * LANE;
    let ends = if drawing.tiles.last().is_some_and(|tile| tile.step.then.is_empty()) { ROW_GAP } else { 0 };
    let height = places.iter().map(|place| place.bottom()).max().unwrap_or(0) + ends + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n",
        escaped(&explained.title)
    );
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
        MARGIN + 12,
        escaped(&explained.workflow)
    );
    for (tile, place) in drawing.tiles.iter().zip(&places) {
        draw(&mut out, tile, *place);
    }
    for way in drawing.ways.iter().filter(|way| is_next(&drawing.tiles, way)) {
        let (from, to) = (places[way.from], places[way.to]);
        let between = to.y - ROW_GAP / 2;
        arrow(&mut out, &format!("M{} {}V{between}H{}V{}", from.middle(), from.bottom(), to.middle(), to.y - 6), to);
    }
    for (lane, way) in beside.into_iter().enumerate() {
        let (from, to) = (places[way.from], places[way.to]);
        let x = right + LANE * (lane + 1);
        // Out of the side of its box, along its own lane, and in above the other one.
        let (out_of, above) = (from.y + HEAD / 2, to.y - ROW_GAP / 2 + 4);
        let path = format!("M{} {out_of}H{x}V{above}H{}V{}", from.x + WIDTH, to.middle() + 12, to.y - 6);
        arrow(&mut out, &path, Place { x: to.x + 12, ..to });
    }
    out.push_str("</svg>\n");
    out
}

/// From one row to the next.
fn is_next(tiles: &[Tile<'_>], way: &Way) -> bool {
    tiles[way.to].row == tiles[way.from].row + 1
}

/// Rows from above, each centred.
fn places(tiles: &[Tile<'_>]) -> Vec<Place> {
    let rows = tiles.iter().map(|tile| tile.row).max().map_or(0, |last| last + 1);
    let across = |count: usize| count * WIDTH + count.saturating_sub(1) * GAP;
    let in_row = |row: usize| tiles.iter().filter(move |tile| tile.row == row);
    let widest = (0..rows).map(|row| across(in_row(row).count())).max().unwrap_or(WIDTH);
    let mut places = vec![Place { x: 0, y: 0, height: 0 }; tiles.len()];
    let mut y = MARGIN + TITLE;
    for row in 0..rows {
        let mut x = MARGIN + (widest - across(in_row(row).count())) / 2;
        for (place, tile) in places.iter_mut().zip(tiles).filter(|(_, tile)| tile.row == row) {
            *place = Place { x, y, height: HEAD + tile.lines.len() * LEADING + PAD };
            x += WIDTH + GAP;
        }
        let tallest = in_row(row).map(|tile| HEAD + tile.lines.len() * LEADING + PAD).max().unwrap_or(0);
        y += tallest + ROW_GAP;
    }
    places
}

fn draw(out: &mut String, tile: &Tile<'_>, place: Place) {
    let Place { x, y, height } = place;
    let _ = writeln!(out, "<rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>");
    let _ = writeln!(out, "<text class=\"name\" x=\"{}\" y=\"{}\">{}</text>", x + PAD, y + 21, escaped(&tile.step.id));
    for (at, line) in tile.lines.iter().enumerate() {
        let class = if line.otherwise { "text not" } else { "text" };
        let (x, y) = (x + PAD, y + HEAD + at * LEADING + 12);
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" xml:space=\"preserve\">{}</text>",
            escaped(&line.text)
        );
    }
    if tile.step.then.is_empty() {
        let (x, y) = (place.middle(), place.bottom());
        let _ = writeln!(out, "<path class=\"way\" d=\"M{x} {y}V{}\"/>", y + 20);
        let _ = writeln!(out, "<circle class=\"tip\" cx=\"{x}\" cy=\"{}\" r=\"5\"/>", y + 22);
    }
}

fn arrow(out: &mut String, path: &str, to: Place) {
    let (x, y) = (to.middle(), to.y);
    let _ = writeln!(out, "<path class=\"way\" d=\"{path}\"/>");
    let _ = writeln!(out, "<path class=\"tip\" d=\"M{} {}h10l-5 8z\"/>", x - 5, y - 8);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::StepInWords;

    #[test]
    fn boxes_never_lie_over_one_another() {
        let step = |id: &str, then: &[&str]| StepInWords {
            id: id.into(),
            does: vec!["does something that takes more than one line to be told, as it often is".into()],
            otherwise: Vec::new(),
            then: then.iter().map(|id| (*id).to_owned()).collect(),
        };
        let steps = vec![step("a", &["b", "c"]), step("b", &["d"]), step("c", &["d"]), step("d", &[])];
        let explained = Explained {
            workflow: "w".into(),
            title: "<t>".into(),
            purpose: "p".into(),
            starts: "call".into(),
            languages: Vec::new(),
            steps,
            reaches: Vec::new(),
            most: Vec::new(),
        };
        let drawing = Drawing::of(&explained);
        let places = places(&drawing.tiles);
        let apart =
            |a: &Place, b: &Place| a.x + WIDTH <= b.x || b.x + WIDTH <= a.x || a.bottom() <= b.y || b.bottom() <= a.y;
        for (at, a) in places.iter().enumerate() {
            assert!(places[at + 1..].iter().all(|b| apart(a, b)));
        }
        assert!(svg(&explained).contains("<title>&lt;t&gt;</title>"));
    }
}
