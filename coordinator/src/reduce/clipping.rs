//! Rows of `clipping` → for each layer the rule of least error, what other rules cost beside it, and which rule is never far from it.
//! Everything is read off the rows: no rule is preferred here.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::Layer;
use babelquant_proto::rows::ClippingRow;

use super::layers::{layer_of, note};
use crate::statistics::{Pairs, quantile, spearman};

/// The rules on the layer groups at one width, and what they come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// Width of a code in bits.
    pub(crate) bits: u32,
    /// Which weights share a grid.
    pub(crate) granularity: String,
    /// The rules, in the order of the rows.
    pub(crate) rules: Vec<String>,
    /// The layers, in their order.
    pub(crate) layers: Vec<LayerComparison>,
}

/// One layer's group under every rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerComparison {
    /// The layer.
    pub(crate) layer: Layer,
    /// Excess kurtosis of its weights.
    pub(crate) kurtosis: Option<f64>,
    /// By rule: where the grid ends and what it costs; rules without numbers are absent.
    pub(crate) by_rule: BTreeMap<String, Clipped>,
    /// The rule of least error; of several the first in the order of the rules.
    pub(crate) best: Option<(String, Clipped)>,
}

/// Where a rule ends a grid, and the error that it gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clipped {
    /// α over the standard deviation.
    pub(crate) alpha_over_sigma: f64,
    /// Mean square error over the variance.
    pub(crate) mse_over_variance: f64,
}

/// Smallest, middle and largest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// Smallest.
    pub(crate) low: f64,
    /// Median (type 7).
    pub(crate) median: f64,
    /// Largest.
    pub(crate) high: f64,
}

/// Spearman's ρ of a layer's kurtosis and the α*/σ of its best rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KurtosisAndAlpha {
    /// ρ.
    pub(crate) rho: f64,
    /// Two-sided p.
    pub(crate) p: f64,
    /// Layers.
    pub(crate) n: usize,
}

/// The comparisons of the layer groups in `rows`, by width.
pub(crate) fn comparisons(rows: &[ClippingRow]) -> Vec<Comparison> {
    let groups = || rows.iter().filter(|row| row.kind == "group");
    let keys: BTreeSet<(u32, &str)> =
        groups().map(|row| (row.bits, row.granularity.as_str())).collect();
    let comparison = |(bits, granularity): (u32, &str)| {
        let of_key =
            groups().filter(|row| (row.bits, row.granularity.as_str()) == (bits, granularity));
        Comparison::of(bits, granularity, &of_key.collect::<Vec<_>>())
    };
    keys.into_iter().map(comparison).collect()
}

impl Comparison {
    fn of(bits: u32, granularity: &str, rows: &[&ClippingRow]) -> Self {
        let mut rules: Vec<String> = Vec::new();
        let mut layers: BTreeMap<Layer, LayerComparison> = BTreeMap::new();
        for row in rows {
            let Some(layer) = layer_of(&row.stack, row.layer) else { continue };
            if !rules.contains(&row.rule) {
                rules.push(row.rule.clone());
            }
            let entry = layers.entry(layer).or_insert_with(|| LayerComparison {
                layer,
                kurtosis: row.kurtosis,
                by_rule: BTreeMap::new(),
                best: None,
            });
            entry.take(row);
        }
        let layers = layers.into_values().collect();
        Self { bits, granularity: granularity.to_owned(), rules, layers }
    }

    /// In how many layers each rule has the least error, the most frequent first.
    pub(crate) fn winners(&self) -> Vec<(&str, usize)> {
        let wins = |rule: &String| {
            let best = self.layers.iter().filter_map(|layer| layer.best.as_ref());
            best.filter(|(best, _)| best == rule).count()
        };
        let mut winners: Vec<(&str, usize)> =
            self.rules.iter().map(|rule| (rule.as_str(), wins(rule))).collect();
        winners.retain(|(_, wins)| *wins > 0);
        winners.sort_by_key(|(_, wins)| std::cmp::Reverse(*wins));
        winners
    }

    /// The α*/σ of the best rules; `None` without layers.
    pub(crate) fn best_alphas(&self) -> Option<Spread> {
        let best = self.layers.iter().filter_map(|layer| layer.best.as_ref());
        Spread::of(best.map(|(_, clipped)| clipped.alpha_over_sigma).collect())
    }

    /// A rule's error over the least one, over the layers where both are there.
    pub(crate) fn cost(&self, rule: &str) -> Option<Spread> {
        Spread::of(self.layers.iter().filter_map(|layer| layer.cost(rule)).collect())
    }

