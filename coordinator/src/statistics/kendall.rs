//! Kendall's τ-b with the p that scipy's `auto` method gives. Pearson and Spearman stand in `correlation`.

use super::distribution::{normal_cdf, normal_p};
use super::pairs::Pairs;

/// Kendall's τ-b.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kendall {
    /// τ-b.
    pub tau: f64,
    /// Stuart's τ-c = 2(C−D)·m / (n²(m−1)), m the smaller number of distinct values: comparable where the columns are tied unlike.
    pub tau_c: f64,
    /// Two-sided p: exact without ties where n ≤ 33 or at most one pair is discordant (or concordant), else normal.
    pub p: f64,
    /// p of a τ at most as large, by the same test.
    pub p_below: f64,
    /// p of a τ at least as large.
    pub p_above: f64,
}

/// τ-b = (C−D)/√((n0−n1)(n0−n2)), n0 = n(n−1)/2, n1 and n2 the tied pairs of x and of y (science §E.2).
pub fn kendall(pairs: &Pairs) -> Kendall {
    let n = pairs.count();
    let (x_ties, y_ties) = (Ties::of(&pairs.x), Ties::of(&pairs.y));
    let total = n * (n - 1) / 2;
    let (concordant, discordant) = count(pairs);
    let score = concordant as f64 - discordant as f64;
    let untied = |ties: &Ties| (total as f64 - ties.pairs).sqrt();
    let tau = (score / untied(&x_ties) / untied(&y_ties)).clamp(-1.0, 1.0);
    let m = x_ties.distinct.min(y_ties.distinct) as f64;
    let tau_c = 2.0 * score * m / ((n * n) as f64 * (m - 1.0));
    let fewer = concordant.min(discordant);
    let distinct = x_ties.pairs == 0.0 && y_ties.pairs == 0.0;
    let (p, p_below, p_above) = match distinct && (n <= EXACT_MAX || fewer <= 1) {
        true => {
            let (tail, rest) = tails(n, fewer);
            let (below, above) = if score < 0.0 { (tail, rest) } else { (rest, tail) };
            ((2.0 * tail).min(1.0), below, above)
        }
        false => {
            let z = score / variance(n as f64, &x_ties, &y_ties).sqrt();
            (normal_p(z), normal_cdf(z), normal_cdf(-z))
        }
    };
    Kendall { tau, tau_c, p, p_below, p_above }
}

/// Largest sample whose p is always exact without ties, as in scipy.
const EXACT_MAX: usize = 33;

/// Sums over the groups of t equal values of a column.
#[derive(Debug, Default)]
struct Ties {
    /// How many groups.
    distinct: usize,
    /// Σ t(t−1)/2.
    pairs: f64,
    /// Σ t(t−1)(t−2).
    triples: f64,
    /// Σ t(t−1)(2t+5).
    weighted: f64,
}

impl Ties {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut ties = Self::default();
        for group in sorted.chunk_by(|a, b| a == b) {
            let t = group.len() as f64;
            ties.distinct += 1;
            ties.pairs += t * (t - 1.0) / 2.0;
            ties.triples += t * (t - 1.0) * (t - 2.0);
            ties.weighted += t * (t - 1.0) * (2.0 * t + 5.0);
        }
        ties
    }
}

/// Concordant and discordant pairs; a pair tied in either column is neither.
fn count(pairs: &Pairs) -> (usize, usize) {
    let (x, y) = (&pairs.x, &pairs.y);
    let (mut concordant, mut discordant) = (0, 0);
    for i in 0..x.len() {
        for j in 0..i {
            let agreement = sign(x[i], x[j]) * sign(y[i], y[j]);
            concordant += usize::from(agreement > 0);
            discordant += usize::from(agreement < 0);
        }
    }
    (concordant, discordant)
}

/// 1, 0 or −1 as `a` is above, at or below `b`; unlike the sign of a difference it cannot underflow.
fn sign(a: f64, b: f64) -> i32 {
    i32::from(a > b) - i32::from(a < b)
}

/// The shares of the n! orders with at most, and with at least, so many inversions (Kendall 1970). The probabilities are built up by one item at a time:
/// P_j(k) = Σ_{i<j} P_{j−1}(k−i) / j, sums of positive terms only.
fn tails(n: usize, inversions: usize) -> (f64, f64) {
    let mut probability = vec![0.0; inversions + 1];
    probability[0] = 1.0;
    for j in 2..=n {
        let sum = |k: usize| probability[(k + 1).saturating_sub(j)..=k].iter().sum::<f64>();
        probability = (0..=inversions).map(|k| sum(k) / j as f64).collect();
    }
    let share = |probability: &[f64]| probability.iter().sum::<f64>().min(1.0);
    (share(&probability), 1.0 - share(&probability[..inversions]))
}

/// Variance of C−D under independence, with the corrections for ties (Kendall 1970, as in scipy).
fn variance(n: f64, x: &Ties, y: &Ties) -> f64 {
    let m = n * (n - 1.0);
    (m * (2.0 * n + 5.0) - x.weighted - y.weighted) / 18.0
        + 2.0 * x.pairs * y.pairs / m
        + x.triples * y.triples / (9.0 * m * (n - 2.0))
}

#[cfg(test)]
mod tests {
    use super::super::goldens;
    use super::*;

    #[test]
    fn scipy_goldens() {
        for golden in goldens::correlations() {
            let Ok(pairs) = Pairs::new(&golden.pairs) else {
                assert_eq!(golden.number("kendall_tau_b"), None);
                continue;
            };
            let found = kendall(&pairs);
            golden.check("kendall_tau_b", found.tau);
            golden.check("kendall_p", found.p);
        }
    }

    #[test]
    fn exact_p_counts_orders() {
        assert_eq!(tails(3, 0), (1.0 / 6.0, 1.0));
        assert_eq!(tails(3, 1), (0.5, 5.0 / 6.0));
        assert!((tails(4, 1).0 - 4.0 / 24.0).abs() < 1e-15);
        assert!((tails(40, 0).0 - 1.0 / 8.159_152_832_478_977e47).abs() < 1e-60);
    }
}
