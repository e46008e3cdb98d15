//! Pearson's and Spearman's correlation with p and interval. Kendall's stands in `kendall`; nothing here knows what is correlated.

use super::distribution::correlation_p;
use super::fisher::fisher;
use super::interval::Interval;
use super::pairs::{Pairs, standardised};

/// Pearson's r.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pearson {
    /// r.
    pub r: f64,
    /// t = r·√((n−2)/(1−r²)); `None` where |r| is 1.
    pub t: Option<f64>,
    /// Two-sided p, exact under bivariate normality.
    pub p: f64,
    /// Fisher's interval tanh(atanh r ± z/√(n−3)); `None` below four pairs.
    pub interval: Option<Interval>,
}

/// r = Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)²·Σ(y−ȳ)²), two-pass in f64, with its p and Fisher's interval (science §E.1).
pub fn pearson(pairs: &Pairs, confidence: f64) -> Pearson {
    let r = product_moment(&pairs.x, &pairs.y);
    let degrees = pairs.count() as f64 - 2.0;
    let t = r * (degrees / ((1.0 - r) * (1.0 + r))).sqrt();
    Pearson {
        r,
        t: t.is_finite().then_some(t),
        p: correlation_p(r, degrees),
        interval: fisher(r, pairs.count() as f64 - 3.0, confidence),
    }
}

/// Spearman's rho.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spearman {
    /// ρ.
    pub rho: f64,
    /// Two-sided p from Student's t with n−2 degrees of freedom.
    pub p: f64,
}

/// Pearson's r of the midranks; p as if it were one (science §E.2, scipy's default).
pub fn spearman(pairs: &Pairs) -> Spearman {
    let ranks = pairs.ranks();
    let rho = product_moment(&ranks.x, &ranks.y);
    Spearman { rho, p: correlation_p(rho, pairs.count() as f64 - 2.0) }
}

/// Correlation of two columns of which neither is constant.
pub(super) fn product_moment(x: &[f64], y: &[f64]) -> f64 {
    product(&standardised(x), &standardised(y))
}

/// Correlation of two standardised columns.
pub(super) fn product(x: &[f64], y: &[f64]) -> f64 {
    let r: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
    r.clamp(-1.0, 1.0)
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
