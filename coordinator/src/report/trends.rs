//! The section on depth: whether languages lean on early or on late layers. A row for each config; the languages stand in the matrix below it.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;

use super::block::{Block, Table};
use super::columns::{Column, table};
use super::matrix::{Entry, Matrix, Scale};
use super::number::{estimates, thousandths};
use super::over_languages::OverLanguages;
use super::sensitivity::label;
use super::{View, configs, reasons};
use crate::reduce::{LeaningRow, Spelled, TrendRow};

const HEADER: [&str; 6] =
    ["config", "first third", "last third", "last − first", "more harm late", "more harm early"];

/// A config of a stack.
type Key<'a> = (&'a str, &'a str, Spelled<QuantConfig>);

/// The section; empty where no layer was quantized alone.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let hidden = configs::hidden(view);
    let shown = |row: &&TrendRow| {
        row.model == view.model && !hidden.contains(&(row.components.as_str(), row.config.as_str()))
    };
    let rows: Vec<&TrendRow> = view.summary.trends.iter().filter(shown).collect();
    let mut configs: BTreeMap<Key<'_>, Vec<&TrendRow>> = BTreeMap::new();
    for row in &rows {
        let key = (row.stack.as_str(), row.components.as_str(), Spelled::new(&row.config));
        configs.entry(key).or_default().push(row);
    }
    // Configs that do not fit are listed elsewhere.
    configs.retain(|_, rows| rows.iter().any(|row| row.thirds_difference.is_some()));
    if configs.is_empty() {
        return Vec::new();
    }
    let mut numbers = Table::new(&HEADER);
    numbers.rows = configs.iter().map(|(key, rows)| texts(name(key), rows)).collect();
    let words = format!(
        "Thirds: means over languages of the mean ΔNLL at only(layer) over the first and the last third of the layers. Beside them, in how many \
         languages late or early layers do more harm: the interval of the difference excludes 0, each language by itself; {}. Below: \
         Spearman's ρ of ΔNLL with depth in each language, + or - where its interval excludes 0; noise draws it towards 0.",
        view.interval_in_words()
    );
    let mut blocks =
        vec![Block::Heading(HEADING.to_owned()), Block::Table(numbers), Block::Text(words)];
    let ranks = configs.iter().map(|(key, rows)| (name(key), ranks(rows))).collect();
    let matrix = Matrix { corner: "ρ with depth".to_owned(), rows: ranks };
    blocks.extend(matrix.blocks(Scale::plain(2), view.medium));
    blocks.extend(contrasts(view, &configs));
    let defined = configs.values().flatten();
    blocks.extend(reasons(defined.map(|row| &row.reason)));
    blocks
}

/// How languages differ in their leaning, a row for each config and contrast.
fn contrasts(view: View<'_>, configs: &BTreeMap<Key<'_>, Vec<&TrendRow>>) -> Vec<Block> {
    fn key(row: &LeaningRow) -> Key<'_> {
        (row.stack.as_str(), row.components.as_str(), Spelled::new(&row.config))
    }
    let rows = view.summary.leanings.iter().filter(|row| row.model == view.model);
    let rows: Vec<&LeaningRow> = rows.filter(|row| configs.contains_key(&key(row))).collect();
    let column = |head: &str, numbers: fn(&LeaningRow) -> [Option<f64>; 3]| {
        Column::new(head, estimates(&rows.iter().map(|row| numbers(row)).collect::<Vec<_>>(), 3))
    };
    let labels = rows.iter().map(|row| name(&key(row)));
    let columns = [
        Column::new("config", labels),
        Column::new("contrast", rows.iter().map(|row| row.contrast.clone())),
        column("of last − first", thirds),
        column("of ρ", rho),
    ];
    let words = "Contrasts: mean of some languages less mean of others (which they are stands under Disparity), of the last third less the first, \
                 in 10⁻³ nat per token, and of ρ, which does not grow with the size of the damage. Below 0 the first lean more on early layers. \
                 In brackets the same bootstrap, every language resampled by the same groups; it speaks of these languages.";
    match rows.is_empty() {
        true => Vec::new(),
        false => vec![table(&columns.each_ref()), Block::Text(words.to_owned())],
    }
}

/// The difference of the last third less the first, low and high in thousandths.
pub(super) fn thirds(row: &LeaningRow) -> [Option<f64>; 3] {
    thousandths([row.thirds_difference, row.thirds_difference_low, row.thirds_difference_high])
}

/// The difference of Spearman's ρ with depth, low and high.
pub(super) fn rho(row: &LeaningRow) -> [Option<f64>; 3] {
    [row.spearman_difference, row.spearman_difference_low, row.spearman_difference_high]
}

const HEADING: &str =
    "Depth: do languages lean on early or on late layers? ΔNLL per token in 10⁻³ nat";

fn name((stack, components, config): &Key<'_>) -> String {
    let config = label(components, &config.text);
    match *stack {
        "dec" => config,
        other => format!("{other}: {config}"),
    }
}

/// A row of the languages in which the difference is defined.
fn texts(config: String, rows: &[&TrendRow]) -> Vec<String> {
    let defined = rows.iter().copied().filter(|row| row.thirds_difference.is_some());
    let defined = OverLanguages(defined.collect());
    vec![
        config,
        defined.mean_in_thousandths(|row| row.first_third),
        defined.mean_in_thousandths(|row| row.last_third),
        defined.mean_in_thousandths(|row| row.thirds_difference),
        defined.count(|row| row.thirds_difference_low.is_some_and(|low| low > 0.0)),
        defined.count(|row| row.thirds_difference_high.is_some_and(|high| high < 0.0)),
    ]
}

fn ranks(rows: &[&TrendRow]) -> BTreeMap<String, Entry> {
    let mark = |row: &TrendRow| match (row.spearman_rho_low, row.spearman_rho_high) {
        (Some(low), _) if low > 0.0 => "+",
        (_, Some(high)) if high < 0.0 => "-",
        _ => "",
    };
    let entry = |row: &&TrendRow| {
        (row.language.clone(), Entry { value: row.spearman_rho, mark: mark(row) })
    };
    rows.iter().map(entry).collect()
}
