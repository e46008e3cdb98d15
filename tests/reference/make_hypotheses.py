"""Writes hypotheses.json: one-sided tests of correlations over languages, their power, and families of them.

    python make_hypotheses.py [OUT]      OUT is ../golden beside this script unless given

Permutation p values come from scipy's exact `permutation_test` on seven languages, and from the whole count of 14! orders in
correlations.json, which must be there; Kendall's from scipy, partial correlations and power from pingouin, families from statsmodels.
Claims about other numbers than 0 are Fisher's z by its formula.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pandas
import pingouin
from scipy import stats
from statsmodels.stats.multitest import multipletests

from phase1_vectors import OUTCOME_BY_LANGUAGE, PREDICTORS

HERE = Path(__file__).resolve().parent
COVARIATES = HERE.parent.parent / "coordinator" / "src" / "covariates.csv"
LANGUAGES = list(OUTCOME_BY_LANGUAGE)
OUTCOME = list(OUTCOME_BY_LANGUAGE.values())
KURTOSIS = list(PREDICTORS["phase1_block_out_kurtosis"])
SIDES = {"<": "less", ">": "greater", "!=": "two-sided"}
Z = stats.norm.ppf(0.975)


def covariates():
    table = {row["language"]: row for row in csv.DictReader(COVARIATES.open())}
    of = {
        "latin": lambda row: float(row["script"] == "Latn"),
        "log_mc4": lambda row: np.log10(float(row["mc4_billion_tokens"]) * 1e9),
    }
    return {name: [float(value(table[language])) for language in LANGUAGES] for name, value in of.items()}


def interval(r, error):
    return [float(np.tanh(np.arctanh(r) + sign * Z * error)) for sign in (-1, 1)]


def error(statistic, r, n):
    """Standard error on Fisher's scale: Fisher, Bonett and Wright, Fieller."""
    variance = {"pearson": 1 / (n - 3), "spearman": (1 + r * r / 2) / (n - 3), "kendall": 0.437 / (n - 4)}
    return float(np.sqrt(variance[statistic]))


def estimate(statistic, x, y):
    of = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}
    return float(of[statistic](x, y).statistic)


def claim(statistic, relation, number, p, r, ends, x, y, held=""):
    text = f"{statistic}(weighted_kurtosis, delta_nll{held}) {relation} {number}"
    return {"claim": text, "x": list(map(float, x)), "y": list(map(float, y)), "estimate": r, "interval": ends, "p": float(p)}


def permuted(statistic, relation, x, y):
    """scipy's exact permutation test: every pairing is formed. Its two-sided p is twice the smaller one; ours counts |r|."""
    y = np.asarray(y)
    if relation == "!=":
        of = lambda x: abs(estimate(statistic, x, y))
        alternative = "greater"
    else:
        of = lambda x: estimate(statistic, x, y)
        alternative = SIDES[relation]
    return stats.permutation_test((x,), of, permutation_type="pairings", alternative=alternative, n_resamples=np.inf, vectorized=False).pvalue


def claims():
    goldens = []
    rng = np.random.default_rng(7)
    samples = [(KURTOSIS[:7], OUTCOME[:7]), (rng.normal(size=7).round(1), rng.normal(size=7).round(1)), ([1, 2, 2, 3, 5, 5, 9], [4, 3, 3, 3, 1, 2, 0])]
    for x, y in samples:
        for relation in SIDES:
            for statistic in ("pearson", "spearman"):
                r = estimate(statistic, x, y)
                goldens.append(claim(statistic, relation, 0, permuted(statistic, relation, x, y), r, interval(r, error(statistic, r, 7)), x, y))
            tau = estimate("kendall", x, y)
            p = stats.kendalltau(x, y, alternative=SIDES[relation]).pvalue
            goldens.append(claim("kendall", relation, 0, p, tau, interval(tau, error("kendall", tau, 7)), x, y))
    counted = json.loads((HERE.parent / "golden" / "correlations.json").read_text())["samples"]
    for sample in counted:
        x, y = sample["x"], sample["y"]
        for statistic, orders in (("pearson", sample["orders"]), ("spearman", sample["rank_orders"])):
            r = estimate(statistic, x, y)
            for relation, key in (("<", "at_most"), (">", "at_least"), ("!=", "as_strong")):
                p = orders[key] / orders["total"]
                goldens.append(claim(statistic, relation, 0, p, r, interval(r, error(statistic, r, 14)), x, y))
        for statistic in ("pearson", "spearman", "kendall"):
            r = estimate(statistic, x, y)
            for relation, number in (("<", -0.3), (">", -0.3), ("<", 0.2)):
                z = (np.arctanh(r) - np.arctanh(number)) / error(statistic, r, 14)
                p = stats.norm.cdf(z) if relation == "<" else stats.norm.sf(z)
                goldens.append(claim(statistic, relation, number, p, r, interval(r, error(statistic, r, 14)), x, y))
    return goldens


def partials():
    goldens, columns = [], covariates()
    for held in (["latin"], ["log_mc4"], ["latin", "log_mc4"]):
        frame = pandas.DataFrame({"x": KURTOSIS, "y": OUTCOME} | columns)
        for relation, alternative in SIDES.items():
            found = pingouin.partial_corr(frame, "x", "y", covar=held, alternative=alternative)
            r = float(found["r"].iloc[0])
            ends = interval(r, 1 / np.sqrt(14 - len(held) - 3))
            goldens.append(claim("partial", relation, 0, found["p_val"].iloc[0], r, ends, KURTOSIS, OUTCOME, " | " + ", ".join(held)))
    return goldens


def power():
    goldens = []
    for relation, alternative in SIDES.items():
        for n, effect, level in [(14, 0.5, 0.05), (14, 0.7, 0.05 / 3), (30, 0.5, 0.01), (60, 0.3, 0.05)]:
            sign = -1 if relation == "<" else 1
            found = pingouin.power_corr(r=sign * effect, n=n, alpha=level, alternative=alternative)
            goldens.append({"relation": relation, "number": 0, "n": n, "effect": effect, "level": level, "power": float(found)})
    for relation, number, n, effect, level in [("<", -0.3, 40, 0.6, 0.05), (">", -0.3, 14, 0.5, 0.02)]:
        sign = -1 if relation == "<" else 1
        distance = abs(np.arctanh(sign * effect) - np.arctanh(number)) * np.sqrt(n - 3)
        found = stats.norm.cdf(distance - stats.norm.ppf(1 - level))
        goldens.append({"relation": relation, "number": number, "n": n, "effect": effect, "level": level, "power": float(found)})
    return goldens


def main():
    parser = argparse.ArgumentParser(description="Writes hypotheses.json.")
    parser.add_argument("out", nargs="?", type=Path, default=HERE.parent / "golden")
    out = parser.parse_args().out
    found = claims()
    p = [golden["p"] for golden in found]
    families = {name: multipletests(p, method=method)[1].tolist() for name, method in {"holm": "holm", "bh": "fdr_bh"}.items()}
    sections = {"claims": found, "partials": partials(), "power": power()}
    lines = [f' "languages": {json.dumps(LANGUAGES)}', f' "families": {json.dumps(families)}']
    for name, section in sections.items():
        items = ",\n  ".join(json.dumps(item, allow_nan=False) for item in section)
        lines.append(f' "{name}": [\n  {items}\n ]')
    (out / "hypotheses.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
