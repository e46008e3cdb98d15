//! One transformer block: attention, in a decoder with an encoder cross-attention, MLP, each with its norms and residual add.

use babelquant_proto::rows::Point;
use babelquant_proto::{Layer, Role, Stack};
use candle_core::Tensor;

use super::architecture::Residual;
use super::attention::Attention;
use super::error::ModelError;
use super::input::Input;
use super::kernels::{self, Sight};
use super::linear::{Linear, Reading};
use super::mlp::Mlp;
use super::norm::{Norm, NormPlace};
use super::tap::{Site, Tap};

/// A block with its weights.
#[derive(Debug, Clone)]
pub struct Block {
    pub(super) layer: Layer,
    pub(super) residual: Residual,
    /// How far a decoder's query looks back; everything before it where absent.
    pub(super) window: Option<u32>,
    pub(super) attention: Attention,
    pub(super) attention_norms: BranchNorms,
    pub(super) cross: Option<Cross>,
    pub(super) mlp: Mlp,
    pub(super) mlp_norms: BranchNorms,
}

/// The norms around a residual branch.
#[derive(Debug, Clone)]
pub(super) struct BranchNorms {
    pub(super) before: Option<Norm>,
    pub(super) after: Option<Norm>,
}

/// Attention of a decoder to the encoder's output.
#[derive(Debug, Clone)]
pub(super) struct Cross {
    pub(super) norm: Option<Norm>,
    pub(super) attention: Attention,
}

/// What a block of an encoder–decoder reads beside its own stream.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a> {
    /// Real tokens of each window's source; what follows is padding.
    pub lengths: &'a [u32],
    /// The encoder's output [windows, source positions, width]: what a decoder's block attends to.
    pub states: Option<&'a Tensor>,
}

/// Another weight for one part of a layer.
#[derive(Debug)]
pub enum Replacement {
    /// A matrix.
    Matrix {
        /// Which.
        role: Role,
        /// Its weight [out, in] on the model's device, in the model's dtype.
        weight: Tensor,
        /// How it reads its inputs.
        reading: Reading,
    },
    /// The gain of a norm.
    Gain {
        /// Which.
        place: NormPlace,
        /// What the norm multiplies by, from `Transformer::factor`.
        factor: Tensor,
    },
}

impl Block {
    /// Which layer it is.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// The residual stream after the block; x [windows, positions, width] before it. A decoder-only model has no `memory`.
    ///
    /// # Errors
    /// The device refuses, or the tap does.
    pub fn forward(
        &self,
        x: &Tensor,
        memory: Option<Memory<'_>>,
        tap: &mut dyn Tap,
    ) -> Result<Tensor, ModelError> {
        let site = Site::of(self.layer);
        let attn_in = self.attention_norms.enter(x)?;
        tap.see(Point::AttnIn, site, &attn_in)?;
        tap.feed(Input::Attention, self.layer, &attn_in)?;
        let context = self.attention.context(&attn_in, &attn_in, self.sight(memory))?;
        tap.feed(Input::Context, self.layer, &context)?;
        let attn_out = self.attention.project(&context)?;
        tap.see(Point::AttnOut, site, &attn_out)?;
        let branch = self.attention_norms.leave(attn_out)?;
        if self.residual == Residual::Parallel {
            let mlp_out = self.mlp_branch(&self.mlp_norms.enter(x)?, tap)?;
            return self.close(kernels::add(mlp_out, &branch)?, x, tap);
        }
        let mut resid_mid = kernels::add(branch, self.residual.base(x, &attn_in))?;
        if let (Some(cross), Some(memory)) = (&self.cross, memory) {
            resid_mid = self.cross_branch(cross, resid_mid, memory, tap)?;
        }
        tap.see(Point::ResidMid, site, &resid_mid)?;
        let mlp_in = self.mlp_norms.enter(&resid_mid)?;
        let mlp_out = self.mlp_branch(&mlp_in, tap)?;
        self.close(mlp_out, self.residual.base(&resid_mid, &mlp_in), tap)
    }

