//! Stragglers: how long a unit may be held before an idle worker tries it too. A quantile of what was seen, not an estimate for one
//! unit.

use std::time::Duration;

/// Buckets of a quarter of an octave from one millisecond on; the last one is open.
const BUCKETS: usize = 128;
const PER_OCTAVE: f64 = 4.0;

/// How long units were held before their results came.
#[derive(Debug, Clone)]
pub(super) struct Stragglers {
    /// No unit is one before it has been held for so long.
    least: Duration,
    counts: [u64; BUCKETS],
}

impl Stragglers {
    pub(super) fn new(least: Duration) -> Self {
        Self { least, counts: [0; BUCKETS] }
    }

    /// A result came after so long.
    pub(super) fn push(&mut self, held: Duration) {
        let milliseconds = held.as_secs_f64() * 1000.0;
        let bucket = (PER_OCTAVE * (milliseconds + 1.0).log2()) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
    }

    /// For how long a unit may be held: the least, or twice what 95 of 100 took.
    pub(super) fn limit(&self) -> Duration {
        self.least.max(Duration::from_secs_f64(2.0 * self.usual_seconds()))
    }

    /// The end of the bucket in which the 95th percentile lies.
    fn usual_seconds(&self) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let mut seen = 0;
        let usual = self.counts.iter().position(|count| {
            seen += count;
            seen * 100 >= all * 95
        });
        let end = usual.map_or(0.0, |bucket| (bucket + 1) as f64);
        if all == 0 { 0.0 } else { ((end / PER_OCTAVE).exp2() - 1.0) / 1000.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_time_is_the_95th_percentile_to_a_quarter_octave() {
        let seconds = Duration::from_secs_f64;
        let mut stragglers = Stragglers::new(seconds(30.0));
        assert_eq!(stragglers.limit(), seconds(30.0));
        for n in 1..=100 {
            stragglers.push(seconds(f64::from(n)));
        }
        let usual = stragglers.usual_seconds();
        assert!((95.0..95.0 * 1.2).contains(&usual), "{usual}");
        assert!((seconds(190.0)..seconds(228.0)).contains(&stragglers.limit()));
    }
}
