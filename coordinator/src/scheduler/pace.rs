//! Pace: how many results became durable of late. A sliding window, not an average over the run: it follows workers that come
//! and go.

use std::time::Duration;

/// The window is so many buckets of so many seconds: two minutes.
const BUCKETS: u64 = 24;
const BUCKET_SECONDS: u64 = 5;
/// Shortest time over which a rate is said.
const SHORTEST: Duration = Duration::from_secs(1);

/// A count, and when its last part came.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    since: Duration,
    total: u64,
    /// Units by bucket modulo `BUCKETS`, for the buckets up to `latest`.
    units: [u32; BUCKETS as usize],
    latest: u64,
}

impl Pace {
    /// Nothing yet, at `now`.
    pub(super) fn new(now: Duration) -> Self {
        Self { since: now, total: 0, units: [0; BUCKETS as usize], latest: bucket(now) }
    }

    /// One more.
    pub(super) fn push(&mut self, now: Duration) {
        let bucket = bucket(now);
        let passed = bucket.saturating_sub(self.latest).min(BUCKETS);
        for empty in bucket + 1 - passed..=bucket {
            self.units[(empty % BUCKETS) as usize] = 0;
        }
        self.latest = self.latest.max(bucket);
        self.units[(bucket % BUCKETS) as usize] += 1;
        self.total += 1;
    }

    /// How many ever.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many per second in the window that ends at `now`; `None` before the first.
    pub(super) fn per_second(&self, now: Duration) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let first = (bucket(now) + 1).saturating_sub(BUCKETS);
        let recent = (first..=self.latest).map(|bucket| self.units[(bucket % BUCKETS) as usize]);
        let units: u64 = recent.map(u64::from).sum();
        let start = self.since.max(Duration::from_secs(first * BUCKET_SECONDS));
        Some(units as f64 / now.saturating_sub(start).max(SHORTEST).as_secs_f64())
    }
}

fn bucket(now: Duration) -> u64 {
    now.as_secs() / BUCKET_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, over a list of all times.
    fn counted(times: &[u64], since: u64, now: u64) -> f64 {
        let start = since.max((now / 5 + 1).saturating_sub(24) * 5);
        let units = times.iter().filter(|&&time| time >= start).count();
        units as f64 / (now - start).max(1) as f64
    }

    #[test]
    fn is_the_count_in_the_window_over_its_length() {
        let mut pace = Pace::new(Duration::from_secs(3));
        assert_eq!(pace.per_second(Duration::from_secs(9)), None);
        let times = [3, 3, 4, 8, 9, 60, 61, 119, 124, 125, 126, 300, 301, 420, 1000];
        for (index, &time) in times.iter().enumerate() {
            pace.push(Duration::from_secs(time));
            for later in [0, 1, 4, 59, 115, 119, 120, 121, 500] {
                let now = time + later;
                let ours = pace.per_second(Duration::from_secs(now));
                assert_eq!(ours, Some(counted(&times[..=index], 3, now)), "{time} + {later}");
            }
        }
        assert_eq!(pace.total(), times.len() as u64);
    }
}
