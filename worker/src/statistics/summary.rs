//! The statistics of a population and their row.

use std::borrow::Cow;

use babelquant_proto::rows::WeightRow;
use babelquant_proto::{Layer, Moments};

use super::collect::{Collected, Wanted};
use super::l_moments::LMoments;
use super::magnitudes::Magnitudes;
use super::population::Population;
use super::quantile::Position;
use super::top::Ends;

/// Statistics of the finite weights of a tensor or a group. Undefined ones are `None`; `reason` says why.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightStatistics {
    /// Count, mean and central power sums; with std, skewness and kurtosis.
    pub moments: Moments,
    /// Weights that are NaN or infinite; every statistic leaves them out.
    pub nonfinite: u64,
    /// L-skewness τ3 = λ3/λ2 (Hosking 1990).
    pub l_skewness: Option<f64>,
    /// L-kurtosis τ4 = λ4/λ2; 30/π·atan √2 − 9 = 0.1226 for a Gaussian.
    pub l_kurtosis: Option<f64>,
    /// Weights with |w| > 3·std, not mean-centred.
    pub outliers_3std: u64,
    /// Weights with |w| > 6·std, not mean-centred.
    pub outliers_6std: u64,
    /// Largest |w|.
    pub max_abs: Option<f64>,
    /// Mean of |w|.
    pub mean_abs: Option<f64>,
    /// Shares of M4 that the 1, 8 and 64 weights farthest from the mean carry.
    pub m4_shares: [Option<f64>; 3],
    /// The 50 %, 99 % and 99.9 % quantiles of |w| (type 7).
    pub abs_quantiles: [Option<f64>; 3],
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightKey {
    /// Model name as in the study.
    pub model: String,
    /// The layer; `None` outside the layers.
    pub layer: Option<Layer>,
    /// `tensor` or `group`.
    pub kind: &'static str,
    /// The tensor's name without its layer prefix, or the group's.
    pub name: String,
}

const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// A population with what its statistics need of the inside of its buckets.
#[derive(Debug)]
pub(super) struct Questions<'a> {
    population: Cow<'a, Population>,
    l_moments: LMoments,
    magnitudes: Magnitudes,
    ends: Ends,
    /// The buckets whose inside must be known.
    pub(super) wanted: Wanted,
}

impl<'a> Questions<'a> {
    pub(super) fn of(population: Cow<'a, Population>, l_moments: LMoments) -> Self {
        let (magnitudes, ends) = (Magnitudes::of(&population), Ends::of(&population));
        let mut questions = Self { population, l_moments, magnitudes, ends, wanted: Wanted::new() };
        questions.wanted = questions.find_wanted();
        questions
    }

    fn find_wanted(&self) -> Wanted {
        let mut wanted = Wanted::new();
        self.ends.want(&mut wanted);
        for sigmas in [3.0, 6.0] {
            self.magnitudes.want_threshold(sigmas * self.std(), &mut wanted);
        }
        let ranks = self
            .positions()
            .into_iter()
            .flatten()
            .flat_map(|position| [position.below, position.above]);
        for rank in ranks.chain(self.last_rank()) {
            self.magnitudes.want_rank(rank, &mut wanted);
        }
        wanted
    }

    fn positions(&self) -> Option<[Position; 3]> {
        let count = self.population.count();
        (count > 0).then(|| QUANTILES.map(|p| Position::of(count, p)))
    }

    fn last_rank(&self) -> Option<u64> {
        self.population.count().checked_sub(1)
    }

    fn std(&self) -> f64 {
        self.population.moments.std().unwrap_or(0.0)
    }

    /// The statistics, given the values of the wanted buckets.
    pub(super) fn answer(&self, collected: &Collected) -> WeightStatistics {
        let moments = self.population.moments;
        let at = |rank| self.magnitudes.at(rank, collected);
        let quantile =
            |position: Position| position.between(at(position.below), at(position.above));
        let above = |sigmas: f64| self.magnitudes.above(sigmas * self.std(), collected);
        let positions = self.positions();
        WeightStatistics {
            moments,
            nonfinite: self.population.nonfinite,
            l_skewness: self.l_moments.skewness(),
            l_kurtosis: self.l_moments.kurtosis(),
            outliers_3std: above(3.0),
            outliers_6std: above(6.0),
            max_abs: self.last_rank().map(at),
            mean_abs: self.magnitudes.mean(),
            m4_shares: self.ends.shares(moments.mean, moments.m4, collected),
            abs_quantiles: std::array::from_fn(|p| {
                positions.map(|positions| quantile(positions[p]))
            }),
        }
    }
}

impl WeightStatistics {
    /// The row of the table `weights`.
    pub fn into_row(self, key: WeightKey) -> WeightRow {
        let [m4_share_top1, m4_share_top8, m4_share_top64] = self.m4_shares;
        let [abs_q50, abs_q99, abs_q999] = self.abs_quantiles;
        let some = self.moments.count > 0;
        let percent = 100.0 * self.outliers_3std as f64 / self.moments.count as f64;
        WeightRow {
            model: key.model,
            engine: String::new(),
            stack: key.layer.map(|layer| layer.stack.name().to_owned()),
            layer: key.layer.map(|layer| layer.index),
            kind: key.kind.to_owned(),
            name: key.name,
            count: self.moments.count,
            nonfinite: self.nonfinite,
            mean: some.then_some(self.moments.mean),
            std: self.moments.std(),
            skewness: self.moments.skewness(),
            kurtosis: self.moments.kurtosis(),
            kurtosis_about_zero: self.moments.kurtosis_about_zero(),
            l_skewness: self.l_skewness,
            l_kurtosis: self.l_kurtosis,
            outliers_3std: self.outliers_3std,
            outliers_3std_percent: some.then_some(percent),
            outliers_6std: self.outliers_6std,
            max_abs: self.max_abs,
            mean_abs: self.mean_abs,
            m4_share_top1,
            m4_share_top8,
            m4_share_top64,
            abs_q50,
            abs_q99,
            abs_q999,
            abs_q999_over_q50: self.tail_ratio(),
            reason: self.reason(),
        }
    }

    /// 99.9 % quantile over median of |w|; `None` where the median is 0.
    fn tail_ratio(&self) -> Option<f64> {
        let [median, _, high] = self.abs_quantiles;
        median.filter(|&median| median > 0.0).and_then(|median| high.map(|high| high / median))
    }

    /// Why statistics are undefined; `None` where all are defined.
    fn reason(&self) -> Option<String> {
        let count = self.moments.count;
        let reasons = [
            (count == 0, "no finite weights"),
            ((1..4).contains(&count), "L-skewness needs 3 weights and L-kurtosis 4"),
            (count > 0 && self.moments.m2 == 0.0, "all weights are equal"),
            (count > 0 && self.tail_ratio().is_none(), "the median of |w| is 0"),
        ];
        let reasons: Vec<&str> =
            reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, why)| why).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}
