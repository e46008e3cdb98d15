"""Expectations of mT5: documents scored as prefix infilling, examples of span corruption, a padded batch.

`make_families.py` runs it.
"""

import torch

import bloom_text
from families import family_of
from families_cases import SENTINELS
from scoring import log_softmax, nll_sum, score_cell, scores, trace

START, END = 0, 1
SPECIAL_TOKENS = ["<pad>", "</s>", "<unk>", "<s>"]
TOKENS_MAX = 60
TRACED_DOCUMENT = 4


def train_tokenizer():
    """The byte-level tokenizer with mT5's special tokens and its sentinels, of which the first has the highest id."""
    tokenizer = bloom_text.train_tokenizer(SPECIAL_TOKENS)
    tokenizer.add_special_tokens([f"<extra_id_{k}>" for k in reversed(range(SENTINELS))])
    size = tokenizer.get_vocab_size()
    assert all(tokenizer.token_to_id(f"<extra_id_{k}>") == size - 1 - k for k in range(SENTINELS))
    return tokenizer


def sentinel(tokenizer, k):
    return tokenizer.token_to_id(f"<extra_id_{k}>")


def corrupted(tokenizer, token_ids, spans):
    """Source and target of span corruption: span k is <extra_id_k> in the source and follows it in the target."""
    source, target, done = [], [], 0
    for k, (start, end) in enumerate(spans):
        source += token_ids[done:start] + [sentinel(tokenizer, k)]
        target += [sentinel(tokenizer, k)] + token_ids[start:end]
        done = end
    return source + token_ids[done:] + [END], target + [END]


def infilled(tokenizer, token_ids):
    """Source and target of prefix infilling: the first half, then the second."""
    half = len(token_ids) // 2
    mark = sentinel(tokenizer, 0)
    return token_ids[:half] + [mark, END], [mark] + token_ids[half:]


@torch.no_grad()
def logits_of(model, source_ids, decoder_ids):
    """Logits [decoder tokens, vocabulary]."""
    inputs = {"input_ids": torch.tensor([source_ids]), "decoder_input_ids": torch.tensor([decoder_ids])}
    return model(**inputs, use_cache=False).logits[0]


def infill_logits(model, document):
    """Logits of the second half; none where the text is too short to have two halves."""
    if not document["scored_tokens"]:
        return torch.empty(0, model.config.vocab_size)
    return logits_of(model, document["source_ids"], document["decoder_ids"])[1:-1]


def document(tokenizer, text):
    """A text as prefix infilling reads it; the last token that the decoder reads predicts nothing."""
    token_ids = tokenizer.encode(text).ids
    assert len(token_ids) <= TOKENS_MAX
    source, target = infilled(tokenizer, token_ids)
    half = len(token_ids) // 2 if len(token_ids) > 1 else len(token_ids)
    scored_bytes, scored_chars = bloom_text.scored_extent(tokenizer, text, token_ids, half)
    return {
        "text": text,
        "token_ids": token_ids,
        "source_ids": source,
        "decoder_ids": [START] + target,
        "scored_tokens": len(token_ids) - half,
        "scored_bytes": scored_bytes,
        "scored_chars": scored_chars,
    }


def second_half(document):
    """The tokens that are scored."""
    return document["token_ids"][len(document["token_ids"]) - document["scored_tokens"] :]


def span_example(model, tokenizer, token_ids, spans):
    """Given masks and the score of what they hide."""
    source, target = corrupted(tokenizer, token_ids, spans)
    read = [START] + target[:-1]
    special = {END} | {sentinel(tokenizer, k) for k in range(SENTINELS)}
    scored = [position for position, token in enumerate(target) if token not in special]
    rows = logits_of(model, source, read)[scored]
    return {
        "token_ids": token_ids,
        "spans": spans,
        "source_ids": source,
        "target_ids": target,
        "decoder_ids": read,
        "scored_positions": scored,
        "scored_tokens": len(scored),
        "nll": nll_sum(log_softmax(rows), [target[position] for position in scored]),
    }


