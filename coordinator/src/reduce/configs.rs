//! Cells at scope `all` beside `quantization` → the table `configs`: bits against the mean and the worst language's ΔNLL, and which
//! configs no other one beats.

use std::collections::BTreeMap;

use babelquant_proto::Components;
use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::WeightRow;

use super::documents::{Cell, LanguageScores};
use super::losses::{self, Losses};
use super::names::ByLanguage;
use super::quantized::Quantized;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::ConfigRow;
use crate::statistics::ratio;
use crate::study::Analysis;

/// Bits of a weight that is not quantized.
const STORED_BITS: f64 = 16.0;

/// How many weights each model has.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, u64>);

impl Parameters {
    /// Counts the row if it is a tensor.
    pub(super) fn push(&mut self, row: &WeightRow) {
        if row.kind == "tensor" {
            *self.0.entry(row.model.clone()).or_default() += row.count + row.nonfinite;
        }
    }
}

/// What the table is made of.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// Scores.
    pub(super) scores: &'a ByLanguage<LanguageScores>,
    /// Matrices.
    pub(super) quantized: &'a Quantized,
    /// Parameters.
    pub(super) parameters: &'a Parameters,
    /// Draws and confidence.
    pub(super) analysis: &'a Analysis,
}

/// A config of a model: its components and itself.
type Key<'a> = (&'a str, &'a str, &'a Spelled<QuantConfig>);

/// The table: the configs of each model and components that quantize every layer.
pub(super) fn rows(sources: &Sources<'_>) -> Vec<ConfigRow> {
    let losses = sources.losses();
    let mut rows: Vec<ConfigRow> =
        losses.iter().map(|(key, losses)| sources.row(*key, losses)).collect();
    for rows in rows.chunk_by_mut(|a, b| (&a.model, &a.components) == (&b.model, &b.components)) {
        let points = |loss: fn(&ConfigRow) -> Option<f64>| -> Vec<_> {
            rows.iter().map(|row| row.model_bits_per_weight.zip(loss(row))).collect()
        };
        let mean = front(&points(|row| row.mean_delta_nll));
        let worst = front(&points(|row| row.worst_delta_nll));
        for (row, (mean, worst)) in rows.iter_mut().zip(mean.into_iter().zip(worst)) {
            (row.on_mean_front, row.on_worst_front) = (mean, worst);
        }
    }
    rows
}

/// Which (bits, loss) no other one beats: with at most as many bits and at most as much loss, one of them less. What lacks one of them
/// neither beats nor stands on the front.
fn front(points: &[Option<(f64, f64)>]) -> Vec<bool> {
    let beaten = |(bits, loss): (f64, f64)| {
        let no_worse = points.iter().flatten().filter(|other| other.0 <= bits && other.1 <= loss);
        no_worse.into_iter().any(|other| other.0 < bits || other.1 < loss)
    };
    points.iter().map(|point| point.is_some_and(|point| !beaten(point))).collect()
}

impl<'a> Sources<'a> {
    fn losses(&self) -> BTreeMap<Key<'a>, Losses<'a>> {
        let key = |model: &'a str, cell: &'a Cell| {
            cell.quantizes_all().then_some((model, cell.components.as_str(), &cell.config))
        };
        losses::by(self.scores, self.analysis, key)
    }

