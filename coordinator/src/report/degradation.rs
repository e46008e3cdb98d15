//! The section on degradation: what each config does to each language where every layer is quantized.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::Layers;
use babelquant_proto::quant::QuantConfig;

use super::View;
use super::block::Block;
use super::columns::{Column, tables};
use super::floor;
use super::number::{estimates, fixed, significant};
use super::sensitivity::{is_none, label};
use crate::reduce::{SensitivityRow, Spelled};
use crate::study::Analysis;

/// Value, low and high in percent.
type Percent = [Option<f64>; 3];

/// Numbers and their marks by language.
type Cells<'a> = BTreeMap<&'a str, (Percent, &'static str)>;

/// The section, at scope `all`; what single layers do stands in the matrices. Empty without cells.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let all = Layers::All.to_string();
    let mut configs: BTreeMap<(String, Spelled<QuantConfig>), Cells<'_>> = BTreeMap::new();
    for row in view.cells().filter(|row| row.scope == all && !is_none(row)) {
        let config = (row.components.clone(), Spelled::new(&row.config));
        let mark = match row.near_lossless {
            _ if floor::hides(row) => floor::MARK,
            Some(true) => NEAR_LOSSLESS,
            Some(false) | None => "",
        };
        configs.entry(config).or_default().insert(&row.language, (percent(row), mark));
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
    let marked =
        |wanted: &str| configs.values().flat_map(BTreeMap::values).any(|(_, mark)| *mark == wanted);
    let near_lossless = marked(NEAR_LOSSLESS).then(|| near_lossless(&view.summary.analysis));
    let floor = marked(floor::MARK).then(|| floor::LEGEND.to_owned());
    let legends = near_lossless.into_iter().chain(floor).map(Block::Text);
    [Block::Heading(HEADING.to_owned())].into_iter().chain(tables).chain(legends).collect()
}

const HEADING: &str = "Degradation: relative increase of perplexity, exp(ΔNLL) − 1, in %; every layer quantized (scope all)";

/// The mark of a number that was shown to be small.
pub(super) const NEAR_LOSSLESS: &str = "=";

/// What that mark says.
pub(super) fn near_lossless(analysis: &Analysis) -> String {
    format!(
        "= marks near-lossless: perplexity was shown to change by less than {} % either way (analysis.margin; two one-sided t tests at {}, \
         each language by itself).",
        significant(100.0 * analysis.margin, 2),
        fixed(analysis.level(), 2)
    )
}

/// A text for each language; empty where it was not measured.
fn texts(languages: &BTreeSet<&str>, cells: &Cells<'_>) -> Vec<String> {
    let numbers: Vec<Percent> = languages
        .iter()
        .map(|language| cells.get(language).map(|(percent, _)| *percent).unwrap_or_default())
        .collect();
    let texts = estimates(&numbers, 3).into_iter().zip(languages);
    let marked = |(text, language): (String, &&str)| {
        cells.get(language).map_or(String::new(), |(_, mark)| format!("{text}{mark}"))
    };
    texts.map(marked).collect()
}

fn percent(row: &SensitivityRow) -> Percent {
    let numbers =
        [row.relative_perplexity, row.relative_perplexity_low, row.relative_perplexity_high];
    numbers.map(|number| number.map(|share| 100.0 * share))
}
