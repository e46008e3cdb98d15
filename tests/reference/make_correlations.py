"""Writes correlations.json and phase1.csv: exact and classical statistics of the earlier study's 14 languages, from their definitions and from peers.

    python make_correlations.py [OUT]      OUT is ../golden beside this script unless given

Permutations and resamples are counted whole, in integers: all 14! orders (meet in the middle) and all C(27, 13) resamples. Partial
correlations and power come from pingouin, corrected p values from statsmodels, the rest from numpy and scipy. Needs 2 GB of
memory and 20 minutes.
"""

import argparse
import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas
import pingouin
from scipy import stats
from statsmodels.stats.multitest import multipletests

from phase1_vectors import OUTCOME_BY_LANGUAGE, PHASE1_VECTORS, PREDICTORS, PRINTED_KURTOSIS_BY_LANGUAGE

HERE = Path(__file__).resolve().parent
COVARIATES = HERE.parent.parent / "coordinator" / "src" / "covariates.csv"
LANGUAGES = list(OUTCOME_BY_LANGUAGE)
KURTOSIS, OUTLIER = PREDICTORS["phase1_block_out_kurtosis"], PREDICTORS["phase1_outlier_share"]
OUTCOME = list(OUTCOME_BY_LANGUAGE.values())


def standardised(x):
    x = np.asarray(x, dtype=np.float64)
    return (x - x.mean()) / np.linalg.norm(x - x.mean())


def orders(x, y):
    """Of all n! orders of y: how many correlate at most, at least, and in absolute value at least as observed."""
    a, b = standardised(x), standardised(y)
    n, half = len(a), len(a) // 2
    r = float(a @ b)
    low = np.array(list(itertools.permutations(range(half))))
    high = np.array(list(itertools.permutations(range(n - half))))
    total, equal = math.factorial(n), 1e-12 * abs(r)
    at_most = at_least = as_strong = 0
    for chosen in itertools.combinations(range(n), half):
        rest = sorted(set(range(n)) - set(chosen))
        first = b[list(chosen)][low] @ a[:half]
        second = np.sort(b[rest][high] @ a[half:])

        def above(threshold):
            return int((len(second) - np.searchsorted(second, threshold - first)).sum())

        everything = len(first) * len(second)
        at_most += everything - above(r + equal)
        at_least += above(r - equal)
        as_strong += above(abs(r) - equal) + everything - above(-abs(r) + equal)
    assert at_most + at_least >= total
    return {"total": total, "at_most": at_most, "at_least": at_least, "as_strong": as_strong}


def compositions(total, parts):
    """Every way to write `total` as a sum of `parts` counts, one a row."""
    if parts == 1:
        return np.array([[total]], dtype=np.uint8)
    blocks = []
    for first in range(total + 1):
        rest = compositions(total - first, parts - 1)
        blocks.append(np.hstack([np.full((len(rest), 1), first, dtype=np.uint8), rest]))
    return np.vstack(blocks)


