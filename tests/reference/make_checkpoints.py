"""Writes the checkpoint golden cases: small files as torch, safetensors and transformers save them, and what is in them.

    python make_checkpoints.py [OUT]        OUT is ../golden beside this script unless given; cases land in OUT/checkpoints/

A case is a folder of one checkpoint. expected.json lists for every case either the tensors that a reader must hand out (dtype,
shape, bytes in hexadecimal as torch holds them, and as it converts them to other dtypes) or the words that must be in its refusal. Some cases are
hostile: their pickles ask for calls that a reader must not make; the calls themselves are harmless.
"""

import argparse
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
import transformers
from huggingface_hub import save_torch_state_dict
from safetensors.torch import save_file

FLOATS = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
SINGLE = "pytorch_model.bin"


def raw(tensor):
    """The bytes of a tensor's values in row-major order, in hexadecimal."""
    return tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes().hex() if tensor.numel() else ""


def tensors(state, prefixes=()):
    """What a reader must hand out: all tensors of floats, without the first prefix that fits."""
    expected = {}
    for name, tensor in state.items():
        short = next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), name)
        if tensor.dtype in FLOATS:
            assert short not in expected, short
            loaded = FLOATS if tensor.numel() < 64 else [torch.float32]
            expected[short] = {
                "dtype": FLOATS[tensor.dtype],
                "shape": list(tensor.shape),
                "bytes": raw(tensor),
                "loaded": {FLOATS[dtype]: raw(tensor.to(dtype)) for dtype in loaded if dtype != tensor.dtype},
            }
    integers = [name for name, tensor in state.items() if not tensor.dtype.is_floating_point]
    return {"prefixes": list(prefixes), "tensors": expected, "integers": integers}


def refusal(*words):
    return {"error": list(words)}


def mixed():
    """Every stored dtype, shapes from scalar to empty, extreme values, shared storages, buffers."""
    table = torch.randn(6, 5)
    long = torch.arange(40, dtype=torch.float16) / 7
    extremes = torch.tensor([0.0, -0.0, 1.0, -1.5, float("inf"), -float("inf"), 6e-8, 65504.0, 1e-39])
    return OrderedDict(
        {
            "embedding.weight": table,
            "head.weight": table,
            "table.middle": table[2:4],
            "table.column": table[:, :1][:1],
            "half.matrix": torch.randn(3, 7).half(),
            "half.view": long[8:32].view(4, 6),
            "half.odd": long[5:8],
            "brain.matrix": torch.randn(4, 3).bfloat16(),
            "brain.bias": torch.nn.Parameter(torch.randn(3).bfloat16()),
            "extremes.f32": extremes,
            "extremes.f16": extremes.half(),
            "extremes.bf16": extremes.bfloat16(),
            "scalar": torch.tensor(0.75),
            "empty": torch.zeros(0, 4),
            "one_axis": torch.randn(1, 5, 1).transpose(0, 2),
            "positions": torch.arange(9),
            "mask": torch.ones(3, 3, dtype=torch.bool).tril(),
            "bytes": torch.arange(5, dtype=torch.uint8),
            "small": torch.arange(4, dtype=torch.int32)[1:],
            "turned": torch.arange(6).view(2, 3).t(),
        }
    )


def opt():
    torch.manual_seed(1)
    config = transformers.OPTConfig(
        vocab_size=20, hidden_size=8, ffn_dim=12, num_hidden_layers=1, num_attention_heads=2, word_embed_proj_dim=8,
        max_position_embeddings=10,
    )
    return transformers.OPTForCausalLM(config)


def gpt2():
    torch.manual_seed(2)
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=20, n_positions=8, n_embd=8, n_layer=2, n_head=2))


def repacked(source, target, change=lambda name, content: content, compression=zipfile.ZIP_STORED):
    """Copies an archive with some entries changed (None leaves one out)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(zipfile.ZipInfo(name), content, compression)


class Called:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Stored:
    """Pickles as a storage: a persistent id."""

    def __init__(self, *identity):
        self.identity = identity


class StateDictPickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.identity if isinstance(value, Stored) else None


def pickled(value, protocol=2):
    stream = io.BytesIO()
    StateDictPickler(stream, protocol).dump(value)
    return stream.getvalue()


def archive(path, content, values=4):
    """An archive like torch's around a pickle, with one storage of `values` f32."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {"data.pkl": content, "byteorder": b"little", "data/0": bytes(4 * values)}.items():
            file.writestr(zipfile.ZipInfo(f"archive/{name}"), content)


