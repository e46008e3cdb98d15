"""Goldens of quantizers on a matrix, from implementations that are not ours.

    python make_quant.py OUT.json

bitsandbytes (NF4, FP4, double quantization), ml_dtypes (float8 and the elements of MX), gguf (Q4_0 ... Q8_0), and straight NumPy
transcriptions of the published algorithms of GPTQ, AWQ, SmoothQuant and HQQ. The matrix and the inputs come from the generator of
statistics.json, so that only results are stored: SHA-256 of the f32 values (-0 as 0) where they are exact, the values themselves where
sums may run in another order."""

import hashlib
import json
import sys

import bitsandbytes.functional as bnb
import gguf
import ml_dtypes
import numpy as np
import torch

from generated_weights import COLUMNS, ROWS, Generator, matrix

TOKENS = 256
F32 = np.float32


def inputs():
    """Correlated inputs [tokens, columns], multiples of 1/64 so that sums of their products are exact in f64; column 5 is dead and column
    9 large."""
    g = Generator(99)
    x = np.array([g.gaussish() for _ in range(TOKENS * COLUMNS)]).reshape(TOKENS, COLUMNS)
    x = np.rint(x * 4096)
    x[:, 1:] += np.rint(x[:, :-1] / 2)
    x[:, 9] *= 16
    x[:, 5] = 0
    return x / 64


def digest(values):
    values = np.ascontiguousarray(values, dtype=F32) + F32(0)
    return hashlib.sha256(values.tobytes()).hexdigest()


def of_bitsandbytes(w, kind, double):
    packed, state = bnb.quantize_4bit(torch.from_numpy(w), blocksize=64, quant_type=kind, compress_statistics=double)
    return bnb.dequantize_4bit(packed, state).numpy()


def of_float8(w, dtype, largest, axis):
    scale = np.abs(w).max(axis=axis, keepdims=axis is not None) / F32(largest)
    scale = np.where(scale == 0, F32(1), scale).astype(F32)
    return (w / scale).astype(dtype).astype(F32) * scale


def of_microscaling(w, dtype, exponent_max, largest):
    blocks = w.reshape(-1, 32)
    magnitude = np.abs(blocks).max(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log2(magnitude.astype(np.float64))) - exponent_max
    exponent = np.clip(np.where(magnitude == 0, -127, exponent), -127, 127)
    scale = 2.0**exponent
    scaled = np.clip(blocks / scale, -largest, largest).astype(F32)
    return (scaled.astype(dtype).astype(np.float64) * scale).astype(F32).reshape(w.shape)


def of_gguf(w, kind):
    return gguf.quants.dequantize(gguf.quants.quantize(w, kind), kind)


def symmetric(group, bits):
    """Grid of a group: scale, nearest."""
    top = 2 ** (bits - 1) - 1
    scale = F32(np.abs(group).max()) / F32(top)
    scale = scale if scale != 0 else F32(1)
    return lambda w: np.clip(np.rint(w / scale), -top, top) * scale


def asymmetric(group, bits):
    top = 2**bits - 1
    low, high = F32(min(0, group.min())), F32(max(0, group.max()))
    if low == high:
        low, high = F32(-1), F32(1)
    scale = (high - low) / F32(top)
    zero = np.rint(-low / scale)
    return lambda w: (np.clip(np.rint(w / scale) + zero, 0, top) - zero) * scale


