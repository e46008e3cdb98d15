//! The population of many f32 in one pass: 2^19 buckets by the leading bits, and the moments of every chunk beside them.

use babelquant_proto::Moments;
use rayon::prelude::*;

use super::bucket::{Bucket, FREE_BITS};
use super::moments::{self, CHUNK};
use super::population::{Level, Population, merge};
use super::stored::StoredValues;

/// Buckets of one sign; the index is the leading bits of the magnitude.
const BUCKETS: usize = 1 << (31 - FREE_BITS);

/// Entries for both signs: the sign is the first bit of the index.
type Table = [u64; 2 * BUCKETS];

/// Values that one task counts: their number fits above `ONE` in 64 bits.
const TASK_VALUES: usize = 1 << 22;

/// What an entry of the table grows by for one value, beside the value's bits. With `base` = ONE + the bits of the edge, an
/// entry is count · base + offsets, where offsets < 2^22 · 2^13 < base: one addition keeps both, exactly.
const ONE: u64 = 1 << 40;

/// The population of `values`.
pub(super) fn of(values: StoredValues<'_>) -> Population {
    let tasks: Vec<Task> = values.chunks(TASK_VALUES).into_par_iter().map(Task::of).collect();
    let moments: Vec<Moments> =
        tasks.iter().flat_map(|task| task.moments.iter().copied()).collect();
    let nonfinite = tasks.iter().map(|task| task.nonfinite).sum();
    let levels = tasks.into_iter().map(|task| task.levels);
    let levels = levels.reduce(|left, right| merge(&left, &right)).unwrap_or_default();
    Population::coarse(levels, moments::merge_tree(&moments), nonfinite)
}

/// What one thread counts.
struct Task {
    levels: Vec<Level>,
    moments: Vec<Moments>,
    nonfinite: u64,
}

impl Task {
    fn of(values: StoredValues<'_>) -> Self {
        let mut table = zeros();
        let mut task = Self { levels: Vec::new(), moments: Vec::new(), nonfinite: 0 };
        let mut chunk = Vec::with_capacity(CHUNK);
        for stored in values.chunks(CHUNK) {
            chunk.clear();
            stored.append_to(&mut chunk);
            let moments = task.finite_moments(&mut chunk);
            task.moments.push(moments);
            for value in &chunk {
                let bits = value.to_bits();
                table[(bits >> FREE_BITS) as usize] += ONE + u64::from(bits);
            }
        }
        Self { levels: levels(&table), ..task }
    }

    /// The moments of the chunk after what is not finite is taken out of it.
    fn finite_moments(&mut self, chunk: &mut Vec<f32>) -> Moments {
        let moments = moments::of_chunk(chunk);
        if moments.m4.is_finite() {
            return moments;
        }
        let all = chunk.len();
        chunk.retain(|value| value.is_finite());
        self.nonfinite += (all - chunk.len()) as u64;
        moments::of_chunk(chunk)
    }
}

/// A table that never was on the stack.
fn zeros() -> Box<Table> {
    let table = vec![0; 2 * BUCKETS].into_boxed_slice();
    table.try_into().unwrap_or_else(|_| unreachable!("the slice has the length of the array"))
}

/// The levels that hold weights.
fn levels(table: &Table) -> Vec<Level> {
    let (positive, negative) = table.split_at(BUCKETS);
    let mut levels = Vec::new();
    for (index, (&positive, &negative)) in positive.iter().zip(negative).enumerate() {
        if positive | negative != 0 {
            let edge = f32::from_bits((index as u32) << FREE_BITS);
            levels.push(Level {
                positive: bucket(positive, edge),
                negative: bucket(negative, -edge),
            });
        }
    }
    levels
}

/// What an entry says of the bucket that begins at `edge`.
fn bucket(entry: u64, edge: f32) -> Bucket {
    let base = ONE + u64::from(edge.to_bits());
    Bucket { edge, count: entry / base, offsets: entry % base }
}
