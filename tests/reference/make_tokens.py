"""Writes what golden models say of single tokens, and what llama.cpp's perplexity tool would print of it.

    python make_tokens.py [OUT]     OUT is ../golden beside this script unless given; reads OUT/bloom and OUT/families, which must be
                                    there, and writes OUT/tokens.json

The printed numbers follow tools/perplexity/perplexity.cpp with --kl-divergence, on values in f64 instead of its 16-bit log-probabilities:
errors take tokens for independent, quantiles are linear between order statistics. `words` counts, for each document, what is not white space
and begins in a scored token.
"""

import json
import re
from types import SimpleNamespace

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer

import bloom_text
from families import family_of
from scoring import log_softmax, prepared_output, quantized_logits, scored_logits, write_json

CASES = ["bloom/four_heads_f32", "families/gpt2", "families/llama_linear"]
CELLS = [("all", "mlp", "int3-channel"), ("all", "mlp", "int8-channel"), ("only(1)", "mlp", "int2-tensor")]
KL_QUANTILES = [0.999, 0.99, 0.95, 0.9, 0.5, 0.1, 0.05, 0.01, 0.001]
DP_QUANTILES = [0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001]


def mean(values):
    """The mean and its standard error."""
    variance = max(0.0, np.mean(values**2) - np.mean(values) ** 2)
    return [np.mean(values), np.sqrt(variance / (len(values) - 1))]


def perplexities(base, quant):
    """From the NLL of every token under both models, f64."""
    (base_mean, base_se), (mean_, se) = mean(base), mean(quant)
    covariance = (np.mean(base * quant) - base_mean * mean_) / (len(base) - 1)
    ppl, base_ppl, ratio = np.exp(mean_), np.exp(base_mean), np.exp(mean_ - base_mean)
    delta_se = np.sqrt(se**2 + base_se**2 - 2 * covariance)
    scaled, base_scaled = ppl * se, base_ppl * base_se
    return {
        "ppl": [ppl, scaled],
        "base_ppl": [base_ppl, base_scaled],
        "nll_correlation": covariance / (se * base_se),
        "delta_nll": [mean_ - base_mean, delta_se],
        "ppl_ratio": [ratio, ratio * delta_se],
        "ppl_difference": [ppl - base_ppl, np.sqrt(scaled**2 + base_scaled**2 - 2 * ppl * base_ppl * covariance)],
    }


def block(base, quant, kl, same):
    """The numbers of one cell from those of its tokens."""
    dp = np.exp(-quant) - np.exp(-base)
    square, square_se = mean(dp**2)
    share = np.mean(same)
    return perplexities(base, quant) | {
        "kl": mean(kl),
        "kl_ends": [kl.min(), kl.max()],
        "kl_quantiles": np.quantile(kl, KL_QUANTILES).tolist(),
        "dp": mean(dp),
        "dp_ends": [dp.min(), dp.max()],
        "dp_quantiles": np.quantile(dp, DP_QUANTILES).tolist(),
        "dp_rms": [np.sqrt(square), 0.5 * square_se / np.sqrt(square)],
        "top1_agreement": [share, np.sqrt(share * (1 - share) / (len(same) - 1))],
    }


def words(tokenizer, text, token_ids, first):
    """Words whose first byte lies in the tokens from `first` on."""
    unscored = sum(len(bloom_text.token_bytes(tokenizer, token_id)) for token_id in token_ids[:first])
    begins = [len(text[: match.start()].encode()) for match in re.finditer(r"\S+", text)]
    return sum(begin >= unscored for begin in begins)


def read(expected):
    """What the model reads of each document: its tokens after the prefix, if there is one. All but the first are scored."""
    before = [] if expected.get("prefix") is None else [expected["prefix"]]
    return [before + document["token_ids"] for document in expected["documents"]]


def of_case(folder, name):
    """The cells of a case, and the words of its documents."""
    config = transformers.AutoConfig.from_pretrained(folder)
    architecture = getattr(transformers, config.architectures[0])
    model = architecture.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    expected = json.loads((folder / "expected.json").read_text())
    documents = read(expected)

    def rescore():
        return [scored_logits(model, ids) for ids in documents]

    targets = torch.tensor([token for ids in documents for token in ids[1:]])[:, None]
    base = torch.cat(rescore())
    base_ln = log_softmax(base)
    for cell in CELLS:
        logits, _, _ = quantized_logits(model, family_of(model.config), SimpleNamespace(name=name), cell, rescore)
        quant = torch.cat(logits)
        quant_ln = log_softmax(quant)
        of_tokens = [
            -base_ln.gather(1, targets)[:, 0],
            -quant_ln.gather(1, targets)[:, 0],
            (base_ln.exp() * (base_ln - quant_ln)).sum(-1),
            (base.argmax(-1) == quant.argmax(-1)).double(),
        ]
        scope, components, spelling = cell
        keys = {"case": name, "scope": scope, "components": components, "config": spelling, "tokens": len(targets)}
        numbers = block(*(values.numpy() for values in of_tokens))
        yield keys | {key: np.asarray(value).tolist() for key, value in numbers.items()}


def counted_words(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    expected = json.loads((folder / "expected.json").read_text())
    documents = zip(expected["documents"], read(expected), strict=True)
    return [
        words(tokenizer, document["text"], document["token_ids"], len(document["token_ids"]) + 1 - len(ids))
        for document, ids in documents
    ]


def main():
    out = prepared_output("Writes what golden models say of single tokens.")
    cells = [cell for name in CASES for cell in of_case(out / name, name)]
    write_json(out / "tokens.json", {"words": {name: counted_words(out / name) for name in CASES}, "cells": cells})


if __name__ == "__main__":
    main()
