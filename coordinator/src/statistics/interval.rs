//! Intervals and the numbers they belong to. Not how their draws are made (`resampling`).

use super::quantile::quantile;

/// An interval of the study's confidence.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The percentile interval of a statistic's draws: its (1∓confidence)/2 quantiles, type 7 (science §E.3). Draws in which
    /// the statistic is undefined are left out; `None` where none is left.
    pub fn percentile(draws: impl Iterator<Item = Option<f64>>, confidence: f64) -> Option<Self> {
        let mut defined: Vec<f64> = draws.flatten().collect();
        defined.sort_by(f64::total_cmp);
        Self::of_sorted(&defined, confidence)
    }

    /// The same of draws that are all defined, in ascending order.
    pub(super) fn of_sorted(draws: &[f64], confidence: f64) -> Option<Self> {
        let tail = (1.0 - confidence) / 2.0;
        Some(Self { low: quantile(draws, tail)?, high: quantile(draws, 1.0 - tail)? })
    }
}

/// A statistic and its interval; both are absent where undefined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// The value on all documents.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
}

impl Estimate {
    /// Lower end of the interval.
    pub fn low(&self) -> Option<f64> {
        self.interval.map(|interval| interval.low)
    }

    /// Upper end of the interval.
    pub fn high(&self) -> Option<f64> {
        self.interval.map(|interval| interval.high)
    }

    /// The estimate of an increasing function of the statistic; absent where the function leaves the range of f64.
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Self {
        let finite = |value: f64| Some(increasing(value)).filter(|value| value.is_finite());
        let interval = self.interval.and_then(|Interval { low, high }| {
            Some(Interval { low: finite(low)?, high: finite(high)? })
        });
        Self { value: self.value.and_then(finite), interval }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_draws_are_left_out() {
        let draws = (0..=100).map(|i| (i % 2 == 0).then_some(f64::from(i)));
        let interval = Interval::percentile(draws, 0.9).unwrap();
        assert!((interval.low - 5.0).abs() < 1e-9 && (interval.high - 95.0).abs() < 1e-9);
        assert_eq!(Interval::percentile([None, None].into_iter(), 0.9), None);
    }

    #[test]
    fn map_refuses_overflow() {
        let interval = Some(Interval { low: 0.0, high: 800.0 });
        let mapped = Estimate { value: Some(1.0), interval }.map(f64::exp_m1);
        assert_eq!(mapped.interval, None);
        assert!(mapped.value.is_some());
    }
}
