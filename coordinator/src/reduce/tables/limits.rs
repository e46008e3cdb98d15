//! The table `limits`: where each config ends its grids, layer by layer.

babelquant_proto::table! {
    /// A (model, stack, layer, config) over the matrices of the layer that `quantization` has, each counted by its weights.
    LimitRow in "limits" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// Layer number from 0.
        layer: u32 ["key"],
        /// How its matrices are quantized; of a mixed map the config that it has for the layer.
        config: String ["key"],
        /// Matrices.
        matrices: u64 ["matrices"],
        /// Their weights.
        weights: u64 ["weights"],
        /// α/σ: Σ weights·`alpha_over_sigma` / Σ weights. Where the config looks for the limit of least error (`octav`, `mse`) this is α*/σ.
        alpha_over_sigma: Option<f64> ["1"],
        /// Share of the weights beyond the limits of their group.
        clipped: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
