//! The table `layers`: the weights of each layer's MLP, its matrices taken together.

babelquant_proto::table! {
    /// A (model, layer): statistics of its `mlp` group (the matrices of its MLP concatenated), copied from `weights`.
    LayerRow in "layers" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// Layer number from 0.
        layer: u32 ["key"],
        /// Finite weights.
        parameters: u64 ["weights"],
        /// κ: excess kurtosis, biased.
        kurtosis: Option<f64> ["1"],
        /// Population standard deviation.
        std: Option<f64> ["weight"],
        /// Share of weights with |w| > 3·std, not mean-centred; 0.27 for a Gaussian.
        outliers_3std_percent: Option<f64> ["%"],
        /// Largest |w|.
        max_abs: Option<f64> ["weight"],
        /// L-kurtosis τ4; 0.1226 for a Gaussian.
        l_kurtosis: Option<f64> ["1"],
        /// Reading of κ: `near-Gaussian` below 3, `moderate` below 30, `high` up to 100, `extreme` above (where the earlier study's rule
        /// clips wider).
        note: Option<String> ["text"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
