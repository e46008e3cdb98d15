//! GPTQ (Frantar et al. 2022): columns are rounded one after the other, and what a column loses the columns after it make up for, as
//! far as the inputs' second moments S = mean x·xᵀ allow.
//!
//! With U the upper Cholesky factor of (S + λ·mean(diag S)·I)⁻¹: q_j = round(w_j), e = (w_j − q_j)/U_jj, w_k ← w_k − e·U_jk for k > j.
//! Beside the published program: symmetric grids are ours (±(2^(b−1) − 1), not 2^b levels); a group's grid is laid when its first
//! column is reached, over weights that all columns before have changed; ordered by activation, groups keep the grids of the stored
//! weights.

mod factor;

use babelquant_proto::quant::{ColumnOrder, Decimal, Uniform};
use faer::MatMut;
use rayon::prelude::*;

use super::clip::{Ends, clipped};
use super::grid::Grid;
use super::matrices::{TASK_ROWS, add_product, view};
use super::range::Range;
use super::uniform::{bits_per_weight, codes, group_length};
use super::{Groups, InputMoments, MatrixShape, QuantError, Quantized, Sample};

/// Columns between two updates of all columns behind them.
const BLOCK: usize = 128;

/// How columns are rounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gptq {
    pub(super) grid: Uniform,
    pub(super) order: ColumnOrder,
    pub(super) damping: Decimal,
}

/// The weights [out, in] rounded for `inputs`.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    gptq: Gptq,
    inputs: &InputMoments,
) -> Result<Quantized, QuantError> {
    let MatrixShape { columns, .. } = shape;
    Range::of(weights)?;
    let length = group_length(shape, gptq.grid)?;
    let order = order(gptq.order, inputs, columns);
    let factor = factor::upper_factor(&inputs.second, &order, gptq.damping.value())?;
    let alive: Vec<bool> =
        order.iter().map(|&column| inputs.second[column * (columns + 1)] != 0.0).collect();
    let shared = match length > columns {
        true => Some(fitted(weights, gptq.grid)?),
        false => None,
    };
    let plan = Plan { gptq, length: length.min(columns), order, alive, factor, shared };
    let mut output = vec![0.0; weights.len()];
    let groups_in_row = columns.checked_div(plan.length).unwrap_or(0);
    let mut limits = vec![[0.0; 2]; shape.rows * groups_in_row];
    let task = TASK_ROWS * columns;
    let tasks = weights.par_chunks(task.max(1)).zip(output.par_chunks_mut(task.max(1)));
    let limits_of_tasks = limits.par_chunks_mut((TASK_ROWS * groups_in_row).max(1));
    tasks
        .zip(limits_of_tasks)
        .try_for_each(|((weights, output), limits)| plan.rows(weights, output, limits))?;
    let groups = Groups { length: plan.length, codes: codes(gptq.grid), limits };
    Ok(Quantized {
        weights: output,
        bits_per_weight: bits_per_weight(gptq.grid, length),
        groups: Some(groups),
        input_divisor: None,
    })
}

/// The columns in the order in which they are rounded; among equals the first comes first.
fn order(order: ColumnOrder, inputs: &InputMoments, columns: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..columns).collect();
    match order {
        ColumnOrder::Stored => {}
        ColumnOrder::Activation => {
            let power = |place: usize| inputs.second[place * (columns + 1)];
            places.sort_by(|&a, &b| power(b).total_cmp(&power(a)));
        }
    }
    places
}

/// The grid over some weights and its limits.
type Fitted = (Grid, [f32; 2]);

fn fitted(weights: &[f32], grid: Uniform) -> Result<Fitted, QuantError> {
    let range = clipped(Range::of(weights)?, Sample::of(weights), (grid, Ends::Rule));
    Ok((Grid::fit(grid, range)?, range.limits(grid.symmetry)))
}

