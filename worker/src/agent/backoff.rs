//! How long to wait before calling again: exponential with jitter, a pure function of attempt and name.

use std::time::Duration;

use babelquant_proto::Digest;

/// 0.1 s doubling to 5 s, times a fraction between ½ and 1 that differs between workers and attempts.
pub(super) fn backoff(attempt: u32, name: &str) -> Duration {
    let longest = Duration::from_millis(100 << attempt.min(6)).min(Duration::from_secs(5));
    let digest = Digest::of(format!("{name} {attempt}").as_bytes());
    let fraction = 0.5 + f64::from(digest.as_bytes()[0]) / 512.0;
    longest.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_stays_bounded() {
        for attempt in 0..100 {
            let pause = backoff(attempt, "w");
            assert!(pause >= Duration::from_millis(50) && pause <= Duration::from_secs(5));
        }
        assert!(backoff(9, "w") > backoff(0, "w"));
        assert_ne!(backoff(3, "a"), backoff(3, "b"));
    }
}
