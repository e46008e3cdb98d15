//! Statistics of stored weights: of each tensor and of a group of tensors taken together, in f64 and the same for any number of
//! threads.
//!
//! Everything is computed from a `Population`: the values in order, as distinct values or, for many f32, as narrow buckets
//! whose order inside matters nowhere or is looked up (`collect`). Not the definition of moments
//! (`babelquant_proto::Moments`), not the reading of checkpoints.

mod bucket;
mod coarse;
mod collect;
mod counts;
mod distinct;
mod even;
#[cfg(test)]
pub(crate) mod golden;
mod group;
mod l_moments;
mod magnitudes;
pub(crate) mod moments;
mod population;
mod quantile;
mod sorted;
mod stored;
mod summary;
#[cfg(test)]
mod tests;
mod top;

pub use distinct::Distinct;
pub use group::{GroupStatistics, of_group, of_tensor};
pub(crate) use quantile::Position;
pub use stored::StoredValues;
pub use summary::{WeightKey, WeightStatistics};
