//! The bootstrap of r over rows or clusters of rows: exact for few, random resamples for many. Not that of ratios over documents, which is
//! the percentile interval of `resampling`'s totals.

use rayon::prelude::*;

use super::clusters::Clusters;
use super::compositions::{Exact, UNITS_MAX};
use super::correlation::product_moment;
use super::distribution::{normal_cdf, normal_quantile};
use super::interval::Interval;
use super::jackknife::jackknife;
use super::pairs::Pairs;
use super::quantile::quantile;
use super::resampling::Resampling;
use super::units::{EQUAL, Sums, Unit, correlation, units};

/// How a bootstrap is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resamples {
    /// Coverage that its intervals aim at.
    pub confidence: f64,
    /// Seed of random resamples.
    pub seed: u64,
    /// How many random resamples, where not all can be counted.
    pub draws: u32,
}

/// The bootstrap distribution of r.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Resamples with a correlation: all there are where `exact`, else random ones.
    pub resamples: u64,
    /// True where every resample was counted with its probability.
    pub exact: bool,
    /// Probability of a resample without a correlation, because a column of it is constant.
    pub constant: f64,
    /// Mean of r*.
    pub mean: f64,
    /// Standard deviation of r*: the bootstrap's standard error.
    pub error: f64,
    /// Median of r*.
    pub median: f64,
    /// Probability that r* is at least 0.
    pub at_least_zero: f64,
    /// The interval between the (1∓confidence)/2 quantiles of r*.
    pub percentile: Interval,
    /// The bias-corrected and accelerated interval.
    pub bca: Option<Bca>,
}

/// Efron's interval, whose quantiles are moved for bias and for a spread that changes with r (1987, science §E.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bca {
    /// z₀ = Φ⁻¹((P(r* < r) + P(r* ≤ r))/2).
    pub bias: f64,
    /// a, the jackknife's.
    pub acceleration: f64,
    /// Φ(z₀ + (z₀ + z)/(1 − a(z₀ + z))) at both ends.
    pub levels: [f64; 2],
    /// The quantiles of r* at those levels.
    pub interval: Interval,
}

/// Resamples clusters of rows; `None` where there is one cluster, or no resample has a correlation.
pub fn bootstrap(pairs: &Pairs, clusters: &Clusters, resamples: Resamples) -> Option<Bootstrap> {
    bootstraps(std::slice::from_ref(pairs), clusters, resamples).pop().flatten()
}

/// The same by random resamples, however few the clusters are: what the exact one is held against, and quick enough for a thousand studies.
pub fn random_bootstrap(
    pairs: &Pairs,
    clusters: &Clusters,
    resamples: Resamples,
) -> Option<Bootstrap> {
    of_some(&[Sample::new(pairs, clusters, resamples.confidence)], resamples).pop().flatten()
}

/// Tests that are resampled together, with the same draws.
const TOGETHER: usize = 32;

/// The same for several tests over the same rows, whose random resamples take the same clusters.
pub fn bootstraps(
    tests: &[Pairs],
    clusters: &Clusters,
    resamples: Resamples,
) -> Vec<Option<Bootstrap>> {
    let together = |tests: &[Pairs]| -> Vec<Option<Bootstrap>> {
        let samples: Vec<Sample> =
            tests.iter().map(|pairs| Sample::new(pairs, clusters, resamples.confidence)).collect();
        match clusters.count() {
            0 | 1 => tests.iter().map(|_| None).collect(),
            2..=UNITS_MAX => samples.iter().map(Sample::of_all).collect(),
            _ => of_some(&samples, resamples),
        }
    };
    tests.chunks(TOGETHER).flat_map(together).collect()
}

/// The bootstraps of samples over the same clusters by the same random resamples.
fn of_some(samples: &[Sample], resamples: Resamples) -> Vec<Option<Bootstrap>> {
    let drawn = draw(samples, resamples.seed, resamples.draws);
    samples.par_iter().zip(drawn).map(|(sample, drawn)| sample.of_some(&drawn)).collect()
}

/// A sample that is resampled.
#[derive(Debug)]
struct Sample {
    r: f64,
    units: Vec<Unit>,
    acceleration: Option<f64>,
    confidence: f64,
}

