"""Writes the golden cases of every family but BLOOM: tiny checkpoints and what `transformers` computes from them.

    python make_families.py [OUT]        OUT is ../golden beside this script unless given; cases land in OUT/families/<case>/

A case is a folder in the Hugging Face layout (config.json, model.safetensors, tokenizer.json) with expected.safetensors
(every named activation of the beginning of one document) and expected.json (scores of all documents, also of quantized models).
Beside the cases lands shapes.json: published configurations with their parameter counts. Weights are drawn anew: matrices so
that activations stay near 1 and nonlinearities are met where they bend, biases from 0.3 N(0, 1), gains around the value that
changes nothing. Expectations come from the stored files in f32, one thread, eager attention.

Activations of a layer: attn_in (what query, key and value read), attn_out (of the output matrix, before any norm and
residual), cross_in and cross_out likewise, resid_mid (the stream that the MLP's branch leaves from; none where attention and
MLP run side by side), mlp_in, mlp_act (what the last matrix reads), mlp_out (before any norm and residual), block_out.
"""

import json
import math
import shutil

import torch
import transformers
from safetensors.torch import load_file, save_file

import bloom_text
import t5_scoring
from families import family_of
from families_cases import CASES
from published_shapes import write_shapes
from scoring import STRIDE, WINDOW, prepared_output, score_cell, scored_logits, scores, trace, windows, write_json

# What is traced: the beginning of a document that fills a window.
TRACED_DOCUMENT, TRACED_TOKENS = 3, 16
NEWLINES = "One bank.\nThe other  bank,\n\nand the boat."


def drawn(name, shape, config, family):
    """A tensor of the checkpoint, by what its name says that it is."""
    noise = torch.randn(shape)
    if name.endswith("bias"):
        return 0.3 * noise
    if noise.ndim == 1:
        return family.norm_center + 0.3 * noise
    hidden = config.hidden_size
    if any(part in name for part in ("relative_attention_bias", "wpe.", "embed_positions.")):
        return 0.5 * noise
    if any(part in name for part in ("embed_tokens.", "embed_in.", "wte.", "shared.")):
        return noise / math.sqrt(hidden)
    inputs = shape[0] if family.turned else shape[1]
    if config.model_type != "mt5":
        return 1.5 / math.sqrt(inputs) * noise
    # Its attention divides by nothing, and rounding grows through cross-attention.
    if name.endswith("Attention.q.weight"):
        noise /= math.sqrt(config.d_kv)
    return noise / math.sqrt(inputs)


def tied_names(model):
    """Names of the parameters that are another one once more; mT5's head is not, whatever its configuration says."""
    if not model.config.tie_word_embeddings:
        return set()
    tied = set(model._tied_weights_keys)
    return tied - {"lm_head.weight"} if model.config.model_type == "mt5" else tied


def drawn_weights(folder, case):
    """The checkpoint's tensors under their published names, in the stored dtype."""
    config = transformers.AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = getattr(transformers, config.architectures[0])(config)
    family, tied = family_of(config), tied_names(model)
    torch.manual_seed(case.seed)
    weights = {
        stored_name(case, family, name): drawn(name, tensor.shape, config, family).to(case.dtype)
        for name, tensor in model.state_dict().items()
        if name not in tied
    }
    return weights | extra_tensors(case, config, weights)


def stored_name(case, family, name):
    """The name in the file of a parameter of the model."""
    for ours, published in family.stored_names:
        name = published + name.removeprefix(ours) if name.startswith(ours) else name
    return name if case.stored_root else name.removeprefix(family.root + ".")


def extra_tensors(case, config, weights):
    """What published files hold beside the weights: copies of the head, tables and masks that the model computes anew."""
    match case.extras:
        case None:
            return {}
        case "opt":
            return {"lm_head.weight": weights["model.decoder.embed_tokens.weight"].clone()}
        case "xglm":
            table = transformers.models.xglm.modeling_xglm.XGLMSinusoidalPositionalEmbedding.get_embedding
            positions = table(config.max_position_embeddings + 2, config.d_model, config.pad_token_id)
            head = weights["model.embed_tokens.weight"].clone()
            return {"lm_head.weight": head, "model.embed_positions.weights": positions.to(case.dtype)}
        case "gpt2":
            return {f"h.{i}.attn.bias": causal_mask(config).float() for i in range(config.n_layer)}
        case "gpt_neox":
            extras = {"bias": causal_mask(config), "masked_bias": torch.tensor(-1e4, dtype=case.dtype)}
            extras["rotary_emb.inv_freq"] = 10000 ** -(torch.arange(0, 4, 2) / 4)
            place = "gpt_neox.layers.{}.attention.{}"
        case "llama1":
            extras = {"inv_freq": (10000 ** -(torch.arange(0, 8, 2) / 8)).to(case.dtype)}
            place = "model.layers.{}.self_attn.rotary_emb.{}"
    layers = range(config.num_hidden_layers)
    return {place.format(i, name): tensor.clone() for i in layers for name, tensor in extras.items()}


