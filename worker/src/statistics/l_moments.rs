//! L-moments of a population (Hosking 1990), from the gaps between its values.

use super::bucket::Bucket;
use super::population::Population;

/// Sample L-moments λ2 to λ4 and what limits them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LMoments {
    count: u64,
    /// 1/(n − r), or 0 where that is undefined.
    inverse: [f64; 4],
    /// Values added so far, and the largest of them.
    below: f64,
    last: Option<f64>,
    scale: f64,
    third: f64,
    fourth: f64,
    /// The part of λ2 that comes from differences within buckets, which are estimated.
    within: f64,
}

impl LMoments {
    /// With b_r = n⁻¹ Σᵢ C(i−1,r)/C(n−1,r) x₍ᵢ₎: λ2 = 2b1 − b0, λ3 = 6b2 − 6b1 + b0, λ4 = 20b3 − 30b2 + 12b1 − b0. Summed by parts
    /// with G_r(N) = C(N,r+1)/C(n,r+1), where N values lie below a gap between neighbours, these are
    /// λ2 = Σ gap · (G0 − G1), λ3 = Σ gap · (3G1 − 2G2 − G0), λ4 = Σ gap · (10G2 − 5G3 − 6G1 + G0): no large terms cancel.
    pub(super) fn of(population: &Population) -> Self {
        let (count, n) = (population.count(), population.count() as f64);
        let inverse = [0.0, 1.0, 2.0, 3.0].map(|r| if n > r { 1.0 / (n - r) } else { 0.0 });
        let (scale, third, fourth, within) = (0.0, 0.0, 0.0, 0.0);
        let mut moments =
            Self { count, inverse, below: 0.0, last: None, scale, third, fourth, within };
        for level in population.levels.iter().rev() {
            moments.add(level.negative);
        }
        for level in &population.levels {
            moments.add(level.positive);
        }
        moments
    }

    /// Adds the bucket above all buckets before.
    #[inline(always)]
    fn add(&mut self, bucket: Bucket) {
        if bucket.count == 0 {
            return;
        }
        let mean = bucket.mean();
        if let Some(last) = self.last.replace(mean) {
            self.add_gap(mean - last);
        }
        if !bucket.is_exact() {
            self.add_within(bucket.l_scale(), bucket.count as f64);
        }
        self.below += bucket.count as f64;
    }

    #[inline]
    fn add_gap(&mut self, gap: f64) {
        let (below, inverse) = (self.below, self.inverse);
        let g0 = below * inverse[0];
        let g1 = g0 * (below - 1.0) * inverse[1];
        let g2 = g1 * (below - 2.0) * inverse[2];
        let g3 = g2 * (below - 3.0) * inverse[3];
        self.scale += gap * (g0 - g1);
        self.third += gap * (3.0 * g1 - 2.0 * g2 - g0);
        self.fourth += gap * (10.0 * g2 - 5.0 * g3 - 6.0 * g1 + g0);
    }

    /// The pairs within a bucket of `count` weights with λ2 = `l_scale`, in the middle of which the share u lies below. λ2 is
    /// the mean over all pairs; λ3 and λ4 weigh them by the slopes 6u − 3 and 30u² − 30u + 6 of their polynomials over that
    /// of λ2.
    #[inline]
    fn add_within(&mut self, l_scale: f64, count: f64) {
        let within = l_scale * count * (count - 1.0) * self.inverse[0] * self.inverse[1];
        let u = (self.below + 0.5 * count) * self.inverse[0];
        self.within += within;
        self.scale += within;
        self.third += within * (6.0 * u - 3.0);
        self.fourth += within * (30.0 * u * u - 30.0 * u + 6.0);
    }

    /// L-skewness τ3 = λ3/λ2; `None` where all values are equal or fewer than 3.
    pub(super) fn skewness(&self) -> Option<f64> {
        (self.count >= 3 && self.scale > 0.0).then(|| self.third / self.scale)
    }

    /// L-kurtosis τ4 = λ4/λ2; `None` where all values are equal or fewer than 4.
    pub(super) fn kurtosis(&self) -> Option<f64> {
        (self.count >= 4 && self.scale > 0.0).then(|| self.fourth / self.scale)
    }

    /// The share of λ2 that is estimated: it bounds the relative error of λ2, and for smooth data of n values the error is
    /// about √n times smaller.
    pub(super) fn estimated_share(&self) -> f64 {
        if self.within > 0.0 { self.within / self.scale } else { 0.0 }
    }
}
