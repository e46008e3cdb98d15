//! The findings on a table of the user's, as text: samples one by one, then what holds for all of them. Computes nothing.

mod advice;
mod comparisons;
mod partials;
mod predictor;

use super::block::Block;
use super::number::{fixed, significant};
use crate::correlate::{Fact, Findings, SampleFindings};
use crate::statistics::Interval;

/// Decimals of a correlation.
const DECIMALS: usize = 6;
/// Digits of a p value.
const DIGITS: usize = 6;
/// Rows that are named one by one where they were left out.
const NAMED: usize = 5;

/// The blocks of all samples, then what holds for all of them.
pub(super) fn blocks(findings: &Findings) -> Vec<Block> {
    let mut blocks = Vec::new();
    for sample in &findings.samples {
        blocks.push(Block::Title(title(findings, sample)));
        blocks.extend(dropped(sample));
        let predictors = sample.predictors.iter();
        blocks.extend(predictors.flat_map(|finding| predictor::blocks(findings, sample, finding)));
        blocks.extend(comparisons::blocks(&sample.comparisons));
    }
    if findings.samples.is_empty() {
        blocks.push(Block::Text(format!("{} has no rows.", findings.table)));
    }
    blocks.extend(findings.family.as_ref().map(|family| {
        let text = "Corrected together, {family}. Holm's p bounds the chance of any false positive among them, Benjamini and Hochberg's the \
                    share of false ones among the positives; max-T is Holm's aim with their dependence kept, over the predictors of a sample.";
        Block::Text(text.replace("{family}", family))
    }));
    let fact = |fact: &Fact| format!("{}: {}; {}", fact.name, fact.definition, fact.source);
    if !findings.facts.is_empty() {
        let facts: Vec<String> = findings.facts.iter().map(fact).collect();
        blocks.push(Block::Text(format!("Published, not measured here. {}.", facts.join(". "))));
    }
    blocks
}

/// `degradation, by model bloom-560m: 14 rows of table.csv`
fn title(findings: &Findings, sample: &SampleFindings) -> String {
    let group = findings.question.by.iter().zip(&sample.group);
    let group: String = group.map(|(column, value)| format!(", {column} {value}")).collect();
    format!("{}{group}: {} rows of {}", findings.question.y, sample.n, findings.table)
}

fn dropped(sample: &SampleFindings) -> Option<Block> {
    let mut lines: Vec<String> = sample
        .dropped
        .iter()
        .take(NAMED)
        .map(|dropped| {
            let place = match dropped.label == dropped.place {
                true => String::new(),
                false => format!(" ({})", dropped.place),
            };
            format!("    {}{place}: no {}", dropped.label, dropped.column)
        })
        .collect();
    let more = sample.dropped.len().saturating_sub(NAMED);
    lines.extend((more > 0).then(|| format!("    and {more} more")));
    lines.insert(0, format!("Left out: {} rows", sample.dropped.len()));
    (!sample.dropped.is_empty()).then_some(Block::Lines(lines))
}

/// `[−0.921912, −0.396689]`
fn ends(interval: Interval) -> String {
    format!("[{}, {}]", r(interval.low), r(interval.high))
}

fn r(value: f64) -> String {
    fixed(value, DECIMALS)
}

fn p(value: f64) -> String {
    significant(value, DIGITS)
}
