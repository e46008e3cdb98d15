//! Least squares whose errors may depend on each other within clusters of two kinds. Nothing here knows what rows and columns are.

use faer::Mat;

use super::clusters::Clusters;
use super::distribution::{student_p, student_quantile_two_sided};
use super::interval::Interval;
use super::pairs::{Centred, constant, norm, standardised};
use super::partial::residual;
use super::wild::{Fit, LEFT, Wild, WildP};

/// y = β₀ + Σ βⱼxⱼ by least squares.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    /// The constant, then the predictors in their order.
    pub terms: Vec<Term>,
    /// Degrees of freedom of Student's t: the clusters of the kind that has fewer, less 1.
    pub degrees: usize,
    /// 1 − Σ residual² / Σ (y − ȳ)².
    pub r_squared: f64,
}

/// A coefficient of a regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Change of y per unit of the predictor, the others held fixed.
    pub coefficient: f64,
    /// How sure it is; `None` where the difference of variances is not positive.
    pub certainty: Option<Certainty>,
}

/// What clustered errors say of a coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Certainty {
    /// The root of V_A + V_B − V_{A∩B}.
    pub standard_error: f64,
    /// Coefficient over standard error.
    pub t: f64,
    /// Two-sided p from Student's t.
    pub p: f64,
    /// Coefficient ± quantile of Student's t · standard error; `None` where the confidence is no probability.
    pub interval: Option<Interval>,
    /// p where clusters are few; `None` where there are enough of them.
    pub wild: Option<WildP>,
}

/// Why there is no regression; predictors by their position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRegression {
    /// No more rows than coefficients.
    TooFewRows {
        /// Rows.
        rows: usize,
        /// Predictors and the constant.
        coefficients: usize,
    },
    /// A single cluster of one kind.
    OneCluster,
    /// Every value of y is the same.
    ConstantOutcome,
    /// Every value of the predictor is the same.
    Constant(usize),
    /// The predictor follows from those before it.
    Dependent(usize),
    /// With it, as many coefficients differ only between clusters of one kind as there are clusters: nothing is left to see their errors.
    Saturated {
        /// The last such predictor.
        predictor: usize,
        /// Clusters of that kind.
        clusters: usize,
    },
    /// The predictors determine y.
    Determined,
}

impl NoRegression {
    /// The predictor without which there may be a regression.
    pub fn predictor(self) -> Option<usize> {
        match self {
            Self::Constant(at) | Self::Dependent(at) | Self::Saturated { predictor: at, .. } => {
                Some(at)
            }
            Self::TooFewRows { .. }
            | Self::OneCluster
            | Self::ConstantOutcome
            | Self::Determined => None,
        }
    }
}

/// The regression of `outcome` on `predictors`, each with a value for every row, whose errors may depend on each other in rows that share a
/// cluster of either kind: V = V_A + V_B − V_{A∩B} (Cameron, Gelbach and Miller 2011, doi:10.1198/jbes.2010.07136, eq. 2.11), each part with
/// its own factor G/(G−1) · (N−1)/(N−k).
///
/// # Errors
/// There are too few rows or clusters, or columns are constant, dependent, or determine y.
pub fn regression(
    outcome: &[f64],
    predictors: &[Vec<f64>],
    clusters: [&Clusters; 2],
    confidence: f64,
    wild: &Wild,
) -> Result<Regression, NoRegression> {
    check(outcome, predictors, clusters)?;
    let centred = Centred::of(outcome);
    let influence = influence(predictors, outcome.len());
    let coefficients: Vec<f64> = influence.iter().map(|weights| dot(weights, outcome)).collect();
    let standard: Vec<Vec<f64>> = predictors.iter().map(|column| standardised(column)).collect();
    let left = residual(&centred.standardised, &standard).ok_or(NoRegression::Determined)?;
    let errors: Vec<f64> = left.iter().map(|left| centred.norm * left).collect();
    let [a, b] = clusters;
    let both = a.intersection(b);
    let [a, b, both] = [a, b, &both].map(Clusters::members);
    let factor = |members: &[Vec<usize>]| factor(members.len(), &influence);
    let one = vec![1.0; outcome.len()];
    let columns: Vec<Vec<f64>> = [one].into_iter().chain(predictors.iter().cloned()).collect();
    let fit = Fit {
        influence: &influence,
        columns: &columns,
        errors: &errors,
        coefficients: &coefficients,
        parts: [(factor(a), a), (factor(b), b), (-factor(both), both)],
    };
    let degrees = a.len().min(b.len()) - 1;
    let samples = wild.samples(&fit);
    let term = |(at, &coefficient): (usize, &f64)| {
        let certainty = variance(&fit, at).map(|variance| Certainty {
            wild: samples.as_ref().map(|samples| samples.p(&fit, at)),
            ..Certainty::new(coefficient, variance.sqrt(), degrees as f64, confidence)
        });
        Term { coefficient, certainty }
    };
    let terms = coefficients.iter().enumerate().map(term).collect();
    Ok(Regression { terms, degrees, r_squared: 1.0 - norm(&left).powi(2) })
}

