"""Writes statistics.json: what numpy and scipy make of small inputs that every implementation can rebuild exactly.

    python make_statistics.py [OUT]        OUT is ../golden beside this script unless given

Long inputs are given by a generator in exact IEEE arithmetic (generated_weights.py), short ones are written out. All
statistics are f64. A statistic that is undefined for its input is null.
"""

import argparse
import hashlib
import json
import math
import warnings
from pathlib import Path

import numpy as np
from scipy import special, stats

from generated_weights import RECIPES, Generator, weights
from phase1_vectors import PHASE1_VECTORS
from quantizers import Config, quantize

def tail_ratio(x, tail):
    """Hogg: U(tail) - L(tail), means of the extreme tail * n values, the boundary one by its fraction."""
    x = np.sort(x)
    count = tail * len(x)
    whole = math.floor(count)

    def mean_of_first(ordered):
        rest = (count - whole) * ordered[whole] if whole < len(ordered) else 0.0
        return (ordered[:whole].sum() + rest) / count

    return mean_of_first(x[::-1]) - mean_of_first(x)


def count_above(x, threshold):
    """Strictly above in |x|; refuses data so near the threshold that rounding decides."""
    assert np.abs(np.abs(x) - threshold).min() > 1e-9 * threshold
    return int((np.abs(x) > threshold).sum())


def describe(w):
    """Every statistic of one array of weights; the quantiles interpolate linearly (type 7)."""
    x = w.astype(np.float64)
    magnitude, centred = np.abs(x), x - x.mean()
    std, rms = x.std(), np.sqrt(np.mean(x**2))
    fourth = np.sort(centred**4)[::-1]
    _, l2, l3, l4 = stats.lmoment(x, order=[1, 2, 3, 4], standardize=False)
    _, _, t3, t4 = stats.lmoment(x, order=[1, 2, 3, 4], standardize=True)
    q50, q99, q999 = np.quantile(magnitude, [0.5, 0.99, 0.999])
    octile = np.quantile(x, np.arange(9) / 8)
    outer, inner = np.quantile(x, [0.025, 0.975]), np.quantile(x, [0.25, 0.75])
    values = {
        "mean": x.mean(),
        "std": std,
        "rms": rms,
        "sum_centred_2": (centred**2).sum(),
        "sum_centred_3": (centred**3).sum(),
        "sum_centred_4": fourth.sum(),
        "skew": stats.skew(x),
        "kurtosis": stats.kurtosis(x),
        "kurtosis_unbiased": stats.kurtosis(x, bias=False),
        "kurtosis_about_zero": np.mean(x**4) / np.mean(x**2) ** 2 - 3,
        "abs_gt_3std": count_above(x, 3 * std),
        "abs_gt_6std": count_above(x, 6 * std),
        "centred_gt_3std": count_above(centred, 3 * std),
        "mean_abs": magnitude.mean(),
        "max_abs": magnitude.max(),
        "crest": magnitude.max() / rms,
        "m4_share_top1": fourth[:1].sum() / fourth.sum(),
        "m4_share_top8": fourth[:8].sum() / fourth.sum(),
        "m4_share_top64": fourth[:64].sum() / fourth.sum(),
        "l2": l2,
        "l3": l3,
        "l4": l4,
        "t3": t3,
        "t4": t4,
        "abs_q50": q50,
        "abs_q99": q99,
        "abs_q999": q999,
        "abs_q99_over_q50": q99 / q50,
        "abs_q999_over_q50": q999 / q50,
        "hogg": tail_ratio(x, 0.05) / tail_ratio(x, 0.5),
        "moors": ((octile[7] - octile[5]) + (octile[3] - octile[1])) / (octile[6] - octile[2]),
        "crow_siddiqui": (outer[1] - outer[0]) / (inner[1] - inner[0]),
        "mad": np.median(np.abs(x - np.median(x))),
        "geary": np.abs(centred).mean() / std,
    }
    return {name: value if isinstance(value, int) else float(value) for name, value in values.items()}


def weight_goldens():
    goldens = []
    for entry in RECIPES:
        w = weights(entry)
        check = {"first4": w[:4].tolist(), "f32_sha256": sha256(w)}
        goldens.append(entry | check | {"statistics": describe(w)})
    return goldens


def sha256(values):
    """SHA-256 of little-endian f32, with -0 counted as 0."""
    return hashlib.sha256((values + np.float32(0)).astype("<f4").tobytes()).hexdigest()


