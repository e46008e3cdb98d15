"""Writes wild.json: p by the wild cluster bootstrap with errors clustered two ways, every sample refitted by numpy.

    python make_wild.py [OUT]        OUT is ../golden beside this script unless given

Restricted residuals, weights of the kind of clusters that has fewer members: every vector of signs from 10 to 12 clusters, every vector of
Webb's six weights below (so few that 6^G can be counted). A sample whose t is as large as the observed one counts, and so does one whose
variance is not positive. Where layers are single rows the errors are clustered one way, which is what wildboottest computes: it must agree,
but for samples that are the data themselves or their mirror image, which rounding may keep it from counting.
"""

import argparse
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from wildboottest.wildboottest import wildboottest

# name, languages, layers (0: every row its own), predictors, seed
CASES = [
    ("one_way_signs", 10, 0, 2, 41),
    ("two_way_signs", 11, 13, 3, 42),
    ("fewer_layers", 14, 10, 2, 43),
    ("two_way_webb", 8, 5, 2, 44),
]
WEBB = [s * math.sqrt(w) for s in (1, -1) for w in (0.5, 1.0, 1.5)]


def rows(languages, layers, kept, seed):
    rng = np.random.default_rng(seed)
    per_language = layers or 6
    of_language, of_layer = rng.normal(0, 0.5, languages), rng.normal(0, 0.5, per_language)
    volume, kurtosis = rng.normal(0, 1, languages), rng.normal(0, 1, per_language)
    language = np.repeat(np.arange(languages), per_language)
    place = np.tile(np.arange(per_language), languages)
    noise = rng.normal(0, 0.5, len(language))
    x = np.column_stack([kurtosis[place], volume[language], rng.normal(0, 1, len(language))])[:, :kept].round(3)
    y = (0.2 * x[:, 0] + 0.1 * x[:, -1] + of_language[language] + of_layer[place] * (layers > 0) + noise).round(3)
    layer = place if layers else np.arange(len(language))
    return y, x, language, layer


def t_of(X, y, at, language, layer):
    """beta/se with V = V_language + V_layer - V_cell; infinite where V is not positive."""
    bread = np.linalg.inv(X.T @ X)
    beta = bread @ X.T @ y
    scores = X * (y - X @ beta)[:, None]
    n, k = X.shape
    variance = 0.0
    cell = np.array([f"{a} {b}" for a, b in zip(language, layer)])
    for sign, labels in ((1, language), (1, layer), (-1, cell)):
        names, codes = np.unique(labels, return_inverse=True)
        sums = np.zeros((len(names), k))
        np.add.at(sums, codes, scores)
        g = len(names)
        variance += sign * g / (g - 1) * (n - 1) / (n - k) * (bread @ sums.T @ sums @ bread)[at, at]
    return beta[at] / math.sqrt(variance) if variance > 1e-12 else math.inf


def golden(name, languages, layers, kept, seed):
    y, x, language, layer = rows(languages, layers, kept, seed)
    X = np.column_stack([np.ones(len(y)), x])
    kind = int(len(set(layer)) < len(set(language)))
    weighted = (language, layer)[kind]
    clusters = len(set(weighted.tolist()))
    weights = [-1.0, 1.0] if clusters >= 10 else WEBB
    ts, ps = [], []
    for at in range(X.shape[1]):
        observed = t_of(X, y, at, language, layer)
        others = np.delete(X, at, axis=1)
        fitted = others @ np.linalg.lstsq(others, y, rcond=None)[0]
        errors = y - fitted
        count = total = ties = 0
        for vector in itertools.product(weights, repeat=clusters):
            t = abs(t_of(X, fitted + np.array(vector)[weighted] * errors, at, language, layer))
            total += 1
            count += t >= abs(observed) * (1 - 1e-9)
            ties += abs(t / abs(observed) - 1) < 1e-9
        ts.append(float(observed))
        ps.append(count / total)
        if not layers and at > 0:
            agree((y, x, language), at, observed, ((count - ties) / total, count / total))
    assert all(math.isfinite(t) for t in ts), name
    return {
        "name": name, "y": y.tolist(), "x": x.T.tolist(), "language": language.tolist(), "layer": layer.tolist(),
        "kind": kind, "t": ts, "p": ps,
    }


def agree(data, at, observed, between):
    y, x, language = data
    names = [f"x{i}" for i in range(x.shape[1])]
    model = smf.ols("y ~ " + " + ".join(names), pd.DataFrame(x, columns=names).assign(y=y))
    found = wildboottest(model, param=names[at - 1], cluster=pd.Series(language), B=99999, seed=1, weights_type="rademacher",
                         impose_null=True, bootstrap_type="11", show=False)
    theirs_t, theirs = (float(np.ravel(found[column].iloc[0])[0]) for column in ("statistic", "p-value"))
    assert abs(theirs_t / observed - 1) < 1e-4, (theirs_t, observed)
    assert between[0] - 1e-9 <= theirs <= between[1] + 1e-9, (theirs, between)


def main():
    parser = argparse.ArgumentParser(description="Writes wild.json.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    goldens = ",\n ".join(json.dumps(golden(*case), allow_nan=False) for case in CASES)
    (out / "wild.json").write_text(f"[\n {goldens}\n]\n")


if __name__ == "__main__":
    main()
