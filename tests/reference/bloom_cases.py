"""The BLOOM golden cases: which shape, spelling and storage each checkpoint has, and what is quantized in it."""

from dataclasses import dataclass, field

import torch

from bloom_text import VOCABULARY


@dataclass(frozen=True)
class Case:
    """One checkpoint: its shape, and how it is spelled and stored."""

    name: str
    seed: int
    hidden: int
    heads: int
    layers: int
    dtype: torch.dtype
    epsilon: float = 1e-5
    post_layernorm_residual: bool = False
    prefix: str = "transformer."
    shards: int = 1
    older_config: bool = False
    stored_head: bool = False
    cells: list = field(default_factory=list)


CASES = [
    Case(
        "four_heads_f32", seed=102, hidden=32, heads=4, layers=3, dtype=torch.float32,
        cells=[
            ("only(1)", "mlp", "int4-channel"),
            ("only(0,2)", "mlp", "int4-channel"),
            ("all-but(0)", "mlp", "int4-channel"),
            ("all", "mlp", "int4-channel"),
            ("only(0)", "mlp", "int8-tensor"),
            ("all", "mlp", "int8-tensor"),
            ("only(1)", "mlp", "int3-asym-group8"),
            ("all", "mlp", "int3-asym-group8"),
            ("only(2)", "mlp", "int4-tensor-sigma3.5"),
            ("all", "mlp", "int4-tensor-sigma2.5"),
            ("only(2)", "mlp", "int2-channel"),
            ("all", "mlp", "int2-channel"),
            ("all", "mlp", "int4-asym-tensor"),
            ("all", "mlp", "int5-asym-channel"),
            ("all", "mlp", "int6-group32"),
        ],
    ),
    Case(
        "six_heads_f16_sharded", seed=202, hidden=24, heads=6, layers=4, dtype=torch.float16, prefix="", shards=3,
        cells=[
            ("only(3)", "mlp", "int4-channel"),
            ("all-but(1)", "mlp", "int2-channel"),
            ("all", "mlp", "int3-asym-group8"),
            ("all", "mlp", "int4-tensor-sigma3.5"),
            ("only(2)", "mlp.down", "int3-channel"),
            ("only(1)", "attention", "int4-channel"),
            ("all", "attention", "int4-tensor"),
            ("all-but(3)", "attention", "int3-asym-group8"),
            ("all", "attn.v", "int4-tensor"),
            ("all", "attn.k+mlp.up", "int3-asym-channel"),
            ("all", "linear", "int4-asym-channel"),
            ("all", "norm", "int4-channel"),
            ("only(0)", "norm", "int3-asym-channel"),
            ("all-but(0)", "linear+norm", "int4-group4"),
        ],
    ),
    Case(
        "three_heads_bf16_post_layernorm", seed=303, hidden=24, heads=3, layers=3, dtype=torch.bfloat16,
        epsilon=1e-3, post_layernorm_residual=True, prefix="", older_config=True,
        cells=[("all", "norm", "int4-channel"), ("only(1)", "mlp+norm", "int3-asym-group8")],
    ),
    Case(
        "one_layer_f16_stored_head", seed=404, hidden=32, heads=4, layers=1, dtype=torch.float16,
        epsilon=1e-3, older_config=True, stored_head=True,
    ),
    Case(
        "six_heads_f32_post_layernorm_sharded", seed=505, hidden=24, heads=6, layers=3, dtype=torch.float32,
        post_layernorm_residual=True, shards=2, stored_head=True,
    ),
    Case(
        "three_heads_bf16_wide", seed=607, hidden=48, heads=3, layers=3, dtype=torch.bfloat16,
        prefix="", stored_head=True,
    ),
]


def config_json(case):
    """The config.json of the case, in the keys of today or in those of the first BLOOM releases."""
    shared = {
        "model_type": "bloom",
        "architectures": ["BloomModel" if case.prefix == "" else "BloomForCausalLM"],
        "vocab_size": VOCABULARY,
        "n_layer": case.layers,
        "layer_norm_epsilon": case.epsilon,
        "apply_residual_connection_post_layernorm": case.post_layernorm_residual,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
        "unk_token_id": 0,
        "pretraining_tp": 1,
        "slow_but_exact": False,
        "use_cache": True,
    }
    if case.older_config:
        return shared | {
            "n_embed": case.hidden,
            "num_attention_heads": case.heads,
            "n_inner": None,
            "offset_alibi": 100,
            "seq_length": 2048,
            "attention_softmax_in_fp32": True,
            "masked_softmax_fusion": True,
            "bias_dropout_fusion": True,
            "skip_bias_add": True,
            "skip_bias_add_qkv": False,
        }
    dtype = str(case.dtype).removeprefix("torch.")
    return shared | {"hidden_size": case.hidden, "n_head": case.heads, "torch_dtype": dtype}
