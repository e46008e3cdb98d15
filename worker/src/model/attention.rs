//! Attention: self-attention that looks back or both ways, and cross-attention to the encoder's output. One computation for all
//! families; what differs are its parts. Right padding needs no mask where a query looks back only: it never sees what follows.

use candle_core::Tensor;

use super::architecture::{Attention as Parts, Rotary};
use super::error::ModelError;
use super::kernels::{self, Scoring, Shift, Sight};
use super::linear::Linear;
use super::norm::Norm;
use super::positions::{RelativeBias, rotate};

/// Attention of one layer.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    pub(super) parts: Parts,
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    pub(super) norms: Option<QueryKeyNorms>,
    pub(super) rotary: Option<Rotary>,
    pub(super) shift: PositionShift,
}

/// Norms of queries and keys before they are turned.
#[derive(Debug, Clone)]
pub(super) struct QueryKeyNorms {
    pub(super) query: Norm,
    pub(super) key: Norm,
    pub(super) across_heads: bool,
}

/// What is added to scores by position.
#[derive(Debug, Clone)]
pub(super) enum PositionShift {
    None,
    /// One slope a head.
    Alibi(Vec<f32>),
    Relative(RelativeBias),
}

impl Attention {
    /// What the heads gather: queries from x [windows, positions, width], keys and values from `keys` [windows, key positions,
    /// width]; result [windows, positions, heads × head width].
    pub(super) fn context(
        &self,
        x: &Tensor,
        keys: &Tensor,
        sight: Sight<'_>,
    ) -> Result<Tensor, ModelError> {
        let (windows, positions, _) = x.dims3()?;
        let (_, key_positions, _) = keys.dims3()?;
        let (heads, key_heads) = (self.parts.heads as usize, self.parts.key_heads as usize);
        let head_width = self.parts.head_width as usize;
        let norms = self.norms.as_ref();
        let query = self.heads(&self.query, x, (heads, norms.map(|norms| &norms.query)))?;
        let key = self.heads(&self.key, keys, (key_heads, norms.map(|norms| &norms.key)))?;
        let (query, key) = match &self.rotary {
            Some(rotary) => (rotate(rotary, &query)?, rotate(rotary, &key)?),
            None => (query, key),
        };
        let value = self.heads(&self.value, keys, (key_heads, None))?;
        // The heads that share a key head stand one after the other: they are its queries.
        let shared = heads / key_heads * positions;
        let query = query.reshape((windows, key_heads, shared, head_width))?;
        let scores = kernels::matmul_transposed(&query, &key)?;
        let scores = scores.reshape((windows, heads, positions, key_positions))?;
        let shares = kernels::softmax(scores, &self.scoring((positions, key_positions), sight))?;
        let shares = shares.reshape((windows, key_heads, shared, key_positions))?;
        let context = kernels::matmul(&shares, &value)?;
        let context = context.reshape((windows, heads, positions, head_width))?;
        let context = context.transpose(1, 2)?.contiguous()?;
        Ok(context.reshape((windows, positions, heads * head_width))?)
    }

    /// The branch before the residual add, from `context`'s result; [windows, positions, width].
    pub(super) fn project(&self, context: &Tensor) -> Result<Tensor, ModelError> {
        self.output.along(context)
    }

    /// Queries, keys or values by head, [windows, heads, positions, head width].
    fn heads(
        &self,
        linear: &Linear,
        x: &Tensor,
        (heads, norm): (usize, Option<&Norm>),
    ) -> Result<Tensor, ModelError> {
        let (windows, positions, _) = x.dims3()?;
        let across = self.norms.as_ref().is_some_and(|norms| norms.across_heads);
        let mut y = linear.along(x)?;
        if let Some(norm) = norm.filter(|_| across) {
            y = norm.forward(&y)?;
        }
        let mut y = y.reshape((windows, positions, heads, self.parts.head_width as usize))?;
        if let Some(norm) = norm.filter(|_| !across) {
            y = norm.forward(&y)?;
        }
        Ok(y.transpose(1, 2)?.contiguous()?)
    }

    fn scoring<'a>(&'a self, (queries, keys): (usize, usize), sight: Sight<'a>) -> Scoring<'a> {
        let shift = match &self.shift {
            PositionShift::None => Shift::None,
            PositionShift::Alibi(slopes) => Shift::Alibi(slopes),
            PositionShift::Relative(bias) => Shift::Relative(bias.spread(queries, keys)),
        };
        let softcap = self.parts.softcap.map(|cap| cap as f32);
        Scoring { scale: self.parts.scale as f32, softcap, shift, sight }
    }
}
