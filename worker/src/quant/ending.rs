//! What a clipping rule does to the weights that share a grid: where it ends the grid, and the error that this gives. Not the rounded
//! weights (`quantize`).

use babelquant_proto::quant::Uniform;
use rayon::prelude::*;

use super::clip::{Ends, clipped, square_error};
use super::range::{Range, TASK_WEIGHTS};
use super::uniform::group_length;
use super::{MatrixShape, QuantError, Sample};

/// Where grids end, and what rounding to them does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Endings {
    /// How many grids.
    pub grids: u64,
    /// Sum over the grids of the largest magnitude that is not clipped.
    pub limits: f64,
    /// Σ(ŵ − w)² over all weights.
    pub square_error: f64,
}

impl Endings {
    /// Where one grid over all weights of `sample` ends by the rule of `config`; each value is really rounded to it.
    ///
    /// # Errors
    /// A weight is NaN or infinite, or the grid overflows.
    pub fn of_one(sample: Sample<'_>, config: Uniform) -> Result<Self, QuantError> {
        let range = clipped(Range::of(sample.values())?, sample, (config, Ends::Rule));
        let square_error = square_error(range, sample, config)?;
        Ok(Self { grids: 1, limits: range.magnitude().into(), square_error })
    }

    /// The same for every grid of a matrix [out, in] under `config`, summed in the order of the weights.
    ///
    /// # Errors
    /// As `of_one`, or the granularity does not fit the shape.
    pub fn of_matrix(
        weights: &[f32],
        shape: MatrixShape,
        config: Uniform,
    ) -> Result<Self, QuantError> {
        let length = group_length(shape, config)?.max(1);
        let task = (TASK_WEIGHTS / length).max(1) * length;
        let tasks = weights.par_chunks(task).map(|weights| {
            let groups = weights.chunks(length).map(Sample::of);
            groups.map(|group| Self::of_one(group, config)).sum::<Result<Self, _>>()
        });
        tasks.collect::<Vec<_>>().into_iter().sum()
    }

    /// Mean over the grids of the largest magnitude that is not clipped; `None` without a grid.
    pub fn mean_limit(self) -> Option<f64> {
        (self.grids > 0).then(|| self.limits / self.grids as f64)
    }
}

impl std::iter::Sum for Endings {
    fn sum<I: Iterator<Item = Self>>(endings: I) -> Self {
        endings.fold(Self::default(), |sum, one| Self {
            grids: sum.grids + one.grids,
            limits: sum.limits + one.limits,
            square_error: sum.square_error + one.square_error,
        })
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::quant::{Grid, QuantConfig, Rule};

    use super::*;
    use crate::quant::{WeightContext, quantize};
    use crate::statistics::golden::Generator;

    fn uniform(config: &str) -> Uniform {
        match config.parse() {
            Ok(QuantConfig::Weights(config)) => match config.rule {
                Rule::Nearest(Grid::Uniform(uniform)) => uniform,
                other => panic!("{other}"),
            },
            other => panic!("{other:?}"),
        }
    }

    const RULES: [&str; 9] = [
        "",
        "-sigma3.5",
        "-percentile99.9",
        "-percentile99.99",
        "-aciq-gauss",
        "-aciq-laplace",
        "-aciq-auto",
        "-octav",
        "-mse",
    ];

    /// Multiples of 2⁻⁹: few distinct values, in rows of 64.
    fn weights() -> Vec<f32> {
        let mut generator = Generator { state: 3 };
        (0..64 * 3000).map(|_| ((generator.heavy() * 512.0).round() / 512.0) as f32).collect()
    }

    #[test]
    fn the_error_is_that_of_the_quantized_weights() {
        let (weights, shape) = (weights(), MatrixShape { rows: 3000, columns: 64 });
        let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
        for (bits, granularity) in [(2, "tensor"), (4, "channel"), (3, "group32"), (8, "tensor")] {
            for rule in RULES {
                let config = uniform(&format!("int{bits}-{granularity}{rule}"));
                let whole =
                    babelquant_proto::quant::WeightConfig::of(Rule::Nearest(Grid::Uniform(config)));
                let quantized = quantize(&weights, shape, &whole, &context).unwrap();
                let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
                let error: f64 = quantized.weights.iter().zip(&weights).map(square).sum();
                let groups = quantized.groups.unwrap().limits;
                let limits: f64 = groups.iter().map(|[_, high]| f64::from(*high)).sum();
                let endings = Endings::of_matrix(&weights, shape, config).unwrap();
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b;
                assert_eq!(endings.grids, groups.len() as u64);
                assert!(
                    close(endings.square_error, error) && close(endings.limits, limits),
                    "{config}"
                );
            }
        }
    }

    #[test]
    fn counted_values_are_as_good_as_all_weights() {
        let weights = weights();
        let mut values = weights.clone();
        values.sort_by(f32::total_cmp);
        values.dedup_by(|a, b| a.to_bits() == b.to_bits());
        let count = |value: &f32| {
            weights.iter().filter(|weight| weight.to_bits() == value.to_bits()).count() as u64
        };
        let counts: Vec<u64> = values.iter().map(count).collect();
        assert!(values.len() < 300 && counts.iter().sum::<u64>() == weights.len() as u64);
        for bits in [2, 4, 8] {
            for rule in RULES {
                let config = uniform(&format!("int{bits}-tensor{rule}"));
                let each = Endings::of_one(Sample::of(&weights), config).unwrap();
                let counted = Endings::of_one(Sample::counted(&values, &counts), config).unwrap();
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b;
                assert!(close(counted.limits, each.limits), "{config} {counted:?} {each:?}");
                assert!(close(counted.square_error, each.square_error), "{config}");
            }
        }
    }
}
