//! The table `depth`: what a config does where one layer alone is quantized, over the languages.

use babelquant_proto::rows::unsupported_cause;

babelquant_proto::table! {
    /// A (model, components, config, layer) at scope `only(layer)`. Columns `…_low` and `…_high` are the ends of the bootstrap interval
    /// over groups of documents; languages that share groups are resampled together.
    DepthRow in "depth" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Which tensors of the layer are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// Layer number from 0.
        layer: u32 ["key"],
        /// Languages measured.
        languages: u64 ["languages"],
        /// Mean over languages of ΔNLL.
        mean_delta_nll: Option<f64> ["nat/token"],
        /// Lower end.
        mean_delta_nll_low: Option<f64> ["nat/token"],
        /// Upper end.
        mean_delta_nll_high: Option<f64> ["nat/token"],
        /// Why a number is null; `unsupported: TENSOR: WHY` where the config does not fit a matrix.
        reason: Option<String> ["text"],
    }
}

impl DepthRow {
    /// Tensor and cause where the config does not fit a matrix.
    pub fn unsupported(&self) -> Option<&str> {
        unsupported_cause(self.reason.as_deref()?)
    }
}