def gptq(w, second, fit, bits, group, act_order, damping=0.01):
    """The published loop with lazy updates left out: they do not change the result. Groups are fitted to weights that all columns
    before them have changed; with act_order to the stored weights. Dead columns have no part in the mean diagonal: the published sums
    are some thousand times larger than our means, and the 1 that stands for a dead column vanishes beside them."""
    w, h = w.astype(np.float64).copy(), second.astype(np.float64).copy()
    columns = w.shape[1]
    dead, mean = np.diag(h) == 0, np.mean(np.diag(h))
    h[dead, dead] = 1
    stored = w.copy()
    w[:, dead] = 0
    order = np.argsort(-np.diag(second), kind="stable") if act_order else np.arange(columns)
    w, h = w[:, order], h[np.ix_(order, order)]
    h[np.diag_indices(columns)] += damping * mean
    upper = np.linalg.cholesky(np.linalg.inv(h)).T
    out = np.zeros_like(w)
    for row in range(w.shape[0]):
        grids = {}
        if act_order or group == columns:
            for first in range(0, columns, group):
                grids[first // group] = fit(stored[row, first : first + group].astype(F32), bits)
        for j in range(columns):
            number = order[j] // group
            if number not in grids:
                grids[number] = fit(w[row, j : j + group].astype(F32), bits)
            out[row, j] = grids[number](F32(w[row, j]))
            error = (w[row, j] - out[row, j]) / upper[j, j]
            w[row, j:] -= error * upper[j, j:]
    back = np.zeros_like(out)
    back[:, order] = out
    return back.astype(F32)


def output_error(w, rounded, second):
    d = w.astype(np.float64) - rounded.astype(np.float64)
    return float(np.einsum("ij,jk,ik->", d, second.astype(np.float64), d))


def nearest(w, fit, bits, group):
    groups = w.reshape(-1, group)
    return np.stack([fit(g, bits)(g) for g in groups]).astype(F32).reshape(w.shape)


def awq(w, x, second, fit, bits, group):
    """Scale search, scales of one included, then the search of each group's ends."""
    groups = np.abs(w).reshape(w.shape[0], -1, group)
    relative = (groups / (groups.max(axis=2, keepdims=True) + F32(1e-6))).reshape(w.shape).mean(axis=0, dtype=np.float64)
    magnitude = np.abs(x).mean(axis=0)
    best = (np.inf, None)
    for k in range(-1, 20):
        ratio = k / 20
        scales = np.ones_like(magnitude) if k < 0 else np.maximum(magnitude**ratio / (relative ** (1 - ratio) + 1e-4), 1e-4)
        scales = scales / np.sqrt(scales.max() * scales.min())
        scales = np.where(np.isfinite(scales) & (scales > 0), scales, 1).astype(F32)
        error = output_error(w, nearest(w * scales, fit, bits, group) / scales, second)
        if error < best[0]:
            best = (error, scales)
    scales = best[1]
    scaled = w * scales
    moments = second / np.outer(scales, scales)
    out = np.zeros_like(scaled)
    for first in range(0, w.shape[1], group):
        block = moments[first : first + group, first : first + group].astype(np.float64)
        for row in range(w.shape[0]):
            g = scaled[row, first : first + group]
            least = np.inf
            for k in range(10):
                share = F32(1 - k / 20)
                q = fit(g * share, bits)(g)
                e = (g - q).astype(np.float64)
                error = e @ block @ e
                if error < least:
                    least, out[row, first : first + group] = error, q
    return (out / scales).astype(F32)


def hqq(w, bits, group):
    groups, top = w.reshape(-1, group), 2**bits - 1
    low, high = groups.min(axis=1, keepdims=True), groups.max(axis=1, keepdims=True)
    scale = np.where(np.abs(high - low) <= 1e-4, F32(1), F32(top) / np.where(high == low, F32(1), high - low))
    scale = np.minimum(scale, F32(2e4)).astype(F32)
    zero = -low * scale
    least = np.inf
    for _ in range(20):
        q = np.clip(np.rint(groups * scale + zero), 0, top)
        difference = groups - (q - zero) / scale
        magnitude = np.abs(difference)
        with np.errstate(divide="ignore"):
            shrunk = np.sign(difference) * np.maximum(0, magnitude - magnitude ** F32(-0.3) / F32(10))
        error = magnitude.mean(dtype=np.float64)
        zero = (q - (groups - shrunk) * scale).mean(axis=1, keepdims=True, dtype=np.float64).astype(F32)
        if error >= least:
            break
        least = error
    q = np.clip(np.rint(groups * scale + zero), 0, top)
    return ((q - zero) / scale).reshape(w.shape)


def main(path):
    w, x = matrix(), inputs()
    second = (x.T @ x / TOKENS).astype(F32)
    exact = {
        "nf4-block64": of_bitsandbytes(w, "nf4", False),
        "fp4-block64": of_bitsandbytes(w, "fp4", False),
        "fp8-e4m3-tensor": of_float8(w, ml_dtypes.float8_e4m3fn, 448, None),
        "fp8-e4m3-channel": of_float8(w, ml_dtypes.float8_e4m3fn, 448, 1),
        "fp8-e5m2-tensor": of_float8(w, ml_dtypes.float8_e5m2, 57344, None),
        "fp8-e5m2-channel": of_float8(w, ml_dtypes.float8_e5m2, 57344, 1),
        "mxfp4": of_microscaling(w, ml_dtypes.float4_e2m1fn, 2, 6),
        "mxfp6-e2m3": of_microscaling(w, ml_dtypes.float6_e2m3fn, 2, 7.5),
        "mxfp6-e3m2": of_microscaling(w, ml_dtypes.float6_e3m2fn, 4, 28),
        "mxfp8-e4m3": of_microscaling(w, ml_dtypes.float8_e4m3fn, 8, 448),
        "mxfp8-e5m2": of_microscaling(w, ml_dtypes.float8_e5m2, 15, 57344),
        **{f"candle-{k.name.lower()}": of_gguf(w, k) for k in map(gguf.GGMLQuantizationType, (2, 3, 6, 7, 8))},
    }
    close = {
        "nf4-block64-double": of_bitsandbytes(w, "nf4", True),
        "gptq-int4-channel@eng": gptq(w, second, symmetric, 4, COLUMNS, False),
        "gptq-int3-asym-group32@eng": gptq(w, second, asymmetric, 3, 32, False),
        "gptq-actorder-int3-group64@eng": gptq(w, second, symmetric, 3, 64, True),
        "gptq-damp0.1-int4-asym-channel@eng": gptq(w, second, asymmetric, 4, COLUMNS, False, 0.1),
        "gptq-int4-group96@eng": gptq(w, second, symmetric, 4, 96, False),
        "gptq-int4-asym-group48@eng": gptq(w, second, asymmetric, 4, 48, False),
        "awq-int3-asym-group64@eng": awq(w, x, second, asymmetric, 3, 64),
        "awq-int4-group32@eng": awq(w, x, second, symmetric, 4, 32),
        "hqq-int3-group64": hqq(w, 3, 64),
        "hqq-int4-group32": hqq(w, 4, 32),
    }
    strength = 0.5
    scales = np.maximum(np.abs(x).max(axis=0) ** strength / np.maximum(np.abs(w).max(axis=0), 1e-5) ** (1 - strength), 1e-5).astype(F32)
    close["smooth0.5-int8-channel-a8@eng"] = nearest(w * scales, symmetric, 8, COLUMNS)
    rows = [{"config": c, "f32_sha256": digest(v)} for c, v in exact.items()]
    for config, values in close.items():
        error = output_error(w, values, second) if "smooth" not in config else None
        sample = [float(v) for v in values.reshape(-1)[::37]]
        rows.append({"config": config, "every_37th": sample, "output_error": error})
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


main(sys.argv[1])
