//! Quantiles by type 7 (Hyndman and Fan 1996; numpy's default): linear between order statistics.

/// Where a quantile lies among n values in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    /// Rank from 0 of the value below.
    pub(crate) below: u64,
    /// Rank of the value above, or the same where there is none.
    pub(crate) above: u64,
    fraction: f64,
}

impl Position {
    /// h = (n − 1)·p: between the ranks ⌊h⌋ and ⌊h⌋ + 1. There is at least one value.
    pub(crate) fn of(count: u64, p: f64) -> Self {
        let last = count - 1;
        let h = last as f64 * p;
        let below = (h.floor() as u64).min(last);
        Self { below, above: (below + 1).min(last), fraction: h - below as f64 }
    }

    /// The quantile, given the values at both ranks.
    pub(crate) fn between(self, below: f64, above: f64) -> f64 {
        below + self.fraction * (above - below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        let check = |p, expected: f64| {
            let values = [1.0, 2.0, 4.0, 8.0, 9.0];
            let position = Position::of(5, p);
            let quantile =
                position.between(values[position.below as usize], values[position.above as usize]);
            assert!((quantile - expected).abs() < 1e-12, "{p} {quantile}");
        };
        check(0.0, 1.0);
        check(0.5, 4.0);
        check(0.9, 8.6);
        check(0.99, 8.96);
        check(1.0, 9.0);
        assert_eq!(Position::of(1, 0.5), Position { below: 0, above: 0, fraction: 0.0 });
    }
}
