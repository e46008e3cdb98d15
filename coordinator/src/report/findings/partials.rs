//! The table of what is left of a correlation with covariates held fixed.

use super::super::block::{Block, Table};
use super::super::number::{UNDEFINED, fixed, or_undefined, significant};
use crate::correlate::Controlled;

const PARTIAL: [&str; 8] =
    ["held fixed", "n", "partial r", "low", "high", "p", "semi-partial r", "VIF"];

/// The table and why numbers of it are undefined; nothing without covariates.
pub(super) fn blocks(found: &[Controlled]) -> Vec<Block> {
    if found.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&PARTIAL);
    table.rows = found.iter().map(partial).collect();
    let reasons = found.iter().filter_map(|controlled| {
        let reason = controlled.undefined.as_ref()?;
        Some(Block::Text(format!(
            "Undefined with {} held fixed: {reason}.",
            controlled.controls.join(", ")
        )))
    });
    [Block::Table(table)].into_iter().chain(reasons).collect()
}

fn partial(found: &Controlled) -> Vec<String> {
    let partial = found.partial.as_ref();
    let interval = partial.and_then(|partial| partial.interval);
    let number = |value: Option<f64>| or_undefined(value, |value| fixed(value, 5));
    let inflation = partial.map(|partial| {
        let each: Vec<String> =
            partial.inflation.iter().map(|inflation| fixed(*inflation, 1)).collect();
        each.join(" ")
    });
    vec![
        found.controls.join(", "),
        found.n.to_string(),
        number(partial.map(|partial| partial.r)),
        number(interval.map(|interval| interval.low)),
        number(interval.map(|interval| interval.high)),
        or_undefined(partial.map(|partial| partial.p), |value| significant(value, 5)),
        number(partial.map(|partial| partial.semi_r)),
        inflation.unwrap_or_else(|| UNDEFINED.to_owned()),
    ]
}
