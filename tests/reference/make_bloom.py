"""Writes the BLOOM golden cases: tiny checkpoints and what `transformers` computes from them.

    python make_bloom.py [OUT]        OUT is ../golden beside this script unless given; cases land in OUT/bloom/<case>/

A case is a folder in the Hugging Face layout (config.json, model.safetensors or its shards, tokenizer.json) with
expected.safetensors (every named activation of one document) and expected.json (scores of all documents; for some cases
also of quantized models). A freshly initialised BLOOM has zero biases, unit gains and weights too small to reach the
curved part of GELU, so every tensor is perturbed before it is stored. Expectations come from BloomForCausalLM in f32, one
thread, eager attention, after reading the stored files back. The last digits depend on the machine's matmul kernels.
"""

import json
import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import BloomConfig, BloomForCausalLM

import bloom_text
from bloom_cases import CASES, config_json
from families import FAMILIES
from scoring import STRIDE, WINDOW, prepared_output, score_cell, scored_logits, scores, trace, windows, write_json

FAMILY = FAMILIES["bloom"]
TRACED_DOCUMENT = 3  # exactly one full window


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


def score_document(tokenizer, case, text, token_ids, logits):
    scored_bytes, scored_chars = bloom_text.scored_extent(tokenizer, text, token_ids)
    return {
        "text": text,
        "token_ids": token_ids,
        "windows": windows(len(token_ids)),
        "scored_tokens": len(logits),
        "scored_bytes": scored_bytes,
        "scored_chars": scored_chars,
    } | scores(case, token_ids[1:], logits)


def check_residuals(config, taken):
    """The branch outputs are the ones before the residual is added."""
    for i in range(config.n_layer):
        at = {name.removeprefix(f"point.{i}."): tensor for name, tensor in taken.items()}
        post = config.apply_residual_connection_post_layernorm
        assert torch.equal(at["resid_mid"], at["attn_out"] + (at["attn_in"] if post else at[f"boundary.{i}"]))
        assert torch.equal(at["block_out"], at["mlp_out"] + (at["mlp_in"] if post else at["resid_mid"]))
        assert torch.equal(at["block_out"], at[f"boundary.{i + 1}"])


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
    scored = [(ids[1:], rows) for ids, rows in zip(token_ids, logits, strict=True)]

    def rescore():
        return [scored_logits(model, ids) for ids in token_ids]

    cells = [score_cell(model, FAMILY, case, cell, scored, rescore) for cell in case.cells]
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
    ids = torch.tensor([token_ids[TRACED_DOCUMENT]])
    taken = trace(model, FAMILY, input_ids=ids)
    check_residuals(model.config, taken)
    save_file({"input_ids": ids[0]} | taken, folder / "expected.safetensors")


def main():
    out = prepared_output("Writes the BLOOM golden cases.")
    tokenizer = bloom_text.train_tokenizer()
    for case in CASES:
        write_case(out / "bloom" / case.name, case, tokenizer)


if __name__ == "__main__":
    main()
