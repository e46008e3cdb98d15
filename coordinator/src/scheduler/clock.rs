//! The scheduler's time: how long its coordinator has listened. While that stands still, because it was stopped or its storage does not
//! answer, it hears nobody, and nobody's silence counts. Reads no clock itself.

use std::time::Duration;

/// The time of one coordinator, which says how long it has run whenever it begins to listen.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// What a stretch without a look counts at most.
    longest: Duration,
    looked: Duration,
    missed: Duration,
}

impl Clock {
    /// A clock at 0. A standstill counts as a quarter of a lease at most: so those who were about to call have the rest of it to be heard, and
    /// those who are gone lose their units in the end, even if every turn is slow.
    pub fn new(lease: Duration) -> Self {
        Self { longest: lease / 4, looked: Duration::ZERO, missed: Duration::ZERO }
    }

    /// The time at which the coordinator has run for `elapsed`.
    pub fn at(&mut self, elapsed: Duration) -> Duration {
        let stretch = elapsed.saturating_sub(self.looked);
        self.missed += stretch.saturating_sub(self.longest);
        self.looked = elapsed;
        elapsed.saturating_sub(self.missed)
    }

    /// How much of the standstills has not counted.
    pub fn missed(&self) -> Duration {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_standstill_only_the_first_part_counts() {
        let mut clock = Clock::new(Duration::from_secs(20));
        let mut at = |elapsed| clock.at(Duration::from_secs(elapsed)).as_secs();
        assert_eq!([0, 1, 6, 106, 107, 1107].map(&mut at), [0, 1, 6, 11, 12, 17]);
        assert_eq!(clock.missed(), Duration::from_secs(95 + 995));
    }
}
