//! The model across cells on made-up rows: planted effects come back, and what is missing is named.

use babelquant_proto::rows::Row;

use super::super::Summary;
use super::super::example::{LANGUAGES, Rows, summary};
use super::*;

fn sources(summary: &Summary) -> Sources<'_> {
    Sources {
        cells: &summary.sensitivity,
        layers: &summary.layers,
        shares: &summary.activation_shares,
        analysis: &summary.analysis,
    }
}

/// Rows by term.
fn of<'a>(rows: &'a [RegressionRow], term: &str) -> &'a RegressionRow {
    rows.iter().find(|row| row.term == term).unwrap()
}

fn reduce(languages: &[&str]) -> Vec<RegressionRow> {
    let analysis = Analysis { bootstrap_draws: 50, ..Analysis::default() };
    Rows::new(languages).reduce(analysis).regressions
}

#[test]
fn a_row_for_every_term() {
    let rows = summary().regressions;
    let terms: Vec<&str> = rows.iter().map(|row| row.term.as_str()).collect();
    assert_eq!(terms, Term::ALL.map(Term::name));
    for row in &rows {
        assert_eq!((row.config.as_str(), row.n), ("int4-channel", 42));
        assert_eq!((row.languages, row.layers), (14, 3));
        assert!(row.coefficient.is_some() && row.r_squared.is_some(), "{row:?}");
        assert_eq!(row.coefficient_se.is_none(), row.reason.is_some(), "{row:?}");
    }
    assert_eq!(RegressionRow::from_batch(&RegressionRow::to_batch(&rows).unwrap()).unwrap(), rows);
}

/// ΔNLL set to what a model says, and a little beside it that no predictor explains.
#[test]
fn planted_effects_come_back() {
    let mut summary = summary();
    let copy = summary.clone();
    let predictors = Predictors::new(&sources(&copy));
    let single: Vec<usize> = (0..summary.sensitivity.len())
        .filter(|at| summary.sensitivity[*at].layer.is_some())
        .collect();
    let cells: Vec<Cell<'_>> =
        single.iter().map(|&at| predictors.cell(&copy.sensitivity[at]).unwrap()).collect();
    let (columns, left_out) = columns(&cells, &BTreeMap::new());
    assert!(left_out.is_empty());
    let planted = [3.0, -2.0, 1.0, 0.5, 4.0];
    for (row, &at) in single.iter().enumerate() {
        let explained: f64 =
            columns.values().zip(planted).map(|(column, effect)| effect * column[row]).sum();
        let rest = 1e-6 * f64::from(u8::try_from(row * row % 7).unwrap());
        summary.sensitivity[at].delta_nll = Some(10.0 + explained + rest);
    }
    let rows = rows(&sources(&summary));
    for (term, effect) in Term::ALL.into_iter().skip(1).zip(planted) {
        let found = of(&rows, term.name()).coefficient.unwrap();
        assert!((found - effect).abs() < 1e-5, "{term:?}: {found} instead of {effect}");
    }
    assert!(rows[0].r_squared.unwrap() > 0.999_999);
}

/// Hebrew is in no column of the study's own; Klingon has no amount and no script either.
#[test]
fn languages_that_the_model_cannot_hold_are_named() {
    let mut analysis = Analysis { bootstrap_draws: 50, ..Analysis::default() };
    let own = "language,pages\neng,9\ndeu,8\nfra,7\nrus,5\nfin,4\ntur,4\nvie,3\nzho,3\n";
    analysis.covariates = crate::covariates::Covariates::parse(own).unwrap();
    analysis.resource = "pages".to_owned();
    let languages = ["deu", "eng", "fin", "fra", "heb", "rus", "tlh", "tur", "vie", "zho"];
    let rows = Rows::new(&languages).reduce(analysis).regressions;
    let absent = Some("heb (log_volume), tlh (log_volume, latin)".to_owned());
    assert!(rows.iter().all(|row| (row.languages, &row.absent) == (8, &absent)), "{rows:?}");
    assert!(reduce(&LANGUAGES).iter().all(|row| row.absent.is_none()));
}

#[test]
fn what_is_missing_is_left_out_and_named() {
    let mut summary = summary();
    summary.activation_shares.clear();
    let rows = rows(&sources(&summary));
    let reason = |term: &str| of(&rows, term).reason.clone().unwrap_or_default();
    assert_eq!(reason("activation_share"), "not in the model: known in 0 of 42 cells");
    assert_eq!(reason("kurtosis_by_share"), FACTOR);
    assert!(
        of(&rows, "kurtosis").coefficient.is_some() && of(&rows, "latin").coefficient.is_some()
    );
    summary.layers[0].kurtosis = None;
    let rows = super::rows(&sources(&summary));
    assert_eq!((rows[0].n, rows[0].layers), (28, 2));
    assert_eq!(
        of(&rows, "kurtosis").reason.as_deref(),
        Some("not in the model: 2 layers are too few for it")
    );
}

#[test]
fn facts_that_languages_do_not_differ_in() {
    let rows = reduce(&["eng", "deu", "fra"]);
    assert_eq!(
        of(&rows, "latin").reason.as_deref(),
        Some("not in the model: the same in all cells")
    );
    assert!(of(&rows, "log_volume").coefficient.is_some());
    let rows = reduce(&["eng", "hin"]);
    for term in ["latin", "log_volume"] {
        assert_eq!(
            of(&rows, term).reason.as_deref(),
            Some("not in the model: 2 languages are too few for it")
        );
    }
    let rows = reduce(&["eng"]);
    let reason = "errors clustered by language and layer need two of each";
    assert!(rows.iter().all(|row| row.reason.as_deref() == Some(reason)), "{rows:?}");
}

#[test]
fn a_config_that_does_not_fit_says_so() {
    let mut summary = Rows::new(&LANGUAGES).with_unsupported().reduce(Analysis::default());
    for row in summary.sensitivity.iter_mut().filter(|row| row.config == "candle-q4k") {
        (row.layer, row.stack) = (Some(0), Some("dec".to_owned()));
    }
    let rows = rows(&sources(&summary));
    let mut unfit = rows.iter().filter(|row| row.config == "candle-q4k").peekable();
    assert!(unfit.peek().is_some());
    assert!(unfit.all(|row| row.unsupported().is_some() && row.coefficient.is_none()));
}
