//! The cells that the model is fitted to, and what is known of their layers and languages. Not the model.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::rows::Point;

use super::Sources;
use super::terms::{CONSTANT, FACTOR, Term};
use crate::reduce::tables::{LayerRow, SensitivityRow, ShareRow};
use crate::statistics::{Clusters, z_scores};
use crate::study::Analysis;

/// What is known of layers and languages.
#[derive(Debug)]
pub(super) struct Predictors<'a> {
    /// By model, stack and layer.
    kurtosis: BTreeMap<(&'a str, &'a str, u32), f64>,
    /// By model, language, stack and layer.
    shares: BTreeMap<(&'a str, &'a str, &'a str, u32), f64>,
    /// Log volume and script by language.
    languages: BTreeMap<&'a str, [Option<f64>; 2]>,
}

/// A cell with its ΔNLL.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    row: &'a SensitivityRow,
    pub(super) delta: f64,
    pub(super) values: [Option<f64>; 4],
}

impl<'a> Predictors<'a> {
    pub(super) fn new(sources: &Sources<'a>) -> Self {
        let kurtosis = |row: &'a LayerRow| {
            Some(((row.model.as_str(), row.stack.as_str(), row.layer), row.kurtosis?))
        };
        let share = |row: &'a ShareRow| {
            let [model, language, stack] =
                [&row.model, &row.language, &row.stack].map(String::as_str);
            Some(((model, language, stack, row.layer), row.share?))
        };
        let at_block_out = |row: &&ShareRow| row.point == Point::BlockOut.name();
        let languages: BTreeSet<&str> =
            sources.cells.iter().map(|cell| cell.language.as_str()).collect();
        let Analysis { covariates, resource, .. } = sources.analysis;
        let facts = |language| {
            let latin = covariates.is_latin(language).map(|latin| f64::from(u8::from(latin)));
            (language, [covariates.log_volume(language, resource), latin])
        };
        Self {
            kurtosis: sources.layers.iter().filter_map(kurtosis).collect(),
            shares: sources.shares.iter().filter(at_block_out).filter_map(share).collect(),
            languages: languages.into_iter().map(facts).collect(),
        }
    }

    /// The cell; `None` where its ΔNLL is undefined.
    pub(super) fn cell(&self, row: &'a SensitivityRow) -> Option<Cell<'a>> {
        let (stack, layer, delta) = (row.stack.as_deref()?, row.layer?, row.delta_nll?);
        let [model, language] = [&row.model, &row.language].map(String::as_str);
        let kurtosis = self.kurtosis.get(&(model, stack, layer)).copied();
        let share = self.shares.get(&(model, language, stack, layer)).copied();
        let [volume, latin] = self.languages.get(language).copied().unwrap_or_default();
        Some(Cell { row, delta, values: [kurtosis, share, volume, latin] })
    }
}

/// Predictors that fewer than half of the cells have: better to do without them than without the cells.
pub(super) fn unknown(cells: &[Cell<'_>]) -> BTreeMap<Term, String> {
    let known = |at: usize| cells.iter().filter(|cell| cell.values[at].is_some()).count();
    let terms = Term::KNOWN.into_iter().enumerate().map(|(at, term)| (term, known(at)));
    let unknown = terms.filter(|(_, known)| 2 * known < cells.len());
    let words = |known| format!("not in the model: known in {known} of {} cells", cells.len());
    unknown.map(|(term, known)| (term, words(known))).collect()
}

/// The languages of which no cell has all of the needed predictors, with those that they lack: `xho (log_volume), tlh (latin)`.
pub(super) fn absent(cells: &[Cell<'_>], needed: &[usize]) -> Option<String> {
    let mut lacking: BTreeMap<&str, Option<BTreeSet<usize>>> = BTreeMap::new();
    for cell in cells {
        let lacks: BTreeSet<usize> =
            needed.iter().copied().filter(|at| cell.values[*at].is_none()).collect();
        let known = lacking.entry(&cell.row.language).or_insert_with(|| Some(lacks.clone()));
        match (&mut *known, lacks.is_empty()) {
            (Some(known), false) => known.extend(lacks),
            _ => *known = None,
        }
    }
    let words = |(language, lacks): (&str, BTreeSet<usize>)| {
        let terms: Vec<&str> = lacks.into_iter().map(|at| Term::KNOWN[at].name()).collect();
        format!("{language} ({})", terms.join(", "))
    };
    let absent: Vec<String> = lacking
        .into_iter()
        .filter_map(|(language, lacks)| Some(words((language, lacks?))))
        .collect();
    (!absent.is_empty()).then(|| absent.join(", "))
}

/// The columns of the model: z scores, their product, and Latin as it is; and why others are left out.
pub(super) fn columns(
    cells: &[Cell<'_>],
    left_out: &BTreeMap<Term, String>,
) -> (BTreeMap<Term, Vec<f64>>, BTreeMap<Term, String>) {
    let (mut columns, mut constant) = (BTreeMap::new(), BTreeMap::new());
    for (at, term) in Term::KNOWN.into_iter().enumerate() {
        if left_out.contains_key(&term) {
            continue;
        }
        let values: Vec<f64> = cells.iter().filter_map(|cell| cell.values[at]).collect();
        match z_scores(&values) {
            Some(_) if term == Term::Latin => columns.insert(term, values).is_some(),
            Some(scores) => columns.insert(term, scores).is_some(),
            None => constant.insert(term, format!("not in the model: {CONSTANT}")).is_some(),
        };
    }
    match columns.get(&Term::Kurtosis).zip(columns.get(&Term::Share)) {
        Some((kurtosis, share)) => {
            let product = kurtosis.iter().zip(share).map(|(a, b)| a * b).collect();
            columns.insert(Term::KurtosisByShare, product);
        }
        None => {
            constant.insert(Term::KurtosisByShare, FACTOR.to_owned());
        }
    }
    (columns, constant)
}

/// The cells of each language, and of each layer.
pub(super) fn clusters(cells: &[Cell<'_>]) -> [Clusters; 2] {
    let language = |cell: &Cell<'_>| cell.row.language.clone();
    let layer = |cell: &Cell<'_>| format!("{:?} {:?}", cell.row.stack, cell.row.layer);
    let labelled = |labels: Vec<String>| Clusters::labelled(&labels);
    [cells.iter().map(language).collect(), cells.iter().map(layer).collect()].map(labelled)
}
