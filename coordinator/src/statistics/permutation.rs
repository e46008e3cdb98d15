//! The exact permutation test of a correlation: how many of the n! orders of one column correlate at least as strongly as the one observed.
//! Beyond `ORDERS_MAX` pairs random orders take its place (`shuffles`).

use rayon::prelude::*;

use super::buckets::Buckets;
use super::correlation::product;
use super::pairs::{Pairs, standardised};
use super::side::Side;

/// Pairs of which every order is counted: 18! of them.
pub const ORDERS_MAX: usize = 18;
/// How far below |r| an order still counts as equal, in |r| and at least: rounding, not chance.
const EQUAL: f64 = 1e-12;
const EQUAL_MIN: f64 = 1e-14;

/// Counts of orders. The null distribution is skewed, so that the two-sided p is not twice the one-sided one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Orders {
    /// All orders: n!.
    pub total: u64,
    /// Those with a correlation of at most r.
    pub at_most: u64,
    /// Those with a correlation of at least r.
    pub at_least: u64,
    /// Those with a |correlation| of at least |r|.
    pub as_strong: u64,
}

impl Orders {
    /// The two-sided p: the share of orders that correlate at least as strongly.
    pub fn p(&self) -> f64 {
        Side::Apart.p_of_orders(self)
    }

    /// The counts of both.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            at_most: self.at_most + other.at_most,
            at_least: self.at_least + other.at_least,
            as_strong: self.as_strong + other.as_strong,
        }
    }
}

/// Counts the orders of `pairs`; `None` beyond `ORDERS_MAX` pairs.
///
/// r is an increasing function of S = Σ aᵢ·b_π(i), a and b standardised. Each set of b that can fall to the lower half of a is taken
/// in turn, and the pairs of a sum within that half and a sum within the other that exceed a threshold are counted without forming them
/// (meet in the middle, science §E.4). Sets whose every order is on one side of a threshold, by the rearrangement inequality, are
/// counted whole.
pub fn orders(pairs: &Pairs) -> Option<Orders> {
    let n = pairs.count();
    if n > ORDERS_MAX {
        return None;
    }
    let (mut a, mut b) = (standardised(&pairs.x), standardised(&pairs.y));
    let r = product(&a, &b);
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let (strong, equal) = (r.abs(), rounding(r));
    let inner = if r < 0.0 { -strong - equal } else { strong + equal };
    let halves = Halves { a: &a, b: &b, thresholds: [strong - equal, equal - strong, inner] };
    let [positive, above_negative, above_inner] = halves.above();
    let total = factorial(n);
    let as_strong = if strong <= equal { total } else { positive + total - above_negative };
    let (at_most, at_least) = match r < 0.0 {
        true => (total - above_negative, above_inner),
        false => (total - above_inner, positive),
    };
    Some(Orders { total, at_most, at_least, as_strong })
}

/// How far from |r| an order still counts as equal to it.
pub(super) fn rounding(r: f64) -> f64 {
    (EQUAL * r.abs()).max(EQUAL_MIN)
}

/// |r|, −|r| and the far side of r, each moved by the rounding; numbers of orders with S of at least each.
const THRESHOLDS: usize = 3;

/// A test in two halves: both columns ascending.
#[derive(Debug)]
struct Halves<'a> {
    a: &'a [f64],
    b: &'a [f64],
    thresholds: [f64; THRESHOLDS],
}

impl Halves<'_> {
    fn above(&self) -> [u64; THRESHOLDS] {
        let n = self.a.len();
        let sets: Vec<u32> =
            (0..1_u32 << n).filter(|set| set.count_ones() as usize == n / 2).collect();
        let of = |room: &mut Room, set| self.of(set, room);
        let counted = sets.into_par_iter().map_init(Room::default, of);
        counted.reduce(Default::default, |a, b| std::array::from_fn(|at| a[at] + b[at]))
    }

    /// The orders that give the numbers of `set` to the lower half of a.
    fn of(&self, set: u32, room: &mut Room) -> [u64; THRESHOLDS] {
        let (low, high) = self.a.split_at(self.a.len() / 2);
        let numbers = |inside: bool| -> Vec<f64> {
            let at = |at: &usize| (set >> at & 1 == 1) == inside;
            (0..self.b.len()).filter(at).map(|at| self.b[at]).collect()
        };
        let (first, second) = (numbers(true), numbers(false));
        let range = Range {
            low: dot(low, first.iter().rev()) + dot(high, second.iter().rev()),
            high: dot(low, first.iter()) + dot(high, second.iter()),
        };
        let all = factorial(first.len()) * factorial(second.len());
        let decided = self.thresholds.map(|threshold| range.side(threshold, all));
        if let [Some(a), Some(b), Some(c)] = decided {
            return [a, b, c];
        }
        room.first.fill(low, &first);
        room.second.fill(high, &second);
        room.buckets.fill(&room.first.sums);
        let count = |threshold: f64| room.buckets.count(&room.second.sums, threshold);
        std::array::from_fn(|at| decided[at].unwrap_or_else(|| count(self.thresholds[at])))
    }
}

