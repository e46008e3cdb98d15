//! The table `languages`: the predictors of one language under one model.

use crate::study::Predictor;

babelquant_proto::table! {
    /// A (model, language): size of its corpus, the baseline's score, and each predictor with its interval over groups of documents.
    LanguageRow in "languages" version 1 {
        /// Model name as in the study.
        model: String ["key"],
        /// Language.
        language: String ["key"],
        /// Documents scored.
        documents: u64 ["documents"],
        /// Groups of documents: the units that intervals resample.
        groups: u64 ["groups"],
        /// Scored tokens.
        tokens: u64 ["tokens"],
        /// UTF-8 bytes of the scored tokens.
        bytes: u64 ["bytes"],
        /// Unicode scalars of the scored tokens.
        chars: u64 ["chars"],
        /// Σ baseline NLL / (ln 2 · Σ bytes).
        base_bits_per_byte: Option<f64> ["bit/byte"],
        /// Σ aᵢκᵢ / Σ aᵢ over the layers, of an encoder–decoder those of both stacks; a = mean |x| at block_out, κ = excess kurtosis
        /// of the layer's `mlp` weights.
        weighted_kurtosis_block_out: Option<f64> ["1"],
        /// Lower end.
        weighted_kurtosis_block_out_low: Option<f64> ["1"],
        /// Upper end.
        weighted_kurtosis_block_out_high: Option<f64> ["1"],
        /// The same at mlp_out.
        weighted_kurtosis_mlp_out: Option<f64> ["1"],
        /// Lower end.
        weighted_kurtosis_mlp_out_low: Option<f64> ["1"],
        /// Upper end.
        weighted_kurtosis_mlp_out_high: Option<f64> ["1"],
        /// Σ aᵢ ln(κᵢ + 3) / Σ aᵢ at block_out, over the same layers.
        weighted_log_kurtosis_block_out: Option<f64> ["1"],
        /// Lower end.
        weighted_log_kurtosis_block_out_low: Option<f64> ["1"],
        /// Upper end.
        weighted_log_kurtosis_block_out_high: Option<f64> ["1"],
        /// The same at mlp_out.
        weighted_log_kurtosis_mlp_out: Option<f64> ["1"],
        /// Lower end.
        weighted_log_kurtosis_mlp_out_low: Option<f64> ["1"],
        /// Upper end.
        weighted_log_kurtosis_mlp_out_high: Option<f64> ["1"],
        /// Share of Σ aᵢ (block_out) in the k layers of highest κ of all stacks together, k = `outlier_layers` of the analysis.
        outlier_share_block_out: Option<f64> ["1"],
        /// Lower end.
        outlier_share_block_out_low: Option<f64> ["1"],
        /// Upper end.
        outlier_share_block_out_high: Option<f64> ["1"],
        /// The same at mlp_out.
        outlier_share_mlp_out: Option<f64> ["1"],
        /// Lower end.
        outlier_share_mlp_out_low: Option<f64> ["1"],
        /// Upper end.
        outlier_share_mlp_out_high: Option<f64> ["1"],
        /// Share of Σ aᵢ (block_out) in the first third of each stack's layers.
        early_share_block_out: Option<f64> ["1"],
        /// Lower end.
        early_share_block_out_low: Option<f64> ["1"],
        /// Upper end.
        early_share_block_out_high: Option<f64> ["1"],
        /// The same at mlp_out.
        early_share_mlp_out: Option<f64> ["1"],
        /// Lower end.
        early_share_mlp_out_low: Option<f64> ["1"],
        /// Upper end.
        early_share_mlp_out_high: Option<f64> ["1"],
        /// Scored tokens per Unicode scalar.
        fertility: Option<f64> ["token/char"],
        /// Lower end.
        fertility_low: Option<f64> ["token/char"],
        /// Upper end.
        fertility_high: Option<f64> ["token/char"],
        /// UTF-8 bytes per scored token.
        bytes_per_token: Option<f64> ["byte/token"],
        /// Lower end.
        bytes_per_token_low: Option<f64> ["byte/token"],
        /// Upper end.
        bytes_per_token_high: Option<f64> ["byte/token"],
        /// Why a number is null.
        reason: Option<String> ["text"],
    }
}

impl LanguageRow {
    /// The predictor's value; null where it is undefined.
    pub fn predictor(&self, predictor: Predictor) -> Option<f64> {
        self.estimate(predictor)[0]
    }

    /// The predictor's value and the lower and upper end of its interval.
    pub fn estimate(&self, predictor: Predictor) -> [Option<f64>; 3] {
        match predictor {
            Predictor::WeightedKurtosisBlockOut => [
                self.weighted_kurtosis_block_out,
                self.weighted_kurtosis_block_out_low,
                self.weighted_kurtosis_block_out_high,
            ],
            Predictor::WeightedKurtosisMlpOut => [
                self.weighted_kurtosis_mlp_out,
                self.weighted_kurtosis_mlp_out_low,
                self.weighted_kurtosis_mlp_out_high,
            ],
            Predictor::WeightedLogKurtosisBlockOut => [
                self.weighted_log_kurtosis_block_out,
                self.weighted_log_kurtosis_block_out_low,
                self.weighted_log_kurtosis_block_out_high,
            ],
            Predictor::WeightedLogKurtosisMlpOut => [
                self.weighted_log_kurtosis_mlp_out,
                self.weighted_log_kurtosis_mlp_out_low,
                self.weighted_log_kurtosis_mlp_out_high,
            ],
            Predictor::OutlierShareBlockOut => [
                self.outlier_share_block_out,
                self.outlier_share_block_out_low,
                self.outlier_share_block_out_high,
            ],
            Predictor::OutlierShareMlpOut => [
                self.outlier_share_mlp_out,
                self.outlier_share_mlp_out_low,
                self.outlier_share_mlp_out_high,
            ],
            Predictor::EarlyShareBlockOut => [
                self.early_share_block_out,
                self.early_share_block_out_low,
                self.early_share_block_out_high,
            ],
            Predictor::EarlyShareMlpOut => [
                self.early_share_mlp_out,
                self.early_share_mlp_out_low,
                self.early_share_mlp_out_high,
            ],
            Predictor::Fertility => [self.fertility, self.fertility_low, self.fertility_high],
            Predictor::BytesPerToken => {
                [self.bytes_per_token, self.bytes_per_token_low, self.bytes_per_token_high]
            }
        }
    }
}
