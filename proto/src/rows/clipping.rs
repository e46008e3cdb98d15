//! The table `clipping`: where a clipping rule ends the grid of some weights, and the error that it really gives.

crate::table! {
    /// One clipping rule on the weights of one matrix, or of one layer's group of matrices taken together. Measured by rounding.
    ClippingRow in "clipping" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// Layer number from 0.
        layer: u32 ["key"],
        /// `tensor` or `group`.
        kind: String ["key"],
        /// The tensor's name in the checkpoint without its layer prefix, or the group: `mlp` (the matrices of the MLP together; at
        /// granularity `tensor` they share one grid).
        name: String ["key"],
        /// Which weights share a grid.
        granularity: String ["key"],
        /// Width of a code.
        bits: u32 ["bits"],
        /// The clipping rule; `absmax` clips nothing.
        rule: String ["key"],
        /// Weights.
        weights: u64 ["weights"],
        /// Population standard deviation of the weights, σ.
        std: Option<f64> ["weight"],
        /// Excess kurtosis of the weights, biased.
        kurtosis: Option<f64> ["1"],
        /// Mean over grids of the largest magnitude that is not clipped, over σ.
        alpha_over_sigma: Option<f64> ["1"],
        /// Mean of (quantized − stored)², over σ².
        mse_over_variance: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
