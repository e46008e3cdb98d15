//! The two times of a coordinator: how long it has run, and how long it has listened. While it stands still, because it was stopped or its
//! storage does not answer, it hears nobody, and nobody's silence counts. Not the scheduler, which is told the time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A clock that is looked at in every turn.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// What a stretch without a look counts at most as time of listening.
    longest: Duration,
    listened: Mutex<Listened>,
}

impl Clock {
    /// A clock that starts now. A worker is silent for a third of a lease between two Syncs; a standstill counts as another, and the last
    /// one is left to hear who has waited.
    pub(super) fn start(lease: Duration) -> Self {
        Self { started: Instant::now(), longest: lease / 3, listened: Mutex::default() }
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Since the start, without standstills: the scheduler's time.
    pub(super) fn listened(&self) -> Duration {
        let mut listened = self.listened.lock().unwrap_or_else(PoisonError::into_inner);
        listened.at(self.started.elapsed(), self.longest)
    }
}

/// What has been looked at.
#[derive(Debug, Default)]
struct Listened {
    looked: Duration,
    missed: Duration,
}

impl Listened {
    fn at(&mut self, elapsed: Duration, longest: Duration) -> Duration {
        let gap = elapsed.saturating_sub(self.looked);
        self.missed += gap.saturating_sub(longest);
        self.looked = elapsed;
        elapsed.saturating_sub(self.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_standstill_only_the_first_part_counts() {
        let mut listened = Listened::default();
        let mut at = |elapsed| listened.at(Duration::from_secs(elapsed), Duration::from_secs(5));
        let times = [0, 1, 6, 106, 107, 1107].map(|elapsed| at(elapsed).as_secs());
        assert_eq!(times, [0, 1, 6, 11, 12, 17]);
    }
}
