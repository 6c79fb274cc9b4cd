//! A table of text that fits a terminal and a log.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

/// How wide a table gets before its last column is cut: what a terminal beside something else
/// and the log of a pipeline show of a line.
const WIDEST: usize = 120;

/// The least that is left of the last column: the beginning of a reason, however wide the rest is.
const LEAST: usize = 30;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    header: &'static str,
    right: bool,
}

impl Column {
    /// One of words.
    #[must_use]
    pub fn left(header: &'static str) -> Self {
        let right = false;
        Self { header, right }
    }

    /// One of figures.
    #[must_use]
    pub fn right(header: &'static str) -> Self {
        let right = true;
        Self { header, right }
    }

    fn cell(self, text: &str) -> Cell {
        let cell = Cell::new(text);
        if self.right {
            cell.set_alignment(CellAlignment::Right)
        } else {
            cell
        }
    }
}

/// A table whose last column may be long, and is cut where there is no room for it.
#[derive(Debug)]
pub struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty one.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        let rows = Vec::new();
        Self { columns, rows }
    }

    /// Adds a row, a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // What is written by runners may hold a tab, which is as wide as the terminal likes.
        let cells = cells.into_iter().map(|text| super::in_one_line(&text));
        self.rows.push(cells.collect());
    }

    /// It as text, without an end of line at its end; and of which rows the last cell is cut.
    #[must_use]
    pub fn text(&self) -> (String, Vec<bool>) {
        let room = self.room();
        let (mut cut, mut table) = (Vec::new(), Table::new());
        // As wide as needed and no wider, whatever the terminal: a log is not cut.
        table
            .load_style(ASCII_MARKDOWN)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(self.columns.iter().map(|column| column.cell(column.header)));
        for row in &self.rows {
            let last = row.last().map_or("", String::as_str);
            let is_long = width(last) > room;
            let mut cells = row.clone();
            if is_long && let Some(last) = cells.last_mut() {
                let kept: String = last.chars().take(room - 1).collect();
                *last = kept.trim_end().to_owned() + "…";
            }
            cut.push(is_long);
            let cells = self.columns.iter().zip(&cells);
            table.add_row(cells.map(|(column, text)| column.cell(text)));
        }
        (table.trim_fmt(), cut)
    }

    /// What is left for the last column.
    fn room(&self) -> usize {
        let all_but_last = self.columns.len().saturating_sub(1);
        let widths = self.columns.iter().enumerate().take(all_but_last);
        let taken: usize = widths
            .map(|(at, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                let widest = cells.map(|text| width(text)).max().unwrap_or_default();
                widest.max(width(column.header))
            })
            .sum();
        // A bar and a blank on each side of each, and the last bar.
        let taken = taken + 3 * self.columns.len() + 1;
        WIDEST.saturating_sub(taken).max(LEAST)
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_stand_on_the_right_and_the_last_column_is_cut() {
        let mut grid = Grid::new(vec![
            Column::left("who"),
            Column::right("late"),
            Column::left("why"),
        ]);
        grid.row(["r1".to_owned(), "9 ms".to_owned(), "because".to_owned()]);
        grid.row(["r2".to_owned(), "10 ms".to_owned(), "and so ".repeat(20)]);
        let (text, cut) = grid.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(cut, [false, true]);
        assert!(lines[2].starts_with("| r1  |  9 ms | because "), "{text}");
        assert!(lines[3].ends_with(" and… |"), "{text}");
    }

    proptest! {
        #[test]
        fn all_lines_are_of_one_width_that_fits(
            rows in prop::collection::vec(("[a-z]{1,30}", "\\PC{0,200}"), 1..9),
        ) {
            let mut grid = Grid::new(vec![Column::left("name"), Column::left("what")]);
            for (name, what) in rows {
                // Wide characters count twice on a terminal, and are none of ours.
                let what: String = what.chars().map(|c| if c.is_ascii() { c } else { 'x' }).collect();
                grid.row([name, what]);
            }
            let (text, _) = grid.text();
            let widths: Vec<_> = text.lines().map(width).collect();
            prop_assert!(widths.iter().all(|one| *one == widths[0] && *one <= WIDEST), "{}", text);
        }
    }
}
