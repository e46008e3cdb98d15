//! The wild cluster bootstrap: p of a coefficient where clusters are so few that Student's t says too often that there is something (Cameron,
//! Gelbach and Miller 2008, doi:10.1162/rest.90.3.414). Not the regression.

use babelquant_proto::random::{below, key, stream};

/// From so many clusters on Student's t is trusted.
const CLUSTERS_ENOUGH: usize = 15;
/// Up to so many clusters all 2^G vectors of signs are counted.
const CLUSTERS_EXACT: usize = 12;
/// Below so many clusters vectors of signs are too few to tell p values apart, and Webb's weights take their place.
const CLUSTERS_OF_SIGNS: usize = 10;
/// Share of its parts that a variance, a difference of sums, must be; less is rounding.
pub(super) const LEFT: f64 = 1e-12;
/// Share by which a t may fall short of the observed one and still be as large.
const ROUNDING: f64 = 1e-9;

/// A fixed sequence of random weights of clusters: they depend on the seed and on how many clusters there are.
#[derive(Debug, Clone, Copy)]
pub struct Wild {
    key: [u8; 32],
    draws: u32,
}

/// p of a coefficient by the wild cluster bootstrap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WildP {
    /// Two-sided: the share of weighted samples under β = 0 whose |t| is as large as the observed one.
    pub p: f64,
    /// Which kind of clusters was weighted: the one that has fewer, of equals the first.
    pub kind: usize,
    /// The weights.
    pub weights: Weights,
}

/// What clusters are weighted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Every vector of signs, so many.
    AllSigns(u32),
    /// Random signs (Rademacher), so many vectors.
    Signs(u32),
    /// ±√½, ±1 and ±√1½, each as likely (Webb 2014), so many random vectors.
    Webb(u32),
}

