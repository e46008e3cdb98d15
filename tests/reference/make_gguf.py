"""Writes GGUF files of golden models, and what they hold and score.

    python make_gguf.py LLAMA_CPP [OUT]        files land in OUT/gguf/; OUT is ../golden beside this script unless given

LLAMA_CPP is the folder vendor/llama.cpp of the source archive of llama-cpp-python 0.3.36 (`pip download --no-deps
--no-binary llama-cpp-python llama-cpp-python==0.3.36`): its converter writes the files, its `gguf` package quantizes and
dequantizes. Only the tokens are left out, and the type of every matrix is chosen here, so that each type occurs. K-quants,
which that package reads but does not write, are random bytes around small scales.

Where the converter puts a weight is measured, not described: a copy of the model whose weights count from 0 is converted too.
So expected values come back into the model's layout without a word on how they were rearranged. Where `transformers` reads
such a file by itself, its weights must be the same.
"""

import argparse
import contextlib
import hashlib
import io
import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

import bloom_text
from families import family_of, layer_names, matrices
from scoring import STRIDE, WINDOW, log_softmax, nll_sum, role_rows, scored_logits, write_json

# Golden model, name of the file, whether queries, keys and values share a matrix, whether `transformers` reads it.
CASES = [
    ("bloom/four_heads_f32", "bloom", False, True),
    ("families/gpt2_prefixed", "gpt2", False, True),
    ("families/gpt_neox", "gpt_neox", False, False),
    ("families/llama1", "llama1", False, True),
    ("families/llama3", "llama3", False, True),
    ("families/llama3", "llama3_fused", True, False),
    ("families/mistral", "mistral", False, False),
    ("families/qwen2", "qwen2", False, True),
    ("families/qwen2", "qwen2_fused", True, False),
    ("families/qwen3", "qwen3", False, True),
    ("families/gemma2", "gemma2", False, True),
    ("families/gemma3", "gemma3", False, True),
    ("families/olmo2", "olmo2", False, False),
    ("families/mt5_far", "mt5", False, False),
    ("gguf/k_quants", "k_quants", False, True),
]
CELLS = [("all", "linear"), ("first", "attn.q+mlp.down"), ("all", "attn.k+attn.v")]
SMALL_TYPES = ["Q4_0", "Q8_0", "Q5_1", "F16", "Q4_1", "Q5_0", "BF16", "F32"]
K_TYPES = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
K_CONFIG = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "num_hidden_layers": 2,
    "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 320,
    "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
    "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2,
}


