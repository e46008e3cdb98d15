//! Quantization configs: what they are and how they are spelled. The functions on weights are the worker's `quant`.

mod calibration;
mod checkpoint_name;
mod clip;
mod config;
mod decimal;
mod granularity;
mod grid;
mod mixed;
mod named;
mod rule;
mod uniform;
mod weight_config;
mod words;

pub use calibration::CalibrationSet;
pub use checkpoint_name::CheckpointName;
pub use clip::Clip;
pub use config::{Applied, QuantConfig};
pub use decimal::Decimal;
pub use granularity::Granularity;
pub use grid::{
    BlockScales, CandleBlock, Code, Float8, Float8Scope, Grid, MxElement, ScaleRule, Signs,
};
pub use mixed::Mixed;
pub use named::Named;
pub use rule::{ColumnOrder, Rule};
pub use uniform::{Bits, Symmetry, Uniform};
pub use weight_config::{Basis, WeightConfig};
