//! The section on the numerical floor: what the dtype and the engine change by themselves, beside the results that they limit.

use super::View;
use super::block::{Block, Table};
use super::number::{count, fixed, or_undefined, significant};
use super::reasons;
use crate::reduce::{FloorRow, SensitivityRow};

/// The mark of a number below the floor.
pub(super) const MARK: &str = "~";
/// What the mark says.
pub(super) const LEGEND: &str = "~ marks a number whose |ΔNLL| is below the numerical floor of its language: it may be rounding, \
                                 whatever its interval says.";

const HEADER: [&str; 8] = [
    "language",
    "compared",
    "tokens",
    "ΔNLL per token",
    "mean |ΔNLL| of documents",
    "KL",
    "top-1 agreement",
    "floor",
];

/// The section; empty where the study's dtype is f32 and one engine class made every number.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let rows = || view.summary.floor.iter().filter(|row| row.model == view.model);
    let mut table = Table::new(&HEADER);
    table.rows = rows().map(texts).collect();
    if table.rows.is_empty() {
        return Vec::new();
    }
    let heading = "Numerical floor: the baseline in the study's dtype against f32, or on two engine \
                   classes, in nat per token";
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
        row.compared.clone(),
        count(row.tokens),
        three(row.delta_nll),
        three(row.document_abs_delta_nll),
        three(row.kl),
        or_undefined(row.top1_agreement, |share| fixed(share, 4)),
        three(row.floor),
    ]
}

/// True where a language of the view's model has a floor.
pub(super) fn is_known(view: View<'_>) -> bool {
    view.all_cells().any(|cell| cell.floor.is_some())
}

/// True where the cell's |ΔNLL| is below its language's floor.
pub(super) fn hides(cell: &SensitivityRow) -> bool {
    cell.floor.zip(cell.delta_nll).is_some_and(|(floor, delta)| delta.abs() < floor)
}