def write_k_model(folder):
    """A model wide enough for blocks of 256, of which little is learned."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(K_CONFIG, indent=2) + "\n")
    bloom_text.train_tokenizer().save(str(folder / "tokenizer.json"))
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(transformers.AutoConfig.from_pretrained(folder))
    torch.manual_seed(256)
    weights = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        noise = torch.randn(tensor.shape)
        weights[name] = 1 + 0.3 * noise if noise.ndim == 1 else 1.5 / math.sqrt(tensor.shape[1]) * noise
    weights["model.embed_tokens.weight"] *= 0.5
    save_file({name: tensor.bfloat16() for name, tensor in weights.items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    tokenizer = bloom_text.train_tokenizer()
    texts = bloom_text.documents(tokenizer, WINDOW, STRIDE, 1)
    documents = [{"text": text, "token_ids": tokenizer.encode(text).ids} for text in texts]
    fields = {"window": WINDOW, "stride": STRIDE, "prefix": K_CONFIG["bos_token_id"], "documents": documents, "cells": []}
    write_json(folder / "expected.json", fields)


def some_blocks(shape, kind, gguf):
    """Bytes of a tensor of a K-quant: everything random but the scales, which are small and not negative."""
    rng = np.random.default_rng(sum(shape) + int(kind))
    block, size = gguf.GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (math.prod(shape) // block, size), dtype=np.uint8)
    scales = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}[kind.name]
    largest = {"Q2_K": 2e-3, "Q3_K": 5e-4, "Q4_K": 2e-4, "Q5_K": 1e-4, "Q6_K": 5e-5}[kind.name]
    for at in scales:
        values = rng.uniform(0.2, 1, len(data)) * largest
        data[:, at : at + 2] = values.astype(np.float16).reshape(-1, 1).view(np.uint8)
    return data.reshape(*shape[:-1], shape[-1] // block * size)


class Converter:
    """The converter of llama.cpp, without tokens and with types chosen here."""

    def __init__(self, llama_cpp):
        sys.path[:0] = [str(llama_cpp / "gguf-py"), str(llama_cpp)]
        import gguf
        import conversion

        self.gguf, self.conversion = gguf, conversion
        written = gguf.quants.quantize

        def quantize(data, kind):
            return some_blocks(data.shape, kind, gguf) if kind.name in K_TYPES else written(data, kind)

        gguf.quants.quantize = quantize

    def convert(self, folder, file, fused, types):
        """Writes `file`; without types everything is f32."""
        gguf, conversion = self.gguf, self.conversion
        # Keys of the file that `transformers` of today calls otherwise.
        hparams = json.loads((folder / "config.json").read_text()) | conversion.ModelBase.load_hparams(folder, False)
        base = conversion.get_model_class(conversion.get_model_architecture(hparams, conversion.ModelType.TEXT))
        turns = {}

        class Model(base):
            model_arch = base.model_arch

            def set_vocab(self):
                tokens = [f"[PAD{i}]" for i in range(self.hparams["vocab_size"])]
                self.gguf_writer.add_tokenizer_model("none")
                self.gguf_writer.add_token_list(tokens)

            def tensor_force_quant(self, name, new_name, bid, n_dims):
                if new_name in ("token_embd.weight", "output.weight"):
                    return types is not None and gguf.GGMLQuantizationType.F16
                layer = ".blk." in f".{new_name}" and new_name.endswith(".weight") and "norm" not in new_name
                if types is None or n_dims < 2 or not layer or "attn_rel_b" in new_name:
                    return False
                kinds = [gguf.GGMLQuantizationType[kind] for kind in types]
                columns = self.columns(new_name, name)
                fitting = tuple(kind for kind in kinds if columns % gguf.GGML_QUANT_SIZES[kind][0] == 0)
                turns[fitting] = turns.get(fitting, -1) + 1
                return fitting[turns[fitting] % len(fitting)]

            def columns(self, new_name, name):
                shape = self.model_tensors[name]().shape
                return shape[0] if base.__name__ == "GPT2Model" and name.endswith(".weight") else shape[-1]

        with contextlib.redirect_stderr(io.StringIO()), torch.inference_mode():
            kind = gguf.LlamaFileType.ALL_F32
            Model(folder, kind, file, eager=True, fuse_qkv=fused, hparams=hparams).write()

    def read(self, file):
        """Name -> values in f32, bits of a value, type."""
        tensors = {}
        for tensor in self.gguf.GGUFReader(file).tensors:
            block, size = self.gguf.GGML_QUANT_SIZES[tensor.tensor_type]
            values = self.gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            tensors[tensor.name] = (np.asarray(values, np.float32), 8 * size / block, tensor.tensor_type.name)
        return tensors


def stored(folder):
    return load_file(folder / "model.safetensors")


def counted(folder, into):
    """A copy of the model whose tensors of two axes count from 0, and where each of them begins."""
    shutil.copytree(folder, into)
    tensors, starts, at = {}, {}, 0
    for name, tensor in stored(folder).items():
        starts[name] = at
        tensors[name] = torch.arange(at, at + tensor.numel()).reshape(tensor.shape).float()
        at += tensor.numel()
    assert at < 2**24, "a float counts no further"
    save_file(tensors, into / "model.safetensors", {"format": "pt"})
    return starts


def in_the_models_layout(converter, folder, file, fused):
    """Stored name -> values of the file in the shape of the model's own tensor, and the bits of each."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        starts = counted(folder, scratch / "model")
        converter.convert(scratch / "model", scratch / "places.gguf", fused, None)
        places = converter.read(scratch / "places.gguf")
    values = converter.read(file)
    total = sum(tensor.numel() for tensor in stored(folder).values())
    flat, bits, seen = np.zeros(total, np.float32), np.zeros(total), np.zeros(total, bool)
    for name, (place, _, _) in places.items():
        if place.ndim < 2:
            continue
        at = place.astype(np.int64)
        assert values[name][0].shape == place.shape, name
        flat[at], bits[at], seen[at] = values[name][0], values[name][1], True
    found = {}
    for name, tensor in stored(folder).items():
        part = slice(starts[name], starts[name] + tensor.numel())
        if tensor.ndim == 2 and seen[part].all():
            found[name] = (flat[part].reshape(tensor.shape), bits[part].mean())
    return found


def load_model(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0])
    return model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def documents(folder):
    """What every document of a golden case reads."""
    golden = json.loads((folder / "expected.json").read_text())
    return [document | {"prefix": golden.get("prefix")} for document in golden["documents"]]


