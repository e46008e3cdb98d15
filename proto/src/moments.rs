//! Central moments up to the fourth: exact two-pass over a chunk, merged in a fixed order. The one definition of mean, std,
//! skewness and kurtosis in the workspace; not a quantile sketch.

/// Count, mean and central power sums M2…M4 of a population (Pébay 2008, SAND2008-6212).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// n.
    pub count: u64,
    /// Σx / n.
    pub mean: f64,
    /// Σ(x − mean)².
    pub m2: f64,
    /// Σ(x − mean)³.
    pub m3: f64,
    /// Σ(x − mean)⁴.
    pub m4: f64,
}

impl Moments {
    /// The moments of `values`, two-pass in f64.
    pub fn of(values: &[f64]) -> Self {
        Self::weighted(values.iter().map(|&value| (value, 1)))
    }

    /// The moments of values that occur so many times each, two-pass in f64, in the order given.
    pub fn weighted(values: impl Iterator<Item = (f64, u64)> + Clone) -> Self {
        let (mut count, mut sum) = (0_u64, 0.0);
        for (value, times) in values.clone() {
            count += times;
            sum += value * times as f64;
        }
        if count == 0 {
            return Self::default();
        }
        let mean = sum / count as f64;
        let mut moments = Self { count, mean, ..Self::default() };
        for (value, times) in values {
            let (d, n) = (value - mean, times as f64);
            moments.m2 += n * d * d;
            moments.m3 += n * d * d * d;
            moments.m4 += n * d * d * d * d;
        }
        moments
    }

    /// The moments of both populations together. Associative only approximately: fix the order of merges.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.count == 0 {
            return other;
        }
        if other.count == 0 {
            return self;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let n = a + b;
        let d = other.mean - self.mean;
        let m2 = self.m2 + other.m2 + d * d * a * b / n;
        let m3 = self.m3
            + other.m3
            + d.powi(3) * a * b * (a - b) / (n * n)
            + 3.0 * d * (a * other.m2 - b * self.m2) / n;
        let m4 = self.m4
            + other.m4
            + d.powi(4) * a * b * (a * a - a * b + b * b) / (n * n * n)
            + 6.0 * d * d * (a * a * other.m2 + b * b * self.m2) / (n * n)
            + 4.0 * d * (a * other.m3 - b * self.m3) / n;
        let mean = self.mean + d * b / n;
        Self { count: self.count + other.count, mean, m2, m3, m4 }
    }

    /// Population standard deviation √(M2/n); `None` for an empty population.
    pub fn std(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.m2 / self.count as f64).sqrt())
    }

    /// Skewness √n·M3/M2^1.5; `None` where M2 is 0.
    pub fn skewness(&self) -> Option<f64> {
        let n = self.count as f64;
        (self.m2 > 0.0).then(|| n.sqrt() * self.m3 / self.m2.powf(1.5))
    }

    /// Excess kurtosis, biased: n·M4/M2² − 3; `None` where M2 is 0.
    pub fn kurtosis(&self) -> Option<f64> {
        let n = self.count as f64;
        (self.m2 > 0.0).then(|| n * self.m4 / (self.m2 * self.m2) - 3.0)
    }

    /// Kurtosis about zero: mean(x⁴)/mean(x²)² − 3; `None` where every value is 0 or there is none.
    pub fn kurtosis_about_zero(&self) -> Option<f64> {
        let (n, m) = (self.count as f64, self.mean);
        let square = self.m2 / n + m * m;
        let fourth = self.m4 / n + 4.0 * m * self.m3 / n + 6.0 * m * m * self.m2 / n + m.powi(4);
        (self.count > 0 && square > 0.0).then(|| fourth / (square * square) - 3.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b}");
    }

    #[test]
    fn hand_check() {
        let moments = Moments::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((moments.mean, moments.m2, moments.m3, moments.m4), (5.0, 32.0, 42.0, 356.0));
        close(moments.skewness().unwrap(), 0.65625);
        close(moments.kurtosis().unwrap(), -0.21875);
        close(moments.kurtosis_about_zero().unwrap(), -1.365_636_147_443_519_7);
    }

    #[test]
    fn merge_equals_concatenation() {
        let values: Vec<f64> =
            (0..257).map(|i| f64::from((i * 7919) % 1009) / 97.0 - 3.0).collect();
        for cut in [0, 1, 100, 256, 257] {
            let (a, b) = values.split_at(cut);
            let (merged, whole) = (Moments::of(a).merge(Moments::of(b)), Moments::of(&values));
            assert_eq!(merged.count, whole.count);
            for (x, y) in [(merged.mean, whole.mean), (merged.m2, whole.m2), (merged.m3, whole.m3)]
            {
                close(x, y);
            }
            close(merged.kurtosis().unwrap(), whole.kurtosis().unwrap());
        }
    }

    #[test]
    fn undefined_is_none() {
        assert_eq!(Moments::of(&[]).std(), None);
        assert_eq!(Moments::of(&[]).kurtosis_about_zero(), None);
        assert_eq!(Moments::of(&[3.0, 3.0]).kurtosis(), None);
        assert_eq!(Moments::of(&[0.0]).skewness(), None);
    }
}
