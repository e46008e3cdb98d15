//! Pearson's and Spearman's correlation with p and interval. Kendall's stands in `kendall`; nothing here knows what is correlated.

use std::fmt;

use super::distribution::{correlation_p, normal_quantile_two_sided};
use super::interval::Interval;

/// Why a correlation of two columns is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undefined {
    /// Fewer than three pairs.
    TooFew(usize),
    /// Every value of the first column is the same.
    ConstantX,
    /// Every value of the second column is the same.
    ConstantY,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew(n) => write!(f, "{n} languages: a correlation needs 3"),
            Self::ConstantX => f.write_str("the predictor is constant"),
            Self::ConstantY => f.write_str("the outcome is constant"),
        }
    }
}

/// Pairs whose correlation is defined: at least three, neither column constant.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    /// First column.
    pub(super) x: Vec<f64>,
    /// Second column.
    pub(super) y: Vec<f64>,
}

impl Pairs {
    /// The pairs, if every correlation of them is defined.
    pub(super) fn new(pairs: &[(f64, f64)]) -> Result<Self, Undefined> {
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
        match pairs.len() {
            n @ 0..3 => Err(Undefined::TooFew(n)),
            _ if constant(&x) => Err(Undefined::ConstantX),
            _ if constant(&y) => Err(Undefined::ConstantY),
            _ => Ok(Self { x, y }),
        }
    }

    /// How many pairs.
    pub(super) fn count(&self) -> usize {
        self.x.len()
    }
}

/// Pearson's r.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pearson {
    /// r.
    pub(super) r: f64,
    /// Two-sided p, exact under bivariate normality.
    pub(super) p: f64,
    /// Fisher's interval tanh(atanh r ± z/√(n−3)); `None` below four pairs.
    pub(super) interval: Option<Interval>,
}

/// r = Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)²·Σ(y−ȳ)²), two-pass in f64, with its p and Fisher's interval (science §E.1).
pub(super) fn pearson(pairs: &Pairs, confidence: f64) -> Pearson {
    let r = product_moment(&pairs.x, &pairs.y);
    Pearson {
        r,
        p: correlation_p(r, pairs.count()),
        interval: fisher(r, pairs.count(), confidence),
    }
}

/// Spearman's rho.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spearman {
    /// ρ.
    pub(super) rho: f64,
    /// Two-sided p from Student's t with n−2 degrees of freedom.
    pub(super) p: f64,
}

/// Pearson's r of the midranks; p as if it were one (science §E.2, scipy's default).
pub(super) fn spearman(pairs: &Pairs) -> Spearman {
    let rho = product_moment(&midranks(&pairs.x), &midranks(&pairs.y));
    Spearman { rho, p: correlation_p(rho, pairs.count()) }
}

/// Correlation of two columns of which neither is constant. Each deviation is scaled by its column's norm before it is
/// multiplied, so that neither tiny nor huge columns leave the range of f64.
fn product_moment(x: &[f64], y: &[f64]) -> f64 {
    let (x, y) = (standardised(x), standardised(y));
    let r: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    r.clamp(-1.0, 1.0)
}

/// Deviations from the mean, divided by their Euclidean norm.
fn standardised(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviations: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let largest = deviations.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    let scaled: Vec<f64> = deviations.iter().map(|deviation| deviation / largest).collect();
    let norm = scaled.iter().map(|value| value * value).sum::<f64>().sqrt();
    scaled.iter().map(|value| value / norm).collect()
}

/// Fisher's interval; `None` below four pairs, where its standard error 1/√(n−3) is undefined.
fn fisher(r: f64, n: usize, confidence: f64) -> Option<Interval> {
    let degrees = n.checked_sub(3).filter(|&degrees| degrees > 0)? as f64;
    let half = normal_quantile_two_sided(confidence)? / degrees.sqrt();
    Some(Interval { low: (r.atanh() - half).tanh(), high: (r.atanh() + half).tanh() })
}

/// Ranks from 1; tied values share the mean of their ranks.
fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&index| ranks[index] = rank);
        first += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::super::goldens;
    use super::*;

    #[test]
    fn scipy_goldens() {
        let mut checked = 0;
        for golden in goldens::correlations() {
            let Ok(pairs) = Pairs::new(&golden.pairs) else {
                assert_eq!(
                    (golden.number("pearson_r"), golden.number("spearman_rho")),
                    (None, None)
                );
                continue;
            };
            let (pearson, spearman) = (pearson(&pairs, 0.95), spearman(&pairs));
            golden.check("pearson_r", pearson.r);
            golden.check("pearson_p", pearson.p);
            golden.check("spearman_rho", spearman.rho);
            golden.check("spearman_p", spearman.p);
            golden.check_interval("fisher_ci95", pearson.interval);
            checked += 1;
        }
        assert!(checked >= 20);
    }

    #[test]
    fn undefined_says_why() {
        let check = |pairs: &[(f64, f64)]| Pairs::new(pairs).err().map(|why| why.to_string());
        assert_eq!(check(&[(1.0, 2.0), (2.0, 3.0)]).unwrap(), "2 languages: a correlation needs 3");
        assert_eq!(
            check(&[(0.1, 2.0), (0.1, 3.0), (0.1, 4.0)]).unwrap(),
            "the predictor is constant"
        );
        assert_eq!(
            check(&[(1.0, 0.1), (2.0, 0.1), (3.0, 0.1)]).unwrap(),
            "the outcome is constant"
        );
        assert_eq!(check(&[(1.0, 1.0), (2.0, 1.0), (3.0, 2.0)]), None);
    }

    #[test]
    fn the_order_of_pairs_and_the_scale_of_columns_do_not_matter() {
        let pairs: Vec<(f64, f64)> =
            (0..20).map(|i| (f64::from(i * 7 % 20), f64::from(i * i % 13))).collect();
        let mut moved: Vec<(f64, f64)> =
            pairs.iter().map(|&(x, y)| (x * 1e200, -y * 1e-200)).collect();
        moved.reverse();
        let of = |pairs: &[(f64, f64)]| pearson(&Pairs::new(pairs).unwrap(), 0.95);
        assert!((of(&pairs).r + of(&moved).r).abs() < 1e-14);
        let ranks = |pairs: &[(f64, f64)]| spearman(&Pairs::new(pairs).unwrap()).rho;
        assert!((ranks(&pairs) + ranks(&moved)).abs() < 1e-14);
    }

    #[test]
    fn a_perfect_line_has_p_zero_and_a_closed_interval() {
        let pairs = Pairs::new(&[(1.0, -1.0), (2.0, -2.0), (3.0, -3.0), (4.0, -4.0)]).unwrap();
        let found = pearson(&pairs, 0.95);
        assert!(found.r + 1.0 < 1e-15 && found.p < 1e-15, "{found:?}");
        assert!(
            found.interval.is_some_and(|interval| interval.low >= -1.0 && interval.high <= 1.0)
        );
    }
}
