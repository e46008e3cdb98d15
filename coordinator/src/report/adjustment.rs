//! What is left of an answer when what else is known of the languages is taken into account: rows of `adjusted`, and their words. Computes nothing.

use super::question::{Question, words};
use super::shown::Shown;
use crate::reduce::{ADJUSTMENTS, AdjustedRow};

/// What nothing is done to.
pub(super) const PLAIN: &str = "as it is";
/// Each covariate alone, both at once, and families as one.
const VOLUME: &str = ADJUSTMENTS[0];
const LATIN: &str = ADJUSTMENTS[1];
const BOTH: &str = ADJUSTMENTS[2];
const FAMILIES: &str = ADJUSTMENTS[3];

/// The hardest adjustments of an answer that are defined: both covariates at once, or where one of them says nothing here, each alone; and
/// families as one.
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
    let defined: Vec<&AdjustedRow> = rows.filter(|row| row.pearson_p.is_some()).collect();
    let has_both = defined.iter().any(|row| row.adjustment == BOTH);
    let covariates: &[&str] = if has_both { &[BOTH] } else { &[VOLUME, LATIN] };
    let wanted = |row: &&AdjustedRow| {
        row.adjustment == FAMILIES || covariates.contains(&row.adjustment.as_str())
    };
    defined.into_iter().filter(wanted).collect()
}

/// True where the correlation of the same languages is significant and so adjusted is not: the adjustment may explain it.
pub(super) fn explains(row: &AdjustedRow, level: f64) -> bool {
    row.plain_p.zip(row.pearson_p).is_some_and(|(plain, left)| plain <= level && left > level)
}

/// True where related languages count as one.
pub(super) fn is_by_family(row: &AdjustedRow) -> bool {
    row.adjustment == FAMILIES
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
        FAMILIES => FAMILIES.to_owned(),
        held => {
            let held: Vec<String> = held.split('+').map(known).collect();
            format!("{} held fixed", held.join(" and "))
        }
    }
}
