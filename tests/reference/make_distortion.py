"""How far quantizers move a matrix, measured with NumPy.

    python make_distortion.py OUT.json

The matrix is that of make_quant.py, made of the generator of statistics.json, so that only the measures are stored: MSE, SQNR, largest
error, share of the codes that groups use, share of weights beyond the limits, and the limit over the standard deviation."""

import json
import sys

import ml_dtypes
import numpy as np
import quantizers
from generated_weights import matrix

F32 = np.float32
# Quantiles of a normal distribution scaled to ±1, as QLoRA published them.
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334]
NF4 += [-0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224]
NF4 += [0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]


def of_uniform(w, spelling):
    """Groups before and after rounding, lowest and highest weight that is not clipped, and how many values a grid has."""
    config = quantizers.Config.parse(spelling)
    groups = config.rows(w)
    after = config.rows(quantizers.quantize(w, config).values)
    low, high = np.minimum(groups.min(axis=1), 0), np.maximum(groups.max(axis=1), 0)
    if config.sigma:
        limit = F32(config.sigma * groups.astype(np.float64).std())
        low, high = np.maximum(low, -limit), np.minimum(high, limit)
    if not config.asymmetric:
        high = np.maximum(high, -low)
        low = -high
    return groups, after, low, high, 2**config.bits - (0 if config.asymmetric else 1)


def of_nf4(w):
    groups = w.reshape(-1, 64)
    limit = np.abs(groups).max(axis=1, keepdims=True)
    table = np.array(NF4, dtype=F32)
    # A block of subnormals is not scaled up.
    scaled = groups / np.maximum(limit, np.finfo(F32).tiny)
    nearest = table[np.abs(scaled[..., None].astype(np.float64) - table.astype(np.float64)).argmin(axis=-1)]
    return groups, nearest * limit, -limit[:, 0], limit[:, 0], 16


def of_mxfp4(w):
    groups = w.reshape(-1, 32)
    limit = np.abs(groups).max(axis=1, keepdims=True).astype(np.float64)
    with np.errstate(divide="ignore"):
        exponent = np.clip(np.where(limit == 0, -127, np.floor(np.log2(limit)) - 2), -127, 127)
    scale = 2.0**exponent
    after = np.clip(groups / scale, -6, 6).astype(F32).astype(ml_dtypes.float4_e2m1fn).astype(np.float64) * scale
    high = (6 * scale[:, 0]).astype(F32)
    return groups, after.astype(F32), -high, high, 15


def of_ternary(w):
    scale = np.abs(w).mean(axis=1, keepdims=True, dtype=np.float64).astype(F32)
    after = np.clip(np.rint(w / np.where(scale == 0, F32(1), scale)), -1, 1) * scale
    return w, after, -scale[:, 0], scale[:, 0], 3


def measures(groups, after, low, high, values):
    w, q = groups.astype(np.float64), after.astype(np.float64)
    error = q - w
    most = min(values, groups.shape[1])
    # Adding 0 makes both zeros one value.
    used = [len(np.unique(group + F32(0))) / most for group in after]
    clipped = (groups < low[:, None]) | (groups > high[:, None])
    alpha = np.maximum(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64)))
    return {
        "mse": float((error**2).mean()),
        "sqnr_db": float(10 * np.log10((w**2).sum() / (error**2).sum())),
        "max_error": float(np.abs(error).max()),
        "codes_used": float(np.mean(used)),
        "clipped": float(clipped.mean()),
        "alpha_over_sigma": float(alpha.mean() / w.std()),
    }


def main(path):
    w = matrix()
    uniform = ["int8-tensor", "int4-channel", "int4-group32", "int3-asym-group64", "int2-asym-tensor", "int4-tensor-sigma2.5"]
    configs = {spelling: of_uniform(w, spelling) for spelling in uniform}
    configs |= {"nf4-block64": of_nf4(w), "mxfp4": of_mxfp4(w), "ternary-channel": of_ternary(w)}
    rows = [{"config": config} | measures(*groups) for config, groups in configs.items()]
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


main(sys.argv[1])
