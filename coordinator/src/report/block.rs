//! Blocks: what a report is made of before it is written for a medium.

/// A piece of a report.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    /// Heading of a model.
    Title(String),
    /// Heading of a section.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Lines kept as they are.
    Lines(Vec<String>),
    /// A table.
    Table(Table),
}

/// A table of finished texts. The first column is set left, the others right; a header may have several lines.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// Column heads.
    pub(super) header: Vec<String>,
    /// Rows, each as long as the header.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads and no rows.
    pub(super) fn new<T: ToString>(header: &[T]) -> Self {
        Self { header: header.iter().map(T::to_string).collect(), rows: Vec::new() }
    }
}
