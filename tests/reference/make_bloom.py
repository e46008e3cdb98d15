"""Writes the BLOOM golden cases: tiny checkpoints and what `transformers` computes from them.

    python make_bloom.py [OUT]        OUT is ../golden beside this script unless given; cases land in OUT/bloom/<case>/

A case is a folder in the Hugging Face layout (config.json, model.safetensors or its shards, tokenizer.json) with
expected.safetensors (every named activation of one document) and expected.json (scores of all documents; for some cases
also of quantized models). A freshly initialised BLOOM has zero biases, unit gains and weights too small to reach the
curved part of GELU, so every tensor is perturbed before it is stored. Expectations come from BloomForCausalLM in f32, one
thread, eager attention, after reading the stored files back. The last digits depend on the machine's matmul kernels.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BloomConfig, BloomForCausalLM

import bloom_text
from bloom_cases import CASES, config_json
from quantizers import Config, quantize

WINDOW, STRIDE = 24, 12
TRACED_DOCUMENT = 3  # exactly one full window
# A greedy prediction is only worth comparing where the two best logits are further apart than rounding.
TOP1_MARGIN_MIN = 2e-5

ROLES = {
    "attn.q": "self_attention.query_key_value",
    "attn.k": "self_attention.query_key_value",
    "attn.v": "self_attention.query_key_value",
    "attn.o": "self_attention.dense",
    "mlp.up": "mlp.dense_h_to_4h",
    "mlp.down": "mlp.dense_4h_to_h",
}
COMPONENTS = {
    "mlp": ["mlp.up", "mlp.down"],
    "attention": ["attn.q", "attn.k", "attn.v", "attn.o"],
    "linear": list(ROLES),
}


def perturbed_weights(case):
    """The initialised model's tensors, vectors moved by 0.3 N(0, 1) and matrices by 0.15 N(0, 1), in the stored dtype."""
    torch.manual_seed(case.seed)
    config = BloomConfig(**config_json(case))
    model = BloomForCausalLM(config).float()
    for parameter in model.parameters():
        scale = 0.3 if parameter.ndim == 1 else 0.15
        parameter.data += scale * torch.randn(parameter.shape)
    weights = {
        case.prefix + name: tensor.detach().to(case.dtype).clone()
        for name, tensor in model.transformer.state_dict().items()
    }
    if case.stored_head:
        weights["lm_head.weight"] = weights[case.prefix + "word_embeddings.weight"].clone()
    return weights


