//! The predictors that are made of activations: weighted means over layers, Σ aᵢfᵢ / Σ aᵢ. Not those of the tokenizer (`languages`).

use std::collections::BTreeMap;

use babelquant_proto::Layer;
use babelquant_proto::rows::Point;

use super::activations::{LanguageActivations, LayerActivations};
use super::groups::Groups;
use crate::statistics::{Estimate, Interval, ratio};
use crate::study::{Analysis, Predictor};

/// κ by layer; `None` where a layer's is undefined.
pub(super) type Kurtosis = BTreeMap<Layer, Option<f64>>;

/// The point whose activation a predictor weighs by, and what is weighed; `None` for the tokenizer's predictors.
pub(super) fn recipe(predictor: Predictor) -> Option<(Point, Factor)> {
    match predictor {
        Predictor::WeightedKurtosisBlockOut => Some((Point::BlockOut, Factor::Kurtosis)),
        Predictor::WeightedKurtosisMlpOut => Some((Point::MlpOut, Factor::Kurtosis)),
        Predictor::WeightedLogKurtosisBlockOut => Some((Point::BlockOut, Factor::LogKurtosis)),
        Predictor::WeightedLogKurtosisMlpOut => Some((Point::MlpOut, Factor::LogKurtosis)),
        Predictor::OutlierShareBlockOut => Some((Point::BlockOut, Factor::MostKurtotic)),
        Predictor::OutlierShareMlpOut => Some((Point::MlpOut, Factor::MostKurtotic)),
        Predictor::EarlyShareBlockOut => Some((Point::BlockOut, Factor::Early)),
        Predictor::EarlyShareMlpOut => Some((Point::MlpOut, Factor::Early)),
        Predictor::Fertility | Predictor::BytesPerToken => None,
    }
}

/// fᵢ: what a layer contributes to a weighted mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factor {
    /// κᵢ.
    Kurtosis,
    /// ln(κᵢ + 3), which a few huge κ do not rule.
    LogKurtosis,
    /// 1 in the k layers of highest κ (of equal ones the earlier), else 0.
    MostKurtotic,
    /// 1 in the first third of its stack, i < n/3, else 0.
    Early,
}

impl Factor {
    /// fᵢ for these layers; the error says why there is none.
    fn of(self, layers: &[Layer], kurtosis: &Kurtosis, most: u32) -> Result<Vec<f64>, String> {
        let known = |layer: &Layer| {
            let found = kurtosis.get(layer).copied().flatten();
            found.ok_or_else(|| format!("no weight kurtosis of layer {layer}"))
        };
        let kurtosis = || layers.iter().map(known).collect::<Result<Vec<f64>, String>>();
        match self {
            Self::Kurtosis => kurtosis(),
            Self::LogKurtosis => {
                Ok(kurtosis()?.into_iter().map(|kurtosis| (kurtosis + 3.0).ln()).collect())
            }
            Self::MostKurtotic => Ok(indicator_of_largest(&kurtosis()?, most as usize)),
            Self::Early => Ok(layers.iter().map(|&layer| early(layer, layers)).collect()),
        }
    }
}

fn indicator_of_largest(values: &[f64], count: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut indicator = vec![0.0; values.len()];
    order.into_iter().take(count).for_each(|index| indicator[index] = 1.0);
    indicator
}

fn early(layer: Layer, layers: &[Layer]) -> f64 {
    let depth = layers.iter().filter(|other| other.stack == layer.stack).count();
    f64::from(u8::from(3 * (layer.index as usize) < depth))
}

/// The activations of a language at one point: a for all documents, and for each draw of their groups.
#[derive(Debug)]
pub(super) struct Profile {
    layers: Vec<Layer>,
    /// aᵢ; `None` where a layer has no values.
    mean_abs: Option<Vec<f64>>,
    /// aᵢ by draw.
    draws: Vec<Option<Vec<f64>>>,
}

