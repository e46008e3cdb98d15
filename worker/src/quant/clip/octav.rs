//! OCTAV (Sakr et al. 2022): the fixed point of the clipping value that least squares asks for, from the weights themselves.
//!
//! s ← Σ_{|w|>s} |w| / ((4^(−B)/3)·#{0 < |w| ≤ s} + #{|w| > s}), from s₀ = mean of |w| ≠ 0.

use babelquant_proto::quant::Uniform;

use super::least_squares::bounded_square_error;
use crate::quant::Sample;
use crate::quant::range::Range;
use crate::quant::sums::{Terms, sums};

/// Steps after which a sequence that does not settle is given up.
const STEPS: usize = 20;
/// Relative change below which it has settled.
const SETTLED: f64 = 1e-6;

/// Where a grid of `config` is to end. Small groups of two bits may come to alternate between two values: the one of the smaller
/// error is taken.
pub(super) fn limit(range: Range, sample: Sample<'_>, config: Uniform) -> f64 {
    let [sum, count] = sums(sample, &Above(0.0));
    if count == 0.0 {
        return 0.0;
    }
    let noise = 4_f64.powi(-i32::from(config.bits.get())) / 3.0;
    let next = |s: f64| {
        let [sum, above] = sums(sample, &Above(s));
        (above > 0.0).then(|| sum / (noise * (count - above) + above))
    };
    let (mut before, mut s) = (sum / count, sum / count);
    for _ in 0..STEPS {
        let Some(after) = next(s) else { return s };
        if (after - s).abs() <= SETTLED * s {
            return after;
        }
        if (after - before).abs() <= SETTLED * s {
            return better((s, after), (range, sample, config));
        }
        (before, s) = (s, after);
    }
    better((before, s), (range, sample, config))
}

/// Of two ends the one of the smaller square error.
fn better((a, b): (f64, f64), (range, sample, config): (Range, Sample<'_>, Uniform)) -> f64 {
    let error = |s: f64| {
        bounded_square_error(range.within(-s as f32, s as f32), sample, (config, f64::MAX))
    };
    if error(b) < error(a) { b } else { a }
}

/// Σ|w| and the count of weights with |w| above a bound.
struct Above(f64);

impl Terms<2> for Above {
    #[inline(always)]
    fn of(&self, weight: f32) -> [f64; 2] {
        let magnitude = f64::from(weight.abs());
        match magnitude > self.0 {
            true => [magnitude, 1.0],
            false => [0.0, 0.0],
        }
    }
}
