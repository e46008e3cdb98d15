//! The table `matrices`: how far each config moves each kind of matrix.

babelquant_proto::table! {
    /// A (model, stack, kind of matrix, config) over all layers that have it in `quantization`.
    MatrixRow in "matrices" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// `dec` or `enc`; null outside the layers.
        stack: Option<String> ["key"],
        /// The roles of its rows, joined by `+`.
        components: String ["key"],
        /// How it is quantized; of a mixed map the config that it has for a layer.
        config: String ["key"],
        /// Layers with such a matrix.
        matrices: u64 ["matrices"],
        /// Weights of these matrices.
        weights: u64 ["weights"],
        /// Storage, scales included: Σ bits / Σ weights.
        bits_per_weight: Option<f64> ["bit/weight"],
        /// Mean of (quantized − stored)² over all weights.
        mse: Option<f64> ["weight²"],
        /// 10·log10(Σ stored² / Σ (quantized − stored)²) over all weights.
        sqnr_db: Option<f64> ["dB"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
