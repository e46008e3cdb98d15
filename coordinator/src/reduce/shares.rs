//! Activations by layer → the table `activation_shares`. Not the predictors made of the same numbers (`predictors`).

use std::collections::BTreeMap;

use babelquant_proto::Layer;
use babelquant_proto::rows::Point;

use super::activations::{LanguageActivations, LayerActivations, Pooled};
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::tables::ShareRow;
use crate::statistics::ratio;

/// The table.
pub(super) fn rows(languages: &ByLanguage<LanguageActivations>) -> Vec<ShareRow> {
    let mut rows = Vec::new();
    for ((model, language), activations) in languages {
        for (&point, layers) in &activations.points {
            let key = Key { model, language, point };
            rows.extend(key.rows(layers));
        }
    }
    rows
}

/// What the rows of one share table have in common.
#[derive(Debug)]
struct Key<'a> {
    model: &'a str,
    language: &'a str,
    point: Point,
}

impl Key<'_> {
    fn rows(&self, layers: &BTreeMap<Layer, LayerActivations>) -> Vec<ShareRow> {
        let pooled: Vec<(Layer, Pooled)> =
            layers.iter().map(|(&layer, activations)| (layer, activations.pooled())).collect();
        let means: Option<Vec<f64>> =
            pooled.iter().map(|(_, pooled)| pooled.sums.mean_abs()).collect();
        let total = means.map(|means| means.iter().sum());
        pooled.iter().map(|(layer, pooled)| self.row(*layer, pooled, total)).collect()
    }

    /// `total` is the sum of mean |x| over the layers.
    fn row(&self, layer: Layer, pooled: &Pooled, total: Option<f64>) -> ShareRow {
        let (moments, mean_abs) = (&pooled.moments, pooled.sums.mean_abs());
        let values = moments.count as f64;
        let share = mean_abs.zip(total).and_then(|(mean, total)| ratio(mean, total));
        let kurtosis = moments.kurtosis().filter(|kurtosis| kurtosis.is_finite());
        let mut reasons = Reasons::default();
        reasons.add_where(share.is_none(), || {
            "mean |x| is undefined in a layer or 0 in all".to_owned()
        });
        reasons.add_where(kurtosis.is_none(), || "no values, or all the same".to_owned());
        ShareRow {
            model: self.model.to_owned(),
            language: self.language.to_owned(),
            point: self.point.name().to_owned(),
            stack: layer.stack.name().to_owned(),
            layer: layer.index,
            tokens: pooled.tokens,
            mean_abs,
            share,
            kurtosis,
            rms: ratio(moments.m2, values).map(|variance| (variance + moments.mean.powi(2)).sqrt()),
            max_abs: (moments.count > 0).then_some(pooled.max_abs),
            outliers_6: ratio(pooled.outliers_6 as f64, values),
            reason: reasons.column(),
        }
    }
}
