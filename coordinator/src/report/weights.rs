//! The section on weights: kurtosis and outliers of each layer, and the aggregate block.

use super::block::{Block, Table};
use super::number::{count, fixed, or_undefined, significant};
use super::{View, layer_label, reasons};
use crate::reduce::{LayerRow, ModelRow};

/// The section; empty without weight rows.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let layers = || view.summary.layers.iter().filter(|row| row.model == view.model);
    let mut table = Table::new(&HEADER);
    table.rows = layers().map(layer).collect();
    let aggregates = view.summary.models.iter().filter(|row| row.model == view.model);
    let aggregate: Vec<String> = aggregates.flat_map(aggregate).collect();
    if table.rows.is_empty() {
        return Vec::new();
    }
    let heading = "Weights: the MLP of each layer, its matrices together".to_owned();
    let mut blocks = vec![Block::Heading(heading), Block::Table(table), Block::Lines(aggregate)];
    blocks.extend(reasons(layers().map(|row| &row.reason)));
    blocks
}

const HEADER: [&str; 7] = ["layer", "kurtosis", "|w|>3σ %", "std", "max |w|", "L-kurtosis", "note"];

fn layer(row: &LayerRow) -> Vec<String> {
    vec![
        layer_label(&row.stack, row.layer),
        or_undefined(row.kurtosis, |value| fixed(value, 2)),
        or_undefined(row.outliers_3std_percent, |value| fixed(value, 3)),
        or_undefined(row.std, |value| significant(value, 4)),
        or_undefined(row.max_abs, |value| significant(value, 4)),
        or_undefined(row.l_kurtosis, |value| fixed(value, 4)),
        row.note.clone().unwrap_or_default(),
    ]
}

fn aggregate(row: &ModelRow) -> Vec<String> {
    let number = |value, decimals| or_undefined(value, |value| fixed(value, decimals));
    let (low, high) = (number(row.min_kurtosis, 2), number(row.max_kurtosis, 2));
    vec![
        format!("Total parameters  {} in {} layers", count(row.parameters), row.layers),
        format!(
            "Pooled std        {}",
            or_undefined(row.pooled_std, |value| significant(value, 6))
        ),
        format!("Mean kurtosis     {}", number(row.mean_kurtosis, 2)),
        format!("Kurtosis range    [{low}, {high}]"),
    ]
}