    /// The rule whose largest cost is the least, of those that have one at every layer; with that cost.
    pub(crate) fn safest(&self) -> Option<(&str, f64)> {
        let everywhere =
            |rule: &&String| self.layers.iter().all(|layer| layer.cost(rule).is_some());
        let costs = self.rules.iter().filter(everywhere).filter_map(|rule| {
            let spread = self.cost(rule)?;
            Some((rule.as_str(), spread.high))
        });
        costs.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Whether α*/σ rises with kurtosis over the layers; `None` where that is undefined.
    pub(crate) fn kurtosis_and_alpha(&self) -> Option<KurtosisAndAlpha> {
        let pairs = self
            .layers
            .iter()
            .filter_map(|layer| Some((layer.kurtosis?, layer.best.as_ref()?.1.alpha_over_sigma)));
        let pairs = Pairs::new(&pairs.collect::<Vec<_>>()).ok()?;
        let found = spearman(&pairs);
        Some(KurtosisAndAlpha { rho: found.rho, p: found.p, n: pairs.count() })
    }
}

impl LayerComparison {
    fn take(&mut self, row: &ClippingRow) {
        let numbers = row.alpha_over_sigma.zip(row.mse_over_variance);
        let Some((alpha_over_sigma, mse_over_variance)) = numbers else { return };
        let clipped = Clipped { alpha_over_sigma, mse_over_variance };
        self.by_rule.insert(row.rule.clone(), clipped);
        let better =
            self.best.as_ref().is_none_or(|(_, best)| mse_over_variance < best.mse_over_variance);
        if better {
            self.best = Some((row.rule.clone(), clipped));
        }
    }

    /// The kind of layer that its kurtosis makes it.
    pub(crate) fn note(&self) -> Option<&'static str> {
        self.kurtosis.map(note)
    }

    /// A rule's error over the least one; `None` where the least is 0.
    pub(crate) fn cost(&self, rule: &str) -> Option<f64> {
        let (_, best) = self.best.as_ref()?;
        let cost = self.by_rule.get(rule)?.mse_over_variance / best.mse_over_variance;
        Some(cost).filter(|cost| cost.is_finite())
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |p| quantile(&values, p);
        Some(Self { low: at(0.0)?, median: at(0.5)?, high: at(1.0)? })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row of a layer group.
    pub(crate) fn row(
        layer: u32,
        kurtosis: f64,
        rule: &str,
        numbers: Option<(f64, f64)>,
    ) -> ClippingRow {
        ClippingRow {
            model: "m".to_owned(),
            stack: "dec".to_owned(),
            layer,
            kind: "group".to_owned(),
            name: "mlp".to_owned(),
            granularity: "tensor".to_owned(),
            bits: 4,
            rule: rule.to_owned(),
            weights: 8,
            std: Some(1.0),
            kurtosis: Some(kurtosis),
            alpha_over_sigma: numbers.map(|(alpha, _)| alpha),
            mse_over_variance: numbers.map(|(_, mse)| mse),
            reason: None,
        }
    }

    pub(crate) fn rows() -> Vec<ClippingRow> {
        let mut rows = Vec::new();
        for (layer, kurtosis, octav, mse, absmax) in [
            (0, 1.0, (2.5, 0.010), (2.4, 0.011), (5.0, 0.030)),
            (1, 9.0, (2.6, 0.024), (2.7, 0.012), (9.0, 0.120)),
            (2, 200.0, (2.9, 0.020), (26.0, 0.500), (134.0, 1.000)),
        ] {
            rows.push(row(layer, kurtosis, "absmax", Some(absmax)));
            rows.push(row(layer, kurtosis, "octav", Some(octav)));
            rows.push(row(layer, kurtosis, "mse", Some(mse)));
        }
        rows
    }

    #[test]
    fn best_and_safest_are_read_off_the_rows() {
        let comparison = comparisons(&rows()).remove(0);
        assert_eq!(comparison.rules, ["absmax", "octav", "mse"]);
        assert_eq!(comparison.winners(), [("octav", 2), ("mse", 1)]);
        let best: Vec<&str> =
            comparison.layers.iter().map(|layer| layer.best.as_ref().unwrap().0.as_str()).collect();
        assert_eq!(best, ["octav", "mse", "octav"]);
        assert_eq!(comparison.safest(), Some(("octav", 2.0)));
        let alphas = comparison.best_alphas().unwrap();
        assert_eq!((alphas.low, alphas.median, alphas.high), (2.5, 2.7, 2.9));
        let cost = comparison.cost("absmax").unwrap();
        assert!((cost.low - 3.0).abs() < 1e-12 && (cost.high - 50.0).abs() < 1e-12);
        let found = comparison.kurtosis_and_alpha().unwrap();
        assert!((found.rho - 1.0).abs() < 1e-12 && found.n == 3);
    }

    #[test]
    fn what_has_no_numbers_is_left_out() {
        let mut rows = rows();
        rows.push(row(3, 0.0, "absmax", None));
        rows.push(ClippingRow { kind: "tensor".to_owned(), ..row(9, 0.0, "absmax", None) });
        let comparison = comparisons(&rows).remove(0);
        assert_eq!(comparison.layers.len(), 4);
        assert_eq!((comparison.layers[3].best.clone(), comparison.safest()), (None, None));
        assert!(comparisons(&[]).is_empty());
    }
}
