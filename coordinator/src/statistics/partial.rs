//! The correlation that is left when covariates are held fixed. Nothing here knows what the covariates are.

use faer::Mat;

use super::correlation::{product, product_moment};
use super::distribution::correlation_p;
use super::fisher::fisher;
use super::interval::Interval;
use super::pairs::{Pairs, constant, norm, standardised};

/// Share of a column's norm that must be left beside the others; less is rounding, and the column their combination.
const LEFT: f64 = 1e-8;

/// r of x and y with covariates held fixed.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    /// r of the residuals of x and of y on the covariates.
    pub r: f64,
    /// Degrees of freedom: n − 2 less the covariates.
    pub degrees: usize,
    /// Two-sided p from Student's t.
    pub p: f64,
    /// Fisher's interval with n − 3 less the covariates; `None` where that is not positive.
    pub interval: Option<Interval>,
    /// r of y and the residuals of x alone (semi-partial).
    pub semi_r: f64,
    /// Its two-sided p, with the same degrees.
    pub semi_p: f64,
    /// 1/(1 − R²) of x, then of each covariate, on all the others: how many times its uncertainty is inflated by them.
    pub inflation: Vec<f64>,
}

/// Why there is no partial correlation; covariates by their position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPartial {
    /// Too few rows for so many covariates.
    TooFew {
        /// Rows.
        rows: usize,
        /// Covariates.
        covariates: usize,
    },
    /// Every value of the covariate is the same.
    Constant(usize),
    /// The covariate follows from those before it.
    Dependent(usize),
    /// The covariates determine x.
    DeterminesX,
    /// The covariates determine y.
    DeterminesY,
}

impl NoPartial {
    /// The reason in words, with the covariates' names.
    pub fn about(self, names: &[String]) -> String {
        let name = |at: usize| names.get(at).map_or("a covariate", String::as_str);
        match self {
            Self::TooFew { rows, covariates } => {
                format!(
                    "{rows} rows are too few to hold {covariates} covariates fixed: {} are needed",
                    covariates + 3
                )
            }
            Self::Constant(at) => format!("{} is constant", name(at)),
            Self::Dependent(at) => {
                format!("{} is a combination of the covariates before it", name(at))
            }
            Self::DeterminesX => "the covariates determine the predictor".to_owned(),
            Self::DeterminesY => "the covariates determine the outcome".to_owned(),
        }
    }
}

