//! The head: final states → scores, one tile of positions × vocabulary at a time, the baseline's tile shared by all cells.
//!
//! A tile's shape is fixed by the spec: a matmul's last bits depend on it, so no worker may choose another.

use std::ops::Range;

use babelquant_proto::Batch;
use candle_core::{DType, Tensor};

use super::position::{Divergence, Position};
use super::tile::{Pair, Tile};
use crate::model::{ModelError, Tables, Transformer};

/// The final states of one model at all scored positions.
#[derive(Debug, Clone)]
pub(super) struct Finals<'a> {
    pub(super) model: &'a Transformer,
    /// Where its head is found.
    pub(super) tables: &'a Tables,
    /// [positions, width].
    pub(super) states: Tensor,
}

/// The head over one shard's scored positions.
pub(super) struct Head<'a> {
    pub(super) batch: Batch,
    /// The token that stands next, one a scored position.
    pub(super) targets: &'a [u32],
}

/// Scores of one model over all positions, with the divergence from the baseline where it was asked for.
#[derive(Debug)]
pub(super) struct Scores {
    pub(super) positions: Vec<Position>,
    pub(super) divergence: Option<Vec<Divergence>>,
}

impl Head<'_> {
    /// Scores the baseline alone.
    pub(super) fn baseline(&self, finals: &Finals<'_>) -> Result<Vec<Position>, ModelError> {
        let (_, mut scores) = self.cells(None, std::slice::from_ref(finals))?;
        Ok(scores.remove(0).positions)
    }

    /// Scores cells by their final states. With the baseline's also the baseline's scores and each cell's divergence from it.
    pub(super) fn cells(
        &self,
        base: Option<&Finals<'_>>,
        cells: &[Finals<'_>],
    ) -> Result<(Option<Vec<Position>>, Vec<Scores>), ModelError> {
        let start =
            || -> Vec<Position> { self.targets.iter().copied().map(Position::new).collect() };
        let divergence = || base.map(|_| vec![Divergence::default(); self.targets.len()]);
        let score = |_: &Finals<'_>| Scores { positions: start(), divergence: divergence() };
        let mut scores: Vec<Scores> = cells.iter().map(score).collect();
        let mut base_positions = base.map(|_| start());
        let rows_max = self.batch.head_rows as usize;
        for first in (0..self.targets.len()).step_by(rows_max) {
            let rows = first..self.targets.len().min(first + rows_max);
            let base = match (base, &mut base_positions) {
                (Some(finals), Some(positions)) => {
                    Some((finals.rows(rows.clone())?, &mut positions[rows.clone()]))
                }
                _ => None,
            };
            let cells = cells.iter().map(|finals| finals.rows(rows.clone()));
            let cells = cells.collect::<Result<Vec<_>, _>>()?;
            self.chunk(base, &cells, (rows, &mut scores))?;
        }
        Ok((base_positions, scores))
    }

    /// Scores one chunk of rows over the whole vocabulary.
    fn chunk(
        &self,
        mut base: Option<(Finals<'_>, &mut [Position])>,
        cells: &[Finals<'_>],
        (rows, scores): (Range<usize>, &mut [Scores]),
    ) -> Result<(), ModelError> {
        let any = base.as_ref().map(|(finals, _)| finals).or(cells.first());
        let vocabulary = any.map_or(0, Finals::vocabulary);
        for first in (0..vocabulary).step_by(self.batch.head_columns as usize) {
            let shared = match &mut base {
                Some((finals, positions)) => {
                    let tile = self.tile(finals, first)?;
                    let shrink = tile.score(positions)?;
                    Some((tile, shrink, &**positions))
                }
                None => None,
            };
            for (finals, scores) in cells.iter().zip(scores.iter_mut()) {
                let tile = self.tile(finals, first)?;
                tile.score(&mut scores.positions[rows.clone()])?;
                if let (Some((base_tile, shrink, base)), Some(divergence)) =
                    (&shared, &mut scores.divergence)
                {
                    let divergence = &mut divergence[rows.clone()];
                    tile.diverge(base_tile, Pair { base, shrink, divergence })?;
                }
            }
        }
        Ok(())
    }

    /// Logits [positions, columns] in f32 from vocabulary entry `first` on.
    fn tile(&self, finals: &Finals<'_>, first: usize) -> Result<Tile, ModelError> {
        let columns = (self.batch.head_columns as usize).min(finals.vocabulary() - first);
        let logits = finals.model.head(finals.tables, &finals.states, (first, columns))?;
        Ok(Tile { logits: logits.to_dtype(DType::F32)?, first: first as u32 })
    }
}

impl Finals<'_> {
    fn rows(&self, rows: Range<usize>) -> Result<Self, ModelError> {
        let states = self.states.narrow(0, rows.start, rows.len())?;
        Ok(Self { states, ..*self })
    }

    fn vocabulary(&self) -> usize {
        self.model.architecture().shape.vocabulary as usize
    }
}
