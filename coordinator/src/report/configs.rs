//! The section on configs: bits against ΔNLL where every layer is quantized, and which configs no other one beats.

use std::collections::BTreeSet;

use super::block::{Block, Table};
use super::number::{fixed, or_undefined};
use super::sensitivity::label;
use super::{Medium, View};
use crate::reduce::ConfigRow;

/// Configs that the terminal and the page show in full; of more only those on a front.
const SHOWN_MAX: usize = 8;

const HEADER: [&str; 8] = [
    "config",
    "bits/\nweight",
    "bits/parameter\nof the model",
    "SQNR\ndB",
    "mean ΔNLL\n10⁻³ nat/token",
    "worst ΔNLL\n10⁻³ nat/token",
    "worst\nlanguage",
    "front",
];

/// The section; empty where no config quantizes every layer.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let mut rows: Vec<&ConfigRow> =
        of_model(view).filter(|row| row.unsupported().is_none()).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    // The sort is stable: configs of the same size stay in their order.
    let size = |row: &ConfigRow| row.model_bits_per_weight.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| size(a).total_cmp(&size(b)).then(loss(a).total_cmp(&loss(b))));
    let mut table = Table::new(&HEADER);
    table.rows = rows.iter().map(|row| texts(row)).collect();
    let heading = "Configs: bits against ΔNLL; every layer quantized (scope all)".to_owned();
    let mut blocks = vec![Block::Heading(heading), Block::Table(table), Block::Text(words(view))];
    blocks.extend(super::reasons(rows.iter().map(|row| &row.reason)));
    blocks
}

fn words(view: View<'_>) -> String {
    let left_out = match hidden(view).len() {
        0 => String::new(),
        count => format!(
            " The sections below show the configs on a front and leave out {count}, which report.md and the tables have."
        ),
    };
    format!(
        "Ranked by size: bits of the quantized weights with their scales, and of the whole model with 16 for every other weight. front: no \
         other config of the same components has at most the bits and at most the mean or the worst language's ΔNLL, one of them less. In \
         brackets: {}; of the worst language its own.{left_out}",
        view.interval_in_words()
    )
}

fn loss(row: &ConfigRow) -> f64 {
    row.worst_delta_nll.unwrap_or(f64::INFINITY)
}

fn texts(row: &ConfigRow) -> Vec<String> {
    let bits = |bits| or_undefined(bits, |bits| fixed(bits, 2));
    let front = match (row.on_mean_front, row.on_worst_front) {
        (true, true) => "both",
        (true, false) => "mean",
        (false, true) => "worst",
        (false, false) => "",
    };
    let [mean, worst] = [
        [row.mean_delta_nll, row.mean_delta_nll_low, row.mean_delta_nll_high],
        [row.worst_delta_nll, row.worst_delta_nll_low, row.worst_delta_nll_high],
    ]
    .map(thousandths);
    vec![
        label(&row.components, &row.config),
        bits(row.bits_per_weight),
        bits(row.model_bits_per_weight),
        or_undefined(row.sqnr_db, |value| fixed(value, 1)),
        mean,
        worst,
        row.worst_language.clone().unwrap_or_default(),
        front.to_owned(),
    ]
}

/// `1.2 [0.3, 2.1]`, in thousandths.
fn thousandths([value, low, high]: [Option<f64>; 3]) -> String {
    let write = |value: f64| fixed(1e3 * value, 1);
    match (low, high) {
        (Some(low), Some(high)) => {
            format!("{} [{}, {}]", or_undefined(value, write), write(low), write(high))
        }
        (_, _) => or_undefined(value, write),
    }
}

/// The rows of the view's model.
pub(super) fn of_model(view: View<'_>) -> impl Iterator<Item = &ConfigRow> {
    view.summary.configs.iter().filter(move |row| row.model == view.model)
}

/// The (components, config) pairs that other sections leave out for want of room.
pub(super) fn hidden(view: View<'_>) -> BTreeSet<(&str, &str)> {
    let supported: Vec<&ConfigRow> =
        of_model(view).filter(|row| row.unsupported().is_none()).collect();
    match view.medium {
        Medium::Terminal | Medium::Html if supported.len() > SHOWN_MAX => supported
            .into_iter()
            .filter(|row| !row.on_mean_front && !row.on_worst_front)
            .map(|row| (row.components.as_str(), row.config.as_str()))
            .collect(),
        Medium::Terminal | Medium::Html | Medium::Markdown => BTreeSet::new(),
    }
}
