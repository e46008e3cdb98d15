//! One tile of logits → scores: SIMD on the CPU, tensor operations on a device. A test holds both to the same numbers.

use candle_core::{CpuStorage, D, DType, Storage, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use super::position::{Divergence, Position, TilePart};
use crate::model::{ModelError, simd};

/// A tile: logits [positions, columns] in f32 of the vocabulary entries from `first` on.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) logits: Tensor,
    pub(super) first: u32,
}

/// One model's positions beside the baseline's, whose tile must have been taken in already.
pub(super) struct Pair<'a> {
    pub(super) base: &'a [Position],
    /// By how much the baseline's sums shrank with this tile.
    pub(super) shrink: &'a [f64],
    pub(super) divergence: &'a mut [Divergence],
}

impl Tile {
    /// Takes the tile into `positions`; returns by how much each position's earlier sums shrank.
    pub(super) fn score(&self, positions: &mut [Position]) -> Result<Vec<f64>, ModelError> {
        if self.logits.device().is_cpu() {
            return with_rows(&self.logits, |rows, columns| {
                self.score_rows(rows, columns, positions)
            });
        }
        self.score_on_device(positions)
    }

    /// Adds Σ e^(b − max b)·(b − c) of the baseline's tile `base` and this tile to the divergences.
    pub(super) fn diverge(&self, base: &Tile, pair: Pair<'_>) -> Result<(), ModelError> {
        if !self.logits.device().is_cpu() {
            return self.diverge_on_device(base, pair);
        }
        with_rows(&base.logits, |base_rows, columns| {
            with_rows(&self.logits, |rows, _| diverge_rows(base_rows, rows, columns, pair))
        })?
    }

    fn score_rows(&self, rows: &[f32], columns: usize, positions: &mut [Position]) -> Vec<f64> {
        let arch = Arch::new();
        let score = |(row, position): (&[f32], &mut Position)| {
            arch.dispatch(
                #[inline(always)]
                || {
                    let shrink = position.raise(self.part(row, position));
                    let max = position.max;
                    position.sum += simd::sum(row, |logit| simd::exp(logit - max));
                    shrink
                },
            )
        };
        rows.par_chunks_exact(columns).zip(positions.par_iter_mut()).map(score).collect()
    }

    #[inline(always)]
    fn part(&self, row: &[f32], position: &Position) -> TilePart {
        let max = simd::max(row);
        let top = match max > position.max {
            true => row.iter().position(|&logit| logit == max).unwrap_or(0) as u32 + self.first,
            false => position.top,
        };
        let column = position.target.checked_sub(self.first).map(|column| column as usize);
        let target_logit = column.and_then(|column| row.get(column).copied());
        TilePart { max, top, target_logit }
    }

    fn score_on_device(&self, positions: &mut [Position]) -> Result<Vec<f64>, ModelError> {
        let columns = self.logits.dim(1)? as u32;
        let max: Vec<f32> = self.logits.max(1)?.to_vec1()?;
        let top: Vec<u32> = self.logits.argmax(1)?.to_vec1()?;
        let column = |p: &Position| p.target.checked_sub(self.first).filter(|&c| c < columns);
        let gather: Vec<u32> = positions.iter().map(|p| column(p).unwrap_or(0)).collect();
        let gather = Tensor::from_vec(gather, (positions.len(), 1), self.logits.device())?;
        let logits: Vec<f32> = self.logits.gather(&gather, 1)?.flatten_all()?.to_vec1()?;
        let shrink: Vec<f64> = positions
            .iter_mut()
            .enumerate()
            .map(|(row, position)| {
                let target_logit = column(position).map(|_| logits[row]);
                position.raise(TilePart { max: max[row], top: top[row] + self.first, target_logit })
            })
            .collect();
        let sums: Vec<f32> = (self.exponentials(positions)?.sum(1)?).to_vec1()?;
        for (position, sum) in positions.iter_mut().zip(sums) {
            position.sum += f64::from(sum);
        }
        Ok(shrink)
    }

    /// e^(logit − max) by tensor operations.
    fn exponentials(&self, positions: &[Position]) -> Result<Tensor, ModelError> {
        let max: Vec<f32> = positions.iter().map(|position| position.max).collect();
        let max = Tensor::from_vec(max, (positions.len(), 1), self.logits.device())?;
        Ok(self.logits.broadcast_sub(&max)?.exp()?)
    }

    fn diverge_on_device(&self, base: &Tile, pair: Pair<'_>) -> Result<(), ModelError> {
        let product = (base.exponentials(pair.base)? * (&base.logits - &self.logits)?)?;
        let sums: Vec<f32> = product.sum(D::Minus1)?.to_vec1()?;
        for ((divergence, shrink), sum) in pair.divergence.iter_mut().zip(pair.shrink).zip(sums) {
            divergence.cross = divergence.cross * shrink + f64::from(sum);
        }
        Ok(())
    }
}

