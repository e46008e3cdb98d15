"""Writes shapes.json: the configurations of published models and how many parameters `transformers` counts in each.

Models are made on the meta device, so no weights are needed; a tied matrix counts once. `make_families.py` runs it.
"""

import torch
import transformers

from scoring import write_json

BLOOM = {
    "apply_residual_connection_post_layernorm": False, "architectures": ["BloomForCausalLM"], "attention_dropout": 0.0,
    "bos_token_id": 1, "eos_token_id": 2, "hidden_dropout": 0.0, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
    "model_type": "bloom", "n_inner": None, "offset_alibi": 100, "pad_token_id": 3, "unk_token_id": 0, "use_cache": True,
    "vocab_size": 250880,
}
XGLM = {
    "activation_dropout": 0, "activation_function": "gelu", "architectures": ["XGLMForCausalLM"], "attention_dropout": 0.1,
    "bos_token_id": 0, "decoder_start_token_id": 2, "dropout": 0.1, "eos_token_id": 2, "init_std": 0.02,
    "layerdrop": 0.0, "max_position_embeddings": 2048, "model_type": "xglm", "pad_token_id": 1, "scale_embedding": True,
    "use_cache": True, "vocab_size": 256008,
}
MT5 = {
    "architectures": ["MT5ForConditionalGeneration"], "d_kv": 64, "decoder_start_token_id": 0, "dropout_rate": 0.1,
    "eos_token_id": 1, "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": True,
    "layer_norm_epsilon": 1e-06, "model_type": "mt5", "output_past": True, "pad_token_id": 0,
    "relative_attention_num_buckets": 32, "tie_word_embeddings": False, "tokenizer_class": "T5Tokenizer",
    "use_cache": True, "vocab_size": 250112,
}
GPT2 = {
    "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256,
    "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
    "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1,
    "vocab_size": 50257,
}
OPT = {
    "activation_dropout": 0.0, "activation_function": "relu", "architectures": ["OPTForCausalLM"], "attention_dropout": 0.0,
    "bos_token_id": 2, "do_layer_norm_before": True, "dropout": 0.1, "eos_token_id": 2, "init_std": 0.02,
    "layerdrop": 0.0, "max_position_embeddings": 2048, "model_type": "opt", "pad_token_id": 1, "prefix": "</s>",
    "torch_dtype": "float16", "use_cache": True, "vocab_size": 50272,
}
PYTHIA = {
    "architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "gelu",
    "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-05,
    "max_position_embeddings": 2048, "model_type": "gpt_neox", "num_attention_heads": 12, "num_hidden_layers": 12,
    "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": False, "torch_dtype": "float16",
    "use_cache": True, "use_parallel_residual": True, "vocab_size": 50304,
}
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096,
    "initializer_range": 0.02, "intermediate_size": 11008, "max_position_embeddings": 2048, "model_type": "llama",
    "num_attention_heads": 32, "num_hidden_layers": 32, "pad_token_id": 0, "rms_norm_eps": 1e-06,
    "tie_word_embeddings": False, "torch_dtype": "float16", "use_cache": True, "vocab_size": 32000,
}
MISTRAL = {
    "architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
    "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768,
    "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": False,
    "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": 32000,
}
QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151643,
    "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
    "max_position_embeddings": 131072, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": 14,
    "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
    "sliding_window": 131072, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
    "use_sliding_window": False, "vocab_size": 151936,
}
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 151643,
    "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "initializer_range": 0.02,
    "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
    "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
    "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None, "tie_word_embeddings": True,
    "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False, "vocab_size": 151936,
}
GEMMA2 = {
    "architectures": ["Gemma2ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "attn_logit_softcapping": 50.0, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1,
    "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02, "intermediate_size": 9216,
    "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8, "num_hidden_layers": 26,
    "num_key_value_heads": 4, "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0, "sliding_window": 4096, "torch_dtype": "float32", "use_cache": True, "vocab_size": 256000,
}
GEMMA3 = {
    "architectures": ["Gemma3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "attn_logit_softcapping": None, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1,
    "final_logit_softcapping": None, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152,
    "initializer_range": 0.02, "intermediate_size": 6912, "max_position_embeddings": 32768, "model_type": "gemma3_text",
    "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0,
    "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": None,
    "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6, "torch_dtype": "bfloat16",
    "use_cache": True, "vocab_size": 262144,
}
OLMO2 = {
    "architectures": ["Olmo2ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "eos_token_id": 100257,
    "hidden_act": "silu", "initializer_range": 0.02, "max_position_embeddings": 4096, "model_type": "olmo2",
    "pad_token_id": 100277, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 500000,
    "tie_word_embeddings": False, "torch_dtype": "float32", "use_cache": True, "vocab_size": 100352,
}


def bloom(hidden, layers, heads):
    """BLOOM as its small sizes spell it."""
    return BLOOM | {"n_embed": hidden, "n_layer": layers, "num_attention_heads": heads}


def large_bloom(hidden, layers, heads):
    """BLOOM as its large sizes spell it."""
    return BLOOM | {"hidden_size": hidden, "n_head": heads, "n_layer": layers, "seq_length": 2048}


def xglm(hidden, layers, ffn, heads):
    return XGLM | {"d_model": hidden, "num_layers": layers, "ffn_dim": ffn, "attention_heads": heads}


def mt5(hidden, layers, ff, heads):
    return MT5 | {"d_model": hidden, "d_ff": ff, "num_heads": heads, "num_layers": layers, "num_decoder_layers": layers}


def opt(hidden, layers, heads):
    sizes = {"hidden_size": hidden, "ffn_dim": 4 * hidden, "num_attention_heads": heads, "num_hidden_layers": layers}
    return OPT | sizes | {"word_embed_proj_dim": hidden}


def olmo2(hidden, layers, mlp, heads):
    sizes = {"hidden_size": hidden, "intermediate_size": mlp, "num_hidden_layers": layers, "num_attention_heads": heads}
    return OLMO2 | sizes | {"num_key_value_heads": heads}


# Repository, configuration, and the count where it is known from elsewhere.
PUBLISHED = [
    ("bigscience/bloom-560m", bloom(1024, 24, 16), 559_214_592),
    ("bigscience/bloom-1b1", bloom(1536, 24, 16), 1_065_314_304),
    ("bigscience/bloom-1b7", bloom(2048, 24, 16), 1_722_408_960),
    ("bigscience/bloom-3b", bloom(2560, 30, 32), 3_002_557_440),
    ("bigscience/bloom-7b1", large_bloom(4096, 30, 32), 7_069_016_064),
    ("bigscience/bloom", large_bloom(14336, 70, 112), 176_247_271_424),
    ("facebook/xglm-564M", xglm(1024, 24, 4096, 16), 564_463_616),
    ("facebook/xglm-1.7B", xglm(2048, 24, 8192, 16), 1_732_907_008),
    ("facebook/xglm-2.9B", xglm(2048, 48, 8192, 16), 2_941_505_536),
    ("facebook/xglm-4.5B", xglm(2048, 48, 16384, 16), 4_552_511_488),
    ("facebook/xglm-7.5B", xglm(4096, 32, 16384, 32), 7_492_771_840),
    ("google/mt5-small", mt5(512, 8, 1024, 6), 300_176_768),
    ("google/mt5-base", mt5(768, 12, 2048, 12), None),
    ("google/mt5-large", mt5(1024, 24, 2816, 16), None),
    ("google/mt5-xl", mt5(2048, 24, 5120, 32), None),
    ("google/mt5-xxl", mt5(4096, 24, 10240, 64), None),
    ("openai-community/gpt2", GPT2, 124_439_808),
    ("facebook/opt-125m", opt(768, 12, 12), 125_239_296),
    ("facebook/opt-1.3b", opt(2048, 24, 32), 1_315_758_080),
    ("EleutherAI/pythia-160m", PYTHIA, 162_322_944),
    ("huggyllama/llama-7b", LLAMA, 6_738_415_616),
    ("mistralai/Mistral-7B-v0.1", MISTRAL, 7_241_732_096),
    ("Qwen/Qwen2-0.5B", QWEN2, 494_032_768),
    ("Qwen/Qwen3-0.6B", QWEN3, 596_049_920),
    ("google/gemma-2-2b", GEMMA2, 2_614_341_888),
    ("google/gemma-3-1b-pt", GEMMA3, 999_885_952),
    ("allenai/OLMo-2-0425-1B", olmo2(2048, 16, 8192, 16), 1_484_916_736),
    ("allenai/OLMo-2-1124-7B", olmo2(4096, 32, 11008, 32), None),
]


def counted(fields):
    """Parameters of the model with this configuration. mT5's head has weights of its own, though the library ties it."""
    config = transformers.AutoConfig.for_model(**fields)
    with torch.device("meta"):
        model = getattr(transformers, fields["architectures"][0])(config)
    parameters = {id(parameter): parameter.numel() for parameter in model.parameters()}
    head = model.get_output_embeddings().weight
    untied = head.numel() if config.model_type == "mt5" and head is model.get_input_embeddings().weight else 0
    return sum(parameters.values()) + untied


def write_shapes(path):
    models = []
    for repository, config, known in PUBLISHED:
        parameters = counted(config)
        assert known in (None, parameters), f"{repository} has {parameters} parameters, not {known}"
        models.append({"repository": repository, "parameters": parameters, "config": config})
    write_json(path, {"models": models})
