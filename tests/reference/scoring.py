"""What every golden case shares: windows, sums over scored tokens, quantized cells, traces, and how they are written."""

import argparse
import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.stats
import torch
import transformers

from families import layer_names, matrices, norms
from quantizers import Config, quantize

WINDOW, STRIDE = 24, 12
# A greedy prediction is only worth comparing where the two best logits are further apart than rounding.
TOP1_MARGIN_MIN = 2e-5


def windows(tokens):
    """Half-overlapping windows: each target but the first is scored once, with the longest context its windows give it."""
    cut = [{"start": 0, "end": min(WINDOW, tokens), "score_from": 1}]
    while cut[-1]["end"] < tokens:
        start = cut[-1]["start"] + STRIDE
        cut.append({"start": start, "end": min(start + WINDOW, tokens), "score_from": cut[-1]["end"]})
    return cut


@torch.no_grad()
def scored_logits(model, token_ids):
    """Logits [scored tokens, vocabulary] in f32 that predict tokens 1.. of the sequence, window by window."""
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


def nll_sum(log_probabilities, targets):
    """Sum of -ln p over the scored targets, f64."""
    targets = torch.tensor(targets, dtype=torch.long)
    return log_probabilities.gather(1, targets[:, None]).neg().sum().item()


def log_softmax(logits):
    """ln p [scored tokens, vocabulary] in f64 from f32 logits."""
    return torch.log_softmax(logits.double(), dim=-1)


def scores(case, targets, logits):
    """What a document's row says of the model itself."""
    check_margins(case, logits)
    return {"nll": nll_sum(log_softmax(logits), targets), "top1": logits.argmax(-1).tolist()}


def layers_in_scope(scope, layers, kurtosis=None):
    """The layers of `all`, `only(0,2)`, `only(prefix(2))` or `all-but(1)`, by name; `kurtosis`, a function of one, is asked for `top` alone."""
    if scope == "all":
        return layers
    kind, _, text = scope.removesuffix(")").partition("(")
    chosen = layer_set(text, layers, kurtosis)
    assert set(chosen) <= set(layers), f"{scope} names layers beyond {layers}"
    return [layer for layer in layers if (layer in chosen) == (kind == "only")]


def layer_set(text, layers, kurtosis):
    """The layers of a list or of a named set, which counts all layers in the order of the forward pass."""
    name, _, arguments = text.removesuffix(")").partition("(")
    count = int(arguments.partition(",")[0] or 0)
    match name:
        case "prefix":
            return layers[:count]
        case "suffix":
            return layers[len(layers) - count :]
        case "every-other":
            return layers[count::2]
        case "first+last":
            return [layers[0], layers[-1]]
        case "top":
            return sorted(layers, key=kurtosis, reverse=True)[:count]
    return text.split(",")


def mlp_kurtosis(root, family, layer):
    """Biased excess kurtosis of a layer's MLP matrices taken together."""
    weights = [root.get_parameter(matrix.name).detach().flatten() for _, matrix in matrices(family, layer, "mlp")]
    return float(scipy.stats.kurtosis(torch.cat(weights).double().numpy()))


def role_rows(matrix, role, shape, heads):
    """The rows of a matrix [outputs, inputs] that a role owns, where query, key and value may share it."""
    if matrix.shared is None or role not in ("attn.q", "attn.k", "attn.v"):
        return np.ones(shape[0], dtype=bool)
    rows = np.arange(shape[0])
    rows = rows.reshape(heads, 3, -1) if matrix.shared == "head by head" else rows.reshape(1, 3, -1)
    return np.isin(np.arange(shape[0]), rows[:, "qkv".index(role[-1])])


def stored_matrix(root, matrix):
    """A parameter as a matrix [outputs, inputs] in numpy."""
    values = root.get_parameter(matrix.name).detach()
    return (values.T if matrix.turned else values).contiguous().numpy()


def quantized_weights(model, family, layers, components, spelling):
    """New values of the layers' matrices and gains: a stored matrix is quantized whole, rows out of scope keep their bits, and
    a gain is a row.
    """
    root = family.root_of(model)
    replaced = {}
    for layer in layers:
        for role, matrix in matrices(family, layer, components):
            stored = stored_matrix(root, matrix)
            rows = role_rows(matrix, role, stored.shape, model.config.num_attention_heads)
            values = replaced.setdefault(matrix, stored.copy())
            values[rows] = quantize(stored, Config.parse(spelling)).values[rows]
        for gain in norms(root, family, layer) if "norm" in components.split("+") else []:
            row = stored_matrix(root, gain)[None]
            replaced[gain] = quantize(row, Config.parse(spelling)).values[0]
    return replaced


def squared_error(root, replaced):
    """Per matrix the f64 mean of (new - stored)^2, to tell a wrong quantizer from a wrong model."""
    return {
        matrix.name: float(np.mean((values.astype(np.float64) - stored_matrix(root, matrix).astype(np.float64)) ** 2))
        for matrix, values in replaced.items()
    }


