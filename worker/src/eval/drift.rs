//! How far hidden states lie from the baseline's at a layer boundary: sums by document. Not the ratios made of them, which are the
//! coordinator's.

use babelquant_proto::Stack;
use candle_core::{D, DType, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use super::tile::with_rows;
use crate::corpus::{FreshToken, MicroBatch, TokenizedShard};
use crate::model::{ModelError, simd};

/// Sums over channels and tokens, in f64, with b the baseline's state and x the other one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Drift {
    /// Σ (x − b)².
    pub(super) error: f64,
    /// Σ b².
    pub(super) base: f64,
    /// Σ x·b.
    pub(super) product: f64,
}

impl Drift {
    /// The drift of each document at a boundary of `stack`, whose states are [windows, positions, width] by micro-batch. Each token counts
    /// once, in the window that scores it.
    pub(super) fn by_document(
        tokens: &TokenizedShard,
        stack: Stack,
        (base, other): (&[Tensor], &[Tensor]),
    ) -> Result<Vec<Self>, ModelError> {
        let mut documents = vec![Self::default(); tokens.documents.len()];
        for (batch, (base, other)) in tokens.batches.iter().zip(base.iter().zip(other)) {
            let fresh = fresh(batch, stack);
            let each = Self::by_token(&fresh, base, other)?;
            for (token, drift) in fresh.iter().zip(each) {
                documents[token.document].add(drift);
            }
        }
        Ok(documents)
    }

    /// The drift of each token of a micro-batch.
    fn by_token(
        fresh: &[FreshToken],
        base: &Tensor,
        other: &Tensor,
    ) -> Result<Vec<Self>, ModelError> {
        let rows = |states: &Tensor| -> candle_core::Result<Tensor> {
            states.flatten_to(1)?.to_dtype(DType::F32)
        };
        let (base, other) = (rows(base)?, rows(other)?);
        if !base.device().is_cpu() {
            return Self::on_device(fresh, &base, &other);
        }
        let arch = Arch::new();
        with_rows(&base, |base, width| {
            with_rows(&other, |other, _| {
                let of = |token: &FreshToken| {
                    let place = token.index * width..(token.index + 1) * width;
                    let (base, other) = (&base[place.clone()], &other[place]);
                    arch.dispatch(
                        #[inline(always)]
                        || Self::of_rows(base, other),
                    )
                };
                fresh.par_iter().map(of).collect()
            })
        })?
    }

    #[inline(always)]
    fn of_rows(base: &[f32], other: &[f32]) -> Self {
        let [error, base, product] = simd::sums2(base, other, |b, x| {
            let difference = x - b;
            [difference * difference, b * b, x * b]
        });
        Self { error, base, product }
    }

    /// As on the CPU, with f32 sums over the channels.
    fn on_device(
        fresh: &[FreshToken],
        base: &Tensor,
        other: &Tensor,
    ) -> Result<Vec<Self>, ModelError> {
        let sum =
            |values: Tensor| -> candle_core::Result<Vec<f32>> { values.sum(D::Minus1)?.to_vec1() };
        let difference = (other - base)?;
        let error = sum((&difference * &difference)?)?;
        let (base, product) = (sum((base * base)?)?, sum((other * base)?)?);
        let of = |token: &FreshToken| {
            let [error, base, product] =
                [&error, &base, &product].map(|sums| f64::from(sums[token.index]));
            Self { error, base, product }
        };
        Ok(fresh.iter().map(of).collect())
    }

    /// The sums, if each of them is a number.
    pub(super) fn finite(self) -> Option<Self> {
        let Self { error, base, product } = self;
        [error, base, product].iter().all(|sum| sum.is_finite()).then_some(self)
    }

    fn add(&mut self, other: Self) {
        self.error += other.error;
        self.base += other.base;
        self.product += other.product;
    }
}

/// The tokens of a micro-batch that count.
fn fresh(batch: &MicroBatch, stack: Stack) -> Vec<FreshToken> {
    match stack {
        Stack::Enc => batch.fresh_source().collect(),
        Stack::Dec => batch.fresh().collect(),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn states(rows: usize, width: usize, shift: usize) -> Tensor {
        let value = |i: usize| ((i + shift) * 37 % 101) as f32 / 8.0 - 6.0;
        let values: Vec<f32> = (0..rows * width).map(value).collect();
        Tensor::from_vec(values, (1, rows, width), &Device::Cpu).unwrap()
    }

    #[test]
    fn sums_of_a_token_equal_the_definition_and_both_twins_agree() {
        for width in [3, 16, 300] {
            let (base, other) = (states(5, width, 0), states(5, width, 1));
            let fresh: Vec<FreshToken> =
                [1, 4].map(|index| FreshToken { index, document: 0, first: false }).into();
            let found = Drift::by_token(&fresh, &base, &other).unwrap();
            let flat = |states: &Tensor| states.flatten_to(1).unwrap();
            let device = Drift::on_device(&fresh, &flat(&base), &flat(&other)).unwrap();
            let rows = |states: &Tensor| flat(states).to_vec2::<f32>().unwrap();
            let (base, other) = (rows(&base), rows(&other));
            for ((token, found), device) in fresh.iter().zip(&found).zip(device) {
                let pairs = base[token.index].iter().zip(&other[token.index]);
                let mut expected = Drift::default();
                for (b, x) in pairs.map(|(&b, &x)| (f64::from(b), f64::from(x))) {
                    let (error, base) = ((x - b) * (x - b), b * b);
                    expected.add(Drift { error, base, product: x * b });
                }
                // Every number here is a small multiple of 1/64: sums are exact.
                assert_eq!((found, device), (&expected, expected), "{width}");
            }
        }
    }

    #[test]
    fn equal_states_drift_by_exactly_zero() {
        let base = states(4, 77, 0);
        let fresh: Vec<FreshToken> =
            (0..4).map(|index| FreshToken { index, document: 0, first: false }).collect();
        for drift in Drift::by_token(&fresh, &base, &base).unwrap() {
            assert_eq!((drift.error, drift.product), (0.0, drift.base));
            assert!(drift.base > 0.0);
        }
    }
}
