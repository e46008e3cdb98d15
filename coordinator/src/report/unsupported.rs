//! The section on configs that do not fit the model's matrices: each once, with the reason. Not failures: those are quarantined units.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;

use super::View;
use super::block::Block;
use super::sensitivity::label;
use crate::reduce::Spelled;

/// The section; empty where every config fits.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let mut configs: BTreeMap<(&str, Spelled<QuantConfig>), &str> = BTreeMap::new();
    for row in view.all_cells() {
        let Some(cause) = row.unsupported() else { continue };
        configs.entry((&row.components, Spelled::new(&row.config))).or_insert(cause);
    }
    if configs.is_empty() {
        return Vec::new();
    }
    let heading = format!("Unsupported configs: {}, without a result", configs.len());
    let line = |((components, config), cause): ((&str, Spelled<QuantConfig>), &str)| {
        Block::Text(format!("{}: {cause}", label(components, &config.text)))
    };
    [Block::Heading(heading)].into_iter().chain(configs.into_iter().map(line)).collect()
}
