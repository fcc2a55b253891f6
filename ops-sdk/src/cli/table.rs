//! Tables that fit a terminal of 80 columns: the first column gives way, and keeps its end, where paths differ.
//! Widths are counted in characters.

use std::io::{self, Write};

/// Characters in a line.
pub(super) const WIDTH: usize = 80;
/// Characters that the first column keeps at least.
const FIRST_LEAST: usize = 12;
const GAP: &str = "  ";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Rows under a heading: the first column to the left, the others to the right.
pub(super) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows under this heading.
    pub(super) fn new(heading: &[&'static str]) -> Table {
        Table { heading: heading.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with as many cells as the heading has.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes the table and an empty line; nothing where there are no rows.
    pub(super) fn write(&self, colour: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let widths = self.widths();
        let heading: Vec<String> = self.heading.iter().map(|title| (*title).to_owned()).collect();
        let (bold, plain) = if colour { (BOLD, PLAIN) } else { ("", "") };
        writeln!(out, "{bold}{}{plain}", line(&heading, &widths))?;
        for row in &self.rows {
            writeln!(out, "{}", line(row, &widths))?;
        }
        writeln!(out)
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heading.iter().map(|title| length(title)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(length(cell));
            }
        }
        let others: usize = widths.iter().skip(1).map(|width| width + GAP.len()).sum();
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(WIDTH.saturating_sub(others).max(FIRST_LEAST));
        }
        widths
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut out = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if index == 0 {
            out.push_str(&format!("{:<width$}", shortened(cell, *width)));
        } else {
            out.push_str(&format!("{GAP}{cell:>width$}"));
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The end of a text that is too long, after an ellipsis.
fn shortened(text: &str, width: usize) -> String {
    match length(text).checked_sub(width) {
        None | Some(0) => text.to_owned(),
        Some(over) => std::iter::once('…').chain(text.chars().skip(over + 1)).collect(),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_and_the_first_column_gives_way() {
        let mut table = Table::new(&["FUNCTION", "CALLS"]);
        table.row(vec!["a".into(), "1".into()]);
        table.row(vec![format!("{}::the_end", "crate".repeat(20)), "1,204".into()]);
        let mut out = Vec::new();
        table.write(false, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| length(line) <= WIDTH), "{text}");
        assert_eq!(lines[1], format!("a{}      1", " ".repeat(72)));
        assert!(lines[2].starts_with('…') && lines[2].ends_with("::the_end  1,204"), "{}", lines[2]);
    }
}