@contextmanager
def quantized_tables(model, scope, components, spelling):
    """The model with its lookup, its head or both quantized, where the scope reaches outside the layers.

    Each is quantized from what is stored: a tied head gets weights of its own. Yields the tables' squared errors.
    """
    lookup, head = model.get_input_embeddings(), model.get_output_embeddings()
    tables = {"embedding": lookup, "head": head} if not scope.startswith("only(") else {}
    kept, stored = head.weight, lookup.weight.detach().clone()
    head.weight = torch.nn.Parameter(kept.detach().clone())
    errors = {}
    for name in tables.keys() & set(components.split("+")):
        weights = tables[name].weight.detach().clone()
        values = torch.from_numpy(quantize(weights.numpy(), Config.parse(spelling)).values)
        errors[name] = ((values.double() - weights.double()) ** 2).mean().item()
        tables[name].weight.data = values
    yield dict(sorted(errors.items()))
    lookup.weight.data = stored
    head.weight = kept


def quantized_logits(model, family, case, cell, rescore):
    """Logits of all documents with the model quantized in one scope, the layers in it, and the squared errors of what was quantized.

    `rescore` computes the logits anew.
    """
    scope, components, spelling = cell
    root = family.root_of(model)
    layers = layers_in_scope(scope, layer_names(root, family), lambda layer: mlp_kurtosis(root, family, layer))
    replaced = quantized_weights(model, family, layers, components, spelling)
    mse = squared_error(root, replaced)
    kept = {matrix: root.get_parameter(matrix.name).data for matrix in replaced}
    for matrix, values in replaced.items():
        values = torch.from_numpy(values)
        root.get_parameter(matrix.name).data = values.T.contiguous() if matrix.turned else values
    with quantized_tables(model, scope, components, spelling) as table_mse:
        logits = rescore()
    mse |= table_mse
    assert mse, f"{case.name}: nothing is in {scope} {components}"
    for matrix, values in kept.items():
        root.get_parameter(matrix.name).data = values
    return logits, layers, mse


def score_cell(model, family, case, cell, scored, rescore):
    """Scores of the model quantized in one scope, beside the baseline's on the same tokens.

    `scored` has targets and baseline logits of every document; `rescore` computes the logits of all of them anew.
    """
    scope, components, spelling = cell
    logits, layers, mse = quantized_logits(model, family, case, cell, rescore)
    sums = {"nll": [], "base_nll": [], "kl_sum": [], "top1_count": []}
    for (targets, base), quant in zip(scored, logits, strict=True):
        check_margins(case, quant)
        base_ln, quant_ln = log_softmax(base), log_softmax(quant)
        sums["nll"].append(nll_sum(quant_ln, targets))
        sums["base_nll"].append(nll_sum(base_ln, targets))
        sums["kl_sum"].append((base_ln.exp() * (base_ln - quant_ln)).sum().item())
        sums["top1_count"].append(int((base.argmax(-1) == quant.argmax(-1)).sum()))
    cell = {"scope": scope, "layers": layers, "components": components, "config": spelling, "weight_mse": mse}
    return cell | sums


@torch.no_grad()
def trace(model, family, **inputs):
    """Every named activation of one forward pass over a single sequence, [tokens, width], and the logits."""
    taken, handles = {}, []

    def take(name, module, side):
        """Keeps what goes into the module or what comes out of it."""

        def hook(_, arguments, named, output):
            value = output if side == "out" else (arguments[0] if arguments else named["hidden_states"])
            value = value[0] if isinstance(value, tuple) else value
            taken[name] = value.reshape(-1, value.shape[-1]).clone()

        handles.append(module.register_forward_hook(hook, with_kwargs=True))

    root = family.root_of(model)
    for stack in family.stacks:
        blocks = root.get_submodule(stack.blocks)
        take(f"{stack.label}boundary.0", blocks[0], "in")
        for i, block in enumerate(blocks):
            take(f"{stack.label}boundary.{i + 1}", block, "out")
            take(f"{stack.label}point.{i}.block_out", block, "out")
            for point, (part, side) in stack.points().items():
                take(f"{stack.label}point.{i}.{point}", block.get_submodule(part), side)
        take(f"{stack.label}final_norm_out", root.get_submodule(stack.final_norm), "out")
    taken["logits"] = model(**inputs, use_cache=False).logits[0].clone()
    for handle in handles:
        handle.remove()
    return taken


def write_json(path, fields):
    """JSON with one line per field and per item of a list of objects, so that a difference can be read."""

    def render(value):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n  " + ",\n  ".join(map(render, value)) + "\n ]"
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    lines = [f" {json.dumps(name)}: {render(value)}" for name, value in fields.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def prepared_output(description):
    """The output folder of the command line; the libraries set to one thread, full precision and silence."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return out
