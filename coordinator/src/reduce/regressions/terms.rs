//! The terms of the model, and why one is not in it. Computes nothing.

use crate::reduce::tables::INTERCEPT;
use crate::statistics::NoRegression;

/// A term of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Term {
    Intercept,
    Kurtosis,
    Share,
    KurtosisByShare,
    LogVolume,
    Latin,
}

impl Term {
    pub(super) const ALL: [Self; 6] = [
        Self::Intercept,
        Self::Kurtosis,
        Self::Share,
        Self::KurtosisByShare,
        Self::LogVolume,
        Self::Latin,
    ];
    /// The predictors of a cell, in the order of `Cell::values`.
    pub(super) const KNOWN: [Self; 4] = [Self::Kurtosis, Self::Share, Self::LogVolume, Self::Latin];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Intercept => INTERCEPT,
            Self::Kurtosis => "kurtosis",
            Self::Share => "activation_share",
            Self::KurtosisByShare => "kurtosis_by_share",
            Self::LogVolume => "log_volume",
            Self::Latin => "latin",
        }
    }

    /// Why the model has to do without the term.
    pub(super) fn left_out(self, why: NoRegression) -> String {
        let clusters = match self {
            Self::Kurtosis => "layers",
            Self::Intercept | Self::Share | Self::KurtosisByShare => "clusters",
            Self::LogVolume | Self::Latin => "languages",
        };
        match why {
            NoRegression::Saturated { clusters: count, .. } => {
                format!("not in the model: {count} {clusters} are too few for it")
            }
            NoRegression::Dependent(_) => {
                "not in the model: a combination of the terms before it".to_owned()
            }
            other => format!("not in the model: {}", in_words(other)),
        }
    }
}

/// Why there is no model at all.
pub(super) fn in_words(why: NoRegression) -> String {
    match why {
        NoRegression::TooFewRows { rows, coefficients } => {
            format!("{rows} cells are too few for {coefficients} coefficients")
        }
        NoRegression::OneCluster => {
            "errors clustered by language and layer need two of each".to_owned()
        }
        NoRegression::ConstantOutcome => "ΔNLL is the same in all cells".to_owned(),
        NoRegression::Determined => "the terms determine ΔNLL: no errors are left".to_owned(),
        NoRegression::Constant(_) => CONSTANT.to_owned(),
        NoRegression::Dependent(_) | NoRegression::Saturated { .. } => {
            "the terms cannot be told apart".to_owned()
        }
    }
}

/// Of a column with one value.
pub(super) const CONSTANT: &str = "the same in all cells";

/// Of a term without a standard error.
pub(super) const NEGATIVE: &str = "no standard error: V_language + V_layer − V_cell is not positive, as happens with few languages or layers";

/// Of the product without a factor.
pub(super) const FACTOR: &str = "not in the model: one of its factors is not";
