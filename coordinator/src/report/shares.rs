//! The section on activations: the layer × language share table.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::Stack;

use super::block::Block;
use super::matrix::{Entry, Matrix, Scale};
use super::{View, layer_label, reasons};
use crate::reduce::ShareRow;

/// A table for each point; empty without activation rows.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let rows = || view.summary.activation_shares.iter().filter(|row| row.model == view.model);
    let points: BTreeSet<&str> = rows().map(|row| row.point.as_str()).collect();
    let section = |point: &str| {
        let matrix = matrix(rows().filter(|row| row.point == point));
        let heading = format!("Activation at {point}: each layer's share of Σ mean |x|, in %");
        let tables = matrix.blocks(Scale::percent(2), view.medium);
        [Block::Heading(heading)].into_iter().chain(tables).collect::<Vec<_>>()
    };
    let undefined = reasons(rows().map(|row| &row.reason));
    points.into_iter().flat_map(section).chain(undefined).collect()
}

fn matrix<'a>(shares: impl Iterator<Item = &'a ShareRow>) -> Matrix {
    let mut layers: BTreeMap<(bool, &str, u32), BTreeMap<String, Entry>> = BTreeMap::new();
    for row in shares {
        let entry = Entry { value: row.share, mark: "" };
        let layer = layers
            .entry((row.stack == Stack::Dec.name(), row.stack.as_str(), row.layer))
            .or_default();
        layer.insert(row.language.clone(), entry);
    }
    let rows =
        layers.into_iter().map(|((_, stack, layer), entries)| (layer_label(stack, layer), entries));
    Matrix { corner: "layer".to_owned(), rows: rows.collect() }
}
