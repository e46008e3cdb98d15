//! What about a correlation should give pause. When it does stands in `caution`, what to do about it in `report`.

use serde::Serialize;

/// A reason for caution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Warning {
    /// Small correlations cannot be seen in so few rows.
    FewPoints {
        /// Rows.
        n: usize,
        /// The smallest |r| that is seen with 80 % power.
        detectable_r: f64,
        /// Rows that the observed r needs for 80 % power; `None` where no number does.
        needed: Option<f64>,
    },
    /// Without one row, or one cluster of rows, the correlation is significant no more, or only then.
    OneCarries {
        /// The row or the cluster.
        label: String,
        /// p of all rows.
        p: f64,
        /// r without it; `None` where the others have none.
        r_without: Option<f64>,
        /// p without it.
        p_without: Option<f64>,
    },
    /// A correlation that is significant in the rows whose covariates are known is not with these held fixed.
    CovariateRemoves {
        /// What is held fixed.
        controls: Vec<String>,
        /// Rows of which that is known.
        n: usize,
        /// Partial r.
        r: f64,
        /// Its p.
        p: f64,
    },
    /// A column follows so nearly from the others that its share cannot be told.
    Inflated {
        /// The column.
        column: String,
        /// Its variance inflation.
        inflation: f64,
        /// What it is inflated by.
        others: Vec<String>,
    },
    /// More covariates than the rows can bear.
    ManyCovariates {
        /// Covariates.
        covariates: usize,
        /// Rows.
        n: usize,
    },
    /// Rows are related, and with clusters resampled or averaged the correlation is not significant.
    Related {
        /// What the clusters are.
        cluster: String,
        /// How many.
        clusters: usize,
        /// Rows.
        n: usize,
    },
    /// Rows whose cluster is not known count as clusters of their own.
    Unclustered {
        /// What the clusters are.
        cluster: String,
        /// The rows.
        labels: Vec<String>,
    },
}

/// Rows that one covariate needs.
pub(crate) const ROWS_PER_COVARIATE: usize = 7;
