//! Tables put together column by column, and cut into parts where the medium is narrow.

use super::Medium;
use super::block::{Block, Table};

/// A column of finished texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// Its head.
    pub(super) head: String,
    /// Its cells, one a row.
    pub(super) cells: Vec<String>,
}

impl Column {
    /// A column.
    pub(super) fn new(head: impl Into<String>, cells: impl IntoIterator<Item = String>) -> Self {
        Self { head: head.into(), cells: cells.into_iter().collect() }
    }

    /// Characters of its longest line.
    fn width(&self) -> usize {
        let texts = self.cells.iter().chain([&self.head]);
        let lines = texts.flat_map(|text| text.lines());
        lines.map(|line| line.chars().count()).max().unwrap_or(0)
    }
}

/// One table of these columns.
pub(super) fn table(columns: &[&Column]) -> Block {
    let header = columns.iter().map(|column| column.head.clone()).collect();
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let row = |row: usize| columns.iter().map(|column| column.cells[row].clone()).collect();
    Block::Table(Table { header, rows: (0..rows).map(row).collect() })
}

/// As many tables as the medium needs, each beginning with the labels.
pub(super) fn tables(labels: &Column, columns: &[Column], medium: Medium) -> Vec<Block> {
    let width = columns.iter().map(Column::width).max().unwrap_or(0);
    let part = |columns: &[Column]| table(&[labels].into_iter().chain(columns).collect::<Vec<_>>());
    columns.chunks(medium.columns(labels.width(), width)).map(part).collect()
}
