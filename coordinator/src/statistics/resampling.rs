//! The paired bootstrap: which groups of documents each draw takes, and the totals of columns over them. Knows no metric.

use std::sync::OnceLock;

use babelquant_proto::random::{below, key, stream};
use pulp::Arch;
use rayon::prelude::*;

/// Draws that are computed together: one pass over a column serves so many.
pub(super) const LANES: usize = 32;
/// Of these so many fill a register, or two.
const WIDTH: usize = 8;
/// Columns that share a pass over the weights: reading these costs more than multiplying.
const TOGETHER: usize = 4;
/// Weights that are remembered, 4 bytes each; of more groups and draws they are drawn anew each time. Those of a whole pool serve many
/// languages.
const REMEMBERED_MAX: usize = 1 << 21;
const REMEMBERED_OF_POOL_MAX: usize = 1 << 24;

/// A fixed sequence of resamples of groups, with replacement.
///
/// It depends on the seed and on labels alone. So every cell of a language is resampled by the same groups (cells are paired), and so are
/// languages and models whose groups have the same labels, as in a parallel corpus. Where one language lacks groups of another, both take
/// their groups from one sequence of picks among the labels of both, each passing over what it has not: a resample with replacement of
/// each, alike but for what is missing.
#[derive(Debug)]
pub struct Resampling {
    key: [u8; 32],
    /// The group, if it is one of these, of each label that is picked among.
    own: Vec<Option<u32>>,
    groups: usize,
    draws: usize,
    /// How often each group is taken, `[group][lane]`, of each block of draws that was asked for.
    remembered: Vec<OnceLock<Vec<[u32; LANES]>>>,
}

impl Resampling {
    /// Resamples groups with these labels; fewer than two groups are never resampled.
    pub fn new(seed: u64, labels: &[String], draws: u32) -> Self {
        Self::among(seed, labels, 0..labels.len(), draws)
    }

    /// Resamples the groups that stand at these places of a pool of labels.
    pub fn among(
        seed: u64,
        pool: &[String],
        places: impl ExactSizeIterator<Item = usize>,
        draws: u32,
    ) -> Self {
        let names = pool.iter().map(String::as_bytes);
        let key = key("babelquant bootstrap 1", seed, names);
        let groups = places.len();
        let mut own = vec![None; pool.len()];
        places.zip(0..).for_each(|(place, group)| own[place] = Some(group));
        let draws = if groups < 2 { 0 } else { draws as usize };
        let is_whole = groups == pool.len();
        let most = if is_whole { REMEMBERED_OF_POOL_MAX } else { REMEMBERED_MAX };
        let blocks = if groups * draws <= most { draws.div_ceil(LANES) } else { 0 };
        let remembered = (0..blocks).map(|_| OnceLock::new()).collect();
        Self { key, own, groups, draws, remembered }
    }

    /// For each column (one number a group, f64) its sum over the groups of each draw: `[column][draw]`. Every sum runs over
    /// the groups in order, so threads do not change a bit of it.
    pub fn totals(&self, columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
        totals(self.draws, columns, |block| self.multiplicities(block))
    }

    /// How often each group is taken by each of the block's draws: `[group][lane]`.
    fn multiplicities(&self, block: usize) -> Vec<[f64; LANES]> {
        let numbers =
            |taken: &Vec<[u32; LANES]>| taken.iter().map(|lanes| lanes.map(f64::from)).collect();
        match self.remembered.get(block) {
            Some(remembered) => numbers(remembered.get_or_init(|| self.taken(block))),
            None => numbers(&self.taken(block)),
        }
    }

    /// The same, drawn.
    fn taken(&self, block: usize) -> Vec<[u32; LANES]> {
        let mut taken = vec![[0; LANES]; self.groups];
        (0..LANES).for_each(|lane| {
            self.draw(block * LANES + lane).for_each(|group| taken[group][lane] += 1);
        });
        taken
    }

    /// The groups that a draw takes: as many as there are, each draw from a stream of its own.
    fn draw(&self, number: usize) -> impl Iterator<Item = usize> {
        let mut random = stream(self.key, number);
        let pick = move || self.own[below(self.own.len(), &mut random)];
        std::iter::repeat_with(pick).flatten().map(|group| group as usize).take(self.groups)
    }
}

/// For each column Σ weight·value over the groups under the weights of each draw, `[column][draw]`; `weights` gives those of a block of
/// draws, `[group][lane]`.
pub(super) fn totals(
    draws: usize,
    columns: &[Vec<f64>],
    weights: impl Fn(usize) -> Vec<[f64; LANES]> + Sync,
) -> Vec<Vec<f64>> {
    let (different, of_column) = different(columns);
    let blocks: Vec<Vec<[f64; LANES]>> = (0..draws.div_ceil(LANES))
        .into_par_iter()
        .map(|block| {
            let weights = weights(block);
            let together = different.chunks(TOGETHER).flat_map(|columns| {
                let column = |at: usize| *columns.get(at).unwrap_or(&columns[0]);
                let sums = weighted_sums(std::array::from_fn(column), &weights);
                sums.into_iter().take(columns.len())
            });
            together.collect()
        })
        .collect();
    let draws_of = |column: usize| blocks.iter().flat_map(move |block| block[column]);
    let columns = of_column.into_par_iter();
    columns.map(|column| draws_of(column).take(draws).collect()).collect()
}

