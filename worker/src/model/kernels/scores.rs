//! The softmax of attention scores: scaled, bent, shifted by position, over the keys that a query sees.

use candle_core::{D, DType, Device, Tensor};

use super::{ModelError, cpu, on_cpu};

/// What is done to scores before their softmax.
#[derive(Debug)]
pub(in crate::model) struct Scoring<'a> {
    /// Scores are multiplied by this.
    pub(in crate::model) scale: f32,
    /// Then bent to c·tanh(s/c).
    pub(in crate::model) softcap: Option<f32>,
    /// Then shifted.
    pub(in crate::model) shift: Shift<'a>,
    /// Which keys count.
    pub(in crate::model) sight: Sight<'a>,
}

/// What is added to a score by the positions of query and key.
#[derive(Debug)]
pub(in crate::model) enum Shift<'a> {
    None,
    /// slope·key; one slope a head.
    Alibi(&'a [f32]),
    /// By head and key − query + queries − 1, [heads, queries + keys − 1].
    Relative(Vec<f32>),
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) enum Sight<'a> {
    /// Itself and those before it, `window` in all where it is bounded.
    Back { window: Option<usize> },
    /// Those below the length of its window's source.
    Until(&'a [u32]),
}

impl Sight<'_> {
    /// The keys that `query` of a window sees.
    #[inline(always)]
    pub(super) fn keys(&self, window: usize, query: usize) -> std::ops::Range<usize> {
        match *self {
            Self::Back { window: None } => 0..query + 1,
            Self::Back { window: Some(width) } => (query + 1).saturating_sub(width)..query + 1,
            Self::Until(lengths) => 0..lengths[window] as usize,
        }
    }

    /// True where every window sees the same.
    fn is_shared(&self) -> bool {
        match self {
            Self::Back { .. } => true,
            Self::Until(_) => false,
        }
    }
}

/// The softmax over the keys that each query sees, 0 for the others; scores [windows, heads, queries, keys] a fresh result, same
/// shape and dtype back, computed in f32.
pub(in crate::model) fn softmax(
    scores: Tensor,
    scoring: &Scoring<'_>,
) -> Result<Tensor, ModelError> {
    if on_cpu(&scores) {
        scores.inplace_op1(&cpu::Softmax(scoring))?;
        return Ok(scores);
    }
    let mask = scoring.mask(scores.dims4()?, scores.device())?.to_dtype(match scores.dtype() {
        DType::F64 => DType::F64,
        _ => DType::F32,
    })?;
    let mut wide = (scores.to_dtype(mask.dtype())? * f64::from(scoring.scale))?;
    if let Some(cap) = scoring.softcap.map(f64::from) {
        wide = ((wide / cap)?.tanh()? * cap)?;
    }
    let shares = candle_nn::ops::softmax(&wide.broadcast_add(&mask)?, D::Minus1)?;
    Ok(shares.to_dtype(scores.dtype())?)
}

impl Scoring<'_> {
    /// The shift where a key is seen, −∞ elsewhere; f32 [windows or 1, heads or 1, queries, keys].
    fn mask(
        &self,
        (windows, heads, queries, keys): (usize, usize, usize, usize),
        device: &Device,
    ) -> Result<Tensor, ModelError> {
        let windows = if self.sight.is_shared() { 1 } else { windows };
        let heads = if matches!(self.shift, Shift::None) { 1 } else { heads };
        let mut values = vec![f32::NEG_INFINITY; windows * heads * queries * keys];
        for (row, values) in values.chunks_mut(keys).enumerate() {
            let (head, query) = (row / queries % heads, row % queries);
            for key in self.sight.keys(row / (queries * heads), query) {
                values[key] = self.shift.at((head, query, key), (queries, keys));
            }
        }
        Ok(Tensor::from_vec(values, (windows, heads, queries, keys), device)?)
    }
}

impl Shift<'_> {
    fn at(
        &self,
        (head, query, key): (usize, usize, usize),
        (queries, keys): (usize, usize),
    ) -> f32 {
        match self {
            Self::None => 0.0,
            Self::Alibi(slopes) => slopes[head] * key as f32,
            Self::Relative(values) => {
                values[head * (queries + keys - 1) + key + queries - 1 - query]
            }
        }
    }

    /// Adds the shift of `query`'s keys from `first` on to their scores.
    #[inline(always)]
    pub(super) fn add(
        &self,
        scores: &mut [f32],
        first: usize,
        (head, query): (usize, usize),
        (queries, keys): (usize, usize),
    ) {
        match self {
            Self::None => {}
            Self::Alibi(slopes) => {
                for (key, score) in scores.iter_mut().enumerate() {
                    *score += slopes[head] * ((first + key) as u32) as f32;
                }
            }
            Self::Relative(values) => {
                let row = head * (queries + keys - 1) + queries - 1 - query + first;
                let shifts = &values[row..row + scores.len()];
                scores.iter_mut().zip(shifts).for_each(|(score, shift)| *score += shift);
            }
        }
    }
}
