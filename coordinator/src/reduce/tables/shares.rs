//! The table `activation_shares`: how much of a language's activation each layer carries.

babelquant_proto::table! {
    /// A (model, language, point, layer): statistics of the activation over all tokens and channels, and the layer's share of the point.
    ShareRow in "activation_shares" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// Named activation point: `block_out` or `mlp_out`.
        point: String ["key"],
        /// `dec` or `enc`.
        stack: String ["key"],
        /// Layer number from 0.
        layer: u32 ["key"],
        /// Tokens summed over.
        tokens: u64 ["tokens"],
        /// aᵢ: mean |x|.
        mean_abs: Option<f64> ["activation"],
        /// aᵢ / Σ aⱼ over the layers j of the point, of an encoder–decoder those of both stacks.
        share: Option<f64> ["1"],
        /// Excess kurtosis of x, biased.
        kurtosis: Option<f64> ["1"],
        /// Root of the mean square.
        rms: Option<f64> ["activation"],
        /// Largest |x|.
        max_abs: Option<f64> ["activation"],
        /// Share of values with |x| ≥ 6.
        outliers_6: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
