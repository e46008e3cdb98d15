//! The families with layer norms and an MLP of two matrices: BLOOM, XGLM, GPT-2, OPT, GPT-NeoX.

use babelquant_proto::{Family, Role, Shape};

use super::rotary::partial;
use super::{Build, QKV, Sizes, Start, Stored, StoredAs, activation, head_width};
use crate::model::architecture::{
    Architecture, Attention, Embedding, Head, LayerKind, Names, Norm, NormKind, Positions,
    Residual, ScoreBias, StackNames, StackParts,
};
use crate::model::config::{Config, Flag};

/// The families that stand here.
pub(super) const FAMILIES: &[(Family, Build)] = &[
    (Family::Bloom, bloom),
    (Family::Xglm, xglm),
    (Family::Gpt2, gpt2),
    (Family::Opt, opt),
    (Family::GptNeox, gpt_neox),
];

/// The table of names of one family.
struct Table {
    names: Names,
    stack: StackNames,
    matrices: &'static [StoredAs],
}

/// The base: what these families share. Heads and MLP width under their keys, biases everywhere, head tied.
fn base(
    shape: Shape,
    config: &Config<'_>,
    table: &Table,
    (heads, mlp_width): (u32, u32),
) -> Result<Architecture, String> {
    let width = head_width(shape.hidden, heads)?;
    let hidden = shape.hidden;
    let sizes = Sizes { hidden, heads, key_heads: heads, head_width: width, mlp_width };
    let epsilon = config.fraction(&["layer_norm_epsilon", "layer_norm_eps"]).unwrap_or(1e-5);
    let named = config.text(&["activation_function", "hidden_act"]).unwrap_or("gelu_new");
    let start = Start {
        shape,
        sizes,
        norm: Norm { kind: NormKind::Layer, epsilon },
        activation: activation(named)?,
        decoder: StackParts {
            names: table.stack,
            matrices: sizes.matrices(table.matrices, |_| true),
        },
        names: table.names,
    };
    Ok(start.architecture())
}

const BLOOM: Table = Table {
    names: Names {
        prefixes: &["transformer."],
        embedding: "word_embeddings.weight",
        positions: None,
        embedding_norm: Some("word_embeddings_layernorm"),
        ignored: &["lm_head.weight"],
        foreign: &[],
    },
    stack: StackNames {
        layer_prefix: "h.",
        attn_norm: Some("input_layernorm"),
        mlp_norm: Some("post_attention_layernorm"),
        final_norm: "ln_f",
        ..StackNames::NONE
    },
    matrices: &[
        ("self_attention.query_key_value", Stored::ByHead, QKV),
        ("self_attention.dense", Stored::Plain, &[Role::AttnO]),
        ("mlp.dense_h_to_4h", Stored::Plain, &[Role::MlpUp]),
        ("mlp.dense_4h_to_h", Stored::Plain, &[Role::MlpDown]),
    ],
};

fn bloom(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let heads = config.number(&["n_head", "num_attention_heads"])?;
    let base = base(shape, config, &BLOOM, (heads, 4 * shape.hidden))?;
    let after = config.flag("apply_residual_connection_post_layernorm", Flag::Off);
    Ok(Architecture {
        attention: Attention { bias: ScoreBias::Alibi, ..base.attention },
        residual: if after { Residual::AfterNorm } else { Residual::Sequential },
        ..base
    })
}

const FAIRSEQ_STACK: StackNames = StackNames {
    layer_prefix: "layers.",
    attn_norm: Some("self_attn_layer_norm"),
    mlp_norm: Some("final_layer_norm"),
    final_norm: "layer_norm",
    ..StackNames::NONE
};
const FAIRSEQ_MATRICES: &[StoredAs] = &[
    ("self_attn.q_proj", Stored::Plain, &[Role::AttnQ]),
    ("self_attn.k_proj", Stored::Plain, &[Role::AttnK]),
    ("self_attn.v_proj", Stored::Plain, &[Role::AttnV]),
    ("self_attn.out_proj", Stored::Plain, &[Role::AttnO]),
    ("fc1", Stored::Plain, &[Role::MlpUp]),
    ("fc2", Stored::Plain, &[Role::MlpDown]),
];
const XGLM: Table = Table {
    names: Names {
        prefixes: &["model."],
        embedding: "embed_tokens.weight",
        positions: None,
        embedding_norm: None,
        ignored: &["embed_positions.weights", "embed_positions._float_tensor", "lm_head.weight"],
        foreign: &[],
    },
    stack: FAIRSEQ_STACK,
    matrices: FAIRSEQ_MATRICES,
};