impl Sample {
    fn new(pairs: &Pairs, clusters: &Clusters, confidence: f64) -> Self {
        let leverage = jackknife(pairs, clusters).summary;
        Self {
            r: product_moment(&pairs.x, &pairs.y),
            units: units(pairs, clusters),
            acceleration: leverage.and_then(|leverage| leverage.acceleration),
            confidence,
        }
    }

    fn tail(&self) -> f64 {
        (1.0 - self.confidence) / 2.0
    }

    fn of_all(&self) -> Option<Bootstrap> {
        let exact = Exact::new(&self.units, self.r)?;
        let tally = &exact.tally;
        let share = |weight: u64| weight as f64 / tally.defined as f64;
        let levels = self.levels(share(tally.below), share(tally.below + tally.equal));
        let mut p = vec![self.tail(), 1.0 - self.tail(), 0.5];
        p.extend(levels.iter().flat_map(|levels| levels.levels));
        let quantiles = exact.quantiles(&p)?;
        let mean = tally.sum / tally.defined as f64;
        Some(Bootstrap {
            resamples: tally.resamples,
            exact: true,
            constant: tally.constant as f64 / (tally.constant + tally.defined) as f64,
            mean,
            error: (tally.squares / tally.defined as f64 - mean * mean).max(0.0).sqrt(),
            median: quantiles[2],
            at_least_zero: share(tally.at_least_zero),
            percentile: Interval { low: quantiles[0], high: quantiles[1] },
            bca: levels.map(|levels| levels.interval(quantiles[3], quantiles[4])),
        })
    }

    fn of_some(&self, drawn: &[Option<f64>]) -> Option<Bootstrap> {
        let mut sorted: Vec<f64> = drawn.iter().copied().flatten().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |level: f64| quantile(&sorted, level);
        let percentile = Interval::of_sorted(&sorted, self.confidence)?;
        let count = sorted.len() as f64;
        let below = |value: f64| sorted.partition_point(|other| *other < value) as f64 / count;
        let levels = self.levels(below(self.r - EQUAL), below(self.r + EQUAL));
        let bca = levels.and_then(|levels| {
            let [low, high] = levels.levels.map(at);
            Some(levels.interval(low?, high?))
        });
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        Some(Bootstrap {
            resamples: sorted.len() as u64,
            exact: false,
            constant: 1.0 - count / drawn.len() as f64,
            mean,
            error: variance.sqrt(),
            median: at(0.5)?,
            at_least_zero: 1.0 - below(-EQUAL),
            percentile,
            bca,
        })
    }

    /// The levels of the BCa interval, from P(r* < r) and P(r* ≤ r).
    fn levels(&self, below: f64, at_most: f64) -> Option<Levels> {
        Levels::new((below + at_most) / 2.0, self.acceleration?, self.tail())
    }
}

/// Variance, as a share of the mean square, below which rounded sums cannot tell a column from a constant one.
const CONSTANT: f64 = 1e-13;

/// r* of random resamples of each sample; `None` where a column of one is constant.
fn draw(samples: &[Sample], seed: u64, draws: u32) -> Vec<Vec<Option<f64>>> {
    let column =
        |sample: &Sample, sum: usize| sample.units.iter().map(|unit| unit.sums[sum]).collect();
    let columns: Vec<Vec<f64>> =
        samples.iter().flat_map(|sample| (0..6).map(move |sum| column(sample, sum))).collect();
    let labels: Vec<String> = (0..columns[0].len()).map(|unit| unit.to_string()).collect();
    let totals = Resampling::new(seed, &labels, draws).totals(&columns);
    let of = |totals: &[Vec<f64>; 6], draw: usize| {
        let sums: Sums = std::array::from_fn(|sum| totals[sum][draw]);
        let [n, x, y, xx, yy, _] = sums;
        let varies = |sum: f64, square: f64| n * square - sum * sum > CONSTANT * n * square;
        (varies(x, xx) && varies(y, yy)).then(|| correlation(sums).clamp(-1.0, 1.0))
    };
    let samples = totals.as_chunks::<6>().0.par_iter();
    samples.map(|totals| (0..totals[0].len()).map(|draw| of(totals, draw)).collect()).collect()
}

