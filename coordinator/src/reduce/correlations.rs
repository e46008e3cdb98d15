//! Languages and cells → the table `correlations`: every predictor with every outcome, for each model, scope and config.

use std::collections::BTreeMap;

use babelquant_proto::Layers;
use babelquant_proto::quant::QuantConfig;

use super::grouped::grouped;
use super::questions::{Tested, correct};
use super::tables::{CorrelationRow, LanguageRow, SensitivityRow};
use crate::statistics::{AIM, Needed, Pairs, Undefined, kendall, pearson, spearman};
use crate::study::{Analysis, Outcome, Predictor};

/// The table, ordered as the cells are, and beside each row what it was computed from. The config `none` is left out: its outcomes are
/// constant.
pub(super) fn rows<'a>(
    analysis: &Analysis,
    languages: &'a [LanguageRow],
    cells: &'a [SensitivityRow],
) -> (Vec<CorrelationRow>, Vec<Tested<'a>>) {
    let languages =
        languages.iter().map(|row| ((row.model.as_str(), row.language.as_str()), row)).collect();
    let (mut rows, mut tested) = (Vec::new(), Vec::new());
    let mut visible = Visible::default();
    for cells in questions(cells) {
        for (&predictor, outcome) in product(&analysis.predictors, &analysis.outcomes) {
            let question =
                Question { predictor, outcome: *outcome, languages: &languages, cells: &cells };
            let points = question.points();
            let pairs = Pairs::new(&points.iter().map(|(_, pair)| *pair).collect::<Vec<_>>());
            rows.push(question.row(&pairs, points.len(), (analysis.confidence, &mut visible)));
            let languages = points.into_iter().map(|(language, _)| language).collect();
            tested.push(Tested { languages, pairs: pairs.ok() });
        }
    }
    correct(&mut rows, &tested, analysis);
    (rows, tested)
}

/// The cells of each model, scope, components and config, in the order of their first row; one cell a language.
fn questions(cells: &[SensitivityRow]) -> Vec<Vec<&SensitivityRow>> {
    let none = QuantConfig::None.to_string();
    let cells = cells.iter().filter(|cell| cell.config != none);
    grouped(cells, |cell| (&cell.model, &cell.scope, &cell.components, &cell.config))
}

fn product<'a, A, B>(first: &'a [A], second: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    first.iter().flat_map(move |a| second.iter().map(move |b| (a, b)))
}

/// Does this predictor go with this outcome over these cells?
#[derive(Debug)]
struct Question<'q, 'a> {
    predictor: Predictor,
    outcome: Outcome,
    languages: &'q BTreeMap<(&'a str, &'a str), &'a LanguageRow>,
    cells: &'q [&'a SensitivityRow],
}

impl<'a> Question<'_, 'a> {
    /// The row of so many languages, without the corrections for families of them.
    fn row(
        &self,
        pairs: &Result<Pairs, Undefined>,
        n: usize,
        (confidence, visible): (f64, &mut Visible),
    ) -> CorrelationRow {
        let defined = pairs.as_ref().ok();
        let pearson = defined.map(|pairs| pearson(pairs, confidence));
        let interval = pearson.and_then(|pearson| pearson.interval);
        let spearman = defined.map(spearman);
        let kendall = defined.map(kendall);
        let cell = self.cells[0];
        let needed = pearson.filter(|_| cell.scope == Layers::All.to_string());
        CorrelationRow {
            model: cell.model.clone(),
            predictor: self.predictor.to_string(),
            outcome: self.outcome.to_string(),
            scope: cell.scope.clone(),
            components: cell.components.clone(),
            config: cell.config.clone(),
            n: n as u64,
            pearson_r: pearson.map(|pearson| pearson.r),
            pearson_p: pearson.map(|pearson| pearson.p),
            pearson_low: interval.map(|interval| interval.low),
            pearson_high: interval.map(|interval| interval.high),
            spearman_rho: spearman.map(|spearman| spearman.rho),
            spearman_p: spearman.map(|spearman| spearman.p),
            kendall_tau: kendall.map(|kendall| kendall.tau),
            kendall_p: kendall.map(|kendall| kendall.p),
            detectable_r: visible.detectable(n),
            languages_needed: needed
                .and_then(|found| visible.needed.pairs(AIM, found.r))
                .map(u64::from),
            reason: self.reason(pairs, n),
            ..CorrelationRow::default()
        }
    }

    /// (predictor, outcome) of each language where both are defined.
    fn points(&self) -> Vec<(&'a str, (f64, f64))> {
        let pair = |cell: &&'a SensitivityRow| {
            let language = self.languages.get(&(cell.model.as_str(), cell.language.as_str()))?;
            let pair = language.predictor(self.predictor).zip(cell.outcome(self.outcome))?;
            Some((cell.language.as_str(), pair))
        };
        self.cells.iter().filter_map(pair).collect()
    }

    fn reason(&self, pairs: &Result<Pairs, Undefined>, n: usize) -> Option<String> {
        let unsupported = self.cells.iter().find(|cell| cell.unsupported().is_some());
        match (pairs, unsupported) {
            (Err(_), Some(cell)) => cell.reason.clone(),
            (Err(why), None) => Some(why.to_string()),
            (Ok(_), _) if n == 3 => {
                Some("3 languages: Fisher's interval and the power need 4".to_owned())
            }
            (Ok(_), _) => None,
        }
    }
}

/// What so many languages can show, and how many show what was found; each number of languages is looked at once.
#[derive(Debug, Default)]
struct Visible {
    detectable: BTreeMap<usize, Option<f64>>,
    needed: Needed,
}

impl Visible {
    fn detectable(&mut self, n: usize) -> Option<f64> {
        *self.detectable.entry(n).or_insert_with(|| AIM.detectable_r(n))
    }
}
