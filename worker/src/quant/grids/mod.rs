//! Grids that are not uniform, one a file: each rounds a matrix to its nearest values. Which weights come to which grid is decided
//! by `quant`.

pub(super) mod candle;
pub(super) mod codebook;
mod dynamic_codes;
pub(super) mod float8;
pub(super) mod microscaling;
mod minifloat;
pub(super) mod nvfp4;
pub(super) mod signs;
