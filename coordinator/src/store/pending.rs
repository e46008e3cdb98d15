//! Requests to a storage that it has not answered yet, and since when. Waits for none of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The requests, in the order in which they were begun.
#[derive(Debug, Default)]
pub(super) struct Pending {
    begun: Mutex<BTreeMap<u64, Instant>>,
}

/// A request; it is over when this is dropped.
pub(super) struct Request<'a> {
    number: u64,
    of: &'a Pending,
}

impl Pending {
    pub(super) fn begin(&self, now: Instant) -> Request<'_> {
        let mut begun = self.begun();
        let number = begun.last_key_value().map_or(0, |(last, _)| last + 1);
        begun.insert(number, now);
        Request { number, of: self }
    }

    /// For how long the oldest one has waited; zero where there is none.
    pub(super) fn longest(&self, now: Instant) -> Duration {
        let begun = self.begun();
        begun.first_key_value().map(|(_, &since)| now - since).unwrap_or_default()
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.of.begun().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_request_counts_until_it_is_over() {
        let (pending, start) = (Pending::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pending.longest(at(0)), Duration::ZERO);
        let first = pending.begin(at(0));
        let second = pending.begin(at(2));
        assert_eq!(pending.longest(at(5)), Duration::from_secs(5));
        drop(first);
        assert_eq!(pending.longest(at(5)), Duration::from_secs(3));
        drop(second);
        assert_eq!(pending.longest(at(5)), Duration::ZERO);
    }
}
