//! Every resample of m units with replacement, as counts of the units with integer weights: the exact bootstrap distribution of r.
//! Beyond `UNITS_MAX` units random resamples take its place (`bootstrap`).

use pulp::Arch;
use rayon::prelude::*;

use super::takings::{BINOMIALS, Takings};
use super::units::{EQUAL, Sums, Unit, correlation};

/// Units of which every resample is counted: C(27, 13) = 20,058,300 of 14.
pub const UNITS_MAX: usize = 14;
/// Buckets between −1 and 1, which find quantiles without sorting every resample.
const BUCKETS: usize = 1 << 12;

/// r* that are computed together.
const BLOCK: usize = 64;
/// Ways of the first half in one task: a constant, so that moments do not depend on threads.
const TASK: usize = 256;

/// The exact distribution of r* over all mᵐ sequences of draws.
///
/// The units are split in two. A resample takes some number of draws from the first half and the rest from the second, and its sums are
/// those of both: so the ways within each half are listed once, and every pair of a way of each makes a resample.
#[derive(Debug)]
pub(super) struct Exact {
    halves: [Vec<Takings>; 2],
    /// What all resamples came to.
    pub(super) tally: Tally,
}

/// Sums over resamples, each with its weight: how many of the mᵐ sequences give it. Integers but for the moments.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    /// Resamples with a correlation.
    pub(super) resamples: u64,
    /// Their weight.
    pub(super) defined: u64,
    /// Weight of the resamples without one, because a column is constant.
    pub(super) constant: u64,
    /// Weight of r* below r.
    pub(super) below: u64,
    /// Weight of r* equal to r.
    pub(super) equal: u64,
    /// Weight of r* of at least 0.
    pub(super) at_least_zero: u64,
    /// Σ weight·r*.
    pub(super) sum: f64,
    /// Σ weight·r*².
    pub(super) squares: f64,
    /// Weight by bucket.
    buckets: Vec<u64>,
}

impl Exact {
    /// Goes through every resample of the units, whose correlation all together is `r`; `None` beyond `UNITS_MAX` units and below two.
    pub(super) fn new(units: &[Unit], r: f64) -> Option<Self> {
        if !(2..=UNITS_MAX).contains(&units.len()) {
            return None;
        }
        let (first, second) = units.split_at(units.len() / 2);
        let halves = [first, second].map(|half| Takings::of(half, units.len()));
        let parts = each_task(&halves, Tally::empty, |tally, weight, value| {
            tally.push(weight, value, r);
        });
        let tally = parts.iter().fold(Tally::empty(), Tally::merge);
        Some(Self { halves, tally })
    }

    /// The smallest v with F(v) ≥ p for each p, F over the resamples with a correlation (science §E.3); `None` where there is none.
    pub(super) fn quantiles(&self, p: &[f64]) -> Option<Vec<f64>> {
        let places: Option<Vec<Place>> = p.iter().map(|&p| self.tally.place(p)).collect();
        let places = places?;
        let mut wanted = vec![false; BUCKETS];
        places.iter().for_each(|place| wanted[place.bucket] = true);
        let parts = each_task(&self.halves, Vec::new, |members: &mut Vec<Member>, weight, r| {
            if let Some(r) = r.filter(|&r| wanted[bucket(r)]) {
                members.push((r, weight));
            }
        });
        let mut members: Vec<Member> = parts.into_iter().flatten().collect();
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
        places.iter().map(|place| place.find(&members)).collect()
    }
}

/// Folds every resample — its weight and r*, `None` where a column is constant — into one result a task, in a fixed order.
fn each_task<T: Send>(
    halves: &[Vec<Takings>; 2],
    empty: impl Fn() -> T + Sync,
    push: impl Fn(&mut T, u64, Option<f64>) + Sync,
) -> Vec<T> {
    let draws = halves[0].len() - 1;
    let ways =
        |draws: usize| (0..halves[0][draws].count()).step_by(TASK).map(move |from| (draws, from));
    let tasks: Vec<(usize, usize)> = (0..=draws).flat_map(ways).collect();
    let task = |(taken, from): (usize, usize)| {
        let (first, second) = (&halves[0][taken], &halves[1][draws - taken]);
        let mut result = empty();
        for way in from..first.count().min(from + TASK) {
            let weight = BINOMIALS[draws][taken] * first.weights[way];
            let row = Row {
                sums: std::array::from_fn(|sum| first.sums[sum][way]),
                weight,
                values: first.values[way],
            };
            row.each(second, |weight, r| push(&mut result, weight, r));
        }
        result
    };
    tasks.into_par_iter().map(task).collect()
}

