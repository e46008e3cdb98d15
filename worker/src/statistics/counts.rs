//! Exact counts of 16-bit values: a tensor of f16 or bf16 has at most 65,536 distinct values, so one pass that counts bit
//! patterns says everything about it.

use half::{bf16, f16};
use rayon::prelude::*;

use super::bucket::Bucket;
use super::population::Population;

/// Values that one task counts. One table a task: weights spread over so many patterns that a second table, which would part
/// two increments of one entry in a row, costs more in cache than it saves.
const TASK_VALUES: usize = 1 << 22;

/// The population of little-endian f16.
pub(super) fn of_f16(bytes: &[u8]) -> Population {
    population(&count(bytes), |pattern| f16::from_bits(pattern).to_f32())
}

/// The population of little-endian bf16.
pub(super) fn of_bf16(bytes: &[u8]) -> Population {
    population(&count(bytes), |pattern| bf16::from_bits(pattern).to_f32())
}

/// How often each pattern occurs.
fn count(bytes: &[u8]) -> Vec<u64> {
    let tasks = bytes.par_chunks(2 * TASK_VALUES).map(count_task);
    let add = |mut sum: Vec<u64>, task: Vec<u32>| {
        sum.iter_mut().zip(task).for_each(|(sum, count)| *sum += u64::from(count));
        sum
    };
    let tasks: Vec<Vec<u32>> = tasks.collect();
    tasks.into_iter().fold(vec![0; 1 << 16], add)
}

fn count_task(bytes: &[u8]) -> Vec<u32> {
    let mut counts = Box::new([0_u32; 1 << 16]);
    for &pattern in bytes.as_chunks().0 {
        counts[usize::from(u16::from_le_bytes(pattern))] += 1;
    }
    counts.to_vec()
}

/// The counts as a population; patterns of one sign have the order of their magnitudes in both formats.
fn population(counts: &[u64], widen: impl Fn(u16) -> f32) -> Population {
    let mut nonfinite = 0;
    let mut signs = [Vec::new(), Vec::new()];
    for (pattern, &count) in (0_u16..).zip(counts) {
        let value = if count == 0 { continue } else { widen(pattern) };
        if value.is_finite() {
            signs[usize::from(pattern >> 15)].push(Bucket::of_value(value, count));
        } else {
            nonfinite += count;
        }
    }
    let [positive, negative] = signs;
    Population::exact(negative, positive, nonfinite)
}
