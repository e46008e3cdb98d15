//! The transformer: embedding, blocks of one stack or of two, final norms, head; runs from any layer boundary to any other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use babelquant_proto::rows::Point;
use babelquant_proto::{Layer, Stack};
use candle_core::{DType, Device, Tensor};

use super::architecture::{Architecture, Positions};
use super::block::{Block, Replacement};
use super::checkpoint::Checkpoint;
use super::error::ModelError;
use super::kernels;
use super::linear::Reading;
use super::loader::Loader;
use super::norm::Norm;
use super::open::open;
use super::positions::sinusoidal;
use super::table::{Source, Table, Tables};
use super::tap::{Site, Tap};

/// A model on a device, in one dtype.
#[derive(Debug)]
pub struct Transformer {
    architecture: Architecture,
    directory: PathBuf,
    checkpoint: Checkpoint,
    device: Device,
    dtype: DType,
    tables: Tables,
    /// [positions, width], where positions are learned.
    positions: Option<Tensor>,
    embedding_norm: Option<Norm>,
    /// In the order of the forward pass; none where layers are loaded when they are needed.
    blocks: Vec<Arc<Block>>,
    /// One a stack, in the order of the forward pass.
    final_norms: Vec<Norm>,
}

/// What of a model stays on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residence {
    /// All of it.
    Whole,
    /// Norms only: layers and the rows of tables are read from the checkpoint whenever they are needed.
    Streamed,
}

impl Transformer {
    /// Loads the model in `directory`.
    ///
    /// # Errors
    /// The directory holds no supported model, tensors are missing, misshapen or unknown (all such are listed), or memory is short.
    pub fn load(
        directory: &Path,
        (device, dtype): (&Device, DType),
        residence: Residence,
    ) -> Result<Self, ModelError> {
        let (architecture, checkpoint) = open(directory)?;
        let loader = Loader { architecture: &architecture, checkpoint: &checkpoint, device, dtype };
        let names = &architecture.names;
        let table = |name: &str| match residence {
            Residence::Whole => Ok(Table::Held(loader.tensor(name)?)),
            Residence::Streamed => Ok::<_, ModelError>(Table::Stored(name.to_owned())),
        };
        let embedding = table(names.embedding)?;
        let stacks = architecture.stacks();
        let final_norm = |stack| loader.norm(architecture.stack(stack).names.final_norm);
        let layers = architecture.shape.stacked_layers();
        let layers = layers.take(if residence == Residence::Whole { usize::MAX } else { 0 });
        Ok(Self {
            tables: Tables {
                head: architecture.head.name.map_or_else(|| Ok(embedding.clone()), table)?,
                embedding,
                reading: Reading::EXACT,
            },
            positions: names.positions.map(|name| loader.tensor(name)).transpose()?,
            embedding_norm: names.embedding_norm.map(|name| loader.norm(name)).transpose()?,
            blocks: layers.map(|l| loader.block(l).map(Arc::new)).collect::<Result<_, _>>()?,
            final_norms: stacks.map(final_norm).collect::<Result<_, _>>()?,
            directory: directory.to_owned(),
            device: device.clone(),
            dtype,
            checkpoint,
            architecture,
        })
    }

    /// What it consists of.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// What of it stays on the device.
    pub fn residence(&self) -> Residence {
        match self.tables.embedding {
            Table::Held(_) => Residence::Whole,
            Table::Stored(_) => Residence::Streamed,
        }
    }

    /// Its embedding and its head.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The device that it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The dtype that it computes in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The first boundary of a stack: the embedding of `tables` as its first layer receives it. `ids` u32 [windows, positions];
    /// result [windows, positions, width].
    ///
    /// # Errors
    /// An id is past the vocabulary, a position past the table, or the device refuses.
    pub fn embed(
        &self,
        tables: &Tables,
        stack: Stack,
        ids: &Tensor,
        tap: &mut dyn Tap,
    ) -> Result<Tensor, ModelError> {
        let (windows, positions) = ids.dims2()?;
        let rows = tables.embedding.rows(&ids.flatten_all()?, self.source())?;
        let mut x = rows.reshape((windows, positions, ()))?;
        if let Some(scale) = self.architecture.embedding.scale {
            x = (x * scale)?;
        }
        if let Some(table) = self.position_rows(positions)? {
            x = x.broadcast_add(&table)?;
        }
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        tap.see(Point::EmbedOut, Site::outside(stack), &x)?;
        Ok(x)
    }