/// One way of the first half, with its weight in the whole.
#[derive(Debug)]
struct Row {
    sums: Sums,
    weight: u64,
    values: [u32; 2],
}

impl Row {
    /// The weight and r* together with each way of the second half. A constant column is told by its values, not by rounded sums.
    #[inline]
    fn each(&self, second: &Takings, mut visit: impl FnMut(u64, Option<f64>)) {
        let mut r = [0.0; BLOCK];
        for from in (0..second.count()).step_by(BLOCK) {
            let block = from..second.count().min(from + BLOCK);
            let sums = second.sums.each_ref().map(|column| &column[block.clone()]);
            self.correlations(sums, &mut r);
            for (at, r) in block.zip(r) {
                let constant = |axis: usize| self.values[axis] & second.values[at][axis] != 0;
                let defined = !constant(0) && !constant(1) && r.is_finite();
                visit(self.weight * second.weights[at], defined.then(|| r.clamp(-1.0, 1.0)));
            }
        }
    }

    fn correlations(&self, sums: [&[f64]; 6], r: &mut [f64; BLOCK]) {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (at, r) in r.iter_mut().enumerate().take(sums[0].len()) {
                    *r = correlation(std::array::from_fn(|sum| self.sums[sum] + sums[sum][at]));
                }
            },
        );
    }
}

/// A resample's r* and weight.
type Member = (f64, u64);

/// Where a quantile is: its bucket, the weight that is below the bucket, and the weight to reach.
#[derive(Debug, Clone, Copy)]
struct Place {
    bucket: usize,
    below: u64,
    reach: f64,
}

impl Place {
    /// The quantile among the sorted members of all wanted buckets.
    fn find(&self, members: &[Member]) -> Option<f64> {
        let first = members.partition_point(|(r, _)| bucket(*r) < self.bucket);
        let members = members[first..].iter().take_while(|(r, _)| bucket(*r) == self.bucket);
        let mut weight = self.below;
        let found = members.clone().find(|(_, more)| {
            weight += more;
            weight as f64 >= self.reach
        });
        found.or(members.last()).map(|(r, _)| *r)
    }
}

impl Tally {
    fn empty() -> Self {
        Self {
            resamples: 0,
            defined: 0,
            constant: 0,
            below: 0,
            equal: 0,
            at_least_zero: 0,
            sum: 0.0,
            squares: 0.0,
            buckets: vec![0; BUCKETS],
        }
    }

    #[inline]
    fn push(&mut self, weight: u64, resample: Option<f64>, r: f64) {
        let Some(value) = resample else {
            self.constant += weight;
            return;
        };
        let of = |holds: bool| if holds { weight } else { 0 };
        self.resamples += 1;
        self.defined += weight;
        self.below += of(value < r - EQUAL);
        self.equal += of((value - r).abs() <= EQUAL);
        self.at_least_zero += of(value >= -EQUAL);
        self.sum += weight as f64 * value;
        self.squares += weight as f64 * value * value;
        self.buckets[bucket(value)] += weight;
    }

    fn merge(mut self, other: &Self) -> Self {
        self.resamples += other.resamples;
        self.defined += other.defined;
        self.constant += other.constant;
        self.below += other.below;
        self.equal += other.equal;
        self.at_least_zero += other.at_least_zero;
        self.sum += other.sum;
        self.squares += other.squares;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, more)| *sum += more);
        self
    }

    /// The first bucket in which F reaches `p`; `None` where no resample has a correlation.
    fn place(&self, p: f64) -> Option<Place> {
        let (reach, mut below) = (p.clamp(0.0, 1.0) * self.defined as f64, 0);
        for (bucket, &weight) in self.buckets.iter().enumerate().filter(|(_, weight)| **weight > 0)
        {
            if (below + weight) as f64 >= reach {
                return Some(Place { bucket, below, reach });
            }
            below += weight;
        }
        None
    }
}

fn bucket(r: f64) -> usize {
    (((r + 1.0) / 2.0 * BUCKETS as f64) as usize).min(BUCKETS - 1)
}
