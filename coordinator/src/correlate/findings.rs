//! What a table says about a question: the types that are printed and written as JSON. Not how they are computed (`examine`).

use serde::Serialize;

use super::facts::Fact;
use super::question::Question;
use super::sample::Dropped;
use super::warning::Warning;
use crate::statistics::{Interval, Test};

/// Version of the JSON.
pub(super) const VERSION: u32 = 2;

/// What is wrong with a table that has a header alone.
const EMPTY: &str = "it has no rows: add one for each language";

/// The answer to a question on a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Version of this document.
    pub version: u32,
    /// The file; its numbers are the user's.
    pub table: String,
    /// What was asked.
    pub question: Question,
    /// Columns that were not in the file but are published facts about languages.
    pub facts: Vec<Fact>,
    /// The tests that were corrected together, in words; `None` for a single one.
    pub family: Option<String>,
    /// The samples.
    pub samples: Vec<SampleFindings>,
}

impl Findings {
    /// Why nothing was found, where not a single correlation is defined.
    pub fn undefined(&self) -> Option<&str> {
        let mut predictors = self.samples.iter().flat_map(|sample| &sample.predictors);
        match predictors.clone().any(|finding| finding.correlation.is_some()) {
            true => None,
            false => {
                Some(predictors.find_map(|finding| finding.undefined.as_deref()).unwrap_or(EMPTY))
            }
        }
    }
}

/// What one sample says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleFindings {
    /// Value of each column that splits the rows, in the question's order.
    pub group: Vec<String>,
    /// Rows.
    pub n: usize,
    /// Rows that were left out.
    pub dropped: Vec<Dropped>,
    /// Each predictor with the outcome.
    pub predictors: Vec<Finding>,
    /// Each pair of predictors: does one do better than the other?
    pub comparisons: Vec<Comparison>,
}

/// A predictor and the outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The predictor.
    pub x: String,
    /// Why there is no correlation; `None` where there is one.
    pub undefined: Option<String>,
    /// The correlation.
    pub correlation: Option<Correlation>,
    /// What is left of it with covariates held fixed: each alone, then all together.
    pub partials: Vec<Controlled>,
    /// The smallest |r| that a test at 5 % finds with 80 % power in so many rows.
    pub detectable_r: Option<f64>,
    /// Rows from which on such a test finds a correlation as large as the one observed.
    pub rows_needed: Option<f64>,
    /// What should give pause.
    pub warnings: Vec<Warning>,
}

/// Correlations of a predictor and the outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlation {
    /// Pearson's r.
    pub pearson_r: f64,
    /// t; `None` where |r| is 1.
    pub pearson_t: Option<f64>,
    /// Two-sided p from t.
    pub pearson_p: f64,
    /// The permutation test of r.
    pub permutation: Permutation,
    /// p corrected for the family of tests; `None` for a single test.
    pub corrected: Option<Corrected>,
    /// Intervals of r.
    pub intervals: Vec<Claimed>,
    /// Spearman's ρ.
    pub spearman_rho: f64,
    /// Two-sided p from t.
    pub spearman_p: f64,
    /// The permutation test of ρ.
    pub spearman_permutation: Permutation,
    /// Bonett and Wright's interval.
    pub spearman_interval: Option<Interval>,
    /// Kendall's τ-b.
    pub kendall_tau: f64,
    /// Two-sided p.
    pub kendall_p: f64,
    /// Change of the outcome per unit of the predictor.
    pub slope: f64,
    /// Its standard error.
    pub slope_error: f64,
    /// The outcome where the predictor is 0.
    pub intercept: f64,
    /// r without one row.
    pub leave_one_out: LeaveOut,
    /// The same question over clusters of rows.
    pub clusters: Option<Clustered>,
}

/// A permutation test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Permutation {
    /// Two-sided p.
    pub p: f64,
    /// True where every order was counted.
    pub exact: bool,
    /// Orders that correlate at least as strongly; of random ones the observed is one.
    pub as_strong: u64,
    /// Orders in all.
    pub orders: u64,
}

/// p values corrected for a family of tests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Corrected {
    /// Holm's, of p from t.
    pub holm_p: f64,
    /// Benjamini and Hochberg's, of p from t.
    pub benjamini_hochberg_p: f64,
    /// The share of random orders in which any predictor of this sample correlates at least as strongly (max-T).
    pub max_t_p: f64,
}