/// V_A + V_B − V_{A∩B} of a coefficient; `None` where it is not positive.
fn variance(fit: &Fit<'_>, at: usize) -> Option<f64> {
    let moves: Vec<f64> = fit.influence[at].iter().zip(fit.errors).map(|(a, b)| a * b).collect();
    let parts = fit.parts.map(|(factor, members)| factor * squares(&moves, members));
    let size: f64 = parts.iter().map(|part| part.abs()).sum();
    let variance: f64 = parts.iter().sum();
    Some(variance).filter(|variance| *variance > LEFT * size)
}

impl Certainty {
    fn new(coefficient: f64, standard_error: f64, degrees: f64, confidence: f64) -> Self {
        let t = coefficient / standard_error;
        let interval = student_quantile_two_sided(confidence, degrees).map(|quantile| {
            let reach = quantile * standard_error;
            Interval { low: coefficient - reach, high: coefficient + reach }
        });
        Self { standard_error, t, p: student_p(t, degrees), interval, wild: None }
    }
}

fn check(
    outcome: &[f64],
    predictors: &[Vec<f64>],
    clusters: [&Clusters; 2],
) -> Result<(), NoRegression> {
    if clusters.iter().any(|clusters| clusters.count() < 2) {
        return Err(NoRegression::OneCluster);
    }
    if constant(outcome) {
        return Err(NoRegression::ConstantOutcome);
    }
    if let Some(at) = predictors.iter().position(|column| constant(column)) {
        return Err(NoRegression::Constant(at));
    }
    clusters.into_iter().try_for_each(|clusters| saturation(predictors, clusters))?;
    let columns: Vec<Vec<f64>> = predictors.iter().map(|column| standardised(column)).collect();
    for at in 1..columns.len() {
        residual(&columns[at], &columns[..at]).ok_or(NoRegression::Dependent(at))?;
    }
    let (rows, coefficients) = (outcome.len(), predictors.len() + 1);
    match rows > coefficients {
        true => Ok(()),
        false => Err(NoRegression::TooFewRows { rows, coefficients }),
    }
}

/// Columns that are constant within every cluster, and the constant, must be fewer than the clusters.
fn saturation(predictors: &[Vec<f64>], clusters: &Clusters) -> Result<(), NoRegression> {
    let only_between = |column: &[f64]| {
        let mut members = clusters.members().iter();
        members.all(|rows| rows.iter().all(|&row| column[row] == column[rows[0]]))
    };
    let mut between = predictors.iter().enumerate().filter(|(_, column)| only_between(column));
    let (last, clusters) = (between.clone().next_back(), clusters.count());
    match last {
        Some((predictor, _)) if between.by_ref().count() + 1 >= clusters => {
            Err(NoRegression::Saturated { predictor, clusters })
        }
        Some(_) | None => Ok(()),
    }
}

/// The rows of (XᵀX)⁻¹Xᵀ = R⁻¹Qᵀ for X = [1, predictors] = QR: how much each y moves each coefficient. Columns are standardised for the
/// decomposition, and what it gives is scaled back.
fn influence(predictors: &[Vec<f64>], rows: usize) -> Vec<Vec<f64>> {
    let centred: Vec<Centred> = predictors.iter().map(|column| Centred::of(column)).collect();
    let design = Mat::from_fn(rows, centred.len(), |row, column| centred[column].standardised[row]);
    let qr = design.qr();
    let mut inverse = qr.compute_thin_Q().transpose().to_owned();
    qr.thin_R().solve_upper_triangular_in_place(inverse.as_mut());
    let slope = |(at, centred): (usize, &Centred)| -> Vec<f64> {
        (0..rows).map(|row| inverse[(at, row)] / centred.norm).collect()
    };
    let slopes: Vec<Vec<f64>> = centred.iter().enumerate().map(slope).collect();
    // β₀ = ȳ − Σ βⱼx̄ⱼ.
    let at_means = |row: usize| {
        let means = slopes.iter().zip(&centred).map(|(slope, centred)| slope[row] * centred.mean);
        1.0 / rows as f64 - means.sum::<f64>()
    };
    let intercept: Vec<f64> = (0..rows).map(at_means).collect();
    [intercept].into_iter().chain(slopes).collect()
}

/// G/(G−1) · (N−1)/(N−k) for the k × N influences.
fn factor(clusters: usize, influence: &[Vec<f64>]) -> f64 {
    let (g, n, k) = (clusters as f64, influence[0].len() as f64, influence.len() as f64);
    g / (g - 1.0) * (n - 1.0) / (n - k)
}

