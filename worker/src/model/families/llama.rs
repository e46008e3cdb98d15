//! The families with RMS norms, rotary positions and a gated MLP: Llama, Mistral, Qwen 2 and 3, Gemma 2 and 3, OLMo 2.

use babelquant_proto::{Family, Role, Shape};

use super::rotary::{ALIKE, RotaryKeys, rotary};
use super::{Build, Sizes, Start, Stored, StoredAs, activation, head_width};
use crate::model::architecture::{
    Architecture, Attention, Embedding, Head, LayerKind, Names, Norm, NormKind, StackNames,
    StackParts,
};
use crate::model::config::{Config, Flag};

/// The families that stand here.
pub(super) const FAMILIES: &[(Family, Build)] = &[
    (Family::Llama, llama),
    (Family::Mistral, mistral),
    (Family::Qwen2, qwen2),
    (Family::Qwen3, qwen3),
    (Family::Gemma2, gemma2),
    (Family::Gemma3, gemma3),
    (Family::Olmo2, olmo2),
];

const NAMES: Names = Names {
    prefixes: &["language_model.model.", "model.language_model.", "model.", "language_model."],
    embedding: "embed_tokens.weight",
    positions: None,
    embedding_norm: None,
    ignored: &["rotary_emb.inv_freq", "lm_head.weight"],
    foreign: &["vision_tower.", "multi_modal_projector."],
};
const STACK: StackNames = StackNames {
    layer_prefix: "layers.",
    attn_norm: Some("input_layernorm"),
    mlp_norm: Some("post_attention_layernorm"),
    final_norm: "norm",
    ..StackNames::NONE
};
const MATRICES: &[StoredAs] = &[
    ("self_attn.q_proj", Stored::Plain, &[Role::AttnQ]),
    ("self_attn.k_proj", Stored::Plain, &[Role::AttnK]),
    ("self_attn.v_proj", Stored::Plain, &[Role::AttnV]),
    ("self_attn.o_proj", Stored::Plain, &[Role::AttnO]),
    ("mlp.gate_proj", Stored::Plain, &[Role::MlpGate]),
    ("mlp.up_proj", Stored::Plain, &[Role::MlpUp]),
    ("mlp.down_proj", Stored::Plain, &[Role::MlpDown]),
];

/// What a family of this kind says of itself beyond the sizes.
struct Traits {
    /// Biases unless the configuration says otherwise.
    biased: fn(Role) -> bool,
    tied: Flag,
    head_width: Option<u32>,
    /// Heads, and key and value heads, where the configuration leaves them out.
    heads: Option<(u32, u32)>,
    rotary: RotaryKeys,
}

const TRAITS: Traits =
    Traits { biased: |_| false, tied: Flag::Off, head_width: None, heads: None, rotary: ALIKE };

/// The base: Llama.
fn base(shape: Shape, config: &Config<'_>, traits: &Traits) -> Result<Architecture, String> {
    let (usual_heads, usual_key_heads) = traits.heads.unzip();
    let said = config.optional(&["num_attention_heads"])?.or(usual_heads);
    let heads = said.map_or_else(|| config.number(&["num_attention_heads"]), Ok)?;
    let key_heads = config.optional(&["num_key_value_heads"])?.or(usual_key_heads);
    let key_heads = key_heads.unwrap_or(heads);
    let said = config.optional(&["head_dim"])?.or(traits.head_width);
    let width = said.map_or_else(|| head_width(shape.hidden, heads), Ok)?;
    if !heads.is_multiple_of(key_heads) {
        return Err(format!("{heads} heads are no multiple of {key_heads} key and value heads"));
    }
    let mlp_width = config.number(&["intermediate_size"])?;
    let hidden = shape.hidden;
    let sizes = Sizes { hidden, heads, key_heads, head_width: width, mlp_width };
    let named = config.text(&["hidden_activation", "hidden_act"]).unwrap_or("silu");
    let (attention, mlp) =
        (config.flag("attention_bias", Flag::Off), config.flag("mlp_bias", Flag::Off));
    let biased = |role: Role| (traits.biased)(role) || if role.is_mlp() { mlp } else { attention };
    let kind = LayerKind { window: None, rotary: Some(rotary(config, width, traits.rotary)?) };
    let tied = config.flag("tie_word_embeddings", traits.tied);
    let start = Start {
        shape,
        sizes,
        norm: Norm {
            kind: NormKind::Rms,
            epsilon: config.fraction(&["rms_norm_eps"]).unwrap_or(1e-6),
        },
        activation: activation(named)?,
        decoder: StackParts { names: STACK, matrices: sizes.matrices(MATRICES, biased) },
        names: NAMES,
    };
    Ok(Architecture {
        decoder_layers: vec![kind; shape.layers as usize],
        head: Head { name: (!tied).then_some("lm_head.weight"), softcap: None },
        ..start.architecture()
    })
}