/// What all rows share.
struct Plan {
    gptq: Gptq,
    /// Columns of a group.
    length: usize,
    /// The stored column at each place.
    order: Vec<usize>,
    /// Whether the column at a place ever gets an input other than 0.
    alive: Vec<bool>,
    /// U [columns, columns], row-major, by place.
    factor: Vec<f32>,
    /// The grid of the whole tensor, where it has one.
    shared: Option<Fitted>,
}

impl Plan {
    /// Rounds some rows: `stored` and `output` [rows, columns], `limits` by row and group.
    fn rows(
        &self,
        stored: &[f32],
        output: &mut [f32],
        limits: &mut [[f32; 2]],
    ) -> Result<(), QuantError> {
        let columns = self.order.len();
        let rows = stored.len() / columns;
        let mut grids = self.first_grids(stored)?;
        let place = |row: usize, place: usize| match self.alive[place] {
            true => stored[row * columns + self.order[place]],
            false => 0.0,
        };
        let mut current: Vec<f32> =
            (0..stored.len()).map(|index| place(index / columns, index % columns)).collect();
        for first in (0..columns).step_by(BLOCK) {
            let end = columns.min(first + BLOCK);
            let mut errors = vec![0.0; rows * (end - first)];
            for row in 0..rows {
                let current = &mut current[row * columns..(row + 1) * columns];
                let errors = &mut errors[row * (end - first)..(row + 1) * (end - first)];
                let grids = &mut grids[row * self.groups()..(row + 1) * self.groups()];
                self.block((first, end), current, errors, grids)?;
            }
            let factor =
                view(&self.factor, columns).submatrix(first, end, end - first, columns - end);
            let target = MatMut::from_row_major_slice_mut(&mut current, rows, columns);
            let target = target.submatrix_mut(0, end, rows, columns - end);
            add_product(target, (view(&errors, end - first), factor), -1.0);
        }
        for (index, value) in current.into_iter().enumerate() {
            let (row, place) = (index / columns, index % columns);
            output[row * columns + self.order[place]] = value;
        }
        for (limits, grid) in limits.iter_mut().zip(grids) {
            *limits = grid.map_or([0.0; 2], |(_, limits)| limits);
        }
        Ok(())
    }

    fn groups(&self) -> usize {
        self.order.len() / self.length
    }

    /// Grids that do not wait for the columns before them: by row and group; `None` for those that do.
    fn first_grids(&self, stored: &[f32]) -> Result<Vec<Option<Fitted>>, QuantError> {
        let grouped = self.groups() > 1;
        stored
            .chunks(self.length)
            .map(|group| match (self.shared, self.gptq.order) {
                (Some(shared), _) => Ok(Some(shared)),
                (None, ColumnOrder::Stored) if grouped => Ok(None),
                (None, ColumnOrder::Stored | ColumnOrder::Activation) => {
                    fitted(group, self.gptq.grid).map(Some)
                }
            })
            .collect()
    }

    /// Rounds the columns `first..end` of one row in place; `errors` receives (w − q)/U_jj.
    fn block(
        &self,
        (first, end): (usize, usize),
        current: &mut [f32],
        errors: &mut [f32],
        grids: &mut [Option<Fitted>],
    ) -> Result<(), QuantError> {
        let columns = self.order.len();
        for place in first..end {
            let group = self.order[place] / self.length;
            let (grid, _) = match grids[group] {
                Some(fitted) => fitted,
                None => {
                    let weights = &current[place..columns.min(place + self.length)];
                    *grids[group].insert(fitted(weights, self.gptq.grid)?)
                }
            };
            let row = &self.factor[place * columns..(place + 1) * columns];
            let weight = current[place];
            let value = grid.nearest(weight);
            let error = (weight - value) / row[place];
            current[place] = value;
            errors[place - first] = error;
            let behind = current[place + 1..end].iter_mut().zip(&row[place + 1..end]);
            behind.for_each(|(weight, factor)| *weight -= error * factor);
        }
        Ok(())
    }
}