def legacy(state):
    """A file as torch saved it before 1.6. That names storages by their addresses and sorts them so; here they are numbered as
    they come, so that every run makes the same file."""
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=False)
    storages = {str(storage._cdata): storage for storage in (tensor.untyped_storage() for tensor in state.values())}
    head, tail = stream.getvalue().split(pickle.dumps(sorted(storages), 2))
    contents = {}
    for address in sorted(storages):
        size = 8 + storages[address].nbytes()
        contents[address], tail = tail[:size], tail[size:]
    assert not tail
    numbers = {address: f"{number:02}" for number, address in enumerate(storages)}
    for address, number in numbers.items():
        head = head.replace(struct.pack("<I", len(address)) + address.encode(), struct.pack("<I", 2) + number.encode())
    return head + pickle.dumps(list(numbers.values()), 2) + b"".join(contents[address] for address in numbers)


def legacy_by_hand(content, keys=("0",), count=4, version=1001, little_endian=True):
    """A file of that format around a pickle, with a storage of four f32 for each key."""
    system = {"protocol_version": version, "little_endian": little_endian, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    storages = (struct.pack("<q", count) + bytes(16)) * len(keys)
    head = b"".join(pickle.dumps(value, 2) for value in (torch.serialization.MAGIC_NUMBER, version, system))
    return head + content + pickle.dumps(list(keys), 2) + storages


def view(offset=0, shape=(4,), strides=(1,), values=4, key="0", storage=torch.FloatStorage, part=()):
    """A state dict of one tensor, put together by hand."""
    stored = Stored("storage", storage, key, "cpu", values, *part)
    return {"odd": Called(torch._utils._rebuild_tensor_v2, stored, offset, shape, strides, False, OrderedDict())}


def bomb(depth=60):
    """A pickle whose value has 2 ** depth leaves, if each is written out."""
    doubled = b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(depth))
    return b"\x80\x02)q\x00" + doubled + b"."


def write_readable(folder):
    """The cases that a reader must read."""
    state = mixed()
    torch.save(state, folder("torch_mixed") / SINGLE)
    yield "torch_mixed", tensors(state)

    torch.save(dict(state), folder("torch_plain_dict_protocol_4") / SINGLE, pickle_protocol=4)
    yield "torch_plain_dict_protocol_4", tensors(state)

    # A file from an archiver that aligns nothing: storages begin at odd addresses.
    repacked(folder("torch_mixed", keep=True) / SINGLE, folder("torch_unaligned") / SINGLE, lambda name, content: content)
    yield "torch_unaligned", tensors(state)

    model = opt().half()
    torch.save(model.state_dict(), folder("torch_prefixed_f16") / SINGLE)
    prefixes = ["model.decoder.", "decoder."]
    yield "torch_prefixed_f16", tensors(model.state_dict(), prefixes)

    model = opt().bfloat16()
    save_torch_state_dict(
        model.state_dict(), folder("torch_sharded_bf16"), safe_serialization=False, max_shard_size=600,
        filename_pattern="pytorch_model{suffix}.bin",
    )
    yield "torch_sharded_bf16", saved(folder("torch_sharded_bf16", keep=True), model.state_dict(), prefixes)

    yield from write_legacy(folder, state)

    separate = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    save_file(separate, folder("safetensors_mixed") / "model.safetensors", {"format": "pt"})
    yield "safetensors_mixed", tensors(separate)

    model = gpt2()
    model.save_pretrained(folder("safetensors_prefixed_f32"))
    stored = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    yield "safetensors_prefixed_f32", tensors(stored, ["transformer."])

    model = gpt2().half()
    model.save_pretrained(folder("safetensors_sharded_f16"), max_shard_size=1500)
    stored = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    yield "safetensors_sharded_f16", saved(folder("safetensors_sharded_f16", keep=True), stored, ["transformer."])


def write_legacy(folder, state):
    """The cases of the format before torch 1.6 that a reader must read; what it must read is what torch does."""
    single = folder("torch_legacy") / SINGLE
    single.write_bytes(legacy(state))
    yield "torch_legacy", tensors(torch.load(single, weights_only=True))

    sharded, loaded = folder("torch_legacy_sharded"), {}
    for path in folder("torch_sharded_bf16", keep=True).iterdir():
        shutil.copy(path, sharded)
        if path.suffix == ".bin":
            (sharded / path.name).write_bytes(legacy(torch.load(path, weights_only=True)))
            loaded |= torch.load(sharded / path.name, weights_only=True)
    yield "torch_legacy_sharded", saved(sharded, loaded, ["model.decoder.", "decoder."])


