//! Cells at `only(layer)` → the table `trends`: how the damage of single layers changes from the first to the last in each language. What
//! each layer does by itself stands in `sensitivity`, how languages differ in this in `leanings`.

use std::collections::BTreeMap;
use std::sync::Arc;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Layers, Stack};

use super::contrasts::Drawn;
use super::documents::{Cell, LanguageScores};
use super::leanings::Leaning;
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::TrendRow;
use crate::statistics::{Resampling, rank_trend, ratio, thirds};
use crate::study::Analysis;

/// The table, and beside each row the numbers behind its intervals. Configs that change nothing are left out.
pub(super) fn rows<'a>(
    languages: &'a ByLanguage<LanguageScores>,
    analysis: &Analysis,
) -> (Vec<TrendRow>, Vec<Leaning<'a>>) {
    let (mut rows, mut leanings) = (Vec::new(), Vec::new());
    for ((model, language), scores) in languages {
        let resampling = scores.groups.resampling(analysis);
        let of = Language { model, language, scores, analysis, resampling };
        for (key, layers) in profiles(scores) {
            let (row, trend) = of.row(key, &layers);
            let (components, config, stack) = key;
            leanings.push(Leaning {
                key: (model, components, config, stack),
                language,
                rho: trend.rho,
                difference: trend.difference,
                reason: row.reason.clone(),
            });
            rows.push(row);
        }
    }
    (rows, leanings)
}

/// Components, config and stack.
type Key<'a> = (&'a str, &'a Spelled<QuantConfig>, Stack);

/// The layers of a stack in their order, each quantized alone.
type Profile<'a> = BTreeMap<u32, &'a Cell>;

fn profiles(scores: &LanguageScores) -> BTreeMap<Key<'_>, Profile<'_>> {
    let mut profiles: BTreeMap<Key<'_>, Profile<'_>> = BTreeMap::new();
    for cell in scores.cells.iter().filter(|cell| !cell.is_identity()) {
        if let Some(layer) = cell.scope.value.as_ref().and_then(Layers::single) {
            let key = (cell.components.as_str(), &cell.config, layer.stack);
            profiles.entry(key).or_default().insert(layer.index, cell);
        }
    }
    profiles
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

/// What is said of a profile.
#[derive(Debug, Default)]
struct Trend {
    rho: Drawn,
    thirds: Option<[f64; 2]>,
    difference: Drawn,
}

impl Language<'_> {
    fn row(&self, (components, config, stack): Key<'_>, layers: &Profile<'_>) -> (TrendRow, Trend) {
        let mut reasons = self.obstacles(layers);
        let trend = match reasons.is_empty() {
            true => self.trend(layers),
            false => Trend::default(),
        };
        let constant = reasons.is_empty() && trend.rho.value.is_none();
        reasons.add_where(constant, || "every layer has the same ΔNLL".to_owned());
        self.scores.groups.obstacle(self.analysis).into_iter().for_each(|why| reasons.add(why));
        let confidence = self.analysis.confidence;
        let (rho, difference) =
            (trend.rho.estimate(confidence), trend.difference.estimate(confidence));
        let row = TrendRow {
            model: self.model.to_owned(),
            language: self.language.to_owned(),
            components: components.to_owned(),
            config: config.text.clone(),
            stack: stack.name().to_owned(),
            layers: layers.len() as u64,
            spearman_rho: rho.value,
            spearman_rho_low: rho.low(),
            spearman_rho_high: rho.high(),
            first_third: trend.thirds.map(|[first, _]| first),
            last_third: trend.thirds.map(|[_, last]| last),
            thirds_difference: difference.value,
            thirds_difference_low: difference.low(),
            thirds_difference_high: difference.high(),
            reason: reasons.column(),
        };
        (row, trend)
    }

    /// Why nothing can be said.
    fn obstacles(&self, layers: &Profile<'_>) -> Reasons {
        let mut reasons = Reasons::default();
        let cells = || layers.values().copied();
        cells().filter_map(|cell| cell.unsupported.as_deref()).for_each(|why| reasons.add(why));
        cells().filter_map(|cell| cell.layers.as_ref().err()).for_each(|&why| reasons.add(why));
        reasons
            .add_where(layers.len() < 3, || "fewer than 3 layers were quantized alone".to_owned());
        LanguageScores::add_obstacles(cells(), &mut reasons);
        let empty = cells().any(|cell| self.scores.size(cell).tokens == 0);
        reasons.add_where(empty, || "no scored token".to_owned());
        reasons
    }

    /// The trend of ΔNLL over the layers, and of each draw.
    fn trend(&self, layers: &Profile<'_>) -> Trend {
        let values = layers.values().map(|cell| self.scores.delta_nll(cell));
        let Some(values) = values.collect::<Option<Vec<f64>>>() else { return Trend::default() };
        let mut columns: Vec<Vec<f64>> =
            layers.values().map(|cell| self.scores.deltas(cell)).collect();
        columns.extend(layers.values().next().map(|cell| self.scores.tokens(cell)));
        let drawn = self.resampling.totals(&columns);
        let draws = drawn.first().map_or(0, Vec::len);
        let profile = |draw: usize| -> Option<Vec<f64>> {
            let (tokens, deltas) = drawn.split_last()?;
            deltas.iter().map(|deltas| ratio(deltas[draw], tokens[draw])).collect()
        };
        let of = |statistic: fn(&[f64]) -> Option<f64>| Drawn {
            value: statistic(&values),
            draws: (0..draws).map(|draw| statistic(&profile(draw)?)).collect(),
        };
        Trend { rho: of(rank_trend), thirds: thirds(&values), difference: of(difference) }
    }
}