    /// What is added to the embeddings of positions 0.., [positions, width].
    fn position_rows(&self, positions: usize) -> Result<Option<Tensor>, ModelError> {
        match (self.architecture.embedding.positions, &self.positions) {
            (Positions::Learned { offset }, Some(table)) => {
                Ok(Some(table.narrow(0, offset as usize, positions)?))
            }
            (Positions::Sinusoidal { offset }, _) => {
                let width = self.architecture.shape.hidden as usize;
                let table = sinusoidal(offset, positions, width);
                let table = Tensor::from_vec(table, (positions, width), &self.device)?;
                Ok(Some(table.to_dtype(self.dtype)?))
            }
            (Positions::None | Positions::Learned { .. }, _) => Ok(None),
        }
    }

    /// A layer, to be run over many windows.
    ///
    /// # Errors
    /// It must be read from the checkpoint and cannot be.
    pub fn block(&self, layer: Layer) -> Result<Arc<Block>, ModelError> {
        if let Some(block) = self.blocks.get(self.architecture.shape.position(layer) as usize) {
            return Ok(Arc::clone(block));
        }
        // Opened anew: the pages of a mapped file count as ours for as long as it is mapped.
        let checkpoint = Checkpoint::open(&self.directory, self.architecture.names.prefixes)?;
        let loader = Loader {
            architecture: &self.architecture,
            checkpoint: &checkpoint,
            device: &self.device,
            dtype: self.dtype,
        };
        loader.block(layer).map(Arc::new)
    }

    /// What a norm multiplies by, [width], from its stored gain: in the dtype of the model for a layer norm, in f32 for others.
    ///
    /// # Errors
    /// The device refuses.
    pub fn factor(&self, stored: Vec<f32>) -> Result<Tensor, ModelError> {
        let width = stored.len();
        let stored = Tensor::from_vec(stored, width, &self.device)?;
        self.architecture.norm.kind.factor(stored, self.dtype)
    }

    /// A layer with other weights for some parts.
    ///
    /// # Errors
    /// As `block`.
    pub fn replaced(
        &self,
        layer: Layer,
        replacements: Vec<Replacement>,
    ) -> Result<Arc<Block>, ModelError> {
        Ok(Arc::new(Block::clone(&*self.block(layer)?).with(replacements)))
    }

    /// A stack's output from its last boundary: what the head reads, or what a decoder attends to; x and result [windows,
    /// positions, width].
    ///
    /// # Errors
    /// The device refuses.
    pub fn final_norm(
        &self,
        stack: Stack,
        x: &Tensor,
        tap: &mut dyn Tap,
    ) -> Result<Tensor, ModelError> {
        let norm = match stack {
            Stack::Enc => self.final_norms.first(),
            Stack::Dec => self.final_norms.last(),
        };
        let x = norm.map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))?;
        tap.see(Point::FinalNormOut, Site::outside(stack), &x)?;
        Ok(x)
    }

    /// Logits of `columns` vocabulary entries from `first` on by the head of `tables`; x [n, width], result [n, columns].
    ///
    /// # Errors
    /// The range is past the vocabulary, or the device refuses.
    pub fn head(
        &self,
        tables: &Tables,
        x: &Tensor,
        (first, columns): (usize, usize),
    ) -> Result<Tensor, ModelError> {
        let rows = tables.head.run(first, columns, self.source())?;
        let logits = kernels::matmul_transposed(&tables.reading.of(x)?, &rows)?;
        match self.architecture.head.softcap {
            Some(cap) => kernels::softcap(logits, cap),
            None => Ok(logits),
        }
    }

    fn source(&self) -> Source<'_> {
        Source { checkpoint: &self.checkpoint, device: &self.device, dtype: self.dtype }
    }
}
