//! OCP microscaling formats (MX v1.0): blocks of 32 along a row, a power of two as scale, small floats or integers as elements
//! (§6.3). X = 2^e with e = ⌊log2 max|v|⌋ − emax, ŵ = round(v / X) · X, saturating. The other rules for e are torchao's.

use babelquant_proto::quant::{MxElement, ScaleRule};

use super::minifloat::{E2M1, E2M3, E3M2, E4M3, E5M2, Minifloat};
use crate::quant::range::Range;
use crate::quant::walk::{Block, walk};
use crate::quant::{MatrixShape, QuantError, Quantized};

/// Weights in a block.
const BLOCK: usize = 32;
/// Bits of a stored scale.
const SCALE_BITS: f64 = 8.0;

/// The weights [out, in] in blocks of 32.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    element: MxElement,
    scale_rule: ScaleRule,
) -> Result<Quantized, QuantError> {
    if !shape.columns.is_multiple_of(BLOCK) {
        let reason = format!("blocks of {BLOCK} do not divide a row of {} weights", shape.columns);
        return Err(QuantError::unsupported(reason));
    }
    let element = Element::of(element);
    let (rounded, groups) = walk(weights, BLOCK, element.values(), &Mx { element, scale_rule })?;
    let bits_per_weight = element.bits() + SCALE_BITS / BLOCK as f64;
    Ok(Quantized::on_grids(rounded, bits_per_weight, groups))
}

/// What a block's weights become over its scale.
#[derive(Debug, Clone, Copy)]
enum Element {
    /// A float of so many bits.
    Float(Minifloat, f64),
    /// Multiples of 1/64 up to ±127/64.
    Int8,
}

impl Element {
    fn of(element: MxElement) -> Self {
        match element {
            MxElement::Fp4 => Self::Float(E2M1, 4.0),
            MxElement::Fp6E2m3 => Self::Float(E2M3, 6.0),
            MxElement::Fp6E3m2 => Self::Float(E3M2, 6.0),
            MxElement::Fp8E4m3 => Self::Float(E4M3, 8.0),
            MxElement::Fp8E5m2 => Self::Float(E5M2, 8.0),
            MxElement::Int8 => Self::Int8,
        }
    }

    fn bits(self) -> f64 {
        match self {
            Self::Float(_, bits) => bits,
            Self::Int8 => 8.0,
        }
    }

    fn values(self) -> u32 {
        match self {
            Self::Float(float, _) => float.values,
            Self::Int8 => 255,
        }
    }

    /// Exponent of the largest element, bits of its mantissa, and the element itself.
    #[inline(always)]
    fn largest(self) -> (i32, u32, f32) {
        match self {
            Self::Float(float, _) => (float.exponent_max, float.mantissa_bits, float.max),
            Self::Int8 => (0, 6, 127.0 / 64.0),
        }
    }

    #[inline(always)]
    fn round(self, x: f32) -> f32 {
        match self {
            Self::Float(float, _) => float.round(x),
            Self::Int8 => (x * 64.0).round_ties_even().clamp(-127.0, 127.0) / 64.0,
        }
    }
}

/// A block with its own power of two.
struct Mx {
    element: Element,
    scale_rule: ScaleRule,
}

impl Mx {
    /// e of the scale 2^e, −127 … 127, from the largest magnitude of a block.
    #[inline(always)]
    fn exponent(&self, magnitude: f32) -> i32 {
        let (exponent_max, mantissa_bits, largest) = self.element.largest();
        let floor = |x: f32| (x.to_bits() >> 23) as i32 - 127;
        let above = |x: f32| i32::from(x.to_bits() & 0x7f_ffff != 0);
        let exponent = match self.scale_rule {
            ScaleRule::Floor => floor(magnitude) - exponent_max,
            ScaleRule::Ceil => floor(magnitude) + above(magnitude) - exponent_max,
            ScaleRule::Even => {
                let half = 1 << (23 - mantissa_bits - 1);
                floor(f32::from_bits(magnitude.to_bits() + half)) - exponent_max
            }
            ScaleRule::RoundedCeil => {
                let ratio = magnitude / largest;
                floor(ratio) + above(ratio)
            }
        };
        exponent.clamp(-127, 127)
    }
}

impl Block for Mx {
    #[inline(always)]
    fn round(&self, weights: &[f32], output: &mut [f32]) -> Result<[f32; 2], QuantError> {
        let magnitude = Range::of_run(weights)?.magnitude();
        let exponent = self.exponent(magnitude);
        // 2^±127 is subnormal on one side: two exact factors instead of one.
        let half = exponent / 2;
        let factor = |first: i32, second: i32| {
            (super::minifloat::power_of_two(first), super::minifloat::power_of_two(second))
        };
        let (up, down) = (factor(half, exponent - half), factor(-half, half - exponent));
        let round = |weight: f32| self.element.round(weight * down.0 * down.1) * up.0 * up.1;
        QuantError::unless_finite(round(magnitude), magnitude)?;
        for (value, &weight) in output.iter_mut().zip(weights) {
            *value = round(weight);
        }
        let limit = (self.element.largest().2 * up.0 * up.1).min(f32::MAX);
        Ok([-limit, limit])
    }
}
