"""Writes what golden models say of calibrated and activation-quantizing configs: `transformers` with hooks on its matrices.

    python make_calibration.py [OUT]     OUT is ../golden beside this script unless given; reads OUT/bloom and OUT/families, which
                                         must be there, and writes OUT/calibration/

For each case lands <case>.safetensors: the moments of what every matrix reads over the case's own documents, each token once (mean
of x xᵀ, mean and largest |x|, number of tokens), and <case>.json: the documents' scores with weights and inputs quantized. Beside
them llm_int8.json has inputs that bitsandbytes brought to int8. Every window is a batch of its own.

A matrix in scope multiplies other inputs than one out of scope, also where both are rows of one stored matrix.
"""

import json

import bitsandbytes
import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from families import family_of, layer_names, matrices
from quantizers import Config, quantize
from scoring import layers_in_scope, log_softmax, nll_sum, prepared_output, role_rows, scored_logits, stored_matrix, write_json
from t5_scoring import logits_of, second_half

CASES = ["bloom/four_heads_f32", "families/gpt2", "families/llama_linear", "families/mt5"]
# What a matrix reads, by the roles that read it.
INPUTS = {
    "attention": ["attn.q", "attn.k", "attn.v"],
    "context": ["attn.o"],
    "cross": ["cross.q"],
    "memory": ["cross.k", "cross.v"],
    "cross-context": ["cross.o"],
    "mlp": ["mlp.gate", "mlp.up"],
    "mlp-act": ["mlp.down"],
}
CELLS = [
    ("all", "mlp", "int8-channel-a8"),
    ("all", "linear", "int4-channel-a4"),
    ("only(1)", "attention", "int8-channel-a3"),
    ("all", "attn.q+mlp.down", "int8-tensor-a2"),
    ("all", "linear", "llm-int8-6"),
    ("all", "linear", "llm-int8-2"),
    ("all", "mlp", "smooth0.5-int8-channel-a8@mix"),
    ("all-but(0)", "linear", "smooth0.75-int4-channel@mix"),
]


class Model:
    """A case's model with its documents."""

    def __init__(self, folder):
        config = transformers.AutoConfig.from_pretrained(folder)
        architecture = getattr(transformers, config.architectures[0])
        self.model = architecture.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        self.family = family_of(self.model.config)
        self.root = self.family.root_of(self.model)
        expected = json.loads((folder / "expected.json").read_text())
        self.documents = expected["documents"]
        self.prefix = expected.get("prefix")

    def read(self, document):
        """What a decoder-only model reads of a document."""
        return ([] if self.prefix is None else [self.prefix]) + document["token_ids"]

    def nll(self, document):
        """The document's score."""
        if self.model.config.is_encoder_decoder:
            # Its last token predicts nothing, and might make a column an outlier.
            logits = logits_of(self.model, document["source_ids"], document["decoder_ids"][:-1])[1:]
            targets = second_half(document)
            logits = logits[: len(targets)]
        else:
            read = self.read(document)
            logits, targets = scored_logits(self.model, read), read[1:]
        return nll_sum(log_softmax(logits), targets)

    @torch.no_grad()
    def forwards(self):
        """Runs every window of every document; yields for each how many of its tokens, at the end, are new."""
        for document in self.documents:
            if self.model.config.is_encoder_decoder:
                if document["scored_tokens"]:
                    source, decoder = document["source_ids"], document["decoder_ids"][:-1]
                    self.model(torch.tensor([source]), decoder_input_ids=torch.tensor([decoder]), use_cache=False)
                    yield None
                continue
            seen, read = 0, self.read(document)
            for window in document["windows"]:
                self.model(torch.tensor([read[window["start"] : window["end"]]]), use_cache=False)
                yield window["end"] - seen
                seen = window["end"]

    def module(self, matrix):
        return self.root.get_submodule(matrix.name.removesuffix(".weight"))

    def moments(self):
        """Layer and input -> the moments of what its matrices read."""
        found, handles = {}, []

        def keep(key):
            def hook(_, arguments):
                now[key] = arguments[0].reshape(-1, arguments[0].shape[-1])

            return hook

        now = {}
        for layer in layer_names(self.root, self.family):
            matrices_of = dict(matrices(self.family, layer, "linear"))
            for name, roles in INPUTS.items():
                matrix = next((matrices_of[role] for role in roles if role in matrices_of), None)
                if matrix is not None:
                    handles.append(self.module(matrix).register_forward_pre_hook(keep(f"{layer}.{name}")))
        for new in self.forwards():
            for key, rows in now.items():
                found.setdefault(key, []).append(rows if new is None else rows[len(rows) - new :])
            now.clear()
        for handle in handles:
            handle.remove()
        return {key: moments(torch.cat(rows).double()) for key, rows in found.items()}


def moments(rows):
    return {
        "second": (rows.T @ rows / len(rows)).float(),
        "mean_abs": rows.abs().mean(0).float(),
        "max_abs": rows.abs().amax(0).float(),
        "tokens": torch.tensor([len(rows)]),
    }


