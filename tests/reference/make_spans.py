"""Writes spans.json: what span corruption makes of chunks of tokens, and how long chunks may be.

    python make_spans.py [OUT]        OUT is ../golden beside this script unless given

The algorithm is T5's (Raffel et al. 2020, section 3.1.4), written from its description: round 15 % of the tokens to be masked,
a third as many spans, both counts rounded half to even in f64; masked and kept tokens are each cut into that many parts where
shuffled flags say so; parts take turns, a kept one first. The shuffled flags are stored, so another generator of random
numbers can be tested: flag t says that token t + 1 of the masked (or kept) tokens begins a new part.
"""

import argparse
import json
from pathlib import Path

import numpy as np

DENSITY, MEAN_SPAN = 0.15, 3.0
LENGTHS = [2, 3, 4, 5, 7, 10, 20, 29, 30, 31, 50, 70, 100, 284, 568, 1137]
DRAWS = 3
START, END, SENTINEL, TEXT = 0, 1, 1000, 5000


def counts(length):
    """Masked tokens and spans."""
    masked = int(np.clip(np.round(length * DENSITY), 1, length - 1))
    return masked, max(int(np.round(masked / MEAN_SPAN)), 1)


def shuffled(items, parts, random):
    flags = np.arange(items - 1) < parts - 1
    random.shuffle(flags)
    return flags


def part_lengths(flags):
    """Run lengths between flags."""
    numbers = np.concatenate([[0], np.cumsum(flags)])
    return np.bincount(numbers)


def mask(kept_flags, masked_flags):
    """True where a token is masked."""
    kept, masked = part_lengths(kept_flags), part_lengths(masked_flags)
    lengths = np.stack([kept, masked], axis=1).ravel()
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def replaced(tokens, hidden):
    """Each run of hidden tokens replaced by the next sentinel."""
    starts = hidden & ~np.concatenate([[False], hidden[:-1]])
    out = np.where(starts, SENTINEL + np.cumsum(starts) - 1, tokens)
    return np.append(out[~hidden | starts], END)


def example(length, random):
    masked, spans = counts(length)
    masked_flags = shuffled(masked, spans, random)
    kept_flags = shuffled(length - masked, spans, random)
    hidden = mask(kept_flags, masked_flags)
    tokens = TEXT + np.arange(length)
    targets = replaced(tokens, ~hidden)
    return {
        "masked_flags": bits(masked_flags),
        "kept_flags": bits(kept_flags),
        "mask": bits(hidden),
        "source": replaced(tokens, hidden).tolist(),
        "decoder_input": [START, *targets[:-1].tolist()],
        "targets": targets.tolist(),
    }


def bits(flags):
    return "".join("01"[int(flag)] for flag in flags)


def sizes(length):
    """Tokens of source and targets, each with sentinels and end."""
    masked, spans = counts(length)
    return length - masked + spans + 1, masked + spans + 1


def longest_chunk(limit):
    length = 2
    while sizes(length + 1)[0] <= limit:
        length += 1
    return length, sizes(length)[1]


def main():
    parser = argparse.ArgumentParser(description="Writes spans.json.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20200615)
    golden = {
        "tokens": {"start": START, "end": END, "first_sentinel": SENTINEL, "first_text": TEXT},
        "counts": [[length, *counts(length)] for length in range(2, 1201)],
        "chunks": [[limit, *longest_chunk(limit)] for limit in [*range(8, 80), 128, 256, 512, 1024, 2048]],
        "examples": [
            {"length": length, **example(length, random)} for length in LENGTHS for _ in range(DRAWS)
        ],
    }
    sections = [f'"{name}": {section(value)}' for name, value in golden.items()]
    (out / "spans.json").write_text("{\n" + ",\n".join(sections) + "\n}\n")


def section(value):
    if isinstance(value, dict):
        return json.dumps(value)
    lines = [json.dumps(item, separators=(",", ":")) for item in value]
    return "[\n" + ",\n".join(lines) + "\n]"


if __name__ == "__main__":
    main()
