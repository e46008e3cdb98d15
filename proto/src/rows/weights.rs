//! The table `weights`: one row per tensor and per layer group.

crate::table! {
    /// Statistics of the weights of one tensor, or of one layer's group of tensors taken together.
    WeightRow in "weights" version 2 {
        /// Model name as in the study.
        model: String ["key" common],
        /// The engine class that made it: what decides its numbers' last bits.
        engine: String ["key" common],
        /// `dec` or `enc`; null outside the layers.
        stack: Option<String> ["key"],
        /// Layer number from 0; null outside the layers.
        layer: Option<u32> ["key"],
        /// `tensor` or `group`.
        kind: String ["key"],
        /// The tensor's name in the checkpoint without its layer prefix, or the group: `mlp` (the matrices of the MLP together).
        name: String ["key"],
        /// Finite weights.
        count: u64 ["weights"],
        /// Weights that are NaN or infinite; every statistic leaves them out.
        nonfinite: u64 ["weights"],
        /// Mean.
        mean: Option<f64> ["weight"],
        /// Population standard deviation, sqrt(M2/n).
        std: Option<f64> ["weight"],
        /// Skewness, sqrt(n)·M3/M2^1.5.
        skewness: Option<f64> ["1"],
        /// Excess kurtosis, biased: n·M4/M2² − 3.
        kurtosis: Option<f64> ["1"],
        /// Kurtosis about zero: mean(w⁴)/mean(w²)² − 3.
        kurtosis_about_zero: Option<f64> ["1"],
        /// L-skewness τ3 = λ3/λ2.
        l_skewness: Option<f64> ["1"],
        /// L-kurtosis τ4 = λ4/λ2; 0.1226 for a Gaussian.
        l_kurtosis: Option<f64> ["1"],
        /// Weights with |w| > 3·std, not mean-centred.
        outliers_3std: u64 ["weights"],
        /// Share of weights with |w| > 3·std, not mean-centred.
        outliers_3std_percent: Option<f64> ["%"],
        /// Weights with |w| > 6·std, not mean-centred.
        outliers_6std: u64 ["weights"],
        /// Largest |w|.
        max_abs: Option<f64> ["weight"],
        /// Mean of |w|.
        mean_abs: Option<f64> ["weight"],
        /// Share of M4 that the 1 weight farthest from the mean carries.
        m4_share_top1: Option<f64> ["1"],
        /// Share of M4 that the 8 weights farthest from the mean carry.
        m4_share_top8: Option<f64> ["1"],
        /// Share of M4 that the 64 weights farthest from the mean carry.
        m4_share_top64: Option<f64> ["1"],
        /// Median of |w| (type 7).
        abs_q50: Option<f64> ["weight"],
        /// 99 % quantile of |w| (type 7).
        abs_q99: Option<f64> ["weight"],
        /// 99.9 % quantile of |w| (type 7).
        abs_q999: Option<f64> ["weight"],
        /// abs_q999 / abs_q50; 4.88 for a Gaussian.
        abs_q999_over_q50: Option<f64> ["1"],
        /// Why a statistic is null.
        reason: Option<String> ["text"],
    }
}
