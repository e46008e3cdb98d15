//! The table `documents`: the scores of one document with one scope quantized by one config, beside the baseline's.

crate::table! {
    /// Scores of one document, baseline and quantized on the same tokens.
    DocumentRow in "documents" version 5 {
        /// Model name as in the study.
        model: String ["key" common],
        /// The engine class that made it: what decides its numbers' last bits.
        engine: String ["key" common],
        /// Language.
        language: String ["key" common],
        /// Shard of the language.
        shard: u32 ["key"],
        /// Document of the language, from 0.
        document: u32 ["key"],
        /// Its name in the corpus.
        document_id: String ["key"],
        /// Documents of one group are resampled together.
        group: String ["key"],
        /// Which layers are quantized.
        scope: String ["key" common],
        /// The layers of this model that the scope holds, whatever their components: `0,4..7`, `enc.0..enc.3`.
        layers: String ["key" common],
        /// Which tensors of those layers are quantized.
        components: String ["key" common],
        /// How they are quantized.
        config: String ["key" common],
        /// How the model read the text: `causal`, `causal(PREFIX)` with the token put before it, `causal(PREFIX,newline=TOKEN)`
        /// where a token stands for line breaks, `span_corruption(DRAWS)`,
        /// `prefix_infill`.
        protocol: String ["key" common],
        /// Scored tokens: every token that the model reads but the first; of masked documents the masked ones of every draw.
        tokens: u64 ["tokens"],
        /// UTF-8 bytes of the scored tokens.
        bytes: u64 ["bytes"],
        /// Unicode scalars whose first byte lies in a scored token.
        chars: u64 ["chars"],
        /// Words whose first byte lies in a scored token; between words stands white space.
        words: u64 ["words"],
        /// Negative log-likelihood of the scored tokens, quantized model; null where it is not finite or the config unsupported.
        nll_sum: Option<f64> ["nat"],
        /// Negative log-likelihood of the scored tokens, baseline.
        base_nll_sum: f64 ["nat"],
        /// Sum over scored tokens of KL(base ‖ quantized); null where not measured, not finite or the config unsupported.
        kl_sum: Option<f64> ["nat"],
        /// Scored tokens where both models rank the same token first (ties: the lowest index); null where the config is unsupported.
        top1_count: Option<u64> ["tokens"],
        /// Σ (x − b)² over the document's tokens, each once, and the channels of the hidden states after the first quantized layer, x of the
        /// quantized model and b of the baseline; null where not finite or the config unsupported.
        next_error_sum: Option<f64> ["activation²"],
        /// Σ b² over the same.
        next_base_sum: Option<f64> ["activation²"],
        /// Σ x·b over the same.
        next_product_sum: Option<f64> ["activation²"],
        /// Σ (x − b)² as `next_error_sum`, after the last layer, before the final norm.
        last_error_sum: Option<f64> ["activation²"],
        /// Σ b² over the same.
        last_base_sum: Option<f64> ["activation²"],
        /// Σ x·b over the same.
        last_product_sum: Option<f64> ["activation²"],
        /// Why a number is null; `unsupported: TENSOR: WHY` where the config does not fit a matrix of the scope.
        reason: Option<String> ["text"],
    }
}
