"""Writes regressions.json: least squares with errors clustered by language and by layer, from statsmodels.

    python make_regression.py [OUT]        OUT is ../golden beside this script unless given

Each case is a grid of cells, some of them missing, one with two rows a cell; effects of languages and of layers make its errors depend on
each other. A standard error that is undefined is null.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import statsmodels.api as sm

# name, languages, layers, rows a cell, predictors kept, share of the cells that is missing, seed
CASES = [
    ("grid", 14, 10, 1, 5, 0.0, 30),
    ("negative_variances", 9, 8, 1, 5, 0.0, 30),
    ("gaps", 12, 6, 1, 5, 0.2, 31),
    ("repeated", 7, 5, 2, 3, 0.1, 32),
    ("one_predictor", 6, 10, 1, 1, 0.0, 33),
    ("no_predictor", 5, 5, 1, 0, 0.0, 34),
]


def cells(languages, layers, repeats, kept, missing, seed):
    """Outcome, predictors and both labels of every row, with few digits so that the file stays short."""
    rng = np.random.default_rng(seed)
    kurtosis, volume = np.round(rng.exponential(20.0, layers), 2), np.round(rng.normal(10.0, 1.0, languages), 2)
    latin = (np.arange(languages) % 2).astype(float)
    of_language, of_layer = rng.normal(0.0, 0.4, languages), rng.normal(0.0, 0.4, layers)
    rows = []
    for language in range(languages):
        for layer in range(layers):
            if rng.uniform() < missing:
                continue
            for _ in range(repeats):
                share = round(rng.uniform(0.01, 0.3), 3)
                x = [kurtosis[layer], share, round(kurtosis[layer] * share, 4), volume[language], latin[language]]
                noise = of_language[language] + of_layer[layer] + rng.normal(0.0, 0.3)
                y = 1.0 + 0.02 * x[0] - 2.0 * share + 0.1 * x[2] - 0.2 * x[3] + 0.3 * x[4] + noise
                rows.append((round(y, 3), x[:kept], language, layer))
    y, x, language, layer = zip(*rows)
    return np.array(y), np.array(x, dtype=float).reshape(len(y), kept), np.array(language), np.array(layer)


def defined(values):
    return [float(value) if math.isfinite(value) else None for value in values]


def golden(name, case):
    """Two-way clusters, small-sample factors, and Student's t with the fewer clusters less one as degrees of freedom."""
    y, x, language, layer = cells(*case)
    clusters = {"groups": np.column_stack([language, layer]), "use_correction": True, "df_correction": True}
    fit = sm.OLS(y, sm.add_constant(x, has_constant="add")).fit(cov_type="cluster", cov_kwds=clusters, use_t=True)
    degrees = min(len(set(language.tolist())), len(set(layer.tolist()))) - 1
    assert fit.df_resid_inference == degrees
    low, high = fit.conf_int(0.05).T
    return {
        "name": name,
        "y": y.tolist(),
        "x": x.T.tolist(),
        "language": language.tolist(),
        "layer": layer.tolist(),
        "degrees": degrees,
        "r_squared": None if x.shape[1] == 0 else float(fit.rsquared),
        "coefficient": defined(fit.params),
        "standard_error": defined(fit.bse),
        "t": defined(fit.tvalues),
        "p": defined(fit.pvalues),
        "low": defined(low),
        "high": defined(high),
    }


def main():
    parser = argparse.ArgumentParser(description="Writes regressions.json.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with np.errstate(invalid="ignore"):
        goldens = [golden(name, case) for name, *case in CASES]
    undefined = [golden["name"] for golden in goldens if None in golden["standard_error"]]
    assert undefined == ["negative_variances"], undefined
    lines = ",\n ".join(json.dumps(golden, allow_nan=False) for golden in goldens)
    (out / "regressions.json").write_text(f"[\n {lines}\n]\n")


if __name__ == "__main__":
    main()
