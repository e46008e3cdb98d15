//! Every way to take some units with replacement, column by column: one half of what `compositions` puts together.

use super::compositions::UNITS_MAX;
use super::units::{Sums, Unit};

const ROWS: usize = UNITS_MAX + 1;

/// n over k, n up to `UNITS_MAX`.
pub(super) const BINOMIALS: [[u64; ROWS]; ROWS] = {
    let mut table = [[0; ROWS]; ROWS];
    let mut n = 0;
    while n < ROWS {
        table[n][0] = 1;
        let mut k = 1;
        while k <= n {
            table[n][k] = table[n - 1][k - 1] + table[n - 1][k];
            k += 1;
        }
        n += 1;
    }
    table
};

/// The ways to take one number of units.
#[derive(Debug, Default)]
pub(super) struct Takings {
    /// Each of the six sums, a number a way.
    pub(super) sums: [Vec<f64>; 6],
    /// How many sequences of draws give each way.
    pub(super) weights: Vec<u64>,
    /// The values of x and y that everything taken has; 0 where it differs.
    pub(super) values: Vec<[u32; 2]>,
}

impl Takings {
    /// The ways to take 0, 1, … `draws` of these units.
    pub(super) fn of(units: &[Unit], draws: usize) -> Vec<Self> {
        let mut takings: Vec<Self> = (0..=draws).map(|_| Self::default()).collect();
        let nothing = Way { taken: 0, weight: 1, sums: [0.0; 6], values: [u32::MAX; 2] };
        nothing.walk(units, draws, &mut |way| takings[way.taken].push(way));
        takings
    }

    /// How many ways.
    pub(super) fn count(&self) -> usize {
        self.weights.len()
    }

    fn push(&mut self, way: &Way) {
        self.sums.iter_mut().zip(way.sums).for_each(|(column, sum)| column.push(sum));
        self.weights.push(way.weight);
        self.values.push(way.values);
    }
}

/// Some units taken: how many, in how many sequences of draws, and what they add up to.
#[derive(Debug, Clone, Copy)]
struct Way {
    taken: usize,
    weight: u64,
    sums: Sums,
    values: [u32; 2],
}

impl Way {
    /// Visits every way to go on with these units to at most `draws`.
    fn walk(self, units: &[Unit], draws: usize, visit: &mut impl FnMut(&Self)) {
        let Some((unit, rest)) = units.split_first() else { return visit(&self) };
        for count in 0..=draws - self.taken {
            self.with(unit, count).walk(rest, draws, visit);
        }
    }

    /// The same with a unit taken `count` times more.
    fn with(mut self, unit: &Unit, count: usize) -> Self {
        if count == 0 {
            return self;
        }
        self.taken += count;
        self.weight *= BINOMIALS[self.taken][count];
        self.values[0] &= unit.x_value;
        self.values[1] &= unit.y_value;
        self.sums.iter_mut().zip(unit.sums).for_each(|(sum, more)| *sum += count as f64 * more);
        self
    }
}
