//! Intervals of correlations on Fisher's scale, where they are nearly normal. Not those of a bootstrap.

use super::distribution::normal_quantile_two_sided;
use super::interval::Interval;

/// Fisher's interval tanh(atanh r ± z/√degrees), degrees = n−3, of a partial correlation less the covariates (science §E.1); `None`
/// without degrees.
pub(super) fn fisher(r: f64, degrees: f64, confidence: f64) -> Option<Interval> {
    on_its_scale(r, 1.0, degrees, confidence)
}

/// The interval of Spearman's ρ of n pairs, tanh(atanh ρ ± z·√((1+ρ²/2)/(n−3))) (Bonett & Wright 2000); `None` below four.
pub fn bonett_wright(rho: f64, n: usize, confidence: f64) -> Option<Interval> {
    on_its_scale(rho, 1.0 + rho * rho / 2.0, n as f64 - 3.0, confidence)
}

fn on_its_scale(r: f64, variance: f64, degrees: f64, confidence: f64) -> Option<Interval> {
    let half = normal_quantile_two_sided(confidence)? * (variance / degrees).sqrt();
    let interval = Interval { low: (r.atanh() - half).tanh(), high: (r.atanh() + half).tanh() };
    (degrees > 0.0).then_some(interval)
}