/// The last third's mean less the first's.
fn difference(values: &[f64]) -> Option<f64> {
    thirds(values).map(|[first, last]| last - first)
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::{DocumentRow, Row};

    use super::super::example::{Rows, document_row};
    use super::*;

    /// Documents of three layers whose ΔNLL is this, in nat per token, in every document.
    fn documents(deltas: [f64; 3]) -> Vec<DocumentRow> {
        let layers = ["only(0)", "only(2)", "only(10)"].into_iter().zip(deltas);
        let row = |scope: &str, delta: f64, document| {
            let mut row = document_row("eng", document, (scope, "int4-channel"));
            let wobble = 0.001 * f64::from(document % 3);
            row.nll_sum = Some(row.base_nll_sum + (delta + wobble) * row.tokens as f64);
            row
        };
        layers.flat_map(|(scope, delta)| (0..8).map(move |n| row(scope, delta, n))).collect()
    }

    fn rows(documents: Vec<DocumentRow>) -> Vec<TrendRow> {
        let analysis = Analysis { bootstrap_draws: 60, ..Analysis::default() };
        let rows = Rows { documents, ..Rows::new(&[]) }.reduce(analysis).trends;
        assert_eq!(TrendRow::from_batch(&TrendRow::to_batch(&rows).unwrap()).unwrap(), rows);
        rows
    }

    /// Layer 10 comes after layer 2; what all layers share in a document takes nothing from the certainty of their difference.
    #[test]
    fn a_profile_by_hand() {
        let found = rows(documents([0.01, 0.02, 0.07]));
        let [row] = &found[..] else { panic!("one row") };
        assert_eq!((row.layers, row.stack.as_str(), row.reason.as_deref()), (3, "dec", None));
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
        };
        close(row.spearman_rho, 1.0);
        close(row.spearman_rho_low, 1.0);
        for end in [row.thirds_difference, row.thirds_difference_low, row.thirds_difference_high] {
            close(end, 0.06);
        }
        let difference = row.last_third.unwrap() - row.first_third.unwrap();
        assert_eq!(row.thirds_difference, Some(difference));
        let falling = rows(documents([0.07, 0.02, -0.01]));
        close(falling[0].spearman_rho, -1.0);
    }

    #[test]
    fn what_has_no_trend_says_why() {
        let check = |change: fn(&mut Vec<DocumentRow>), part: &str| {
            let mut documents = documents([0.01, 0.02, 0.07]);
            change(&mut documents);
            let row = rows(documents).remove(0);
            assert_eq!((row.spearman_rho, row.thirds_difference), (None, None));
            assert!(row.reason.as_deref().unwrap().contains(part), "{row:?}");
        };
        check(|rows| rows.retain(|row| row.scope != "only(2)"), "fewer than 3 layers");
        check(|rows| drop(rows.remove(3)), "not over the same documents");
        check(|rows| rows[9].nll_sum = None, "NLL of 1 cells");
    }
}
