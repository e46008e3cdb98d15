//! Norms over the last axis.

use candle_core::{DType, Tensor};

use super::architecture::{NormKind, StackNames};
use super::error::ModelError;
use super::kernels;

/// A norm with its weights.
#[derive(Debug, Clone)]
pub(super) struct Norm {
    pub(super) gain: Gain,
    pub(super) epsilon: f64,
}

/// What a norm multiplies and adds, each [width].
#[derive(Debug, Clone)]
pub(super) enum Gain {
    /// Layer norm: gain and bias.
    Layer { gain: Tensor, bias: Tensor },
    /// RMS norm: the factor in f32, with the 1 that some families add to it.
    Rms(Tensor),
}

/// Where in a layer a norm may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlace {
    /// Before attention.
    Attention,
    /// After attention, before the residual add.
    AfterAttention,
    /// At the queries.
    Query,
    /// At the keys.
    Key,
    /// Before cross-attention.
    Cross,
    /// Before the MLP.
    Mlp,
    /// After the MLP, before the residual add.
    AfterMlp,
}

impl StackNames {
    /// The norms of a layer: where each stands, and its name in the layer without `.weight`.
    pub fn norms(&self) -> impl Iterator<Item = (NormPlace, &'static str)> {
        let norms = [
            (NormPlace::Attention, self.attn_norm),
            (NormPlace::AfterAttention, self.attn_post_norm),
            (NormPlace::Query, self.query_norm),
            (NormPlace::Key, self.key_norm),
            (NormPlace::Cross, self.cross_norm),
            (NormPlace::Mlp, self.mlp_norm),
            (NormPlace::AfterMlp, self.mlp_post_norm),
        ];
        norms.into_iter().filter_map(|(place, name)| Some((place, name?)))
    }
}

impl Norm {
    /// Multiplies by another factor, as `NormKind::factor` gives it.
    pub(super) fn set_factor(&mut self, factor: Tensor) {
        match &mut self.gain {
            Gain::Layer { gain, .. } | Gain::Rms(gain) => *gain = factor,
        }
    }

    /// The norm over the last axis of x [.., width]; same shape and dtype back.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        match &self.gain {
            Gain::Layer { gain, bias } => kernels::layer_norm(x, gain, bias, self.epsilon),
            Gain::Rms(factor) => kernels::rms_norm(x, factor, self.epsilon),
        }
    }
}

impl NormKind {
    /// What a norm multiplies by, from its stored gain f32 [width]: in `dtype` of a layer norm, in f32 of others.
    pub(super) fn factor(self, stored: Tensor, dtype: DType) -> Result<Tensor, ModelError> {
        match self {
            Self::Layer => Ok(stored.to_dtype(dtype)?),
            Self::Rms => Ok(stored),
            Self::RmsPlusOne => Ok((stored + 1.0)?),
        }
    }

    /// True where a bias is stored beside the gain.
    pub(super) fn has_bias(self) -> bool {
        match self {
            Self::Layer => true,
            Self::Rms | Self::RmsPlusOne => false,
        }
    }
}