/// The levels of a BCa interval.
#[derive(Debug, Clone, Copy)]
struct Levels {
    bias: f64,
    acceleration: f64,
    levels: [f64; 2],
}

impl Levels {
    /// `None` where all of r* lies on one side of r.
    fn new(middle: f64, acceleration: f64, tail: f64) -> Option<Self> {
        let bias = normal_quantile(middle);
        let level = |tail: f64| {
            let z = bias + normal_quantile(tail);
            normal_cdf(bias + z / (1.0 - acceleration * z))
        };
        let levels = [level(tail), level(1.0 - tail)];
        let defined = bias.is_finite() && levels.iter().all(|level| level.is_finite());
        defined.then_some(Self { bias, acceleration, levels })
    }

    fn interval(self, low: f64, high: f64) -> Bca {
        let Self { bias, acceleration, levels } = self;
        Bca { bias, acceleration, levels, interval: Interval { low, high } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(count: usize) -> Clusters {
        Clusters::single(&vec![String::new(); count])
    }

    /// Random resamples of the earlier study's 14 languages come within ±0.01 of all resamples.
    #[test]
    fn random_resamples_are_near_all_resamples() {
        let table = include_str!("../../../tests/golden/phase1.csv").lines().skip(1);
        let pair = |line: &str| {
            let mut cells = line.split(',').skip(1).map(|cell| cell.parse().unwrap());
            (cells.next().unwrap(), cells.next().unwrap())
        };
        let pairs = Pairs::new(&table.map(pair).collect::<Vec<_>>()).unwrap();
        let resamples = Resamples { confidence: 0.95, seed: 5, draws: 10_000 };
        let all = bootstrap(&pairs, &clusters(14), resamples).unwrap();
        let some = random_bootstrap(&pairs, &clusters(14), resamples).unwrap();
        let numbers = |found: &Bootstrap| {
            let bca = found.bca.unwrap().interval;
            let Interval { low, high } = found.percentile;
            [
                found.mean,
                found.error,
                found.median,
                found.at_least_zero,
                low,
                high,
                bca.low,
                bca.high,
            ]
        };
        assert!(all.exact && !some.exact);
        for (some, all) in numbers(&some).into_iter().zip(numbers(&all)) {
            assert!((some - all).abs() < 0.01, "{some} {all}");
        }
    }

    /// Three rows, 27 sequences of draws by hand: 3 take one row only, 18 two (r = ±1), 6 all three.
    #[test]
    fn three_rows_by_hand() {
        let pairs = Pairs::new(&[(0.0, 0.0), (1.0, 1.0), (2.0, 0.5)]).unwrap();
        let resamples = Resamples { confidence: 0.95, seed: 1, draws: 10 };
        let found = bootstrap(&pairs, &clusters(3), resamples).unwrap();
        assert_eq!((found.resamples, found.exact), (7, true));
        assert!((found.constant - 3.0 / 27.0).abs() < 1e-15);
        let r = product_moment(&pairs.x, &pairs.y);
        assert!((found.mean - (12.0 - 6.0 + 6.0 * r) / 24.0).abs() < 1e-12);
        assert_eq!((found.percentile.low, found.percentile.high), (-1.0, 1.0));
        assert!((found.at_least_zero - 18.0 / 24.0).abs() < 1e-15);
    }

    #[test]
    fn a_tie_makes_resamples_constant() {
        let pairs = Pairs::new(&[(0.1, 1.0), (0.1, 2.0), (0.3, 0.7)]).unwrap();
        let resamples = Resamples { confidence: 0.95, seed: 1, draws: 10 };
        let found = bootstrap(&pairs, &clusters(3), resamples).unwrap();
        assert_eq!(found.resamples, 5);
    }

    #[test]
    fn without_draws_there_is_none_beyond_the_exact_ones() {
        let pairs: Vec<(f64, f64)> =
            (0..20).map(|i| (f64::from(i), f64::from(i * i % 9))).collect();
        let pairs = Pairs::new(&pairs).unwrap();
        let of = |draws| {
            bootstrap(&pairs, &clusters(20), Resamples { confidence: 0.95, seed: 1, draws })
        };
        assert!(of(0).is_none() && of(200).is_some_and(|found| !found.exact));
    }
}
