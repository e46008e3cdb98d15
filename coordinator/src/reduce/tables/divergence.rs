//! The table `divergence`: how far the predictions for single tokens move, with the numbers that llama.cpp's perplexity tool prints.

babelquant_proto::table! {
    /// A (model, language, scope, components, config): scored tokens of the baseline and of the quantized model. Standard errors (`_token_se`) take
    /// tokens for independent, as llama.cpp does; errors over documents stand in `sensitivity`. Quantiles are of type 7, the ends exact, the others
    /// within 1/16 of a value of at least 2⁻²⁰ (about 1e-6). Δp is what quantization adds to the probability of the token that came.
    DivergenceRow in "divergence" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// Which layers are quantized.
        scope: String ["key"],
        /// Which tensors of those layers are quantized.
        components: String ["key"],
        /// How they are quantized.
        config: String ["key"],
        /// Scored tokens.
        tokens: u64 ["tokens"],
        /// exp(ΣNLL / Σtokens) of the quantized model.
        ppl: Option<f64> ["1"],
        /// Its standard error, `ppl` times that of its logarithm.
        ppl_token_se: Option<f64> ["1"],
        /// The same of the baseline.
        base_ppl: Option<f64> ["1"],
        /// Its standard error.
        base_ppl_token_se: Option<f64> ["1"],
        /// Correlation over tokens of the two models' NLL.
        nll_correlation: Option<f64> ["1"],
        /// Σ(NLL − baseline NLL) / Σtokens = ln(ppl / base_ppl).
        delta_nll: Option<f64> ["nat/token"],
        /// Its standard error.
        delta_nll_token_se: Option<f64> ["nat/token"],
        /// ppl / base_ppl.
        ppl_ratio: Option<f64> ["1"],
        /// Its standard error.
        ppl_ratio_token_se: Option<f64> ["1"],
        /// ppl − base_ppl.
        ppl_difference: Option<f64> ["1"],
        /// Its standard error.
        ppl_difference_token_se: Option<f64> ["1"],
        /// Mean over tokens of KL(base ‖ quantized).
        kl: Option<f64> ["nat/token"],
        /// Its standard error.
        kl_token_se: Option<f64> ["nat/token"],
        /// Largest KL of a token.
        kl_max: Option<f64> ["nat"],
        /// Quantile 0.999 of KL.
        kl_p99_9: Option<f64> ["nat"],
        /// Quantile 0.99 of KL.
        kl_p99: Option<f64> ["nat"],
        /// Quantile 0.95 of KL.
        kl_p95: Option<f64> ["nat"],
        /// Quantile 0.9 of KL.
        kl_p90: Option<f64> ["nat"],
        /// Median of KL.
        kl_median: Option<f64> ["nat"],
        /// Quantile 0.1 of KL.
        kl_p10: Option<f64> ["nat"],
        /// Quantile 0.05 of KL.
        kl_p5: Option<f64> ["nat"],
        /// Quantile 0.01 of KL.
        kl_p1: Option<f64> ["nat"],
        /// Quantile 0.001 of KL.
        kl_p0_1: Option<f64> ["nat"],
        /// Smallest KL of a token.
        kl_min: Option<f64> ["nat"],
        /// Mean over tokens of Δp.
        dp: Option<f64> ["1"],
        /// Its standard error.
        dp_token_se: Option<f64> ["1"],
        /// Largest Δp of a token.
        dp_max: Option<f64> ["1"],
        /// Quantile 0.999 of Δp.
        dp_p99_9: Option<f64> ["1"],
        /// Quantile 0.99 of Δp.
        dp_p99: Option<f64> ["1"],
        /// Quantile 0.95 of Δp.
        dp_p95: Option<f64> ["1"],
        /// Quantile 0.9 of Δp.
        dp_p90: Option<f64> ["1"],
        /// Quantile 0.75 of Δp.
        dp_p75: Option<f64> ["1"],
        /// Median of Δp.
        dp_median: Option<f64> ["1"],
        /// Quantile 0.25 of Δp.
        dp_p25: Option<f64> ["1"],
        /// Quantile 0.1 of Δp.
        dp_p10: Option<f64> ["1"],
        /// Quantile 0.05 of Δp.
        dp_p5: Option<f64> ["1"],
        /// Quantile 0.01 of Δp.
        dp_p1: Option<f64> ["1"],
        /// Quantile 0.001 of Δp.
        dp_p0_1: Option<f64> ["1"],
        /// Smallest Δp of a token.
        dp_min: Option<f64> ["1"],
        /// √(ΣΔp² / Σtokens).
        dp_rms: Option<f64> ["1"],
        /// Its standard error.
        dp_rms_token_se: Option<f64> ["1"],
        /// Share of scored tokens that both models rank first.
        top1_agreement: Option<f64> ["1"],
        /// Its standard error.
        top1_agreement_token_se: Option<f64> ["1"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}