/// The columns that are not the same as one before, and which of them each column is: cells of one language share sizes.
fn different(columns: &[Vec<f64>]) -> (Vec<&[f64]>, Vec<usize>) {
    let mut different: Vec<&[f64]> = Vec::new();
    let mut of_column = Vec::new();
    for column in columns {
        let known = different.iter().position(|known| *known == column.as_slice());
        of_column.push(known.unwrap_or(different.len()));
        if known.is_none() {
            different.push(column);
        }
    }
    (different, of_column)
}

/// Σ taken·value of each column for each lane; every lane adds in the order of the groups, whatever the machine's SIMD.
fn weighted_sums(columns: [&[f64]; TOGETHER], taken: &[[f64; LANES]]) -> [[f64; LANES]; TOGETHER] {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let columns = columns.map(|column| &column[..taken.len()]);
            let mut sums = [[0.0; LANES]; TOGETHER];
            for first in (0..LANES).step_by(WIDTH) {
                let wide = sums_of_width(columns, taken, first);
                for (sums, wide) in sums.iter_mut().zip(wide) {
                    sums[first..first + WIDTH].copy_from_slice(&wide);
                }
            }
            sums
        },
    )
}

/// The same for the lanes from `first` on that registers hold.
#[inline(always)]
fn sums_of_width(
    columns: [&[f64]; TOGETHER],
    taken: &[[f64; LANES]],
    first: usize,
) -> [[f64; WIDTH]; TOGETHER] {
    let mut sums = [[0.0; WIDTH]; TOGETHER];
    for (group, taken) in taken.iter().enumerate() {
        let taken: [f64; WIDTH] = std::array::from_fn(|lane| taken[first + lane]);
        for (sums, column) in sums.iter_mut().zip(columns) {
            let value = column[group];
            *sums = std::array::from_fn(|lane| sums[lane] + taken[lane] * value);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resampling(seed: u64, groups: usize, draws: u32) -> Resampling {
        let labels: Vec<String> = (0..groups).map(|index| format!("g{index}")).collect();
        Resampling::new(seed, &labels, draws)
    }

    #[test]
    fn each_draw_takes_as_many_groups_as_there_are() {
        let totals = resampling(1, 37, 21).totals(&[vec![1.0; 37]]);
        assert_eq!(totals, [vec![37.0; 21]]);
    }

    #[test]
    fn draws_depend_on_seed_and_labels_alone() {
        let column: Vec<f64> = (0..50).map(|i| f64::from(i * i % 17)).collect();
        let of =
            |resampling: Resampling, columns: &[Vec<f64>]| resampling.totals(columns)[0].clone();
        let alone = of(resampling(1, 50, 100), std::slice::from_ref(&column));
        assert_eq!(alone, of(resampling(1, 50, 100), &[column.clone(), vec![0.0; 50]]));
        assert_eq!(alone[..10], of(resampling(1, 50, 10), std::slice::from_ref(&column)));
        assert_ne!(alone, of(resampling(2, 50, 100), std::slice::from_ref(&column)));
    }

    /// Ten groups of which a second language lacks one: where a draw never picks that one, both take the same.
    #[test]
    fn what_one_language_lacks_leaves_the_others_paired() {
        let pool: Vec<String> = (0..10).map(|index| format!("g{index}")).collect();
        let draws = 400;
        let all = Resampling::new(1, &pool, draws);
        let some = Resampling::among(1, &pool, 0..9, draws);
        let alone = Resampling::new(1, &pool[..9], draws);
        let taken = |resampling: &Resampling, number| resampling.draw(number).collect::<Vec<_>>();
        let mut same = 0;
        for number in 0..draws as usize {
            let (of_all, of_some) = (taken(&all, number), taken(&some, number));
            let shared: Vec<usize> = of_all.iter().copied().filter(|group| *group < 9).collect();
            assert_eq!(of_some.len(), 9);
            let both = shared.len().min(9);
            assert_eq!(shared[..both], of_some[..both]);
            same += usize::from(of_some == taken(&alone, number));
        }
        assert!(same < 5, "{same}");
        let ones = some.totals(&[vec![1.0; 9]]);
        assert_eq!(ones, [vec![9.0; draws as usize]]);
    }

    /// The standard deviation of a resampled total is √(n·population variance).
    #[test]
    fn spread_is_that_of_a_bootstrap() {
        let column: Vec<f64> = (0..64).map(f64::from).collect();
        let totals = resampling(7, 64, 4000).totals(&[column]).remove(0);
        let mean = totals.iter().sum::<f64>() / 4000.0;
        let variance = totals.iter().map(|total| (total - mean).powi(2)).sum::<f64>() / 4000.0;
        let expected = (64.0_f64 * (64.0 * 64.0 - 1.0) / 12.0).sqrt();
        assert!((mean - 2016.0).abs() < 10.0, "{mean}");
        assert!((variance.sqrt() / expected - 1.0).abs() < 0.05, "{} {expected}", variance.sqrt());
    }

    #[test]
    fn one_group_is_not_resampled() {
        assert_eq!(resampling(1, 1, 10).totals(&[vec![3.0]]), [Vec::<f64>::new()]);
    }
}
