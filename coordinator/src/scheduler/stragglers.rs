//! Stragglers: how long a unit may be held before an idle worker tries it too. A quantile of what was seen, not an estimate for one
//! unit.

use std::time::Duration;

/// Buckets, four to an octave from one millisecond on; the last one is open. Read off the bits of a whole number, so that no machine's
/// logarithm moves a limit.
const BUCKETS: usize = 128;
const PER_OCTAVE: u32 = 4;

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
        let milliseconds = held.as_millis() + 1;
        let octave = milliseconds.ilog2();
        let part = ((milliseconds * u128::from(PER_OCTAVE)) >> octave) as u32 - PER_OCTAVE;
        let bucket = (PER_OCTAVE * octave + part) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
    }

    /// For how long a unit may be held: the least, or twice what 95 of 100 took.
    pub(super) fn limit(&self) -> Duration {
        self.least.max(2 * self.usual())
    }

    /// The end of the bucket in which the 95th percentile lies.
    fn usual(&self) -> Duration {
        let all: u64 = self.counts.iter().sum();
        let mut seen = 0;
        let usual = self.counts.iter().position(|count| {
            seen += count;
            seen * 100 >= all * 95
        });
        let end = |bucket: usize| {
            let (octave, part) = (bucket as u32 / PER_OCTAVE, bucket as u32 % PER_OCTAVE);
            (u64::from(PER_OCTAVE + part + 1) << octave) / u64::from(PER_OCTAVE) - 1
        };
        let usual = usual.filter(|_| all > 0).map_or(0, end);
        Duration::from_millis(usual)
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
        let usual = stragglers.usual();
        assert!((seconds(95.0)..seconds(95.0 * 1.2)).contains(&usual), "{usual:?}");
        assert!((seconds(190.0)..seconds(228.0)).contains(&stragglers.limit()));
    }
}