/// An interval and what it claims.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claimed {
    /// How it is made.
    pub method: Method,
    /// Its ends.
    #[serde(flatten)]
    pub interval: Interval,
}

/// How an interval of r is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// tanh(atanh r ± z/√(n−3)).
    Fisher,
    /// Quantiles of all resamples.
    PercentileExact,
    /// Quantiles of random resamples.
    PercentileSampled,
    /// Quantiles of all resamples, moved for bias and acceleration.
    BcaExact,
    /// The same of random resamples.
    BcaSampled,
    /// Quantiles of r over resampled clusters.
    ClusterPercentile,
    /// Fisher's interval of the clusters' means.
    ClusterMeans,
}

impl Method {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fisher => "Fisher",
            Self::PercentileExact => "percentile of all resamples",
            Self::PercentileSampled => "percentile of resamples",
            Self::BcaExact => "BCa of all resamples",
            Self::BcaSampled => "BCa of resamples",
            Self::ClusterPercentile => "percentile over clusters",
            Self::ClusterMeans => "Fisher over cluster means",
        }
    }

    /// What it claims to hold, and where it does not (`tests/calibration.rs` simulates it).
    pub fn claim(self) -> &'static str {
        match self {
            Self::Fisher => "independent rows, normal columns; too narrow for skewed ones",
            Self::PercentileExact | Self::PercentileSampled => {
                "independent rows; too narrow in few, and for skewed columns"
            }
            Self::BcaExact | Self::BcaSampled => {
                "moved for bias and skewness; too narrow for skewed columns"
            }
            Self::ClusterPercentile => "related rows; too narrow with few clusters",
            Self::ClusterMeans => "related rows, normal means of independent clusters",
        }
    }
}

/// What leaving rows out does to r.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeaveOut {
    /// r without each row, in the table's order, or without each cluster.
    pub each: Vec<Left>,
    /// The one whose absence moves r most.
    pub most_influential: Option<String>,
    /// (n−1)(r̄ − r), the jackknife's bias.
    pub bias: Option<f64>,
    /// The jackknife's standard error.
    pub error: Option<f64>,
}

/// r without a row or a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Left {
    /// What is left out.
    pub label: String,
    /// r of the others; `None` where they have none.
    pub r: Option<f64>,
    /// Its two-sided p.
    pub p: Option<f64>,
}

/// The correlation over clusters of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clustered {
    /// What the clusters are.
    pub cluster: String,
    /// How many.
    pub clusters: usize,
    /// Probability that r over resampled clusters has the other sign than r.
    pub other_sign: Option<f64>,
    /// Pearson's r of the clusters' means.
    pub means_r: Option<f64>,
    /// Its two-sided p.
    pub means_p: Option<f64>,
    /// Why the means have no correlation.
    pub undefined: Option<String>,
    /// r without each cluster.
    pub leave_one_out: LeaveOut,
}

/// What is left with covariates held fixed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Controlled {
    /// The covariates.
    pub controls: Vec<String>,
    /// Rows that have all of them.
    pub n: usize,
    /// Pearson's r of these rows with nothing held fixed; `None` where they have none.
    pub alone: Option<Alone>,
    /// Why there is no partial correlation; `None` where there is one.
    pub undefined: Option<String>,
    /// The partial correlation.
    pub partial: Option<PartialFinding>,
}

/// A correlation with nothing held fixed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Alone {
    /// Pearson's r.
    pub r: f64,
    /// Its two-sided p.
    pub p: f64,
}

/// A partial correlation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartialFinding {
    /// r of the residuals.
    pub r: f64,
    /// Degrees of freedom.
    pub degrees: usize,
    /// Two-sided p.
    pub p: f64,
    /// Fisher's interval.
    pub interval: Option<Interval>,
    /// r of the outcome and the predictor's residuals.
    pub semi_r: f64,
    /// Its two-sided p.
    pub semi_p: f64,
    /// Variance inflation of the predictor, then of each covariate.
    pub inflation: Vec<f64>,
}

/// Does one predictor go with the outcome better than another?
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The first predictor.
    pub first: String,
    /// The second.
    pub second: String,
    /// r of the first and the outcome.
    pub first_r: f64,
    /// r of the second and the outcome.
    pub second_r: f64,
    /// r of the predictors with each other.
    pub between_r: f64,
    /// Williams's t.
    pub williams: Option<Test>,
    /// Steiger's Z.
    pub steiger: Option<Test>,
    /// Meng, Rosenthal and Rubin's Z.
    pub meng: Option<Test>,
}
