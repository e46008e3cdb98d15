//! The question of a config: does the analysis's first predictor go with its first outcome over the languages, every layer quantized? The
//! answer is a row of `correlations`; this finds it and the languages behind it.

use super::shown::{Config, Shown};
use crate::reduce::CorrelationRow;
use crate::statistics::{Pairs, Pearson, decisive, pearson};
use crate::study::{Outcome, Predictor};

/// A language in the question.
#[derive(Debug)]
pub(super) struct Point<'a> {
    /// Language.
    pub(super) language: &'a str,
    /// The predictor.
    pub(super) x: f64,
    /// The outcome.
    pub(super) y: f64,
}

/// The question.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// Of which config.
    pub(super) config: Config<'a>,
    /// The answer.
    pub(super) row: &'a CorrelationRow,
    /// The languages with both numbers.
    pub(super) points: Vec<Point<'a>>,
}

/// A language without which the answer is another one.
#[derive(Debug)]
pub(super) struct Carrier<'a> {
    /// Language.
    pub(super) language: &'a str,
    /// r and p without it; `None` where the others have none.
    pub(super) left: Option<Pearson>,
}

/// Predictor and outcome that the page asks about.
pub(super) fn asked(shown: &Shown<'_>) -> Option<(Predictor, Outcome)> {
    let analysis = &shown.view.summary.analysis;
    analysis.predictors.first().copied().zip(analysis.outcomes.first().copied())
}

/// A name of a predictor or an outcome as words: `weighted kurtosis (block_out)`.
pub(super) fn words(name: &str) -> String {
    let spaced = |name: &str| name.replace('_', " ");
    let point = ["block_out", "mlp_out"].into_iter().find(|point| name.ends_with(point));
    match (name, point) {
        ("delta_nll", _) => "ΔNLL".to_owned(),
        ("kl", _) => "KL".to_owned(),
        (_, Some(point)) => format!("{}({point})", spaced(name.trim_end_matches(point))),
        (_, None) => spaced(name),
    }
}

impl<'a> Question<'a> {
    /// The question of a config; `None` where it was not asked.
    pub(super) fn of(shown: &Shown<'a>, config: Config<'a>) -> Option<Self> {
        let (predictor, outcome) = asked(shown)?;
        let summary = shown.view.summary;
        let mut rows = summary.correlations.iter().filter(|row| row.model == shown.view.model);
        let row = rows.find(|row| {
            row.scope == "all"
                && (&*row.components, &*row.config) == config
                && (&*row.predictor, &*row.outcome) == (predictor.name(), outcome.name())
        })?;
        let cells = shown.all_layers(config);
        let point = |language: &'a crate::reduce::LanguageRow| {
            let cell = cells.iter().find(|cell| cell.language == language.language)?;
            let (x, y) = language.predictor(predictor).zip(cell.outcome(outcome))?;
            Some(Point { language: &language.language, x, y })
        };
        let languages = summary.languages.iter().filter(|row| row.model == shown.view.model);
        Some(Self { config, row, points: languages.filter_map(point).collect() })
    }

    /// The pairs of numbers, where their correlation is defined.
    pub(super) fn pairs(&self) -> Option<Pairs> {
        let pairs: Vec<(f64, f64)> = self.points.iter().map(|point| (point.x, point.y)).collect();
        Pairs::new(&pairs).ok()
    }

    /// The language whose absence moves p furthest across the level, if one does.
    pub(super) fn carrier(&self, confidence: f64) -> Option<Carrier<'a>> {
        let (pairs, p) = (self.pairs()?, self.row.pearson_p?);
        let without = |index| Some(pearson(&pairs.without(&[index]).ok()?, confidence));
        let left: Vec<Option<Pearson>> = (0..self.points.len()).map(without).collect();
        let at = decisive(p, left.iter().map(|left| left.map(|left| left.p)))?;
        Some(Carrier { language: self.points[at].language, left: left[at] })
    }
}
