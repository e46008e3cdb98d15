//! On which side of a number a claim says that a correlation lies, and the p of each side. Not the number (`bound`).

use super::distribution::{correlation_p, normal_cdf, normal_p};
use super::kendall::Kendall;
use super::permutation::Orders;

/// The correlations that a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Those below the number.
    Below,
    /// Those above it.
    Above,
    /// All but the number itself.
    Apart,
}

impl Side {
    /// The share of orders that correlate at least as far to this side.
    pub fn p_of_orders(self, orders: &Orders) -> f64 {
        let count = match self {
            Self::Below => orders.at_most,
            Self::Above => orders.at_least,
            Self::Apart => orders.as_strong,
        };
        count as f64 / orders.total as f64
    }

    /// Kendall's p on this side.
    pub fn p_of_kendall(self, kendall: &Kendall) -> f64 {
        match self {
            Self::Below => kendall.p_below,
            Self::Above => kendall.p_above,
            Self::Apart => kendall.p,
        }
    }

    /// p of a correlation `r` by Student's t with so many degrees: n − 2, of a partial one less the covariates.
    pub fn p_of_student(self, r: f64, degrees: f64) -> f64 {
        let both = correlation_p(r, degrees);
        let below = if r < 0.0 { both / 2.0 } else { 1.0 - both / 2.0 };
        match self {
            Self::Below => below,
            Self::Above if r < 0.0 => 1.0 - both / 2.0,
            Self::Above => both / 2.0,
            Self::Apart => both,
        }
    }

    /// p of a standard normal `z`.
    pub(super) fn p_of_normal(self, z: f64) -> f64 {
        match self {
            Self::Below => normal_cdf(z),
            Self::Above => normal_cdf(-z),
            Self::Apart => normal_p(z),
        }
    }
}