fn xglm(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let sizes = (config.number(&["attention_heads"])?, config.number(&["ffn_dim"])?);
    let scaled = config.flag("scale_embedding", Flag::On);
    Ok(Architecture {
        embedding: Embedding {
            scale: scaled.then(|| f64::from(shape.hidden).sqrt()),
            positions: Positions::Sinusoidal { offset: 2 },
        },
        ..base(shape, config, &XGLM, sizes)?
    })
}

const OPT: Table = Table {
    names: Names {
        prefixes: &["model.decoder.", "decoder."],
        embedding: "embed_tokens.weight",
        positions: Some("embed_positions.weight"),
        ignored: &["lm_head.weight"],
        ..XGLM.names
    },
    stack: StackNames { final_norm: "final_layer_norm", ..FAIRSEQ_STACK },
    matrices: FAIRSEQ_MATRICES,
};

fn opt(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    if !config.flag("do_layer_norm_before", Flag::On) {
        let other = "the other sizes of OPT, such as opt-125m and opt-1.3b, are";
        return Err(format!("do_layer_norm_before = false (opt-350m) is not supported; {other}"));
    }
    if config.optional(&["word_embed_proj_dim"])?.is_some_and(|width| width != shape.hidden) {
        return Err("word_embed_proj_dim other than hidden_size is not supported".to_owned());
    }
    let sizes = (config.number(&["num_attention_heads"])?, config.number(&["ffn_dim"])?);
    Ok(Architecture {
        embedding: Embedding { scale: None, positions: Positions::Learned { offset: 2 } },
        ..base(shape, config, &OPT, sizes)?
    })
}

const GPT2: Table = Table {
    names: Names {
        prefixes: &["transformer."],
        embedding: "wte.weight",
        positions: Some("wpe.weight"),
        embedding_norm: None,
        ignored: &["attn.bias", "attn.masked_bias", "lm_head.weight"],
        foreign: &[],
    },
    stack: StackNames {
        layer_prefix: "h.",
        attn_norm: Some("ln_1"),
        mlp_norm: Some("ln_2"),
        final_norm: "ln_f",
        ..StackNames::NONE
    },
    matrices: &[
        ("attn.c_attn", Stored::Turned, QKV),
        ("attn.c_proj", Stored::Turned, &[Role::AttnO]),
        ("mlp.c_fc", Stored::Turned, &[Role::MlpUp]),
        ("mlp.c_proj", Stored::Turned, &[Role::MlpDown]),
    ],
};

fn gpt2(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    for (key, usual) in
        [("scale_attn_weights", Flag::On), ("scale_attn_by_inverse_layer_idx", Flag::Off)]
    {
        if config.flag(key, usual) != (usual == Flag::On) {
            return Err(format!("{key} = {} is not supported", usual == Flag::Off));
        }
    }
    let heads = config.number(&["n_head", "num_attention_heads"])?;
    let mlp_width = config.optional(&["n_inner"])?.unwrap_or(4 * shape.hidden);
    Ok(Architecture {
        embedding: Embedding { scale: None, positions: Positions::Learned { offset: 0 } },
        ..base(shape, config, &GPT2, (heads, mlp_width))?
    })
}

const GPT_NEOX: Table = Table {
    names: Names {
        prefixes: &["gpt_neox."],
        embedding: "embed_in.weight",
        positions: None,
        embedding_norm: None,
        ignored: &["attention.bias", "attention.masked_bias", "rotary_emb.inv_freq"],
        foreign: &[],
    },
    stack: StackNames { layer_prefix: "layers.", final_norm: "final_layer_norm", ..BLOOM.stack },
    matrices: &[
        ("attention.query_key_value", Stored::ByHead, QKV),
        ("attention.dense", Stored::Plain, &[Role::AttnO]),
        ("mlp.dense_h_to_4h", Stored::Plain, &[Role::MlpUp]),
        ("mlp.dense_4h_to_h", Stored::Plain, &[Role::MlpDown]),
    ],
};

fn gpt_neox(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let sizes = (config.number(&["num_attention_heads"])?, config.number(&["intermediate_size"])?);
    let base = base(shape, config, &GPT_NEOX, sizes)?;
    let parallel = config.flag("use_parallel_residual", Flag::On);
    let tied = config.flag("tie_word_embeddings", Flag::Off);
    let rotary = partial(config, base.attention.head_width)?;
    let biased = config.flag("attention_bias", Flag::On);
    let mut decoder = base.decoder;
    for matrix in &mut decoder.matrices {
        matrix.bias = biased || matrix.roles[0].0.is_mlp();
    }
    Ok(Architecture {
        decoder,
        decoder_layers: vec![
            LayerKind { window: None, rotary: Some(rotary) };
            shape.layers as usize
        ],
        residual: if parallel { Residual::Parallel } else { Residual::Sequential },
        head: Head { name: (!tied).then_some("embed_out.weight"), softcap: None },
        ..base
    })
}