    fn sight<'a>(&self, memory: Option<Memory<'a>>) -> Sight<'a> {
        match (self.layer.stack, memory) {
            (Stack::Enc, Some(memory)) => Sight::Until(memory.lengths),
            (Stack::Enc, None) | (Stack::Dec, _) => {
                Sight::Back { window: self.window.map(|window| window as usize) }
            }
        }
    }

    /// The stream with cross-attention added.
    fn cross_branch(
        &self,
        cross: &Cross,
        x: Tensor,
        memory: Memory<'_>,
        tap: &mut dyn Tap,
    ) -> Result<Tensor, ModelError> {
        let Some(states) = memory.states else { return Ok(x) };
        let site = Site::of(self.layer);
        let cross_in = enter(cross.norm.as_ref(), &x)?;
        tap.see(Point::CrossIn, site, &cross_in)?;
        tap.feed(Input::Cross, self.layer, &cross_in)?;
        tap.feed(Input::Memory, self.layer, states)?;
        let context = cross.attention.context(&cross_in, states, Sight::Until(memory.lengths))?;
        tap.feed(Input::CrossContext, self.layer, &context)?;
        let cross_out = cross.attention.project(&context)?;
        tap.see(Point::CrossOut, site, &cross_out)?;
        kernels::add(cross_out, &x)
    }

    /// The MLP branch as it is added; x [windows, positions, width], same shape back.
    fn mlp_branch(&self, mlp_in: &Tensor, tap: &mut dyn Tap) -> Result<Tensor, ModelError> {
        let site = Site::of(self.layer);
        tap.see(Point::MlpIn, site, mlp_in)?;
        tap.feed(Input::Mlp, self.layer, mlp_in)?;
        let act = self.mlp.act(mlp_in)?;
        tap.see(Point::MlpAct, site, &act)?;
        tap.feed(Input::MlpAct, self.layer, &act)?;
        let mlp_out = self.mlp.project(&act)?;
        tap.see(Point::MlpOut, site, &mlp_out)?;
        self.mlp_norms.leave(mlp_out)
    }

    /// The last residual add.
    fn close(
        &self,
        branch: Tensor,
        base: &Tensor,
        tap: &mut dyn Tap,
    ) -> Result<Tensor, ModelError> {
        let block_out = kernels::add(branch, base)?;
        tap.see(Point::BlockOut, Site::of(self.layer), &block_out)?;
        Ok(block_out)
    }

    /// The same block with other weights for some parts; one that it lacks is left alone.
    pub(super) fn with(mut self, replacements: Vec<Replacement>) -> Self {
        for replacement in replacements {
            match replacement {
                Replacement::Matrix { role, weight, reading } => {
                    if let Some(linear) = self.linear_mut(role) {
                        linear.weight = weight;
                        linear.reading = reading;
                    }
                }
                Replacement::Gain { place, factor } => {
                    if let Some(norm) = self.norm_mut(place) {
                        norm.set_factor(factor);
                    }
                }
            }
        }
        self
    }

    fn norm_mut(&mut self, place: NormPlace) -> Option<&mut Norm> {
        let across = self.attention.norms.as_mut();
        match place {
            NormPlace::Attention => self.attention_norms.before.as_mut(),
            NormPlace::AfterAttention => self.attention_norms.after.as_mut(),
            NormPlace::Query => across.map(|norms| &mut norms.query),
            NormPlace::Key => across.map(|norms| &mut norms.key),
            NormPlace::Cross => self.cross.as_mut().and_then(|cross| cross.norm.as_mut()),
            NormPlace::Mlp => self.mlp_norms.before.as_mut(),
            NormPlace::AfterMlp => self.mlp_norms.after.as_mut(),
        }
    }

    fn linear_mut(&mut self, role: Role) -> Option<&mut Linear> {
        let cross = self.cross.as_mut().map(|cross| &mut cross.attention);
        match role {
            Role::AttnQ => Some(&mut self.attention.query),
            Role::AttnK => Some(&mut self.attention.key),
            Role::AttnV => Some(&mut self.attention.value),
            Role::AttnO => Some(&mut self.attention.output),
            Role::CrossQ => cross.map(|attention| &mut attention.query),
            Role::CrossK => cross.map(|attention| &mut attention.key),
            Role::CrossV => cross.map(|attention| &mut attention.value),
            Role::CrossO => cross.map(|attention| &mut attention.output),
            Role::MlpGate => self.mlp.gate.as_mut(),
            Role::MlpUp => Some(&mut self.mlp.up),
            Role::MlpDown => Some(&mut self.mlp.down),
        }
    }
}

impl BranchNorms {
    /// What the branch reads.
    fn enter(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        enter(self.before.as_ref(), x)
    }

    /// What the branch adds.
    fn leave(&self, branch: Tensor) -> Result<Tensor, ModelError> {
        match &self.after {
            Some(norm) => norm.forward(&branch),
            None => Ok(branch),
        }
    }
}

fn enter(norm: Option<&Norm>, x: &Tensor) -> Result<Tensor, ModelError> {
    match norm {
        Some(norm) => norm.forward(x),
        None => Ok(x.clone()),
    }
}

impl Residual {
    /// What a branch's output is added to.
    fn base<'a>(self, before: &'a Tensor, after: &'a Tensor) -> &'a Tensor {
        match self {
            Self::Sequential | Self::Parallel => before,
            Self::AfterNorm => after,
        }
    }
}
