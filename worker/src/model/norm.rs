//! Norms over the last axis.

use candle_core::Tensor;

use super::architecture::NormKind;
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

impl Norm {
    /// The norm over the last axis of x [.., width]; same shape and dtype back.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        match &self.gain {
            Gain::Layer { gain, bias } => kernels::layer_norm(x, gain, bias, self.epsilon),
            Gain::Rms(factor) => kernels::rms_norm(x, factor, self.epsilon),
        }
    }
}

impl NormKind {
    /// True where a bias is stored beside the gain.
    pub(super) fn has_bias(self) -> bool {
        match self {
            Self::Layer => true,
            Self::Rms | Self::RmsPlusOne => false,
        }
    }
}
