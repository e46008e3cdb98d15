"""The golden cases of every family but BLOOM: config.json in the spelling of the published repositories, storage, cells.

A `resaved` case is another case as `transformers` of today writes it. `intended` is what `transformers` must have understood
after it read the file back: attributes of the configuration, or of a module where a name has a slash.
"""

from dataclasses import dataclass, field

import torch

from bloom_text import VOCABULARY

F16, BF16, F32 = torch.float16, torch.bfloat16, torch.float32
SENTINELS = 20


@dataclass(frozen=True)
class Case:
    """One checkpoint: its configuration, how it is stored, what is quantized in it, and how its texts begin."""

    name: str
    seed: int
    config: dict
    cells: list
    dtype: torch.dtype = F32
    prefix: int | None = None
    newline: int | None = None
    stored_root: bool = True
    extras: str | None = None
    intended: dict = field(default_factory=dict)
    resaved_from: str | None = None


def cells(layers, single, group=8):
    """The cells of a decoder of so many layers; `single` is a role that is quantized alone."""
    return [
        ("all", "mlp", "int4-channel"),
        (f"only({layers - 1})", "mlp", "int3-channel"),
        ("all", "linear", "int4-tensor"),
        ("only(0)", "attention", f"int4-group{group}"),
        ("all-but(0)", "linear", "int4-asym-channel"),
        ("all", single, "int3-channel"),
        (f"only({layers - 1})", "attn.v", "int3-asym-channel"),
    ]


def t5_cells(group):
    return [
        ("all", "mlp", "int4-channel"),
        ("only(enc.0)", "mlp", "int3-channel"),
        ("only(1)", "linear", "int4-tensor"),
        ("only(0)", "attention", f"int4-group{group}"),
        ("all-but(enc.1)", "linear", "int4-asym-channel"),
        ("all", "cross", "int4-channel"),
        ("only(1)", "cross.k", "int3-asym-channel"),
        ("only(enc.0,0)", "attn.v", "int3-channel"),
        ("all-but(0)", "mlp.gate", "int4-tensor"),
    ]


def table_cells(scope, group=8):
    """Cells of the tables outside the layers, alone, together and beside matrices; `scope` leaves layers out."""
    return [
        ("all", "embedding", "int3-channel"),
        ("all", "head", "int3-channel"),
        ("all", "embedding+head", f"int4-group{group}"),
        (scope, "embedding+linear", "int4-asym-channel"),
        (scope, "mlp+head", "int4-tensor"),
    ]


def norm_cells(scope, group=4):
    """Cells of the gains of norms, alone and beside matrices."""
    return [
        ("all", "norm", "int4-channel"),
        ("only(0)", "norm", "int3-asym-channel"),
        (scope, "linear+norm", f"int4-group{group}"),
    ]


SET_CELLS = [
    ("only(prefix(2))", "mlp", "int3-channel"),
    ("only(suffix(2))", "linear", "int4-channel"),
    ("only(every-other)", "attention", "int3-channel"),
    ("only(every-other(1))", "linear", "int3-channel"),
    ("all-but(first+last)", "mlp", "int3-channel"),
    ("only(top(1,kurtosis))", "mlp", "int3-channel"),
    ("all-but(top(2,kurtosis))", "linear", "int4-channel"),
]
XGLM_CELLS = table_cells("all-but(first+last)") + SET_CELLS + norm_cells("all-but(0)")
MT5_CELLS = table_cells("all-but(suffix(2))") + SET_CELLS + norm_cells("only(enc.1,1)", group=2)


def llama_like(model_type, architecture, sizes, **rest):
    """The keys that Llama and its relatives share; `sizes` is (hidden, MLP, layers, heads, key heads)."""
    names = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"]
    sizes = dict(zip(names, sizes, strict=True))
    shared = {
        "architectures": [architecture],
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": 256,
        "model_type": model_type,
        "rms_norm_eps": 1e-05,
        "rope_theta": 100.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "transformers_version": "4.44.0",
        "use_cache": True,
        "vocab_size": VOCABULARY,
    }
    return shared | sizes | rest


