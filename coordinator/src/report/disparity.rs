//! The section on disparity: how unequally a config harms languages. A row for each config and contrast; the languages stand below.

use super::block::Block;
use super::columns::{Column, table};
use super::number::{estimates, thousandths};
use super::sensitivity::label;
use super::{View, configs, reasons};
use crate::reduce::{DisparityRow, EXTREMES};

/// The section; empty where no config quantizes every layer.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let hidden = configs::hidden(view);
    let shown = |row: &&DisparityRow| {
        row.model == view.model
            && row.unsupported().is_none()
            && !hidden.contains(&(row.components.as_str(), row.config.as_str()))
    };
    let rows: Vec<&DisparityRow> = view.summary.disparity.iter().filter(shown).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Heading(HEADING.to_owned()), numbers(&rows)];
    blocks.extend(groups(&rows));
    let words = format!(
        "Mean over the languages before the minus less that over those behind it, each language once. In brackets: {}; it speaks of these \
         languages. Worst and best are chosen by the same numbers, so that chance alone sets them apart.",
        view.interval_in_words()
    );
    blocks.push(Block::Text(words));
    blocks.extend(reasons(rows.iter().map(|row| &row.reason)));
    blocks
}

const HEADING: &str =
    "Disparity: ΔNLL of some languages less that of others; every layer quantized (scope all)";

fn numbers(rows: &[&DisparityRow]) -> Block {
    let column = |numbers: fn(&DisparityRow) -> [Option<f64>; 3]| {
        estimates(&rows.iter().map(|row| numbers(row)).collect::<Vec<_>>(), 3)
    };
    let configs = rows.iter().map(|row| label(&row.components, &row.config));
    let contrasts = rows.iter().map(|row| match row.contrast.as_str() {
        EXTREMES => format!("{EXTREMES}: {} - {}", row.first, row.second),
        other => other.to_owned(),
    });
    table(&[
        &Column::new("config", configs),
        &Column::new("contrast", contrasts),
        &Column::new("10⁻³ nat per token", column(per_token)),
        &Column::new("10⁻³ bit per byte", column(per_byte)),
    ])
}

/// Per token: value, low and high in thousandths.
pub(super) fn per_token(row: &DisparityRow) -> [Option<f64>; 3] {
    thousandths([
        row.delta_nll_difference,
        row.delta_nll_difference_low,
        row.delta_nll_difference_high,
    ])
}

/// Per byte: value, low and high in thousandths.
pub(super) fn per_byte(row: &DisparityRow) -> [Option<f64>; 3] {
    thousandths([
        row.delta_bits_per_byte_difference,
        row.delta_bits_per_byte_difference_low,
        row.delta_bits_per_byte_difference_high,
    ])
}

/// Which languages the contrasts other than `EXTREMES` are between: the same for every config that was measured in all of them.
fn groups(rows: &[&DisparityRow]) -> Option<Block> {
    let mut known: Vec<String> = Vec::new();
    for row in rows.iter().filter(|row| row.contrast != EXTREMES) {
        let by = row.resource.as_ref().map_or(String::new(), |column| format!(" by {column}"));
        let rest = match row.left_out {
            0 => String::new(),
            absent => format!("; {absent} in neither"),
        };
        let [first, second] = [&row.first, &row.second].map(|codes| codes.replace(',', " "));
        let text = format!("{}{by}: {first} - {second}{rest}", row.contrast);
        if !known.contains(&text) {
            known.push(text);
        }
    }
    (!known.is_empty()).then(|| Block::Text(format!("{}.", known.join(". "))))
}