/// The least and the largest S of some orders.
#[derive(Debug)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// How many of `all` orders are above the threshold, if it does not part them; a threshold near an end does not count as decided.
    fn side(&self, threshold: f64, all: u64) -> Option<u64> {
        match threshold {
            _ if self.high < threshold - EQUAL => Some(0),
            _ if self.low > threshold + EQUAL => Some(all),
            _ => None,
        }
    }
}

fn dot<'a>(a: &[f64], b: impl Iterator<Item = &'a f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What counting one set needs, kept for the next for its memory.
#[derive(Debug, Default)]
struct Room {
    first: Sums,
    second: Sums,
    buckets: Buckets,
}

/// The sums of a half over all orders of its numbers.
#[derive(Debug, Default)]
struct Sums {
    of_sets: Vec<Vec<f64>>,
    sums: Vec<f64>,
}

impl Sums {
    /// Σ aᵢ·b_π(i) for every order π. The sums of the first k of a over each set of k numbers are those over the sets of one number
    /// fewer, plus a_k times that number.
    fn fill(&mut self, a: &[f64], b: &[f64]) {
        let all = (1_usize << b.len()) - 1;
        self.of_sets.resize_with(all + 1, Vec::new);
        self.of_sets[0] = vec![0.0];
        for set in 1..=all {
            let mut sums = std::mem::take(&mut self.of_sets[set]);
            sums.clear();
            let last = a[set.count_ones() as usize - 1];
            for (at, number) in b.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1) {
                let added = last * number;
                sums.extend(self.of_sets[set ^ 1 << at].iter().map(|sum| sum + added));
            }
            self.of_sets[set] = sums;
        }
        std::mem::swap(&mut self.sums, &mut self.of_sets[all]);
    }
}

/// n!, n at most 20.
fn factorial(n: usize) -> u64 {
    (1..=n as u64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every order one by one.
    fn brute(pairs: &Pairs) -> Orders {
        let (a, b) = (standardised(&pairs.x), standardised(&pairs.y));
        let r = product(&a, &b);
        let mut orders = Orders { total: 0, at_most: 0, at_least: 0, as_strong: 0 };
        permute(&mut b.clone(), 0, &mut |b| {
            let permuted: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            let equal = rounding(r);
            orders.total += 1;
            orders.at_most += u64::from(permuted <= r + equal);
            orders.at_least += u64::from(permuted >= r - equal);
            orders.as_strong += u64::from(permuted.abs() >= r.abs() - equal);
        });
        orders
    }

    fn permute(values: &mut [f64], from: usize, visit: &mut impl FnMut(&[f64])) {
        if from == values.len() {
            return visit(values);
        }
        for at in from..values.len() {
            values.swap(from, at);
            permute(values, from + 1, visit);
            values.swap(from, at);
        }
    }

    #[test]
    fn halves_meet_where_brute_force_arrives() {
        for n in 3..=8_u32 {
            for seed in 0..4 {
                let pair = |i: u32| {
                    (f64::from(i * i * (seed + 3) % 7), f64::from((i * 5 + seed) % (3 + seed)))
                };
                let Ok(pairs) = Pairs::new(&(0..n).map(pair).collect::<Vec<_>>()) else { continue };
                assert_eq!(orders(&pairs).unwrap(), brute(&pairs), "{pairs:?}");
            }
        }
    }

    #[test]
    fn ends_of_the_range() {
        let line: Vec<(f64, f64)> = (0..5_i32).map(|i| (i.into(), (-i).into())).collect();
        let found = orders(&Pairs::new(&line).unwrap()).unwrap();
        assert_eq!((found.total, found.at_most, found.at_least, found.as_strong), (120, 1, 120, 2));
        let none = orders(&Pairs::new(&[(1.0, 1.0), (2.0, 0.0), (3.0, 1.0)]).unwrap()).unwrap();
        assert_eq!(none.p(), 1.0);
        let many: Vec<(f64, f64)> = (0..19).map(|i| (f64::from(i), f64::from(i % 5))).collect();
        assert_eq!(orders(&Pairs::new(&many).unwrap()), None);
    }
}