def causal_mask(config):
    """[1, 1, positions, positions]"""
    positions = config.max_position_embeddings
    return torch.ones(positions, positions, dtype=torch.bool).tril()[None, None]


def load_model(folder, case):
    """The model over the stored files, widened to f32; checks that it holds what is stored and understood its config."""
    config = transformers.AutoConfig.from_pretrained(folder)
    model, report = getattr(transformers, config.architectures[0]).from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    family, held = family_of(config), model.state_dict()
    stored = load_file(folder / "model.safetensors")
    for name in held.keys() - tied_names(model):
        tensor = stored[stored_name(case, family, name)]
        assert tensor.dtype == case.dtype and torch.equal(held[name], tensor.float()), name
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    for name, value in case.intended.items():
        place, _, attribute = name.rpartition("/")
        found = getattr(model.get_submodule(place) if place else model.config, attribute)
        assert found == value, f"{case.name}: {name} is {found}, not {value}"
    return model.eval()


def write_checkpoint(folder, case):
    """config.json and the weights as the family publishes them, or as `transformers` of today saves another case."""
    if case.resaved_from:
        source = next(other for other in CASES if other.name == case.resaved_from)
        model = load_model(folder.parent / source.name, source).to(case.dtype)
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        return
    (folder / "config.json").write_text(json.dumps(case.config, indent=2) + "\n")
    save_file(drawn_weights(folder, case), folder / "model.safetensors", {"format": "pt"})


def encoded(tokenizer, case, text):
    """Token ids of a text, without the prefix."""
    if case.newline is None:
        return tokenizer.encode(text).ids
    lines = [tokenizer.encode(line).ids for line in text.split("\n")]
    return [token for line in lines for token in [case.newline, *line]][1:]


def score_document(tokenizer, case, text, read, logits):
    """A document's expectations; `read` is what the model reads, the prefix included."""
    token_ids = read if case.prefix is None else read[1:]
    first = len(token_ids) - len(read) + 1
    scored_bytes, scored_chars = bloom_text.scored_extent(tokenizer, text, token_ids, first, case.newline)
    return {
        "text": text,
        "token_ids": token_ids,
        "windows": windows(len(read)),
        "scored_tokens": len(logits),
        "scored_bytes": scored_bytes,
        "scored_chars": scored_chars,
    } | scores(case, read[1:], logits)


def expect(case, tokenizer, model):
    """What a model without an encoder computes."""
    family = family_of(model.config)
    before = [] if case.prefix is None else [case.prefix]
    texts = bloom_text.documents(tokenizer, WINDOW, STRIDE, len(before))
    texts += [NEWLINES] if case.newline is not None else []
    read = [before + encoded(tokenizer, case, text) for text in texts]
    logits = [scored_logits(model, ids) for ids in read]
    documents = [score_document(tokenizer, case, *parts) for parts in zip(texts, read, logits, strict=True)]
    scored = [(ids[1:], rows) for ids, rows in zip(read, logits, strict=True)]

    def rescore():
        return [scored_logits(model, ids) for ids in read]

    expected = {
        "window": WINDOW,
        "stride": STRIDE,
        "prefix": case.prefix,
        "newline": case.newline,
        "traced_document": TRACED_DOCUMENT,
        "documents": documents,
        "cells": [score_cell(model, family, case, cell, scored, rescore) for cell in case.cells],
    }
    ids = torch.tensor([read[TRACED_DOCUMENT][:TRACED_TOKENS]])
    taken = trace(model, family, input_ids=ids)
    check_residuals(model.config, taken)
    return expected, {"input_ids": ids[0]} | taken


def check_residuals(config, taken):
    """The activations add up to the residual stream, where no norm stands between."""
    for i in range(config.num_hidden_layers):
        at = {name.removeprefix(f"point.{i}."): tensor for name, tensor in taken.items()}
        assert torch.equal(at["block_out"], at[f"boundary.{i + 1}"])
        if config.model_type in ("gemma2", "gemma3_text", "olmo2"):
            continue
        attended = at[f"boundary.{i}"] + at["attn_out"]
        torch.testing.assert_close(at.get("resid_mid", attended), attended)
        torch.testing.assert_close(at["block_out"], attended + at["mlp_out"])


def write_case(folder, case):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_checkpoint(folder, case)
    model = load_model(folder, case)
    encodes = model.config.is_encoder_decoder
    tokenizer = t5_scoring.train_tokenizer() if encodes else bloom_text.train_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    expected, taken = (t5_scoring.expect if encodes else expect)(case, tokenizer, model)
    write_json(folder / "expected.json", expected)
    save_file(taken, folder / "expected.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)
    if case.resaved_from:
        for name in ("expected.json", "expected.safetensors"):
            same = (folder / name).read_bytes() == (folder.parent / case.resaved_from / name).read_bytes()
            assert same, f"{case.name}: {name} is not that of {case.resaved_from}"


def main():
    out = prepared_output("Writes the golden cases of every family but BLOOM.") / "families"
    for case in CASES:
        write_case(out / case.name, case)
    write_shapes(out / "shapes.json")


if __name__ == "__main__":
    main()
