//! Intervals of correlations on Fisher's scale, where they are nearly normal. Not those of a bootstrap.

use super::distribution::normal_quantile_two_sided;
use super::interval::Interval;

/// How an estimate spreads on Fisher's scale: variance/degrees is the square of its standard error there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    variance: f64,
    degrees: f64,
}

impl Scale {
    /// Of Pearson's r with degrees = n−3, of a partial correlation less the covariates (science §E.1).
    pub fn pearson(degrees: f64) -> Self {
        Self { variance: 1.0, degrees }
    }

    /// Of Spearman's ρ of n pairs: (1+ρ²/2)/(n−3) (Bonett & Wright 2000).
    pub fn spearman(rho: f64, n: usize) -> Self {
        Self { variance: 1.0 + rho * rho / 2.0, degrees: n as f64 - 3.0 }
    }

    /// Of Kendall's τ of n pairs: 0.437/(n−4) (Fieller, Hartley & Pearson 1957).
    pub fn kendall(n: f64) -> Self {
        Self { variance: 0.437, degrees: n - 4.0 }
    }

    /// The standard error; `None` without degrees.
    pub(super) fn error(self) -> Option<f64> {
        (self.degrees > 0.0).then(|| (self.variance / self.degrees).sqrt())
    }

    /// tanh(atanh r ± z·error); `None` without degrees.
    pub fn interval(self, r: f64, confidence: f64) -> Option<Interval> {
        let half = normal_quantile_two_sided(confidence)? * self.error()?;
        Some(Interval { low: (r.atanh() - half).tanh(), high: (r.atanh() + half).tanh() })
    }
}

/// Fisher's interval tanh(atanh r ± z/√degrees); `None` without degrees.
pub(super) fn fisher(r: f64, degrees: f64, confidence: f64) -> Option<Interval> {
    Scale::pearson(degrees).interval(r, confidence)
}

/// The interval of Spearman's ρ of n pairs; `None` below four.
pub fn bonett_wright(rho: f64, n: usize, confidence: f64) -> Option<Interval> {
    Scale::spearman(rho, n).interval(rho, confidence)
}
