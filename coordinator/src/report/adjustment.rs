//! What is left of an answer when what else is known of the languages is taken into account: rows of `adjusted`, and their words. Computes nothing.

use super::question::{Question, words};
use super::shown::Shown;
use crate::reduce::{ADJUSTMENTS, AdjustedRow};

/// What nothing is done to.
pub(super) const PLAIN: &str = "as it is";
/// Both covariates at once, and families as one: what an answer has to outlast.
const HARDEST: [&str; 2] = [ADJUSTMENTS[2], ADJUSTMENTS[3]];

/// The hardest adjustments of an answer, where they are defined.
pub(super) fn hardest<'a>(shown: &Shown<'a>, question: &Question<'a>) -> Vec<&'a AdjustedRow> {
    let answer = question.row;
    let is_of = |row: &&AdjustedRow| {
        (&row.model, &row.predictor, &row.outcome, &row.components, &row.config)
            == (
                &answer.model,
                &answer.predictor,
                &answer.outcome,
                &answer.components,
                &answer.config,
            )
    };
    let rows = shown.view.summary.adjusted.iter().filter(is_of);
    let hardest = rows.filter(|row| HARDEST.contains(&row.adjustment.as_str()));
    hardest.filter(|row| row.pearson_p.is_some()).collect()
}

/// True where the correlation of the same languages is significant and so adjusted is not: the adjustment may explain it.
pub(super) fn explains(row: &AdjustedRow, level: f64) -> bool {
    row.plain_p.zip(row.pearson_p).is_some_and(|(plain, left)| plain <= level && left > level)
}

/// True where related languages count as one.
pub(super) fn is_by_family(row: &AdjustedRow) -> bool {
    row.adjustment == ADJUSTMENTS[3]
}

/// `training text and Latin script held fixed`
pub(super) fn in_words(adjustment: &str) -> String {
    let known = |name: &str| match name {
        "log_volume" => "training text".to_owned(),
        "latin" => "Latin script".to_owned(),
        other => words(other),
    };
    match adjustment {
        PLAIN => PLAIN.to_owned(),
        means if means == ADJUSTMENTS[3] => means.to_owned(),
        held => {
            let held: Vec<String> = held.split('+').map(known).collect();
            format!("{} held fixed", held.join(" and "))
        }
    }
}
