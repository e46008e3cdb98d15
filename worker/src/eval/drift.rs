//! How far hidden states lie from the baseline's at a layer boundary: the sums of each document. Not the ratios made of them, which are
//! the coordinator's.

use babelquant_proto::{Drift, Stack};
use candle_core::{D, DType, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use super::tile::with_rows;
use crate::corpus::{FreshToken, TokenizedShard};
use crate::model::{ModelError, simd};

/// The drift of each document at a boundary of `stack`, whose states are [windows, positions, width] by micro-batch. Each token counts
/// once, in the window that scores it.
pub(super) fn by_document(
    tokens: &TokenizedShard,
    stack: Stack,
    (base, other): (&[Tensor], &[Tensor]),
) -> Result<Vec<Drift>, ModelError> {
    let mut documents = vec![Drift::default(); tokens.documents.len()];
    for (batch, (base, other)) in tokens.batches.iter().zip(base.iter().zip(other)) {
        let fresh = batch.fresh(stack);
        let each = by_token(&fresh, base, other)?;
        for (token, drift) in fresh.iter().zip(each) {
            let sum = &mut documents[token.document];
            *sum = *sum + drift;
        }
    }
    Ok(documents)
}

/// The drift of each token of a micro-batch.
fn by_token(fresh: &[FreshToken], base: &Tensor, other: &Tensor) -> Result<Vec<Drift>, ModelError> {
    let rows = |states: &Tensor| -> candle_core::Result<Tensor> {
        states.flatten_to(1)?.to_dtype(DType::F32)
    };
    let (base, other) = (rows(base)?, rows(other)?);
    if !base.device().is_cpu() {
        return on_device(fresh, &base, &other);
    }
    let arch = Arch::new();
    with_rows(&base, |base, width| {
        with_rows(&other, |other, _| {
            let of = |token: &FreshToken| {
                let place = token.index * width..(token.index + 1) * width;
                let (base, other) = (&base[place.clone()], &other[place]);
                arch.dispatch(
                    #[inline(always)]
                    || of_rows(base, other),
                )
            };
            fresh.par_iter().map(of).collect()
        })
    })?
}

#[inline(always)]
fn of_rows(base: &[f32], other: &[f32]) -> Drift {
    let [error, base, product] = simd::sums2(base, other, |b, x| {
        let difference = x - b;
        [difference * difference, b * b, x * b]
    });
    Drift { error, base, product }
}

/// As on the CPU, with f32 sums over the channels.
fn on_device(
    fresh: &[FreshToken],
    base: &Tensor,
    other: &Tensor,
) -> Result<Vec<Drift>, ModelError> {
    let sum =
        |values: Tensor| -> candle_core::Result<Vec<f32>> { values.sum(D::Minus1)?.to_vec1() };
    let difference = (other - base)?;
    let error = sum((&difference * &difference)?)?;
    let (base, product) = (sum((base * base)?)?, sum((other * base)?)?);
    let of = |token: &FreshToken| {
        let [error, base, product] =
            [&error, &base, &product].map(|sums| f64::from(sums[token.index]));
        Drift { error, base, product }
    };
    Ok(fresh.iter().map(of).collect())
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
            let found = by_token(&fresh, &base, &other).unwrap();
            let flat = |states: &Tensor| states.flatten_to(1).unwrap();
            let device = on_device(&fresh, &flat(&base), &flat(&other)).unwrap();
            let rows = |states: &Tensor| flat(states).to_vec2::<f32>().unwrap();
            let (base, other) = (rows(&base), rows(&other));
            for ((token, found), device) in fresh.iter().zip(&found).zip(device) {
                let pairs = base[token.index].iter().zip(&other[token.index]);
                let mut expected = Drift::default();
                for (b, x) in pairs.map(|(&b, &x)| (f64::from(b), f64::from(x))) {
                    let (error, base) = ((x - b) * (x - b), b * b);
                    expected = expected + Drift { error, base, product: x * b };
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
        for drift in by_token(&fresh, &base, &base).unwrap() {
            assert_eq!((drift.error, drift.product), (0.0, drift.base));
            assert!(drift.base > 0.0);
        }
    }
}
