//! The table `models`: the aggregate over the layers' MLP weights.

babelquant_proto::table! {
    /// A model: its layers' `mlp` groups together.
    ModelRow in "models" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Layers counted.
        layers: u64 ["layers"],
        /// Finite weights of all MLP matrices.
        parameters: u64 ["weights"],
        /// Population standard deviation of all those weights pooled.
        pooled_std: Option<f64> ["weight"],
        /// Arithmetic mean of the layers' excess kurtosis.
        mean_kurtosis: Option<f64> ["1"],
        /// Smallest of them.
        min_kurtosis: Option<f64> ["1"],
        /// Largest of them.
        max_kurtosis: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
