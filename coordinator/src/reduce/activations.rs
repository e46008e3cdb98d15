//! Rows of `activations` at the points that are kept per document, summed over shards. Computes no share and no predictor.

use std::collections::BTreeMap;

use babelquant_proto::rows::{ActivationRow, Point};
use babelquant_proto::{Layer, Moments};

use super::groups::Groups;
use super::layers::layer_of;
use super::names::{ByLanguage, Names};
use crate::statistics::ratio;

/// All activations, as pushed.
#[derive(Debug, Default)]
pub(super) struct Activations {
    names: Names,
    /// By model and language.
    languages: BTreeMap<[u32; 2], LanguageActivations>,
}

/// The activations of one (model, language).
#[derive(Debug, Default)]
pub(super) struct LanguageActivations {
    /// Group labels by document.
    documents: BTreeMap<u32, String>,
    /// What was seen at each point of each layer.
    pub(super) points: BTreeMap<Point, BTreeMap<Layer, LayerActivations>>,
}

/// One point of one layer.
#[derive(Debug, Default)]
pub(super) struct LayerActivations {
    /// Pooled sums by shard.
    shards: BTreeMap<u32, Pooled>,
    /// Sums by document.
    pub(super) documents: BTreeMap<u32, Sums>,
}

/// Enough for a mean of |x|.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Tokens × channels.
    pub(super) values: f64,
    /// Σ|x|.
    pub(super) sum_abs: f64,
}

/// Everything a shard or more tell about the values at one point of one layer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pooled {
    /// Tokens summed over.
    pub(super) tokens: u64,
    /// Σ|x| over all values.
    pub(super) sums: Sums,
    /// Moments of x.
    pub(super) moments: Moments,
    /// Largest |x|.
    pub(super) max_abs: f64,
    /// Values with |x| ≥ 6.
    pub(super) outliers_6: u64,
}

impl Activations {
    /// Takes the row if its point is one of those kept per document and inside a layer.
    pub(super) fn push(&mut self, row: &ActivationRow) {
        let point =
            Point::ALL.into_iter().find(|point| point.per_document() && point.name() == row.point);
        let layer = row.layer.and_then(|index| layer_of(&row.stack, index));
        let (Some(point), Some(layer)) = (point, layer) else { return };
        let key = [&row.model, &row.language].map(|name| self.names.number(name));
        let language = self.languages.entry(key).or_default();
        let at = language.points.entry(point).or_default().entry(layer).or_default();
        let Some(document) = row.document else {
            at.shards.insert(row.shard, Pooled::of(row));
            return;
        };
        at.documents.insert(document, Sums { values: row.values as f64, sum_abs: row.sum_abs });
        language.documents.entry(document).or_insert_with(|| row.group.clone().unwrap_or_default());
    }

    /// The activations by model and language.
    pub(super) fn finish(self) -> ByLanguage<LanguageActivations> {
        let Self { names, languages } = self;
        let named = |([model, language], activations): ([u32; 2], _)| {
            (names.pair(model, language), activations)
        };
        languages.into_iter().map(named).collect()
    }
}

impl LanguageActivations {
    /// The groups of the documents.
    pub(super) fn groups(&self) -> Groups {
        Groups::new(self.documents.iter().map(|(&document, group)| (document, group.as_str())))
    }
}

impl LayerActivations {
    /// The shards together, merged in their order.
    pub(super) fn pooled(&self) -> Pooled {
        self.shards.values().fold(Pooled::default(), |all, &shard| all.merge(shard))
    }
}

impl Sums {
    /// aᵢ = Σ|x| / values; `None` where there are none.
    pub(super) fn mean_abs(self) -> Option<f64> {
        ratio(self.sum_abs, self.values)
    }
}

impl Pooled {
    fn of(row: &ActivationRow) -> Self {
        let ActivationRow { mean, m2, m3, m4, .. } = *row;
        Self {
            tokens: row.tokens,
            sums: Sums { values: row.values as f64, sum_abs: row.sum_abs },
            moments: Moments { count: row.values, mean, m2, m3, m4 },
            max_abs: row.max_abs,
            outliers_6: row.outliers_6,
        }
    }

    fn merge(self, other: Self) -> Self {
        Self {
            tokens: self.tokens + other.tokens,
            sums: Sums {
                values: self.sums.values + other.sums.values,
                sum_abs: self.sums.sum_abs + other.sums.sum_abs,
            },
            moments: self.moments.merge(other.moments),
            max_abs: self.max_abs.max(other.max_abs),
            outliers_6: self.outliers_6 + other.outliers_6,
        }
    }
}
