//! How long to wait before calling again: exponential with jitter, a pure function of attempt and jitter.

use std::time::Duration;

use babelquant_proto::Digest;

/// 0.1 s doubling to 5 s, times a fraction between ½ and 1 that differs between attempts and workers of another `jitter`.
pub(super) fn backoff(attempt: u32, jitter: u64) -> Duration {
    let longest = Duration::from_millis(100 << attempt.min(6)).min(Duration::from_secs(5));
    let digest = Digest::of(format!("{jitter} {attempt}").as_bytes());
    let fraction = 0.5 + f64::from(digest.as_bytes()[0]) / 512.0;
    longest.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_stays_bounded() {
        for attempt in 0..100 {
            let pause = backoff(attempt, 7);
            assert!(pause >= Duration::from_millis(50) && pause <= Duration::from_secs(5));
        }
        assert!(backoff(9, 7) > backoff(0, 7));
        assert_ne!(backoff(3, 7), backoff(3, 8));
    }
}
