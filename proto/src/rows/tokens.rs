//! The table `tokens`: how the scores of single tokens are spread over one shard with one scope quantized by one config. What is a sum over
//! the tokens of each document stands in `documents`.

crate::table! {
    /// Squares, extremes and counts over the scored tokens of a shard; b is the baseline's negative log-likelihood of a token, q the quantized
    /// model's, and Δp = e^−q − e^−b what quantization adds to the token's probability. Counts are by bucket: the first holds what is
    /// below 2⁻²⁰ = 9.5e-7, bucket i ≥ 1 begins at (1 + (i−1)%16/16)·2^(⌊(i−1)/16⌋−20); empty buckets at the end are left out.
    TokenRow in "tokens" version 2 {
        /// Model name as in the study.
        model: String ["key" common],
        /// The engine class that made it: what decides its numbers' last bits.
        engine: String ["key" common],
        /// Language.
        language: String ["key" common],
        /// Shard of the language.
        shard: u32 ["key"],
        /// Which layers are quantized.
        scope: String ["key" common],
        /// Which tensors of those layers are quantized.
        components: String ["key" common],
        /// How they are quantized.
        config: String ["key" common],
        /// Scored tokens.
        tokens: u64 ["tokens"],
        /// Σ b².
        base_nll_square_sum: f64 ["nat²"],
        /// Σ q²; null where the quantized model's logits are not finite or the config is unsupported.
        nll_square_sum: Option<f64> ["nat²"],
        /// Σ q·b.
        nll_product_sum: Option<f64> ["nat²"],
        /// Σ KL(base ‖ quantized)² over tokens; null where KL was not measured too.
        kl_square_sum: Option<f64> ["nat²"],
        /// Smallest KL(base ‖ quantized) of a token; rounding can put it a little below 0.
        kl_min: Option<f64> ["nat"],
        /// Largest KL(base ‖ quantized) of a token.
        kl_max: Option<f64> ["nat"],
        /// Tokens by KL(base ‖ quantized).
        kl_counts: Option<Vec<u32>> ["tokens"],
        /// Σ Δp.
        dp_sum: Option<f64> ["1"],
        /// Σ Δp².
        dp_square_sum: Option<f64> ["1"],
        /// Σ Δp⁴.
        dp_quartic_sum: Option<f64> ["1"],
        /// Smallest Δp: the token that lost most.
        dp_min: Option<f64> ["1"],
        /// Largest Δp.
        dp_max: Option<f64> ["1"],
        /// Tokens that became less probable, by −Δp.
        dp_fall_counts: Option<Vec<u32>> ["tokens"],
        /// Tokens that did not, by Δp.
        dp_rise_counts: Option<Vec<u32>> ["tokens"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
