//! Quantization configs: what they are and how they are spelled. The functions on weights are the worker's `quant`.

mod clip;
mod config;
mod granularity;

pub use clip::{Clip, SigmaMultiple};
pub use config::{Bits, Named, QuantConfig, Symmetry, Uniform};
pub use granularity::Granularity;
