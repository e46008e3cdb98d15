//! A model of the spec, found, verified and loaded: decoder, tokenizer, and the quantized layers that cells ask for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Dtype, Model, Scope};
use candle_core::{DType, Device, Tensor};
use tracing::{debug, info};

use super::error::EvalError;
use super::weights::group_kurtosis;
use crate::corpus::Tokenizer;
use crate::model::{Checkpoint, Decoder, Matrix, ModelError, ReplacedLayer, Replacement};
use crate::quant::{MatrixShape, WeightContext, quantize};

/// A loaded model.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) decoder: Decoder,
    pub(super) tokenizer: Tokenizer,
    directory: PathBuf,
    /// Excess kurtosis of each layer's group, once somebody asked.
    kurtosis: BTreeMap<u32, Option<f64>>,
}

impl Loaded {
    /// Loads the model in `directory`.
    pub(super) fn load(directory: &Path, device: &Device, dtype: Dtype) -> Result<Self, EvalError> {
        let dtype = match dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::Bf16 => DType::BF16,
        };
        info!(directory = %directory.display(), "loading the model");
        Ok(Self {
            decoder: Decoder::load(directory, device, dtype)?,
            tokenizer: Tokenizer::read(&directory.join("tokenizer.json"))?,
            directory: directory.to_owned(),
            kurtosis: BTreeMap::new(),
        })
    }

    /// The first layer that the scope quantizes.
    pub(super) fn first_layer(&self, scope: &Scope) -> Result<u32, EvalError> {
        let layers = 0..self.decoder.architecture().shape.layers;
        let matrices = &self.decoder.architecture().matrices;
        let touched = matrices.iter().any(|matrix| touches(matrix, &scope.components));
        let first = layers
            .into_iter()
            .find(|&layer| scope.layers.contains(babelquant_proto::Layer::dec(layer)));
        first.filter(|_| touched).ok_or_else(|| EvalError::EmptyScope {
            scope: scope.layers.to_string(),
            components: scope.components.to_string(),
        })
    }

    /// The layer with the components' weights quantized and dequantized.
    pub(super) fn quantized_layer(
        &mut self,
        layer: u32,
        components: &Components,
        config: QuantConfig,
    ) -> Result<ReplacedLayer, EvalError> {
        let context = WeightContext { group_kurtosis: self.group_kurtosis(layer, config)? };
        let checkpoint = Checkpoint::open(&self.directory)?;
        let quantizer = Quantizer { decoder: &self.decoder, checkpoint, config, context };
        let matrices = self.decoder.architecture().matrices.iter();
        let replacements = matrices
            .filter(|matrix| touches(matrix, components))
            .map(|matrix| quantizer.replacement(layer, matrix, components))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.decoder.replaced_layer(layer, &replacements)?)
    }

    /// The layer group's excess kurtosis, for the rules that ask for it.
    fn group_kurtosis(
        &mut self,
        layer: u32,
        config: QuantConfig,
    ) -> Result<Option<f64>, EvalError> {
        let QuantConfig::Named(_) = config else { return Ok(None) };
        if let Some(&kurtosis) = self.kurtosis.get(&layer) {
            return Ok(kurtosis);
        }
        let checkpoint = Checkpoint::open(&self.directory)?;
        let kurtosis = group_kurtosis(&checkpoint, self.decoder.architecture(), layer);
        self.kurtosis.insert(layer, kurtosis);
        Ok(kurtosis)
    }
}

/// One config on its way to a layer. The checkpoint is mapped only while it is read: its pages would count as ours.
struct Quantizer<'a> {
    decoder: &'a Decoder,
    checkpoint: Checkpoint,
    config: QuantConfig,
    context: WeightContext,
}

impl Quantizer<'_> {
    /// Quantizes the stored tensor and puts the rows in scope over the stored ones; other rows keep their bits.
    fn replacement(
        &self,
        layer: u32,
        matrix: &Matrix,
        components: &Components,
    ) -> Result<Replacement, EvalError> {
        let name = format!("{}.weight", self.decoder.architecture().layer_name(layer, matrix.name));
        let mut weights = self.checkpoint.require(&name)?.to_f32()?;
        let shape = MatrixShape { rows: matrix.rows, columns: matrix.columns };
        let quantized = quantize(&weights, shape, self.config, &self.context)
            .map_err(|source| EvalError::Quant { layer, tensor: matrix.name, source })?;
        for role in components.roles() {
            for rows in matrix.role_rows(role) {
                let range = rows.start * matrix.columns..rows.end * matrix.columns;
                weights[range.clone()].copy_from_slice(&quantized[range]);
            }
        }
        let device = self.decoder.device();
        let weight = Tensor::from_vec(weights, (matrix.rows, matrix.columns), device)
            .and_then(|weight| weight.to_dtype(self.decoder.dtype()))
            .map_err(ModelError::from)?;
        Ok(Replacement { slot: matrix.slot, weight })
    }
}

fn touches(matrix: &Matrix, components: &Components) -> bool {
    components.roles().any(|role| !matrix.role_rows(role).is_empty())
}

/// The directory below `searched` that holds the model to the byte.
pub(super) fn find(model: &Model, searched: &[PathBuf]) -> Result<PathBuf, EvalError> {
    let mut nearest = None;
    for directory in candidates(searched) {
        match differs(model, &directory) {
            None => return Ok(directory),
            Some(difference) => {
                debug!(directory = %directory.display(), %difference, "not the model");
                nearest = Some(format!("{}: {difference}", directory.display()));
            }
        }
    }
    let (model, searched) = (model.name.clone(), searched.to_vec());
    Err(EvalError::ModelUnavailable { model, searched, nearest })
}

/// The given directories and the directories in them that hold a `config.json`.
fn candidates(searched: &[PathBuf]) -> Vec<PathBuf> {
    let children = |directory: &PathBuf| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut children: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        children.sort();
        children
    };
    let all = searched
        .iter()
        .flat_map(|directory| std::iter::once(directory.clone()).chain(children(directory)));
    all.filter(|directory| directory.join("config.json").is_file()).collect()
}

/// In what a directory differs from the model; `None` where it does not. Sizes are compared before anything is hashed.
fn differs(model: &Model, directory: &Path) -> Option<String> {
    for (name, file) in &model.files {
        match fs::metadata(directory.join(name)) {
            Err(_) => return Some(format!("{name} is missing")),
            Ok(found) if found.len() != file.bytes => {
                return Some(format!("{name} has {} bytes instead of {}", found.len(), file.bytes));
            }
            Ok(_) => {}
        }
    }
    match Model::describe(&model.name, directory) {
        Err(error) => Some(error.to_string()),
        Ok(found) => model
            .files
            .iter()
            .find(|(name, file)| found.files.get(*name) != Some(file))
            .map(|(name, file)| format!("{name} does not have BLAKE3 {}", file.blake3)),
    }
}