def write_checkpoint(folder, case, weights):
    """config.json and the weights: one file, or shards that cut across layers with their index."""
    (folder / "config.json").write_text(json.dumps(config_json(case), indent=2) + "\n")
    metadata = {"format": "pt"}
    if case.shards == 1:
        save_file(weights, folder / "model.safetensors", metadata)
        return
    names = [f"model-{n:05}-of-{case.shards:05}.safetensors" for n in range(1, case.shards + 1)]
    weight_map = {tensor: names[n % case.shards] for n, tensor in enumerate(weights)}
    for name in names:
        save_file({key: weights[key] for key in weights if weight_map[key] == name}, folder / name, metadata)
    total = sum(tensor.nbytes for tensor in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def load_model(folder, case):
    """BloomForCausalLM over the stored files, widened to f32; checks that it holds exactly what is stored."""
    model = BloomForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    held = model.state_dict()
    for file in sorted(folder.glob("model*.safetensors")):
        for name, tensor in load_file(file).items():
            name = name if name == "lm_head.weight" else "transformer." + name.removeprefix(case.prefix)
            assert tensor.dtype == case.dtype and torch.equal(held[name], tensor.float()), name
    return model


def windows(tokens):
    """Half-overlapping windows: each target but the first is scored once, with the longest context its windows give it."""
    cut = [{"start": 0, "end": min(WINDOW, tokens), "score_from": 1}]
    while cut[-1]["end"] < tokens:
        start = cut[-1]["start"] + STRIDE
        cut.append({"start": start, "end": min(start + WINDOW, tokens), "score_from": cut[-1]["end"]})
    return cut


@torch.no_grad()
def scored_logits(model, token_ids):
    """Logits [scored tokens, vocabulary] in f32 that predict tokens 1.. of the document, window by window."""
    rows = [torch.empty(0, model.config.vocab_size)]
    for window in windows(len(token_ids)):
        ids = torch.tensor([token_ids[window["start"] : window["end"]]])
        logits = model(ids, use_cache=False).logits[0]
        rows.append(logits[window["score_from"] - 1 - window["start"] : -1])
    return torch.cat(rows)


def check_margins(case, logits):
    """Refuses a seed with a near tie for the greedy prediction."""
    best = logits.topk(2).values
    margin = (best[:, 0] - best[:, 1]).min().item() if len(best) else float("inf")
    assert margin >= TOP1_MARGIN_MIN, f"{case.name}: near tie {margin}, take another seed"


def nll_sum(log_probabilities, token_ids):
    """Sum of -ln p over the scored targets, f64."""
    targets = torch.tensor(token_ids[1:], dtype=torch.long)
    return log_probabilities.gather(1, targets[:, None]).neg().sum().item()


def log_softmax(logits):
    """ln p [scored tokens, vocabulary] in f64 from f32 logits."""
    return torch.log_softmax(logits.double(), dim=-1)


def score_document(tokenizer, case, text, token_ids, logits):
    check_margins(case, logits)
    scored_bytes, scored_chars = bloom_text.scored_extent(tokenizer, text, token_ids)
    return {
        "text": text,
        "token_ids": token_ids,
        "windows": windows(len(token_ids)),
        "scored_tokens": len(logits),
        "scored_bytes": scored_bytes,
        "scored_chars": scored_chars,
        "nll": nll_sum(log_softmax(logits), token_ids),
        "top1": logits.argmax(-1).tolist(),
    }


def layers_in_scope(scope, layers):
    """The layers of `all`, `only(0,2)` or `all-but(1)`."""
    if scope == "all":
        return range(layers)
    kind, _, listed = scope.removesuffix(")").partition("(")
    listed = {int(layer) for layer in listed.split(",")}
    return [layer for layer in range(layers) if (layer in listed) == (kind == "only")]


def role_rows(role, shape, heads):
    """The rows of the stored matrix that a role owns; query, key and value alternate head by head."""
    if role not in ("attn.q", "attn.k", "attn.v"):
        return np.ones(shape[0], dtype=bool)
    part = np.arange(shape[0]).reshape(heads, 3, -1)[:, "qkv".index(role[-1])]
    return np.isin(np.arange(shape[0]), part)


def quantized_weights(model, scope, components, spelling):
    """New values of the matrices in scope: the stored matrix is quantized whole, rows out of scope keep their bits."""
    roles = [role for part in components.split("+") for role in COMPONENTS.get(part, [part])]
    replaced = {}
    for layer in layers_in_scope(scope, model.config.n_layer):
        for role in roles:
            name = f"h.{layer}.{ROLES[role]}.weight"
            stored = model.transformer.get_parameter(name).detach().numpy()
            rows = role_rows(role, stored.shape, model.config.n_head)
            values = replaced.setdefault(name, stored.copy())
            values[rows] = quantize(stored, Config.parse(spelling)).values[rows]
    return replaced


def squared_error(model, replaced):
    """Per matrix the f64 mean of (new - stored)^2, to tell a wrong quantizer from a wrong model."""
    stored = {name: model.transformer.get_parameter(name).detach().numpy() for name in replaced}
    return {
        name: float(np.mean((values.astype(np.float64) - stored[name].astype(np.float64)) ** 2))
        for name, values in replaced.items()
    }


def score_cell(model, case, cell, documents, base_logits):
    """Scores of the model quantized in one scope, beside the baseline's logits on the same tokens."""
    scope, components, spelling = cell
    replaced = quantized_weights(model, scope, components, spelling)
    mse = squared_error(model, replaced)
    kept = {name: model.transformer.get_parameter(name).data for name in replaced}
    for name, values in replaced.items():
        model.transformer.get_parameter(name).data = torch.from_numpy(values)
    logits = [scored_logits(model, document["token_ids"]) for document in documents]
    for name, values in kept.items():
        model.transformer.get_parameter(name).data = values

    scores = {"nll": [], "base_nll": [], "kl_sum": [], "top1_count": []}
    for document, base, quant in zip(documents, base_logits, logits, strict=True):
        check_margins(case, quant)
        base_ln, quant_ln = log_softmax(base), log_softmax(quant)
        scores["nll"].append(nll_sum(quant_ln, document["token_ids"]))
        scores["base_nll"].append(document["nll"])
        scores["kl_sum"].append((base_ln.exp() * (base_ln - quant_ln)).sum().item())
        scores["top1_count"].append(int((base.argmax(-1) == quant.argmax(-1)).sum()))
    return {"scope": scope, "components": components, "config": spelling, "weight_mse": mse} | scores


@torch.no_grad()
def trace(model, token_ids):
    """Every named activation of one window, [tokens, width], as the submodules of BloomForCausalLM produce it."""
    taken, handles = {}, []

    def take(name, module, argument=None):
        """Keeps the module's output, or its argument of that number."""

        def hook(_, arguments, output):
            value = output if argument is None else arguments[argument]
            taken[name] = (value[0] if isinstance(value, tuple) else value)[0].clone()

        handles.append(module.register_forward_hook(hook))

    take("boundary.0", model.transformer.h[0], argument=0)
    for i, block in enumerate(model.transformer.h):
        take(f"boundary.{i + 1}", block)
        take(f"point.{i}.attn_in", block.input_layernorm)
        take(f"point.{i}.attn_out", block.self_attention.dense)
        take(f"point.{i}.resid_mid", block.self_attention)
        take(f"point.{i}.mlp_in", block.post_attention_layernorm)
        take(f"point.{i}.mlp_act", block.mlp.dense_4h_to_h, argument=0)
        take(f"point.{i}.mlp_out", block.mlp.dense_4h_to_h)
        take(f"point.{i}.block_out", block.mlp)
    take("final_norm_out", model.transformer.ln_f)
    ids = torch.tensor([token_ids])
    taken["logits"] = model(ids, use_cache=False).logits[0].clone()
    for handle in handles:
        handle.remove()
    check_residuals(model.config, taken)
    return {"input_ids": ids[0]} | taken


def check_residuals(config, taken):
    """The branch outputs are the ones before the residual is added."""
    for i in range(config.n_layer):
        at = {name.removeprefix(f"point.{i}."): tensor for name, tensor in taken.items()}
        post = config.apply_residual_connection_post_layernorm
        assert torch.equal(at["resid_mid"], at["attn_out"] + (at["attn_in"] if post else at[f"boundary.{i}"]))
        assert torch.equal(at["block_out"], at["mlp_out"] + (at["mlp_in"] if post else at["resid_mid"]))
        assert torch.equal(at["block_out"], at[f"boundary.{i + 1}"])


def write_json(path, fields):
    """JSON with one line per field and per item of a list of objects, so that a difference can be read."""

    def render(value):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n  " + ",\n  ".join(map(render, value)) + "\n ]"
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    lines = [f" {json.dumps(name)}: {render(value)}" for name, value in fields.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def write_case(folder, case, tokenizer):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_checkpoint(folder, case, perturbed_weights(case))
    tokenizer.save(str(folder / "tokenizer.json"))

    model = load_model(folder, case)
    texts = bloom_text.documents(tokenizer, WINDOW, STRIDE)
    token_ids = [tokenizer.encode(text).ids for text in texts]
    logits = [scored_logits(model, ids) for ids in token_ids]
    documents = [score_document(tokenizer, case, *parts) for parts in zip(texts, token_ids, logits, strict=True)]
    cells = [score_cell(model, case, cell, documents, logits) for cell in case.cells]
    write_json(
        folder / "expected.json",
        {
            "window": WINDOW,
            "stride": STRIDE,
            "traced_document": TRACED_DOCUMENT,
            "documents": documents,
            "cells": cells,
        },
    )
    save_file(trace(model, token_ids[TRACED_DOCUMENT]), folder / "expected.safetensors")


def main():
    parser = argparse.ArgumentParser(description="Writes the BLOOM golden cases.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tokenizer = bloom_text.train_tokenizer()
    for case in CASES:
        write_case(out / "bloom" / case.name, case, tokenizer)


if __name__ == "__main__":
    main()