def rounded_by_token(x, bits):
    """SmoothQuant's dynamic rounding per token."""
    top = np.float32(2 ** (bits - 1) - 1)
    scale = np.maximum(np.abs(x).max(-1, keepdims=True), np.float32(1e-5)) / top
    return np.rint(x / scale) * scale


def rounded_but_outliers(x, threshold):
    """LLM.int8(): what bitsandbytes's int8_vectorwise_quant gives, dequantized, beside the columns that it keeps."""
    outliers = np.abs(x) >= np.float32(threshold)
    columns = outliers.any(0)
    largest = np.where(outliers, np.float32(0), np.abs(x)).max(-1, keepdims=True)
    largest = np.where(largest == 0, np.float32(1), largest)
    return np.where(columns, x, np.rint(x * (np.float32(127) / largest)) * (largest / np.float32(127)))


def plan(spelling, stored, seen):
    """New weights [outputs, inputs] and a function on inputs [tokens, inputs], for a matrix whose inputs have the moments `seen`."""
    spelling = spelling.partition("@")[0]
    if spelling.startswith("llm-int8-"):
        threshold = float(spelling.removeprefix("llm-int8-"))
        weights = quantize(stored, Config.parse("int8-channel")).values
        return weights, lambda x: rounded_but_outliers(x, threshold)
    divisor = np.ones(stored.shape[1], dtype=np.float32)
    if spelling.startswith("smooth"):
        strength, _, spelling = spelling.removeprefix("smooth").partition("-")
        strength = np.float32(strength)
        largest = np.maximum(np.abs(stored).max(0), np.float32(1e-5))
        x = seen["max_abs"].numpy()
        divisor = np.maximum(x**strength / largest ** (np.float32(1) - strength), np.float32(1e-5))
    grid, _, bits = spelling.rpartition("-a")
    weights = quantize(stored * divisor, Config.parse(grid or spelling)).values
    if not grid:
        return weights, lambda x: x / divisor
    return weights, lambda x: rounded_by_token(x / divisor, int(bits))


def score_cell(case, cell, seen):
    """The documents' scores with a hook on every matrix in scope that computes the rows in scope anew."""
    scope, components, spelling = cell
    heads = case.model.config.num_attention_heads
    handles = []
    for layer in layers_in_scope(scope, layer_names(case.root, case.family)):
        rows_of = {}
        for role, matrix in matrices(case.family, layer, components):
            stored = stored_matrix(case.root, matrix)
            name = next(name for name, roles in INPUTS.items() if role in roles)
            rows, _ = rows_of.setdefault(matrix, (np.zeros(stored.shape[0], dtype=bool), name))
            rows |= role_rows(matrix, role, stored.shape, heads)
        for matrix, (rows, name) in rows_of.items():
            weights, on_inputs = plan(spelling, stored_matrix(case.root, matrix), seen[f"{layer}.{name}"])
            handles.append(case.module(matrix).register_forward_hook(hook(weights, on_inputs, rows)))
    assert handles
    sums = [case.nll(document) for document in case.documents]
    for handle in handles:
        handle.remove()
    return {"scope": scope, "components": components, "config": spelling, "nll": sums}


def hook(weights, on_inputs, rows):
    weights, rows = torch.from_numpy(weights[rows]), torch.from_numpy(rows)

    def compute(module, arguments, output):
        x = arguments[0]
        inputs = torch.from_numpy(on_inputs(x.reshape(-1, x.shape[-1]).numpy()).astype(np.float32))
        new = inputs @ weights.T
        if getattr(module, "bias", None) is not None:
            new = new + module.bias[rows]
        output = output.clone()
        output[..., rows] = new.reshape(*x.shape[:-1], -1)
        return output

    return compute


def cells(case):
    layers = layer_names(case.root, case.family)
    return [cell for cell in CELLS if not cell[0].startswith("only(") or cell[0][5:-1] in layers]


def llm_int8():
    """Inputs in f16, and what bitsandbytes keeps of them in int8."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(12, 40, generator=generator).half()
    x[3, 7], x[5, 7], x[8, 31], x[2, 4] = 41.5, -8.0, 6.0, 5.998
    codes, scales, columns = bitsandbytes.functional.int8_vectorwise_quant(x.clone(), threshold=6.0)
    return {
        "threshold": 6.0,
        "inputs": x.float().tolist(),
        "codes": codes.tolist(),
        "scales": scales.reshape(-1).tolist(),
        "outliers": sorted(columns.reshape(-1).tolist()),
    }


def main():
    out = prepared_output("Writes what golden models say of calibrated and activation-quantizing configs.")
    folder = out / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "llm_int8.json", llm_int8())
    for name in CASES:
        case = Model(out / name)
        seen = case.moments()
        flat = {f"{key}.{part}": value for key, parts in seen.items() for part, value in parts.items()}
        target = folder / name.rpartition("/")[2]
        save_file(flat, target.with_suffix(".safetensors"))
        with torch.no_grad():
            scored = [score_cell(case, cell, seen) for cell in cells(case)]
        base = [document["nll"] for document in case.documents]
        write_json(target.with_suffix(".json"), {"case": name, "base_nll": base, "cells": scored})


if __name__ == "__main__":
    main()
