//! The in-place kernels for f32 on the CPU, as candle's in-place operations: rows in parallel, SIMD within a row.

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result};
use pulp::Arch;
use rayon::prelude::*;

use super::{Scoring, simd};

/// a = f(a, b).
pub(super) struct Pairwise<F>(pub(super) F);
/// x += bias, row by row.
pub(super) struct AddBias;
/// x = f(x + bias), row by row.
pub(super) struct BiasActivation<F>(pub(super) F);
/// x = cap·tanh(x/cap).
pub(super) struct Softcap {
    pub(super) cap: f32,
}
/// x = layer norm of x, row by row.
pub(super) struct LayerNorm {
    pub(super) epsilon: f64,
}
/// x = RMS norm of x, row by row.
pub(super) struct RmsNorm {
    pub(super) epsilon: f64,
}
/// Softmax of attention scores, row by row.
pub(super) struct Softmax<'a>(pub(super) &'a Scoring<'a>);

/// Values that one parallel task works on at least.
const TASK: usize = 16_384;

/// The contiguous f32 values behind a layout.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => candle_core::bail!("expected contiguous f32"),
    }
}

pub(super) fn values_mut<'a>(
    storage: &'a mut CpuStorage,
    layout: &Layout,
) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("expected contiguous f32"),
    }
}

/// Runs `f(index, row)` over rows of `width`, several rows a task.
pub(super) fn for_rows(values: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = TASK.div_ceil(width.max(1));
    let arch = Arch::new();
    values.par_chunks_mut(rows * width).enumerate().for_each(|(task, chunk)| {
        arch.dispatch(
            #[inline(always)]
            || {
                for (row, values) in chunk.chunks_exact_mut(width).enumerate() {
                    f(task * rows + row, values);
                }
            },
        );
    });
}

impl<F: Fn(f32, f32) -> f32 + Sync> InplaceOp2 for Pairwise<F> {
    fn name(&self) -> &'static str {
        "pairwise-in-place"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        let (a, b) = (values_mut(a, la)?, values(b, lb)?);
        let arch = Arch::new();
        a.par_chunks_mut(TASK).zip(b.par_chunks(TASK)).for_each(|(a, b)| {
            arch.dispatch(
                #[inline(always)]
                || a.iter_mut().zip(b).for_each(|(a, &b)| *a = (self.0)(*a, b)),
            );
        });
        Ok(())
    }
}

impl InplaceOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        let (x, bias) = (values_mut(x, lx)?, values(b, lb)?);
        for_rows(
            x,
            bias.len(),
            #[inline(always)]
            |_, row| row.iter_mut().zip(bias).for_each(|(x, &b)| *x += b),
        );
        Ok(())
    }
}

impl<F: Fn(f32) -> f32 + Sync> InplaceOp2 for BiasActivation<F> {
    fn name(&self) -> &'static str {
        "bias-activation-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        let (x, bias) = (values_mut(x, lx)?, values(b, lb)?);
        for_rows(
            x,
            bias.len(),
            #[inline(always)]
            |_, row| row.iter_mut().zip(bias).for_each(|(x, &b)| *x = (self.0)(*x + b)),
        );
        Ok(())
    }
}

impl InplaceOp1 for Softcap {
    fn name(&self) -> &'static str {
        "softcap-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (cap, arch) = (self.cap, Arch::new());
        values_mut(x, layout)?.par_chunks_mut(TASK).for_each(|x| {
            arch.dispatch(
                #[inline(always)]
                || x.iter_mut().for_each(|x| *x = cap * simd::tanh(*x / cap)),
            );
        });
        Ok(())
    }
}

impl InplaceOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, g: &CpuStorage, lg: &Layout) -> Result<()> {
        let (x, factor) = (values_mut(x, lx)?, values(g, lg)?);
        let width = factor.len() as f64;
        for_rows(
            x,
            factor.len(),
            #[inline(always)]
            |_, row| {
                let square = simd::sum(row, |x| x * x) / width;
                let inverse = (1.0 / (square + self.epsilon).sqrt()) as f32;
                row.iter_mut().zip(factor).for_each(|(x, &factor)| *x = *x * inverse * factor);
            },
        );
        Ok(())
    }
}

impl InplaceOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm-in-place"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        lx: &Layout,
        gain: &CpuStorage,
        lg: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> Result<()> {
        let (x, gain, bias) = (values_mut(x, lx)?, values(gain, lg)?, values(bias, lb)?);
        let width = gain.len() as f64;
        for_rows(
            x,
            gain.len(),
            #[inline(always)]
            |_, row| {
                let mean = (simd::sum(row, |x| x) / width) as f32;
                let variance = simd::sum(row, |x| (x - mean) * (x - mean)) / width;
                let inverse = (1.0 / (variance + self.epsilon).sqrt()) as f32;
                for ((x, &gain), &bias) in row.iter_mut().zip(gain).zip(bias) {
                    *x = (*x - mean) * inverse * gain + bias;
                }
            },
        );
        Ok(())
    }
}

impl InplaceOp1 for Softmax<'_> {
    fn name(&self) -> &'static str {
        "softmax-in-place"
    }

    fn cpu_fwd(&self, scores: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (_, heads, queries, keys) = layout.shape().dims4()?;
        let scores = values_mut(scores, layout)?;
        for_rows(
            scores,
            keys,
            #[inline(always)]
            |row, scores| {
                let (head, query) = (row / queries % heads, row % queries);
                let seen = self.0.sight.keys(row / (queries * heads), query);
                scores[..seen.start].fill(0.0);
                scores[seen.end..].fill(0.0);
                let first = seen.start;
                let scores = &mut scores[seen];
                self.scale(scores);
                self.0.shift.add(scores, first, (head, query), (queries, keys));
                softmax_row(scores);
            },
        );
        Ok(())
    }
}

impl Softmax<'_> {
    /// The scores scaled and bent.
    #[inline(always)]
    fn scale(&self, scores: &mut [f32]) {
        let scale = self.0.scale;
        match self.0.softcap {
            None => scores.iter_mut().for_each(|score| *score *= scale),
            Some(cap) => {
                scores.iter_mut().for_each(|s| *s = cap * simd::tanh(*s * scale / cap));
            }
        }
    }
}

/// Softmax in place.
#[inline(always)]
fn softmax_row(scores: &mut [f32]) {
    let top = simd::max(scores);
    for score in scores.iter_mut() {
        *score = simd::exp(*score - top);
    }
    let inverse = (1.0 / simd::sum(scores, |share| share)) as f32;
    for score in scores.iter_mut() {
        *score *= inverse;
    }
}
