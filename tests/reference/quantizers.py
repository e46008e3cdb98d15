"""Round-to-nearest weight quantizers in numpy f32, written from their definitions.

They are the independent side of the comparison: nothing here is shared with the Rust code. Ties round to even, scales stay
f32, and every operation is one f32 operation, so a correct implementation agrees bit for bit.
"""

import re
from dataclasses import dataclass

import numpy as np

SPELLING = re.compile(
    r"int(?P<bits>[2-8])(?P<asymmetric>-asym)?-(?P<granularity>tensor|channel|group(?P<group>\d+))"
    r"(-sigma(?P<sigma>\d+(\.\d+)?))?"
)


@dataclass(frozen=True)
class Config:
    """A quantization config: `int4-channel`, `int3-asym-group8`, `int4-tensor-sigma3.5`."""

    bits: int
    asymmetric: bool
    granularity: str
    sigma: float | None

    @classmethod
    def parse(cls, spelling):
        match = SPELLING.fullmatch(spelling)
        if match is None:
            raise ValueError(f"not a config: {spelling}")
        sigma = match["sigma"]
        if sigma and (match["asymmetric"] or match["granularity"] != "tensor"):
            raise ValueError(f"sigma clipping is defined here for symmetric tensor configs: {spelling}")
        return cls(
            bits=int(match["bits"]),
            asymmetric=match["asymmetric"] is not None,
            granularity=match["granularity"],
            sigma=float(sigma) if sigma else None,
        )

    def rows(self, weights):
        """The matrix [outputs, inputs] reshaped so that each row shares one scale."""
        if self.granularity == "tensor":
            return weights.reshape(1, -1)
        if self.granularity == "channel":
            return weights
        group = int(self.granularity.removeprefix("group"))
        if weights.shape[1] % group:
            raise ValueError(f"{group} does not divide a row of {weights.shape[1]}")
        return weights.reshape(-1, group)


@dataclass(frozen=True)
class Quantized:
    """Codes and dequantized values in the shape of the input; one scale (and zero point) per group."""

    values: np.ndarray
    codes: np.ndarray
    scales: np.ndarray
    zeros: np.ndarray | None


def quantize(weights, config):
    """Quantizes and dequantizes an f32 matrix [outputs, inputs]."""
    assert weights.dtype == np.float32 and weights.ndim == 2
    rows = config.rows(weights)
    quantized = asymmetric(rows, config.bits) if config.asymmetric else symmetric(rows, config)
    values, codes, scales, zeros = quantized
    assert values.dtype == np.float32 and scales.dtype == np.float32
    return Quantized(values.reshape(weights.shape), codes.reshape(weights.shape), scales, zeros)


def symmetric(rows, config):
    """s = alpha / qmax, q = clamp(rne(w / s), -qmax, qmax), with qmax = 2^(b-1) - 1.

    alpha is max|w| of the group, or min(k * population standard deviation, max|w|) where the config clips. The standard
    deviation is taken in f64 and k * std is rounded to f32 once. A group of zeros has scale 1.
    """
    qmax = np.float32(2 ** (config.bits - 1) - 1)
    alpha = np.abs(rows).max(axis=1)
    if config.sigma is not None:
        alpha = np.minimum(np.float32(config.sigma * rows.astype(np.float64).std()), alpha)
    scales = np.where(alpha == 0, np.float32(1), alpha / qmax)
    codes = np.clip(np.rint(rows / scales[:, None]), -qmax, qmax)
    return codes * scales[:, None], codes, scales, None


def asymmetric(rows, bits):
    """The GPTQ form: the range always holds 0, s = (max - min) / (2^b - 1), z = rne(-min / s), w = s * (q - z)."""
    levels = np.float32(2**bits - 1)
    low = np.minimum(rows.min(axis=1), np.float32(0))
    high = np.maximum(rows.max(axis=1), np.float32(0))
    empty = (low == 0) & (high == 0)
    low, high = np.where(empty, np.float32(-1), low), np.where(empty, np.float32(1), high)
    scales = (high - low) / levels
    zeros = np.rint(-low / scales)
    codes = np.clip(np.rint(rows / scales[:, None]) + zeros[:, None], np.float32(0), levels)
    return scales[:, None] * (codes - zeros[:, None]), codes, scales, zeros