def score(model, document):
    """The document's NLL."""
    if model.config.is_encoder_decoder:
        import t5_scoring

        logits = t5_scoring.infill_logits(model, document)
        return nll_sum(log_softmax(logits), t5_scoring.second_half(document))
    before = [] if document["prefix"] is None else [document["prefix"]]
    read = before + document["token_ids"]
    return nll_sum(log_softmax(scored_logits(model, read)), read[1:])


def lent(model, family, values, prefix, cell):
    """The model's matrices with the roles of a cell taken from `values`, by name below the root."""
    root, (scope, components) = family.root_of(model), cell
    layers = layer_names(root, family)
    replaced = {}
    for layer in layers if scope == "all" else layers[:1]:
        for role, matrix in matrices(family, layer, components):
            own = root.get_parameter(matrix.name).detach()
            own = (own.T if matrix.turned else own).numpy()
            other = values[prefix + matrix.name][0]
            other = other.T if matrix.turned else other
            rows = role_rows(matrix, role, own.shape, model.config.num_attention_heads)
            replaced.setdefault(matrix, own.copy())[rows] = other[rows]
    return replaced


def score_cell(model, family, values, prefix, cell, texts):
    root = family.root_of(model)
    replaced = lent(model, family, values, prefix, cell)
    kept = {matrix: root.get_parameter(matrix.name).data for matrix in replaced}
    for matrix, weights in replaced.items():
        weights = torch.from_numpy(weights)
        root.get_parameter(matrix.name).data = weights.T.contiguous() if matrix.turned else weights
    nll = [score(model, text) for text in texts]
    for matrix, weights in kept.items():
        root.get_parameter(matrix.name).data = weights
    scope = cell[0] if cell[0] == "all" else f"only({layer_names(root, family)[0]})"
    return {"scope": scope, "components": cell[1], "nll": nll}


def check_with_transformers(file, values, prefix, family, model):
    """`transformers` finds the same matrices in the file, bit for bit."""
    theirs = type(model).from_pretrained(
        file.parent, gguf_file=file.name, config=model.config, dtype=torch.float32
    )
    root, names = family.root_of(theirs), family.root_of(model)
    for layer in layer_names(names, family):
        for _, matrix in matrices(family, layer, "linear"):
            found = root.get_parameter(matrix.name).detach().numpy()
            assert np.array_equal(found, values[prefix + matrix.name][0]), (file.name, matrix.name)


def digest(matrix, values):
    """SHA-256 of the matrix [outputs, inputs] in f32."""
    weights = values.T if matrix.turned else values
    return hashlib.sha256(np.ascontiguousarray(weights, "<f4").tobytes()).hexdigest()


def write_case(converter, out, case):
    source, name, fused, reads = case
    folder, file = out / source, out / "gguf" / f"{name}.gguf"
    types = K_TYPES + ["F32"] if name == "k_quants" else SMALL_TYPES
    converter.convert(folder, file, fused, types)
    file.chmod(0o644)
    values = in_the_models_layout(converter, folder, file, fused)
    model = load_model(folder)
    family = family_of(model.config)
    root = family.root_of(model)
    layers = [matrix for layer in layer_names(root, family) for _, matrix in matrices(family, layer, "linear")]
    layers = list(dict.fromkeys(layers))
    prefix = next(n for n in values if n.endswith(layers[0].name)).removesuffix(layers[0].name)
    if reads:
        check_with_transformers(file, values, prefix, family, model)
    texts = documents(folder)
    types = sorted({kind for tensor, (_, _, kind) in converter.read(file).items() if ".blk." in f".{tensor}"})
    return {
        "name": name,
        "model": source,
        "types": types,
        "matrices": {m.name: [values[prefix + m.name][1], digest(m, values[prefix + m.name][0])] for m in layers},
        "base_nll": [score(model, text) for text in texts],
        "cells": [score_cell(model, family, values, prefix, cell, texts) for cell in CELLS],
    }


def main():
    parser = argparse.ArgumentParser(description="Writes GGUF files of golden models.")
    parser.add_argument("llama_cpp", type=Path)
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    converter = Converter(arguments.llama_cpp.resolve())
    write_k_model(arguments.out / "gguf" / "k_quants")
    cases = [write_case(converter, arguments.out, case) for case in CASES]
    write_json(arguments.out / "gguf" / "expected.json", {"cases": cases})


if __name__ == "__main__":
    main()
