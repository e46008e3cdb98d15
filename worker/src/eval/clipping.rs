//! Clipping rules on the weights of a checkpoint: the rows of each matrix of the MLP and of each layer's matrices together. Not the
//! rules (`quant`), and no forward pass.

use std::path::Path;

use babelquant_proto::quant::{Granularity, Uniform};
use babelquant_proto::rows::ClippingRow;
use babelquant_proto::{Layer, Moments};
use rayon::prelude::*;

use super::weights::{GROUP, values_of};
use crate::model::{Architecture, Checkpoint, Matrix, ModelError, StoredTensor, open};
use crate::quant::{Endings, MatrixShape, QuantError, Sample};
use crate::statistics::{Distinct, StoredValues};

/// What each of `configs` does to the MLP of the model in `directory`, called `name` in the rows: layer by layer, the matrices and
/// then their group, config by config.
///
/// # Errors
/// The directory holds no supported checkpoint.
pub fn clipping_rows(
    directory: &Path,
    name: &str,
    configs: &[Uniform],
) -> Result<Vec<ClippingRow>, ModelError> {
    let (architecture, checkpoint) = open(directory)?;
    let layers: Vec<Layer> = architecture.shape.stacked_layers().collect();
    let rows = layers.into_par_iter().map(|layer| {
        let matrices = matrices(&checkpoint, &architecture, layer)?;
        Ok(rows(&matrices, (name, layer), configs))
    });
    Ok(rows.collect::<Result<Vec<_>, ModelError>>()?.concat())
}

/// The stored matrices of a layer's MLP.
fn matrices<'a>(
    checkpoint: &'a Checkpoint,
    architecture: &'a Architecture,
    layer: Layer,
) -> Result<Vec<(&'a Matrix, StoredTensor<'a>)>, ModelError> {
    let stored = |matrix: &'a Matrix| {
        let name = architecture.weight_name(layer, matrix);
        Ok((matrix, checkpoint.require(&name)?))
    };
    let matrices = architecture.matrices(layer).iter();
    matrices.filter(|matrix| matrix.is_mlp()).map(stored).collect()
}

/// What the configs do to some weights.
struct Measured {
    moments: Moments,
    outcomes: Vec<Result<Endings, QuantError>>,
}

/// The rows of one layer.
fn rows(
    matrices: &[(&Matrix, StoredTensor<'_>)],
    (name, layer): (&str, Layer),
    configs: &[Uniform],
) -> Vec<ClippingRow> {
    let each: Vec<Measured> =
        matrices.par_iter().map(|(matrix, stored)| of_matrix(matrix, stored, configs)).collect();
    let stored: Vec<StoredValues<'_>> =
        matrices.iter().map(|(_, stored)| values_of(stored)).collect();
    let together = of_group(&Weights::of(&stored), &each, configs);
    let mut rows = Vec::new();
    for ((matrix, _), measured) in matrices.iter().zip(&each) {
        let tensor = format!("{}.weight", matrix.name);
        let about = Key { model: name, layer, kind: "tensor", name: &tensor };
        rows.extend(about.rows(configs, measured));
    }
    let about = Key { model: name, layer, kind: "group", name: GROUP };
    rows.extend(about.rows(configs, &together));
    rows
}

fn of_matrix(matrix: &Matrix, stored: &StoredTensor<'_>, configs: &[Uniform]) -> Measured {
    let weights = Weights::of(&[values_of(stored)]);
    let one_grid = |config: &Uniform| config.granularity == Granularity::Tensor;
    let rows = (!configs.iter().all(one_grid)).then(|| matrix.in_use(stored.to_f32()));
    let shape = MatrixShape { rows: matrix.rows(), columns: matrix.columns };
    let outcome = |config: &Uniform| match &rows {
        Some(rows) if !one_grid(config) => Endings::of_matrix(rows, shape, *config),
        Some(_) | None => weights.one_grid(*config),
    };
    let outcomes = configs.par_iter().map(outcome).collect();
    Measured { moments: weights.sample().moments(), outcomes }
}

/// The matrices together: one grid over all their weights, or all grids of each.
fn of_group(weights: &Weights, each: &[Measured], configs: &[Uniform]) -> Measured {
    let outcome = |(at, config): (usize, &Uniform)| match config.granularity {
        Granularity::Tensor => weights.one_grid(*config),
        Granularity::Channel | Granularity::Group(_) => {
            each.iter().map(|measured| measured.outcomes[at].clone()).sum()
        }
    };
    let outcomes = configs.par_iter().enumerate().map(|(at, config)| outcome((at, config)));
    Measured { moments: weights.sample().moments(), outcomes: outcomes.collect() }
}

/// All weights of some tensors.
enum Weights {
    /// Of 16 bits.
    Distinct(Distinct),
    /// Of 32.
    Each(Vec<f32>),
}

impl Weights {
    fn of(tensors: &[StoredValues<'_>]) -> Self {
        match Distinct::of(tensors) {
            Some(distinct) => Self::Distinct(distinct),
            None => Self::Each(tensors.iter().flat_map(|tensor| tensor.to_f32()).collect()),
        }
    }

    fn one_grid(&self, config: Uniform) -> Result<Endings, QuantError> {
        match self {
            Self::Distinct(distinct) if distinct.nonfinite > 0 => Err(QuantError::NonFinite),
            Self::Distinct(_) | Self::Each(_) => Endings::of_one(self.sample(), config),
        }
    }

    fn sample(&self) -> Sample<'_> {
        match self {
            Self::Distinct(distinct) => Sample::counted(&distinct.values, &distinct.counts),
            Self::Each(weights) => Sample::of(weights),
        }
    }
}

/// What rows are about.
#[derive(Clone, Copy)]
struct Key<'a> {
    model: &'a str,
    layer: Layer,
    kind: &'a str,
    name: &'a str,
}

impl Key<'_> {
    fn rows(self, configs: &[Uniform], measured: &Measured) -> Vec<ClippingRow> {
        let rows = configs.iter().zip(&measured.outcomes);
        rows.map(|(config, outcome)| self.row(*config, measured.moments, outcome)).collect()
    }

    fn row(
        self,
        config: Uniform,
        moments: Moments,
        outcome: &Result<Endings, QuantError>,
    ) -> ClippingRow {
        let std = moments.std().filter(|std| std.is_finite());
        let spread = std.filter(|&std| std > 0.0);
        let numbers = outcome.as_ref().ok().zip(spread).map(|(endings, std)| {
            let mse = endings.square_error / moments.count as f64;
            (endings.mean_limit().map(|limit| limit / std), mse / (std * std))
        });
        let reason = match (outcome, spread) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(_), None) => Some("the weights are constant".to_owned()),
            (Ok(_), Some(_)) => None,
        };
        ClippingRow {
            model: self.model.to_owned(),
            stack: self.layer.stack.name().to_owned(),
            layer: self.layer.index,
            kind: self.kind.to_owned(),
            name: self.name.to_owned(),
            granularity: config.granularity.to_string(),
            bits: config.bits.get().into(),
            rule: config.clip.name(),
            weights: moments.count,
            std,
            kurtosis: moments.kurtosis().filter(|kurtosis| kurtosis.is_finite()),
            alpha_over_sigma: numbers.and_then(|(alpha, _)| alpha),
            mse_over_variance: numbers.map(|(_, mse)| mse),
            reason,
        }
    }
}
