//! Small floats: rounding an f32 to the values of a format with few exponent and mantissa bits. Not their scales.

/// A binary float without infinities in use: subnormals below `2^exponent_min`, saturation above `max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Minifloat {
    /// Explicit bits of the mantissa.
    pub(super) mantissa_bits: u32,
    /// Exponent of the smallest normal value.
    pub(super) exponent_min: i32,
    /// Exponent of the largest value.
    pub(super) exponent_max: i32,
    /// Largest value.
    pub(super) max: f32,
    /// Distinct finite values.
    pub(super) values: u32,
}

/// OCP E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6.
pub(super) const E2M1: Minifloat =
    Minifloat { mantissa_bits: 1, exponent_min: 0, exponent_max: 2, max: 6.0, values: 15 };
/// OCP E2M3.
pub(super) const E2M3: Minifloat =
    Minifloat { mantissa_bits: 3, exponent_min: 0, exponent_max: 2, max: 7.5, values: 63 };
/// OCP E3M2.
pub(super) const E3M2: Minifloat =
    Minifloat { mantissa_bits: 2, exponent_min: -2, exponent_max: 4, max: 28.0, values: 63 };
/// E4M3FN.
pub(super) const E4M3: Minifloat =
    Minifloat { mantissa_bits: 3, exponent_min: -6, exponent_max: 8, max: 448.0, values: 253 };
/// E5M2.
pub(super) const E5M2: Minifloat =
    Minifloat { mantissa_bits: 2, exponent_min: -14, exponent_max: 15, max: 57344.0, values: 247 };

impl Minifloat {
    /// The nearest value, ties to the even mantissa; beyond the largest value, that value.
    ///
    /// With e = max(⌊log2|x|⌋, exponent_min) the values around x are multiples of 2^(e − mantissa bits): x is divided by that
    /// power of two, rounded and multiplied again, all of which is exact.
    #[inline(always)]
    pub(super) fn round(self, x: f32) -> f32 {
        let exponent = (((x.to_bits() >> 23) & 0xff) as i32 - 127).max(self.exponent_min);
        // A number beyond the format is clamped before its step could overflow.
        let shift = exponent.min(self.exponent_max) - self.mantissa_bits as i32;
        let step = power_of_two(shift);
        let inverse = power_of_two(-shift);
        let clamped = x.clamp(-self.max, self.max);
        (clamped * inverse).round_ties_even() * step
    }
}

/// 2^exponent for exponents of normal floats, −126 … 127.
#[inline(always)]
pub(super) fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_e2m1_stands_for_its_neighbourhood() {
        let grid = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        for (low, high) in grid.iter().zip(&grid[1..]) {
            let middle = (low + high) / 2.0;
            assert_eq!((E2M1.round(*low), E2M1.round(-high)), (*low, -high));
            assert_eq!(E2M1.round(middle * 0.999), *low);
            assert_eq!(E2M1.round(middle * 1.001), *high);
        }
        // Ties go to the even code: 0, 1, 1, 2, 2, 4, 4.
        let ties = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0].map(|x| E2M1.round(x));
        assert_eq!(ties, [0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
        assert_eq!((E2M1.round(f32::MAX), E2M1.round(-7.0)), (6.0, -6.0));
    }

    #[test]
    fn subnormals_and_the_largest_values() {
        for format in [E2M1, E2M3, E3M2, E4M3, E5M2] {
            assert_eq!(format.round(format.max), format.max);
            assert_eq!(format.round(format.max * 1.5), format.max);
            let smallest = power_of_two(format.exponent_min - format.mantissa_bits as i32);
            assert_eq!(format.round(smallest), smallest);
            assert_eq!(format.round(smallest / 2.0), 0.0);
            assert_eq!(format.round(smallest * 0.51), smallest);
            assert_eq!(format.round(1e-45), 0.0);
        }
        assert_eq!(E4M3.round(17.0), 16.0);
        assert_eq!(E4M3.round(464.0), 448.0);
        assert_eq!(E4M3.round(2.0_f32.powi(-9)), 2.0_f32.powi(-9));
        assert_eq!(E5M2.round(61440.0), 57344.0);
    }
}
