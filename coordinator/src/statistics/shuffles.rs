//! Random orders of rows, the same for every test of a family: Monte Carlo p values and the max-T correction. Exact counts of few pairs
//! stand in `permutation`.

use babelquant_proto::random::{below, key, stream};
use pulp::Arch;
use rayon::prelude::*;

use super::correlation::product;
use super::pairs::{Pairs, standardised};
use super::permutation::{Orders, rounding};

/// Tests that are computed together, one a lane.
const LANES: usize = 32;
/// Draws of one task: a constant, so that results do not depend on threads (they are counts, and would not anyway).
const TASK: usize = 64;

/// A fixed sequence of random orders of n rows.
///
/// It depends on the seed and on n alone: all tests over the same rows see the same orders, which keeps their dependence (max-T).
#[derive(Debug, Clone, Copy)]
pub struct Shuffles {
    key: [u8; 32],
    draws: usize,
}

/// p values of one test of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shuffled {
    /// Two-sided p of the test alone: (1 + #{|r_π| ≥ |r|}) / (1 + draws).
    pub p: f64,
    /// Corrected for the family: (1 + #{max over the tests of |r_π| ≥ |r|}) / (1 + draws) (Westfall & Young 1993, single step).
    pub family_p: f64,
}

impl Shuffles {
    /// So many orders.
    pub fn new(seed: u64, draws: u32) -> Self {
        let key = key("babelquant shuffles 1", seed, std::iter::empty());
        Self { key, draws: draws as usize }
    }

    /// The p values of a family of tests; row i of every test is the same language. Without draws every p is 1.
    ///
    /// # Panics
    /// Tests have different numbers of rows.
    pub fn family(&self, tests: &[Pairs]) -> Vec<Shuffled> {
        let Some(rows) = tests.first().map(Pairs::count) else { return Vec::new() };
        assert!(
            tests.iter().all(|test| test.count() == rows),
            "tests of a family share their rows"
        );
        let blocks: Vec<Block> = tests.chunks(LANES).map(Block::new).collect();
        let tasks: Vec<Counts> = (0..self.draws.div_ceil(TASK))
            .into_par_iter()
            .map(|task| self.task(task * TASK..self.draws.min((task + 1) * TASK), rows, &blocks))
            .collect();
        let mut largest: Vec<f64> = tasks.iter().flat_map(|task| task.largest.clone()).collect();
        largest.sort_by(f64::total_cmp);
        let p = |count: usize| (1 + count) as f64 / (1 + self.draws) as f64;
        let of = |test: usize| {
            let (block, lane) = (test / LANES, test % LANES);
            let alone = tasks.iter().map(|task| task.extreme[block][lane] as usize).sum();
            let threshold = blocks[block].thresholds[lane];
            let below = largest.partition_point(|largest| *largest < threshold);
            Shuffled { p: p(alone), family_p: p(largest.len() - below) }
        };
        (0..tests.len()).map(of).collect()
    }

    /// Counts over the random orders and the one observed, as `orders` does over all: each p is (1 + those as far) / (1 + draws).
    pub fn orders(&self, pairs: &Pairs) -> Orders {
        let (a, b) = (standardised(&pairs.x), standardised(&pairs.y));
        let r = product(&a, &b);
        let equal = rounding(r);
        let drawn = (0..self.draws).into_par_iter().map(|draw| {
            let order = self.order(draw, a.len());
            a.iter().zip(order).map(|(a, at)| a * b[at]).sum::<f64>()
        });
        let observed = Orders { total: 1, at_most: 1, at_least: 1, as_strong: 1 };
        let nothing = || Orders { total: 0, at_most: 0, at_least: 0, as_strong: 0 };
        let counted = drawn.map(|drawn| Orders {
            total: 1,
            at_most: u64::from(drawn <= r + equal),
            at_least: u64::from(drawn >= r - equal),
            as_strong: u64::from(drawn.abs() >= r.abs() - equal),
        });
        counted.reduce(nothing, Orders::plus).plus(observed)
    }

    fn task(&self, draws: std::ops::Range<usize>, rows: usize, blocks: &[Block]) -> Counts {
        let orders: Vec<Vec<usize>> = draws.map(|draw| self.order(draw, rows)).collect();
        let mut counts = Counts { extreme: Vec::new(), largest: vec![0.0; orders.len()] };
        for block in blocks {
            let mut extreme = [0.0; LANES];
            for (order, largest) in orders.iter().zip(&mut counts.largest) {
                *largest = block.draw(order, &mut extreme).max(*largest);
            }
            counts.extreme.push(extreme.map(|count| count as u32));
        }
        counts
    }

    /// A random order of the rows (Fisher & Yates).
    fn order(&self, draw: usize, rows: usize) -> Vec<usize> {
        let mut random = stream(self.key, draw);
        let mut order: Vec<usize> = (0..rows).collect();
        for last in (1..rows).rev() {
            order.swap(last, below(last + 1, &mut random));
        }
        order
    }
}

/// What some draws came to.
#[derive(Debug)]
struct Counts {
    /// Draws at least as strong as observed, by block and lane.
    extreme: Vec<[u32; LANES]>,
    /// The strongest |r| of each draw over all tests.
    largest: Vec<f64>,
}

/// Some tests side by side: row by row, a lane each; lanes without a test hold zeros.
#[derive(Debug)]
struct Block {
    x: Vec<[f64; LANES]>,
    y: Vec<[f64; LANES]>,
    /// |r| less the rounding; infinite for lanes without a test.
    thresholds: [f64; LANES],
}

impl Block {
    fn new(tests: &[Pairs]) -> Self {
        let rows = tests.first().map_or(0, Pairs::count);
        let (mut x, mut y) = (vec![[0.0; LANES]; rows], vec![[0.0; LANES]; rows]);
        let mut thresholds = [f64::INFINITY; LANES];
        for (lane, test) in tests.iter().enumerate() {
            let (a, b) = (standardised(&test.x), standardised(&test.y));
            let r = product(&a, &b);
            thresholds[lane] = r.abs() - rounding(r);
            a.iter().zip(&mut x).for_each(|(value, row)| row[lane] = *value);
            b.iter().zip(&mut y).for_each(|(value, row)| row[lane] = *value);
        }
        Self { x, y, thresholds }
    }

    /// The largest |r| of one order; counts the lanes that reach their threshold.
    fn draw(&self, order: &[usize], extreme: &mut [f64; LANES]) -> f64 {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let mut sums = [0.0; LANES];
                for (x, &at) in self.x.iter().zip(order) {
                    let y = &self.y[at];
                    for lane in 0..LANES {
                        sums[lane] += x[lane] * y[lane];
                    }
                }
                let mut largest: f64 = 0.0;
                for lane in 0..LANES {
                    let strength = sums[lane].abs();
                    extreme[lane] += f64::from(u8::from(strength >= self.thresholds[lane]));
                    largest = largest.max(strength);
                }
                largest
            },
        )
    }
}
