//! The section on the numerical floor: what the dtype changes by itself, beside the results that it limits.

use std::collections::BTreeMap;

use super::View;
use super::block::{Block, Table};
use super::number::{count, fixed, or_undefined, significant};
use super::reasons;
use crate::reduce::{FloorRow, SensitivityRow};

/// The mark of a number below the floor.
pub(super) const MARK: &str = "~";
/// What the mark says.
pub(super) const LEGEND: &str = "~ marks a number whose |ΔNLL| is below the numerical floor of its language: it may be rounding of the \
                                 study's dtype, whatever its interval says.";

const HEADER: [&str; 7] = [
    "language",
    "tokens",
    "ΔNLL per token",
    "mean |ΔNLL| of documents",
    "KL",
    "top-1 agreement",
    "floor",
];

/// The section; empty where the study's dtype is f32.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let rows = || view.summary.floor.iter().filter(|row| row.model == view.model);
    let mut table = Table::new(&HEADER);
    table.rows = rows().map(texts).collect();
    if table.rows.is_empty() {
        return Vec::new();
    }
    let heading =
        "Numerical floor: the baseline in the study's dtype against f32, in nat per token";
    let words = "floor: the larger of |ΔNLL| and √Σδ² / tokens over documents. A smaller |ΔNLL| of a config may be rounding, and is \
                 marked ~ below.";
    let mut blocks = vec![
        Block::Heading(heading.to_owned()),
        Block::Table(table),
        Block::Text(words.to_owned()),
    ];
    blocks.extend(reasons(rows().map(|row| &row.reason)));
    blocks
}

fn texts(row: &FloorRow) -> Vec<String> {
    let three = |value| or_undefined(value, |value| significant(value, 3));
    vec![
        row.language.clone(),
        count(row.tokens),
        three(row.delta_nll),
        three(row.document_abs_delta_nll),
        three(row.kl),
        or_undefined(row.top1_agreement, |share| fixed(share, 4)),
        three(row.floor),
    ]
}

/// The floor of each language of a model.
#[derive(Debug)]
pub(super) struct Floors<'a>(BTreeMap<&'a str, f64>);

impl<'a> Floors<'a> {
    /// Those of the view's model.
    pub(super) fn of(view: View<'a>) -> Self {
        let rows = view.summary.floor.iter().filter(|row| row.model == view.model);
        Self(rows.filter_map(|row| Some((row.language.as_str(), row.floor?))).collect())
    }

    /// True where there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True where the cell's |ΔNLL| is below its language's floor.
    pub(super) fn hide(&self, cell: &SensitivityRow) -> bool {
        let floor = self.0.get(cell.language.as_str());
        floor.zip(cell.delta_nll).is_some_and(|(floor, delta)| delta.abs() < *floor)
    }
}
