//! The population of many f32 in one pass: 2^19 buckets by the leading bits, and the moments of every chunk beside them.

use babelquant_proto::Moments;
use rayon::prelude::*;

use super::bucket::{Bucket, FREE_BITS};
use super::moments::{self, CHUNK};
use super::population::Population;
use super::stored::StoredValues;

/// Buckets of both signs; the index is the leading bits, the sign first.
const BUCKETS: usize = 1 << (32 - FREE_BITS);

/// Values that one task counts: their number fits above `ONE` in 64 bits.
const TASK_VALUES: usize = 1 << 22;

/// What an entry of the table grows by for one value, beside the value's bits. With `base` = ONE + the bits of the edge, an
/// entry is count · base + offsets, where offsets < 2^22 · 2^13 < base: one addition keeps both, exactly.
const ONE: u64 = 1 << 40;

/// The population of `values`.
pub(super) fn of(values: StoredValues<'_>) -> Population {
    let tasks: Vec<Task> = values.chunks(TASK_VALUES).into_par_iter().map(Task::of).collect();
    let chunks: Vec<Moments> = tasks.iter().flat_map(|task| task.moments.iter().copied()).collect();
    let nonfinite = tasks.iter().map(|task| task.nonfinite).sum();
    let population = |task: Task| Population {
        negative: buckets(&task.table, BUCKETS / 2),
        positive: buckets(&task.table, 0),
        ..Population::default()
    };
    let tasks: Vec<Population> = tasks.into_par_iter().map(population).collect();
    let merged = tasks.into_iter().reduce(|left, right| left.merge(&right)).unwrap_or_default();
    Population { moments: moments::merge_tree(&chunks), nonfinite, ..merged }
}

/// What one thread counts.
struct Task {
    table: Box<[u64; BUCKETS]>,
    moments: Vec<Moments>,
    nonfinite: u64,
}

impl Task {
    fn of(values: StoredValues<'_>) -> Self {
        let mut task = Self { table: table(), moments: Vec::new(), nonfinite: 0 };
        let mut finite = Vec::with_capacity(CHUNK);
        for chunk in values.chunks(CHUNK) {
            task.nonfinite += chunk.read_finite(&mut finite);
            task.moments.push(moments::of_chunk(&finite));
            for value in &finite {
                let bits = value.to_bits();
                task.table[(bits >> FREE_BITS) as usize] += ONE + u64::from(bits);
            }
        }
        task
    }
}

/// A table of zeros that never was on the stack.
fn table() -> Box<[u64; BUCKETS]> {
    vec![0; BUCKETS]
        .into_boxed_slice()
        .try_into()
        .unwrap_or_else(|_| unreachable!("it has this length"))
}

/// The filled buckets of the sign whose entries begin at `first`, by rising magnitude.
fn buckets(table: &[u64; BUCKETS], first: usize) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    for (index, &entry) in table.iter().enumerate().skip(first).take(BUCKETS / 2) {
        if entry != 0 {
            let edge = (index as u32) << FREE_BITS;
            let base = ONE + u64::from(edge);
            let edge = f32::from_bits(edge);
            buckets.push(Bucket { edge, count: entry / base, offsets: entry % base });
        }
    }
    buckets
}
