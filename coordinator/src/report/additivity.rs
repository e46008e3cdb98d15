//! The section on additivity: whether the effects of single layers add up to the effect of all layers. A row for each config; the
//! languages stand in the table `additivity`.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;

use super::block::{Block, Table};
use super::over_languages::OverLanguages;
use super::sensitivity::label;
use super::{View, reasons};
use crate::reduce::{AdditivityRow, Spelled};

const HEADER: [&str; 6] =
    ["config", "sum of layers", "all at once", "difference", "more harm together", "less"];

/// The section; empty where no config was measured both layer by layer and on all layers.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let rows = || view.summary.additivity.iter().filter(|row| row.model == view.model);
    let mut configs: BTreeMap<_, Vec<&AdditivityRow>> = BTreeMap::new();
    for row in rows() {
        let config = (&row.components, Spelled::<QuantConfig>::new(&row.config));
        configs.entry(config).or_default().push(row);
    }
    if configs.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&HEADER);
    table.rows = configs
        .iter()
        .map(|((components, config), rows)| texts(label(components, &config.text), rows))
        .collect();
    let words = format!(
        "Means over languages of: the sum over layers of ΔNLL at only(layer), ΔNLL at scope all, and the first less the second. Beside \
         them, in how many languages layers do more or less harm together than one by one: the interval of the difference excludes \
         0; {}.",
        view.interval_in_words()
    );
    let mut blocks =
        vec![Block::Heading(HEADING.to_owned()), Block::Table(table), Block::Text(words)];
    blocks.extend(reasons(rows().map(|row| &row.reason)));
    blocks
}

const HEADING: &str =
    "Additivity: do the effects of single layers add up? ΔNLL per token in 10⁻³ nat";

/// A row of the languages in which the sum is defined.
fn texts(config: String, rows: &[&AdditivityRow]) -> Vec<String> {
    let defined = rows.iter().copied().filter(|row| row.difference.is_some());
    let defined = OverLanguages(defined.collect());
    vec![
        config,
        defined.mean_in_thousandths(|row| row.sum_delta_nll),
        defined.mean_in_thousandths(|row| row.all_delta_nll),
        defined.mean_in_thousandths(|row| row.difference),
        defined.count(|row| row.difference_high.is_some_and(|high| high < 0.0)),
        defined.count(|row| row.difference_low.is_some_and(|low| low > 0.0)),
    ]
}
