//! The decoder: embedding, blocks, final norm, head; runs from any layer boundary to any other.

use std::path::Path;

use babelquant_proto::rows::Point;
use candle_core::{DType, Device, Tensor};

use super::architecture::{Architecture, Matrix, Slot};
use super::attention::{Attention, alibi_slopes};
use super::block::Block;
use super::checkpoint::Checkpoint;
use super::error::ModelError;
use super::linear::Linear;
use super::norm::Norm;
use super::tap::Tap;

/// A decoder-only model on a device, in one dtype.
#[derive(Debug)]
pub struct Decoder {
    architecture: Architecture,
    device: Device,
    dtype: DType,
    /// [vocabulary, width]; also the head.
    embedding: Tensor,
    embedding_norm: Norm,
    blocks: Vec<Block>,
    final_norm: Norm,
}

/// Another weight for one matrix of a layer, in the stored layout [out, in].
#[derive(Debug)]
pub struct Replacement {
    /// Which matrix.
    pub slot: Slot,
    /// Its weight on the decoder's device, in the decoder's dtype.
    pub weight: Tensor,
}

impl Decoder {
    /// Loads the model in `directory`.
    ///
    /// # Errors
    /// The directory holds no supported model, a tensor is missing or misshapen (all such are listed), or memory is short.
    pub fn load(directory: &Path, device: &Device, dtype: DType) -> Result<Self, ModelError> {
        let architecture = Architecture::read(directory)?;
        let checkpoint = Checkpoint::open(directory)?;
        check_tensors(&architecture, &checkpoint)?;
        let loader = Loader { architecture: &architecture, checkpoint: &checkpoint, device, dtype };
        let names = &architecture.names;
        Ok(Self {
            embedding: loader.tensor(names.embedding)?,
            embedding_norm: loader.norm(names.embedding_norm)?,
            blocks: (0..architecture.shape.layers)
                .map(|layer| loader.block(layer))
                .collect::<Result<_, _>>()?,
            final_norm: loader.norm(names.final_norm)?,
            device: device.clone(),
            dtype,
            architecture,
        })
    }

    /// What it consists of.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The device that it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The dtype that it computes in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Boundary 0: the embedding after its norm. `ids` [windows, positions] u32; result [windows, positions, width].
    ///
    /// # Errors
    /// An id is past the vocabulary, or the device refuses.
    pub fn embed(&self, ids: &Tensor, tap: &mut dyn Tap) -> Result<Tensor, ModelError> {
        let (windows, positions) = ids.dims2()?;
        let rows = self.embedding.index_select(&ids.flatten_all()?, 0)?;
        let rows = rows.reshape((windows, positions, ()))?;
        let x = self.embedding_norm.forward(&rows)?;
        tap.see(Point::EmbedOut, None, &x)?;
        Ok(x)
    }

    /// Boundary `layer` + 1 from boundary `layer`; x and result [windows, positions, width].
    ///
    /// # Errors
    /// The device refuses, or the tap does.
    pub fn layer(&self, layer: u32, x: &Tensor, tap: &mut dyn Tap) -> Result<Tensor, ModelError> {
        self.blocks[layer as usize].forward(x, tap)
    }

    /// A layer with some of its weights replaced, to be run over many windows.
    ///
    /// # Errors
    /// A replacement has another shape.
    pub fn replaced_layer(
        &self,
        layer: u32,
        replacements: &[Replacement],
    ) -> Result<ReplacedLayer, ModelError> {
        let mut block = self.blocks[layer as usize].clone();
        for Replacement { slot, weight } in replacements {
            for matrix in self.architecture.matrices.iter().filter(|matrix| matrix.slot == *slot) {
                block.replace(matrix, weight)?;
            }
        }
        Ok(ReplacedLayer(block))
    }

    /// What the head reads, from the last boundary; x and result [windows, positions, width].
    ///
    /// # Errors
    /// The device refuses.
    pub fn final_norm(&self, x: &Tensor, tap: &mut dyn Tap) -> Result<Tensor, ModelError> {
        let x = self.final_norm.forward(x)?;
        tap.see(Point::FinalNormOut, None, &x)?;
        Ok(x)
    }