def correlation_inputs():
    """(name, x, y): the earlier study's vectors, then random ones with and without ties, then edges."""
    for name, x, y in PHASE1_VECTORS:
        yield name, x, y
    rng = np.random.default_rng(20)
    for n in (3, 4, 5, 8, 13, 21, 33, 34, 60):
        x = rng.standard_normal(n)
        yield f"distinct_{n}", x, 0.6 * x + rng.standard_normal(n)
    for n in (4, 7, 15, 33, 60):
        x = rng.integers(0, max(3, n // 4), n)
        yield f"ties_{n}", x, x + rng.integers(0, 4, n)
    yield "ties_in_x_10", [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], rng.standard_normal(10)
    yield "ties_in_y_10", rng.standard_normal(10), [1, 1, 1, 0, 0, 2, 2, 2, 2, 0]
    yield "one_swap_40", np.arange(40), [1, 0, *range(2, 40)]
    yield "large_offset_12", 1e6 + rng.standard_normal(12), 1e-6 * rng.standard_normal(12)
    yield "constant_x", [2.5] * 6, [1, 2, 3, 4, 5, 7]
    yield "constant_y", [1, 2, 3, 4, 5, 7], [2.5] * 6
    yield "constant_both", [1, 1, 1], [0, 0, 0]


def correlate(x, y):
    """scipy's default Pearson, Spearman and Kendall; Fisher's interval needs four pairs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        pearson, spearman, kendall = stats.pearsonr(x, y), stats.spearmanr(x, y), stats.kendalltau(x, y)
    interval = pearson.confidence_interval(0.95) if len(x) > 3 else (math.nan, math.nan)
    fisher = [defined(bound) for bound in interval]
    return {
        "pearson_r": defined(pearson.statistic),
        "pearson_p": defined(pearson.pvalue),
        "fisher_ci95": None if None in fisher else fisher,
        "spearman_rho": defined(spearman.statistic),
        "spearman_p": defined(spearman.pvalue),
        "kendall_tau_b": defined(kendall.statistic),
        "kendall_p": defined(kendall.pvalue),
        "kendall_method": kendall_method(x, y, kendall),
    }


def defined(value):
    return float(value) if math.isfinite(value) else None


def kendall_method(x, y, kendall):
    """scipy's `auto`: exact without ties where n <= 33 or at most one pair is discordant (or concordant)."""
    if not math.isfinite(kendall.statistic):
        return None
    distinct = len(set(x)) == len(x) and len(set(y)) == len(y)
    pairs = len(x) * (len(x) - 1) // 2
    discordant = round(pairs * (1 - kendall.statistic) / 2)
    exact = distinct and (len(x) <= 33 or min(discordant, pairs - discordant) <= 1)
    method = "exact" if exact else "asymptotic"
    assert stats.kendalltau(x, y, method=method).pvalue == kendall.pvalue
    return method


def correlation_goldens():
    goldens = []
    for name, x, y in correlation_inputs():
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        goldens.append({"name": name, "x": x.tolist(), "y": y.tolist()} | correlate(x, y))
    return goldens


def ratio_with_error(differences, sizes):
    """The paired ratio estimator and its standard error over documents d of size n_d:

    ratio = sum(delta_d) / sum(n_d),  se = sqrt(D / (D - 1) * sum((delta_d - ratio * n_d)^2)) / sum(n_d).
    """
    ratio = differences.sum() / sizes.sum()
    if len(sizes) < 2:
        return ratio, None
    residuals = differences - ratio * sizes
    return ratio, np.sqrt(len(sizes) / (len(sizes) - 1) * (residuals**2).sum()) / sizes.sum()


def ratio_golden(rng, count):
    """Random documents, and the change of NLL per token and of bits per byte between two models over them."""
    tokens = rng.integers(5, 200, count)
    size = tokens * rng.uniform(2.5, 6.0, count)
    base_nll = tokens * rng.uniform(2.0, 4.0, count)
    nll = base_nll + tokens * rng.normal(0.02, 0.05, count)
    size_bytes = size.astype(np.int64)
    per_token, per_token_se = ratio_with_error(nll - base_nll, tokens)
    bits_per_byte, bits_per_byte_se = ratio_with_error((nll - base_nll) / np.log(2), size_bytes)
    return {
        "documents": [
            {"tokens": int(t), "bytes": int(b), "base_nll": float(before), "nll": float(after)}
            for t, b, before, after in zip(tokens, size_bytes, base_nll, nll, strict=True)
        ],
        "delta_nll_per_token": float(per_token),
        "delta_nll_per_token_se": None if per_token_se is None else float(per_token_se),
        "delta_bits_per_byte": float(bits_per_byte),
        "delta_bits_per_byte_se": None if bits_per_byte_se is None else float(bits_per_byte_se),
        "relative_perplexity_increase": float(np.expm1(per_token)),
    }


def ratio_goldens():
    rng = np.random.default_rng(21)
    return [ratio_golden(rng, count) for count in (1, 2, 10, 40)]


# One group of zeros, then codes that fall on ties, then both signs alone.
QUANTIZER_EDGES = [0, 0, 0, 0, 0.5, 1.5, -2.5, 7, 1, 2, 3, 4, -3, -2, -1, -7]


def quantizer_golden(name, w, spelling):
    """What one row of weights becomes."""
    quantized = quantize(w.reshape(1, -1), Config.parse(spelling))
    values, codes = quantized.values[0], quantized.codes[0]
    difference = values.astype(np.float64) - w.astype(np.float64)
    return {
        "input": name,
        "config": spelling,
        "mse": float(np.mean(difference**2)),
        "sum": float(values.astype(np.float64).sum()),
        "max_abs_error": float(np.abs(difference).max()),
        "first8": values[:8].tolist(),
        "f32_sha256": sha256(values),
        "codes_first16": codes[:16].astype(int).tolist(),
        "codes_sum": int(codes.sum()),
        "scales": quantized.scales.tolist(),
        "zeros": None if quantized.zeros is None else quantized.zeros.astype(int).tolist(),
    }


def quantizer_goldens():
    """The generated array `heavy42` as one row, then the edges."""
    configs = [f"int{bits}-{granularity}" for bits in (8, 4, 3, 2) for granularity in ("tensor", "group64", "group32")]
    configs += [f"int{bits}-asym-{granularity}" for bits in (8, 4, 3, 2) for granularity in ("tensor", "group64")]
    configs += ["int4-tensor-sigma2.5", "int4-tensor-sigma3.5", "int3-tensor-sigma1.5"]
    edge_configs = ["int4-group4", "int2-group4", "int4-asym-group4", "int2-asym-channel", "int4-channel"]
    heavy, edges = weights(RECIPES[0]), np.array(QUANTIZER_EDGES, dtype=np.float32)
    return [quantizer_golden("heavy42", heavy, config) for config in configs] + [
        quantizer_golden("edges", edges, config) for config in edge_configs
    ]


def alibi_goldens():
    """Slopes by number of heads, where a number that is no power of two borrows odd powers of the next one's base."""

    def slopes(heads):
        power = 2 ** math.floor(math.log2(heads))
        base, extra = (2 ** -(2 ** -(math.log2(n) - 3)) for n in (power, 2 * power))
        return [base**k for k in range(1, power + 1)] + [extra**k for k in range(1, 2 * (heads - power), 2)]

    return {str(heads): slopes(heads) for heads in (1, 3, 4, 6, 12, 16, 32, 112)}


def metric_goldens():
    """NLL, KL, top-1 and perplexity of two scored positions from written-out logits."""
    base = np.array([[2.0, 1.0, 0.1, -1.0], [0.0, 0.0, 5.0, 0.0]])
    quant = np.array([[1.8, 1.2, 0.0, -0.9], [0.1, -0.1, 4.0, 0.3]])
    labels = [0, 2]
    p, q = special.log_softmax(base, axis=1), special.log_softmax(quant, axis=1)
    base_nll, nll = (-ln[np.arange(2), labels] for ln in (p, q))
    delta = nll.mean() - base_nll.mean()
    return {
        "base_logits": base.tolist(),
        "quant_logits": quant.tolist(),
        "labels": labels,
        "base_nll": base_nll.tolist(),
        "nll": nll.tolist(),
        "kl": (np.exp(p) * (p - q)).sum(axis=1).tolist(),
        "top1": (base.argmax(axis=1) == quant.argmax(axis=1)).tolist(),
        "delta_nll_per_token": float(delta),
        "relative_perplexity_increase": float(np.expm1(delta)),
    }


def rounding_goldens():
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5])
    away = np.trunc(x + np.copysign(0.5, x))
    return {"x": x.tolist(), "ties_even": np.rint(x).astype(int).tolist(), "ties_away": away.astype(int).tolist()}


def write_json(path, sections):
    """JSON with one line per item, so that a difference can be read."""

    def line(value):
        return json.dumps(value, allow_nan=False)

    def render(value):
        if isinstance(value, list):
            return "[\n  " + ",\n  ".join(map(line, value)) + "\n ]"
        return "{\n  " + ",\n  ".join(f"{line(key)}: {line(item)}" for key, item in value.items()) + "\n }"

    lines = [f" {line(name)}: {render(section)}" for name, section in sections.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description="Writes statistics.json.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    sections = {
        "generator": Generator.SPECIFICATION,
        "weights": weight_goldens(),
        "correlations": correlation_goldens(),
        "ratios": ratio_goldens(),
        "quantizers": quantizer_goldens(),
        "quantizer_inputs": {"edges": QUANTIZER_EDGES},
        "metrics": metric_goldens(),
        "alibi_slopes": alibi_goldens(),
        "rounding_ties": rounding_goldens(),
    }
    write_json(out / "statistics.json", sections)


if __name__ == "__main__":
    main()
