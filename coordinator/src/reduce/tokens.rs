//! Rows of `tokens`, kept compactly: sums by shard, so that they add up in a fixed order, and counts added at once. Computes no statistic.

use std::collections::BTreeMap;
use std::iter::Sum;

use babelquant_proto::Histogram;
use babelquant_proto::rows::TokenRow;

use super::documents::Cell;
use super::names::Names;

/// All rows, as pushed.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    names: Names,
    /// By model, language, scope, components and config.
    cells: BTreeMap<[u32; 5], Pushed>,
}

#[derive(Debug, Default)]
struct Pushed {
    shards: BTreeMap<u32, Moments>,
    counts: Counts,
}

/// Σ over tokens; b is the baseline's negative log-likelihood of a token in nat, q the quantized model's, Δp = e^−q − e^−b. A sum of the
/// quantized model is `None` where one of its terms is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    /// Σ b².
    pub(super) base_squares: f64,
    /// Σ q².
    pub(super) squares: Option<f64>,
    /// Σ q·b.
    pub(super) products: Option<f64>,
    /// Σ KL².
    pub(super) kl_squares: Option<f64>,
    /// Least and largest KL.
    pub(super) kl_ends: Option<(f64, f64)>,
    /// Σ Δp.
    pub(super) dp: Option<f64>,
    /// Σ Δp².
    pub(super) dp_squares: Option<f64>,
    /// Σ Δp⁴.
    pub(super) dp_quartics: Option<f64>,
    /// Least and largest Δp.
    pub(super) dp_ends: Option<(f64, f64)>,
}

/// Tokens by size.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By KL.
    pub(super) kl: Histogram,
    /// By −Δp, of those with Δp < 0.
    pub(super) falls: Histogram,
    /// By Δp, of the others.
    pub(super) rises: Histogram,
}

impl Tokens {
    /// Takes a row.
    pub(super) fn push(&mut self, row: &TokenRow) {
        let TokenRow { model, language, scope, components, config, .. } = row;
        let key = [model, language, scope, components, config].map(|name| self.names.number(name));
        let Pushed { shards, counts } = self.cells.entry(key).or_default();
        shards.insert(row.shard, Moments::of(row));
        let Counts { kl, falls, rises } = counts;
        let columns = [&row.kl_counts, &row.dp_fall_counts, &row.dp_rise_counts];
        for (sum, counts) in [kl, falls, rises].into_iter().zip(columns) {
            sum.add(counts.as_deref().unwrap_or_default());
        }
    }

    /// What was pushed for a cell of a model and a language; `None` without any row.
    pub(super) fn of(
        &self,
        (model, language): (&str, &str),
        cell: &Cell,
    ) -> Option<(Moments, &Counts)> {
        let names = [model, language, &cell.scope.text, &cell.components, &cell.config.text];
        let mut key = [0; 5];
        for (number, name) in key.iter_mut().zip(names) {
            *number = self.names.known(name)?;
        }
        let Pushed { shards, counts } = self.cells.get(&key)?;
        Some((shards.values().copied().sum(), counts))
    }
}

impl Moments {
    fn of(row: &TokenRow) -> Self {
        Self {
            base_squares: row.base_nll_square_sum,
            squares: row.nll_square_sum,
            products: row.nll_product_sum,
            kl_squares: row.kl_square_sum,
            kl_ends: row.kl_min.zip(row.kl_max),
            dp: row.dp_sum,
            dp_squares: row.dp_square_sum,
            dp_quartics: row.dp_quartic_sum,
            dp_ends: row.dp_min.zip(row.dp_max),
        }
    }
}

impl Sum for Moments {
    fn sum<I: Iterator<Item = Self>>(moments: I) -> Self {
        let add = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        // A shard without a scored token has no least value: it adds none.
        let wider = |a: Option<(f64, f64)>, b: Option<(f64, f64)>| match (a, b) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, other) => one.or(other),
        };
        let zero = Self {
            base_squares: 0.0,
            squares: Some(0.0),
            products: Some(0.0),
            kl_squares: Some(0.0),
            kl_ends: None,
            dp: Some(0.0),
            dp_squares: Some(0.0),
            dp_quartics: Some(0.0),
            dp_ends: None,
        };
        moments.fold(zero, |sum, other| Self {
            base_squares: sum.base_squares + other.base_squares,
            squares: add(sum.squares, other.squares),
            products: add(sum.products, other.products),
            kl_squares: add(sum.kl_squares, other.kl_squares),
            kl_ends: wider(sum.kl_ends, other.kl_ends),
            dp: add(sum.dp, other.dp),
            dp_squares: add(sum.dp_squares, other.dp_squares),
            dp_quartics: add(sum.dp_quartics, other.dp_quartics),
            dp_ends: wider(sum.dp_ends, other.dp_ends),
        })
    }
}
