//! Activation sums: a tap that reduces the values at every named point while the decoder runs. Rows, not statistics: those are
//! the coordinator's.

use std::collections::BTreeMap;

use babelquant_proto::rows::{ActivationRow, Point};
use babelquant_proto::{Layer, Moments, ShardText, Spec, Stack};
use candle_core::{DType, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use super::pass::Watch;
use crate::corpus::{FreshToken, MicroBatch};
use crate::model::{ModelError, Site, Tap};

/// Where sums are kept: a point of a site, over the shard (`None`) or one document of it.
pub(super) type Place = (Site, Point, Option<usize>);

/// Sums over values of one place.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    pub(super) tokens: u64,
    pub(super) moments: Moments,
    pub(super) sum_abs: f64,
    pub(super) max_abs: f64,
    pub(super) outliers_6: u64,
    pub(super) first_values: u64,
    pub(super) first_sum_abs: f64,
}

/// Collects sums of one shard, micro-batch after micro-batch.
#[derive(Debug, Default)]
pub(super) struct ActivationTap {
    tokens: Vec<FreshToken>,
    sums: BTreeMap<Place, Sums>,
}

impl ActivationTap {
    /// The rows of the shard: by layer and point, the shard's sum before its documents'.
    pub(super) fn into_rows(
        self,
        spec: &Spec,
        model: usize,
        text: &ShardText,
    ) -> Vec<ActivationRow> {
        let model = &spec.models[model].model.name;
        let language = spec.corpus[text.id.language as usize].language.to_string();
        let row = |((site, point, document), sums): (Place, Sums)| {
            let document = document.map(|document| &text.documents[document]);
            ActivationRow {
                model: model.clone(),
                engine: String::new(),
                language: language.clone(),
                shard: text.id.shard,
                document: document.map(|document| document.index),
                group: document.map(|document| document.group.clone()),
                stack: site.stack.name().to_owned(),
                layer: site.layer,
                point: point.name().to_owned(),
                tokens: sums.tokens,
                values: sums.moments.count,
                sum_abs: sums.sum_abs,
                mean: sums.moments.mean,
                m2: sums.moments.m2,
                m3: sums.moments.m3,
                m4: sums.moments.m4,
                max_abs: sums.max_abs,
                outliers_6: sums.outliers_6,
                first_values: sums.first_values,
                first_sum_abs: sums.first_sum_abs,
            }
        };
        self.sums.into_iter().map(row).collect()
    }
}

impl Watch for ActivationTap {
    fn begin(&mut self, batch: &MicroBatch, stack: Stack) {
        self.tokens = batch.fresh(stack);
    }
}

impl Tap for ActivationTap {
    fn see(&mut self, point: Point, site: Site, values: &Tensor) -> Result<(), ModelError> {
        let (_, _, width) = values.dims3()?;
        let values: Vec<f32> = values.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let arch = Arch::new();
        let sums = self.tokens.par_iter().map(|token| {
            let row = &values[token.index * width..][..width];
            arch.dispatch(
                #[inline(always)]
                || Sums::of(row, token.first),
            )
        });
        let sums: Vec<Sums> = sums.collect();
        for (token, sums) in self.tokens.iter().zip(sums) {
            if !sums.max_abs.is_finite() {
                return Err(not_finite(point, site));
            }
            self.sums.entry((site, point, None)).or_default().merge(sums);
            if point.per_document() {
                let document = Some(token.document);
                self.sums.entry((site, point, document)).or_default().merge(sums);
            }
        }
        Ok(())
    }
}

fn not_finite(point: Point, site: Site) -> ModelError {
    let stack = site.stack;
    let layer = site.layer.map(|index| format!(" of layer {}", Layer { stack, index }));
    let layer = layer.unwrap_or_default();
    candle_core::Error::Msg(format!("the activations at {point}{layer} are not finite")).into()
}

impl Sums {
    /// Sums over one token's channels, two-pass in f64 with eight lanes in a fixed order.
    #[inline(always)]
    fn of(row: &[f32], first: bool) -> Self {
        let count = row.len() as f64;
        let [sum, sum_abs] = lanes(row, |x| [x, x.abs()]);
        let mean = sum / count;
        let [m2, m3, m4] = lanes(row, |x| {
            let d = x - mean;
            let square = d * d;
            [square, square * d, square * square]
        });
        // A NaN must not be lost in the maximum: the sum would be NaN as well.
        let max_abs = row.iter().fold(0_f32, |max, x| max.max(x.abs()));
        let max_abs = if sum_abs.is_finite() { f64::from(max_abs) } else { f64::INFINITY };
        let outliers_6 = row.iter().filter(|x| x.abs() >= 6.0).count() as u64;
        let moments = Moments { count: row.len() as u64, mean, m2, m3, m4 };
        let (first_values, first_sum_abs) = if first { (moments.count, sum_abs) } else { (0, 0.0) };
        Self { tokens: 1, moments, sum_abs, max_abs, outliers_6, first_values, first_sum_abs }
    }

    fn merge(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.moments = self.moments.merge(other.moments);
        self.sum_abs += other.sum_abs;
        self.max_abs = self.max_abs.max(other.max_abs);
        self.outliers_6 += other.outliers_6;
        self.first_values += other.first_values;
        self.first_sum_abs += other.first_sum_abs;
    }
}

/// N sums over the row in f64; eight lanes each, added in order.
#[inline(always)]
fn lanes<const N: usize>(row: &[f32], f: impl Fn(f64) -> [f64; N]) -> [f64; N] {
    let mut lanes = [[0_f64; 8]; N];
    let chunks = row.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks.chain(std::iter::once(rest)) {
        for (lane, &x) in chunk.iter().enumerate() {
            for (sums, value) in lanes.iter_mut().zip(f(f64::from(x))) {
                sums[lane] += value;
            }
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_a_row_equal_the_definition() {
        let row: Vec<f32> = (0..37).map(|i| (i * 17 % 29) as f32 / 3.0 - 4.0).collect();
        let wide: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let (sums, moments) = (Sums::of(&row, true), Moments::of(&wide));
        assert!((sums.moments.kurtosis().unwrap() - moments.kurtosis().unwrap()).abs() < 1e-12);
        assert!((sums.moments.mean - moments.mean).abs() < 1e-14);
        let sum_abs: f64 = wide.iter().map(|x| x.abs()).sum();
        assert!((sums.sum_abs - sum_abs).abs() < 1e-10);
        assert_eq!(sums.first_values, 37);
        assert_eq!(sums.outliers_6, wide.iter().filter(|x| x.abs() >= 6.0).count() as u64);
    }

    #[test]
    fn not_a_number_is_refused() {
        let tokens = vec![FreshToken { index: 0, document: 0, first: true }];
        let mut tap = ActivationTap { tokens, ..ActivationTap::default() };
        let values = Tensor::new(&[[[1.0_f32, f32::NAN]]], &candle_core::Device::Cpu).unwrap();
        let error = tap.see(Point::MlpOut, Site::of(Layer::dec(3)), &values).unwrap_err();
        assert!(error.to_string().contains("tensor operation failed"), "{error}");
        assert!(format!("{error:?}").contains("mlp_out of layer 3"));
    }
}
