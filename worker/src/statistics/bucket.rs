//! A bucket: weights of one sign whose magnitudes agree in their leading bits.

/// Mantissa bits that the values of a bucket share: as many as f16 has, so that a value widened from f16 or bf16 is the edge
/// of its bucket.
const SHARED_MANTISSA_BITS: u32 = 10;

/// Bits of an f32 that are free within a bucket.
pub(super) const FREE_BITS: u32 = 23 - SHARED_MANTISSA_BITS;

/// The free bits of an f32.
pub(super) const FREE_MASK: u32 = (1 << FREE_BITS) - 1;

/// Weights of one sign and nearly one magnitude: how many, and exactly what they sum to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bucket {
    /// Where the bucket begins: the value of the smallest magnitude that it may hold, with its sign.
    pub(super) edge: f32,
    /// How many weights.
    pub(super) count: u64,
    /// Sum of the distances of the weights from the edge, in units of `ulp`; 0 if they are all equal to the edge.
    pub(super) offsets: u64,
}

impl Bucket {
    /// Weights of one value.
    pub(super) fn of_value(value: f32, count: u64) -> Self {
        Self { edge: value, count, offsets: 0 }
    }

    /// Both together; they have one edge.
    pub(super) fn merge(self, other: Self) -> Self {
        let (count, offsets) = (self.count + other.count, self.offsets + other.offsets);
        Self { edge: self.edge, count, offsets }
    }

    /// The bits of the edge's magnitude: they order buckets of one sign, and name them.
    pub(super) fn magnitude(self) -> u32 {
        self.edge.to_bits() & 0x7FFF_FFFF
    }

    /// Whether every weight in it is known: they all are the edge.
    pub(super) fn is_exact(self) -> bool {
        self.offsets == 0
    }

    /// Mean of its weights.
    pub(super) fn mean(self) -> f64 {
        let offset = self.mean_offset() * self.ulp();
        f64::from(self.edge) + if self.edge.is_sign_negative() { -offset } else { offset }
    }

    /// The largest magnitude that it may hold.
    pub(super) fn limit(self) -> f64 {
        let limit = if self.is_exact() { self.magnitude() } else { self.magnitude() | FREE_MASK };
        f32::from_bits(limit).into()
    }

    /// L-scale λ2 of its weights as far as their mean tells: it lies between 0 and 3/2 of this. A mean in the middle of
    /// the bucket is what evenly spread weights have, with λ2 = width/6; two-point data at the ends have 3/2 of that; a mean at
    /// the edge leaves no room for a difference.
    pub(super) fn l_scale(self) -> f64 {
        let (mean, width) = (self.mean_offset(), f64::from(FREE_MASK));
        2.0 / 3.0 * mean * (1.0 - mean / width) * self.ulp()
    }

    fn mean_offset(self) -> f64 {
        if self.is_exact() { 0.0 } else { self.offsets as f64 / self.count as f64 }
    }

    /// Distance of neighbouring f32 in the bucket.
    fn ulp(self) -> f64 {
        let magnitude = self.magnitude();
        f64::from(f32::from_bits(magnitude | 1)) - f64::from(f32::from_bits(magnitude & !1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_exact() {
        let bucket = |edge, count, offsets| Bucket { edge, count, offsets };
        let ulp = f64::from(f32::EPSILON);
        assert_eq!(bucket(1.0, 2, 0).mean(), 1.0);
        assert_eq!(bucket(1.0, 2, 5).mean(), 1.0 + 2.5 * ulp);
        assert_eq!(bucket(-2.0, 4, 6).mean(), -2.0 - 3.0 * ulp);
        assert_eq!(bucket(-0.0, 1, 3).mean(), -3.0 * f64::from(f32::from_bits(1)));
        assert_eq!(bucket(0.1, 7, 0).mean(), f64::from(0.1_f32));
    }

    #[test]
    fn evenly_spread_weights_have_a_sixth_of_the_width() {
        let width = f64::from(FREE_MASK) * f64::from(f32::EPSILON);
        let even = Bucket { edge: 1.0, count: 2, offsets: FREE_MASK.into() };
        assert!((even.l_scale() - width / 6.0).abs() < 1e-18);
        assert_eq!(Bucket { offsets: 0, ..even }.l_scale(), 0.0);
        assert_eq!(even.limit(), 1.0 + width);
    }
}
