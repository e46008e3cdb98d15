//! The section on degradation: what each config does to each language where every layer is quantized.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::Layers;
use babelquant_proto::quant::QuantConfig;

use super::View;
use super::block::Block;
use super::columns::{Column, tables};
use super::number::estimates;
use super::sensitivity::{is_none, label};
use crate::reduce::{SensitivityRow, Spelled};

/// Value, low and high in percent.
type Percent = [Option<f64>; 3];

/// The section, at scope `all`; what single layers do stands in the matrices. Empty without cells.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let all = Layers::All.to_string();
    let mut configs: BTreeMap<(String, Spelled<QuantConfig>), BTreeMap<&str, Percent>> =
        BTreeMap::new();
    for row in view.cells().filter(|row| row.scope == all && !is_none(row)) {
        let config = (row.components.clone(), Spelled::new(&row.config));
        configs.entry(config).or_default().insert(&row.language, percent(row));
    }
    let languages: BTreeSet<&str> =
        configs.values().flat_map(|cells| cells.keys().copied()).collect();
    let columns = configs.iter().map(|((components, config), cells)| {
        Column::new(label(components, &config.text), texts(&languages, cells))
    });
    let labels = Column::new("language", languages.iter().map(|language| (*language).to_owned()));
    let tables = match (configs.len(), view.cells().count()) {
        (0, 0) => return Vec::new(),
        (0, _) => vec![Block::Text(
            "Left out: no config of this study quantizes every layer at once.".to_owned(),
        )],
        _ => tables(&labels, &columns.collect::<Vec<_>>(), view.medium),
    };
    [Block::Heading(HEADING.to_owned())].into_iter().chain(tables).collect()
}

const HEADING: &str = "Degradation: relative increase of perplexity, exp(ΔNLL) − 1, in %; every layer quantized (scope all)";

/// A text for each language; empty where it was not measured.
fn texts(languages: &BTreeSet<&str>, cells: &BTreeMap<&str, Percent>) -> Vec<String> {
    let numbers: Vec<Percent> =
        languages.iter().map(|language| cells.get(language).copied().unwrap_or_default()).collect();
    let texts = estimates(&numbers, 3).into_iter().zip(languages);
    texts
        .map(|(text, language)| if cells.contains_key(language) { text } else { String::new() })
        .collect()
}

fn percent(row: &SensitivityRow) -> Percent {
    let numbers =
        [row.relative_perplexity, row.relative_perplexity_low, row.relative_perplexity_high];
    numbers.map(|number| number.map(|share| 100.0 * share))
}