    fn row(&self, (model, components, config): Key<'a>, losses: &Losses<'a>) -> ConfigRow {
        let mut reasons = Reasons::default();
        let mut cost = None;
        match (losses.unsupported, components.parse::<Components>(), &config.value) {
            (Some(reason), _, _) => reasons.add(reason),
            (None, Ok(components), Some(config)) => {
                match self.quantized.cost(model, &components, config) {
                    Ok(found) => cost = Some(found),
                    Err(reason) => reasons.add(reason),
                }
            }
            (None, _, _) => reasons.add("components or config of another version"),
        }
        let parameters = self.parameters.0.get(model).map(|&count| count as f64);
        let model_bits = cost.zip(parameters).and_then(|(cost, all)| {
            ratio(cost.bits? + STORED_BITS * (all - cost.weights + cost.kept), all)
        });
        let mean = losses.mean(self.analysis);
        let worst = losses.worst();
        if losses.unsupported.is_none() {
            reasons.add_where(parameters.is_none(), || "no weights counted".to_owned());
            reasons
                .add_where(mean.value.is_none(), || "ΔNLL of a language is undefined".to_owned());
            losses.obstacle.into_iter().for_each(|obstacle| reasons.add(obstacle));
        }
        ConfigRow {
            model: model.to_owned(),
            components: components.to_owned(),
            config: config.text.clone(),
            weights: cost.map_or(0, |cost| cost.weights.round() as u64),
            bits_per_weight: cost.and_then(|cost| cost.bits_per_weight()),
            model_bits_per_weight: model_bits,
            sqnr_db: cost.and_then(|cost| cost.sqnr_db()),
            languages: losses.languages.len() as u64,
            mean_delta_nll: mean.value,
            mean_delta_nll_low: mean.low(),
            mean_delta_nll_high: mean.high(),
            worst_delta_nll: worst.and_then(|(_, loss)| loss.value),
            worst_delta_nll_low: worst.and_then(|(_, loss)| loss.low()),
            worst_delta_nll_high: worst.and_then(|(_, loss)| loss.high()),
            worst_language: worst.map(|(language, _)| language.to_owned()),
            on_mean_front: false,
            on_worst_front: false,
            reason: reasons.column(),
        }
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::Row;

    use super::super::example::{LANGUAGES, Rows};
    use super::*;

    #[test]
    fn the_front_is_what_no_other_config_beats() {
        let points = [
            Some((4.0, 0.2)),
            Some((4.0, 0.1)),
            Some((3.0, 0.5)),
            Some((3.5, 0.5)),
            Some((8.0, 0.1)),
            Some((2.0, 9.0)),
            None,
            Some((2.0, 9.0)),
            Some((16.0, -0.1)),
        ];
        let expected = [false, true, true, false, false, true, false, true, true];
        assert_eq!(front(&points), expected);
        assert_eq!(front(&[]), [false; 0]);
    }

    #[test]
    fn a_config_by_hand() {
        let analysis = || Analysis { bootstrap_draws: 50, ..Analysis::default() };
        let summary = Rows::new(&LANGUAGES[..4]).with_unsupported().reduce(analysis());
        let batch = ConfigRow::to_batch(&summary.configs).unwrap();
        assert_eq!(ConfigRow::from_batch(&batch).unwrap(), summary.configs);
        let configs: Vec<&str> = summary.configs.iter().map(|row| row.config.as_str()).collect();
        assert_eq!(configs, ["int3-tensor", "int4-channel", "candle-q4k"]);
        let row = &summary.configs[1];
        // Of 3 layers × 100 weights at 4.5 bits and of 60 others.
        assert_eq!((row.weights, row.bits_per_weight), (300, Some(4.5)));
        assert_eq!(row.model_bits_per_weight, Some((300.0 * 4.5 + 60.0 * 16.0) / 360.0));
        assert!((row.sqnr_db.unwrap() - 20.0).abs() < 1e-9);
        let cells = summary.sensitivity.iter().filter(|cell| cell.scope == "all");
        let cells: Vec<_> = cells.filter(|cell| cell.config == row.config).collect();
        let losses: Vec<f64> = cells.iter().map(|cell| cell.delta_nll.unwrap()).collect();
        let mean = losses.iter().sum::<f64>() / 4.0;
        assert!((row.mean_delta_nll.unwrap() - mean).abs() < 1e-15);
        let worst = cells.iter().max_by(|a, b| a.delta_nll.partial_cmp(&b.delta_nll).unwrap());
        let worst = worst.unwrap();
        assert_eq!(row.worst_language.as_ref(), Some(&worst.language));
        let interval = (row.worst_delta_nll, row.worst_delta_nll_low, row.worst_delta_nll_high);
        assert_eq!(interval, (worst.delta_nll, worst.delta_nll_low, worst.delta_nll_high));
        assert!(row.mean_delta_nll_low < row.mean_delta_nll && row.reason.is_none());
        let width = |low: Option<f64>, high: Option<f64>| high.unwrap() - low.unwrap();
        let each = cells.iter().map(|cell| width(cell.delta_nll_low, cell.delta_nll_high));
        assert!(width(row.mean_delta_nll_low, row.mean_delta_nll_high) < each.fold(0.0, f64::max));
        let unfit = &summary.configs[2];
        assert!(unfit.unsupported().is_some() && unfit.bits_per_weight.is_none());
        assert!(!unfit.on_mean_front && !unfit.on_worst_front && unfit.worst_language.is_none());
    }

    #[test]
    fn what_is_missing_is_named() {
        let analysis = || Analysis { bootstrap_draws: 20, ..Analysis::default() };
        let check = |change: fn(&mut Rows), reason: &str| {
            let mut rows = Rows::new(&LANGUAGES[..3]);
            change(&mut rows);
            let row = rows.reduce(analysis()).configs.remove(1);
            assert_eq!(row.reason.as_deref(), Some(reason));
            row
        };
        let row = check(|rows| rows.quantization.clear(), "no measure of a quantized matrix");
        assert!(row.mean_delta_nll.is_some() && !row.on_mean_front);
        let without = |rows: &mut Rows| drop(rows.quantization.remove(0));
        check(without, "no measure of mlp.up under int4-channel");
        let row = check(|rows| rows.weights.clear(), "no weights counted");
        assert!(row.bits_per_weight.is_some() && row.model_bits_per_weight.is_none());
        let infinite = |rows: &mut Rows| {
            let cell = rows.documents.iter_mut().find(|row| row.config == "int4-channel");
            cell.unwrap().nll_sum = None;
        };
        let row = check(infinite, "ΔNLL of a language is undefined");
        assert!(row.mean_delta_nll.is_none() && row.worst_delta_nll.is_none());
    }
}
