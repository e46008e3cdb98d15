//! The population of many f32 in one pass: 2^19 buckets by the leading bits, and the moments of every chunk beside them.

use babelquant_proto::Moments;
use rayon::prelude::*;

use super::bucket::{Bucket, FREE_BITS};
use super::moments::{self, CHUNK};
use super::population::{Level, Population, merge};

/// Buckets of one sign; the index is the leading bits of the magnitude.
const BUCKETS: usize = 1 << (31 - FREE_BITS);

/// Entries for both signs: the sign is the first bit of the index.
type Table = [u64; 2 * BUCKETS];

/// Values that one task counts: their number fits above `ONE` in 64 bits.
const TASK_VALUES: usize = 1 << 22;

/// What an entry of the table grows by for one value, beside the value's bits. With `base` = ONE + the bits of the edge, an
/// entry is count · base + offsets, where offsets < 2^22 · 2^13 < base: one addition keeps both, exactly.
const ONE: u64 = 1 << 40;

/// The population of little-endian f32.
pub(super) fn of(bytes: &[u8]) -> Population {
    let tasks: Vec<Task> = bytes.par_chunks(4 * TASK_VALUES).map(Task::of).collect();
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
    fn of(bytes: &[u8]) -> Self {
        let mut table = zeros();
        let mut task = Self { levels: Vec::new(), moments: Vec::new(), nonfinite: 0 };
        for chunk in bytes.as_chunks().0.chunks(CHUNK) {
            task.add(chunk, &mut table);
        }
        Self { levels: levels(&table), ..task }
    }

    /// The moments come first: their passes bring the chunk into the cache, where counting waits for the table alone.
    fn add(&mut self, chunk: &[[u8; 4]], table: &mut Table) {
        let moments = moments::of_chunk(chunk);
        if !moments.m4.is_finite() {
            let is_finite = |value: &&[u8; 4]| f32::from_le_bytes(**value).is_finite();
            let finite: Vec<[u8; 4]> = chunk.iter().filter(is_finite).copied().collect();
            self.nonfinite += (chunk.len() - finite.len()) as u64;
            return self.add(&finite, table);
        }
        self.moments.push(moments);
        for &value in chunk {
            let bits = u32::from_le_bytes(value);
            table[(bits >> FREE_BITS) as usize] += ONE + u64::from(bits);
        }
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
