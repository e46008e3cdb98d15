//! The section across models: the same correlation in each of them, side by side. Nothing for a single model.

use std::collections::BTreeSet;

use super::Medium;
use super::block::Block;
use super::columns::{Column, tables};
use super::number::{UNDEFINED, fixed, or_undefined};
use super::sensitivity::label;
use crate::reduce::{ReplicationRow, Summary};

/// Rows of the terminal where no scope is `all`.
const FIRST: usize = 20;

/// The section; empty where no correlation was computed in two models.
pub(super) fn blocks(summary: &Summary, medium: Medium) -> Vec<Block> {
    let questions: Vec<&[ReplicationRow]> =
        summary.replication.chunk_by(|a, b| key(a) == key(b)).collect();
    if questions.is_empty() {
        return Vec::new();
    }
    let shown = match medium {
        Medium::Terminal => main(&questions, summary),
        Medium::Markdown | Medium::Html => questions.clone(),
    };
    let models: BTreeSet<&str> = summary.replication.iter().map(|row| row.model.as_str()).collect();
    let labels = Column::new("correlation", shown.iter().map(|question| label_of(&question[0])));
    let sign = |question: &&[ReplicationRow]| {
        let verdict = question[0].verdict.clone().unwrap_or_else(|| UNDEFINED.to_owned());
        match question.len() {
            all if all == models.len() => verdict,
            some => format!("{verdict} ({some} of {} models)", models.len()),
        }
    };
    let mut columns = vec![Column::new("sign", shown.iter().map(sign))];
    columns.extend(models.iter().map(|model| {
        let of = |question: &&[ReplicationRow]| {
            question.iter().find(|row| row.model == *model).map_or(String::new(), r)
        };
        Column::new(*model, shown.iter().map(of))
    }));
    let left_out = questions.len() - shown.len();
    let rest = match left_out {
        0 => String::new(),
        _ => {
            format!(" Left out: {left_out} more, all of them in report.md and replication.parquet.")
        }
    };
    let words = format!(
        "Pearson's r over languages with Fisher's interval and n. replicates: every interval excludes 0 on the same side; same sign: \
         every r has one sign, but not every interval excludes 0; does not: the signs differ. Nothing is corrected for the number of \
         correlations looked at, and models that share languages are no independent samples.{rest}"
    );
    let mut blocks = vec![
        Block::Title("Across models".to_owned()),
        Block::Heading("Do the correlations have the same sign in every model?".to_owned()),
    ];
    blocks.extend(tables(&labels, &columns, medium));
    blocks.push(Block::Text(words));
    blocks
}

fn key(row: &ReplicationRow) -> [&str; 5] {
    [&row.predictor, &row.outcome, &row.scope, &row.components, &row.config].map(String::as_str)
}

/// The questions of the analysis's first outcome at scope `all`, or else the first ones.
fn main<'a>(questions: &[&'a [ReplicationRow]], summary: &Summary) -> Vec<&'a [ReplicationRow]> {
    let outcome = summary.analysis.outcomes.first().map_or("", |outcome| outcome.name());
    let of_all = |question: &&[ReplicationRow]| {
        question.iter().all(|row| row.scope == "all" && row.outcome == outcome)
    };
    let chosen: Vec<_> = questions.iter().copied().filter(|question| of_all(question)).collect();
    match chosen.is_empty() {
        true => questions.iter().copied().take(FIRST).collect(),
        false => chosen,
    }
}

/// `fertility, delta_nll @ all int4-channel`
fn label_of(row: &ReplicationRow) -> String {
    let what = label(&row.components, &row.config);
    format!("{}, {} @ {} {what}", row.predictor, row.outcome, row.scope)
}

/// `−0.77 [−0.92, −0.40] (14)`
fn r(row: &ReplicationRow) -> String {
    let two = |value| or_undefined(value, |value| fixed(value, 2));
    let interval = row.pearson_low.zip(row.pearson_high);
    let interval = interval.map(|(low, high)| format!(" [{}, {}]", fixed(low, 2), fixed(high, 2)));
    format!("{}{} ({})", two(row.pearson_r), interval.unwrap_or_default(), row.n)
}
