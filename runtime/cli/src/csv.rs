//! Comma-separated values (RFC 4180), row by row, each cell with its place. A row is bounded; the file is not.

use std::io::{self, BufRead, Read};

use selvedge_workflow::source::{Diagnostic, Span, Spanned, code};

/// The longest row, in bytes.
pub const MAX_ROW_BYTES: usize = 64 * 1024;
/// The most cells in a row.
pub const MAX_CELLS: usize = 200;

/// The cells of a row, or why it is none.
pub type Row = Result<Vec<Spanned<String>>, Box<Diagnostic>>;

/// The rows of a file.
pub struct Rows<R> {
    input: R,
    file: String,
    line: usize,
}

impl<R: BufRead> Rows<R> {
    /// Begins at the first line; `file` names places.
    pub fn new(file: &str, input: R) -> Rows<R> {
        Rows { input, file: file.to_owned(), line: 0 }
    }

    /// The next row that is not blank. The inner error: it is no row, and the reading can go on behind it.
    pub fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            let (begins, mut text) = (self.line + 1, String::new());
            loop {
                match line(&mut self.input, &mut text)? {
                    Line::End if text.is_empty() => return Ok(None),
                    Line::End => break,
                    Line::Whole => self.line += 1,
                    Line::Bad(why) => {
                        self.line += 1;
                        return Ok(Some(Err(self.wrong(begins, 1, why))));
                    }
                }
                // Quotation marks inside are doubled: with an odd number of them a cell goes on in the next line.
                if text.matches('"').count().is_multiple_of(2) {
                    break;
                }
            }
            if !text.trim().is_empty() {
                return Ok(Some(self.cells(begins, text.trim_end_matches(['\r', '\n']))));
            }
        }
    }

    fn cells(&self, mut line: usize, text: &str) -> Row {
        let (mut cells, mut column, mut letters) = (Vec::new(), 1, text.chars().peekable());
        loop {
            let span = Span { file: self.file.clone(), line, column, len: 0 };
            let quoted = letters.next_if_eq(&'"').is_some();
            column += usize::from(quoted);
            let (mut cell, mut open) = (String::new(), quoted);
            let ended = loop {
                let Some(letter) = letters.next() else { break true };
                (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
                match letter {
                    '"' if open && letters.next_if_eq(&'"').is_some() => {
                        column += 1;
                        cell.push('"');
                    }
                    '"' if open => open = false,
                    ',' if !open => break false,
                    '"' => return Err(self.wrong(line, column - 1, "a quotation mark inside a cell is doubled")),
                    _ if quoted && !open => return Err(self.wrong(line, column - 1, "a comma is missing here")),
                    letter => cell.push(letter),
                }
            };
            if open {
                return Err(self.wrong(span.line, span.column, "a quotation mark is opened and not closed"));
            }
            cells.push(Spanned::new(if quoted { cell } else { cell.trim().to_owned() }, span));
            if cells.len() > MAX_CELLS {
                return Err(self.wrong(line, column, "there are more than 200 cells in a row"));
            }
            if ended {
                return Ok(cells);
            }
        }
    }

    fn wrong(&self, line: usize, column: usize, why: &str) -> Box<Diagnostic> {
        let span = Span { file: self.file.clone(), line, column, len: 0 };
        Box::new(Diagnostic::new(code::SYNTAX, why).at(&span))
    }
}

/// What came of reading a line.
pub enum Line {
    /// There is none any more.
    End,
    /// It was added, with its end.
    Whole,
    /// It cannot be read, and was passed over.
    Bad(&'static str),
}

/// Adds the next line to `text`.
pub fn line(input: &mut impl BufRead, text: &mut String) -> io::Result<Line> {
    let mut bytes = Vec::new();
    let room = (MAX_ROW_BYTES + 1).saturating_sub(text.len());
    if input.by_ref().take(room as u64).read_until(b'\n', &mut bytes)? == 0 && room > 0 {
        return Ok(Line::End);
    }
    if bytes.last() != Some(&b'\n') && text.len() + bytes.len() > MAX_ROW_BYTES {
        input.skip_until(b'\n')?;
        return Ok(Line::Bad("the row has more than 65536 bytes"));
    }
    match std::str::from_utf8(&bytes) {
        // Spreadsheets put a mark at the beginning.
        Ok(line) => text.push_str(line.trim_start_matches('\u{feff}')),
        Err(_) => return Ok(Line::Bad("the row is not UTF-8; save the file as UTF-8")),
    }
    Ok(Line::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Vec<String>, String>> {
        let mut rows = Rows::new("a.csv", text.as_bytes());
        std::iter::from_fn(|| rows.next().unwrap())
            .map(|row| row.map(|cells| cells.into_iter().map(|c| c.value).collect()).map_err(|d| d.to_string()))
            .collect()
    }

    fn good(text: &str) -> Vec<Vec<String>> {
        read(text).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn cells_are_parted_by_commas_and_may_be_quoted() {
        let rows = good("\u{feff}a, b ,\r\n\n\"x, \"\"y\"\"\n z\",2,\"\"\n");
        assert_eq!(rows, [vec!["a", "b", ""], vec!["x, \"y\"\n z", "2", ""]]);
    }

    #[test]
    fn each_cell_knows_where_it_is() {
        let mut rows = Rows::new("a.csv", "a,b\n\"1\n2\",c\n".as_bytes());
        let places = |row: Vec<Spanned<String>>| row.iter().map(|c| c.span.to_string()).collect::<Vec<_>>();
        assert_eq!(places(rows.next().unwrap().unwrap().unwrap()), ["a.csv:1:1", "a.csv:1:3"]);
        assert_eq!(places(rows.next().unwrap().unwrap().unwrap()), ["a.csv:2:1", "a.csv:3:4"]);
    }

    #[test]
    fn what_is_no_row_is_told_with_its_place_and_passed_over() {
        let rows = read("a\"\"b,c\n\"a\"b,c\nx,y\n\"open\n");
        let told: Vec<String> = rows.iter().filter_map(|row| row.clone().err()).collect();
        assert_eq!(
            told,
            [
                "W101 a.csv:1:2: a quotation mark inside a cell is doubled",
                "W101 a.csv:2:4: a comma is missing here",
                "W101 a.csv:4:1: a quotation mark is opened and not closed",
            ]
        );
        assert_eq!(rows[2], Ok(vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn a_row_without_an_end_is_not_read_whole() {
        let rows = read(&format!("{}\nx\n", "a".repeat(MAX_ROW_BYTES + 10)));
        assert!(rows[0].as_ref().unwrap_err().contains("65536 bytes"), "{:?}", rows[0]);
        assert_eq!(rows[1], Ok(vec!["x".to_owned()]));
    }
}
