"""Times what scipy makes of pairs of columns, in a loop over the pairs: 10,000 random orders and 10,000 resamples of Pearson's r for each.

Reads [[x, y], ...] as JSON from stdin, writes {"seconds", "seconds_by_hand", "p", "low", "high"} to stdout. The first time is that of
`scipy.stats.pearsonr` with its own permutation and bootstrap methods; the second that of a formula vectorised over the draws by hand, the
fastest that we found.
"""

import json
import sys
import time

import numpy as np
from scipy import stats

DRAWS = 10_000


def of_scipy(x, y, rng):
    orders = stats.PermutationMethod(n_resamples=DRAWS, rng=rng)
    resamples = stats.BootstrapMethod(n_resamples=DRAWS, method="percentile", rng=rng)
    p = stats.pearsonr(x, y, method=orders).pvalue
    return p, stats.pearsonr(x, y).confidence_interval(method=resamples)


def by_hand(x, y, rng):
    orders = stats.permutation_test(
        (x,), lambda x, axis: r(x, y, axis), permutation_type="pairings", vectorized=True, n_resamples=DRAWS, rng=rng
    )
    resamples = stats.bootstrap((x, y), r, paired=True, vectorized=True, n_resamples=DRAWS, method="percentile", rng=rng)
    return orders.pvalue, resamples.confidence_interval


def r(x, y, axis=-1):
    x = x - x.mean(axis=axis, keepdims=True)
    y = y - y.mean(axis=axis, keepdims=True)
    return (x * y).sum(axis=axis) / np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))


def timed(of, pairs):
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    found = [of(x, y, rng) for x, y in pairs]
    return time.perf_counter() - start, found


def main():
    pairs = [[np.array(column) for column in pair] for pair in json.load(sys.stdin)]
    seconds, found = timed(of_scipy, pairs)
    seconds_by_hand, _ = timed(by_hand, pairs)
    p, intervals = zip(*found)
    json.dump(
        {
            "seconds": seconds,
            "seconds_by_hand": seconds_by_hand,
            "p": list(map(float, p)),
            "low": [float(interval.low) for interval in intervals],
            "high": [float(interval.high) for interval in intervals],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
