//! Statistics: functions on numbers. Pure, in f64, every sum in a fixed order; a seed is an argument. Not what is measured (`reduce`), nor
//! how it is written (`report`).

mod band;
mod bootstrap;
mod bound;
mod buckets;
mod clusters;
mod compositions;
mod concentration;
mod correlation;
mod dependent;
mod distribution;
mod fisher;
mod interval;
mod jackknife;
mod kendall;
mod line;
mod multiplicity;
mod pairs;
mod partial;
mod permutation;
mod power;
mod quantile;
mod ratio;
mod regression;
mod resampling;
mod sampled;
mod shuffles;
mod side;
mod signs;
mod takings;
mod trend;
mod units;
mod wild;

#[cfg(test)]
pub(crate) mod goldens;
#[cfg(test)]
mod tests;

pub use band::Band;
pub use bootstrap::{Bca, Bootstrap, Resamples, bootstrap, bootstraps, random_bootstrap};
pub use bound::Bound;
pub use clusters::Clusters;
pub use compositions::UNITS_MAX;
pub use concentration::largest_share;
pub use correlation::{Pearson, Spearman, pearson, spearman};
pub use dependent::{Test, Triple};
pub use fisher::{Scale, bonett_wright};
pub use interval::{Estimate, Interval};
pub use jackknife::{Jackknife, Leverage, decisive, jackknife};
pub use kendall::{Kendall, kendall};
pub use line::{Line, line};
pub use multiplicity::{Strongest, benjamini_hochberg, holm};
pub use pairs::{Pairs, Undefined, z_scores};
pub use partial::{NoPartial, Partial, partial};
pub use permutation::{ORDERS_MAX, Orders, orders};
pub use power::{AIM, Aim, LEVEL, Needed, POWER, pairs_from};
pub use quantile::quantile;
pub use ratio::{estimate, ratio, standard_error};
pub use regression::{Certainty, NoRegression, Regression, Term, regression};
pub use resampling::Resampling;
pub use sampled::Sampled;
pub use shuffles::{Shuffled, Shuffles};
pub use side::Side;
pub use signs::{Signs, strength};
pub use trend::{rank_trend, thirds};
pub use wild::{Weights, Wild, WildP};