/// Gives a window to the layers that look back only so far: those that `layer_types` names, or else those that `rule` picks.
fn windowed(
    mut architecture: Architecture,
    config: &Config<'_>,
    rule: impl Fn(usize) -> bool,
) -> Result<Architecture, String> {
    let Some(window) = config.optional(&["sliding_window"])? else { return Ok(architecture) };
    let named = config.texts("layer_types");
    let known = |name: &&str| ["sliding_attention", "full_attention"].contains(name);
    if let Some(other) = named.iter().flatten().find(|name| !known(name)) {
        return Err(format!("layer_types has {other:?}, which is not supported"));
    }
    if named.as_ref().is_some_and(|named| named.len() != architecture.decoder_layers.len()) {
        return Err("layer_types does not have one entry a layer".to_owned());
    }
    for (layer, kind) in architecture.decoder_layers.iter_mut().enumerate() {
        let slides = match &named {
            Some(named) => named[layer] == "sliding_attention",
            None => rule(layer),
        };
        kind.window = slides.then_some(window);
    }
    Ok(architecture)
}

fn llama(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    base(shape, config, &TRAITS)
}

fn mistral(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    windowed(base(shape, config, &TRAITS)?, config, |_| true)
}

fn qwen2(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let biased = |role| matches!(role, Role::AttnQ | Role::AttnK | Role::AttnV);
    qwen_windows(base(shape, config, &Traits { biased, ..TRAITS })?, config)
}

/// Qwen slides from layer `max_window_layers` on, where it slides at all.
fn qwen_windows(architecture: Architecture, config: &Config<'_>) -> Result<Architecture, String> {
    if !config.flag("use_sliding_window", Flag::Off) {
        return Ok(architecture);
    }
    let first = config.count("max_window_layers").unwrap_or(28) as usize;
    windowed(architecture, config, |layer| layer >= first)
}

const HEAD_NORMS: StackNames = StackNames {
    query_norm: Some("self_attn.q_norm"),
    key_norm: Some("self_attn.k_norm"),
    ..STACK
};

fn qwen3(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let mut architecture =
        qwen_windows(base(shape, config, &Traits { head_width: Some(128), ..TRAITS })?, config)?;
    architecture.decoder.names = HEAD_NORMS;
    Ok(architecture)
}

const SANDWICH: StackNames = StackNames {
    attn_post_norm: Some("post_attention_layernorm"),
    mlp_norm: Some("pre_feedforward_layernorm"),
    mlp_post_norm: Some("post_feedforward_layernorm"),
    ..STACK
};
const GEMMA: Traits = Traits { tied: Flag::On, head_width: Some(256), ..TRAITS };

/// What Gemma 2 and 3 share: 1 + gain, norms before and after each branch, scaled embedding, soft caps (of scores and
/// logits; what they are where nothing is said).
fn gemma(
    shape: Shape,
    config: &Config<'_>,
    traits: &Traits,
    softcaps: [Option<f64>; 2],
) -> Result<Architecture, String> {
    if config.flag("use_bidirectional_attention", Flag::Off) {
        return Err("use_bidirectional_attention = true is not supported: it embeds, it does not continue texts".to_owned());
    }
    let base = base(shape, config, traits)?;
    let scalar = config.fraction(&["query_pre_attn_scalar"]).unwrap_or(256.0);
    let named = config.text(&["hidden_activation"]).unwrap_or("gelu_pytorch_tanh");
    Ok(Architecture {
        embedding: Embedding { scale: Some(f64::from(shape.hidden).sqrt()), ..base.embedding },
        norm: Norm { kind: NormKind::RmsPlusOne, ..base.norm },
        attention: Attention {
            scale: 1.0 / scalar.sqrt(),
            softcap: config.said("attn_logit_softcapping", softcaps[0]),
            ..base.attention
        },
        activation: activation(named)?,
        head: Head { softcap: config.said("final_logit_softcapping", softcaps[1]), ..base.head },
        decoder: StackParts { names: SANDWICH, ..base.decoder },
        ..base
    })
}

fn gemma2(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let softcaps = [Some(50.0), Some(30.0)];
    windowed(gemma(shape, config, &GEMMA, softcaps)?, config, |layer| layer % 2 == 0)
}

fn gemma3(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    const GLOBAL: RotaryKeys = RotaryKeys { theta_default: 1e6, ..ALIKE };
    const LOCAL: RotaryKeys = RotaryKeys {
        theta: "rope_local_base_freq",
        theta_default: 1e4,
        share_default: 1.0,
        layers: "sliding_attention",
        scaling: None,
    };
    let every = config.optional(&["sliding_window_pattern", "_sliding_window_pattern"])?;
    let every = every.unwrap_or(6) as usize;
    let base = gemma(
        shape,
        config,
        &Traits { rotary: GLOBAL, heads: Some((8, 4)), ..GEMMA },
        [None, None],
    )?;
    let width = base.attention.head_width;
    let mut architecture = windowed(base, config, |layer| (layer + 1) % every != 0)?;
    let local = rotary(config, width, LOCAL)?;
    for kind in architecture.decoder_layers.iter_mut().filter(|kind| kind.window.is_some()) {
        kind.rotary = Some(local.clone());
    }
    architecture.decoder.names =
        StackNames { query_norm: HEAD_NORMS.query_norm, key_norm: HEAD_NORMS.key_norm, ..SANDWICH };
    Ok(architecture)
}

fn olmo2(shape: Shape, config: &Config<'_>) -> Result<Architecture, String> {
    let mut architecture = base(shape, config, &TRAITS)?;
    architecture.decoder.names = StackNames {
        attn_norm: None,
        attn_post_norm: SANDWICH.attn_post_norm,
        mlp_norm: None,
        mlp_post_norm: SANDWICH.mlp_post_norm,
        norm_across_heads: true,
        ..HEAD_NORMS
    };
    Ok(architecture)
}
