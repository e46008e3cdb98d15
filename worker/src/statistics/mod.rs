//! Statistics of stored weights: one row per tensor and per group of tensors taken together.
//!
//! Not the definition of moments (`babelquant_proto::Moments`), not the reading of checkpoints.

#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod moments;
