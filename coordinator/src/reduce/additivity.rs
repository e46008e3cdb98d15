//! Cells → the table `additivity`: the sum of what single layers do beside what all of them do together. What each does by itself
//! stands in `sensitivity`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Layer, LayerSet, Layers, Stack};

use super::documents::{Cell, LanguageScores};
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::tables::AdditivityRow;
use crate::statistics::{Estimate, Resampling, estimate, ratio};
use crate::study::Analysis;

/// Columns of a row that are resampled.
const COLUMNS: usize = 4;

/// The table. The config `none` is left out: all its effects are 0.
pub(super) fn rows(
    languages: &ByLanguage<LanguageScores>,
    analysis: &Analysis,
) -> Vec<AdditivityRow> {
    let mut rows = Vec::new();
    for ((model, language), scores) in languages {
        let resampling = scores.groups.resampling(analysis);
        let of = Language { model, language, scores, analysis, resampling };
        rows.extend(sums(scores).iter().map(|sum| of.row(sum)));
    }
    rows
}

/// The cells of one (components, config): all layers, and each alone.
#[derive(Debug)]
struct Sum<'a> {
    all: &'a Cell,
    layers: BTreeMap<Layer, &'a Cell>,
}

/// What the rows of one (model, language) share.
#[derive(Debug)]
struct Language<'a> {
    model: &'a str,
    language: &'a str,
    scores: &'a LanguageScores,
    analysis: &'a Analysis,
    resampling: Arc<Resampling>,
}

/// The cells that are summed, in the order of the cells at `all`.
fn sums(scores: &LanguageScores) -> Vec<Sum<'_>> {
    let key = |cell: &Cell| (cell.components.clone(), cell.config.text.clone());
    let mut single: BTreeMap<_, BTreeMap<Layer, &Cell>> = BTreeMap::new();
    for cell in &scores.cells {
        if let Some(layer) = cell.scope.value.as_ref().and_then(Layers::single) {
            single.entry(key(cell)).or_default().insert(layer, cell);
        }
    }
    let all = scores.cells.iter().filter(|cell| cell.scope.value == Some(Layers::All));
    let quantizes = all.filter(|cell| cell.config.value != Some(QuantConfig::None));
    quantizes.filter_map(|all| Some(Sum { all, layers: single.remove(&key(all))? })).collect()
}

impl Sum<'_> {
    /// The layers whose effects make up the sum: those of `all` that have one of the components.
    fn wanted(&self) -> BTreeSet<Layer> {
        let cross = self.components().is_some_and(|components| components.is_cross_alone());
        let layers = self.all.layers.iter().flatten().copied();
        layers.filter(|layer| !cross || layer.stack == Stack::Dec).collect()
    }

    fn components(&self) -> Option<Components> {
        self.all.components.parse().ok()
    }

    /// Why there is no sum.
    fn obstacles(&self) -> Reasons {
        let mut reasons = Reasons::default();
        let cells = || self.layers.values().chain([&self.all]);
        cells().filter_map(|cell| cell.layers.as_ref().err()).for_each(|&r| reasons.add(r));
        let outside = self.components().is_some_and(|all| !all.outside_layers().is_empty());
        reasons.add_where(outside, || {
            "scope all also holds what stands outside the layers, only(layer) does not".to_owned()
        });
        let has = |layer: &Layer| self.layers.contains_key(layer);
        let missing: BTreeSet<Layer> = self.wanted().into_iter().filter(|l| !has(l)).collect();
        let spelled = LayerSet::from(missing.clone());
        reasons.add_where(!missing.is_empty(), || format!("not measured alone: layers {spelled}"));
        LanguageScores::add_obstacles(cells().copied(), &mut reasons);
        reasons
    }
}

