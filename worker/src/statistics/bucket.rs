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
    /// Both together; they have one edge, or it is the first one's that counts.
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
        if self.is_exact() {
            return self.edge.into();
        }
        let offset = self.mean_offset() * self.ulp();
        f64::from(self.edge) + if self.edge.is_sign_negative() { -offset } else { offset }
    }

    /// The largest magnitude that it may hold.
    pub(super) fn limit(self) -> f64 {
        let limit = if self.is_exact() { self.magnitude() } else { self.magnitude() | FREE_MASK };
        f32::from_bits(limit).into()
    }

    /// L-scale λ2 of its weights as far as their mean a above the edge tells. With N equally likely offsets below the width
    /// N − 1, λ2 is (N² − 1)/6N at a = (N − 1)/2; otherwise it is taken in proportion to a·(1 − a/(N − 1)), 3/2 of which is the
    /// largest possible, and 0 where all weights are the edge. The sample of m weights makes that product too small by 1/3m.
    pub(super) fn l_scale(self) -> f64 {
        let (mean, width, count) = (self.mean_offset(), f64::from(FREE_MASK), self.count as f64);
        let product = mean * (1.0 - mean / width) * (width + 2.0) / (width + 1.0);
        2.0 / 3.0 * product * self.ulp() * 3.0 * count / (3.0 * count - 1.0)
    }

    fn mean_offset(self) -> f64 {
        self.offsets as f64 / self.count as f64
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
        let n = 1_000_001;
        let even = Bucket { edge: 1.0, count: n, offsets: n * u64::from(FREE_MASK) / 2 };
        let values = f64::from(FREE_MASK + 1);
        let expected = (values * values - 1.0) / (6.0 * values) * f64::from(f32::EPSILON);
        assert!((even.l_scale() / expected - 1.0).abs() < 1e-6);
        assert_eq!(Bucket { offsets: 0, ..even }.l_scale(), 0.0);
        assert_eq!(even.limit(), 1.0 + f64::from(FREE_MASK) * f64::from(f32::EPSILON));
    }
}