/// A least-squares fit whose errors may depend on each other within clusters, as the bootstrap needs it.
#[derive(Debug)]
pub(super) struct Fit<'a> {
    /// The rows of (XᵀX)⁻¹Xᵀ.
    pub(super) influence: &'a [Vec<f64>],
    /// The columns of X.
    pub(super) columns: &'a [Vec<f64>],
    /// y − Xβ.
    pub(super) errors: &'a [f64],
    /// β.
    pub(super) coefficients: &'a [f64],
    /// Both kinds of clusters, and their intersection: factor in the variance, and rows by cluster.
    pub(super) parts: [(f64, &'a [Vec<usize>]); 3],
}

impl Wild {
    /// So many random vectors of weights.
    pub fn new(seed: u64, draws: u32) -> Self {
        Self { key: key("babelquant wild 1", seed, std::iter::empty()), draws }
    }

    /// The weighted samples of a fit, the same for each of its coefficients; `None` where there are enough clusters, or no draws.
    pub(super) fn samples(&self, fit: &Fit<'_>) -> Option<Samples> {
        let [a, b, _] = fit.parts.map(|(_, clusters)| clusters.len());
        let (kind, clusters) = if b < a { (1, b) } else { (0, a) };
        let weights = self.weights(clusters)?;
        let vectors = match weights {
            // |t| of a vector and of its opposite are the same.
            Weights::AllSigns(all) => (0..all / 2).map(|bits| signs(bits, clusters)).collect(),
            Weights::Signs(draws) | Weights::Webb(draws) => {
                (0..draws as usize).map(|draw| self.vector(draw, clusters, weights)).collect()
            }
        };
        Some(Samples { kind, weights, vectors })
    }

    fn weights(&self, clusters: usize) -> Option<Weights> {
        match clusters {
            CLUSTERS_OF_SIGNS..=CLUSTERS_EXACT => Some(Weights::AllSigns(1 << clusters)),
            _ if clusters >= CLUSTERS_ENOUGH || self.draws == 0 => None,
            ..CLUSTERS_OF_SIGNS => Some(Weights::Webb(self.draws)),
            _ => Some(Weights::Signs(self.draws)),
        }
    }

    fn vector(&self, draw: usize, clusters: usize, weights: Weights) -> Vec<f64> {
        let mut random = stream(self.key, draw);
        let one = |_| match weights {
            Weights::AllSigns(_) | Weights::Signs(_) => [-1.0, 1.0][below(2, &mut random)],
            Weights::Webb(_) => {
                let sizes = [0.5_f64, 1.0, 1.5].map(f64::sqrt);
                let drawn = below(6, &mut random);
                if drawn < 3 { sizes[drawn] } else { -sizes[drawn - 3] }
            }
        };
        (0..clusters).map(one).collect()
    }
}

/// Weighted samples: what their errors are multiplied with.
#[derive(Debug)]
pub(super) struct Samples {
    kind: usize,
    weights: Weights,
    /// A weight for each cluster of the kind.
    vectors: Vec<Vec<f64>>,
}

impl Samples {
    /// p of the coefficient at a position.
    pub(super) fn p(&self, fit: &Fit<'_>, at: usize) -> WildP {
        let Self { kind, weights, ref vectors } = *self;
        let weighted = fit.parts[kind].1;
        let test = Restricted::new(fit, at, weighted);
        let observed = test.squared_t(&vec![1.0; weighted.len()]) * (1.0 - ROUNDING);
        let as_large = vectors.iter().filter(|vector| test.squared_t(vector) >= observed).count();
        let p = match weights {
            Weights::AllSigns(_) => as_large as f64 / vectors.len() as f64,
            // The observed sample is one of them.
            Weights::Signs(_) | Weights::Webb(_) => {
                (1 + as_large) as f64 / (1 + vectors.len()) as f64
            }
        };
        WildP { p, kind, weights }
    }
}

/// The signs that the bits of a number are.
fn signs(bits: u32, clusters: usize) -> Vec<f64> {
    (0..clusters).map(|cluster| if (bits >> cluster) & 1 == 0 { 1.0 } else { -1.0 }).collect()
}

/// t of one coefficient in samples Xβ⁰ + w·u⁰, where β⁰ and the errors u⁰ are those of the fit in which it is 0 and w weights whole clusters:
/// the coefficient is linear in the weights, its variance quadratic, so that no sample is ever fitted.
#[derive(Debug)]
struct Restricted {
    /// By weighted cluster: how far its errors move the coefficient.
    moves: Vec<f64>,
    /// The quadratic form of the variance.
    variance: Vec<Vec<f64>>,
    /// What a variance must exceed.
    least: f64,
}

impl Restricted {
    fn new(fit: &Fit<'_>, at: usize, weighted: &[Vec<usize>]) -> Self {
        let influence = &fit.influence[at];
        let squared: f64 = influence.iter().map(|weight| weight * weight).sum();
        // Without a column, errors grow by what is left of it beside the others, times its coefficient.
        let grow = |(error, weight): (&f64, &f64)| error + fit.coefficients[at] * weight / squared;
        let errors: Vec<f64> = fit.errors.iter().zip(influence).map(grow).collect();
        let moved = |weights: &Vec<f64>, rows: &[usize]| -> f64 {
            rows.iter().map(|&row| weights[row] * errors[row]).sum()
        };
        let moves: Vec<f64> = weighted.iter().map(|rows| moved(influence, rows)).collect();
        let left: Vec<Vec<f64>> = weighted
            .iter()
            .map(|rows| {
                let mut left = vec![0.0; errors.len()];
                rows.iter().for_each(|&row| left[row] = errors[row]);
                for (weights, column) in fit.influence.iter().zip(fit.columns) {
                    let coefficient = moved(weights, rows);
                    left.iter_mut().zip(column).for_each(|(left, x)| *left -= coefficient * x);
                }
                left
            })
            .collect();
        let mut variance = vec![vec![0.0; weighted.len()]; weighted.len()];
        let mut size = 0.0;
        for (factor, clusters) in fit.parts {
            for rows in clusters {
                let of = |left: &Vec<f64>| -> f64 {
                    rows.iter().map(|&row| influence[row] * left[row]).sum()
                };
                let sums: Vec<f64> = left.iter().map(of).collect();
                size += factor.abs() * sums.iter().map(|sum| sum * sum).sum::<f64>();
                for (row, a) in variance.iter_mut().zip(&sums) {
                    row.iter_mut().zip(&sums).for_each(|(cell, b)| *cell += factor * a * b);
                }
            }
        }
        Self { moves, variance, least: LEFT * size }
    }

    /// t² under weights; infinite where the variance is not positive, so that such a sample never speaks for an effect.
    fn squared_t(&self, weights: &[f64]) -> f64 {
        let dot =
            |numbers: &[f64]| -> f64 { numbers.iter().zip(weights).map(|(a, b)| a * b).sum() };
        let along: Vec<f64> = self.variance.iter().map(|row| dot(row)).collect();
        let variance = dot(&along);
        match variance > self.least {
            true => dot(&self.moves).powi(2) / variance,
            false => f64::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::goldens::{close, clusters, numbers};
    use super::super::regression::regression;
    use super::*;

    /// `tests/golden/wild.json`: numpy refitted every sample; where one kind of clusters is single rows, wildboottest agreed.
    #[test]
    fn refitting_every_sample_agrees() {
        let goldens: Value =
            serde_json::from_str(include_str!("../../../tests/golden/wild.json")).unwrap();
        for golden in goldens.as_array().unwrap() {
            let predictors: Vec<Vec<f64>> =
                golden["x"].as_array().unwrap().iter().map(numbers).collect();
            let clusters = [&clusters(&golden["language"]), &clusters(&golden["layer"])];
            let wild = Wild::new(7, 20_000);
            let found =
                regression(&numbers(&golden["y"]), &predictors, clusters, 0.95, &wild).unwrap();
            for (at, term) in found.terms.iter().enumerate() {
                let name = format!("{} {at}", golden["name"]);
                let certainty = term.certainty.unwrap();
                close(certainty.t, golden["t"][at].as_f64().unwrap(), &name);
                let expected = golden["p"][at].as_f64().unwrap();
                let found = certainty.wild.unwrap();
                assert_eq!(found.kind as u64, golden["kind"].as_u64().unwrap(), "{name}");
                match found.weights {
                    Weights::AllSigns(_) => close(found.p, expected, &name),
                    Weights::Signs(_) | Weights::Webb(_) => {
                        assert!((found.p - expected).abs() < 0.012, "{name}: {found:?} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn weights_by_number_of_clusters() {
        let check = |draws, clusters, expected| {
            assert_eq!(Wild::new(1, draws).weights(clusters), expected, "{clusters}");
        };
        check(999, 4, Some(Weights::Webb(999)));
        check(999, 9, Some(Weights::Webb(999)));
        check(999, 10, Some(Weights::AllSigns(1024)));
        check(0, 12, Some(Weights::AllSigns(4096)));
        check(999, 13, Some(Weights::Signs(999)));
        check(999, 15, None);
        check(0, 14, None);
        let (wild, other) = (Wild::new(1, 9), Wild::new(2, 9));
        let drawn = |wild: &Wild| -> Vec<Vec<f64>> {
            (0..40).map(|draw| wild.vector(draw, 6, Weights::Webb(9))).collect()
        };
        assert_eq!(drawn(&wild), drawn(&wild));
        assert_ne!(drawn(&wild), drawn(&other));
        let mut seen: Vec<String> =
            drawn(&wild).concat().iter().map(|weight| format!("{weight:.3}")).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["-0.707", "-1.000", "-1.225", "0.707", "1.000", "1.225"]);
    }
}
