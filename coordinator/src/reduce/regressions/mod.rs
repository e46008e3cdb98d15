//! Cells of one layer alone → the table `regressions`: ΔNLL on what is known of the layer and the language. Not how it is fitted.

mod cells;
mod terms;

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;

use cells::{Cell, Predictors, absent, clusters, columns, unknown};
use terms::{FACTOR, NEGATIVE, Term, in_words};

use super::grouped::grouped;
use super::tables::{LayerRow, RegressionRow, SensitivityRow, ShareRow};
use crate::statistics::{NoRegression, Regression, Weights, Wild, WildP, regression};
use crate::study::Analysis;

/// What the table is made of.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// The table `sensitivity`.
    pub(super) cells: &'a [SensitivityRow],
    /// The table `layers`.
    pub(super) layers: &'a [LayerRow],
    /// The table `activation_shares`.
    pub(super) shares: &'a [ShareRow],
    /// Confidence of the intervals, and what is known of languages.
    pub(super) analysis: &'a Analysis,
}

/// The table, in the order of the cells; the config `none` is left out: its outcomes are constant.
pub(super) fn rows(sources: &Sources<'_>) -> Vec<RegressionRow> {
    let predictors = Predictors::new(sources);
    let mut rows = Vec::new();
    for group in models(sources.cells) {
        let fit = Fit::new(&group, &predictors, sources.analysis);
        rows.extend(Term::ALL.map(|term| fit.row(group[0], term)));
    }
    rows
}

/// The cells of one layer alone of each model, components and config, in the order of their first row.
fn models(cells: &[SensitivityRow]) -> Vec<Vec<&SensitivityRow>> {
    let none = QuantConfig::None.to_string();
    let cells = cells.iter().filter(|cell| cell.layer.is_some() && cell.config != none);
    grouped(cells, |cell| (&cell.model, &cell.components, &cell.config))
}

/// The model of one group of cells.
#[derive(Debug)]
struct Fit {
    cells: usize,
    languages: usize,
    layers: usize,
    /// The terms after the intercept, and what became of them.
    found: Result<(Vec<Term>, Regression), String>,
    /// Why terms are not in the model.
    left_out: BTreeMap<Term, String>,
    /// Languages that are not, and what they lack.
    absent: Option<String>,
}

impl Fit {
    fn new<'a>(
        group: &[&'a SensitivityRow],
        predictors: &Predictors<'a>,
        analysis: &Analysis,
    ) -> Self {
        let wild = Wild::new(analysis.seed, analysis.bootstrap_draws);
        let mut cells: Vec<Cell<'_>> =
            group.iter().filter_map(|row| predictors.cell(row)).collect();
        let mut left_out = unknown(&cells);
        let needed: Vec<usize> =
            (0..Term::KNOWN.len()).filter(|at| !left_out.contains_key(&Term::KNOWN[*at])).collect();
        let absent = absent(&cells, &needed);
        cells.retain(|cell| needed.iter().all(|&at| cell.values[at].is_some()));
        let [languages, layers] = clusters(&cells);
        let (mut columns, constant) = columns(&cells, &left_out);
        left_out.extend(constant);
        let outcome: Vec<f64> = cells.iter().map(|cell| cell.delta).collect();
        let found = loop {
            let values: Vec<Vec<f64>> = columns.values().cloned().collect();
            let clusters = [&languages, &layers];
            match regression(&outcome, &values, clusters, analysis.confidence, &wild) {
                Ok(found) => break Ok((columns.into_keys().collect(), found)),
                Err(why) => match why.predictor().and_then(|at| columns.keys().nth(at).copied()) {
                    Some(term) => leave_out(term, why, &mut columns, &mut left_out),
                    None => break Err(in_words(why)),
                },
            }
        };
        let unsupported = group.iter().find(|cell| cell.unsupported().is_some());
        let found =
            found.map_err(|why| unsupported.and_then(|cell| cell.reason.clone()).unwrap_or(why));
        let (languages, layers) = (languages.count(), layers.count());
        Self { cells: cells.len(), languages, layers, found, left_out, absent }
    }

    fn row(&self, cell: &SensitivityRow, term: Term) -> RegressionRow {
        let fitted = self.found.as_ref().ok();
        let fitted_term = fitted.and_then(|(terms, found)| match term {
            Term::Intercept => found.terms.first(),
            other => found.terms.get(1 + terms.iter().position(|term| *term == other)?),
        });
        let certainty = fitted_term.and_then(|term| term.certainty);
        let interval = certainty.and_then(|certainty| certainty.interval);
        let wild = certainty.and_then(|certainty| certainty.wild);
        let reason = match (&self.found, self.left_out.get(&term), certainty) {
            (Err(why), ..) => Some(why.clone()),
            (Ok(_), Some(why), _) => Some(why.clone()),
            (Ok(_), None, None) => Some(NEGATIVE.to_owned()),
            (Ok(_), None, Some(_)) => None,
        };
        RegressionRow {
            model: cell.model.clone(),
            components: cell.components.clone(),
            config: cell.config.clone(),
            term: term.name().to_owned(),
            n: self.cells as u64,
            languages: self.languages as u64,
            absent: self.absent.clone(),
            layers: self.layers as u64,
            coefficient: fitted_term.map(|term| term.coefficient),
            coefficient_low: interval.map(|interval| interval.low),
            coefficient_high: interval.map(|interval| interval.high),
            coefficient_se: certainty.map(|certainty| certainty.standard_error),
            t: certainty.map(|certainty| certainty.t),
            p: certainty.map(|certainty| certainty.p),
            p_wild: wild.map(|wild| wild.p),
            wild: wild.map(|wild| self.wild_in_words(wild)),
            r_squared: fitted.map(|(_, found)| found.r_squared),
            reason,
        }
    }

    /// `9 layers, 1000 vectors of Webb's weights`
    fn wild_in_words(&self, wild: WildP) -> String {
        let clusters = match wild.kind {
            0 => format!("{} languages", self.languages),
            _ => format!("{} layers", self.layers),
        };
        let weights = match wild.weights {
            Weights::AllSigns(vectors) => format!("all {vectors} vectors of signs"),
            Weights::Signs(vectors) => format!("{vectors} random vectors of signs"),
            Weights::Webb(vectors) => format!("{vectors} random vectors of Webb's weights"),
        };
        format!("{clusters}, {weights}")
    }
}

/// Takes a term out of the model, and the product with its factor.
fn leave_out(
    term: Term,
    why: NoRegression,
    columns: &mut BTreeMap<Term, Vec<f64>>,
    left_out: &mut BTreeMap<Term, String>,
) {
    columns.remove(&term);
    left_out.insert(term, term.left_out(why));
    if matches!(term, Term::Kurtosis | Term::Share) {
        columns.remove(&Term::KurtosisByShare);
        left_out.insert(Term::KurtosisByShare, FACTOR.to_owned());
    }
}

#[cfg(test)]
mod tests;
