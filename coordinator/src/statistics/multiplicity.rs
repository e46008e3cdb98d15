//! p values of a family of tests, corrected for its size. Those of correlations by random orders stand in `shuffles`.

/// Holm's step-down p: p̃₍ₖ₎ = max over j ≤ k of min(1, (m−j+1)·p₍ⱼ₎). It bounds the probability of any false positive (Holm 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let m = p.len();
    let mut corrected = vec![0.0; m];
    let mut largest: f64 = 0.0;
    for (rank, at) in ascending(p).into_iter().enumerate() {
        largest = largest.max(((m - rank) as f64 * p[at]).min(1.0));
        corrected[at] = largest;
    }
    corrected
}

/// Benjamini and Hochberg's p: p̃₍ₖ₎ = min over j ≥ k of min(1, m·p₍ⱼ₎/j). It bounds the expected share of false positives among the
/// positives of independent or positively dependent tests (1995).
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let m = p.len();
    let mut corrected = vec![0.0; m];
    let mut smallest: f64 = 1.0;
    for (rank, at) in ascending(p).into_iter().enumerate().rev() {
        smallest = smallest.min(m as f64 / (rank + 1) as f64 * p[at]);
        corrected[at] = smallest;
    }
    corrected
}

/// How far a statistic may fall below another and still count as equal: rounding, not chance.
const EQUAL: f64 = 1e-12;

/// The strongest statistic of each draw over the tests of a family, all under the same draws (max-T).
#[derive(Debug, Clone)]
pub struct Strongest(Vec<f64>);

impl Strongest {
    /// A family without tests under so many draws.
    pub fn new(draws: usize) -> Self {
        Self(vec![0.0; draws])
    }

    /// Takes a test's statistic under each draw.
    pub fn push(&mut self, draws: &[f64]) {
        self.0
            .iter_mut()
            .zip(draws)
            .for_each(|(strongest, other)| *strongest = strongest.max(*other));
    }

    /// p of a test of the family, corrected for all of them: (1 + #{strongest ≥ its statistic}) / (1 + draws) (Westfall & Young 1993, single
    /// step).
    pub fn p(&self, statistic: f64) -> f64 {
        let threshold = statistic * (1.0 - EQUAL);
        let as_strong = self.0.iter().filter(|strongest| **strongest >= threshold).count();
        (1 + as_strong) as f64 / (1 + self.0.len()) as f64
    }
}

/// Positions in the order of their p.
fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_by_hand() {
        let mut family = Strongest::new(3);
        family.push(&[1.0, 5.0, 2.0]);
        family.push(&[3.0, 0.0, 2.0]);
        assert_eq!([5.0, 3.0, 2.5, 0.0, 9.0].map(|of| family.p(of)), [0.5, 0.75, 0.75, 1.0, 0.25]);
    }

    /// Five predictors of the earlier study; statsmodels' `multipletests`.
    #[test]
    fn statsmodels_goldens() {
        let p = [
            0.001_408_605_260_438_416_5,
            0.000_208_338_637_193_736_52,
            0.000_235_855_260_151_427_78,
            0.008_549_926_847_962_373,
            0.184_395_168_984_906_65,
        ];
        let check = |found: Vec<f64>, expected: [f64; 5]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
            }
        };
        check(
            holm(&p),
            [
                0.004_225_815_781_315_249,
                0.001_041_693_185_968_682_5,
                0.001_041_693_185_968_682_5,
                0.017_099_853_695_924_747,
                0.184_395_168_984_906_65,
            ],
        );
        check(
            benjamini_hochberg(&p),
            [
                0.002_347_675_434_064_028,
                0.000_589_638_150_378_569_4,
                0.000_589_638_150_378_569_4,
                0.010_687_408_559_952_967,
                0.184_395_168_984_906_65,
            ],
        );
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
        assert_eq!(
            (holm(&[0.7, 0.6]), benjamini_hochberg(&[0.7, 0.6])),
            (vec![1.0; 2], vec![0.7; 2])
        );
    }
}
