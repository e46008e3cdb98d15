//! Another checkpoint of a model, quantized elsewhere: it lends its weights, and nothing else of it is used. Not where it lies, and
//! not what is done with the weights.

use std::path::{Path, PathBuf};

use babelquant_proto::{Family, Layer};

use super::architecture::Architecture;
use super::checkpoint::{Checkpoint, StoredTensor};
use super::error::ModelError;
use super::gguf::Gguf;
use super::matrix::Matrix;

/// A checkpoint of the same model. Its files are mapped only while they are read: their pages would count as ours.
#[derive(Debug)]
pub enum OtherCheckpoint {
    /// A directory in the model's layout.
    Directory(PathBuf),
    /// A GGUF file.
    Gguf(Gguf),
}

/// Values of another checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Lent {
    /// The values, row-major, widened to f32.
    pub values: Vec<f32>,
    /// Bits that each of them takes in the file, scales and zero points included.
    pub bits_per_weight: f64,
}

impl OtherCheckpoint {
    /// Finds the checkpoint at `path` complete, which must hold every tensor of the model in `directory` and nothing else.
    ///
    /// # Errors
    /// It cannot be read, is packed, is one of another model, or lacks a tensor.
    pub fn open(
        path: &Path,
        (directory, architecture): (&Path, &Architecture),
    ) -> Result<Self, ModelError> {
        if !path.is_dir() {
            let (family, _) = Family::read(directory)?;
            return Gguf::open(path, family, architecture).map(Self::Gguf);
        }
        let checkpoint = Checkpoint::open(path, architecture.names.prefixes)?;
        let other = |reason| ModelError::OtherModel { path: path.to_owned(), reason };
        if let Some(difference) = architecture.difference(&Architecture::read(path)?) {
            return Err(other(difference));
        }
        if let Some(tensor) = checkpoint.packed() {
            let advice = "save the checkpoint dequantized, in f32, f16 or bf16";
            return Err(other(format!("{tensor} is packed: {advice}")));
        }
        checkpoint.check_complete(&architecture.tensors(), &|name| architecture.ignores(name))?;
        Ok(Self::Directory(path.to_owned()))
    }

    /// A matrix of a layer, [out, in] as it is used.
    ///
    /// # Errors
    /// It is not there.
    pub fn matrix(
        &self,
        architecture: &Architecture,
        (layer, matrix): (Layer, &Matrix),
    ) -> Result<Lent, ModelError> {
        match self {
            Self::Directory(path) => {
                let checkpoint = Checkpoint::open(path, architecture.names.prefixes)?;
                let name = architecture.weight_name(layer, matrix);
                let Lent { values, bits_per_weight } = Lent::of(&checkpoint.require(&name)?);
                Ok(Lent { values: matrix.in_use(values), bits_per_weight })
            }
            Self::Gguf(file) => file.matrix(architecture, (layer, matrix)),
        }
    }

    /// Of a tensor that is no matrix of a layer, called as in the model's checkpoint: its first `rows` rows (entries, where it has
    /// one axis), or all where it has fewer.
    ///
    /// # Errors
    /// It is not there.
    pub fn rows(
        &self,
        architecture: &Architecture,
        name: &str,
        rows: usize,
    ) -> Result<Lent, ModelError> {
        match self {
            Self::Directory(path) => {
                let checkpoint = Checkpoint::open(path, architecture.names.prefixes)?;
                let stored = checkpoint.require(name)?;
                let rows = rows.min(stored.shape.first().copied().unwrap_or(0));
                Ok(Lent::of(&stored.rows(0..rows)))
            }
            Self::Gguf(file) => file.rows(architecture, name, rows),
        }
    }
}

impl Lent {
    fn of(stored: &StoredTensor<'_>) -> Self {
        let bits_per_weight = 8.0 * stored.dtype.size() as f64;
        Self { values: stored.to_f32(), bits_per_weight }
    }
}

impl Architecture {
    /// In what another architecture cannot be that of a checkpoint of this model, in words. Only weights are lent, so that what a
    /// configuration says of positions or norms does not matter.
    fn difference(&self, other: &Self) -> Option<String> {
        let sizes = |architecture: &Self| {
            let shape = architecture.shape;
            let attention = &architecture.attention;
            [
                ("encoder layers", shape.encoder_layers),
                ("layers", shape.layers),
                ("hidden", shape.hidden),
                ("vocabulary", shape.vocabulary),
                ("heads", attention.heads),
                ("key and value heads", attention.key_heads),
                ("head width", attention.head_width),
                ("MLP width", architecture.mlp_width),
            ]
        };
        let pairs = sizes(self).into_iter().zip(sizes(other));
        let mut differing = pairs.filter(|(ours, theirs)| ours != theirs);
        if let Some(((what, ours), (_, theirs))) = differing.next() {
            return Some(format!("its config.json says {what} {theirs}, the model has {ours}"));
        }
        let same = self.decoder.matrices == other.decoder.matrices
            && self.encoder.as_ref().map(|stack| &stack.matrices)
                == other.encoder.as_ref().map(|stack| &stack.matrices);
        (!same).then(|| "its config.json says another family, whose layers differ".to_owned())
    }
}
