//! Scalar functions and sums written so that the compiler turns them into the widest SIMD of the machine inside
//! `pulp::Arch::dispatch`. Fixed lane order and no fused multiply–add: one instruction set gives one result.

/// Lanes of every blocked sum.
pub(crate) const LANES: usize = 16;
/// Values that a lane adds in f32 before it is widened: 16.
const FLUSH: usize = LANES * 16;

/// eˣ in f32, x clamped to [−87.3, 88]; relative error below 2e-7 (Cephes polynomial of degree 5 after range reduction).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_5e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let power = shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127) << 23;
    (p * r * r + r + 1.0) * f32::from_bits(power)
}

/// gelu(x), tanh form, as x·sigmoid(2u) with u = √(2/π)·(x + 0.044715·x³).
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let u = 0.797_884_6 * x * (1.0 + 0.044_715 * x * x);
    x / (1.0 + exp(-2.0 * u))
}

/// x·Φ(x), with Φ through erfc(z) = t·e^(−z² + p(t)), t = 1/(1 + z/2), p a Chebyshev fit of degree 9; absolute error below 4e-7·|x|.
#[inline(always)]
pub(crate) fn gelu_erf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let p = 0.170_872_68_f32;
    let p = p * t - 0.822_152_26;
    let p = p * t + 1.488_515_9;
    let p = p * t - 1.135_204;
    let p = p * t + 0.278_868_08;
    let p = p * t - 0.186_288_06;
    let p = p * t + 0.096_784_19;
    let p = p * t + 0.374_091_95;
    let p = p * t + 1.000_023_7;
    let p = p * t - 1.265_512_2;
    let tail = 0.5 * t * exp(p - z * z);
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// x/(1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// tanh x as 1 − 2/(e²ˣ + 1); absolute error below 3e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// Σ f(value): 16 lanes, f32 over at most 16 values a lane, then f64; lanes are added in order.
#[inline(always)]
pub(crate) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let mut wide = [0_f64; LANES];
    for block in values.chunks(FLUSH) {
        let mut lanes = [0_f32; LANES];
        let chunks = block.chunks_exact(LANES);
        for (lane, &value) in lanes.iter_mut().zip(chunks.remainder()) {
            *lane = f(value);
        }
        for chunk in chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane += f(value);
            }
        }
        for (wide, lane) in wide.iter_mut().zip(lanes) {
            *wide += f64::from(lane);
        }
    }
    wide.iter().sum()
}

/// Σ f(a, b) over pairs, in the order of [`sum`].
#[inline(always)]
pub(crate) fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f64 {
    let [sum] = sums2(a, b, |a, b| [f(a, b)]);
    sum
}

/// As [`sum2`], for N functions in one pass.
#[inline(always)]
pub(crate) fn sums2<const N: usize>(
    a: &[f32],
    b: &[f32],
    f: impl Fn(f32, f32) -> [f32; N],
) -> [f64; N] {
    let mut wide = [[0_f64; LANES]; N];
    for (a, b) in a.chunks(FLUSH).zip(b.chunks(FLUSH)) {
        let mut lanes = [[0_f32; LANES]; N];
        let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        for (lane, (&a, &b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
            for (lanes, value) in lanes.iter_mut().zip(f(a, b)) {
                lanes[lane] = value;
            }
        }
        for (a, b) in a.zip(b) {
            for (lane, (&a, &b)) in a.iter().zip(b).enumerate() {
                for (lanes, value) in lanes.iter_mut().zip(f(a, b)) {
                    lanes[lane] += value;
                }
            }
        }
        for (wide, lanes) in wide.iter_mut().zip(lanes) {
            for (wide, lane) in wide.iter_mut().zip(lanes) {
                *wide += f64::from(lane);
            }
        }
    }
    wide.map(|wide| wide.iter().sum())
}

/// The largest value; −∞ for none. A NaN is passed over.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
    max_of(values, |value| value)
}

/// The largest f(value); as [`max`].
#[inline(always)]
pub(crate) fn max_of(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let raise = |lane: &mut f32, value: f32| *lane = if value > *lane { value } else { *lane };
    for (lane, &value) in lanes.iter_mut().zip(chunks.remainder()) {
        raise(lane, f(value));
    }
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            raise(lane, f(value));
        }
    }
    lanes.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        for step in -8700..=8800 {
            let x = step as f32 / 100.0;
            let (ours, theirs) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / theirs - 1.0).abs() < 2e-7, "{x}: {ours} {theirs}");
        }
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(-1000.0) < 2e-38);
    }

    #[test]
    fn gelu_is_accurate_and_saturates() {
        for step in -1000..=1000 {
            let x = f64::from(step) / 100.0;
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            let reference = x / (1.0 + (-2.0 * u).exp());
            assert!((f64::from(gelu(x as f32)) - reference).abs() < 1e-6, "{x}");
        }
        assert_eq!((gelu(50.0), gelu(1e9)), (50.0, 1e9));
        assert!(gelu(-50.0).abs() < 1e-30);
    }

    #[test]
    fn the_other_nonlinearities_are_accurate_and_saturate() {
        for step in -1200..=1200 {
            let x = step as f32 / 100.0;
            let wide = f64::from(x);
            let exact = candle_core::cpu::erf::erf_f64(wide / std::f64::consts::SQRT_2);
            let pairs = [
                (gelu_erf(x), 0.5 * wide * (1.0 + exact)),
                (silu(x), wide / (1.0 + (-wide).exp())),
                (tanh(x), wide.tanh()),
            ];
            for (ours, reference) in pairs {
                assert!((f64::from(ours) - reference).abs() < 4e-7 * wide.abs().max(1.0), "{x}");
            }
        }
        assert_eq!((gelu_erf(50.0), silu(1e9), tanh(99.0), tanh(-99.0)), (50.0, 1e9, 1.0, -1.0));
        assert!(gelu_erf(-50.0).abs() < 1e-30 && silu(-200.0).abs() < 1e-30);
    }

    #[test]
    fn sums_cover_every_length() {
        for n in [0, 1, 15, 16, 17, 255, 256, 257, 1000] {
            let values: Vec<f32> = (0..n).map(|i| (i % 7) as f32 - 2.0).collect();
            let reference: f64 = values.iter().map(|&v| f64::from(v)).sum();
            assert_eq!(sum(&values, |v| v), reference);
            assert_eq!(sum2(&values, &values, |a, b| a + b), 2.0 * reference);
            let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max(&values), top);
        }
    }
}
