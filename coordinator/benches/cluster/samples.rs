//! Durations and what is said of many of them.

use std::time::Duration;

/// Measured durations.
#[derive(Debug, Default, Clone)]
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    pub(super) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// `min 0.1 ms, median 0.2 ms, p99 0.9 ms, max 1.0 ms, n = 100`
    pub(super) fn in_words(&self) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let Some(last) = sorted.len().checked_sub(1) else { return "no samples".to_owned() };
        let at = |share: f64| sorted[(share * last as f64).round() as usize];
        format!(
            "min {}, median {}, p99 {}, max {}, n = {}",
            words(at(0.0)),
            words(at(0.5)),
            words(at(0.99)),
            words(at(1.0)),
            sorted.len()
        )
    }
}

fn words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", 1000.0 * seconds) } else { format!("{seconds:.2} s") }
}
