//! Where uniform grids end: one rule a file, each from the weights that share a grid. Not the grid.

mod aciq;
mod least_squares;
mod octav;
mod percentile;
#[cfg(test)]
mod tests;

use babelquant_proto::quant::{Clip, Symmetry, Uniform};

use super::Sample;
use super::range::Range;

pub(super) use least_squares::square_error;

/// How the ends of a grid are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ends {
    /// By the config's own rule.
    Rule,
    /// At so many population standard deviations.
    Sigmas(f64),
}

/// The range of the weights cut to where a grid of `config` is to end. A symmetric grid is cut on both sides of zero; an asymmetric
/// one on both sides of the mean by ACIQ, whose model is centred, and of zero by the other rules. A rule that would leave nothing (σ of
/// equal weights, a quantile among zeros) cuts nothing.
pub(super) fn clipped(range: Range, sample: Sample<'_>, (config, ends): (Uniform, Ends)) -> Range {
    let bits = config.bits.get();
    let around_zero = |limit: f64| range.within(-limit as f32, limit as f32);
    let sigmas = |count: f64| around_zero(count * sample.moments().std().unwrap_or(0.0));
    let around_center = |density: aciq::Density| {
        let fit = aciq::Fit::of(sample);
        let limit = fit.limit(density.unwrap_or_better(&fit), bits);
        match config.symmetry {
            Symmetry::Symmetric => around_zero(limit),
            Symmetry::Asymmetric => {
                range.within((fit.mean - limit) as f32, (fit.mean + limit) as f32)
            }
        }
    };
    let cut = match (ends, config.clip) {
        (Ends::Sigmas(count), _) => sigmas(count),
        (Ends::Rule, Clip::AbsMax) => range,
        (Ends::Rule, Clip::Sigma(count)) => sigmas(count.value()),
        (Ends::Rule, Clip::Percentile(share)) => {
            around_zero(percentile::of_magnitudes(sample, share.value() / 100.0))
        }
        (Ends::Rule, Clip::AciqGauss) => around_center(aciq::Density::Gauss),
        (Ends::Rule, Clip::AciqLaplace) => around_center(aciq::Density::Laplace),
        (Ends::Rule, Clip::AciqAuto) => around_center(aciq::Density::Better),
        (Ends::Rule, Clip::Octav) => around_zero(octav::limit(range, sample, config)),
        (Ends::Rule, Clip::Mse) => least_squares::range(range, sample, config),
    };
    if cut.magnitude() > 0.0 { cut } else { range }
}
