//! The section on correlations: lines for the main ones, in Markdown a table of all.

use babelquant_proto::Layers;

use super::block::{Block, Table};
use super::configs::hidden;
use super::number::{UNDEFINED, fixed, or_undefined, p};
use super::sensitivity::label;
use super::{Medium, View};
use crate::reduce::{AdjustedRow, CorrelationRow};

/// Lines shown where no scope is `all`.
const STRONGEST: usize = 10;

/// The section; empty without correlations.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let rows = view.summary.correlations.iter().filter(|row| row.model == view.model);
    let rows: Vec<&CorrelationRow> = rows.filter(|row| row.unsupported().is_none()).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let (shown, choice) = main_rows(&rows, view);
    let heading =
        "Correlations over languages: do weights and activations predict the damage?".to_owned();
    let mut blocks = vec![Block::Heading(heading)];
    blocks.push(Block::Lines(shown.iter().flat_map(|row| lines(row)).collect()));
    blocks.push(Block::Text(words(&rows, shown.len(), choice, view.medium)));
    if view.medium == Medium::Markdown {
        blocks.push(Block::Table(table(&rows)));
    }
    blocks
}

/// The rows that get a line, and how they were chosen: scope `all` and the analysis's first outcome, or else the strongest.
fn main_rows<'a>(rows: &[&'a CorrelationRow], view: View<'_>) -> (Vec<&'a CorrelationRow>, String) {
    let outcome = view.summary.analysis.outcomes.first().map_or("", |outcome| outcome.name());
    let all = Layers::All.to_string();
    let hidden = hidden(view);
    let is_shown = |row: &&CorrelationRow| {
        row.outcome == outcome && !hidden.contains(&(row.components.as_str(), row.config.as_str()))
    };
    let of_outcome = || rows.iter().copied().filter(is_shown);
    let mut shown: Vec<&CorrelationRow> = of_outcome().filter(|row| row.scope == all).collect();
    if !shown.is_empty() {
        return (shown, format!("outcome {outcome} at scope all"));
    }
    shown = of_outcome().filter(|row| row.pearson_r.is_some()).collect();
    shown.sort_by(|a, b| magnitude(b).total_cmp(&magnitude(a)));
    shown.truncate(STRONGEST);
    (
        shown,
        format!("the {STRONGEST} largest |r| of outcome {outcome}, which chance alone makes large"),
    )
}

fn magnitude(row: &CorrelationRow) -> f64 {
    row.pearson_r.map_or(0.0, f64::abs)
}

/// What stands above and what does not, in words.
fn words(rows: &[&CorrelationRow], shown: usize, choice: String, medium: Medium) -> String {
    let rest = match medium {
        Medium::Terminal => {
            format!("left out: {} more, all of them in report.md", rows.len() - shown)
        }
        Medium::Markdown | Medium::Html => format!("all {} follow", rows.len()),
    };
    format!(
        "Shown: {choice} ({shown} lines); {rest} and in correlations.parquet. In brackets: Fisher's interval. p is two-sided; Holm's \
         and Benjamini and Hochberg's (BH) are corrected for every predictor and config of one outcome and scope, the others for nothing. visible |r|: the smallest that a test at 5 % sees with 80 % power at this n."
    )
}

/// `pearson(predictor, outcome @ scope config) r = …, p = …, n = …`, then the rank correlations on a line of their own.
fn lines(row: &CorrelationRow) -> Vec<String> {
    let what = label(&row.components, &row.config);
    let question = format!("({}, {} @ {} {what})", row.predictor, row.outcome, row.scope);
    let (Some(_), Some(pearson_p)) = (row.pearson_r, row.pearson_p) else {
        let reason = row.reason.as_deref().unwrap_or(UNDEFINED);
        return vec![
            format!("pearson{question} undefined, n = {}", row.n),
            format!("    because: {reason}"),
        ];
    };
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    let rank_p = |value| or_undefined(value, p);
    vec![
        format!("pearson{question} r = {}, p = {}, n = {}", pearson(row), p(pearson_p), row.n),
        format!(
            "    corrected for {} of these: Holm p = {}, BH p = {}",
            row.family_tests.unwrap_or_default(),
            rank_p(row.pearson_p_holm),
            rank_p(row.pearson_p_bh),
        ),
        format!(
            "    spearman ρ = {}, p = {}; kendall τ = {}, p = {}; visible |r| ≥ {}",
            two(row.spearman_rho),
            rank_p(row.spearman_p),
            two(row.kendall_tau),
            rank_p(row.kendall_p),
            two(row.detectable_r),
        ),
    ]
}