def saved(folder, state, prefixes):
    """As `tensors`, of the tensors that the index in the folder names; there are several files."""
    [index] = folder.glob("*.index.json")
    weight_map = json.loads(index.read_text())["weight_map"]
    assert len(set(weight_map.values())) > 2, weight_map
    return tensors({name: state[name] for name in weight_map}, prefixes)


def write_refused(folder):
    """The cases that a reader must refuse."""
    one = {"weight": torch.ones(2, 3)}

    torch.save({"model": one, "step": 3}, folder("torch_nested") / SINGLE)
    yield "torch_nested", refusal("model", "step", "state_dict()")

    torch.save([torch.ones(2)], folder("torch_list") / SINGLE)
    yield "torch_list", refusal("something else than a dict")

    torch.save(argparse.Namespace(weight=torch.ones(2)), folder("torch_object") / SINGLE)
    yield "torch_object", refusal("argparse.Namespace")

    (folder("plain_pickle") / SINGLE).write_bytes(pickle.dumps({"weight": [1.0, 2.0]}))
    yield "plain_pickle", refusal("no zip archive")

    torch.save({name: torch.ones(2, dtype=torch.float64) for name in "ab"} | one, folder("torch_f64") / SINGLE)
    yield "torch_f64", refusal("a has dtype F64", "b has dtype F64")

    save_file({name: torch.ones(2, dtype=torch.float64) for name in "ab"} | one, folder("safetensors_f64") / "model.safetensors")
    yield "safetensors_f64", refusal("a has dtype F64", "b has dtype F64")

    torch.save({"turned": torch.ones(2, 3).t(), "spread": torch.ones(1).expand(4)}, folder("torch_strided") / SINGLE)
    yield "torch_strided", refusal("turned of shape [3, 2]", "strides [1, 3]", "spread")

    torch.save({"complex": torch.ones(2, dtype=torch.complex64)}, folder("torch_complex") / SINGLE)
    yield "torch_complex", refusal("torch.ComplexFloatStorage")

    torch.save({"transformer.a": torch.ones(1), "a": torch.zeros(1)}, folder("torch_same_name") / SINGLE)
    yield "torch_same_name", refusal("transformer.a", "a in pytorch_model.bin") | {"prefixes": ["transformer."]}

    calls = {
        "call_system": (Called(os.system, "touch a_pickle_was_run"), 2, "posix.system"),
        "call_system_protocol_4": (Called(os.system, "touch a_pickle_was_run"), 4, "posix.system"),
        "call_in_state_dict": (view() | {"evil": Called(eval, "open('a_pickle_was_run', 'w')")}, 2, "__builtin__.eval"),
    }
    for case, (value, protocol, name) in calls.items():
        archive(folder(case) / SINGLE, pickled(value, protocol))
        yield case, refusal(f"names {name}", "nothing of it was run")

    views = {
        "offset_beyond_storage": (view(offset=1), "odd ends beyond its storage"),
        "offset_overflows": (view(offset=2**63 - 1, storage=torch.HalfStorage, values=8), "odd ends beyond its storage"),
        "offset_negative": (view(offset=-4), "negative size"),
        "shape_overflows": (view(shape=(2**31 - 1,) * 3, strides=(1, 1, 1)), "odd has more values than can be counted"),
        "shape_negative": (view(shape=(-4,)), "negative size"),
        "storage_too_short": (view(values=5), "odd has a storage of another size"),
        "storage_absurd": (view(values=2**62), "odd has a storage of another size"),
        "storage_missing": (view(key="../data/0"), "data/../data/0 is missing"),
        "storage_wrong": ({"odd": Stored("module", torch.FloatStorage, "0", "cpu", 4)}, "no storage's"),
        "call_too_short": ({"odd": Called(torch._utils._rebuild_tensor_v2)}, "no state dict needs"),
    }
    for case, (value, words) in views.items():
        archive(folder(case) / SINGLE, pickled(value))
        yield case, refusal(words)

    archive(folder("memo_bomb") / SINGLE, bomb())
    yield "memo_bomb", refusal("something else than a dict")
    archive(folder("deep_tuple") / SINGLE, b"\x80\x02)" + b"\x85" * 20_000 + b".")
    yield "deep_tuple", refusal("something else than a dict")

    source = folder("torch_mixed", keep=True) / SINGLE
    repacked(source, folder("zip_compressed") / SINGLE, compression=zipfile.ZIP_DEFLATED)
    yield "zip_compressed", refusal("is compressed")
    repacked(source, folder("zip_big_endian") / SINGLE, lambda name, content: b"big" if name.endswith("byteorder") else content)
    yield "zip_big_endian", refusal("byteorder")
    repacked(source, folder("zip_short_storage") / SINGLE, lambda name, content: content[:-2] if name.endswith("data/0") else content)
    yield "zip_short_storage", refusal("has a storage of another size")
    repacked(source, folder("zip_no_pickle") / SINGLE, lambda name, content: None if name.endswith("data.pkl") else content)
    yield "zip_no_pickle", refusal("data.pkl is missing")

    # The central directory is written last, from what is said of the entries then.
    lies = {
        "zip_overlapping": ({"header_offset": 0}, "lies over another"),
        "zip_beyond_end": ({"file_size": 2**40, "compress_size": 2**40}, "beyond the end of the file"),
        "zip_two_sizes": ({"file_size": 2**40}, "beyond the end of the file"),
        "zip_size_overflows": ({"file_size": 2**64 - 1, "compress_size": 2**64 - 1}, ""),
    }
    for case, (fields, words) in lies.items():
        path = folder(case) / SINGLE
        archive(path, pickled(view()))
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(zipfile.ZipInfo("archive/version"), b"3")
            for field, value in fields.items():
                setattr(file.getinfo("archive/data/0"), field, value)
        yield case, refusal(words)


    whole = legacy(one)
    call = Called(os.system, "touch a_pickle_was_run")
    part, vast = view(part=(("1", 0, 4),)), view(offset=2**37 - 4, values=2**37)
    files = {
        "call": (legacy_by_hand(pickled({"odd": call})), "names posix.system"),
        "call_in_system": (legacy_by_hand(b"", little_endian=call), "names posix.system"),
        "truncated": (whole[:-1], "storage 00 ends beyond the end of the file"),
        "no_storages": (whole[:-24], "storage 00 ends beyond the end of the file"),
        "half": (whole[: len(whole) // 2], "its pickle is malformed"),
        "version": (legacy_by_hand(pickled(view()), version=1002), "another protocol version than 1001"),
        "big_endian": (legacy_by_hand(pickled(view()), little_endian=False), "not said to be little_endian"),
        "key_missing": (legacy_by_hand(pickled(view()), keys=()), "storage 0 is missing"),
        "key_twice": (legacy_by_hand(pickled(view()), keys=("0", "0")), "storage 0 is there twice"),
        "key_unknown": (legacy_by_hand(pickled(view()), keys=("0", "1")), "storage 1 belongs to no tensor"),
        "key_number": (legacy_by_hand(pickled(view()), keys=(0,)), "where the names of the storages belong"),
        "count": (legacy_by_hand(pickled(view()), count=5), "storage 0 has another number of values"),
        "count_negative": (legacy_by_hand(pickled(view()), count=-1), "storage 0 has another number of values"),
        "count_absurd": (legacy_by_hand(pickled(view(values=2**62)), count=2**62), "ends beyond the end of the file"),
        "count_beyond": (legacy_by_hand(pickled(vast), count=2**37), "storage 0 ends beyond the end of the file"),
        "offset": (legacy_by_hand(pickled(view(offset=1))), "odd ends beyond its storage"),
        "part": (legacy_by_hand(pickled(part)), "a part of another"),
        "memo": (legacy_by_hand(b"\x80\x02h\x00."), "recalls what it never memorized"),
    }
    for case, (content, words) in files.items():
        (folder(f"legacy_{case}") / SINGLE).write_bytes(content)
        yield f"legacy_{case}", refusal(words)


def main():
    parser = argparse.ArgumentParser(description="Writes the checkpoint golden cases.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent / "golden")
    root = parser.parse_args().out / "checkpoints"
    shutil.rmtree(root, ignore_errors=True)
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)

    def folder(case, keep=False):
        path = root / case
        path.mkdir(parents=True, exist_ok=keep)
        return path

    expected = dict(write_readable(folder)) | dict(write_refused(folder))
    for left in [*root.rglob("config.json"), *root.rglob("generation_config.json")]:
        left.unlink()
    lines = [f" {json.dumps(case)}: {json.dumps(fields)}" for case, fields in expected.items()]
    (root / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
