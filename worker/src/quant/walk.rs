//! The parallel walk over blocks of weights that lie side by side. Not what is done to a block.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::range::TASK_WEIGHTS;
use super::{Groups, QuantError};

/// What is done to one block.
pub(super) trait Block: Sync {
    /// Writes the rounded block and returns its limits; both slices have one length. To be inlined where the instruction set is
    /// known.
    fn round(&self, weights: &[f32], output: &mut [f32]) -> Result<[f32; 2], QuantError>;
}

/// Rounds blocks of `length` weights, the last of which may be shorter, on all threads: the weights that remain, and the blocks
/// as groups of a grid with so many `codes`.
pub(super) fn walk(
    weights: &[f32],
    length: usize,
    codes: u32,
    block: &impl Block,
) -> Result<(Vec<f32>, Groups), QuantError> {
    let length = length.max(1);
    let mut output = vec![0.0; weights.len()];
    let mut limits = vec![[0.0; 2]; weights.len().div_ceil(length)];
    let blocks = (TASK_WEIGHTS / length).max(1);
    let task = blocks * length;
    let arch = pulp::Arch::new();
    let tasks = weights.par_chunks(task).zip(output.par_chunks_mut(task));
    tasks.zip(limits.par_chunks_mut(blocks)).try_for_each(|((weights, output), limits)| {
        arch.dispatch(Task { weights, output, limits, length, block })
    })?;
    Ok((output, Groups { length, codes, limits }))
}

/// Whole blocks on one thread, compiled for each instruction set.
struct Task<'a, B> {
    weights: &'a [f32],
    output: &'a mut [f32],
    limits: &'a mut [[f32; 2]],
    length: usize,
    block: &'a B,
}

impl<B: Block> WithSimd for Task<'_, B> {
    type Output = Result<(), QuantError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let blocks = self.weights.chunks(self.length).zip(self.output.chunks_mut(self.length));
        for ((weights, output), limits) in blocks.zip(self.limits) {
            *limits = self.block.round(weights, output)?;
        }
        Ok(())
    }
}