/// Σ over clusters of (Σ over rows of what their errors move a coefficient by)².
fn squares(moves: &[f64], members: &[Vec<usize>]) -> f64 {
    members.iter().map(|rows| rows.iter().map(|&row| moves[row]).sum::<f64>().powi(2)).sum()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::goldens::{self, close, numbers};
    use super::super::line::line;
    use super::super::pairs::Pairs;
    use super::*;

    fn wild() -> Wild {
        Wild::new(1, 9)
    }

    /// `tests/golden/regressions.json`, written by statsmodels.
    #[test]
    fn an_independent_implementation_agrees() {
        let goldens: Value =
            serde_json::from_str(include_str!("../../../tests/golden/regressions.json")).unwrap();
        for golden in goldens.as_array().unwrap() {
            let predictors: Vec<Vec<f64>> =
                golden["x"].as_array().unwrap().iter().map(numbers).collect();
            let clusters =
                [&goldens::clusters(&golden["language"]), &goldens::clusters(&golden["layer"])];
            let found =
                regression(&numbers(&golden["y"]), &predictors, clusters, 0.95, &wild()).unwrap();
            assert_eq!(found.degrees as u64, golden["degrees"].as_u64().unwrap());
            assert_eq!(found.terms.len(), predictors.len() + 1);
            if let Some(expected) = golden["r_squared"].as_f64() {
                close(found.r_squared, expected, "R²");
            }
            for (at, term) in found.terms.iter().enumerate() {
                let name = format!("{} {at}", golden["name"]);
                let expected = |key: &str| golden[key][at].as_f64();
                close(term.coefficient, expected("coefficient").unwrap(), &name);
                assert_eq!(
                    term.certainty.is_some(),
                    expected("standard_error").is_some(),
                    "{name}"
                );
                let Some(certainty) = term.certainty else { continue };
                let interval = certainty.interval.unwrap();
                for (key, found) in [
                    ("standard_error", certainty.standard_error),
                    ("t", certainty.t),
                    ("p", certainty.p),
                    ("low", interval.low),
                    ("high", interval.high),
                ] {
                    close(found, expected(key).unwrap(), &format!("{name} {key}"));
                }
            }
        }
    }

    /// A grid of three by four with a predictor that differs everywhere.
    fn grid() -> (Vec<f64>, Vec<f64>, [Clusters; 2]) {
        let y = (0..12).map(|i| f64::from(i * 7 % 12)).collect();
        let x = (0..12).map(|i| f64::from(i * i % 11)).collect();
        let labels = |label: fn(u32) -> u32| {
            Clusters::labelled(&(0..12).map(|i| label(i).to_string()).collect::<Vec<_>>())
        };
        (y, x, [labels(|i| i / 4), labels(|i| i % 4)])
    }

    #[test]
    fn one_predictor_is_the_line() {
        let (y, x, [a, b]) = grid();
        let pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
        let expected = line(&Pairs::new(&pairs).unwrap());
        let found = regression(&y, &[x], [&a, &b], 0.95, &wild()).unwrap();
        close(found.terms[0].coefficient, expected.intercept, "intercept");
        close(found.terms[1].coefficient, expected.slope, "slope");
        assert_eq!(found.degrees, 2);
    }

    #[test]
    fn what_has_no_regression() {
        let (y, x, [a, b]) = grid();
        let one = Clusters::labelled(&vec![String::new(); 12]);
        let check = |y: &[f64], columns: &[&[f64]], a: &Clusters, expected: NoRegression| {
            let columns: Vec<Vec<f64>> = columns.iter().map(|column| column.to_vec()).collect();
            assert_eq!(regression(y, &columns, [a, &b], 0.95, &wild()), Err(expected));
        };
        let rest: Vec<f64> = x.iter().map(|x| 5.0 - 2.0 * x).collect();
        let of_a: Vec<f64> = (0..12).map(|i| f64::from(i / 4)).collect();
        let square: Vec<f64> = of_a.iter().map(|a| a * a).collect();
        check(&y, &[&x, &[0.1; 12]], &a, NoRegression::Constant(1));
        check(&y, &[&x, &rest], &a, NoRegression::Dependent(1));
        let saturated = NoRegression::Saturated { predictor: 2, clusters: 3 };
        check(&y, &[&of_a, &x, &square], &a, saturated);
        check(&[2.0; 12], &[&x], &a, NoRegression::ConstantOutcome);
        check(&rest, &[&x], &a, NoRegression::Determined);
        check(&y, &[&x], &one, NoRegression::OneCluster);
    }

    #[test]
    fn as_many_coefficients_as_rows() {
        let labels =
            |text: &str| Clusters::labelled(&text.chars().map(String::from).collect::<Vec<_>>());
        let columns =
            [0, 1, 2].map(|at| (0..4).map(|row| f64::from(u8::from(row == at))).collect());
        let clusters = [&labels("aabb"), &labels("abab")];
        let found = regression(&[1.0, 2.0, 4.0, 8.0], &columns, clusters, 0.95, &wild());
        assert_eq!(found, Err(NoRegression::TooFewRows { rows: 4, coefficients: 4 }));
    }
}
