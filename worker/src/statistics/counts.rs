//! Exact counts of 16-bit values: a tensor of f16 or bf16 has at most 65,536 distinct values, so one pass that counts bit
//! patterns says everything about it.

use half::{bf16, f16};
use rayon::prelude::*;

use super::population::{Level, Population};

/// Values that one task counts. One table a task: weights spread over so many patterns that a second table, which would part
/// two increments of one entry in a row, costs more in cache than it saves.
const TASK_VALUES: usize = 1 << 22;

/// How often each bit pattern occurs.
type Counts = [u64; 1 << 16];

/// The population of little-endian f16.
pub(super) fn of_f16(bytes: &[u8]) -> Population {
    population(&count(bytes), f16::INFINITY.to_bits(), |pattern| f16::from_bits(pattern).to_f32())
}

/// The population of little-endian bf16.
pub(super) fn of_bf16(bytes: &[u8]) -> Population {
    population(&count(bytes), bf16::INFINITY.to_bits(), |pattern| bf16::from_bits(pattern).to_f32())
}

fn count(bytes: &[u8]) -> Box<Counts> {
    let tasks: Vec<Box<[u32; 1 << 16]>> =
        bytes.par_chunks(2 * TASK_VALUES).map(count_task).collect();
    let mut counts = Box::new([0; 1 << 16]);
    for task in tasks {
        counts.iter_mut().zip(task.iter()).for_each(|(sum, &count)| *sum += u64::from(count));
    }
    counts
}

fn count_task(bytes: &[u8]) -> Box<[u32; 1 << 16]> {
    let mut counts = Box::new([0; 1 << 16]);
    for &pattern in bytes.as_chunks().0 {
        counts[usize::from(u16::from_le_bytes(pattern))] += 1;
    }
    counts
}

/// The counts as a population. In both formats the patterns of one sign have the order of their magnitudes, and the finite
/// ones come before `infinity`.
fn population(counts: &Counts, infinity: u16, widen: impl Fn(u16) -> f32) -> Population {
    let (positive, negative) = counts.split_at(counts.len() / 2);
    let pairs = || positive.iter().copied().zip(negative.iter().copied());
    let filled = pairs().filter(|(positive, negative)| positive + negative > 0).count();
    let mut levels = Vec::with_capacity(filled);
    for (pattern, (positive, negative)) in (0..infinity).zip(pairs()) {
        if positive + negative > 0 {
            let mut level = Level::at(widen(pattern));
            (level.positive.count, level.negative.count) = (positive, negative);
            levels.push(level);
        }
    }
    let nonfinite =
        pairs().skip(infinity.into()).map(|(positive, negative)| positive + negative).sum();
    Population::exact(levels, nonfinite)
}
