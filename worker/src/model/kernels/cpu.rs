//! The in-place kernels for f32 on the CPU, as candle's in-place operations: rows in parallel, SIMD within a row.

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result};
use pulp::Arch;
use rayon::prelude::*;

use super::simd;

/// a += b.
pub(super) struct Add;
/// x += bias, row by row.
pub(super) struct AddBias;
/// x = gelu(x + bias), row by row.
pub(super) struct BiasGelu;
/// x = layer norm of x, row by row.
pub(super) struct LayerNorm {
    pub(super) epsilon: f64,
}
/// Causal softmax with ALiBi, row by row.
pub(super) struct CausalSoftmax<'a> {
    pub(super) slopes: &'a [f32],
    pub(super) scale: f32,
}

/// Values that one parallel task works on at least.
const TASK: usize = 16_384;

/// The contiguous f32 values behind a layout.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => candle_core::bail!("expected contiguous f32"),
    }
}

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("expected contiguous f32"),
    }
}

/// Runs `f(index, row)` over rows of `width`, several rows a task.
fn for_rows(values: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
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

impl InplaceOp2 for Add {
    fn name(&self) -> &'static str {
        "add-in-place"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        let (a, b) = (values_mut(a, la)?, values(b, lb)?);
        let arch = Arch::new();
        a.par_chunks_mut(TASK).zip(b.par_chunks(TASK)).for_each(|(a, b)| {
            arch.dispatch(
                #[inline(always)]
                || a.iter_mut().zip(b).for_each(|(a, &b)| *a += b),
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

impl InplaceOp2 for BiasGelu {
    fn name(&self) -> &'static str {
        "bias-gelu-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        let (x, bias) = (values_mut(x, lx)?, values(b, lb)?);
        for_rows(
            x,
            bias.len(),
            #[inline(always)]
            |_, row| row.iter_mut().zip(bias).for_each(|(x, &b)| *x = simd::gelu(*x + b)),
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

impl InplaceOp1 for CausalSoftmax<'_> {
    fn name(&self) -> &'static str {
        "causal-softmax-in-place"
    }

    fn cpu_fwd(&self, scores: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (_, heads, queries, keys) = layout.shape().dims4()?;
        let scores = values_mut(scores, layout)?;
        for_rows(
            scores,
            keys,
            #[inline(always)]
            |row, scores| {
                let slope = self.slopes[(row / queries) % heads];
                let (seen, hidden) = scores.split_at_mut(row % queries + 1);
                softmax_row(seen, slope, self.scale);
                hidden.fill(0.0);
            },
        );
        Ok(())
    }
}

/// softmax of scale·s + slope·j in place.
#[inline(always)]
fn softmax_row(scores: &mut [f32], slope: f32, scale: f32) {
    for (j, score) in scores.iter_mut().enumerate() {
        *score = *score * scale + slope * (j as u32) as f32;
    }
    let top = simd::max(scores);
    for score in scores.iter_mut() {
        *score = simd::exp(*score - top);
    }
    let inverse = (1.0 / simd::sum(scores, |share| share)) as f32;
    for score in scores.iter_mut() {
        *score *= inverse;
    }
}
