//! Random signs of groups, the same for every test of a family: the null distribution of paired differences. Random orders of rows stand in
//! `shuffles`, resamples in `resampling`.

use babelquant_proto::random::{below, key, stream};

use super::pairs::norm;
use super::resampling::{LANES, totals};

/// A fixed sequence of random signs, one for each group and draw.
///
/// A group's signs depend on the seed and its label alone. So all cells of a language see the same signs, and so do languages whose groups
/// have the same labels, as in a parallel corpus: a family keeps its dependence over layers and over languages.
#[derive(Debug)]
pub struct Signs {
    /// By group: a bit a draw.
    bits: Vec<Vec<u32>>,
    draws: usize,
}

impl Signs {
    /// The signs of groups with these labels.
    pub fn new(seed: u64, labels: &[String], draws: u32) -> Self {
        let draws = draws as usize;
        let of = |label: &String| {
            let key = key("babelquant signs 1", seed, std::iter::once(label.as_bytes()));
            let mut random = stream(key, 0);
            (0..draws.div_ceil(LANES)).map(|_| below(1 << LANES, &mut random) as u32).collect()
        };
        Self { bits: labels.iter().map(of).collect(), draws }
    }

    /// For each column δ (one difference a group) its strength |Σ ±δ_g| / √Σδ_g² under the signs of each draw: `[column][draw]`. Where all
    /// groups are of one size it grows with the |t| of a paired test.
    pub fn strengths(&self, columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut drawn = totals(self.draws, columns, |block| self.signs(block));
        for (column, sums) in columns.iter().zip(&mut drawn) {
            let size = norm(column);
            sums.iter_mut().for_each(|sum| *sum = over(*sum, size));
        }
        drawn
    }

    /// The signs of a block of draws: `[group][lane]`.
    fn signs(&self, block: usize) -> Vec<[f64; LANES]> {
        let sign = |bits: u32, lane: usize| f64::from(((bits >> lane) & 1) as i32 * 2 - 1);
        let of = |bits: &Vec<u32>| std::array::from_fn(|lane| sign(bits[block], lane));
        self.bits.iter().map(of).collect()
    }
}

/// The strength of a column as observed, every sign positive.
pub fn strength(column: &[f64]) -> f64 {
    over(column.iter().sum(), norm(column))
}

/// |sum| / norm; 0 where every difference is 0.
fn over(sum: f64, norm: f64) -> f64 {
    if norm > 0.0 { sum.abs() / norm } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::goldens::{close, inference};
    use super::super::multiplicity::Strongest;
    use super::*;

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|group| format!("g{group}")).collect()
    }

    /// p values over random signs come near those of all 2¹² signs, which numpy counted.
    #[test]
    fn random_signs_are_near_all_signs() {
        let draws = 40_000;
        for golden in inference("sign_families") {
            let columns: Vec<Vec<f64>> = serde_json::from_value(golden["tests"].clone()).unwrap();
            let drawn = Signs::new(3, &labels(12), draws).strengths(&columns);
            let mut family = Strongest::new(draws as usize);
            drawn.iter().for_each(|draws| family.push(draws));
            for (test, column) in columns.iter().enumerate() {
                let number = |key: &str| golden[key][test].as_f64().unwrap();
                close(strength(column), number("strengths"), "strength");
                let found = family.p(strength(column));
                assert!((found - number("family_p")).abs() < 0.01, "{test}: {found}");
            }
        }
    }

    #[test]
    fn a_groups_signs_depend_on_its_label_and_the_seed_alone() {
        let (column, few) = (vec![vec![1.0, 0.0, 0.0], vec![1.0, 2.0, 4.0]], labels(3));
        let found = Signs::new(1, &few, 70).strengths(&column);
        assert_eq!((found[0].len(), &found[0]), (70, &vec![1.0; 70]));
        let turned: Vec<String> = few.iter().rev().cloned().collect();
        let again = Signs::new(1, &turned, 70).strengths(&[vec![4.0, 2.0, 1.0]]);
        assert_eq!(again[0], found[1]);
        assert_ne!(Signs::new(2, &few, 70).strengths(&column)[1], found[1]);
        assert_eq!(strength(&[0.0, 0.0]), 0.0);
    }
}
