//! The section on languages: size, baseline and predictors.

use super::block::Block;
use super::columns::{Column, table};
use super::number::{count, estimates, fixed, or_undefined};
use super::{Medium, View, reasons};
use crate::reduce::LanguageRow;
use crate::study::Predictor;

/// The section; empty without languages.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let rows: Vec<&LanguageRow> =
        view.summary.languages.iter().filter(|row| row.model == view.model).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut columns = sizes(&rows);
    columns
        .extend(shown(view.medium).iter().map(|predictor| column(*predictor, &rows, view.medium)));
    let mut blocks = vec![
        Block::Heading("Languages: corpus, baseline and predictors".to_owned()),
        table(&columns.iter().collect::<Vec<_>>()),
        Block::Text(format!("In brackets: {}.", view.interval_in_words())),
    ];
    blocks.extend(reasons(rows.iter().map(|row| &row.reason)));
    blocks
}

/// The terminal has room for the main predictors.
fn shown(medium: Medium) -> &'static [Predictor] {
    match medium {
        Medium::Terminal => &[
            Predictor::WeightedKurtosisBlockOut,
            Predictor::WeightedKurtosisMlpOut,
            Predictor::OutlierShareBlockOut,
        ],
        Medium::Markdown | Medium::Html => &Predictor::ALL,
    }
}

fn sizes(rows: &[&LanguageRow]) -> Vec<Column> {
    let bits = |row: &&LanguageRow| or_undefined(row.base_bits_per_byte, |value| fixed(value, 3));
    vec![
        Column::new("language", rows.iter().map(|row| row.language.clone())),
        Column::new("documents", rows.iter().map(|row| count(row.documents))),
        Column::new("tokens", rows.iter().map(|row| count(row.tokens))),
        Column::new("bits/byte", rows.iter().map(bits)),
    ]
}

fn column(predictor: Predictor, rows: &[&LanguageRow], medium: Medium) -> Column {
    let head = match medium {
        Medium::Terminal => {
            predictor.name().replace("_block_out", "\n_block_out").replace("_mlp_out", "\n_mlp_out")
        }
        Medium::Markdown | Medium::Html => predictor.to_string(),
    };
    let numbers: Vec<_> = rows.iter().map(|row| row.estimate(predictor)).collect();
    Column::new(head, estimates(&numbers, 4))
}
