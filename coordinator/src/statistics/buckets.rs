//! Numbers grouped by size, so that those above another are counted by looking at one group of about none. Not a histogram: every
//! comparison is exact.

/// Groups for each number.
const SPARSE: usize = 4;
/// Numbers behind the last group that are above nothing, so that two can always be looked at.
const BEYOND: usize = 2;

/// The numbers, group by group.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    grid: Grid,
    grouped: Vec<f64>,
    /// Where each group begins; one more than groups.
    starts: Vec<u32>,
}

/// Which group a number belongs to.
#[derive(Debug, Clone, Copy, Default)]
struct Grid {
    least: f64,
    scale: f64,
    last: usize,
}

impl Grid {
    /// Never falls as the number rises, so that only numbers of one group need comparing.
    #[inline]
    fn group(self, value: f64) -> usize {
        (((value - self.least) * self.scale) as usize).min(self.last)
    }
}

impl Buckets {
    /// Groups other numbers; not empty.
    pub(super) fn fill(&mut self, values: &[f64]) {
        let groups = SPARSE * values.len();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scale = (groups as f64 / (most - least)).min(f64::MAX);
        let grid = Grid { least, scale, last: groups - 1 };
        self.grid = grid;
        self.starts.clear();
        self.starts.resize(groups + 1, 0);
        values.iter().for_each(|&value| self.starts[grid.group(value)] += 1);
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.grouped.clear();
        self.grouped.resize(values.len() + BEYOND, f64::NEG_INFINITY);
        for &value in values {
            let start = &mut self.starts[grid.group(value)];
            *start -= 1;
            self.grouped[*start as usize] = value;
        }
    }

    /// How many pairs of a grouped number and one of `others` have a sum of at least `threshold`.
    pub(super) fn count(&self, others: &[f64], threshold: f64) -> u64 {
        others.iter().map(|other| u64::from(self.at_least(threshold - other))).sum()
    }

    /// How many numbers are at least `value`. Two of its group are compared without a branch: it is rare to have more.
    #[inline]
    fn at_least(&self, value: f64) -> u32 {
        let group = self.grid.group(value);
        let (start, end) = (self.starts[group] as usize, self.starts[group + 1] as usize);
        let reaches = |at: usize| u32::from((at < end) & (self.grouped[at] >= value));
        let above = (self.grouped.len() - BEYOND - end) as u32;
        above + reaches(start) + reaches(start + 1) + (start + 2..end).map(reaches).sum::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_a_sorted_list() {
        let number = |i: u32| f64::from(i * i % 101) / 7.0 - 3.0;
        let mut buckets = Buckets::default();
        for count in [1, 2, 40, 300] {
            let values: Vec<f64> = (0..count).map(number).collect();
            buckets.fill(&values);
            for threshold in (0..60).map(|i| number(i) + f64::from(i % 3) * 1e-3) {
                let expected = values.iter().filter(|value| **value >= threshold).count() as u64;
                assert_eq!(buckets.count(&[0.0], threshold), expected, "{count} {threshold}");
            }
        }
        buckets.fill(&[2.5; 9]);
        assert_eq!([2.0, 2.5, 3.0].map(|at| buckets.count(&[0.0, 1.0], at)), [18, 18, 9]);
    }
}
