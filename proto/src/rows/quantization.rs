//! The table `quantization`: what one config does to one stored matrix, whatever is read with it afterwards.

crate::table! {
    /// One matrix quantized by one config: what it costs and how far it moves. Not what becomes of the model (`documents`).
    QuantizationRow in "quantization" version 2 {
        /// Model name as in the study.
        model: String ["key" common],
        /// The engine class that made it: what decides its numbers' last bits.
        engine: String ["key" common],
        /// `dec` or `enc`; null outside the layers.
        stack: Option<String> ["key"],
        /// Layer number from 0; null outside the layers.
        layer: Option<u32> ["key"],
        /// The matrix's name in the checkpoint without its layer prefix; the gain of a norm is a matrix of one row.
        tensor: String ["key"],
        /// The roles of its rows, joined by `+`; `norm` for the gain of one.
        components: String ["key"],
        /// How it is quantized; of a mixed map the config that it has for this layer.
        config: String ["key"],
        /// Weights of the matrix.
        weights: u64 ["weights"],
        /// Storage of codes, scales and zero points a weight.
        bits_per_weight: Option<f64> ["bit/weight"],
        /// Mean of (quantized − stored)².
        mse: Option<f64> ["weight²"],
        /// 10·log10(Σ stored² / Σ (quantized − stored)²).
        sqnr_db: Option<f64> ["dB"],
        /// Largest |quantized − stored|.
        max_error: Option<f64> ["weight"],
        /// Distinct values in a group over the values that its grid has (or its weights, if fewer), mean over groups.
        codes_used: Option<f64> ["1"],
        /// Share of weights beyond the limits of their group.
        clipped: Option<f64> ["1"],
        /// Mean over groups of the limit's magnitude, over the population standard deviation of the matrix.
        alpha_over_sigma: Option<f64> ["1"],
        /// What was done instead of what the config asks, because the moments of the inputs allowed no more.
        fallback: Option<String> ["text"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
