"""Writes inference.json: what scipy, statsmodels and numpy make of small samples of paired differences.

    python make_inference.py [OUT]         OUT is ../golden beside this script unless given

Inputs are written out, so that every implementation reads the same numbers. All statistics are f64.
"""

import argparse
import itertools
import math
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from make_statistics import write_json


def largest_share(values):
    """Share of the positive values that the largest 1 % of all values carry, their number rounded up."""
    losses = np.sort(values[values > 0])[::-1]
    most = math.ceil(len(values) / 100)
    return float(losses[:most].sum() / losses.sum()) if len(losses) else None


def largest_shares():
    rng = np.random.default_rng(30)
    skewed = [rng.standard_exponential(count) ** 3 - 0.5 for count in (1, 2, 99, 100, 101, 250)]
    inputs = [*skewed, np.array([-1.0, 0.0, -2.0]), np.full(150, 0.25)]
    return [{"values": values.tolist(), "share": largest_share(values)} for values in inputs]


def paired_test(rng, count, mean, margin):
    """Differences of a paired t test: p of no difference, and of one beyond log(1 ± margin)."""
    base = rng.normal(2.0, 0.5, count)
    deltas = rng.normal(mean, 0.01, count)
    low, high = math.log1p(-margin), math.log1p(margin)
    equivalence_p, _, _ = ttost_paired(base + deltas, base, low, high)
    deltas = (base + deltas) - base
    return {
        "deltas": deltas.tolist(),
        "low": low,
        "high": high,
        "p": float(stats.ttest_1samp(deltas, 0.0).pvalue),
        "equivalence_p": float(equivalence_p),
    }


def paired_tests():
    rng = np.random.default_rng(31)
    cases = [(2, 0.0), (5, 0.002), (20, 0.0), (20, 0.004), (20, -0.02), (200, 0.001), (200, 0.006)]
    return [paired_test(rng, count, mean, 0.005) for count, mean in cases]


def sign_family(rng):
    """Tests over the same 12 groups: how strong each is, and the share of all 4096 signs under which some test is as strong."""
    common = rng.normal(0.0, 1.0, 12)
    tests = np.array([common + rng.normal(shift, 1.0, 12) for shift in (0.0, 0.4, 1.0, 2.0)])
    size = np.linalg.norm(tests, axis=1)
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=12)))
    strengths = np.abs(tests.sum(axis=1)) / size
    strongest = (np.abs(signs @ tests.T) / size).max(axis=1)
    as_strong = [(strongest >= strength * (1 - 1e-12)).mean() for strength in strengths]
    return {"tests": tests.tolist(), "strengths": strengths.tolist(), "family_p": [float(p) for p in as_strong]}


def sign_families():
    rng = np.random.default_rng(32)
    return [sign_family(rng) for _ in range(3)]


def trend(values):
    """Spearman's correlation of values with their position, and the mean of the last third less that of the first (the longer ones)."""
    depth = np.arange(len(values))
    third = math.ceil(len(values) / 3)
    return {
        "values": values.tolist(),
        "rho": float(stats.spearmanr(depth, values).statistic),
        "thirds": float(values[-third:].mean() - values[:third].mean()),
    }


def trends():
    rng = np.random.default_rng(33)
    random = [rng.normal(0.0, 1.0, count) + 0.1 * np.arange(count) for count in (3, 4, 6, 24, 48)]
    return [trend(values) for values in [*random, np.array([1.0, 1.0, 0.5, 2.0, 2.0])]]


def main():
    parser = argparse.ArgumentParser(description="Writes inference.json.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    sections = {
        "largest_shares": largest_shares(),
        "tests": paired_tests(),
        "sign_families": sign_families(),
        "trends": trends(),
    }
    write_json(out / "inference.json", sections)


if __name__ == "__main__":
    main()