/// Residuals on [1, covariates] by Householder QR, then Pearson's r (science §E.6). Each covariate has a value for every pair.
///
/// # Errors
/// There are too few rows, or the covariates are constant, dependent, or determine a column.
pub fn partial(
    pairs: &Pairs,
    covariates: &[Vec<f64>],
    confidence: f64,
) -> Result<Partial, NoPartial> {
    let (rows, count) = (pairs.count(), covariates.len());
    if rows < count + 3 {
        return Err(NoPartial::TooFew { rows, covariates: count });
    }
    let columns = covariates.iter().enumerate().map(|(at, column)| match constant(column) {
        true => Err(NoPartial::Constant(at)),
        false => Ok(standardised(column)),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    for at in 1..count {
        residual(&columns[at], &columns[..at]).ok_or(NoPartial::Dependent(at))?;
    }
    let (x, y) = (standardised(&pairs.x), standardised(&pairs.y));
    let x_left = residual(&x, &columns).ok_or(NoPartial::DeterminesX)?;
    let y_left = residual(&y, &columns).ok_or(NoPartial::DeterminesY)?;
    let (r, semi_r) = (product_moment(&x_left, &y_left), product(&standardised(&x_left), &y));
    let degrees = rows - 2 - count;
    Ok(Partial {
        r,
        degrees,
        p: correlation_p(r, degrees as f64),
        interval: fisher(r, degrees as f64 - 1.0, confidence),
        semi_r,
        semi_p: correlation_p(semi_r, degrees as f64),
        inflation: inflation(&x, &columns),
    })
}

/// What is left of a standardised column beside others: v − Q·Qᵀv, Q from their QR; `None` where nothing is.
pub(super) fn residual(column: &[f64], others: &[Vec<f64>]) -> Option<Vec<f64>> {
    let mut left = column.to_vec();
    if !others.is_empty() {
        let design = Mat::from_fn(column.len(), others.len(), |row, other| others[other][row]);
        let q = design.qr().compute_thin_Q();
        // Twice: what the first pass leaves of the others by rounding, the second removes.
        for _ in 0..2 {
            for other in 0..others.len() {
                let along: f64 =
                    left.iter().enumerate().map(|(row, left)| q[(row, other)] * left).sum();
                left.iter_mut()
                    .enumerate()
                    .for_each(|(row, left)| *left -= along * q[(row, other)]);
            }
        }
    }
    (norm(&left) > LEFT).then_some(left)
}

/// Variance inflation of x and of each covariate; infinite ones cannot come up among columns that do not depend on each other.
fn inflation(x: &[f64], columns: &[Vec<f64>]) -> Vec<f64> {
    let all: Vec<Vec<f64>> = [x.to_vec()].into_iter().chain(columns.iter().cloned()).collect();
    let of = |at: usize| {
        let others: Vec<Vec<f64>> = all
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, c)| c.clone())
            .collect();
        residual(&all[at], &others).map_or(f64::INFINITY, |left| norm(&left).powi(-2))
    };
    (0..all.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_held_fixed() {
        let pairs: Vec<(f64, f64)> =
            (0..6).map(|i| (f64::from(i * i % 7), f64::from(i % 4))).collect();
        let pairs = Pairs::new(&pairs).unwrap();
        let check = |columns: &[&[f64]], text: &str| {
            let columns: Vec<Vec<f64>> = columns.iter().map(|column| column.to_vec()).collect();
            let names = ["a", "b", "c"].map(str::to_owned);
            assert_eq!(partial(&pairs, &columns, 0.95).unwrap_err().about(&names), text);
        };
        let (a, b): (&[f64], &[f64]) =
            (&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0], &[0.1, 0.2, 0.1, 0.5, 0.9, 0.3]);
        let sum: Vec<f64> = a.iter().zip(b).map(|(a, b)| 3.0 * a - b + 5.0).collect();
        check(&[a, &[2.0; 6]], "b is constant");
        check(&[a, b, &sum], "c is a combination of the covariates before it");
        check(&[a, pairs.x()], "the covariates determine the predictor");
        check(&[pairs.y(), b], "the covariates determine the outcome");
        check(&[a, b, a, b], "6 rows are too few to hold 4 covariates fixed: 7 are needed");
    }

    /// (r_xy − r_xz·r_yz)/√((1−r_xz²)(1−r_yz²)), the closed form of one covariate; without any it is r.
    #[test]
    fn one_covariate_in_closed_form() {
        let z: Vec<f64> = (0..9).map(|i| f64::from(i * 5 % 9)).collect();
        let pairs: Vec<(f64, f64)> =
            (0..9).map(|i| (f64::from(i * i % 7), f64::from(i * 2 % 5))).collect();
        let pairs = Pairs::new(&pairs).unwrap();
        let (xy, xz, yz) = (
            product_moment(&pairs.x, &pairs.y),
            product_moment(&pairs.x, &z),
            product_moment(&pairs.y, &z),
        );
        let expected = (xy - xz * yz) / ((1.0 - xz * xz) * (1.0 - yz * yz)).sqrt();
        let found = partial(&pairs, &[z], 0.95).unwrap();
        assert!((found.r - expected).abs() < 1e-14 && found.degrees == 6, "{found:?}");
        assert!((found.inflation[0] - 1.0 / (1.0 - xz * xz)).abs() < 1e-12);
        let plain = partial(&pairs, &[], 0.95).unwrap();
        assert!(
            (plain.r - xy).abs() < 1e-15 && (plain.inflation[0] - 1.0).abs() < 1e-14,
            "{plain:?}"
        );
    }
}