impl Language<'_> {
    fn row(&self, sum: &Sum<'_>) -> AdditivityRow {
        let mut reasons = sum.obstacles();
        let size = self.scores.size(sum.all);
        reasons.add_where(size.tokens == 0, || "no scored token".to_owned());
        let estimates = match reasons.is_empty() {
            true => self.estimates(sum, size.tokens as f64),
            false => [Estimate::default(); 3],
        };
        if let Some(obstacle) = self.scores.groups.obstacle(self.analysis) {
            reasons.add(obstacle);
        }
        let [single, all, difference] = estimates;
        AdditivityRow {
            model: self.model.to_owned(),
            language: self.language.to_owned(),
            components: sum.all.components.clone(),
            config: sum.all.config.text.clone(),
            layers: sum.wanted().len() as u64,
            tokens: size.tokens,
            sum_delta_nll: single.value,
            sum_delta_nll_low: single.low(),
            sum_delta_nll_high: single.high(),
            all_delta_nll: all.value,
            all_delta_nll_low: all.low(),
            all_delta_nll_high: all.high(),
            difference: difference.value,
            difference_low: difference.low(),
            difference_high: difference.high(),
            reason: reasons.column(),
        }
    }

    /// Σ over layers of ΔNLL at `only(layer)`, ΔNLL at `all`, and their difference; asked for where every one is defined. Sums run layer by
    /// layer, each over its documents in order.
    fn estimates(&self, sum: &Sum<'_>, tokens: f64) -> [Estimate; 3] {
        let groups = self.scores.groups.count();
        let mut columns = vec![vec![0.0; groups]; COLUMNS];
        let mut single = 0.0;
        for cell in sum.layers.values() {
            single += self.scores.delta_sum(cell);
            let column = self.scores.deltas(cell);
            columns[0].iter_mut().zip(column).for_each(|(sum, value)| *sum += value);
        }
        let all = self.scores.delta_sum(sum.all);
        columns[1] = self.scores.deltas(sum.all);
        let differences = columns[0].iter().zip(&columns[1]).map(|(single, all)| single - all);
        columns[2] = differences.collect();
        columns[3] = self.scores.tokens(sum.all);
        let draws = self.resampling.totals(&columns);
        let of = |value: f64, column: usize| {
            estimate(ratio(value, tokens), (&draws[column], &draws[3]), self.analysis.confidence)
        };
        [of(single, 0), of(all, 1), of(single - all, 2)]
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::{DocumentRow, Row};

    use super::super::example::{Rows, document_row};
    use super::AdditivityRow;
    use crate::study::Analysis;

    const SCOPES: [&str; 4] = ["all", "only(0)", "only(2)", "only(10)"];

    fn few_draws() -> Analysis {
        Analysis { bootstrap_draws: 60, ..Analysis::default() }
    }

    fn documents(components: &str) -> Vec<DocumentRow> {
        let row = |scope: &str, document| DocumentRow {
            components: components.to_owned(),
            ..document_row("eng", document, (scope, "int4-channel"))
        };
        let of = |scope| (0..6).map(move |document| row(scope, document));
        SCOPES.into_iter().flat_map(of).collect()
    }

    fn rows(documents: Vec<DocumentRow>) -> Vec<AdditivityRow> {
        let rows = Rows { documents, ..Rows::new(&[]) };
        rows.reduce(few_draws()).additivity
    }

    fn delta(rows: &[DocumentRow], scope: &str) -> f64 {
        let rows: Vec<_> = rows.iter().filter(|row| row.scope == scope).collect();
        let tokens: u64 = rows.iter().map(|row| row.tokens).sum();
        let delta = |row: &&&DocumentRow| row.nll_sum.unwrap() - row.base_nll_sum;
        rows.iter().map(|row| delta(&row)).sum::<f64>() / tokens as f64
    }

    #[test]
    fn the_sum_over_layers_by_hand() {
        let documents = documents("mlp");
        let found = rows(documents.clone());
        assert_eq!(
            AdditivityRow::from_batch(&AdditivityRow::to_batch(&found).unwrap()).unwrap(),
            found
        );
        let [row] = &found[..] else { panic!("one row") };
        let sum: f64 = SCOPES[1..].iter().map(|scope| delta(&documents, scope)).sum();
        let all = delta(&documents, "all");
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-14, "{found:?} {expected}");
        };
        close(row.sum_delta_nll, sum);
        close(row.all_delta_nll, all);
        close(row.difference, sum - all);
        assert!(row.difference_low < row.difference && row.difference < row.difference_high);
        assert_eq!((row.layers, row.reason.as_deref()), (3, None));
    }

    /// Where the layers add up exactly in every document, the difference is 0 in every draw, however wide its parts are.
    #[test]
    fn the_interval_is_paired() {
        let mut documents = documents("mlp");
        let deltas: Vec<f64> = (0..6)
            .map(|document| {
                let of = documents.iter().filter(|r| r.document == document && r.scope != "all");
                of.map(|row| row.nll_sum.unwrap() - row.base_nll_sum).sum()
            })
            .collect();
        for row in documents.iter_mut().filter(|row| row.scope == "all") {
            row.nll_sum = Some(row.base_nll_sum + deltas[row.document as usize]);
        }
        let row = rows(documents).remove(0);
        for end in [row.difference, row.difference_low, row.difference_high] {
            assert!(end.unwrap().abs() < 1e-14, "{end:?}");
        }
        assert!(row.sum_delta_nll_high.unwrap() - row.sum_delta_nll_low.unwrap() > 1e-4);
    }

    #[test]
    fn what_cannot_be_summed_says_why() {
        let check = |change: fn(&mut Vec<DocumentRow>), components: &str, part: &str| {
            let mut documents = documents(components);
            change(&mut documents);
            let row = rows(documents).remove(0);
            assert_eq!((row.sum_delta_nll, row.difference), (None, None));
            assert!(row.reason.as_deref().unwrap().contains(part), "{row:?}");
        };
        check(|rows| rows.retain(|row| row.scope != "only(2)"), "mlp", "measured alone: layers 2");
        check(|rows| drop(rows.remove(3)), "mlp", "not over the same documents");
        check(|rows| rows[9].nll_sum = None, "mlp", "NLL of 1 cells");
        check(|_| {}, "embedding+mlp", "outside the layers");
        let mut alone = documents("mlp");
        alone.retain(|row| row.scope != "all");
        assert!(rows(alone).is_empty());
        let mut all = documents("mlp");
        all.retain(|row| row.scope == "all");
        assert!(rows(all).is_empty());
    }
}