fn pearson(row: &CorrelationRow) -> String {
    interval((row.pearson_r, row.pearson_low, row.pearson_high))
}

/// `−0.77 [−0.92, −0.40]`
fn interval((r, low, high): (Option<f64>, Option<f64>, Option<f64>)) -> String {
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    match low.is_some() {
        true => format!("{} [{}, {}]", two(r), two(low), two(high)),
        false => two(r),
    }
}

/// The correlations at scope `all`, adjusted: a row for each predictor, outcome and config, a column for each adjustment.
pub(super) fn adjusted(view: View<'_>) -> Vec<Block> {
    if view.medium != Medium::Markdown {
        return Vec::new();
    }
    let rows = view.summary.adjusted.iter().filter(|row| row.model == view.model);
    let rows: Vec<&AdjustedRow> = rows.filter(|row| row.unsupported().is_none()).collect();
    let question = |row: &AdjustedRow| {
        let AdjustedRow { predictor, outcome, components, config, .. } = row;
        [predictor, outcome, components, config].map(String::clone)
    };
    let questions: Vec<&[&AdjustedRow]> =
        rows.chunk_by(|a, b| question(a) == question(b)).collect();
    let Some(first) = questions.first() else { return Vec::new() };
    let mut header: Vec<&str> = vec!["predictor", "outcome", "config"];
    header.extend(first.iter().map(|row| row.adjustment.as_str()));
    let mut table = Table::new(&header);
    for rows in questions {
        let [predictor, outcome, ..] = question(rows[0]);
        let mut cells = vec![predictor, outcome, label(&rows[0].components, &rows[0].config)];
        cells.extend(rows.iter().map(|row| {
            let numbers = (row.pearson_r, row.pearson_low, row.pearson_high);
            format!("{}, p = {}, n = {}", interval(numbers), or_undefined(row.pearson_p, p), row.n)
        }));
        table.rows.push(cells);
    }
    let words = format!(
        "The same at scope all, adjusted: r with log10 of {} held fixed, with Latin script (1 or 0), with both, and over the means of each \
         language family. Fisher's interval with as many degrees fewer as covariates; n of the last is families. Corrected for nothing.",
        view.summary.analysis.resource
    );
    vec![Block::Table(table), Block::Text(words)]
}

const HEADER: [&str; 15] = [
    "predictor",
    "outcome",
    "scope",
    "config",
    "n",
    "pearson r",
    "p",
    "Holm p",
    "BH p",
    "max-T p over layers",
    "spearman ρ",
    "p",
    "kendall τ",
    "p",
    "visible |r|",
];

fn table(rows: &[&CorrelationRow]) -> Table {
    let mut table = Table::new(&HEADER);
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    for row in rows {
        table.rows.push(vec![
            row.predictor.clone(),
            row.outcome.clone(),
            row.scope.clone(),
            label(&row.components, &row.config),
            row.n.to_string(),
            pearson(row),
            or_undefined(row.pearson_p, p),
            or_undefined(row.pearson_p_holm, p),
            or_undefined(row.pearson_p_bh, p),
            or_undefined(row.pearson_p_max_t, p),
            two(row.spearman_rho),
            or_undefined(row.spearman_p, p),
            two(row.kendall_tau),
            or_undefined(row.kendall_p, p),
            two(row.detectable_r),
        ]);
    }
    table
}
