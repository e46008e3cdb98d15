//! Incoherence by random Hadamard matrices (Chee et al. 2023, Ashkboos et al. 2024), on the weights alone: ŵ = H_outᵀ·Q(H_out·W·H_inᵀ)·H_in. In
//! real arithmetic that is what turning the inputs at run time would give.
//!
//! H = (1/√d)·Hadamard·D with D a random diagonal of signs; where the dimension is no power of two, H is block-diagonal with blocks of the
//! largest power of two that divides it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::{InputMoments, MatrixShape};

/// A random turn of vectors of one dimension.
#[derive(Debug)]
pub(super) struct Rotation {
    signs: Vec<f32>,
    block: usize,
}

impl Rotation {
    /// The turn of dimension `dimension` that `seed` stands for.
    pub(super) fn new(dimension: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(dimension as u64);
        let signs = (0..dimension).map(|_| if random.next_u32() & 1 == 0 { 1.0 } else { -1.0 });
        let block = match dimension {
            0 => 1,
            _ => 1 << dimension.trailing_zeros(),
        };
        Self { signs: signs.collect(), block }
    }

    /// H·x in place.
    fn turn(&self, x: &mut [f32]) {
        x.iter_mut().zip(&self.signs).for_each(|(x, sign)| *x *= sign);
        x.chunks_mut(self.block).for_each(hadamard);
    }

    /// Hᵀ·x in place.
    fn turn_back(&self, x: &mut [f32]) {
        x.chunks_mut(self.block).for_each(hadamard);
        x.iter_mut().zip(&self.signs).for_each(|(x, sign)| *x *= sign);
    }
}

/// The normalised Walsh–Hadamard transform in place, its own inverse; the length is a power of two.
fn hadamard(x: &mut [f32]) {
    let mut half = 1;
    while half < x.len() {
        for pair in x.chunks_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            for (a, b) in a.iter_mut().zip(b) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let norm = 1.0 / (x.len() as f32).sqrt();
    x.iter_mut().for_each(|x| *x *= norm);
}

/// The turns of a matrix's outputs and inputs.
#[derive(Debug)]
pub(super) struct BothSides {
    outputs: Rotation,
    inputs: Rotation,
    shape: MatrixShape,
}

impl BothSides {
    pub(super) fn new(shape: MatrixShape, seed: u64) -> Self {
        let inputs = Rotation::new(shape.columns, seed);
        // Another stream than that of the inputs, for square matrices.
        let outputs = Rotation::new(shape.rows, seed.wrapping_add(1));
        Self { outputs, inputs, shape }
    }

    /// H_out·W·H_inᵀ.
    pub(super) fn turn(&self, weights: &[f32]) -> Vec<f32> {
        let MatrixShape { rows, columns } = self.shape;
        let by_input = along_rows(weights.to_vec(), columns, |row| self.inputs.turn(row));
        let by_output = transposed(&by_input, rows, columns);
        let by_output = along_rows(by_output, rows, |column| self.outputs.turn(column));
        transposed(&by_output, columns, rows)
    }

    /// H_outᵀ·W·H_in.
    pub(super) fn turn_back(&self, weights: &[f32]) -> Vec<f32> {
        let MatrixShape { rows, columns } = self.shape;
        let by_input = along_rows(weights.to_vec(), columns, |row| self.inputs.turn_back(row));
        let by_output = transposed(&by_input, rows, columns);
        let by_output = along_rows(by_output, rows, |column| self.outputs.turn_back(column));
        transposed(&by_output, columns, rows)
    }

    /// The moments of turned inputs: S becomes H·S·Hᵀ. Magnitudes of turned inputs are not known from those of the inputs; their
    /// root mean square stands for the mean, and for the largest.
    pub(super) fn moments(&self, inputs: &InputMoments) -> InputMoments {
        let columns = self.shape.columns;
        let half = along_rows(inputs.second.clone(), columns, |row| self.inputs.turn(row));
        let half = transposed(&half, columns, columns);
        let second = along_rows(half, columns, |row| self.inputs.turn(row));
        let power = |column: usize| second[column * (columns + 1)].max(0.0).sqrt();
        let magnitudes: Vec<f32> = (0..columns).map(power).collect();
        InputMoments {
            tokens: inputs.tokens,
            second,
            max_abs: magnitudes.clone(),
            mean_abs: magnitudes,
        }
    }
}

/// Every row of a matrix with so many columns, changed in place.
fn along_rows(
    mut values: Vec<f32>,
    columns: usize,
    change: impl Fn(&mut [f32]) + Sync + Send,
) -> Vec<f32> {
    values.par_chunks_mut(columns.max(1)).for_each(change);
    values
}

/// Rows and columns that are turned while they are in the nearest cache.
const TILE: usize = 32;

/// A matrix [rows, columns] as [columns, rows].
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut output = vec![0.0; values.len()];
    let tiles = output.par_chunks_mut((TILE * rows).max(1)).enumerate();
    tiles.for_each(|(tile, output)| {
        for first in (0..rows).step_by(TILE) {
            let end = rows.min(first + TILE);
            for (column, output) in (tile * TILE..).zip(output.chunks_mut(rows)) {
                let values = (first..end).map(|row| values[row * columns + column]);
                output[first..end].iter_mut().zip(values).for_each(|(to, from)| *to = from);
            }
        }
    });
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_back_undoes_turning() {
        for (rows, columns) in [(8, 12), (3, 7), (16, 16), (1, 1), (96, 40)] {
            let both = BothSides::new(MatrixShape { rows, columns }, 5);
            let weights: Vec<f32> = (0..rows * columns).map(|i| (i as f32 * 0.7).cos()).collect();
            let turned = both.turn(&weights);
            let back = both.turn_back(&turned);
            assert!(back.iter().zip(&weights).all(|(a, b)| (a - b).abs() < 1e-5));
            let norm = |x: &[f32]| x.iter().map(|x| f64::from(x * x)).sum::<f64>();
            assert!((norm(&turned) / norm(&weights) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn seeds_and_sides_differ() {
        let signs = |dimension, seed| Rotation::new(dimension, seed).signs;
        assert_ne!(signs(64, 1), signs(64, 2));
        assert_eq!(signs(64, 1), signs(64, 1));
        assert_eq!(Rotation::new(1536, 1).block, 512);
    }
}