impl Profile {
    /// The profile at `point`, resampled with `groups`.
    pub(super) fn new(
        activations: &LanguageActivations,
        point: Point,
        groups: &Groups,
        analysis: &Analysis,
    ) -> Self {
        let at = activations.points.get(&point).into_iter().flatten();
        let (layers, at): (Vec<Layer>, Vec<&LayerActivations>) =
            at.map(|(layer, at)| (*layer, at)).unzip();
        let columns: Vec<Vec<f64>> = at.iter().flat_map(|at| columns(at, groups)).collect();
        let totals = groups.resampling(analysis).totals(&columns);
        let (totals, _) = totals.as_chunks::<2>();
        let count = totals.first().map_or(0, |[sums, _]| sums.len());
        let mean = |draw: usize| {
            totals.iter().map(|[sums, values]| ratio(sums[draw], values[draw])).collect()
        };
        let mean_abs = at.iter().map(|at| at.pooled().sums.mean_abs()).collect();
        Self { layers, mean_abs, draws: (0..count).map(mean).collect() }
    }

    /// Σ aᵢfᵢ / Σ aᵢ with its interval; the error says why it is undefined.
    pub(super) fn weighted_mean(
        &self,
        factor: Factor,
        kurtosis: &Kurtosis,
        analysis: &Analysis,
    ) -> Result<Estimate, String> {
        let factors = factor.of(&self.layers, kurtosis, analysis.outlier_layers)?;
        let of = |weights: &Option<Vec<f64>>| weighted_mean(weights.as_ref()?, &factors);
        let value = of(&self.mean_abs).ok_or("mean |x| is undefined in a layer or 0 in all")?;
        let interval = Interval::percentile(self.draws.iter().map(of), analysis.confidence);
        Ok(Estimate { value: Some(value), interval })
    }
}

/// Σ|x| and values of a layer by group.
fn columns(at: &LayerActivations, groups: &Groups) -> [Vec<f64>; 2] {
    let documents =
        || at.documents.iter().filter_map(|(&document, sums)| Some((groups.of(document)?, sums)));
    [
        groups.column(documents().map(|(group, sums)| (group, sums.sum_abs))),
        groups.column(documents().map(|(group, sums)| (group, sums.values))),
    ]
}

fn weighted_mean(weights: &[f64], factors: &[f64]) -> Option<f64> {
    let sum: f64 = weights.iter().zip(factors).map(|(weight, factor)| weight * factor).sum();
    ratio(sum, weights.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(depth: u32) -> Vec<Layer> {
        (0..depth).map(Layer::dec).collect()
    }

    #[test]
    fn factors_of_layers() {
        let layers = layers(4);
        let kurtosis: Kurtosis =
            layers.iter().copied().zip([1.0, 9.0, 2.0, 9.0].map(Some)).collect();
        let check = |factor: Factor, most, expected: [f64; 4]| {
            assert_eq!(factor.of(&layers, &kurtosis, most).unwrap(), expected, "{factor:?}");
        };
        check(Factor::Kurtosis, 0, [1.0, 9.0, 2.0, 9.0]);
        check(Factor::LogKurtosis, 0, [4.0, 12.0, 5.0, 12.0].map(f64::ln));
        check(Factor::MostKurtotic, 1, [0.0, 1.0, 0.0, 0.0]);
        check(Factor::MostKurtotic, 3, [0.0, 1.0, 1.0, 1.0]);
        check(Factor::MostKurtotic, 9, [1.0; 4]);
        check(Factor::Early, 0, [1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_layer_without_kurtosis_is_named() {
        let kurtosis = Kurtosis::from([(Layer::dec(0), Some(1.0)), (Layer::dec(1), None)]);
        let reason = Factor::Kurtosis.of(&layers(2), &kurtosis, 1).unwrap_err();
        assert_eq!(reason, "no weight kurtosis of layer 1");
        assert!(Factor::Early.of(&layers(2), &Kurtosis::new(), 1).is_ok());
    }

    /// The earlier study's first third of 24 layers ends before layer 8.
    #[test]
    fn the_first_third() {
        let sum = |depth| {
            Factor::Early.of(&layers(depth), &Kurtosis::new(), 0).unwrap().iter().sum::<f64>()
        };
        assert_eq!([24, 6, 4, 1].map(sum), [8.0, 2.0, 2.0, 1.0]);
    }
}
