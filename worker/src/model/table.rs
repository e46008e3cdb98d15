//! A table with a row for every entry of the vocabulary: the embedding, or the head. Held on the device, or read from the
//! checkpoint row by row where memory is short.

use candle_core::{DType, Device, Tensor};

use super::checkpoint::Checkpoint;
use super::error::ModelError;
use super::linear::Reading;

/// The tables of a model: its own, or others in their place. Tables that share their weights are still two.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(super) embedding: Table,
    pub(super) head: Table,
    /// How the head reads the final states.
    pub(super) reading: Reading,
}

impl Tables {
    /// The same with another embedding, [vocabulary, width] on the model's device in its dtype.
    #[must_use]
    pub fn with_embedding(self, table: Tensor) -> Self {
        Self { embedding: Table::Held(table), ..self }
    }

    /// The same with another head, likewise, and how it reads its inputs.
    #[must_use]
    pub fn with_head(self, table: Tensor, reading: Reading) -> Self {
        Self { head: Table::Held(table), reading, ..self }
    }

    /// The same with the head of others.
    #[must_use]
    pub fn with_head_of(self, others: Self) -> Self {
        Self { head: others.head, reading: others.reading, ..self }
    }
}

/// A table [vocabulary, width].
#[derive(Debug, Clone)]
pub(super) enum Table {
    /// On the device, in the dtype of the computation.
    Held(Tensor),
    /// In the checkpoint, under this name.
    Stored(String),
}

/// Where a stored table is read and what its rows become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) device: &'a Device,
    pub(super) dtype: DType,
}

impl Table {
    /// The rows of `ids` u32 [n], as [n, width].
    pub(super) fn rows(&self, ids: &Tensor, source: Source<'_>) -> Result<Tensor, ModelError> {
        match self {
            Self::Held(table) => Ok(table.index_select(ids, 0)?),
            Self::Stored(name) => {
                let stored = source.checkpoint.require(name)?;
                let mut distinct: Vec<u32> = ids.to_vec1()?;
                distinct.sort_unstable();
                distinct.dedup();
                let row = |&id: &u32| stored.rows(id as usize..id as usize + 1).to_f32();
                let values: Vec<f32> = distinct.iter().flat_map(row).collect();
                let rows = Tensor::from_vec(values, (distinct.len(), ()), source.device)?;
                let place = |id: u32| distinct.binary_search(&id).map_or(0, |place| place as u32);
                let places: Vec<u32> = ids.to_vec1::<u32>()?.into_iter().map(place).collect();
                let places = Tensor::new(places, source.device)?;
                Ok(rows.to_dtype(source.dtype)?.index_select(&places, 0)?)
            }
        }
    }

    /// `count` rows from `first` on, [count, width].
    pub(super) fn run(
        &self,
        first: usize,
        count: usize,
        source: Source<'_>,
    ) -> Result<Tensor, ModelError> {
        match self {
            Self::Held(table) => Ok(table.narrow(0, first, count)?),
            Self::Stored(name) => {
                let stored = source.checkpoint.require(name)?;
                stored.rows(first..first + count).load(source.device, source.dtype)
            }
        }
    }
}
