//! The table that compares predictors of one outcome with each other.

use super::super::block::{Block, Table};
use super::super::number::{fixed, or_undefined, significant};
use crate::correlate::Comparison;

const COMPARED: [&str; 9] = [
    "does it do better?",
    "r of both",
    "than",
    "r between",
    "Williams t",
    "p",
    "Steiger Z",
    "p",
    "Meng p",
];

/// The section; nothing for a single predictor.
pub(super) fn blocks(found: &[Comparison]) -> Vec<Block> {
    if found.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&COMPARED);
    table.rows = found.iter().map(compared).collect();
    let words = "Williams's t is the test to quote; it and the others compare two correlations with one outcome in one sample, sign included: \
                 predictors of opposite sign differ even where they do equally well.";
    vec![
        Block::Heading("Does one predictor do better than another?".to_owned()),
        Block::Table(table),
        Block::Text(words.to_owned()),
    ]
}

fn compared(found: &Comparison) -> Vec<String> {
    let three = |value: Option<f64>| or_undefined(value, |value| fixed(value, 3));
    let p_value = |value: Option<f64>| or_undefined(value, |value| significant(value, 3));
    vec![
        found.first.clone(),
        format!("{} : {}", fixed(found.first_r, 3), fixed(found.second_r, 3)),
        found.second.clone(),
        fixed(found.between_r, 3),
        three(found.williams.map(|test| test.statistic)),
        p_value(found.williams.map(|test| test.p)),
        three(found.steiger.map(|test| test.statistic)),
        p_value(found.steiger.map(|test| test.p)),
        p_value(found.meng.map(|test| test.p)),
    ]
}
