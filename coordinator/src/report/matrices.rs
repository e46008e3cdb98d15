//! The section on matrices: how far each config moves each kind of matrix, all layers together.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::Components;
use babelquant_proto::quant::QuantConfig;

use super::View;
use super::block::Block;
use super::columns::{Column, tables};
use super::number::{UNDEFINED, fixed};
use crate::reduce::{MatrixRow, Spelled};

/// A kind of matrix: its stack where that is an encoder's, and its roles.
type Kind = (Option<String>, Spelled<Components>);

/// The section; empty without rows.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let hidden = super::configs::hidden(view);
    let hidden: BTreeSet<&str> = hidden.into_iter().map(|(_, config)| config).collect();
    let rows = view.summary.matrices.iter().filter(|row| row.model == view.model);
    let rows = rows.filter(|row| !hidden.contains(row.config.as_str()));
    let mut configs: BTreeMap<Spelled<QuantConfig>, BTreeMap<Kind, Option<f64>>> = BTreeMap::new();
    for row in rows.filter(|row| row.bits_per_weight.is_some()) {
        configs.entry(Spelled::new(&row.config)).or_default().insert(kind(row), row.sqnr_db);
    }
    if configs.is_empty() {
        return Vec::new();
    }
    let kinds: BTreeSet<&Kind> = configs.values().flat_map(BTreeMap::keys).collect();
    let texts = |kind: &Kind| {
        let text = |sqnr: Option<&Option<f64>>| match sqnr {
            None => String::new(),
            Some(sqnr) => sqnr.map_or(UNDEFINED.to_owned(), |value| fixed(value, 1)),
        };
        Column::new(head(kind), configs.values().map(|kinds| text(kinds.get(kind))))
    };
    let columns: Vec<Column> = kinds.iter().map(|kind| texts(kind)).collect();
    let labels = Column::new("config", configs.keys().map(|config| config.text.clone()));
    let heading = "Quantization error by kind of matrix: SQNR in dB over the weights of all layers";
    let tables = tables(&labels, &columns, view.medium);
    [Block::Heading(heading.to_owned())].into_iter().chain(tables).collect()
}

fn kind(row: &MatrixRow) -> Kind {
    let stack = row.stack.clone().filter(|stack| stack != "dec");
    (stack, Spelled::new(&row.components))
}

fn head((stack, components): &Kind) -> String {
    match stack {
        Some(stack) => format!("{stack}.{}", components.text),
        None => components.text.clone(),
    }
}