def t5(sizes, **rest):
    """mT5; `sizes` is (d_model, d_ff, d_kv, heads, encoder layers, decoder layers)."""
    names = ["d_model", "d_ff", "d_kv", "num_heads", "num_layers", "num_decoder_layers"]
    shared = {
        "architectures": ["MT5ForConditionalGeneration"],
        "decoder_start_token_id": 0,
        "dropout_rate": 0.1,
        "eos_token_id": 1,
        "feed_forward_proj": "gated-gelu",
        "initializer_factor": 1.0,
        "is_encoder_decoder": True,
        "layer_norm_epsilon": 1e-06,
        "model_type": "mt5",
        "output_past": True,
        "pad_token_id": 0,
        "relative_attention_num_buckets": 32,
        "tie_word_embeddings": False,
        "tokenizer_class": "T5Tokenizer",
        "transformers_version": "4.10.0.dev0",
        "use_cache": True,
        "vocab_size": VOCABULARY + SENTINELS,
    }
    return shared | dict(zip(names, sizes, strict=True)) | rest


XGLM = {
    "activation_dropout": 0,
    "activation_function": "gelu",
    "architectures": ["XGLMForCausalLM"],
    "attention_dropout": 0.1,
    "attention_heads": 3,
    "bos_token_id": 0,
    "d_model": 24,
    "decoder_start_token_id": 2,
    "dropout": 0.1,
    "eos_token_id": 2,
    "ffn_dim": 40,
    "init_std": 0.02,
    "layerdrop": 0.0,
    "max_position_embeddings": 40,
    "model_type": "xglm",
    "num_layers": 3,
    "pad_token_id": 1,
    "scale_embedding": True,
    "transformers_version": "4.16.0.dev0",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}
GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 1,
    "embd_pdrop": 0.1,
    "eos_token_id": 1,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 24,
    "n_embd": 24,
    "n_head": 3,
    "n_layer": 3,
    "n_positions": 24,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": VOCABULARY,
}
OPT = {
    "activation_dropout": 0.0,
    "activation_function": "relu",
    "architectures": ["OPTForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 2,
    "do_layer_norm_before": True,
    "dropout": 0.1,
    "eos_token_id": 2,
    "ffn_dim": 40,
    "hidden_size": 24,
    "init_std": 0.02,
    "layerdrop": 0.0,
    "max_position_embeddings": 32,
    "model_type": "opt",
    "num_attention_heads": 3,
    "num_hidden_layers": 3,
    "pad_token_id": 1,
    "prefix": "</s>",
    "torch_dtype": "float16",
    "transformers_version": "4.21.0.dev0",
    "use_cache": True,
    "vocab_size": VOCABULARY,
    "word_embed_proj_dim": 24,
}
GPT_NEOX = {
    "architectures": ["GPTNeoXForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 1,
    "hidden_act": "gelu",
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 56,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 32,
    "model_type": "gpt_neox",
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "rotary_emb_base": 10000,
    "rotary_pct": 0.25,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "transformers_version": "4.24.0",
    "use_cache": True,
    "use_parallel_residual": True,
    "vocab_size": VOCABULARY,
}
LLAMA3 = llama_like(
    "llama", "LlamaForCausalLM", (24, 40, 3, 6, 2),
    attention_bias=False, head_dim=8, max_position_embeddings=512, mlp_bias=False, pretraining_tp=1,
    rope_scaling={
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 64,
        "rope_type": "llama3",
    },
    rope_theta=1000.0, tie_word_embeddings=True, torch_dtype="bfloat16",
)
LLAMA3_ROPE = LLAMA3["rope_scaling"] | {"rope_theta": 1000.0}
QWEN2 = {"max_window_layers": 3, "sliding_window": 4096, "tie_word_embeddings": True, "use_sliding_window": False}
GEMMA2 = llama_like(
    "gemma2", "Gemma2ForCausalLM", (24, 40, 3, 4, 2),
    attention_bias=False, attn_logit_softcapping=2.0, cache_implementation="hybrid", final_logit_softcapping=3.0,
    head_dim=10, hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh", pad_token_id=0,
    query_pre_attn_scalar=7, rms_norm_eps=1e-03, sliding_window=7,
    torch_dtype="bfloat16",
)
del GEMMA2["tie_word_embeddings"]  # not published: on by default
GEMMA3 = llama_like(
    "gemma3_text", "Gemma3ForCausalLM", (24, 40, 4, 2, 1),
    attention_bias=False, attn_logit_softcapping=None, cache_implementation="hybrid", final_logit_softcapping=None,
    head_dim=16, hidden_activation="gelu_pytorch_tanh", pad_token_id=0, query_pre_attn_scalar=7, rms_norm_eps=1e-06,
    rope_local_base_freq=50.0, rope_scaling={"factor": 3.0, "rope_type": "linear"}, rope_theta=2000.0,
    sliding_window=6, sliding_window_pattern=3, torch_dtype="bfloat16",
)
del GEMMA3["tie_word_embeddings"], GEMMA3["hidden_act"]  # not published either
GEMMA3_LAYERS = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
GEMMA3_ROPE = {
    "full_attention": {"rope_type": "linear", "factor": 3.0, "rope_theta": 2000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
}


def default_rope(theta, **rest):
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta} | rest}


CASES = [
    Case(
        "xglm", 11, XGLM, cells(3, "attn.k") + XGLM_CELLS, dtype=F16, prefix=2, newline=2, extras="xglm",
        intended={"scale_embedding": True, "hidden_size": 24},
    ),
    Case("gpt2", 21, GPT2, cells(3, "attn.k") + norm_cells("all-but(1)"), prefix=1, stored_root=False, extras="gpt2"),
    Case(
        "gpt2_prefixed", 22, GPT2 | {"n_inner": 40, "n_layer": 2, "n_positions": 32, "layer_norm_epsilon": 1e-03},
        cells(2, "attn.q"), prefix=1,
    ),
    Case("opt", 31, OPT, cells(3, "mlp.up"), dtype=F16, prefix=2, extras="opt"),
    Case(
        "gpt_neox", 41, GPT_NEOX, cells(2, "attn.k") + norm_cells("only(1)"), dtype=F16, prefix=1, extras="gpt_neox",
        intended=default_rope(10000, partial_rotary_factor=0.25) | {"gpt_neox.layers.0.attention/rotary_ndims": 4},
    ),
    Case(
        "gpt_neox_sequential", 42,
        GPT_NEOX | {
            "hidden_size": 24, "layer_norm_eps": 1e-03, "rotary_emb_base": 50, "rotary_pct": 0.5,
            "num_attention_heads": 3, "num_hidden_layers": 3, "use_parallel_residual": False, "intermediate_size": 40,
        },
        cells(3, "attn.v"), dtype=F16, prefix=1,
        intended=default_rope(50, partial_rotary_factor=0.5) | {"gpt_neox.layers.0.attention/rotary_ndims": 4},
    ),
    Case(
        "gpt_neox_resaved", 42, {}, cells(3, "attn.v"), dtype=F16, prefix=1, resaved_from="gpt_neox_sequential",
        intended=default_rope(50, partial_rotary_factor=0.5) | {"gpt_neox.layers.0.attention/rotary_ndims": 4},
    ),
    Case(
        "llama1", 51,
        {
            key: value
            for key, value in llama_like(
                "llama", "LlamaForCausalLM", (24, 40, 3, 3, 3), max_sequence_length=128, pad_token_id=0,
                rms_norm_eps=1e-06, torch_dtype="float16", transformers_version="4.28.0.dev0",
            ).items()
            if key not in ("num_key_value_heads", "rope_theta", "attention_dropout", "max_position_embeddings")
        },
        cells(3, "mlp.gate") + norm_cells("all-but(1)"), dtype=F16, prefix=1, extras="llama1",
        intended=default_rope(10000.0) | {"num_key_value_heads": 3, "head_dim": 8},
    ),
    Case(
        "llama3", 52, LLAMA3, cells(3, "attn.k"), dtype=BF16, prefix=1,
        intended={"rope_parameters": LLAMA3_ROPE, "head_dim": 8, "tie_word_embeddings": True},
    ),
    Case(
        "llama3_resaved", 52, {}, cells(3, "attn.k"), dtype=BF16, prefix=1, resaved_from="llama3",
        intended={"rope_parameters": LLAMA3_ROPE, "head_dim": 8, "tie_word_embeddings": True},
    ),
    Case(
        "llama_linear", 1053,
        llama_like(
            "llama", "LlamaForCausalLM", (24, 56, 2, 3, 1), rms_norm_eps=1e-03,
            rope_scaling={"factor": 2.5, "type": "linear"},
        ),
        cells(2, "mlp.up"), prefix=1,
        intended={"rope_parameters": {"type": "linear", "rope_type": "linear", "factor": 2.5, "rope_theta": 100.0}},
    ),
    Case(
        "mistral", 61,
        llama_like(
            "mistral", "MistralForCausalLM", (28, 40, 3, 6, 2), head_dim=8, sliding_window=7,
            torch_dtype="bfloat16",
        ),
        cells(3, "attn.k", group=4) + table_cells("all-but(0)", group=4), dtype=BF16, prefix=1,
        intended=default_rope(100.0) | {"sliding_window": 7, "head_dim": 8},
    ),
    Case(
        "qwen2", 71,
        llama_like(
            "qwen2", "Qwen2ForCausalLM", (32, 40, 3, 4, 2), rms_norm_eps=1e-06, rope_theta=1000.0,
            torch_dtype="bfloat16", **QWEN2,
        ),
        cells(3, "attn.q"), dtype=BF16, intended=default_rope(1000.0) | {"layer_types": ["full_attention"] * 3},
    ),
    Case(
        "qwen2_sliding", 72,
        llama_like(
            "qwen2", "Qwen2ForCausalLM", (24, 40, 3, 6, 3), rms_norm_eps=1e-03, torch_dtype="bfloat16",
            **QWEN2 | {"max_window_layers": 1, "sliding_window": 5, "use_sliding_window": True},
        ),
        cells(3, "mlp.gate"), dtype=BF16,
        intended={"layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "sliding_window": 5},
    ),
    Case(
        "qwen2_yarn", 73,
        llama_like(
            "qwen2", "Qwen2ForCausalLM", (32, 40, 2, 2, 1), max_position_embeddings=2048, rope_theta=1000.0,
            rope_scaling={"factor": 4.0, "original_max_position_embeddings": 512, "type": "yarn"},
            torch_dtype="bfloat16", **QWEN2 | {"tie_word_embeddings": False},
        ),
        cells(2, "attn.k"), dtype=BF16,
        intended={
            "rope_parameters": {
                "factor": 4.0, "original_max_position_embeddings": 512, "type": "yarn", "rope_type": "yarn",
                "rope_theta": 1000.0,
            },
            "model.rotary_emb/attention_scaling": 1.138629436111989,
        },
    ),
    Case(
        "qwen3", 81,
        llama_like(
            "qwen3", "Qwen3ForCausalLM", (32, 40, 3, 6, 3), attention_bias=False, head_dim=8, rms_norm_eps=1e-06,
            rope_scaling=None, torch_dtype="bfloat16", **QWEN2,
        ),
        cells(3, "attn.k") + norm_cells("all-but(2)"), dtype=BF16,
        intended=default_rope(100.0) | {"head_dim": 8, "layer_types": ["full_attention"] * 3},
    ),
    Case(
        "gemma2", 1091, GEMMA2, cells(3, "attn.k") + table_cells("all-but(2)") + norm_cells("all-but(0)"), dtype=BF16, prefix=1,
        intended={
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "tie_word_embeddings": True, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0,
        } | default_rope(100.0),
    ),
    Case(
        "gemma3", 1101, GEMMA3, cells(4, "mlp.gate"), dtype=BF16, prefix=1,
        intended={"layer_types": GEMMA3_LAYERS, "rope_parameters": GEMMA3_ROPE, "tie_word_embeddings": True},
    ),
    Case(
        "gemma3_resaved", 1101, {}, cells(4, "mlp.gate"), dtype=BF16, prefix=1, resaved_from="gemma3",
        intended={"layer_types": GEMMA3_LAYERS, "rope_parameters": GEMMA3_ROPE, "tie_word_embeddings": True},
    ),
    Case(
        "olmo2", 111,
        {
            key: value
            for key, value in llama_like(
                "olmo2", "Olmo2ForCausalLM", (24, 40, 3, 6, 3), attention_bias=False, pad_token_id=1,
                rms_norm_eps=1e-03, rope_scaling=None,
            ).items()
            if key != "bos_token_id"
        },
        cells(3, "attn.q", group=4) + norm_cells("only(0,2)"), intended=default_rope(100.0) | {"bos_token_id": None},
    ),
    Case(
        "mt5", 1121, t5((24, 40, 6, 3, 2, 3)), t5_cells(6) + MT5_CELLS, dtype=F16,
        intended={"num_layers": 2, "num_decoder_layers": 3, "relative_attention_max_distance": 128},
    ),
    # Its vocabulary is larger than its tokenizer, as the published one is, and its farthest buckets are near.
    Case(
        "mt5_far", 122,
        t5(
            (24, 40, 8, 4, 3, 2), layer_norm_epsilon=1e-03, relative_attention_max_distance=33,
            vocab_size=VOCABULARY + SENTINELS + 4,
        ),
        t5_cells(8), dtype=BF16, intended={"relative_attention_max_distance": 33},
    ),
]