def span_examples(model, tokenizer):
    """Short and long texts; one with as many spans as there are sentinels, one where both sides are long."""
    russian = tokenizer.encode(bloom_text.RUSSIAN).ids
    english = tokenizer.encode(bloom_text.ENGLISH).ids
    masks = [
        (english[:2], [(1, 2)]),
        (english[:12], [(2, 4)]),
        (english[:20], [(3, 5), (17, 20)]),
        (russian[:100], [(4, 7), (20, 21), (33, 38), (60, 62), (96, 100)]),
        (english[:60], [(3 * k + 1, 3 * k + 2) for k in range(SENTINELS)]),
        (russian[:150], [(10, 50), (100, 140)]),
    ]
    return [span_example(model, tokenizer, *mask) for mask in masks]


@torch.no_grad()
def padded_batch(model, tokenizer):
    """Three sources of different lengths, padded on the right and masked, against decoders of one length."""
    russian = tokenizer.encode(bloom_text.RUSSIAN).ids
    lengths, decoder_length = [5, 12, 8], 4
    source = torch.full((len(lengths), max(lengths)), model.config.pad_token_id)
    for i, length in enumerate(lengths):
        source[i, :length] = torch.tensor(russian[20 * i : 20 * i + length - 1] + [END])
    mark = sentinel(tokenizer, 0)
    rows = [[START, mark, *russian[70 + 10 * i :]][:decoder_length] for i in range(len(lengths))]
    decoder = torch.tensor(rows)
    mask = torch.arange(source.shape[1])[None] < torch.tensor(lengths)[:, None]
    logits = model(
        input_ids=source, attention_mask=mask.long(), decoder_input_ids=decoder, use_cache=False
    ).logits.clone()
    for i, length in enumerate(lengths):
        alone = logits_of(model, source[i, :length].tolist(), rows[i])
        torch.testing.assert_close(logits[i], alone, rtol=1e-4, atol=1e-5)
    return {
        "batch.source_ids": source,
        "batch.source_lengths": torch.tensor(lengths),
        "batch.decoder_ids": decoder,
        "batch.logits": logits,
    }


def expect(case, tokenizer, model):
    """What the encoder and the decoder compute."""
    family = family_of(model.config)
    texts = bloom_text.edges(tokenizer, [3, 16, TOKENS_MAX]) + bloom_text.SCRIPTS
    texts += [bloom_text.prefix_of_length(tokenizer, bloom_text.RUSSIAN, TOKENS_MAX)]
    documents = [document(tokenizer, text) for text in texts]
    logits = [infill_logits(model, document) for document in documents]
    scored = [(second_half(document), rows) for document, rows in zip(documents, logits, strict=True)]

    def rescore():
        return [infill_logits(model, document) for document in documents]

    expected = {
        "traced_document": TRACED_DOCUMENT,
        "documents": [part | scores(case, *pair) for part, pair in zip(documents, scored, strict=True)],
        "span_examples": span_examples(model, tokenizer),
        "cells": [score_cell(model, family, case, cell, scored, rescore) for cell in case.cells],
    }
    traced = {name: torch.tensor(documents[TRACED_DOCUMENT][name]) for name in ("source_ids", "decoder_ids")}
    taken = trace(model, family, input_ids=traced["source_ids"][None], decoder_input_ids=traced["decoder_ids"][None])
    check_residuals(model.config, taken)
    return expected, traced | taken | padded_batch(model, tokenizer)


def check_residuals(config, taken):
    """The activations add up to the residual stream."""
    layers = [("enc.", config.num_layers), ("dec.", config.num_decoder_layers)]
    for label, i in [(label, i) for label, count in layers for i in range(count)]:
        at = {name.removeprefix(f"{label}point.{i}."): tensor for name, tensor in taken.items()}
        attended = at[f"{label}boundary.{i}"] + at["attn_out"] + at.get("cross_out", 0)
        torch.testing.assert_close(at["resid_mid"], attended)
        torch.testing.assert_close(at["block_out"], attended + at["mlp_out"])