    /// Logits of `columns` vocabulary entries from `first` on; x [n, width], result [n, columns].
    ///
    /// # Errors
    /// The range is past the vocabulary, or the device refuses.
    pub fn head(&self, x: &Tensor, first: usize, columns: usize) -> Result<Tensor, ModelError> {
        Ok(x.matmul(&self.embedding.narrow(0, first, columns)?.t()?)?)
    }
}

/// A layer whose weights were replaced.
#[derive(Debug)]
pub struct ReplacedLayer(Block);

impl ReplacedLayer {
    /// As [`Decoder::layer`].
    ///
    /// # Errors
    /// The device refuses.
    pub fn forward(&self, x: &Tensor, tap: &mut dyn Tap) -> Result<Tensor, ModelError> {
        self.0.forward(x, tap)
    }
}

/// Brings stored tensors to the device.
struct Loader<'a> {
    architecture: &'a Architecture,
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    dtype: DType,
}

impl Loader<'_> {
    fn tensor(&self, name: &str) -> Result<Tensor, ModelError> {
        self.checkpoint.require(name)?.load(self.device, self.dtype)
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        Ok(Norm {
            gain: self.tensor(&format!("{name}.weight"))?,
            bias: self.tensor(&format!("{name}.bias"))?,
            epsilon: self.architecture.norm_epsilon,
        })
    }

    fn linear(&self, layer: u32, matrix: &Matrix) -> Result<Linear, ModelError> {
        let name = self.architecture.layer_name(layer, matrix.name);
        let weight = self.tensor(&format!("{name}.weight"))?;
        Linear::new(matrix, &weight, &self.tensor(&format!("{name}.bias"))?)
    }

    fn block(&self, layer: u32) -> Result<Block, ModelError> {
        let names = &self.architecture.names;
        let norm = |name| self.norm(&self.architecture.layer_name(layer, name));
        let mut linears = Vec::with_capacity(4);
        for slot in [Slot::Qkv, Slot::AttnO, Slot::MlpUp, Slot::MlpDown] {
            for matrix in self.architecture.matrices.iter().filter(|matrix| matrix.slot == slot) {
                linears.push(self.linear(layer, matrix)?);
            }
        }
        let [qkv, output, up, down] =
            <[Linear; 4]>::try_from(linears).expect("an architecture has one matrix a slot");
        let slopes = alibi_slopes(self.architecture);
        let heads = self.architecture.heads as usize;
        Ok(Block {
            layer,
            residual: self.architecture.residual,
            attn_norm: norm(names.attn_norm)?,
            attention: Attention { qkv, output, heads, slopes },
            mlp_norm: norm(names.mlp_norm)?,
            up,
            down,
        })
    }
}

/// Every tensor that the architecture needs is there in its shape; else one error lists all that are not.
fn check_tensors(architecture: &Architecture, checkpoint: &Checkpoint) -> Result<(), ModelError> {
    let problems = expected_tensors(architecture).into_iter().filter_map(|(name, shape)| {
        match checkpoint.get(&name) {
            None => Some(format!("{name} is missing")),
            Some(stored) if stored.shape != shape => {
                Some(format!("{name} has shape {:?} instead of {shape:?}", stored.shape))
            }
            Some(_) => None,
        }
    });
    checkpoint.check(problems.collect())
}

fn expected_tensors(architecture: &Architecture) -> Vec<(String, Vec<usize>)> {
    let names = &architecture.names;
    let width = architecture.shape.hidden as usize;
    let mut expected =
        vec![(names.embedding.to_owned(), vec![architecture.shape.vocabulary as usize, width])];
    let mut norm = |name: &str| {
        let parts = ["weight", "bias"].map(|part| (format!("{name}.{part}"), vec![width]));
        expected.extend(parts);
    };
    norm(names.embedding_norm);
    norm(names.final_norm);
    for layer in 0..architecture.shape.layers {
        norm(&architecture.layer_name(layer, names.attn_norm));
        norm(&architecture.layer_name(layer, names.mlp_norm));
    }
    for layer in 0..architecture.shape.layers {
        for matrix in &architecture.matrices {
            let name = architecture.layer_name(layer, matrix.name);
            expected.push((format!("{name}.weight"), vec![matrix.rows, matrix.columns]));
            expected.push((format!("{name}.bias"), vec![matrix.rows]));
        }
    }
    expected
}