def resample_everything(units):
    """r* and integer weight of each resample of units (lists of (x, y)), and the weight and number of those without a correlation."""
    m = len(units)
    scaled = [np.array(unit, dtype=np.float64) for unit in units]
    sums = np.array([[len(u), *u.sum(0), *(u**2).sum(0), u.prod(1).sum()] for u in scaled])
    factorials = np.array([math.factorial(k) for k in range(m + 1)], dtype=np.float64)
    values, weights, constant_weight, constant_count = [], [], 0, 0
    for first in range(m + 1):
        counts = compositions(m - first, m - 1)
        counts = np.hstack([np.full((len(counts), 1), first, dtype=np.uint8), counts])
        weight = np.rint(math.factorial(m) / factorials[counts].prod(1)).astype(np.uint64)
        constant = np.zeros(len(counts), dtype=bool)
        for column in (0, 1):
            lowest = np.min([np.where(counts[:, i] > 0, u[:, column].min(), np.inf) for i, u in enumerate(scaled)], axis=0)
            highest = np.max([np.where(counts[:, i] > 0, u[:, column].max(), -np.inf) for i, u in enumerate(scaled)], axis=0)
            constant |= lowest == highest
        n, x, y, xx, yy, xy = (counts[~constant].astype(np.float64) @ sums).T
        r = (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
        values.append(np.clip(r, -1, 1))
        weights.append(weight[~constant])
        constant_weight += int(weight[constant].sum())
        constant_count += int(constant.sum())
    return np.concatenate(values), np.concatenate(weights), constant_weight, constant_count


def bootstrap(x, y, units, acceleration=None):
    """The exact bootstrap of r: weighted quantiles are the smallest value v with F(v) >= q.

    Values within 1e-12 of r count as r, and of 0 as 0: the printed table has resamples whose correlation is exactly 0.
    """
    a, b = standardised(x), standardised(y)
    r = float(a @ b)
    values, weights, constant_weight, constant_count = resample_everything(
        [[(a[i], b[i]) for i in unit] for unit in units]
    )
    order = np.argsort(values)
    values, cumulative = values[order], np.cumsum(weights[order])
    total = int(cumulative[-1])
    assert total + constant_weight == len(units) ** len(units)
    share = weights[order].astype(np.float64) / total

    def quantile(q):
        return float(values[np.searchsorted(cumulative, q * total)])

    mean = float((share * values).sum())
    below = int(weights[order][values < r - 1e-12].sum()) / total
    at_most = int(weights[order][values <= r + 1e-12].sum()) / total
    golden = {
        "resamples": len(values),
        "constant_resamples": constant_count,
        "constant_share": constant_weight / (total + constant_weight),
        "mean": mean,
        "sd": float(np.sqrt((share * (values - mean) ** 2).sum())),
        "median": quantile(0.5),
        "ci90": [quantile(0.05), quantile(0.95)],
        "ci95": [quantile(0.025), quantile(0.975)],
        "ci99": [quantile(0.005), quantile(0.995)],
        "below": below,
        "at_most": at_most,
        "at_least_zero": int(weights[order][values >= -1e-12].sum()) / total,
    }
    if acceleration is not None:
        z0 = stats.norm.ppf((below + at_most) / 2)
        z = z0 + stats.norm.ppf([0.025, 0.975])
        alpha = stats.norm.cdf(z0 + z / (1 - acceleration * z))
        golden |= {"z0": float(z0), "alpha": alpha.tolist(), "bca95": [quantile(q) for q in alpha]}
    return golden


def jackknife(x, y):
    left_out = [float(stats.pearsonr(np.delete(x, i), np.delete(y, i)).statistic) for i in range(len(x))]
    r, n, mean = float(stats.pearsonr(x, y).statistic), len(x), float(np.mean(left_out))
    deviations = mean - np.array(left_out)
    return {
        "r": left_out,
        "p": [float(stats.pearsonr(np.delete(x, i), np.delete(y, i)).pvalue) for i in range(len(x))],
        "mean": mean,
        "bias": (n - 1) * (mean - r),
        "error": float(np.sqrt((n - 1) / n * (deviations**2).sum())),
        "acceleration": float((deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)),
    }


def classical(x, y):
    """What scipy says of a sample."""
    pearson, spearman, line = stats.pearsonr(x, y), stats.spearmanr(x, y), stats.linregress(x, y)
    rho, error = spearman.statistic, np.sqrt((1 + spearman.statistic**2 / 2) / (len(x) - 3))
    r = pearson.statistic
    return {
        "pearson_r": float(r),
        "pearson_t": float(r * np.sqrt((len(x) - 2) / (1 - r * r))),
        "pearson_p": float(pearson.pvalue),
        "fisher_ci95": list(map(float, pearson.confidence_interval(0.95))),
        "spearman_rho": float(rho),
        "spearman_p": float(spearman.pvalue),
        "bonett_wright_ci95": [float(np.tanh(np.arctanh(rho) + z * error)) for z in stats.norm.ppf([0.025, 0.975])],
        "kendall_tau_b": float(stats.kendalltau(x, y).statistic),
        "kendall_tau_c": float(stats.kendalltau(x, y, variant="c").statistic),
        "kendall_p": float(stats.kendalltau(x, y).pvalue),
        "line": [float(v) for v in (line.slope, line.intercept, line.stderr, line.intercept_stderr)],
    }


def covariates():
    """The table of languages, with the columns that are derived from it."""
    table = {row["language"]: row for row in csv.DictReader(COVARIATES.open())}

    def column(of):
        return [float(of(table[language])) for language in LANGUAGES]

    return {
        "latin": column(lambda row: row["script"] == "Latn"),
        "log_mc4": column(lambda row: np.log10(float(row["mc4_billion_tokens"]) * 1e9)),
        "in_roots": column(lambda row: row["roots_bytes"] != "0"),
        "log_roots": column(lambda row: np.log10(float(row["roots_bytes"]) + 1)),
        "log_xglm": column(lambda row: np.log10(float(row["xglm30_tokens"]) + 1)),
    }


CONTROLS = [
    ["latin"], ["log_mc4"], ["in_roots"], ["log_roots"], ["log_xglm"], ["latin", "log_mc4"], ["latin", "log_mc4", "in_roots"],
]


def partials():
    """pingouin's partial and semi-partial (x residualised alone), and variance inflation by regressing each column on the others."""
    goldens = []
    printed = [PRINTED_KURTOSIS_BY_LANGUAGE[language] for language in LANGUAGES]
    columns = covariates()
    for name, x in [("kurtosis", KURTOSIS), ("outlier", OUTLIER), ("printed", printed)]:
        frame = pandas.DataFrame({"x": x, "y": OUTCOME} | columns)
        for controls in CONTROLS:
            partial = pingouin.partial_corr(frame, "x", "y", covar=controls)
            semi = pingouin.partial_corr(frame, "x", "y", x_covar=controls)
            predictors = ["x", *controls]
            inflation = [inflated(frame, name, [n for n in predictors if n != name]) for name in predictors]
            goldens.append({
                "predictor": name, "x": list(x), "controls": controls, "columns": [columns[control] for control in controls],
                "r": float(partial["r"].iloc[0]), "p": float(partial["p_val"].iloc[0]), "semi_r": float(semi["r"].iloc[0]),
                "semi_p": float(semi["p_val"].iloc[0]), "inflation": inflation,
            })
    return goldens


def inflated(frame, name, others):
    """1 / (1 - R squared) of a column on the others."""
    design = np.column_stack([np.ones(len(frame)), frame[others]])
    target = frame[name].to_numpy()
    residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(((target - target.mean()) ** 2).sum() / (residual**2).sum())


def families():
    """The cluster bootstrap over families, and the correlation of family means."""
    family = {row["language"]: row["family"] for row in csv.DictReader(COVARIATES.open())}
    of_language = [family[language] for language in LANGUAGES]
    names = sorted(set(of_language))
    members = [[i for i, name in enumerate(of_language) if name == family] for family in names]
    goldens = []
    for name, x in [("kurtosis", KURTOSIS), ("outlier", OUTLIER)]:
        x, y = np.array(x), np.array(OUTCOME)
        means = [[column[unit].mean() for unit in members] for column in (x, y)]
        pearson = stats.pearsonr(*means)
        left_out = [float(stats.pearsonr(np.delete(x, unit), np.delete(y, unit)).statistic) for unit in members]
        goldens.append({
            "predictor": name, "families": of_language, "bootstrap": bootstrap(x, y, members),
            "means_r": float(pearson.statistic), "means_p": float(pearson.pvalue),
            "means_rho": float(stats.spearmanr(*means).statistic), "left_out": left_out,
        })
    return goldens


def corrected():
    p = [float(stats.pearsonr(x, OUTCOME).pvalue) for x in PREDICTORS.values()]
    methods = {"holm": "holm", "benjamini_hochberg": "fdr_bh"}
    return {"p": p} | {name: multipletests(p, method=method)[1].tolist() for name, method in methods.items()}


def power():
    detectable = [{"n": n, "power": power, "alpha": alpha, "r": float(pingouin.power_corr(n=n, power=power, alpha=alpha))}
                  for n, power, alpha in [(14, 0.8, 0.05), (14, 0.9, 0.05), (39, 0.8, 0.05), (200, 0.8, 0.05), (14, 0.8, 0.05 / 24)]]
    needed = [{"r": r, "n": float(pingouin.power_corr(r=r, power=0.8, alpha=0.05))} for r in (0.1, 0.3, 0.5, 0.7)]
    return {"detectable": detectable, "needed": needed}


def samples():
    goldens = []
    for name, x, y in PHASE1_VECTORS:
        ranks = [stats.rankdata(column) for column in (x, y)]
        left_out = jackknife(np.array(x), np.array(y))
        golden = {"name": name, "x": list(x), "y": list(y)} | classical(x, y) | {"jackknife": left_out}
        golden |= {"orders": orders(x, y), "rank_orders": orders(*ranks)}
        golden |= {"bootstrap": bootstrap(x, y, [[i] for i in range(len(x))], left_out["acceleration"])}
        goldens.append(golden)
        print(name, golden["orders"], golden["bootstrap"]["ci95"], flush=True)
    return goldens


def write_printed(path):
    """The table as the study printed it."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["language", "weighted_kurtosis", "degradation"])
        writer.writerows([name, x, OUTCOME_BY_LANGUAGE[name]] for name, x in PRINTED_KURTOSIS_BY_LANGUAGE.items())


def main():
    parser = argparse.ArgumentParser(description="Writes correlations.json and phase1.csv.")
    parser.add_argument("out", nargs="?", type=Path, default=HERE.parent / "golden")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    write_printed(out / "phase1.csv")
    sections = {"samples": samples(), "partials": partials(), "families": families(), "corrected": corrected(), "power": power()}
    lines = []
    for name, section in sections.items():
        items = ",\n  ".join(json.dumps(item, allow_nan=False) for item in section) if isinstance(section, list) else None
        lines.append(f' "{name}": ' + (f"[\n  {items}\n ]" if items else json.dumps(section, allow_nan=False)))
    (out / "correlations.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
