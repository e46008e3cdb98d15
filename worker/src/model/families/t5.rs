//! mT5 and T5 v1.1: encoder and decoder with relative positions, unscaled attention and a gated MLP.

use babelquant_proto::{Family, Role, Shape};

use super::{Build, Sizes, Start, Stored, StoredAs, activation};
use crate::model::architecture::{
    Architecture, Attention, Head, Names, Norm, NormKind, ScoreBias, StackNames, StackParts,
};
use crate::model::config::Config;

/// The families that stand here.
pub(super) const FAMILIES: &[(Family, Build)] = &[(Family::Mt5, mt5)];

const NAMES: Names = Names {
    prefixes: &[],
    embedding: "shared.weight",
    positions: None,
    embedding_norm: None,
    ignored: &[
        "encoder.embed_tokens.weight",
        "decoder.embed_tokens.weight",
        "layer.1.EncDecAttention.relative_attention_bias.weight",
    ],
    foreign: &[],
};
const ENCODER: StackNames = StackNames {
    layer_prefix: "encoder.block.",
    attn_norm: Some("layer.0.layer_norm"),
    mlp_norm: Some("layer.1.layer_norm"),
    score_bias: Some("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
    final_norm: "encoder.final_layer_norm",
    ..StackNames::NONE
};
const DECODER: StackNames = StackNames {
    layer_prefix: "decoder.block.",
    cross_norm: Some("layer.1.layer_norm"),
    mlp_norm: Some("layer.2.layer_norm"),
    score_bias: Some("decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
    final_norm: "decoder.final_layer_norm",
    ..ENCODER
};
const SELF_ATTENTION: [StoredAs; 4] = [
    ("layer.0.SelfAttention.q", Stored::Plain, &[Role::AttnQ]),
    ("layer.0.SelfAttention.k", Stored::Plain, &[Role::AttnK]),
    ("layer.0.SelfAttention.v", Stored::Plain, &[Role::AttnV]),
    ("layer.0.SelfAttention.o", Stored::Plain, &[Role::AttnO]),
];
const ENCODER_REST: [StoredAs; 3] = [
    ("layer.1.DenseReluDense.wi_0", Stored::Plain, &[Role::MlpGate]),
    ("layer.1.DenseReluDense.wi_1", Stored::Plain, &[Role::MlpUp]),
    ("layer.1.DenseReluDense.wo", Stored::Plain, &[Role::MlpDown]),
];
const DECODER_REST: [StoredAs; 7] = [
    ("layer.1.EncDecAttention.q", Stored::Plain, &[Role::CrossQ]),
    ("layer.1.EncDecAttention.k", Stored::Plain, &[Role::CrossK]),
    ("layer.1.EncDecAttention.v", Stored::Plain, &[Role::CrossV]),
    ("layer.1.EncDecAttention.o", Stored::Plain, &[Role::CrossO]),
    ("layer.2.DenseReluDense.wi_0", Stored::Plain, &[Role::MlpGate]),
    ("layer.2.DenseReluDense.wi_1", Stored::Plain, &[Role::MlpUp]),
    ("layer.2.DenseReluDense.wo", Stored::Plain, &[Role::MlpDown]),
];

fn mt5(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let usual = if config.text(&["model_type"]) == Some("mt5") { "gated-gelu" } else { "relu" };
    let projection = config.text(&["feed_forward_proj"]).unwrap_or(usual);
    let Some(named) = projection.strip_prefix("gated-") else {
        return Err(format!(
            "feed_forward_proj = {projection:?} (T5 v1.0) is not supported; mT5 and T5 v1.1 are gated"
        ));
    };
    let heads = config.number(&["num_heads"])?;
    let head_width = config.number(&["d_kv"])?;
    let mlp_width = config.number(&["d_ff"])?;
    let hidden = shape.hidden;
    let sizes = Sizes { hidden, heads, key_heads: heads, head_width, mlp_width };
    let stack = |names, rest: &[StoredAs]| StackParts {
        names,
        matrices: sizes.matrices(&[&SELF_ATTENTION, rest].concat(), |_| false),
    };
    let buckets = config.optional(&["relative_attention_num_buckets"])?.unwrap_or(32);
    let distance_max = config.optional(&["relative_attention_max_distance"])?.unwrap_or(128);
    if buckets < 8 || !buckets.is_multiple_of(4) || distance_max <= buckets {
        return Err(format!("{buckets} buckets for distances below {distance_max} are impossible"));
    }
    let start = Start {
        shape,
        sizes,
        norm: Norm {
            kind: NormKind::Rms,
            epsilon: config.fraction(&["layer_norm_epsilon"]).unwrap_or(1e-6),
        },
        activation: activation(if named == "gelu" { "gelu_new" } else { named })?,
        decoder: stack(DECODER, &DECODER_REST),
        names: NAMES,
    };
    let base = start.architecture();
    Ok(Architecture {
        attention: Attention {
            scale: 1.0,
            bias: ScoreBias::Buckets { count: buckets, distance_max },
            ..base.attention
        },
        head: Head { name: Some("lm_head.weight"), softcap: None },
        encoder: Some(stack(ENCODER, &ENCODER_REST)),
        ..base
    })
}
