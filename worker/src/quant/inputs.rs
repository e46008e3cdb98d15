//! Moments of a matrix's inputs over the tokens of a calibration set, and the sums that they come from. Not which tokens, and not
//! the model that gives them.

use faer::MatMut;
use rayon::prelude::*;

use super::matrices::{TASK_ROWS, add_product, view};

/// Moments of the inputs x [in] of a matrix over the tokens of a calibration set.
#[derive(Debug, Clone, PartialEq)]
pub struct InputMoments {
    /// Tokens.
    pub tokens: u64,
    /// Mean of x·xᵀ, [in, in] row-major, summed in f64.
    pub second: Vec<f32>,
    /// Mean of |x|, [in].
    pub mean_abs: Vec<f32>,
    /// Largest |x|, [in].
    pub max_abs: Vec<f32>,
}

/// Tokens whose products are added in f32 before the sum goes on in f64.
const TOKENS_IN_F32: usize = 256;

/// Sums over inputs, the same bits for any number of threads: products of at most 256 tokens in f32, everything else in f64, in the
/// order in which tokens are pushed.
#[derive(Debug, Clone)]
pub struct InputSums {
    width: usize,
    tokens: u64,
    /// The lower triangle of Σ x·xᵀ: block i holds rows from 64·i on, [rows, columns up to the last of them].
    second: Vec<Vec<f64>>,
    abs: Vec<f64>,
    max_abs: Vec<f32>,
}

impl InputSums {
    /// No tokens, of `width` channels.
    pub fn new(width: usize) -> Self {
        let block = |first: usize| {
            let end = width.min(first + TASK_ROWS);
            vec![0.0; (end - first) * end]
        };
        Self {
            width,
            tokens: 0,
            second: (0..width).step_by(TASK_ROWS).map(block).collect(),
            abs: vec![0.0; width],
            max_abs: vec![0.0; width],
        }
    }

    /// Takes in `inputs` [tokens, width].
    ///
    /// # Panics
    /// They are not whole tokens.
    pub fn push(&mut self, inputs: &[f32]) {
        assert_eq!(inputs.len() % self.width.max(1), 0, "inputs of {} channels", self.width);
        for rows in inputs.chunks(TOKENS_IN_F32 * self.width.max(1)) {
            self.tokens += (rows.len() / self.width) as u64;
            self.add_magnitudes(rows);
            self.add_products(rows);
        }
    }

    /// A NaN among them stays in the sum of magnitudes.
    fn add_magnitudes(&mut self, inputs: &[f32]) {
        for row in inputs.chunks_exact(self.width) {
            let sums = self.abs.iter_mut().zip(&mut self.max_abs).zip(row);
            sums.for_each(|((sum, largest), x)| {
                *sum += f64::from(x.abs());
                *largest = largest.max(x.abs());
            });
        }
    }

    fn add_products(&mut self, inputs: &[f32]) {
        let inputs = view(inputs, self.width);
        self.second.par_iter_mut().enumerate().for_each(|(block, sums)| {
            let first = block * TASK_ROWS;
            let columns = inputs.ncols().min(first + TASK_ROWS);
            let rows = columns - first;
            let mut product = vec![0.0; rows * columns];
            let target = MatMut::from_row_major_slice_mut(&mut product, rows, columns);
            let left = inputs.subcols(first, rows).transpose();
            add_product(target, (left, inputs.subcols(0, columns)), 1.0);
            sums.iter_mut().zip(product).for_each(|(sum, value)| *sum += f64::from(value));
        });
    }

    /// The moments; `None` where there are no tokens, or one is not finite.
    pub fn finish(self) -> Option<InputMoments> {
        let Self { width, tokens, second, abs, max_abs } = self;
        let mean = |sum: f64| (sum / tokens as f64) as f32;
        let mut full = vec![0.0; width * width];
        for (block, sums) in second.into_iter().enumerate() {
            let first = block * TASK_ROWS;
            let columns = width.min(first + TASK_ROWS);
            for (row, sums) in (first..).zip(sums.chunks(columns)) {
                for (column, &sum) in sums[..=row].iter().enumerate() {
                    full[row * width + column] = mean(sum);
                    full[column * width + row] = mean(sum);
                }
            }
        }
        let moments = InputMoments {
            tokens,
            second: full,
            mean_abs: abs.into_iter().map(mean).collect(),
            max_abs,
        };
        moments.is_finite().then_some(moments)
    }
}

impl InputMoments {
    /// True where there is a token and none is NaN, infinite or so large that its square is.
    pub fn is_finite(&self) -> bool {
        let diagonal = self.second.iter().step_by(self.mean_abs.len() + 1);
        self.tokens > 0 && self.mean_abs.iter().chain(diagonal).all(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::golden::Generator;

    /// Inputs of 70 channels, so that there are two blocks of rows, and more tokens than one product takes.
    fn inputs() -> Vec<f32> {
        let mut generator = Generator { state: 5 };
        (0..700 * 70).map(|_| generator.heavy() as f32).collect()
    }

    fn moments(inputs: &[f32], width: usize) -> InputMoments {
        let mut sums = InputSums::new(width);
        sums.push(inputs);
        sums.finish().unwrap()
    }

    #[test]
    fn moments_are_those_of_the_definition() {
        let (inputs, width) = (inputs(), 70);
        let found = moments(&inputs, width);
        let mean = |f: &dyn Fn(&[f32]) -> f64| {
            inputs.chunks(width).map(f).sum::<f64>() / (inputs.len() / width) as f64
        };
        for row in 0..width {
            for column in 0..width {
                let exact = mean(&|x| f64::from(x[row]) * f64::from(x[column]));
                let scale = mean(&|x| (f64::from(x[row]) * f64::from(x[column])).abs());
                let distance = (f64::from(found.second[row * width + column]) - exact).abs();
                assert!(distance < 1e-6 * scale, "{row} {column} {distance}");
            }
            let exact = mean(&|x| f64::from(x[row].abs()));
            assert!((f64::from(found.mean_abs[row]) - exact).abs() < 1e-6 * exact);
            let largest = inputs.chunks(width).map(|x| x[row].abs()).fold(0.0, f32::max);
            assert_eq!(found.max_abs[row], largest);
        }
        assert_eq!(found.tokens, 700);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let inputs = inputs();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| moments(&inputs, 70))
        };
        assert_eq!(on(1), on(2));
        assert_eq!(on(1), on(7));
    }

    #[test]
    fn inputs_that_are_not_finite_have_no_moments() {
        for wrong in [f32::NAN, f32::INFINITY, 1e30] {
            let mut sums = InputSums::new(3);
            sums.push(&[1.0, wrong, 0.0, 2.0, 1.0, 0.0]);
            assert_eq!(sums.finish(), None, "{wrong}");
        }
        assert_eq!(InputSums::new(3).finish(), None);
    }
}
