//! Exact counts of 16-bit values: a tensor of f16 or bf16 has at most 65,536 distinct values, so one pass that counts bit
//! patterns says everything about it.

use half::{bf16, f16};
use rayon::prelude::*;

use super::population::{Level, Population};

/// Values that one task counts, in one table: weights spread over so many patterns that a second table, which would part
/// increments of one entry in a row, costs more in cache than it saves.
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
    let tasks: Vec<Box<Counts>> = bytes.par_chunks(2 * TASK_VALUES).map(count_task).collect();
    let add = |mut sum: Box<Counts>, task: Box<Counts>| {
        sum.iter_mut().zip(task.iter()).for_each(|(sum, count)| *sum += count);
        sum
    };
    tasks.into_iter().reduce(add).unwrap_or_else(|| Box::new([0; 1 << 16]))
}

/// The counts of one task. They are first taken in a table of u16, half of which fits into the fastest cache; a count that
/// wraps takes 65,536 from the sum, and then they are taken in parts that cannot wrap.
fn count_task(bytes: &[u8]) -> Box<Counts> {
    let mut counts = Box::new([0; 1 << 16]);
    tally(bytes, &mut counts);
    if counts.iter().sum::<u64>() != (bytes.len() / 2) as u64 {
        counts.fill(0);
        bytes.chunks(2 * usize::from(u16::MAX)).for_each(|part| tally(part, &mut counts));
    }
    counts
}

/// Adds the counts modulo 65,536.
fn tally(bytes: &[u8], counts: &mut Counts) {
    let mut tally = Box::new([0_u16; 1 << 16]);
    let (blocks, rest) = bytes.as_chunks();
    for &block in blocks {
        let patterns = u64::from_le_bytes(block);
        for shift in [0, 16, 32, 48] {
            let count = &mut tally[usize::from((patterns >> shift) as u16)];
            *count = count.wrapping_add(1);
        }
    }
    for &pattern in rest.as_chunks().0 {
        let count = &mut tally[usize::from(u16::from_le_bytes(pattern))];
        *count = count.wrapping_add(1);
    }
    counts.iter_mut().zip(tally.iter()).for_each(|(sum, &count)| *sum += u64::from(count));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_the_small_table_are_exact() {
        let pattern = |at: u32| if at.is_multiple_of(3) { (at % 1000) as u16 } else { 0x3C00 };
        let bytes: Vec<u8> = (0..400_000).flat_map(|at| pattern(at).to_le_bytes()).collect();
        let mut expected = vec![0_u64; 1 << 16];
        (0..400_000).for_each(|at| expected[usize::from(pattern(at))] += 1);
        assert!(expected[0x3C00] > 4 * u64::from(u16::MAX) && count(&bytes)[..] == expected[..]);
    }

    #[test]
    fn signs_share_a_level_and_what_is_not_finite_is_counted() {
        let values = [1.0, -1.0, -1.0, 2.0, f32::INFINITY, f32::NAN];
        let bytes: Vec<u8> =
            values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
        let population = of_f16(&bytes);
        assert_eq!((population.count(), population.nonfinite, population.levels.len()), (4, 2, 2));
        let rising: Vec<(f32, u64)> =
            population.rising().map(|bucket| (bucket.edge, bucket.count)).collect();
        assert_eq!(rising, [(-1.0, 2), (1.0, 1), (2.0, 1)]);
    }
}
