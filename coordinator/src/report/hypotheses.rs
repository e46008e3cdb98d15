//! The section on hypotheses: each claim with its tests and verdicts. It stands before everything that was looked at afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::block::{Block, Table};
use super::number::{UNDEFINED, estimates, fixed, or_undefined, p};
use super::sensitivity::label;
use crate::reduce::{HypothesisRow, Summary};

/// What the verdicts mean.
pub(super) const WORDS: &str = "Registered in run.json before this run measured its first unit (where it took over results of an earlier run, run.json names that one), and judged as they were registered. SUPPORTED: p, corrected for every \
     test of its family, is at most alpha. NOT SUPPORTED: it is not, although an effect of the size named would have been seen with a \
     probability of at least 0.8. INSUFFICIENT DATA: it is not, and would have been missed too often to say more.";

/// The section; empty where nothing was claimed.
pub(super) fn blocks(summary: &Summary) -> Vec<Block> {
    if summary.hypotheses.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Title("Hypotheses".to_owned())];
    for rows in summary.hypotheses.chunk_by(|a, b| a.id == b.id) {
        blocks.push(Block::Heading(format!("{}: {}", rows[0].id, rows[0].claim)));
        blocks.push(Block::Table(table(rows)));
        blocks.push(Block::Text(test_in_words(rows)));
        blocks.extend(because(rows).map(Block::Text));
    }
    blocks.push(Block::Text(WORDS.to_owned()));
    blocks
}

const HEADER: [&str; 7] = ["where", "n", "estimate", "p", "corrected", "power", "verdict"];

fn table(rows: &[HypothesisRow]) -> Table {
    let mut table = Table::new(&HEADER);
    let numbers: Vec<[Option<f64>; 3]> =
        rows.iter().map(|row| [row.estimate, row.low, row.high]).collect();
    for (row, estimate) in rows.iter().zip(estimates(&numbers, 2)) {
        table.rows.push(vec![
            place(row),
            row.n.to_string(),
            estimate,
            or_undefined(row.p, p),
            or_undefined(row.p_corrected, p),
            or_undefined(row.power, |power| fixed(power, 2)),
            row.verdict.clone(),
        ]);
    }
    table
}

/// `demo, all int4-channel`
pub(super) fn place(row: &HypothesisRow) -> String {
    format!("{}, {} {}", row.model, row.scope, label(&row.components, &row.config))
}

/// What is missing, each reason once with where it holds; `None` where nothing is.
pub(super) fn because(rows: &[HypothesisRow]) -> Option<String> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in rows {
        row.reason.iter().for_each(|reason| reasons.entry(reason).or_default().push(place(row)));
    }
    let texts = reasons.into_iter().map(|(reason, places)| match places.len() {
        all if all == rows.len() => reason.to_owned(),
        1..=3 => format!("{} ({reason})", places.join("; ")),
        some => format!("{some} tests ({reason})"),
    });
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| format!("What is missing: {}.", texts.join("; ")))
}

/// By which tests the rows of a hypothesis were judged.
pub(super) fn test_in_words(rows: &[HypothesisRow]) -> String {
    let words = |test| match test {
        "every order" => "every order of the languages",
        "random orders" => "99,999 random orders of the languages",
        "kendall" => "Kendall's distribution",
        "student" => "Student's t",
        "fisher z" => "Fisher's z",
        other => other,
    };
    let by: BTreeSet<&str> = rows.iter().filter_map(|row| row.test.as_deref()).map(words).collect();
    let by = match by.is_empty() {
        true => UNDEFINED.to_owned(),
        false => by.into_iter().collect::<Vec<_>>().join(" or "),
    };
    let row = &rows[0];
    let family = match (row.correction.as_str(), row.family_tests) {
        ("none", _) => "not corrected".to_owned(),
        (correction, tests) => {
            format!(
                "corrected by {correction} for {tests} tests of {}",
                row.family.replace(' ', ", ")
            )
        }
    };
    let (alpha, effect) = (row.alpha, row.effect);
    format!("p by {by}, {family}; alpha {alpha}, power for |r| = {effect}.")
}