fn diverge_rows(base_rows: &[f32], rows: &[f32], columns: usize, pair: Pair<'_>) {
    let arch = Arch::new();
    let rows = base_rows.par_chunks_exact(columns).zip(rows.par_chunks_exact(columns));
    let pairs = pair.divergence.par_iter_mut().zip(pair.shrink).zip(pair.base);
    rows.zip(pairs).for_each(|((b, c), ((divergence, shrink), base))| {
        arch.dispatch(
            #[inline(always)]
            || {
                let max = base.max;
                let sum = simd::sum2(b, c, |b, c| simd::exp(b - max) * (b - c));
                divergence.cross = divergence.cross * shrink + sum;
            },
        );
    });
}

/// Calls `f` with the rows of a contiguous f32 tensor on the CPU and their width.
pub(super) fn with_rows<T>(
    logits: &Tensor,
    f: impl FnOnce(&[f32], usize) -> T,
) -> Result<T, ModelError> {
    let columns = logits.dim(1)?;
    let logits = logits.to_dtype(DType::F32)?.contiguous()?;
    let (storage, layout) = logits.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => {
            Ok(f(&values[start..end], columns))
        }
        _ => Err(candle_core::Error::Msg("the tensor is not f32 on the CPU".into()).into()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn logits(rows: &[&[f32]]) -> Tensor {
        let values: Vec<f32> = rows.concat();
        Tensor::from_vec(values, (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
    }

    /// Scores both models tile by tile, `columns` at a time; returns (base, other, divergences).
    fn run(
        base: &Tensor,
        other: &Tensor,
        columns: usize,
        on_device: bool,
    ) -> (Vec<Position>, Vec<Position>, Vec<Divergence>) {
        let targets = [0, 2];
        let mut positions = [targets.map(Position::new), targets.map(Position::new)];
        let mut divergence = [Divergence::default(); 2];
        for first in (0..base.dim(1).unwrap()).step_by(columns) {
            let columns = columns.min(base.dim(1).unwrap() - first);
            let narrow = |t: &Tensor| t.narrow(1, first, columns).unwrap().contiguous().unwrap();
            let (b, c) = (narrow(base), narrow(other));
            let (b, c) =
                (Tile { logits: b, first: first as u32 }, Tile { logits: c, first: first as u32 });
            let [base, other] = &mut positions;
            if on_device {
                let shrink = b.score_on_device(base).unwrap();
                c.score_on_device(other).unwrap();
                let pair = Pair { base, shrink: &shrink, divergence: &mut divergence };
                c.diverge_on_device(&b, pair).unwrap();
            } else {
                let shrink = b.score(base).unwrap();
                c.score(other).unwrap();
                c.diverge(&b, Pair { base, shrink: &shrink, divergence: &mut divergence }).unwrap();
            }
        }
        let [base, other] = positions.map(Vec::from);
        (base, other, divergence.into())
    }

    #[test]
    fn golden_metrics_for_any_tile_and_both_twins() {
        let base = logits(&[&[2.0, 1.0, 0.1, -1.0], &[0.0, 0.0, 5.0, 0.0]]);
        let other = logits(&[&[1.8, 1.2, 0.0, -0.9], &[0.1, -0.1, 4.0, 0.3]]);
        let expected_nll = [[0.449_313_002, 0.020_012_253], [0.577_352_438, 0.059_718_907]];
        let expected_kl = [0.015_073_132, 0.017_911_982];
        for (columns, on_device) in [(1, false), (3, false), (4, false), (2, true), (4, true)] {
            let (b, c, d) = run(&base, &other, columns, on_device);
            for row in 0..2 {
                assert!((b[row].nll() - expected_nll[0][row]).abs() < 3e-7);
                assert!((c[row].nll() - expected_nll[1][row]).abs() < 3e-7);
                assert!((d[row].kl(&b[row], &c[row]) - expected_kl[row]).abs() < 3e-7);
                assert_eq!(b[row].top, c[row].top);
            }
        }
    }

    #[test]
    fn equal_models_diverge_by_exactly_zero() {
        let base = logits(&[&[2.0, 1.0, 0.1, -1.0, 7.5], &[0.0, 9.0, 5.0, 0.0, 1e-3]]);
        let (b, c, d) = run(&base, &base, 2, false);
        assert_eq!(b, c);
        assert_eq!((d[0].kl(&b[0], &c[0]), d[1].kl(&b[1], &c[1])), (0.0, 0.0));
    }

    #[test]
    fn first_of_equal_logits_wins_and_not_a_number_is_not_hidden() {
        let (b, _, _) = run(
            &logits(&[&[1.0, 3.0, 3.0, 3.0], &[f32::NAN, 0.0, 0.0, 0.0]]),
            &logits(&[&[0.0; 4], &[0.0; 4]]),
            2,
            false,
        );
        assert_eq!(b[0].top, 1);
        assert!(!b[1].nll().is_finite());
    }
}
