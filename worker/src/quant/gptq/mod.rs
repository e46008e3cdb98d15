//! GPTQ (Frantar et al. 2022): columns are rounded one after the other, and what a column loses the columns after it make up for, as
//! far as the inputs' second moments S = mean x·xᵀ allow.
//!
//! With U the upper Cholesky factor of (S + λ·mean(diag S)·I)⁻¹: q_j = round(w_j), e = (w_j − q_j)/U_jj, w_k ← w_k − e·U_jk for k > j.
//! Beside the published program: symmetric grids are ours (±(2^(b−1) − 1), not 2^b levels); a group's grid is laid when its first
//! column is reached, over weights that all columns before have changed (there: all blocks of 128 before); ordered by activation, groups
//! keep the grids of the stored weights; moments that no damping makes positive definite leave rounding to nearest.

mod factor;

use babelquant_proto::quant::{ColumnOrder, Decimal, Uniform};
use factor::{Factor, upper_factor};
use faer::MatMut;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::clip::{Ends, clipped};
use super::grid::Grid;
use super::matrices::{TASK_ROWS, add_product, view};
use super::range::Range;
use super::uniform::{group_length, quantize as to_nearest};
use super::{Fallback, Groups, InputMoments, MatrixShape, QuantError, Quantized, Sample};

/// Columns between two updates of all columns behind them, at most; no result depends on it but in its last bits.
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
    let asked = gptq.damping.value();
    let Some(Factor { upper, damping }) = upper_factor(&inputs.second, &order, asked) else {
        let nearest = to_nearest(weights, shape, (gptq.grid, Ends::Rule))?;
        return Ok(Quantized { fallback: Some(Fallback::Nearest), ..nearest });
    };
    let alive: Vec<bool> =
        order.iter().map(|&column| inputs.second[column * (columns + 1)] != 0.0).collect();
    let shared = match length > columns {
        true => Some(fitted(Range::of(weights)?, weights, gptq.grid)?),
        false => None,
    };
    let plan = Plan { gptq, length: length.min(columns), order, alive, upper, shared };
    let mut output = vec![0.0; weights.len()];
    let groups_in_row = columns.checked_div(plan.length).unwrap_or(0);
    let mut limits = vec![[0.0; 2]; shape.rows * groups_in_row];
    let task = TASK_ROWS * columns;
    let tasks = weights.par_chunks(task.max(1)).zip(output.par_chunks_mut(task.max(1)));
    let limits_of_tasks = limits.par_chunks_mut((TASK_ROWS * groups_in_row).max(1));
    tasks
        .zip(limits_of_tasks)
        .try_for_each(|((weights, output), limits)| plan.rows(weights, output, limits))?;
    let groups = Groups { length: plan.length, codes: Grid::codes(gptq.grid), limits };
    let fallback = (damping > asked).then_some(Fallback::Damped(damping));
    let bits_per_weight = Grid::bits_per_weight(gptq.grid, length);
    Ok(Quantized { fallback, ..Quantized::on_grids(output, bits_per_weight, groups) })
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

fn fitted(range: Range, weights: &[f32], grid: Uniform) -> Result<Fitted, QuantError> {
    let range = clipped(range, Sample::of(weights), (grid, Ends::Rule));
    Ok((Grid::fit(grid, range)?, Grid::limits(grid, range)))
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
    upper: Vec<f32>,
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
        let arch = pulp::Arch::new();
        let mut errors = vec![0.0; rows * BLOCK.min(columns)];
        let mut first = 0;
        while first < columns {
            let end = self.block_end(first);
            let errors = &mut errors[..rows * (end - first)];
            arch.dispatch(Block {
                plan: self,
                columns: (first, end),
                current: &mut current,
                errors,
                grids: &mut grids,
            })?;
            let factor =
                view(&self.upper, columns).submatrix(first, end, end - first, columns - end);
            let target = MatMut::from_row_major_slice_mut(&mut current, rows, columns);
            let target = target.submatrix_mut(0, end, rows, columns - end);
            add_product(target, (view(errors, end - first), factor), -1.0);
            first = end;
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

    /// Whether a group's grid waits for the columns before the group.
    fn waits(&self) -> bool {
        self.groups() > 1 && self.shared.is_none() && self.gptq.order == ColumnOrder::Stored
    }

    /// Where the block ends that starts at `first`. Groups that wait do not reach beyond the block in which they start, unless they
    /// start it: nothing is due to their weights then.
    fn block_end(&self, first: usize) -> usize {
        let end = match self.waits() {
            false => first + BLOCK,
            true if self.length < BLOCK => first + BLOCK / self.length * self.length,
            true => (first + BLOCK).min((first / self.length + 1) * self.length),
        };
        end.min(self.order.len())
    }

    /// Grids that do not wait for the columns before them: by row and group; `None` for those that do.
    fn first_grids(&self, stored: &[f32]) -> Result<Vec<Option<Fitted>>, QuantError> {
        let waits = self.waits();
        stored
            .chunks(self.length)
            .map(|group| match self.shared {
                Some(shared) => Ok(Some(shared)),
                None if waits => Ok(None),
                None => fitted(Range::of(group)?, group, self.gptq.grid).map(Some),
            })
            .collect()
    }
}

/// Some columns of some rows, rounded in place on one thread, compiled for each instruction set.
struct Block<'a> {
    plan: &'a Plan,
    /// From the first to before the second.
    columns: (usize, usize),
    /// [rows, all columns] by place.
    current: &'a mut [f32],
    /// [rows, these columns]: (w − q)/U_jj.
    errors: &'a mut [f32],
    /// By row and group.
    grids: &'a mut [Option<Fitted>],
}

impl WithSimd for Block<'_> {
    type Output = Result<(), QuantError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let (first, end) = self.columns;
        let rows = self.current.chunks_mut(self.plan.order.len());
        let rows = rows.zip(self.errors.chunks_mut(end - first));
        for ((current, errors), grids) in rows.zip(self.grids.chunks_mut(self.plan.groups())) {
            self.plan.round_row(self.columns, current, errors, grids)?;
        }
        Ok(())
    }
}

impl Plan {
    #[inline(always)]
    fn round_row(
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
                    let range = Range::of_run(weights)?;
                    *grids[group].insert(fitted(range, weights, self.gptq.grid)?)
                }
            };
            let row = &self.upper[place * columns..(place + 1) * columns];
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
